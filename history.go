package usage

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// History answers from recorded events what KMS does not keep: who made the
// last use, whether the key was used before tracking began, and whether anyone
// has tried since it was disabled. Package cloudtrail is the place for implementations.
//
// Implementations must be safe for concurrent use.
type History interface {
	// Source names the source in gaps and records, for example
	// "cloudtrail-event-history".
	Source() string
	// Look returns what the source knows of the key of f, which holds what has
	// been read so far. A record beside an error is kept and the error becomes a
	// gap; one that holds nothing says that the source knows nothing of the key, and
	// is left out. "None seen" means something only inside the record's coverage.
	Look(ctx context.Context, f Finding) (Record, error)
}

// Record is what one source of events says of one key. Events count only if
// they name this very key: never a bare key ID, which members of a multi-Region
// set share, nor an alias, which moves.
type Record struct {
	// Source is the name the History gives itself.
	Source string `json:"source"`
	// Coverage is where "none seen" holds. Empty: nowhere.
	Coverage []Coverage `json:"coverage"`
	// First and Last successful tracked operation seen, the same event if only one
	// is known. Both nil: none seen; one of them nil contradicts itself.
	First *Event `json:"first,omitempty"`
	Last  *Event `json:"last,omitempty"`
	// Refusals are tracked operations and CreateGrant that failed because the
	// key was disabled, pending deletion, pending import or unavailable, the
	// newest first. A source may stop at the first.
	Refusals []Event `json:"refusals,omitempty"`
	// PublicKey is the last GetPublicKey seen: the public half of the key works
	// outside KMS without a trace. Nil: none seen.
	PublicKey *Event `json:"publicKey,omitempty"`
	// Off is the call since which the key cannot be used, as far as the source
	// saw calls that switch it off and on: DisableKey, ScheduleKeyDeletion and
	// DeleteImportedKeyMaterial, EnableKey and ImportKeyMaterial, and the expiry of
	// key material. It may have been off before. Nil: none seen, or it was switched
	// on since. Only the key's state says what it is now.
	Off *Event `json:"off,omitempty"`
	// Created is the call that made the key: its principal may know what for. Nil:
	// not seen.
	Created *Event `json:"created,omitempty"`
	// Dependents are resources of which the source itself says that they need the
	// key. Nil: it knows of none.
	Dependents []Dependent `json:"dependents,omitempty"`

	// What a source that sees every event counts besides; others leave it empty.

	// Operations counts the calls seen per operation, failed ones included.
	Operations map[string]int `json:"operations,omitempty"`
	// Errors counts the failed calls per error code.
	Errors map[string]int `json:"errors,omitempty"`
	// Services counts the calls per AWS service on whose behalf they were made;
	// calls that a principal made directly are not among them.
	Services map[string]int `json:"services,omitempty"`
	// Contexts are pairs of encryption contexts, in order of key and value. Values
	// may tell more than a log should hold.
	Contexts []ContextSeen `json:"contexts,omitempty"`
	// Dropped is what was seen and is not listed above, since a source's memory
	// is bounded.
	Dropped Dropped `json:"dropped,omitzero"`
}

// Dependent is a resource that needs a key.
type Dependent struct {
	Service  string `json:"service"`  // as its events name it, for example "cloudtrail.amazonaws.com"
	Resource string `json:"resource"` // ARN, or what else names it
	// Text says what it needs the key for.
	Text string `json:"text"`
}

// ContextSeen is one pair of an encryption context and how many calls bore it.
type ContextSeen struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Dropped counts calls whose refusal, operation, error code, service or pair of
// an encryption context is not listed in a [Record]. Zero: all are.
type Dropped struct {
	Refusals   int `json:"refusals,omitempty"`
	Operations int `json:"operations,omitempty"`
	Errors     int `json:"errors,omitempty"`
	Services   int `json:"services,omitempty"`
	Contexts   int `json:"contexts,omitempty"` // pairs, not calls
}

// Event is one recorded call.
type Event struct {
	At        time.Time `json:"at"` // UTC
	Operation string    `json:"operation,omitempty"`
	EventID   string    `json:"eventId,omitempty"`
	RequestID string    `json:"requestId,omitempty"`
	Principal string    `json:"principal,omitempty"` // ARN of the caller; where there is none, its principal ID
	Role      string    `json:"role,omitempty"`      // ARN of the role or user that issued the caller's session
	InvokedBy string    `json:"invokedBy,omitempty"` // service on whose behalf
	SourceIP  string    `json:"sourceIp,omitempty"`  // IP address, or the name of a service
	ErrorCode string    `json:"errorCode,omitempty"` // empty: it succeeded
	// Context is the encryption context. Nil: none, or not known.
	Context map[string]string `json:"context,omitempty"`
}

// Coverage is a stretch of time for which a source saw every event of an
// account and Region, apart from its blind spots.
type Coverage struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	// From and To, UTC, From included and To not.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// BlindSpots say what may be missing all the same, for example "the trail
	// left KMS events out". Nil: nobody said that there are none. Only a stretch
	// with an empty list that is not nil proves absence.
	BlindSpots []string `json:"blindSpots"`
}

// covered tells whether the records together saw everything of f's account and
// Region from start until end, without a hole or a blind spot.
func covered(f Finding, start, end time.Time) bool {
	var spans []Coverage
	for _, r := range f.History {
		for _, c := range r.Coverage {
			if c.Account == f.Account() && c.Region == f.Region() && c.BlindSpots != nil && len(c.BlindSpots) == 0 && !c.From.IsZero() && c.To.After(c.From) {
				spans = append(spans, c)
			}
		}
	}
	slices.SortFunc(spans, func(a, b Coverage) int { return a.From.Compare(b.From) })
	for _, s := range spans {
		if s.From.After(start) {
			break
		}
		if s.To.After(start) {
			start = s.To
		}
	}
	return !start.Before(end)
}

// succeeded is how many tracked operations a record counts beyond the calls that
// failed.
func (r Record) succeeded() int {
	n := 0
	for _, op := range types.KeyLastUsageTrackingOperation("").Values() {
		n += r.Operations[string(op)]
	}
	for _, failed := range r.Errors {
		n -= failed
	}
	return n
}

// empty tells that a record holds nothing but, perhaps, the name of its source.
func (r Record) empty() bool {
	r.Source = ""
	return reflect.ValueOf(r).IsZero()
}
