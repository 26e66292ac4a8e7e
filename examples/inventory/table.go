package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kmsusage/usage"
)

// group is what a key's owner can do about it; what to look at first comes first.
type group int

const (
	ready      group = iota // retirable
	toClear                 // a probe or the owner's word clears what holds it
	unread                  // only what was not read holds it
	held                    // something else blocks, or it is too new
	inUse                   // used within the window
	awsManaged              // nobody but AWS can retire it
)

var groups = []struct {
	title string
	first int // how many rows are shown without -all
}{
	ready:      {"can be retired: disable first, watch, then schedule the deletion", 15},
	toClear:    {"can be retired once the owner, or a complete probe, clears what stands here", 10},
	unread:     {"cannot be judged: something was not read", 5},
	held:       {"cannot be retired now", 5},
	inUse:      {"in use, the longest silence first", 3},
	awsManaged: {"managed by AWS: nobody else can retire them", 0},
}

func groupOf(a usage.Assessment) group {
	switch class := a.Verdict.Class; {
	case a.Retirable():
		return ready
	case a.Finding.AWSManaged():
		return awsManaged
	case class == usage.Unknown:
		return unread
	case class == usage.Active:
		return inUse
	}
	out := toClear
	for _, h := range a.Holds {
		if h.Kind != usage.Block {
			continue
		}
		switch h.Code {
		case usage.NotRead, usage.MemberUnseen, usage.UsageUnknown, usage.LoneMember, usage.SetUnclear, usage.Twice:
			out = unread
		default:
			return held
		}
	}
	if len(holding(a)) == 0 {
		return unread
	}
	return out
}

// holding are the holds that are more than advice.
func holding(a usage.Assessment) []usage.Hold {
	return slices.DeleteFunc(slices.Clone(a.Holds), func(h usage.Hold) bool { return h.Kind == usage.Advice })
}

// firstClasses is the order of classes within a group: from the best proof that
// nothing needs the key to the worst.
var firstClasses = []usage.Class{usage.Unused, usage.Idle, usage.Unrecorded, usage.New, usage.Active, usage.Unknown}

// inOrder sorts by group, class, and then the longest silence first.
func inOrder(a, b usage.Assessment) int {
	return cmp.Or(
		cmp.Compare(groupOf(a), groupOf(b)),
		cmp.Compare(slices.Index(firstClasses, a.Verdict.Class), slices.Index(firstClasses, b.Verdict.Class)),
		cmp.Compare(b.Verdict.TrailingDays, a.Verdict.TrailingDays),
		cmp.Compare(a.Finding.ARN, b.Finding.ARN),
	)
}

// table lays out assessments. Columns that would say the same in every row are
// left out: they stand in the line above the table.
type table struct {
	width             int
	all               bool
	accounts, regions bool
	digits            int // of an account, the last ones
	key, account      int // width of columns
	region, why       int
}

func newTable(as []usage.Assessment, width int, all bool) table {
	t := table{width: width, all: all}
	accounts, regions := places(as)
	t.accounts, t.regions = len(accounts) > 1, len(regions) > 1
	t.digits = 4
	if width >= 120 {
		t.digits = 12
	}
	t.account = max(5, t.digits)
	t.key, t.region = len("KEY"), len("REGION")
	for _, a := range as {
		name, _ := label(a.Finding)
		t.key = max(t.key, cells(name))
		t.region = max(t.region, cells(plain(a.Finding.Region())))
	}
	rest := width - len("  Unrecorded") - len("  DAYS") - len("  ")
	if t.regions {
		rest -= t.region + 2
	}
	if t.accounts {
		rest -= t.account + 2
	}
	t.key = min(t.key, max(10, rest*9/20))
	t.why = max(8, rest-t.key)
	return t
}

func (t table) print(out *strings.Builder, as []usage.Assessment) {
	t.row(out, "KEY", "ACCT", "REGION", "CLASS", "DAYS", "HELD BY")
	for len(as) > 0 {
		g := groupOf(as[0])
		n := slices.IndexFunc(as, func(a usage.Assessment) bool { return groupOf(a) != g })
		if n < 0 {
			n = len(as)
		}
		t.group(out, g, as[:n])
		as = as[n:]
	}
}

func (t table) group(out *strings.Builder, g group, as []usage.Assessment) {
	shown := as
	if n := groups[g].first; !t.all && n == 0 {
		return // the summary counts them
	} else if !t.all && len(as) > n+1 { // a limit that hides one key is not worth its line
		shown = as[:n]
	}
	fmt.Fprintf(out, "\n%s\n", fit(count(len(as), "key")+" "+groups[g].title, t.width))
	for _, a := range shown {
		f := a.Finding
		days := "-"
		if a.Verdict.Class != usage.Unknown {
			days = strconv.Itoa(a.Verdict.TrailingDays)
		}
		t.row(out, t.name(f), t.shortAccount(f.Account()), plain(f.Region()), a.Verdict.Class.String(), days, t.heldBy(a))
	}
	if more := len(as) - len(shown); more > 0 {
		fmt.Fprintf(out, "… %d more, use -all\n", more)
	}
}

func (t table) row(out *strings.Builder, key, account, region, class, days, why string) {
	var b strings.Builder
	b.WriteString(pad(key, t.key))
	if t.accounts {
		b.WriteString("  " + pad(account, t.account))
	}
	if t.regions {
		b.WriteString("  " + pad(region, t.region))
	}
	fmt.Fprintf(&b, "  %-10s  %4s  %s", class, days, fit(why, t.why))
	out.WriteString(strings.TrimRight(b.String(), " ") + "\n")
}

// heldBy tells the firmest hold and how many more there are; of a retirable key,
// what should be known before, or else what shows that it is quiet.
func (t table) heldBy(a usage.Assessment) string {
	if groupOf(a) == awsManaged {
		return "AWS"
	}
	holds := holding(a)
	if len(holds) > 0 {
		more := ""
		if n := len(holds) - 1; n > 0 {
			more = fmt.Sprintf(" (+%d)", n)
		}
		return fit(inBrief(holds[0], a), t.why-len(more)) + more
	}
	for _, h := range a.Holds {
		switch h.Code {
		case usage.PolicyDelegate, usage.AliasPoints: // nearly every key's
		default:
			return "nothing, but " + inBrief(h, a)
		}
	}
	return "nothing; " + silence(a)
}

// name is the label as far as there is room. Aliases differ at both ends.
func (t table) name(f usage.Finding) string {
	name, alias := label(f)
	if alias {
		return middle(name, t.key)
	}
	return fit(name, t.key)
}

// label names a key as its owner would: by its first alias, else by the beginning
// of its ID and its description.
func label(f usage.Finding) (name string, alias bool) {
	if n := len(f.Aliases); n > 0 {
		name = plain(strings.TrimPrefix(f.Aliases[0], "alias/"))
		if n > 1 {
			name += fmt.Sprintf(" (+%d)", n-1)
		}
		return name, true
	}
	id := f.KeyID()
	digits := 8
	if strings.HasPrefix(id, "mrk-") {
		digits += len("mrk-")
	}
	name = plain(id[:min(digits, len(id))])
	if f.Metadata != nil && f.Metadata.Description != "" {
		name += " " + plain(f.Metadata.Description)
	}
	return name, false
}

func (t table) shortAccount(id string) string {
	if len(id) <= t.digits {
		return id
	}
	return "…" + id[len(id)-t.digits:]
}
