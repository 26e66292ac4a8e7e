package usage

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Lag is how late a use may show in KMS's record: "There may be a delay of up
// to one hour between the time a cryptographic operation occurs and the time
// that usage is recorded."
// https://docs.aws.amazon.com/kms/latest/developerguide/monitoring-keys-determining-usage.html
const Lag = time.Hour

const day = 24 * time.Hour

// Policy is what to judge by. It is plain data; the zero value is valid.
type Policy struct {
	// Window is how long a key may be silent and still count as in use; whole
	// days count. Zero: 90 days, as in AWS's example of the guardrail. At least
	// one day, at most 100 years.
	Window time.Duration `json:"window,omitempty"`
	// AsOf is the time to judge at. Zero: when each finding was read. A later
	// time adds no silence: nothing is known from after the reading.
	AsOf time.Time `json:"asOf,omitzero"`
}

const (
	defaultWindow = 90 * day
	maxWindow     = 36525 * day
)

// Validate says what is wrong with a policy; it wraps [ErrInvalidOption].
// Verdicts under such a policy are Unknown.
func (p Policy) Validate() error {
	if p.Window != 0 && (p.Window < day || p.Window > maxWindow) {
		return invalid("Window is %v; want 0 for 90 days, or 24h to 100 years", p.Window)
	}
	return nil
}

// days is the window in whole days.
func (p Policy) days() int {
	if p.Window == 0 {
		return int(defaultWindow / day)
	}
	return int(p.Window / day)
}

// Class is what the evidence of use says about a key. The zero value is Unknown.
type Class int

// The classes. Only Idle, Unused and Unrecorded keys can be retired, and only
// where nothing holds them: see [Assessment.Retirable].
const (
	// Unknown: the last use could not be read, or the evidence contradicts itself.
	Unknown Class = iota
	// Active: used within the window.
	Active
	// Idle: last used longer ago than the window. There may be data under it.
	Idle
	// Unused: never used, of which there is proof. Nothing was ever encrypted
	// under it if it is symmetric and single-Region; of others it proves less.
	Unused
	// New: never used, and younger than the window.
	New
	// Unrecorded: older than the tracking of use, nothing recorded since. Its last
	// use, if it had one, is no later than TrackingStart.
	Unrecorded
)

var classNames = [...]string{"Unknown", "Active", "Idle", "Unused", "New", "Unrecorded"}

// Classes returns all classes in order.
func Classes() []Class { return []Class{Unknown, Active, Idle, Unused, New, Unrecorded} }

// String returns the class's name; "Unknown" for a value that is none.
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return classNames[Unknown]
	}
	return classNames[c]
}

// MarshalText writes the name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a name. One that it does not know reads as Unknown, which
// holds the key: it is no error.
func (c *Class) UnmarshalText(b []byte) error {
	*c = Unknown
	for i, n := range classNames {
		if n == string(b) {
			*c = Class(i)
		}
	}
	return nil
}

// Verdict is what the evidence says about the use of a key, and why. It does
// not say whether the key may be retired: see [Holds] and [Assess].
type Verdict struct {
	Class Class `json:"class"`
	// TrailingDays are whole days without use that are proven, counted from Since
	// up to Until. Zero if the class is Unknown.
	TrailingDays int   `json:"trailingDays"`
	Since        Basis `json:"since,omitempty"`
	// Until is up to when silence counts, UTC: the policy's AsOf, but no later
	// than an hour before the reading. Zero if the class is Unknown.
	Until time.Time `json:"until,omitzero"`
	// WindowDays is the policy's window in whole days.
	WindowDays int `json:"windowDays"`
	// LastUse is the latest use known from KMS or from events. Nil: none known.
	LastUse *Use `json:"lastUse,omitempty"`
	// Reasons say why, the decisive one first.
	Reasons []Reason `json:"reasons"`
	// Changes say what would lead to another class.
	Changes []Change `json:"changes,omitempty"`
}

// windowStart is since when a key in the verdict's window was used.
func (v Verdict) windowStart() time.Time {
	return v.Until.Add(-time.Duration(v.WindowDays) * day)
}

// Basis is what trailing days are counted from.
type Basis string

// The three bases of KMS's own count, see [TrailingDays].
const (
	SinceLastUse       Basis = "last-use"
	SinceCreation      Basis = "creation"
	SinceTrackingStart Basis = "tracking-start"
)

