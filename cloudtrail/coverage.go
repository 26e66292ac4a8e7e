package cloudtrail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kmsusage/usage"
)

const oneDay = 24 * time.Hour

// deliveryLag is how long after a call its event may still be delivered: a log
// file tells of what is older than that. "CloudTrail typically delivers logs
// within an average of about 5 minutes of an API call. This time is not
// guaranteed."
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
const deliveryLag = 15 * time.Minute

// Days are the days of one account and Region in one tree of folders, UTC.
type Days struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	// Tree is the folder that holds the folder of the account, which is one trail's:
	// "prefix/AWSLogs", or "prefix/AWSLogs/o-abcde12345" of an organization's. What
	// several trails delivered is told apart by it.
	Tree string `json:"tree"`
	// Seen are the days with at least one readable log file, Missing those between
	// them without, or between the limits of the scan if it had any. On a missing
	// day files were lost, or nothing happened: the archive does not tell which.
	Seen    []DayRange `json:"seen"`
	Missing []DayRange `json:"missing,omitempty"`
}

// DayRange is a stretch of whole days.
type DayRange struct {
	From time.Time `json:"from"` // midnight UTC
	To   time.Time `json:"to"`   // midnight UTC, not included
}

// Count is how many days there are.
func (r DayRange) Count() int { return int(r.To.Sub(r.From) / oneDay) }

// area is an account in a Region.
type area struct{ account, region string }

// delivery is what one trail delivered of an area, as far as paths tell trails
// apart. What one leaves out, another does not make good, and what is missing of
// one is not missing of another.
type delivery struct {
	tree string
	area
}

// areaDay is a day of an area, in whichever tree; an empty account or Region is
// any.
type areaDay struct {
	area
	day time.Time
}

// scope is what something may belong to whose path does not tell its account,
// Region and day; what it does not tell is zero, and any.
type scope struct {
	delivery
	day time.Time
}

// holds tells whether something of the scope may be of a day of a delivery.
func (s scope) holds(d delivery, day time.Time) bool {
	return (s.account == "" || s.account == d.account) && (s.region == "" || s.region == d.region) &&
		(s.day.IsZero() || s.day.Equal(day)) &&
		(s.tree == "" || s.tree == d.tree || s.account == "" && strings.HasPrefix(d.tree, s.tree+"/"))
}

// dayNote is what is known of a day of an area.
type dayNote struct {
	files       int
	first, last time.Time // stamps of its files; zero: unknown
	kmsReads    int
	unnamed     int
	gaps        int
	firstGap    string
}

// add adds what else is missing of the day.
func (n *dayNote) add(o *dayNote) {
	if o == nil {
		return
	}
	if o.gaps > 0 && (n.gaps == 0 || o.firstGap < n.firstGap) {
		n.firstGap = o.firstGap
	}
	n.gaps += o.gaps
	n.unnamed += o.unnamed
}

// ledger is where and when the archive was seen.
type ledger struct {
	o             ScanOptions
	deliveries    map[delivery]map[time.Time]*dayNote // by midnight
	organizations map[delivery]bool                   // delivered by the trail of an organization
	before        map[delivery]bool                   // there are files of the day before From
	anyTree       map[areaDay]*dayNote                // what is missing of all trees
	wide          map[scope]*dayNote                  // what is missing of more than a day of an area
	everywhere    []string                            // blind spots of all
}

func newLedger(o ScanOptions) *ledger {
	return &ledger{
		o: o, deliveries: map[delivery]map[time.Time]*dayNote{}, organizations: map[delivery]bool{},
		anyTree: map[areaDay]*dayNote{}, wide: map[scope]*dayNote{},
	}
}

func (l *ledger) note(d delivery, day time.Time) *dayNote {
	days := l.deliveries[d]
	if days == nil {
		days = map[time.Time]*dayNote{}
		l.deliveries[d] = days
	}
	return noteOf(days, day)
}

// noteOf returns the note of a key, which it makes if there is none.
func noteOf[K comparable](notes map[K]*dayNote, k K) *dayNote {
	n := notes[k]
	if n == nil {
		n = &dayNote{}
		notes[k] = n
	}
	return n
}

// seenFile enters that there are so many files of a day, made from first to last;
// zero: nobody knows when.
func (l *ledger) seenFile(p place, files int, first, last time.Time, kmsReads int) {
	d := p.delivery()
	l.organizations[d] = l.organizations[d] || p.organization
	n := l.note(d, p.date())
	n.files += files
	n.kmsReads += kmsReads
	if !first.IsZero() && (n.first.IsZero() || first.Before(n.first)) {
		n.first = first
	}
	n.last = later(n.last, last)
}

// file enters what was read of a file.
func (l *ledger) file(f logFile, r *fileResult) {
	for u, n := range r.unnamed {
		l.unnamed(u, n)
	}
	if f.placed() {
		files, stamp := 0, time.Time{}
		if r.stats.Records > 0 || len(r.gaps) == 0 {
			files, stamp = 1, f.stamp
		}
		l.seenFile(f.place, files, stamp, stamp, r.kmsReads)
	}
	if f.known() {
		for _, g := range r.gaps {
			l.gap(f.place, g)
		}
	}
}

