package cloudtrail

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/internal/keyarn"
)

// Control is a call that was refused on purpose: somebody disabled a throwaway
// key and tried to use it. This package cannot do that, since it changes nothing
// in AWS. Whether the event history shows that call tells whether it shows
// refusals at all.
//
// With the AWS CLI, of a key made for this:
//
//	aws kms disable-key --key-id KEY
//	aws kms encrypt --key-id KEY --plaintext dGVzdA==
//
// The second fails with DisabledException; --debug shows its request ID, as the
// SDK's ResponseError.ServiceRequestID does.
type Control struct {
	KeyARN    string    `json:"keyArn"`    // of the account and Region of the event history
	At        time.Time `json:"at"`        // when the call was made, UTC, within five minutes
	RequestID string    `json:"requestId"` // KMS's, of the refused call
}

// ControlState is what became of a [Control]. Values not listed here come from a
// later version.
type ControlState string

// The states.
const (
	ControlFound      ControlState = "found"       // the event history shows the refusal
	ControlMissing    ControlState = "missing"     // it should show it by now, and does not
	ControlPending    ControlState = "pending"     // events may still be on their way: ask again
	ControlUnclear    ControlState = "unclear"     // not all events of that time could be read
	ControlNotRefused ControlState = "not-refused" // the call is there, but was no refusal: it shows nothing
)

// ControlResult is the answer to a [Control].
type ControlResult struct {
	Control
	State ControlState `json:"state"`
	Event *usage.Event `json:"event,omitempty"` // of the call; nil if it was not found
	// AskAgain is when a pending control can be judged, UTC; else zero.
	AskAgain time.Time `json:"askAgain,omitzero"`
}

// Control looks for a deliberate refusal by the way that [EventHistory.Look]
// takes: one call, rarely more. It does not wait; events appear within 15 minutes.
//
// The latest control that was found or missing stands in the blind spots of what
// is looked up from then on. Errors wrap [usage.ErrInvalidOption] for a control
// that cannot be meant; else they are those of Look.
func (h *EventHistory) Control(ctx context.Context, c Control) (ControlResult, error) {
	r := ControlResult{Control: c, State: ControlUnclear}
	now := h.o.Now().UTC()
	end := now.Truncate(time.Second)
	key, ok := keyarn.Parse(c.KeyARN)
	switch {
	case !ok:
		return r, invalidOption("control: %q is no key ARN", c.KeyARN)
	case key.Account != h.account || key.Region != h.region:
		return r, invalidOption("control: %s is not of account %s in %s", c.KeyARN, h.account, h.region)
	case c.RequestID == "":
		return r, invalidOption("control: no request ID")
	case c.At.IsZero() || c.At.After(now.Add(maxAhead)):
		return r, invalidOption("control: its time is missing or of the future")
	case c.At.Before(end.Add(-eventSpan)):
		return r, invalidOption("control: at %s, before the event history begins", stampOf(c.At))
	}
	s := h.lookUp(ctx, around(c.At, maxAhead, maxAhead, end, lookup{
		key: types.LookupAttributeKeyResourceName, value: c.KeyARN, pages: h.o.Pages,
	}), func(e *call) bool {
		if mine, _ := e.names(c.KeyARN); !mine || string(e.requestID) != c.RequestID {
			return false
		}
		r.Event, r.State = e.asEvent(), ControlNotRefused
		if e.refusesKey(c.KeyARN) {
			r.State = ControlFound
		}
		return true
	})
	switch {
	case s.err != nil:
		return r, h.keyError(c.KeyARN, s.err)
	case r.Event != nil:
	case now.Before(c.At.Add(deliveryLag)):
		r.State, r.AskAgain = ControlPending, c.At.Add(deliveryLag).UTC()
	case !s.limited && s.odd == 0:
		r.State = ControlMissing
	}
	h.judged(r)
	return r, nil
}

// judged keeps what the latest control makes of silence.
func (h *EventHistory) judged(r ControlResult) {
	var text string
	switch r.State {
	case ControlFound:
		text = fmt.Sprintf("corroborated by a control at %s (%s)", stampOf(r.At), r.Event.Operation)
	case ControlMissing:
		text = fmt.Sprintf("a control refused at %s is not shown: refusals may not appear here", stampOf(r.At))
	default:
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !r.At.Before(h.controlAt) {
		h.controlAt, h.controlText = r.At, text
	}
}
