package cloudtrail

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	kms "github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

// questions are what there is to ask about one key, before the first call.
type questions struct {
	start, end time.Time // of the event history, for this key

	recent   *lookup // the newest use that KMS may not have recorded yet
	lastUse  bool    // who made the use that KMS recorded
	mayBeOff bool    // refusals since it is off
	off      bool    // it is known to be off
	any      *lookup // the newest use of all
	before   *lookup // the newest use before tracking began
}

// questions decides what to ask about a key. The end is fixed here for all pages
// of all walks.
func (h *EventHistory) questions(f usage.Finding) questions {
	end := h.o.Now().UTC().Truncate(time.Second)
	q := questions{start: end.Add(-eventSpan), end: end}
	lu := f.LastUsage
	switch {
	case f.Metadata != nil:
		q.start = later(q.start, f.Metadata.Created.Truncate(time.Second))
	case lu != nil:
		q.start = later(q.start, lu.Created.Truncate(time.Second))
	}
	q.start = earliest(q.start, end)

	q.off, q.mayBeOff = isOff(f.Metadata)
	span := func(from, to time.Time) *lookup {
		from, to = later(q.start, from.Truncate(time.Second)), earliest(end, to.Truncate(time.Second))
		if to.Before(from) {
			return nil
		}
		l := h.byKey(f.ARN, from, to)
		return &l
	}
	switch {
	case lu == nil:
		q.any = span(q.start, end)
	case lu.Use != nil:
		q.lastUse = !lu.Use.At.Before(q.start) && !lu.Use.At.After(end.Add(usage.Lag))
	case lu.TrackingStart.After(lu.Created):
		q.before = span(q.start, lu.TrackingStart)
	}
	// What KMS had not recorded when it was asked. A key that is off is walked
	// through from the newest event on anyway.
	if h.o.Recent && lu != nil && !q.off {
		from := end
		if !lu.ReadAt.IsZero() {
			from = earliest(end, lu.ReadAt)
		}
		from = from.Add(-usage.Lag)
		if lu.Use != nil {
			from = later(from, lu.Use.At)
		}
		q.recent = span(from, end)
	}
	return q
}

// isOff tells whether a key in such a state cannot be used; where that is not
// known, that it may be so.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func isOff(m *usage.Metadata) (off, may bool) {
	if m == nil {
		return false, true
	}
	switch m.State {
	case kms.KeyStateDisabled, kms.KeyStatePendingDeletion, kms.KeyStatePendingReplicaDeletion, kms.KeyStatePendingImport, kms.KeyStateUnavailable:
		return true, true
	case kms.KeyStateEnabled, kms.KeyStateCreating, kms.KeyStateUpdating:
		return false, false
	default:
		return false, true
	}
}

// Around a use whose event has to be found by other means than its ID: the event
// bears the whole second in which the request came in, KMS's record milliseconds
// and perhaps those of another clock.
const (
	beforeUse = time.Minute
	afterUse  = 5 * time.Second
	// usePages is how many pages are read at most to find one known event.
	usePages = 3
)

// byEventID asks for the event that KMS names.
func byEventID(u *usage.Use, end time.Time, pages int) lookup {
	return around(u.At, usage.Lag, usage.Lag, end, lookup{key: types.LookupAttributeKeyEventId, value: u.EventID, pages: min(usePages, pages)})
}

// nearUse asks for the events of the key around its last use.
func nearUse(arn string, u *usage.Use, end time.Time, pages int) lookup {
	return around(u.At, beforeUse, afterUse, end, lookup{key: types.LookupAttributeKeyResourceName, value: arn, pages: min(usePages, pages)})
}

// around gives q the time around at, as far as the event history reaches.
func around(at time.Time, before, after time.Duration, end time.Time, q lookup) lookup {
	at = at.UTC().Truncate(time.Second)
	q.to = earliest(at.Add(after), end)
	q.from = later(earliest(at.Add(-before), q.to), end.Add(-eventSpan))
	return q
}
