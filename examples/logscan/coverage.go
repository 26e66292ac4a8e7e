package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kmsusage/usage/cloudtrail"
)

// printCoverage prints where "none seen" means something.
func printCoverage(b *strings.Builder, logs *cloudtrail.LogHistory, all bool) {
	days := logs.Days()
	if len(days) == 0 {
		b.WriteString("\nNo file lies where CloudTrail delivers it: that a use is not seen here proves nothing.\n")
		return
	}
	// What several trails delivered is told apart by its folder.
	several := slices.ContainsFunc(days, func(d cloudtrail.Days) bool { return d.Tree != days[0].Tree })
	head := []string{"ACCOUNT", "REGION", "DAYS", "FROM", "TO", "MISSING DAYS"}
	if several {
		head = append(head, "FOLDER")
	}
	t := newTable(all, head...)
	for _, d := range days {
		n, missing := 0, 0
		for _, r := range d.Seen {
			n += r.Count()
		}
		for _, r := range d.Missing {
			missing += r.Count()
		}
		from, to := "-", "-"
		if n > 0 {
			from, to = d.Seen[0].From.Format("2006-01-02"), d.Seen[len(d.Seen)-1].To.AddDate(0, 0, -1).Format("2006-01-02")
		}
		row := []string{d.Account, d.Region, strconv.Itoa(n), from, to, strconv.Itoa(missing)}
		if several {
			row = append(row, plain(d.Tree))
		}
		t.row(row...)
	}
	t.print(b)

	blind := 0
	for _, c := range logs.Coverage() {
		if len(c.BlindSpots) == 0 {
			continue
		}
		if blind++; blind > few && !all {
			continue
		}
		fmt.Fprintf(b, "blind spot: %s %s, %s to %s: %s\n", c.Account, c.Region, c.From.Format("2006-01-02 15:04"), c.To.Format("2006-01-02 15:04"),
			plain(strings.Join(c.BlindSpots, "; ")))
	}
	if blind > few && !all {
		fmt.Fprintf(b, "… %d more, use -all\n", blind-few)
	}
}

// printGaps prints what could not be read and returns how much that was.
func printGaps(b *strings.Builder, logs *cloudtrail.LogHistory, all bool) int {
	gaps := logs.Gaps()
	total := len(gaps) + logs.Stats().GapsDropped
	if total == 0 {
		return 0
	}
	fmt.Fprintf(b, "\nNot read, or not to the end:\n")
	for i, g := range gaps {
		if i == few && !all {
			break
		}
		b.WriteString("  " + plain(g.String()) + "\n")
	}
	if more := total - len(gaps); all && more > 0 {
		fmt.Fprintf(b, "… %d more\n", more)
	} else if more := total - few; !all && more > 0 {
		fmt.Fprintf(b, "… %d more, use -all\n", more)
	}
	return total
}
