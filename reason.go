package usage

import (
	"fmt"
	"time"
)

// Reason is one reason for a verdict: a code for programs, a text for people.
type Reason struct {
	Code ReasonCode `json:"code"`
	Text string     `json:"text"`
	// At is the time the reason speaks of, UTC; zero if it speaks of none.
	At time.Time `json:"at,omitzero"`
}

// String returns the text.
func (r Reason) String() string { return r.Text }

// ReasonCode is the kind of a [Reason].
type ReasonCode string

// The reasons.
const (
	RecordedUse     ReasonCode = "recorded-use"     // KMS recorded a use
	EventUse        ReasonCode = "event-use"        // CloudTrail shows a use
	NoRecord        ReasonCode = "no-record"        // KMS has no record of a use
	Silence         ReasonCode = "silence"          // silent for longer than the window
	CompleteHistory ReasonCode = "complete-history" // events cover the time before tracking
	PartialHistory  ReasonCode = "partial-history"  // events given, but with holes
	Unread          ReasonCode = "unread"           // the last use could not be read
	NotAsked        ReasonCode = "not-asked"        // AWS managed, not worth a call
	Contradiction   ReasonCode = "contradiction"    // the evidence contradicts itself
	InvalidPolicy   ReasonCode = "invalid-policy"   // the policy cannot be meant
)

// Change is what would lead to another class.
type Change struct {
	Code ChangeCode `json:"code"`
	Text string     `json:"text"`
	// At is when it comes about by itself, UTC; zero if it does not.
	At time.Time `json:"at,omitzero"`
}

// String returns the text.
func (c Change) String() string { return c.Text }

// ChangeCode is the kind of a [Change].
type ChangeCode string

// The changes.
const (
	TimePasses  ChangeCode = "time-passes"  // nothing but time, see At, and a new inspection
	Used        ChangeCode = "used"         // somebody uses the key
	MoreHistory ChangeCode = "more-history" // events for the time before tracking
	GrantAccess ChangeCode = "grant-access" // a permission for the reader
	Reread      ChangeCode = "reread"       // another inspection
	FixPolicy   ChangeCode = "fix-policy"   // a policy that can be meant
)

// silent is the reason that a key has been quiet for longer than the window.
func (e evidence) silent(days int) Reason {
	return Reason{Code: Silence, Text: fmt.Sprintf("%d whole days without use, more than %d", days, e.p.days())}
}

// after is the change that time brings when a silence that began at from exceeds
// the window: one day more than the window, and the lag of the reading.
func (e evidence) after(from time.Time, format string) Change {
	at := from.Add(time.Duration(e.p.days()+1)*day + Lag).UTC()
	return Change{Code: TimePasses, At: at, Text: fmt.Sprintf(format, stamp(at))}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }

func named(op string) string {
	if op == "" {
		return "a use"
	}
	return op
}
