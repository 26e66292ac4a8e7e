package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// report tells what was answered: everything, or not.
func report(h *cloudtrail.QueryHistory, everything bool) string {
	var out strings.Builder
	line := func(format string, args ...any) { out.WriteString(plain(fmt.Sprintf(format, args...)) + "\n") }
	call := func(what, by string, e *usage.Event) {
		line("  %-10s %s %s %s: %s", what, e.At.Format(time.RFC3339), by, e.Principal, strings.TrimSuffix(e.Operation+", "+e.ErrorCode, ", "))
	}
	keys := 0
	for arn, r := range h.Keys() {
		keys++
		line("%s", arn)
		if r.First != nil {
			call("first used", "by", r.First)
			call("last used", "by", r.Last)
		}
		if r.Off != nil {
			call("off since", "by", r.Off)
		}
		for _, e := range r.Refusals {
			call("refused", "to", &e)
		}
		if n := r.Dropped.Refusals; n > 0 {
			line("  %-10s %d more", "refused", n)
		}
	}
	if keys == 0 && everything {
		line("No key was found.")
	}
	for _, c := range h.Coverage() {
		blind := "without blind spots"
		if len(c.BlindSpots) > 0 {
			blind = "blind spots: " + strings.Join(c.BlindSpots, "; ")
		} else if c.BlindSpots == nil {
			blind = "blind spots not known"
		}
		line("seen: account %s in %s from %s to %s, %s", c.Account, c.Region, c.From.Format(time.RFC3339), c.To.Format(time.RFC3339), blind)
	}
	for _, g := range h.Gaps() {
		line("gap: %s", g)
	}
	return out.String()
}

// plain makes text of others safe to print in one line of a terminal: whoever can
// call KMS can write into its log. What is not ASCII becomes an escape.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= ' ' && r < 0x7f {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
