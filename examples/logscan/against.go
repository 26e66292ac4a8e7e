package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// readInventory reads what inventory -json printed: one assessment a line. It is
// nil without a name.
func readInventory(name string) ([]usage.Assessment, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	d := json.NewDecoder(f)
	all := []usage.Assessment{}
	for {
		var a usage.Assessment
		err := d.Decode(&a)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("%s, object %d: %w", name, len(all)+1, err)
		case a.Finding.ARN == "":
			return nil, fmt.Errorf("%s, object %d: no assessment with a finding that has an ARN; want what inventory -json prints", name, len(all)+1)
		}
		all = append(all, a)
	}
}

// joined is a key before and after the logs were asked.
type joined struct {
	before, after usage.Assessment
	rec           usage.Record
}

// printJoined judges every key of the inventory once more and prints what the logs
// change, and what they know of each key.
func printJoined(ctx context.Context, b *strings.Builder, logs *cloudtrail.LogHistory, inventory []usage.Assessment, a args) {
	rows := join(ctx, logs, inventory)
	rank := func(j joined) int {
		switch {
		case j.before.Verdict.Class != j.after.Verdict.Class || j.before.Retirable() != j.after.Retirable():
			return 0
		case len(j.rec.Refusals) > 0:
			return 1
		case j.rec.Last != nil:
			return 2
		default:
			return 3
		}
	}
	slices.SortStableFunc(rows, func(a, b joined) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.after.Finding.ARN, b.after.Finding.ARN))
	})
	t := newTable(a.all, "KEY", "REGION", "CLASS", "WITH LOGS", "RETIRABLE", "LAST USE IN LOGS", "BY", "OFF SINCE", "REFUSED")
	known := map[string]bool{}
	for _, j := range rows {
		f := j.after.Finding
		known[f.ARN] = true
		class := j.after.Verdict.Class.String()
		if j.before.Verdict.Class == j.after.Verdict.Class {
			class = "same"
		}
		t.row(label(f, a), f.Region(), j.before.Verdict.Class.String(), class, yes(j.after.Retirable()), stamp(j.rec.Last), a.fit(who(f, j.rec.Last), whoWidth), stamp(j.rec.Off), refusals(j.rec))
	}
	t.print(b)

	foreign := 0
	for arn := range logs.Keys() {
		if !known[arn] {
			foreign++
		}
	}
	if foreign > 0 {
		fmt.Fprintf(b, "Not in the inventory: %s of the logs, of other accounts or Regions, or deleted.\n", count(foreign, "key"))
	}
}

// join judges the keys with what the logs say of them, by the window that they
// were judged by.
func join(ctx context.Context, logs *cloudtrail.LogHistory, inventory []usage.Assessment) []joined {
	rows := make([]joined, 0, len(inventory))
	byWindow := map[int][]usage.Finding{}
	for _, a := range inventory {
		f := a.Finding
		rec, _ := logs.Look(ctx, f) // never fails
		f.History = append(slices.Clone(f.History), rec)
		rows = append(rows, joined{before: a, rec: rec})
		byWindow[a.Verdict.WindowDays] = append(byWindow[a.Verdict.WindowDays], f)
	}
	after := map[string]usage.Assessment{}
	for days, findings := range byWindow {
		// The verdicts say when they were made for; the logs add no silence to that.
		for _, a := range usage.Assess(findings, usage.Policy{Window: time.Duration(days) * 24 * time.Hour}) {
			after[a.Finding.ARN] = a
		}
	}
	for i := range rows {
		rows[i].after = after[rows[i].before.Finding.ARN]
	}
	return rows
}

func label(f usage.Finding, a args) string {
	if len(f.Aliases) > 0 {
		return a.fit(strings.TrimPrefix(f.Aliases[0], "alias/"), 30)
	}
	return a.fit(f.KeyID(), idWidth)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
