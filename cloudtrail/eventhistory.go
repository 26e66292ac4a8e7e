package cloudtrail

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/internal/fault"
	"github.com/kmsusage/usage/internal/pace"
)

// EventHistorySource is the name of the event history as a source of events.
const EventHistorySource = "cloudtrail-event-history"

// EventHistory answers from CloudTrail's event history of one account and
// Region, which holds the management events of the last 90 days, those of KMS
// always, whether there is a trail or not. It is a [usage.History].
//
// It asks for what costs few calls and no more:
//
//   - Who made the last use that KMS recorded: one call, by its event ID; where
//     that leads nowhere, by the key's ARN and the time.
//   - Whether a key without such a record was used before tracking began, if that
//     was within the 90 days: the newest use before it.
//   - Whether anyone has tried to use a key since it was switched off: the newest
//     refusal, back to when the key was on for certain. Since when keys are off is
//     read for the whole Region at once, at most once an hour.
//   - Of a key whose last use KMS did not tell: the newest use.
//
// An enabled key with a recorded use is one call; one that is off two, and seven for
// the Region. At AWS's quota that is 1.92 calls a second: slower than KMS tells
// last uses. See [EventHistory.Estimate].
//
// Each walk goes from the newest event to the oldest and stops at the first that
// answers, or after a number of pages: a busy key is never read to its end. The
// newest refusal that any of them comes by is kept.
//
// While CloudTrail cannot be reached most calls are not made: three that failed in
// a row, each with all its attempts, speak for the next five minutes. So does, for
// five minutes, what failed of the Region.
//
// It corroborates, and never clears by itself: AWS promises to find events by
// the ARN of a key for management operations only, and records failed calls "in
// some scenarios". Its coverage always has blind spots that say so; see
// [EventHistory.Control].
// https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
//
// The request quota is per account and Region: what may ask at the same time
// should share one EventHistory. It is safe for concurrent use.
type EventHistory struct {
	client          EventReader
	account, region string
	o               EventHistoryOptions
	limiter         *pace.Limiter
	switches        regionSwitches
	outage          outage

	answered atomic.Bool // the host exists
	unpaced  sync.Once   // warned of

	mu          sync.Mutex
	controlAt   time.Time // of the latest control that could be judged; zero: none
	controlText string
}

var _ usage.History = (*EventHistory)(nil)

// NewEventHistory returns the event history of an account and Region, which must
// be those of the client. It makes no request. Of another account it knows nothing,
// and says nothing: if [EventHistory.Estimate] counts no keys, look at the account.
// Errors wrap
// [usage.ErrInvalidOption].
func NewEventHistory(c EventReader, account, region string, optFns ...func(*EventHistoryOptions)) (*EventHistory, error) {
	var o EventHistoryOptions
	for _, fn := range optFns {
		if fn != nil {
			fn(&o)
		}
	}
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	if err := checkClient(c, account, region); err != nil {
		return nil, err
	}
	return &EventHistory{
		client: c, account: account, region: region, o: o,
		limiter:  pace.NewLimiter(o.Quota),
		switches: regionSwitches{turn: make(chan struct{}, 1)},
	}, nil
}

// Source is [EventHistorySource].
func (*EventHistory) Source() string { return EventHistorySource }

// Look answers for the key of f, which should hold its last usage and metadata:
// what to ask depends on them. About a key of another account or Region it knows
// nothing: the record is empty, without a call and without an error.
//
// Errors are *[usage.KeyError] of LookupEvents; errors.Is finds
// [usage.ErrAccessDenied] and the like. The record beside one holds what was
// found out before.
func (h *EventHistory) Look(ctx context.Context, f usage.Finding) (usage.Record, error) {
	if !h.has(f) {
		return usage.Record{Source: EventHistorySource}, nil
	}
	l := &eventLook{h: h, f: f, questions: h.questions(f), rec: usage.Record{Source: EventHistorySource}}
	l.run(ctx)
	return l.rec, h.keyError(f.ARN, l.errs...)
}

// has tells whether a key is of this account and Region.
func (h *EventHistory) has(f usage.Finding) bool {
	return f.Account() == h.account && f.Region() == h.region
}

func (*EventHistory) keyError(arn string, errs ...error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return &usage.KeyError{ARN: arn, Op: opLookupEvents, Err: errs[0]}
	default:
		return &usage.KeyError{ARN: arn, Op: opLookupEvents, Err: errors.Join(errs...)}
	}
}

// eventLook is one [EventHistory.Look].
type eventLook struct {
	h *EventHistory
	f usage.Finding
	questions
	rec  usage.Record
	errs []error
	over bool // nothing more can be found out
}

