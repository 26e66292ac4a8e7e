package sqltest

import (
	"slices"
	"strings"
	"testing"

	"github.com/kmsusage/usage/cloudtrail"
)

// FuzzWhateverIsAskedForIsNothingButAText lets a real parser read statements with
// whatever key, account, Region and table are asked for: they are refused, or the
// statement has the columns that it should have, and no row.
func FuzzWhateverIsAskedForIsNothingButAText(f *testing.F) {
	for _, s := range []string{
		"a", "a'b", "a') OR (1 = 1", "a' UNION ALL SELECT 1 --", "a''b", `a\'b`, `a"b`, "a/*", "a;b", "a$b$", "a%_b", "1' || '2", "\x00", "é",
	} {
		f.Add(s)
	}
	db, err := open(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := db.Close(); err != nil {
			f.Error(err)
		}
	})
	create, err := table.Create(cloudtrail.AthenaLocation{Folder: bucket + "AWSLogs", Accounts: []string{account}, Regions: []string{region}})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := db.ExecContext(f.Context(), "CREATE SCHEMA "+database); err != nil {
		f.Fatal(err)
	}
	// One event, of another key than can be asked for.
	fsys := testArchiveOf(f, event{op: "Decrypt", id: "1", at: "2026-03-01T12:00:00Z", members: members{"resources": on(key)}}.record())
	if err := loadAthena(f.Context(), db, create, database+`."`+table.Name+`"`, f.TempDir(), fsys); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if named := (cloudtrail.AthenaTable{Name: s, Database: s, Account: s}); strings.ContainsAny(s, "'\"; ") {
			if _, err := named.Statements(); err == nil {
				t.Errorf("a table is called %q", s)
			}
		}
		statements, err := table.Statements(quick, func(o *cloudtrail.QueryOptions) {
			o.Keys = []string{"arn:aws:kms:us-west-2:111122223333:key/" + s}
		})
		if err != nil {
			return
		}
		rows, err := db.QueryContext(t.Context(), duckdb(statements.Use))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		defer rows.Close() //nolint:errcheck // read to its end
		columns, err := rows.Columns()
		if err != nil || len(columns) != 27 || !slices.Contains(columns, "last_11") {
			t.Errorf("%q: columns %v, %v", s, columns, err)
		}
		if rows.Next() {
			t.Errorf("%q: an event of another key was found", s)
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	})
}
