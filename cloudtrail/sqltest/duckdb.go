package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	_ "github.com/duckdb/duckdb-go/v2" // the driver

	"github.com/kmsusage/usage/cloudtrail"
)

// difference is a place where DuckDB 1.4 does not speak Trino. Everything else in
// the statements means the same in both: UNNEST, ARRAY[…] and its elements from 1,
// max_by with and without a number, count(DISTINCT), filter with a lambda, || of
// texts and arrays, array_distinct, translate, nullif, coalesce, LIKE,
// regexp_extract, regexp_extract_all, and the comparison of texts by code points.
type difference struct {
	trino, duckdb string // as they stand in a statement; empty: a macro bridges it
	macro         string
	why           string
}

var differences = []difference{
	{why: "regexp_like has another name", macro: `regexp_like(s, p) AS regexp_matches(s, p)`},
	{why: "transform has another name, and a macro cannot take a lambda", trino: "transform(", duckdb: "list_transform("},
	{why: "cardinality is for maps only", trino: "cardinality(", duckdb: "len("},
	{why: "element_at of a map returns a list", trino: "element_at(", duckdb: "map_extract_value("},
	{
		why:   "json_extract fails on what is no JSON, where Trino's returns NULL; macros do not overrule functions",
		trino: "json_extract(", duckdb: "trino_json_extract(",
		macro: `trino_json_extract(j, p) AS CASE WHEN json_valid(j) THEN json_extract(j, p) END`,
	},
	{
		why:   "json_extract_scalar has another name, fails on what is no JSON, and returns objects as text where Trino's returns NULL",
		macro: `json_extract_scalar(j, p) AS CASE WHEN json_valid(j) AND json_type(j, p) NOT IN ('OBJECT', 'ARRAY', 'NULL') THEN json_extract_string(j, p) END`,
	},
	{why: "JSON becomes text by a cast", macro: `json_format(j) AS CAST(j AS VARCHAR)`},
	{
		why:   "date_format has another name and other letters for minutes and seconds",
		macro: `date_format(t, f) AS strftime(t, replace(replace(f, '%i', '%M'), '%s', '%S'))`,
	},
	// These need no bridge, since the statements take both: where nothing matches
	// regexp_extract returns an empty text instead of NULL; array_position returns NULL
	// instead of 0 for what is not there; a subscript beyond the end is NULL where
	// Trino's fails; array_distinct keeps no order; and $ is the very end of a text, as
	// \z is in both.
}

// duckdb is a statement in DuckDB's dialect.
func duckdb(statement string) string {
	var pairs []string
	for _, d := range differences {
		if d.trino != "" {
			pairs = append(pairs, d.trino, d.duckdb)
		}
	}
	return strings.NewReplacer(pairs...).Replace(statement)
}

// open opens a database in memory that knows the macros.
func open(ctx context.Context) (*sql.DB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	for _, d := range differences {
		if d.macro == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, "CREATE MACRO "+d.macro); err != nil {
			_ = db.Close()
			return nil, fmt.Errorf("%s: %w", d.why, err)
		}
	}
	return db, nil
}

// querier runs statements on DuckDB and answers as Athena does: first that it is
// still at it, then in pages, the first of which begins with the names of the
// columns.
type querier struct {
	db    *sql.DB
	names func(statement string) string // of tables; nil: they are as in the statement
	page  int

	mu      sync.Mutex
	answers map[string]*answer
	ran     []string
}

type answer struct {
	asked bool
	rows  [][]*string
}

func (q *querier) Start(ctx context.Context, statement string) (string, error) {
	if q.names != nil {
		statement = q.names(statement)
	}
	rows, err := q.db.QueryContext(ctx, duckdb(statement))
	if err != nil {
		return "", err
	}
	defer rows.Close() //nolint:errcheck // read to its end, or failed
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	a := &answer{}
	header := make([]*string, len(columns))
	for i := range columns {
		header[i] = &columns[i]
	}
	a.rows = append(a.rows, header)
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		cells := make([]*string, len(columns))
		for i, v := range values {
			if v != nil {
				text := fmt.Sprint(v)
				cells[i] = &text
			}
		}
		a.rows = append(a.rows, cells)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.answers == nil {
		q.answers = map[string]*answer{}
	}
	id := fmt.Sprint(len(q.answers) + 1)
	q.answers[id] = a
	q.ran = append(q.ran, statement)
	return id, nil
}

func (q *querier) Status(_ context.Context, id string) (cloudtrail.QueryStatus, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if a := q.answers[id]; !a.asked {
		a.asked = true
		return cloudtrail.QueryStatus{State: cloudtrail.QueryRunning}, nil
	}
	return cloudtrail.QueryStatus{State: cloudtrail.QuerySucceeded}, nil
}

func (q *querier) Rows(_ context.Context, id, token string, _ []string) (rows [][]*string, next string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from := 0
	if token != "" {
		if _, err := fmt.Sscan(token, &from); err != nil {
			return nil, "", err
		}
	}
	all := q.answers[id].rows
	to := min(from+q.page, len(all))
	if to < len(all) {
		next = fmt.Sprint(to)
	}
	return all[from:to], next, nil
}