func (l *eventLook) run(ctx context.Context) {
	if l.recent != nil {
		l.uses(ctx, *l.recent)
	}
	if l.lastUse && l.rec.Last == nil && !l.over {
		l.lastUsed(ctx)
	}
	if l.mayBeOff && !l.over {
		l.refusals(ctx)
	}
	if l.any != nil && l.rec.Last == nil && !l.over {
		l.uses(ctx, *l.any)
	}
	if l.before != nil && l.rec.Last == nil && !l.over {
		l.uses(ctx, *l.before)
	}
}

// uses looks for the newest use in a time.
func (l *eventLook) uses(ctx context.Context, q lookup) {
	unnamed := 0
	s := l.h.lookUp(ctx, q, func(c *call) bool {
		if !l.mine(c, &unnamed) {
			return false
		}
		l.note(c)
		return c.use
	})
	l.cover(s, unnamed)
}

// lastUsed looks for the event of the use that KMS recorded.
func (l *eventLook) lastUsed(ctx context.Context) {
	var (
		u    = l.f.LastUsage.Use
		why  = "KMS gave no event ID for the last use"
		odds []string
	)
	// KMS may track an operation that this version of the SDK does not know.
	isUse := func(c *call) bool {
		return c.use || len(c.errorCode) == 0 && len(c.op) > 0 && string(c.op) == string(u.Operation)
	}
	if u.EventID != "" {
		var other bool
		s := l.h.lookUp(ctx, byEventID(u, l.end, l.h.o.Pages), func(c *call) bool {
			// KMS itself says that this event is of this key.
			mine, unnamed := c.names(l.f.ARN)
			if string(c.id) != u.EventID || !isUse(c) || !mine && !unnamed {
				other = true
				return false
			}
			l.used(c.asEvent())
			return true
		})
		if l.failed(s) || l.rec.Last != nil {
			return
		}
		switch {
		case other:
			why = "the event of the last use is of another key, or no use"
		case s.odd > 0:
			why = "the event of the last use cannot be read: " + s.firstOdd
		default:
			why = "the event of the last use is not there by its ID"
		}
	}
	odds = append(odds, why)

	// The request ID is KMS's. Without it, what fits is taken if it is the only one.
	var (
		fits    []*usage.Event
		unnamed int
	)
	s := l.h.lookUp(ctx, nearUse(l.f.ARN, u, l.end, l.h.o.Pages), func(c *call) bool {
		if !l.mine(c, &unnamed) {
			return false
		}
		switch {
		case u.RequestID != "" && isUse(c) && string(c.requestID) == u.RequestID:
			fits = append(fits, c.asEvent())
			return true
		case c.use && u.RequestID == "" && c.at.Equal(u.At.Truncate(time.Second)) && string(c.op) == string(u.Operation):
			fits = append(fits, c.asEvent())
		case !c.use:
			l.note(c)
		}
		return false
	})
	switch {
	case len(fits) == 1 && (u.RequestID != "" || s.err == nil && !s.limited && s.odd == 0):
		l.used(fits[0])
		odds = nil
	case len(fits) > 0:
		odds = append(odds, "more than one call may be the last use: they cannot be told apart")
	default:
		odds = append(odds, "nor is it among the calls of that time")
	}
	l.cover(s, unnamed, odds...)
}

// switchTime is how long after a key was switched off calls may still succeed
// that reach servers of KMS which have not heard of it: mostly less than a few
// seconds, in some cases several minutes.
// https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
const switchTime = 5 * time.Minute

// refusals looks for the newest refusal since the key is off. A use shows that
// the key was on at that time, unless it had just been switched off: what was
// refused before does not count.
func (l *eventLook) refusals(ctx context.Context) {
	off, spots, err := l.h.switchedOff(ctx, l.f)
	l.rec.Off = off.event
	if err != nil {
		l.fail(err)
		if l.over {
			return
		}
	}
	if !l.off && off.on {
		return
	}
	q := l.h.byKey(l.f.ARN, l.start, l.end)
	switch {
	case off.event == nil && l.off:
		spots = append(spots, fmt.Sprintf("since when it is off is not known: what was refused before %s is not in the event history", stampOf(q.from)))
	case off.event == nil:
		spots = append(spots, fmt.Sprintf("whether it is off is not known: what was refused before %s is not in the event history", stampOf(q.from)))
	case off.sure:
		q.from = earliest(later(q.from, off.event.At.Truncate(time.Second)), q.to)
	}
	var (
		unnamed  int
		wantsUse = l.any != nil
		refused  bool
	)
	s := l.h.lookUp(ctx, q, func(c *call) bool {
		if !l.mine(c, &unnamed) {
			return false
		}
		l.note(c)
		refused = refused || c.refusesKey(l.f.ARN)
		late := off.event != nil && !c.at.Before(off.event.At) && !c.at.After(off.event.At.Add(switchTime))
		return c.use && !late || refused && (!wantsUse || l.rec.Last != nil)
	})
	switch {
	case !wantsUse:
	case off.sure:
		l.any.to = earliest(l.any.to, q.from) // what comes after it has been seen
	default:
		l.any = nil
	}
	if b := l.before; b != nil && s.err == nil && !s.limited && !s.since.After(b.from) {
		l.before = nil // seen as well
	}
	l.cover(s, unnamed, spots...)
}

