package cloudtrail

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/kmsusage/usage/internal/archive"
)

// benchArchive is the archive that the benchmarks read: a tenth of that of
// issue 3, or with KMSUSAGE_BENCH=large all of it. It is made once, in the folder
// for temporary files.
func benchArchive(tb testing.TB) string {
	tb.Helper()
	spec := archive.Quick()
	if os.Getenv("KMSUSAGE_BENCH") == "large" {
		spec = archive.Large()
	}
	return makeArchive(tb, spec)
}

func makeArchive(tb testing.TB, spec archive.Spec) string {
	tb.Helper()
	dir, err := spec.Dir(filepath.Join(os.TempDir(), "kmsusage-bench"))
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// contender reads an archive in one of the ways that are compared, on so many
// goroutines, and returns how many unpacked bytes it read.
type contender func(fsys fs.FS, workers int) (int64, error)

// unpackAlone is what no reader of packed files can beat.
func unpackAlone(fsys fs.FS, workers int) (int64, error) {
	return eachFile(fsys, workers, func() func(io.Reader) (int64, error) {
		var (
			zip    gzip.Reader
			packed = bufio.NewReaderSize(nil, packedBuffer)
		)
		return func(r io.Reader) (int64, error) {
			packed.Reset(r)
			if err := zip.Reset(packed); err != nil {
				return 0, err
			}
			return io.Copy(io.Discard, &zip)
		}
	})
}

// decodeJSON is what a Go programmer writes first: encoding/json into a struct of
// what is wanted, first and last use of each key in a map.
func decodeJSON(fsys fs.FS, workers int) (int64, error) {
	type entry struct {
		EventSource, EventName, EventTime, ErrorCode string
		UserIdentity                                 struct{ Arn string }
		Resources                                    []struct{ ARN string }
	}
	var mu sync.Mutex
	first, last := map[string]entry{}, map[string]entry{}
	return eachFile(fsys, workers, func() func(io.Reader) (int64, error) {
		return func(r io.Reader) (int64, error) {
			zip, err := gzip.NewReader(r)
			if err != nil {
				return 0, err
			}
			plain, err := io.ReadAll(zip)
			if err != nil {
				return 0, err
			}
			var file struct{ Records []entry }
			if err := json.Unmarshal(plain, &file); err != nil {
				return 0, err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, e := range file.Records {
				if e.EventSource != kmsSource || e.ErrorCode != "" || !tracked[e.EventName] {
					continue
				}
				for _, res := range e.Resources {
					if f, ok := first[res.ARN]; !ok || e.EventTime < f.EventTime {
						first[res.ARN] = e
					}
					if l, ok := last[res.ARN]; !ok || e.EventTime > l.EventTime {
						last[res.ARN] = e
					}
				}
			}
			return int64(len(plain)), nil
		}
	})
}

// program runs another program over the archive that lies in dir.
func program(dir string, size int64, name string, args ...string) contender {
	return func(fs.FS, int) (int64, error) {
		cmd := exec.CommandContext(noContext, name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return size, err
	}
}

// What a shell programmer and a Python programmer write: first and last use of
// each key.
const (
	jqProgram = `find . -name '*.gz' -print0 | sort -z | xargs -0 gzip -dc | jq -c -n '
		reduce (inputs | .Records[] | select(.eventSource == "kms.amazonaws.com" and .errorCode == null and (.eventName | IN("Decrypt", "Encrypt", "GenerateDataKey"))))
		as $r ({}; reduce $r.resources[].ARN as $k (.; .[$k] |= {
			first: (if .first == null or $r.eventTime < .first then $r.eventTime else .first end),
			last: (if .last == null or $r.eventTime > .last then $r.eventTime else .last end)}))' >/dev/null`
	pythonProgram = `
import glob, gzip, json
first, last = {}, {}
for name in sorted(glob.glob("**/*.gz", recursive=True)):
    with gzip.open(name, "rb") as f:
        for r in json.loads(f.read())["Records"]:
            if r["eventSource"] != "kms.amazonaws.com" or r.get("errorCode") or r["eventName"] not in ("Decrypt", "Encrypt", "GenerateDataKey"):
                continue
            for k in (x["ARN"] for x in r["resources"]):
                t = r["eventTime"]
                if k not in first or t < first[k]["eventTime"]: first[k] = r
                if k not in last or t > last[k]["eventTime"]: last[k] = r
`
)

func scanning(opts ...func(*ScanOptions)) contender {
	return func(fsys fs.FS, workers int) (int64, error) {
		h, err := Scan(noContext, fsys, append(opts, func(o *ScanOptions) { o.Workers = workers })...)
		if err != nil {
			return 0, err
		}
		if len(h.Gaps()) > 0 {
			return 0, fmt.Errorf("%v", h.Gaps())
		}
		return h.Stats().Bytes, nil
	}
}

// eachFile reads all files on several goroutines; each gets a reader of its own
// from start.
func eachFile(fsys fs.FS, workers int, start func() func(io.Reader) (int64, error)) (int64, error) {
	var (
		paths = make(chan string)
		wg    sync.WaitGroup
		mu    sync.Mutex
		total int64
		first error
	)
	for range workers {
		read := start()
		wg.Go(func() {
			for path := range paths {
				n, err := func() (int64, error) {
					f, err := fsys.Open(path)
					if err != nil {
						return 0, err
					}
					defer f.Close() //nolint:errcheck // read only
					return read(f)
				}()
				mu.Lock()
				total += n
				if first == nil {
					first = err
				}
				mu.Unlock()
			}
		})
	}
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths <- path
		}
		return err
	})
	close(paths)
	wg.Wait()
	if first == nil {
		first = err
	}
	return total, first
}

