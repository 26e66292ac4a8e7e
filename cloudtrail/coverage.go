package cloudtrail

import (
	"cmp"
	"fmt"
	"slices"
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

// Days are the days of one account and Region, UTC.
type Days struct {
	Account string `json:"account"`
	Region  string `json:"region"`
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

// dayNote is what is known of a day of an area.
type dayNote struct {
	files       int
	first, last time.Time // stamps of its files; zero: unknown
	kmsReads    int
	unnamed     int
	gaps        int
	firstGap    string
}

// ledger is where and when the archive was seen.
type ledger struct {
	o             ScanOptions
	areas         map[area]map[time.Time]*dayNote // by midnight
	organizations map[area]bool                   // delivered by the trail of an organization
	wide          []Gap                           // gaps of more than a day of an area
	everywhere    []string                        // blind spots of all
}

func newLedger(o ScanOptions) *ledger {
	return &ledger{o: o, areas: map[area]map[time.Time]*dayNote{}, organizations: map[area]bool{}}
}

func (l *ledger) note(a area, day time.Time) *dayNote {
	days := l.areas[a]
	if days == nil {
		days = map[time.Time]*dayNote{}
		l.areas[a] = days
	}
	n := days[day]
	if n == nil {
		n = &dayNote{}
		days[day] = n
	}
	return n
}

// file enters what was read of a file, if its path tells what it is of.
func (l *ledger) file(f logFile, r *fileResult) {
	day := f.date()
	if f.account == "" || f.region == "" || day.IsZero() {
		return
	}
	a := area{f.account, f.region}
	l.organizations[a] = l.organizations[a] || f.organization
	n := l.note(a, day)
	if r.stats.Records > 0 || len(r.gaps) == 0 {
		n.files++
		if !f.stamp.IsZero() {
			if n.first.IsZero() || f.stamp.Before(n.first) {
				n.first = f.stamp
			}
			if f.stamp.After(n.last) {
				n.last = f.stamp
			}
		}
	}
	n.kmsReads += r.kmsReads
	notes := []*dayNote{n}
	if !f.stamp.IsZero() && f.stamp.Sub(day) < time.Hour && (r.unnamed > 0 || len(r.gaps) > 0) {
		// The first files of a day hold the last events of the day before.
		notes = append(notes, l.note(a, day.Add(-oneDay)))
	}
	for _, n := range notes {
		n.unnamed += r.unnamed
		for _, g := range r.gaps {
			l.blind(n, g)
		}
	}
}

func (l *ledger) blind(n *dayNote, g Gap) {
	text := g.Path + ": " + string(g.Reason)
	if n.gaps == 0 || text < n.firstGap {
		n.firstGap = text
	}
	n.gaps++
}

// folder enters a folder that could not be listed.
func (l *ledger) folder(g Gap) {
	if g.Account != "" && g.Region != "" && !g.Day.IsZero() {
		l.blind(l.note(area{g.Account, g.Region}, g.Day), g)
		return
	}
	l.wide = append(l.wide, g)
}

// sorted returns the areas in order.
func (l *ledger) sorted() []area {
	as := make([]area, 0, len(l.areas))
	for a := range l.areas {
		as = append(as, a)
	}
	slices.SortFunc(as, func(a, b area) int { return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region)) })
	return as
}

// seen returns the days of an area that have files, in order.
func (l *ledger) seen(a area) []time.Time {
	var days []time.Time
	for d, n := range l.areas[a] {
		if n.files > 0 {
			days = append(days, d)
		}
	}
	slices.SortFunc(days, time.Time.Compare)
	return days
}

// days tells the days seen and missing of every area.
func (l *ledger) days() []Days {
	var all []Days
	for _, a := range l.sorted() {
		seen := l.seen(a)
		d := Days{Account: a.account, Region: a.region, Seen: ranges(seen)}
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

// coverage tells where "none seen" holds, and what may be missing all the same.
func (l *ledger) coverage(changes []TrailChange) []usage.Coverage {
	var all []usage.Coverage
	for _, a := range l.sorted() {
		days := l.seen(a)
		quiet := l.quiet(a, days)
		changed := firstChange(changes, a.account, l.organizations[a])
		var stretches []usage.Coverage
		for _, r := range ranges(days) {
			for d := r.From; d.Before(r.To); d = d.Add(oneDay) {
				c := usage.Coverage{Account: a.account, Region: a.region, From: d, To: d.Add(oneDay)}
				n := l.areas[a][d]
				// Before and behind days without files nobody knows when files began
				// and ceased to come, unless their names tell.
				if d.Equal(r.From) {
					if c.From = c.To; !n.first.IsZero() {
						c.From = n.first
					}
				}
				if end := r.To.Add(-oneDay); d.Equal(end) {
					if c.To = c.From; !n.last.IsZero() {
						c.To = n.last.Add(-deliveryLag)
					}
				}
				c.From = later(c.From, l.o.From)
				if !l.o.To.IsZero() && l.o.To.Before(c.To) {
					c.To = l.o.To
				}
				c.BlindSpots = l.blindSpots(a, d, n, quiet[d])
				stretches = appendStretch(stretches, c, changed)
			}
		}
		all = append(all, stretches...)
	}
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

// blindSpots of one day of an area; empty, and not nil, if there are none.
func (l *ledger) blindSpots(a area, day time.Time, n *dayNote, quiet string) []string {
	spots := []string{}
	if n.gaps > 0 {
		text := n.firstGap
		if n.gaps > 1 {
			text += fmt.Sprintf(" (and %d more)", n.gaps-1)
		}
		spots = append(spots, text)
	}
	if n.unnamed > 0 {
		spots = append(spots, fmt.Sprintf("%d uses or refusals name no key", n.unnamed))
	}
	for _, g := range l.wide {
		if (g.Account == "" || g.Account == a.account) && (g.Region == "" || g.Region == a.region) && (g.Day.IsZero() || g.Day.Equal(day)) {
			spots = append(spots, g.Path+": "+string(g.Reason))
		}
	}
	if quiet != "" {
		spots = append(spots, quiet)
	}
	return spots
}

// quiet finds the days that lie in a silence of KMS that is too long to be
// believed.
func (l *ledger) quiet(a area, days []time.Time) map[time.Time]string {
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
		if l.areas[a][d].kmsReads > 0 {
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