// mine tells whether a call is about the key. One that names no key at all, and
// would count if it did, is counted.
func (l *eventLook) mine(c *call, unnamed *int) bool {
	mine, none := c.names(l.f.ARN)
	if none && (c.use || c.refusal || c.publicKey) {
		*unnamed++
	}
	return mine
}

// note takes what a call says by itself. Calls of a walk come newest first.
func (l *eventLook) note(c *call) {
	switch {
	case c.use:
		l.used(c.asEvent())
	case c.refusesKey(l.f.ARN) && (len(l.rec.Refusals) == 0 || c.at.After(l.rec.Refusals[0].At)):
		l.rec.Refusals = []usage.Event{*c.asEvent()} // one is enough
	case c.publicKey && (l.rec.PublicKey == nil || c.at.After(l.rec.PublicKey.At)):
		l.rec.PublicKey = c.asEvent()
	case string(c.op) == "CreateKey" && len(c.errorCode) == 0:
		l.rec.Created = c.asEvent()
	}
}

func (l *eventLook) used(e *usage.Event) {
	if l.rec.Last == nil || e.At.After(l.rec.Last.At) {
		l.rec.Last = e
	}
	if l.rec.First == nil || e.At.Before(l.rec.First.At) {
		l.rec.First = e
	}
}

// cover enters for which time a walk saw all, and what it may have missed. A time
// without length covers nothing and says why.
func (l *eventLook) cover(s sighting, unnamed int, spots ...string) {
	l.failed(s)
	if s.err != nil {
		spots = append(spots, "the look-up ended early")
	}
	if s.limited {
		spots = append(spots, fmt.Sprintf("no more than %d pages were read: what happened before %s was not looked at", s.pages, stampOf(s.since)))
	}
	if s.odd > 0 {
		spots = append(spots, fmt.Sprintf("%d events could not be read, the first since: %s", s.odd, s.firstOdd))
	}
	if unnamed > 0 {
		spots = append(spots, fmt.Sprintf("%d events name no key", unnamed))
	}
	if s.restarts > 0 {
		spots = append(spots, fmt.Sprintf("its token failed %d times, and the walk began anew near the last event seen", s.restarts))
	}
	if s.shuffled {
		spots = append(spots, "events did not come in order of time")
	}
	c := usage.Coverage{
		Account: l.h.account, Region: l.h.region, From: s.since.UTC(), To: earliest(s.to, l.end.Add(-deliveryLag)).UTC(),
		BlindSpots: append(l.h.blindSpots(), spots...),
	}
	c.To = later(c.From, c.To)
	l.rec.Coverage = append(l.rec.Coverage, c)
}

// failed notes why a walk ended early.
func (l *eventLook) failed(s sighting) bool {
	if s.err != nil {
		l.fail(s.err)
	}
	return s.err != nil
}

// fail notes an error. After most of them the next call would fail too.
func (l *eventLook) fail(err error) {
	l.errs = append(l.errs, err)
	switch fault.Of(context.Background(), err) {
	case fault.Malformed, fault.Other:
	default:
		l.over = true
	}
}

// blindSpots are those that the event history always has. "CloudTrail logs all
// successful operations and, in some scenarios, attempted calls that failed";
// "AWS KMS adds the key ARN of the affected KMS key to the responseElements field
// in the log entries for some key management operations".
// https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
func (h *EventHistory) blindSpots() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	control := h.controlText
	if control == "" {
		control = "no control"
	}
	return []string{
		"AWS promises to find events by the ARN of a key for management operations only",
		"AWS promises to record failed calls only in some scenarios; " + control,
	}
}

// stampOf is a time as it stands in texts.
func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// eventSpan is how far the event history reaches back: 90 days, but for the time
// that a walk may take and clocks may be apart, since an earlier start is refused.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
const eventSpan = 90*oneDay - time.Hour

// byKey is a question about a key by its ARN.
func (h *EventHistory) byKey(arn string, from, to time.Time) lookup {
	return lookup{key: types.LookupAttributeKeyResourceName, value: arn, from: from, to: to, pages: h.o.Pages}
}
