package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// report is the table, what it is of, and what to make of it.
func report(as []usage.Assessment, a args, failed, width int) string {
	if len(as) == 0 {
		return "No keys were read.\n"
	}
	as = slices.SortedFunc(slices.Values(as), inOrder)
	var b strings.Builder
	b.WriteString(wrap(scope(as, a.policy), width) + "\n\n")
	newTable(as, width, a.all).print(&b, as)
	b.WriteString("\n")
	printClasses(&b, as, width)
	b.WriteString("\n")
	for _, s := range closing(as, failed, a.events) {
		b.WriteString(wrap(s, width) + "\n")
	}
	return b.String()
}

// scope says what was read, and how it is judged.
func scope(as []usage.Assessment, p usage.Policy) string {
	accounts, regions := places(as)
	var at time.Time
	for _, a := range as {
		if lu := a.Finding.LastUsage; lu != nil && lu.ReadAt.After(at) {
			at = lu.ReadAt
		}
	}
	s := fmt.Sprintf("%s in %s (%s), %s (%s)", count(len(as), "key"),
		count(len(accounts), "account"), plain(strings.Join(accounts, ", ")),
		count(len(regions), "Region"), plain(strings.Join(regions, ", ")))
	if !at.IsZero() {
		s += ", as of " + date(at)
	}
	return s + fmt.Sprintf("; window %s.", count(int(p.Window/day), "day"))
}

func places(as []usage.Assessment) (accounts, regions []string) {
	a, r := map[string]bool{}, map[string]bool{}
	for _, x := range as {
		a[x.Finding.Account()], r[x.Finding.Region()] = true, true
	}
	return slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(r))
}

// meanings says in a few words what each class is.
var meanings = map[usage.Class]string{
	usage.Unused:     "never used since it was created",
	usage.Idle:       "not used within the window",
	usage.Unrecorded: "no use since KMS began to track; before that, nobody knows",
	usage.New:        "never used, but younger than the window",
	usage.Active:     "used within the window",
	usage.Unknown:    "could not be judged",
}

// printClasses counts keys by class and by what can be done about them.
func printClasses(b *strings.Builder, as []usage.Assessment, width int) {
	type tally struct{ keys, retirable, clearable int }
	byClass := map[usage.Class]*tally{}
	var sum, aws tally
	for _, a := range as {
		t := byClass[a.Verdict.Class]
		if t == nil {
			t = &tally{}
			byClass[a.Verdict.Class] = t
		}
		g := groupOf(a)
		if g == awsManaged {
			t = &aws
		}
		for _, t := range []*tally{t, &sum} {
			t.keys++
			switch g {
			case ready:
				t.retirable++
			case toClear:
				t.clearable++
			default:
			}
		}
	}
	line := func(class string, t tally, what string) {
		s := fmt.Sprintf("%-11s  %5d  %9d  %8d  %s", class, t.keys, t.retirable, t.clearable, what)
		b.WriteString(fit(strings.TrimRight(s, " "), width) + "\n")
	}
	fmt.Fprintf(b, "%-11s  %5s  %9s  %8s\n", "CLASS", "KEYS", "RETIRABLE", "TO CLEAR")
	for _, c := range firstClasses {
		if t := byClass[c]; t != nil && t.keys > 0 {
			line(c.String(), *t, meanings[c])
		}
	}
	if aws.keys > 0 {
		line("AWS managed", aws, "free, and not to be retired by anybody")
	}
	line("all", sum, "")
}

// calls are what is asked of AWS behind the sources that are gaps as such.
var calls = map[string]string{
	"History:" + cloudtrail.EventHistorySource: lookupEvents,
	"History:" + cloudtrail.TrailSource:        "DescribeTrails",
}

// closing is what this inspection could not see, and what to make of the rest;
// events tells whether CloudTrail was asked too.
func closing(as []usage.Assessment, failed int, events bool) []string {
	type gap struct {
		op     string
		reason usage.GapReason
	}
	gaps := map[gap]int{}
	unseen := map[string]int{} // members of sets by Region
	for _, a := range as {
		for _, g := range a.Finding.Gaps {
			gaps[gap{cmp.Or(calls[g.Op], g.Op), g.Reason}]++
		}
	}
	for _, s := range usage.Sets(findingsOf(as)) {
		for _, arn := range s.Unseen {
			unseen[usage.Finding{ARN: arn}.Region()]++
		}
	}
	var missing []string
	order := slices.SortedFunc(maps.Keys(gaps), func(a, b gap) int {
		return cmp.Or(cmp.Compare(a.reason, b.reason), cmp.Compare(gaps[b], gaps[a]), cmp.Compare(a.op, b.op))
	})
	for i, g := range order {
		what := fmt.Sprintf("%s of %s", plain(g.op), count(gaps[g], "key"))
		if i == 0 || g.reason != order[i-1].reason {
			missing = append(missing, plain(string(g.reason))+" "+what)
		} else {
			missing[len(missing)-1] += ", " + what
		}
	}
	for _, region := range slices.Sorted(maps.Keys(unseen)) {
		missing = append(missing, count(unseen[region], "member")+" in "+plain(region)+" of multi-Region sets, which holds the sets")
	}
	if failed > 0 {
		missing = append(missing, "keys of "+count(failed, "Region")+" that could not be read to the end (see the errors)")
	}
	notSeen := "Everything that was asked for was read."
	if len(missing) > 0 {
		notSeen = "Not seen: " + strings.Join(missing, "; ") + "."
	}
	unasked := "CloudTrail"
	if events {
		unasked = "CloudTrail beyond 90 days, refusals that it does not record"
	}
	return []string{
		notSeen,
		"Out of sight: " + unasked + ", IAM policies, other accounts and Regions, public keys used outside KMS, and use from before KMS tracked it.",
		"TO CLEAR: held only by what the owner's word clears, or a complete probe, a search of everything that could use the key.",
		"A (+1) counts further holds, or aliases; -json has them all, and what clears each hold.",
		"Retirable is no proof. Disable a key first, and watch CloudTrail for DisabledException before its deletion is scheduled.",
	}
}

func findingsOf(as []usage.Assessment) []usage.Finding {
	fs := make([]usage.Finding, len(as))
	for i, a := range as {
		fs[i] = a.Finding
	}
	return fs
}