// TrailingDays counts the days without use as KMS does for the condition key
// kms:TrailingDaysWithoutKeyUsage, floored to whole days: since the last use;
// else, for a key created on or after tracking began, since its creation; else
// since tracking began. Days before the basis are zero, and where a date is
// missing there is no count: zero and no basis.
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-trailing-days-without-key-usage
func TrailingDays(u LastUsage, at time.Time) (int, Basis) {
	switch {
	case u.Use != nil && !u.Use.At.IsZero():
		return wholeDays(u.Use.At, at), SinceLastUse
	case u.Use != nil || u.Created.IsZero() || u.TrackingStart.IsZero():
		return 0, ""
	case !u.Created.Before(u.TrackingStart):
		return wholeDays(u.Created, at), SinceCreation
	default:
		return wholeDays(u.TrackingStart, at), SinceTrackingStart
	}
}

func wholeDays(from, to time.Time) int { return max(0, int(to.Sub(from)/day)) }

// Classify judges the evidence of one key's use. It is a pure function: no
// clock, no context, no requests.
func Classify(f Finding, p Policy) Verdict {
	e := evidence{f: f, p: p}
	v := e.judge()
	v.WindowDays = p.days()
	return v
}

// evidence is one finding under one policy.
type evidence struct {
	f Finding
	p Policy
}

func (e evidence) judge() Verdict {
	if err := e.p.Validate(); err != nil {
		return unknown(Reason{Code: InvalidPolicy, Text: err.Error()},
			Change{Code: FixPolicy, Text: "judge by a policy whose window is a day or more"})
	}
	lu := e.f.LastUsage
	if lu == nil {
		return e.unread()
	}
	if what := contradiction(e.f); what != "" {
		return contradictory(what)
	}

	// Silence counts up to the reading less the lag: what KMS had not yet
	// recorded then may have been a use. A later AsOf knows no more.
	until := lu.ReadAt.Add(-Lag)
	if !e.p.AsOf.IsZero() && e.p.AsOf.Before(until) {
		until = e.p.AsOf.UTC()
	}

	seen := e.seen()
	var v Verdict
	switch {
	case lu.Use != nil && (seen == nil || !seen.At.After(lu.Use.At)):
		v = e.used(*lu.Use, until, recordedUse(*lu.Use))
	case seen != nil && e.recorded(*seen):
		v = e.used(*seen, until, recordedUse(*seen))
	case seen != nil && !seen.At.Before(lu.TrackingStart):
		v = e.usedUnrecorded(*seen, until)
	case seen != nil:
		v = e.usedBeforeTracking(*seen, until)
	default:
		v = e.unused(until)
	}
	if v.Class != Unknown {
		v.Until = until
	}
	return v
}

// seen is the latest successful use in the events, as a Use.
func (e evidence) seen() *Use {
	var last *Use
	for _, r := range e.f.History {
		for _, ev := range []*Event{r.First, r.Last} {
			if ev != nil && (last == nil || ev.At.After(last.At)) {
				last = &Use{At: ev.At.UTC(), Operation: types.KeyLastUsageTrackingOperation(ev.Operation), EventID: ev.EventID, RequestID: ev.RequestID}
			}
		}
	}
	return last
}

// used judges a key by a use after which nothing can have been missed.
func (e evidence) used(u Use, until time.Time, why Reason) Verdict {
	v := Verdict{TrailingDays: wholeDays(u.At, until), Since: SinceLastUse, LastUse: &u, Reasons: []Reason{why}}
	if v.TrailingDays > e.p.days() {
		v.Class = Idle
		v.Reasons = append(v.Reasons, e.silent(v.TrailingDays))
		v.Changes = []Change{{Code: Used, Text: "any use makes it Active again"}}
		return v
	}
	v.Class = Active
	v.Changes = []Change{e.after(u.At, "without another use it is Idle from %s on")}
	return v
}

// usedUnrecorded judges by an event newer than KMS's record. Inside the lag that
// is to be expected. An older one means that KMS's record lacks a use, and its
// silence proves nothing.
func (e evidence) usedUnrecorded(u Use, until time.Time) Verdict {
	v := e.used(u, until, Reason{
		Code: EventUse, At: u.At,
		Text: fmt.Sprintf("CloudTrail shows %s at %s, newer than KMS's record", named(string(u.Operation)), stamp(u.At)),
	})
	if v.Class == Idle {
		return contradictory(fmt.Sprintf("CloudTrail shows a use at %s that KMS's record lacks", stamp(u.At)))
	}
	return v
}

// recorded tells whether KMS's record is of this very event, though the two are
// stamped by different clocks. The later time counts.
func (e evidence) recorded(u Use) bool {
	r := e.f.LastUsage.Use
	return r != nil && r.EventID != "" && r.EventID == u.EventID && u.At.Sub(r.At) < Lag
}

