package cloudtrail

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
)

// switchOps are the operations that switch a key off and on, and what KMS does of
// itself. The event history tells of them for all keys of a Region at once.
var switchOps = [...]string{
	opDisableKey, opEnableKey, opScheduleDelete, opCancelDelete, opDeleteMaterial, opImportMaterial, opMaterialExpired,
}

// switchesAge is how long what was read of the Region is good for.
const switchesAge = time.Hour

// regionSwitches are the calls by which the keys of a Region were switched off
// and on. One caller at a time reads them, under its own context; if that fails
// the next one goes on where it ended.
type regionSwitches struct {
	turn chan struct{} // holds the one token of whoever reads

	// Guarded by turn.
	at    time.Time // when reading began; zero: never
	done  int       // operations read
	keys  map[string][]usage.Event
	since time.Time // from when on all were seen
	spots []string
}

// offSince is since when a key is off.
type offSince struct {
	event *usage.Event // nil: not seen
	sure  bool         // it was on before
}

// switchedOff tells since when a key is off, and what may be missing of that.
func (h *EventHistory) switchedOff(ctx context.Context, arn string) (offSince, []string, error) {
	s := &h.switches
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return offSince{}, nil, interrupted(ctx)
	}
	if err := h.readSwitches(ctx); err != nil {
		return offSince{}, []string{"since when it is off could not be read"}, err
	}
	var events []usage.Event
	for _, e := range s.keys[arn] {
		if !e.At.Before(s.since) {
			events = append(events, e)
		}
	}
	at := off(events)
	if at == nil {
		return offSince{}, slices.Clone(s.spots), nil
	}
	// A key may have been disabled, before the first call that was seen, and only
	// then be scheduled for deletion.
	o := offSince{event: at, sure: slices.Contains([]string{opDisableKey, opDeleteMaterial, opMaterialExpired}, at.Operation)}
	for i := range events {
		o.sure = o.sure || events[i].At.Before(at.At)
	}
	return o, slices.Clone(s.spots), nil
}

// readSwitches reads what has not been read yet, or too long ago.
func (h *EventHistory) readSwitches(ctx context.Context) error {
	s := &h.switches
	now := h.o.Now().UTC().Truncate(time.Second)
	if age := now.Sub(s.at); s.at.IsZero() || age > switchesAge || age < 0 {
		s.at, s.done, s.keys, s.since, s.spots = now, 0, map[string][]usage.Event{}, now.Add(-eventSpan), nil
	}
	for s.done < len(switchOps) {
		if err := h.readSwitch(ctx, switchOps[s.done]); err != nil {
			return err
		}
		s.done++
	}
	return nil
}

func (h *EventHistory) readSwitch(ctx context.Context, op string) error {
	s := &h.switches
	type entry struct {
		arn   string
		event *usage.Event
	}
	var (
		entries []entry
		unnamed int
	)
	seen := h.lookUp(ctx, lookup{
		key: types.LookupAttributeKeyEventName, value: op,
		from: s.at.Add(-eventSpan), to: s.at, pages: h.o.RegionPages,
	}, func(c *call) bool {
		if len(c.errorCode) > 0 || string(c.op) != op {
			return false
		}
		for _, arn := range c.keys {
			entries = append(entries, entry{string(arn), c.asEvent()})
		}
		if len(c.keys) == 0 {
			unnamed++
		}
		return false
	})
	if seen.err != nil {
		return seen.err
	}
	for _, e := range entries {
		s.keys[e.arn] = append(s.keys[e.arn], *e.event)
	}
	// Before the earliest time from which on all of them were seen, a call that
	// switched the key on again may be missing.
	if seen.limited {
		s.since = later(s.since, seen.since)
		s.spots = append(s.spots, fmt.Sprintf("of %s no more than %d pages were read: calls before %s were not looked at", op, seen.pages, stampOf(seen.since)))
	}
	if seen.odd > 0 {
		s.spots = append(s.spots, fmt.Sprintf("%d events of %s could not be read, the first since: %s", seen.odd, op, seen.firstOdd))
	}
	if unnamed > 0 {
		s.spots = append(s.spots, fmt.Sprintf("%d events of %s name no key", unnamed, op))
	}
	h.o.Logger.Debug("read who switched keys off and on", "account", h.account, "region", h.region, "op", op, "events", len(entries), "calls", seen.calls)
	return nil
}
