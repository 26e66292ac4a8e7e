package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// few is how much is shown of everything without -all.
const few = 20

func printStats(b *strings.Builder, s cloudtrail.Stats) {
	if s.Files > 0 {
		fmt.Fprintf(b, "%s, %s, %d of KMS", count(s.Files, "file"), count(s.Records, "record"), s.KMS)
		if s.Duplicates > 0 {
			fmt.Fprintf(b, " (%d seen before)", s.Duplicates)
		}
		b.WriteString(", " + count(s.Keys, "key") + "; times are UTC\n")
	}
	var closed []string
	if s.Skipped > 0 {
		closed = append(closed, fmt.Sprintf("%d by path (another account, Region or day, or digests and the like)", s.Skipped))
	}
	if s.Ignored > 0 {
		closed = append(closed, fmt.Sprintf("%d by name (not that of a log file)", s.Ignored))
	}
	if len(closed) > 0 {
		fmt.Fprintf(b, "Files and folders not opened: %s.\n", strings.Join(closed, ", "))
	}
	if s.Forgotten > 0 {
		b.WriteString("Copies that lie far apart may have been counted twice; first and last use are right.\n")
	}
	if s.Unattributed > 0 {
		fmt.Fprintf(b, "Calls that name no key by its ARN: %d.\n", s.Unattributed)
	}
}

type row struct {
	arn string
	rec usage.Record
}

// printKeys prints what the logs say of each key: first those that somebody was
// refused, then by last use.
func printKeys(b *strings.Builder, logs *cloudtrail.LogHistory, a args) {
	var rows []row
	for arn, rec := range logs.Keys() {
		rows = append(rows, row{arn, rec})
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(min(len(b.rec.Refusals), 1), min(len(a.rec.Refusals), 1)),
			lastUse(b.rec).Compare(lastUse(a.rec)), cmp.Compare(a.arn, b.arn))
	})
	t := newTable(a.all, "KEY", "REGION", "ACCOUNT", "CALLS", "FIRST USE", "LAST USE", "BY", "OFF SINCE", "REFUSED", "SERVICES")
	for _, r := range rows {
		f := usage.Finding{ARN: r.arn}
		t.row(a.fit(f.KeyID(), idWidth), f.Region(), f.Account(), calls(r.rec), stamp(r.rec.First), stamp(r.rec.Last), a.fit(who(f, r.rec.Last), whoWidth), stamp(r.rec.Off), refusals(r.rec), a.fit(services(r.rec), 32))
	}
	t.print(b)
}

func lastUse(r usage.Record) (t time.Time) {
	if r.Last != nil {
		t = r.Last.At
	}
	return t
}

func calls(r usage.Record) string {
	if len(r.Operations) == 0 {
		return "-"
	}
	n := r.Dropped.Operations
	for _, c := range r.Operations {
		n += c
	}
	return strconv.Itoa(n)
}

func stamp(e *usage.Event) string {
	if e == nil {
		return "-"
	}
	return e.At.Format("2006-01-02 15:04")
}

// who made the call and how: the role of a session says more than the session.
// The account is left out if it is that of the key.
func who(f usage.Finding, e *usage.Event) string {
	if e == nil {
		return "-"
	}
	name := cmp.Or(e.Role, e.Principal, e.InvokedBy, "unknown")
	if _, resource, ok := strings.Cut(name, "::"); ok {
		name = strings.TrimPrefix(resource, f.Account()+":")
	}
	return plain(e.Operation + " by " + name)
}

func refusals(r usage.Record) string {
	n := len(r.Refusals) + r.Dropped.Refusals
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%d, last %s", n, stamp(&r.Refusals[0]))
}

// services, the busiest first.
func services(r usage.Record) string {
	names := slices.SortedFunc(maps.Keys(r.Services), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Services[b], r.Services[a]), cmp.Compare(a, b))
	})
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, ".amazonaws.com")
	}
	return plain(cmp.Or(strings.Join(names, ", "), "-"))
}

// How wide columns are on a terminal.
const (
	idWidth  = 18 // the beginning of a key ID
	whoWidth = 44
)

// fit cuts what is printed on a terminal to n cells. What goes into a file or to
// another program stays whole.
func (a args) fit(s string, n int) string {
	if s = plain(s); !a.terminal {
		return s
	}
	return fit(s, n)
}

// table aligns columns. Those that say the same in every row are left out, but
// said above it; those that say nothing are left out.
type table struct {
	head []string
	rows [][]string
	few  int // how many rows are shown; zero: all
}

func newTable(all bool, head ...string) *table {
	t := &table{head: head, few: few}
	if all {
		t.few = 0
	}
	return t
}

func (t *table) row(in ...string) {
	for i := range in {
		in[i] = plain(in[i])
	}
	t.rows = append(t.rows, in)
}

// same are columns that need not be repeated if every row says the same.
var same = map[string]bool{"ACCOUNT": true, "REGION": true}

// print prints the table and says how much of it is left out.
func (t *table) print(b *strings.Builder) {
	b.WriteString("\n")
	if len(t.rows) == 0 {
		return
	}
	shown := t.rows
	if t.few > 0 && len(shown) > t.few+1 { // a limit that hides one row is not worth its line
		shown = shown[:t.few]
	}
	var columns []int
	for c, name := range t.head {
		first := t.rows[0][c]
		differ := slices.ContainsFunc(t.rows, func(row []string) bool { return row[c] != first })
		switch {
		case differ || first != "-" && !same[name]:
			columns = append(columns, c)
		case first != "-":
			fmt.Fprintf(b, "%s %s\n", strings.ToLower(name), first)
		}
	}
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, shown...) {
		for c, s := range row {
			widths[c] = max(widths[c], cells(s))
		}
	}
	for _, row := range append([][]string{t.head}, shown...) {
		var line strings.Builder
		for _, c := range columns {
			line.WriteString(pad(row[c], widths[c]) + "  ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if more := len(t.rows) - len(shown); more > 0 {
		fmt.Fprintf(b, "… %d more, use -all\n", more)
	}
}
