package sqltest

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/internal/archive"
)

// records is the typed schema that DuckDB needs to be fast: of every record no
// more than the question asks for.
const records = `STRUCT(eventSource VARCHAR, eventName VARCHAR, eventTime VARCHAR, eventID VARCHAR, errorCode VARCHAR,
	userIdentity STRUCT(arn VARCHAR), resources STRUCT(ARN VARCHAR)[])[]`

// calls reads the packed log files themselves: one row for each key of each event.
// A log file is one line; said so, DuckDB is faster by a third.
const calls = `SELECT e.eventName AS op, e.eventTime AS moment, e.errorCode AS code, e.userIdentity.arn AS who, unnest(e.resources).ARN AS arn
	FROM (SELECT unnest(Records) AS e FROM read_json('%s/**/*.json.gz', format = 'newline_delimited', compression = 'gzip',
		columns = {Records: '` + records + `'}))
	WHERE e.eventSource = 'kms.amazonaws.com'`

// questions are what both are asked, with the columns that are compared: first and
// last use of every key, and calls and failures besides.
var questions = []struct {
	name, statement string
	options         func(*cloudtrail.ScanOptions)
}{
	{
		"first and last",
		`SELECT arn, min(moment), max(moment), arg_max(op, moment), arg_max(who, moment), 0, 0 FROM (` + calls + `)
			WHERE coalesce(code, '') = '' AND op IN ('Decrypt', 'Encrypt', 'GenerateDataKey') GROUP BY arn`,
		func(o *cloudtrail.ScanOptions) { o.FirstAndLastOnly = true },
	},
	{
		// Not all that a scan counts: no operations, services or contexts one by one.
		"counts too",
		`SELECT arn, min(moment) FILTER (used), max(moment) FILTER (used), arg_max(op, moment) FILTER (used), arg_max(who, moment) FILTER (used), count(*), count(*) FILTER (coalesce(code, '') <> '')
			FROM (SELECT *, coalesce(code, '') = '' AND op IN ('Decrypt', 'Encrypt', 'GenerateDataKey') AS used FROM (` + calls + `)) GROUP BY arn`,
		func(*cloudtrail.ScanOptions) {},
	},
}

type known struct {
	first, last   string
	calls, failed int
}

// byDuckDB asks DuckDB.
func byDuckDB(tb testing.TB, db *sql.DB, statement, dir string, threads int) map[string]known {
	tb.Helper()
	if _, err := db.ExecContext(tb.Context(), fmt.Sprintf("SET threads = %d", threads)); err != nil {
		tb.Fatal(err)
	}
	rows, err := db.QueryContext(tb.Context(), fmt.Sprintf(statement, dir))
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read to its end, or fatal
	all := map[string]known{}
	for rows.Next() {
		var (
			arn                   string
			first, last, op, with sql.NullString
			k                     known
		)
		if err := rows.Scan(&arn, &first, &last, &op, &with, &k.calls, &k.failed); err != nil {
			tb.Fatal(err)
		}
		if k.first, k.last = first.String, last.String; k.last != "" || k.calls > 0 {
			all[arn] = k
		}
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return all
}

// byScan asks cloudtrail.Scan.
func byScan(tb testing.TB, dir string, threads int, options func(*cloudtrail.ScanOptions)) (map[string]known, int64) {
	tb.Helper()
	h, err := cloudtrail.Scan(tb.Context(), os.DirFS(dir), options, func(o *cloudtrail.ScanOptions) { o.Workers = threads })
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]known{}
	for arn, r := range h.Keys() {
		var k known
		if r.Last != nil {
			k.first, k.last = r.First.At.Format(time.RFC3339), r.Last.At.Format(time.RFC3339)
		}
		for _, n := range r.Operations {
			k.calls += n
		}
		for _, n := range r.Errors {
			k.failed += n
		}
		if k.last != "" || k.calls > 0 {
			all[arn] = k
		}
	}
	return all, h.Stats().Bytes
}

func sameAnswers(tb testing.TB, duck, scan map[string]known) {
	tb.Helper()
	if len(duck) != len(scan) || len(scan) == 0 {
		tb.Fatalf("DuckDB knows %d keys, the scan %d", len(duck), len(scan))
	}
	for arn, k := range scan {
		if duck[arn] != k {
			tb.Fatalf("%s: DuckDB says %+v, the scan %+v", arn, duck[arn], k)
		}
	}
}

func inMemory(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	db.SetMaxOpenConns(1) // so that a setting is that of all statements
	return db
}

// Both of the benchmark give the same answers, or it would compare nothing.
func TestTheContendersOfTheBenchmarkAgree(t *testing.T) {
	dir, err := archive.Spec{Files: 6}.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	db := inMemory(t)
	for _, q := range questions {
		scan, _ := byScan(t, dir, 2, q.options)
		sameAnswers(t, byDuckDB(t, db, q.statement, dir, 2), scan)
	}
}

// BenchmarkAgainstDuckDB asks both the same, one after the other, on as many
// threads, reading the same packed files. It reports the bytes that each unpacked
// per second and how many times faster the scan is. KMSUSAGE_BENCH=large takes the
// whole archive instead of a tenth.
func BenchmarkAgainstDuckDB(b *testing.B) {
	spec := archive.Quick()
	if os.Getenv("KMSUSAGE_BENCH") == "large" {
		spec = archive.Large()
	}
	dir, err := spec.Dir(filepath.Join(os.TempDir(), "kmsusage-bench"))
	if err != nil {
		b.Fatal(err)
	}
	db := inMemory(b)
	for _, q := range questions {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", q.name, threads), func(b *testing.B) {
				var duckTime, scanTime time.Duration
				var size int64
				for b.Loop() {
					start := time.Now()
					duck := byDuckDB(b, db, q.statement, dir, threads)
					half := time.Now()
					scan, bytes := byScan(b, dir, threads, q.options)
					duckTime, scanTime, size = duckTime+half.Sub(start), scanTime+time.Since(half), size+bytes
					sameAnswers(b, duck, scan)
				}
				b.ReportMetric(float64(size)/1e6/duckTime.Seconds(), "duckdb-MB/s")
				b.ReportMetric(float64(size)/1e6/scanTime.Seconds(), "scan-MB/s")
				b.ReportMetric(duckTime.Seconds()/scanTime.Seconds(), "x-duckdb")
			})
		}
	}
}