// best are the best times of several rounds: of a machine that others use as well
// they say the most.
type best struct{ wall, cpu time.Duration }

// compare runs contenders in turns.
func compare(tb testing.TB, fsys fs.FS, workers, rounds int, all map[string]contender) (map[string]best, int64) {
	tb.Helper()
	results := map[string]best{}
	var size int64
	for range rounds {
		for name, c := range all {
			cpu, wall := cpuTime(), time.Now()
			n, err := c(fsys, workers)
			if err != nil {
				tb.Fatal(name, err)
			}
			b, ok := results[name]
			if !ok {
				b = best{math.MaxInt64, math.MaxInt64}
			}
			results[name] = best{min(b.wall, time.Since(wall)), min(b.cpu, cpuTime()-cpu)}
			size = max(size, n)
		}
	}
	return results, size
}

// BenchmarkScan compares, on one goroutine and on two, unpacking alone and both
// kinds of scan. x-unpack is the speed as a share of that of unpacking alone,
// x-cpu the same by processor time, x-one the speed as a multiple of that of one
// goroutine.
func BenchmarkScan(b *testing.B) {
	fsys := os.DirFS(benchArchive(b))
	all := map[string]contender{
		"unpack":         unpackAlone,
		"full":           scanning(),
		"first-and-last": scanning(func(o *ScanOptions) { o.FirstAndLastOnly = true }),
	}
	one := map[string]best{}
	for workers := 1; workers <= 2; workers++ {
		results, size := compare(b, fsys, workers, 5, all)
		if workers == 1 {
			one = results
		}
		for _, name := range []string{"unpack", "full", "first-and-last"} {
			r := results[name]
			b.Run(fmt.Sprintf("%s/%d", name, workers), func(b *testing.B) {
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(size)/r.wall.Seconds()/1e6, "MB/s")
				b.ReportMetric(float64(results["unpack"].wall)/float64(r.wall), "x-unpack")
				b.ReportMetric(float64(results["unpack"].cpu)/float64(r.cpu), "x-cpu")
				b.ReportMetric(float64(one[name].wall)/float64(r.wall), "x-one")
			})
		}
	}
}

// BenchmarkOthers compares what others would use, on one goroutine or process, to
// learn first and last use. slower is how many times as long it takes as the full
// scan does, which learns more; cpu the same by processor time.
func BenchmarkOthers(b *testing.B) {
	dir := benchArchive(b)
	fsys := os.DirFS(dir)
	size, err := unpackAlone(fsys, 1)
	if err != nil {
		b.Fatal(err)
	}
	all := map[string]contender{"full": scanning(), "encoding-json": decodeJSON}
	if _, err := exec.LookPath("python3"); err == nil {
		all["python"] = program(dir, size, "python3", "-c", pythonProgram)
	}
	if _, err := exec.LookPath("jq"); err == nil {
		all["jq"] = program(dir, size, "bash", "-c", "set -o pipefail; "+jqProgram)
	}
	results, _ := compare(b, fsys, 1, 2, all)
	for _, name := range []string{"full", "encoding-json", "python", "jq"} {
		r, ok := results[name]
		if !ok {
			continue
		}
		b.Run(name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(size)/r.wall.Seconds()/1e6, "MB/s")
			b.ReportMetric(float64(r.wall)/float64(results["full"].wall), "slower")
			b.ReportMetric(float64(r.cpu)/float64(results["full"].cpu), "cpu")
		})
	}
}

// BenchmarkSmallFiles compares unpacking alone and scanning for thousands of files
// of two kilobytes, packed.
func BenchmarkSmallFiles(b *testing.B) {
	fsys := os.DirFS(makeArchive(b, archive.Tiny()))
	results, _ := compare(b, fsys, 1, 5, map[string]contender{"unpack": unpackAlone, "full": scanning()})
	for _, name := range []string{"unpack", "full"} {
		r := results[name]
		b.Run(name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(r.wall.Microseconds())/float64(archive.Tiny().Files), "µs/file")
			b.ReportMetric(float64(results["unpack"].cpu)/float64(r.cpu), "x-cpu")
		})
	}
}
