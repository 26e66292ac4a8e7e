package cloudtrail

import (
	"strings"
	"testing"
)

// unquoted reads the text of a literal that must be the whole of s; false if it is
// not.
func unquoted(s string, quote byte) (string, bool) {
	if len(s) < 2 || s[0] != quote {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != quote:
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			return b.String(), i == len(s)-1
		}
	}
	return "", false
}

func FuzzNothingGetsOutOfItsQuotes(f *testing.F) {
	for _, s := range []string{"", "x", "'", `"`, "''", "x' OR '1' = '1", `\'`, `"; DROP TABLE t; --`, "a\x00b", "\xff", "\u2028", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := unquoted(sqlText(s), '\''); !ok || got != s {
			t.Errorf("%q is quoted as %s", s, sqlText(s))
		}
		if got, ok := unquoted(sqlName(s), '"'); !ok || got != s {
			t.Errorf("%q is named %s", s, sqlName(s))
		}
		if checkSQLName("name", s) == nil && strings.ContainsAny(s, "'\"`;\\ .\n\x00") {
			t.Errorf("%q is taken for a name", s)
		}
		if checkSQLText("text", s) == nil && strings.ContainsAny(s, "\x00\n\r\t\x1b\x7f") {
			t.Errorf("%q is taken for a text", s)
		}
		// Whatever is asked for, it is refused or stays within its quotes.
		o, err := queryOptions([]func(*QueryOptions){func(o *QueryOptions) { o.Keys, o.Regions = []string{s}, []string{s} }})
		if err == nil && strings.ContainsAny(o.Regions[0], "'\"") {
			t.Errorf("Region %q", s)
		}
		table := AthenaTable{Name: s, Database: s, Account: s, Region: s, Day: s}
		if source, err := table.source(o); err == nil && source.from != sqlName(s)+"."+sqlName(s) {
			t.Errorf("%q is read from %s", s, source.from)
		}
		if l, err := (LakeStore{ID: s}).source(o); err == nil && strings.Trim(l.from, "0123456789abcdefABCDEF-") != "" {
			t.Errorf("%q is read from %s", s, l.from)
		}
	})
}

func TestAKeyWithAQuoteInItsARNStaysInItsQuotes(t *testing.T) {
	// Not that there were one: it is an ARN for all that this package checks.
	const odd = "arn:aws:kms:us-west-2:111122223333:key/a'b"
	s, err := AthenaTable{Name: "t"}.Statements(func(o *QueryOptions) { o.Keys = []string{odd} })
	if err != nil || !strings.Contains(s.Use, "key_arn IN ('arn:aws:kms:us-west-2:111122223333:key/a''b')") {
		t.Errorf("%v: %s", err, s.Use)
	}
}
