package cloudtrail

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	kms "github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/internal/fault"
)

// switchOps are the operations that switch a key off and on, and what KMS does of
// itself. The event history tells of them for all keys of a Region at once.
var switchOps = [...]string{
	opDisableKey, opEnableKey, opScheduleDelete, opCancelDelete, opDeleteMaterial, opImportMaterial, opMaterialExpired,
}

const (
	// switchesAge is how long what was read of the Region is good for.
	switchesAge = time.Hour
	// switchesPause is how long after a failure the rest is not asked for.
	switchesPause = 5 * time.Minute
)

// regionSwitches are the calls by which the keys of a Region were switched off
// and on. One caller at a time reads them, under its own context, for all who
// wait. What was read before a failure is kept: after a pause, or at once if the
// caller's context ended, the next one goes on from there.
type regionSwitches struct {
	turn chan struct{} // holds the one token of whoever reads

	// Guarded by turn.
	at       time.Time                       // when reading began; zero: never
	readings [len(switchOps)]switchesReading // one for each operation
	keys     map[string][]usage.Event
	err      error     // of the latest failure; nil: none
	failed   time.Time // when that was, by the local clock
}

// switchesReading is how far the events of one operation were read.
type switchesReading struct {
	since    time.Time // from when on all were seen
	done     bool
	limited  bool // by the number of pages
	restarts int
	shuffled bool
	unnamed  int
	odd      int
	firstOdd string
}

// offSince is since when a key is off.
type offSince struct {
	event *usage.Event // nil: not seen
	sure  bool         // it was on before
	on    bool         // it is on, as the newest of all calls shows
}

// switchedOff tells since when a key is off, and what may be missing of that,
// also beside an error.
func (h *EventHistory) switchedOff(ctx context.Context, f usage.Finding) (offSince, []string, error) {
	s := &h.switches
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return offSince{}, nil, interrupted(ctx)
	}
	err := h.readSwitches(ctx)
	var (
		spots  []string
		since  time.Time // from when on the calls of all operations were seen
		silent = true    // none of those may be missing
	)
	for i := range s.readings {
		r := &s.readings[i]
		since = later(since, r.since)
		silent = silent && r.odd == 0 && r.unnamed == 0 && !r.shuffled
		spots = append(spots, r.spots(switchOps[i], h.o.RegionPages)...)
	}
	// Before that a call that switched the key on again may be missing.
	var events []usage.Event
	for _, e := range s.keys[f.ARN] {
		if !e.At.Before(since) {
			events = append(events, e)
		}
	}
	r := replay(events)
	return offSince{event: r.off, sure: silent && wasOnBefore(r, f.Metadata, since), on: silent && r.on}, spots, err
}

// wasOnBefore tells whether a key was on before the event that switched it off:
// an event from since on shows it, or it was made after that. One with imported
// key material is made off, and one in a custom key store goes off with that.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func wasOnBefore(r replayedSwitches, m *usage.Metadata, since time.Time) bool {
	switch {
	case m == nil || m.CustomKeyStoreID != "":
		return false
	case r.wasOn:
		return true
	default:
		return m.Origin == kms.OriginTypeAwsKms && !m.Created.Truncate(time.Second).Before(since)
	}
}

// spots say what may be missing of the calls of an operation.
func (r *switchesReading) spots(op string, pages int) []string {
	var spots []string
	switch {
	case !r.done:
		spots = append(spots, fmt.Sprintf("of %s calls before %s could not be looked up", op, stampOf(r.since)))
	case r.limited:
		spots = append(spots, fmt.Sprintf("of %s no more than %d pages were read: calls before %s were not looked at", op, pages, stampOf(r.since)))
	}
	if r.odd > 0 {
		spots = append(spots, fmt.Sprintf("%d events of %s could not be read, the first since: %s", r.odd, op, r.firstOdd))
	}
	if r.unnamed > 0 {
		spots = append(spots, fmt.Sprintf("%d events of %s name no key", r.unnamed, op))
	}
	if r.restarts > 0 {
		spots = append(spots, fmt.Sprintf("of %s the token failed %d times, and the walk began anew near the last event seen", op, r.restarts))
	}
	if r.shuffled {
		spots = append(spots, fmt.Sprintf("events of %s did not come in order of time", op))
	}
	return spots
}

// readSwitches reads what has not been read yet, or too long ago. A failure of
// which the caller is not the cause is told to the next ones too, without a call.
func (h *EventHistory) readSwitches(ctx context.Context) error {
	s := &h.switches
	now := h.o.Now().UTC().Truncate(time.Second)
	if age := now.Sub(s.at); s.at.IsZero() || age > switchesAge || age < 0 {
		s.at, s.keys, s.err = now, map[string][]usage.Event{}, nil
		for i := range s.readings {
			s.readings[i] = switchesReading{since: now.Add(time.Second)} // nothing was seen
		}
	}
	if s.err != nil && time.Since(s.failed) < switchesPause {
		return s.err
	}
	s.err = nil
	for i, op := range switchOps {
		if s.readings[i].done {
			continue
		}
		err := h.readSwitch(ctx, op, &s.readings[i])
		switch fault.Of(ctx, err) {
		case fault.Canceled:
			return err
		case fault.Malformed, fault.Other: // of this operation
			if err != nil {
				s.err, s.failed = err, time.Now()
			}
		default:
			s.err, s.failed = err, time.Now()
			return err
		}
	}
	return s.err
}

// readSwitch goes on reading the events of an operation.
func (h *EventHistory) readSwitch(ctx context.Context, op string, r *switchesReading) error {
	s := &h.switches
	events := 0
	seen := h.lookUp(ctx, lookup{
		key: types.LookupAttributeKeyEventName, value: op,
		from: s.at.Add(-eventSpan), to: earliest(s.at, r.since), pages: h.o.RegionPages,
	}, func(c *call) bool {
		if len(c.errorCode) > 0 || string(c.op) != op {
			return false
		}
		for _, arn := range c.keys {
			s.keys[string(arn)] = append(s.keys[string(arn)], *c.asEvent())
			events++
		}
		if len(c.keys) == 0 {
			r.unnamed++
		}
		return false
	})
	if seen.since.Before(seen.to) { // else of its last second there may be more to come
		r.since = seen.since
	}
	r.done, r.limited = seen.err == nil, seen.limited
	r.restarts += seen.restarts
	r.shuffled = r.shuffled || seen.shuffled
	if r.odd += seen.odd; r.firstOdd == "" {
		r.firstOdd = seen.firstOdd
	}
	h.o.Logger.Debug("read who switched keys off and on", "account", h.account, "region", h.region, "op", op, "events", events, "calls", seen.calls, "complete", r.done && !r.limited)
	return seen.err
}