func recordedUse(u Use) Reason {
	return Reason{Code: RecordedUse, At: u.At, Text: fmt.Sprintf("KMS recorded %s at %s", named(string(u.Operation)), stamp(u.At))}
}

// usedBeforeTracking judges a key that KMS has no record of, but events have. If
// they were seen without a hole from that use until tracking began it is the
// last use; otherwise a later one may have been missed, up to TrackingStart.
func (e evidence) usedBeforeTracking(u Use, until time.Time) Verdict {
	start := e.f.LastUsage.TrackingStart
	why := Reason{
		Code: EventUse, At: u.At,
		Text: fmt.Sprintf("CloudTrail shows %s at %s, before tracking began", named(string(u.Operation)), stamp(u.At)),
	}
	if covered(e.f, u.At, start) {
		return e.used(u, until, why)
	}
	if v := e.used(u, until, why); v.Class == Active {
		return v
	}
	v := e.used(Use{At: start}, until, why)
	v.LastUse, v.Since = &u, SinceTrackingStart
	v.Reasons = append(v.Reasons, Reason{
		Code: PartialHistory,
		Text: "the history has holes between that use and the start of tracking: a later use may be missing",
	})
	if v.Class == Active {
		v.Class = Unrecorded
		v.Changes = []Change{e.after(start, "without another use it is Idle from %s on")}
	}
	return v
}

// unused judges a key of which no use is known.
func (e evidence) unused(until time.Time) Verdict {
	lu := e.f.LastUsage
	days, basis := TrailingDays(*lu, until)
	v := Verdict{TrailingDays: days, Since: basis}
	if basis == SinceTrackingStart {
		if !covered(e.f, lu.Created, lu.TrackingStart) {
			return e.unrecorded(v)
		}
		v.TrailingDays, v.Since = wholeDays(lu.Created, until), SinceCreation
		v.Reasons = append(v.Reasons, Reason{
			Code: CompleteHistory, At: lu.Created,
			Text: "the events from its creation until tracking began are complete and show no use",
		})
	}
	v.Reasons = append(v.Reasons, Reason{
		Code: NoRecord, At: lu.Created,
		Text: fmt.Sprintf("never used since it was created at %s", stamp(lu.Created)),
	})
	if v.TrailingDays > e.p.days() {
		v.Class = Unused
		v.Reasons = append(v.Reasons, e.silent(v.TrailingDays))
		v.Changes = []Change{{Code: Used, Text: "any use makes it Active"}}
		return v
	}
	v.Class = New
	v.Changes = []Change{e.after(lu.Created, "without a use it is Unused from %s on")}
	return v
}

func (e evidence) unrecorded(v Verdict) Verdict {
	lu := e.f.LastUsage
	v.Class = Unrecorded
	v.Reasons = []Reason{{
		Code: NoRecord, At: lu.TrackingStart,
		Text: fmt.Sprintf("no use recorded since tracking began at %s; created before that, at %s", stamp(lu.TrackingStart), stamp(lu.Created)),
	}}
	if v.TrailingDays > e.p.days() {
		v.Reasons = append(v.Reasons, e.silent(v.TrailingDays))
	} else {
		v.Changes = append(v.Changes, e.after(lu.TrackingStart, "silent for longer than the window from %s on"))
	}
	if len(e.f.History) > 0 {
		v.Reasons = append(v.Reasons, Reason{
			Code: PartialHistory,
			Text: "the events given do not cover all the time before tracking began: they change nothing",
		})
	}
	v.Changes = append(v.Changes, Change{
		Code: MoreHistory,
		Text: fmt.Sprintf("a complete CloudTrail history from %s to %s would show whether it was ever used", stamp(lu.Created), stamp(lu.TrackingStart)),
	})
	return v
}

// unread judges a key whose last use could not be read.
func (e evidence) unread() Verdict {
	g, ok := e.f.Gap(opLastUsage)
	switch {
	case e.f.AWSManaged() && !ok:
		return unknown(Reason{Code: NotAsked, Text: "AWS managed: its last use was not asked for"}, Change{})
	case !ok:
		return unknown(Reason{Code: Unread, Text: "its last use was not read"}, reread)
	}
	return unknown(Reason{Code: Unread, Text: "its last use could not be read: " + string(g.Reason)}, remedy(g))
}

var reread = Change{Code: Reread, Text: "inspect again"}