// maxUnnamed is for how many days of areas uses that name no key are kept apart.
const maxUnnamed = 1 << 20

// unnamed enters uses and refusals that name no key: what they were of is not known
// in any tree, whichever told of them.
func (l *ledger) unnamed(on areaDay, n int) {
	if on.day.IsZero() || l.anyTree[on] == nil && len(l.anyTree) >= maxUnnamed {
		if text := "calls do not name all their keys"; !slices.Contains(l.everywhere, text) {
			l.everywhere = append(l.everywhere, text)
		}
		return
	}
	noteOf(l.anyTree, on).unnamed += n
}

// gap enters what could not be read, and may be of what p tells.
func (l *ledger) gap(p place, g Gap) {
	days := []time.Time{p.date()}
	if day := days[0]; !day.IsZero() && (p.stamp.IsZero() || p.stamp.Sub(day) < time.Hour) {
		// The first files of a day hold the last events of the day before.
		days = append(days, day.Add(-oneDay))
	}
	for _, day := range days {
		switch {
		case !p.placed():
			noteOf(l.wide, scope{p.delivery(), day}).blind(g)
		case p.flat: // it may have been taken out of any tree
			noteOf(l.anyTree, areaDay{p.delivery().area, day}).blind(g)
		default:
			l.note(p.delivery(), day).blind(g)
		}
	}
}

func (n *dayNote) blind(g Gap) {
	text := g.Path + ": " + string(g.Reason)
	if n.gaps == 0 || text < n.firstGap {
		n.firstGap = text
	}
	n.gaps++
}

// sorted returns the deliveries in order of account and Region.
func (l *ledger) sorted() []delivery {
	return slices.SortedFunc(maps.Keys(l.deliveries), func(a, b delivery) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region), cmp.Compare(a.tree, b.tree))
	})
}

// several are the areas that more than one trail delivered.
func (l *ledger) several() map[area]bool {
	trees := map[area]bool{}
	for d := range l.deliveries {
		_, more := trees[d.area]
		trees[d.area] = more
	}
	return trees
}

// seen returns the days of a delivery that have files, in order.
func (l *ledger) seen(d delivery) []time.Time {
	var days []time.Time
	for day, n := range l.deliveries[d] {
		if n.files > 0 {
			days = append(days, day)
		}
	}
	slices.SortFunc(days, time.Time.Compare)
	return days
}

// days tells the days seen and missing of every delivery.
func (l *ledger) days() []Days {
	var all []Days
	for _, a := range l.sorted() {
		// The files of the day after To were read for late events of the last day.
		seen := slices.DeleteFunc(l.seen(a), func(d time.Time) bool {
			return !l.o.To.IsZero() && !d.Before(l.o.To) || !l.o.From.IsZero() && !d.Add(oneDay).After(l.o.From)
		})
		d := Days{Account: a.account, Region: a.region, Tree: a.tree, Seen: ranges(seen)}
		var gap time.Time // from where on days are missing
		if !l.o.From.IsZero() {
			gap = l.o.From.Truncate(oneDay)
		}
		for _, r := range d.Seen {
			if !gap.IsZero() && gap.Before(r.From) {
				d.Missing = append(d.Missing, DayRange{gap, r.From})
			}
			gap = r.To
		}
		if end := l.o.To; !end.IsZero() && !gap.IsZero() {
			if end = end.Add(oneDay - 1).Truncate(oneDay); gap.Before(end) {
				d.Missing = append(d.Missing, DayRange{gap, end})
			}
		}
		all = append(all, d)
	}
	return all
}

// ranges puts days, in order, together.
func ranges(days []time.Time) []DayRange {
	var rs []DayRange
	for _, d := range days {
		if n := len(rs); n > 0 && rs[n-1].To.Equal(d) {
			rs[n-1].To = d.Add(oneDay)
		} else {
			rs = append(rs, DayRange{d, d.Add(oneDay)})
		}
	}
	return rs
}