// remedy is what would close a gap.
func remedy(g Gap) Change {
	if source, ok := strings.CutPrefix(g.Op, opHistory); ok {
		return Change{Code: Reread, Text: "inspect again when " + source + " answers, or without it"}
	}
	switch g.Reason {
	case Denied:
		return Change{Code: GrantAccess, Text: "allow kms:" + g.Op + " in the key's own account, then inspect again"}
	case Unauthenticated:
		return Change{Code: GrantAccess, Text: "get valid credentials, then inspect again"}
	case Throttled:
		return Change{Code: Reread, Text: "inspect again when others use less of the request quota, or with more patience"}
	case Unsupported:
		if g.Op == opLastUsage {
			return Change{Code: MoreHistory, Text: "this Region has no GetKeyLastUsage: only CloudTrail can show the use of its keys"}
		}
		return Change{Code: Reread, Text: "this Region has no " + g.Op}
	case NotFound:
		return Change{Code: Reread, Text: "the key was deleted meanwhile"}
	case Skipped:
		return Change{Code: Reread, Text: "inspect again with " + g.Op + " switched on"}
	default:
		return reread
	}
}

func unknown(r Reason, c Change) Verdict {
	v := Verdict{Class: Unknown, Reasons: []Reason{r}}
	if c.Code != "" {
		v.Changes = []Change{c}
	}
	return v
}

func contradictory(what string) Verdict {
	return unknown(Reason{Code: Contradiction, Text: what}, reread)
}

// launch is when KMS was made public. An earlier date was made up on the way, as
// 1970 is by whoever writes a missing date as zero.
// https://aws.amazon.com/blogs/aws/new-key-management-service/
var launch = time.Date(2014, 11, 12, 0, 0, 0, 0, time.UTC)

// contradiction finds what cannot be true at once in the evidence. Times are
// compared as they are: KMS stamps them all with one clock, and ReadAt is the
// earlier of two.
func contradiction(f Finding) string {
	lu := f.LastUsage
	// KMS and the reader disagree by no more than this; requests are refused when
	// clocks are five minutes apart.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
	const skew = 5 * time.Minute
	now := lu.ReadAt.Add(skew)
	switch {
	case lu.ReadAt.IsZero():
		return "it does not say when it was read"
	case lu.Created.IsZero() || lu.TrackingStart.IsZero():
		return "the creation date or the start of tracking is missing"
	case lu.Created.After(now):
		return fmt.Sprintf("created at %s, after it was read", stamp(lu.Created))
	case lu.Created.Before(launch) || lu.TrackingStart.Before(launch):
		return fmt.Sprintf("created at %s, tracked since %s: KMS did not exist then", stamp(lu.Created), stamp(lu.TrackingStart))
	case lu.TrackingStart.After(now):
		return fmt.Sprintf("tracking began at %s, after it was read", stamp(lu.TrackingStart))
	case f.Metadata != nil && disagree(lu.Created, f.Metadata.Created):
		return fmt.Sprintf("GetKeyLastUsage says created at %s, DescribeKey says %s", stamp(lu.Created), stamp(f.Metadata.Created))
	}
	for _, r := range f.History {
		switch {
		case (r.First == nil) != (r.Last == nil):
			return r.Source + " shows a first use without a last, or a last without a first"
		case r.Last == nil && r.succeeded() > 0:
			return r.Source + " counts operations that succeeded, but shows none"
		}
		for _, ev := range []*Event{r.First, r.Last} {
			switch {
			case ev == nil:
			case ev.ErrorCode != "":
				return r.Source + " shows a failed call as a use"
			case ev.At.IsZero():
				return "an event of " + r.Source + " has no time"
			case ev.At.Before(lu.Created.Truncate(time.Second)):
				return fmt.Sprintf("%s shows a use at %s, before the key was created at %s", r.Source, stamp(ev.At), stamp(lu.Created))
			}
		}
	}
	if lu.Use == nil {
		return ""
	}
	switch at := lu.Use.At; {
	case at.IsZero():
		return "a use without a time"
	case at.After(now):
		return fmt.Sprintf("used at %s, after it was read", stamp(at))
	case at.Before(lu.Created.Truncate(time.Second)):
		return fmt.Sprintf("used at %s, before it was created at %s", stamp(at), stamp(lu.Created))
	case at.Before(lu.TrackingStart.Truncate(time.Second)):
		return fmt.Sprintf("used at %s, before tracking began at %s", stamp(at), stamp(lu.TrackingStart))
	}
	return ""
}

// disagree compares two dates of the same creation: KMS gives milliseconds, and
// other writers of snapshots may cut to seconds.
func disagree(a, b time.Time) bool { return a.Sub(b).Abs() >= time.Second }