// coverage tells where "none seen" holds, and what may be missing all the same:
// of each delivery on its own, so that who unites what is without blind spots has
// what one of them at least saw whole. Nothing is claimed of what the clock now
// says may still be delivered.
func (l *ledger) coverage(changes []TrailChange, now time.Time) []usage.Coverage {
	var all []usage.Coverage
	for _, a := range l.sorted() {
		days := l.seen(a)
		quiet := l.quiet(a, days)
		changed := firstChange(changes, a.account, l.organizations[a])
		var stretches []usage.Coverage
		for _, r := range ranges(days) {
			// What is seen ends before the last file, which may be of just after midnight
			// and cut the day before, too.
			end := r.To.Add(-oneDay)
			last := later(end, l.deliveries[a][end].last).Add(-deliveryLag)
			for d := r.From; d.Before(r.To); d = d.Add(oneDay) {
				c := usage.Coverage{Account: a.account, Region: a.region, From: d, To: d.Add(oneDay)}
				n := l.deliveries[a][d]
				// Before and behind days without files nobody knows when files began
				// and ceased to come, unless their names tell.
				joined := l.before[a] && d.Equal(l.o.From.Truncate(oneDay))
				if d.Equal(r.From) && !joined {
					if c.From = c.To; !n.first.IsZero() {
						c.From = n.first
					}
				}
				if d.Equal(end) && n.last.IsZero() {
					c.To = c.From
				} else if last.Before(c.To) {
					c.To = last
				}
				c.From = later(c.From, l.o.From)
				for _, end := range []time.Time{l.o.To, now.UTC().Add(-deliveryLag)} {
					if !end.IsZero() && end.Before(c.To) {
						c.To = end
					}
				}
				c.BlindSpots = l.blindSpots(a, d, n, quiet[d])
				stretches = appendStretch(stretches, c, changed)
			}
		}
		all = append(all, stretches...)
	}
	slices.SortStableFunc(all, func(a, b usage.Coverage) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), a.From.Compare(b.From), a.To.Compare(b.To))
	})
	// Of a copy of the same the claim is the same.
	all = slices.CompactFunc(all, func(a, b usage.Coverage) bool {
		return a.Account == b.Account && a.Region == b.Region && a.From.Equal(b.From) && a.To.Equal(b.To) && slices.Equal(a.BlindSpots, b.BlindSpots)
	})
	return withBlindSpots(all, "", "", l.everywhere...)
}

// withBlindSpots adds what else may be missing to all that was seen of an account
// and Region; an empty one is any.
func withBlindSpots(seen []usage.Coverage, account, region string, spots ...string) []usage.Coverage {
	out := make([]usage.Coverage, len(seen))
	for i, c := range seen {
		c.BlindSpots = slices.Clone(c.BlindSpots)
		if (account == "" || account == c.Account) && (region == "" || region == c.Region) {
			for _, s := range spots {
				if !slices.Contains(c.BlindSpots, s) {
					c.BlindSpots = append(c.BlindSpots, s)
				}
			}
		}
		out[i] = c
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// blindSpots of one day of a delivery; empty, and not nil, if there are none.
func (l *ledger) blindSpots(d delivery, day time.Time, n *dayNote, quiet string) []string {
	spots := []string{}
	missing := *n
	for _, account := range []string{d.account, ""} {
		for _, region := range []string{d.region, ""} {
			missing.add(l.anyTree[areaDay{area{account, region}, day}])
		}
	}
	if missing.gaps > 0 {
		spots = append(spots, missing.text())
	}
	if missing.unnamed > 0 {
		spots = append(spots, fmt.Sprintf("%d calls do not name all their keys", missing.unnamed))
	}
	var wide []string
	for s, n := range l.wide {
		if s.holds(d, day) {
			wide = append(wide, n.text())
		}
	}
	slices.Sort(wide)
	spots = append(spots, slices.Compact(wide)...)
	if quiet != "" {
		spots = append(spots, quiet)
	}
	return spots
}

// text names the first gap and counts the others.
func (n *dayNote) text() string {
	if n.gaps > 1 {
		return n.firstGap + fmt.Sprintf(" (and %d more)", n.gaps-1)
	}
	return n.firstGap
}

// quiet finds the days that lie in a silence of KMS that is too long to be
// believed.
func (l *ledger) quiet(a delivery, days []time.Time) map[time.Time]string {
	if l.o.QuietDays < 0 {
		return nil
	}
	spots := map[time.Time]string{}
	var silent []time.Time
	flush := func() {
		if n := len(silent); n > l.o.QuietDays || n > 0 && n == len(days) {
			text := fmt.Sprintf("no KMS event that only reads for %d days: the trail may have left KMS out", n)
			for _, d := range silent {
				spots[d] = text
			}
		}
		silent = silent[:0]
	}
	for _, d := range days {
		if l.deliveries[a][d].kmsReads > 0 {
			flush()
			continue
		}
		silent = append(silent, d)
	}
	flush()
	return spots
}

// firstChange is the first change that concerns an account; nil if there is none.
func firstChange(changes []TrailChange, account string, organization bool) *TrailChange {
	for i := range changes { // in order of time
		if changes[i].concerns(account, organization) {
			return &changes[i]
		}
	}
	return nil
}

// appendStretch appends c, as one with what it continues, and divided where a
// trail was changed.
func appendStretch(cs []usage.Coverage, c usage.Coverage, changed *TrailChange) []usage.Coverage {
	if !c.From.Before(c.To) {
		return cs
	}
	if changed != nil && changed.At.Before(c.To) {
		if changed.At.After(c.From) {
			before := c
			before.To = changed.At
			cs = appendStretch(cs, before, nil)
			c.From = changed.At
		}
		c.BlindSpots = append(slices.Clone(c.BlindSpots), "after "+changed.String()+" events may be missing")
	}
	if n := len(cs); n > 0 && cs[n-1].To.Equal(c.From) && slices.Equal(cs[n-1].BlindSpots, c.BlindSpots) {
		cs[n-1].To = c.To
		return cs
	}
	return append(cs, c)
}
