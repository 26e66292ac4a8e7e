package cloudtrail_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

func TestAControlShowsWhetherRefusalsAreSeen(t *testing.T) {
	refusal := eventRefused("Encrypt", "control", eventAgo(time.Hour))
	refusal.arn = otherARN
	with := func(change func(*loggedEvent)) []loggedEvent { e := refusal; change(&e); return []loggedEvent{e} }
	crowd := []loggedEvent{refusal}
	for i := range 600 {
		crowd = append(crowd, loggedEvent{at: eventAgo(time.Hour).Add(time.Minute), id: fmt.Sprint(i), op: "DescribeKey", arn: otherARN})
	}
	for name, tt := range map[string]struct {
		events []loggedEvent
		at     time.Time
		want   cloudtrail.ControlState
		spot   string
	}{
		"found":                               {[]loggedEvent{refusal}, eventAgo(time.Hour), cloudtrail.ControlFound, "corroborated by a control at 2026-06-01T11:00:00Z (Encrypt)"},
		"found, by a clock that is apart":     {[]loggedEvent{refusal}, eventAgo(time.Hour - 4*time.Minute), cloudtrail.ControlFound, "corroborated by a control at 2026-06-01T11:04:00Z (Encrypt)"},
		"missing":                             {nil, eventAgo(time.Hour), cloudtrail.ControlMissing, "a control refused at 2026-06-01T11:00:00Z is not shown"},
		"another request is not it":           {with(func(e *loggedEvent) { e.requestID = "another" }), eventAgo(time.Hour), cloudtrail.ControlMissing, "is not shown"},
		"another key's call is not it":        {with(func(e *loggedEvent) { e.arn, e.name = keyARN, otherARN }), eventAgo(time.Hour), cloudtrail.ControlMissing, "is not shown"},
		"not yet":                             {nil, eventAgo(14 * time.Minute), cloudtrail.ControlPending, "; no control"},
		"it was denied: no refusal":           {with(func(e *loggedEvent) { e.code, e.message = "AccessDenied", "no" }), eventAgo(time.Hour), cloudtrail.ControlNotRefused, "; no control"},
		"it succeeded: no refusal":            {with(func(e *loggedEvent) { e.code, e.message = "", "" }), eventAgo(time.Hour), cloudtrail.ControlNotRefused, "; no control"},
		"an event cannot be read":             {with(func(e *loggedEvent) { e.wire = "{}" }), eventAgo(time.Hour), cloudtrail.ControlUnclear, "; no control"},
		"more events than its pages can hold": {crowd, eventAgo(time.Hour), cloudtrail.ControlUnclear, "; no control"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				h := (&eventServer{}).log(tt.events...).history(t)
				c := cloudtrail.Control{KeyARN: otherARN, At: tt.at, RequestID: "request-control"}
				r, err := h.Control(t.Context(), c)
				if err != nil || r.State != tt.want || r.Control != c {
					t.Fatalf("%+v, %v, want %s", r, err, tt.want)
				}
				if found := tt.want == cloudtrail.ControlFound || tt.want == cloudtrail.ControlNotRefused; found != (idOf(r.Event) == "control") {
					t.Errorf("event = %+v", r.Event)
				}
				if pending := tt.want == cloudtrail.ControlPending; pending != r.AskAgain.Equal(tt.at.Add(15*time.Minute)) {
					t.Errorf("ask again at %v", r.AskAgain)
				}
				if got := eventSpots(look(t, h, eventFinding(types.KeyStateDisabled, nil))); !strings.Contains(got, tt.spot) {
					t.Errorf("blind spots: %s\nwant %q", got, tt.spot)
				}
			})
		})
	}
}

// A pending control is judged when it is asked for again; an older one does not
// replace a newer.
func TestTheLatestControlCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{}).log(eventRefused("Decrypt", "old", eventAgo(2*time.Hour)))
		h := srv.history(t)
		ask := func(id string, at time.Time, want cloudtrail.ControlState) {
			t.Helper()
			r, err := h.Control(t.Context(), cloudtrail.Control{KeyARN: keyARN, At: at, RequestID: "request-" + id})
			if err != nil || r.State != want {
				t.Errorf("%s: %+v, %v, want %s", id, r, err, want)
			}
		}
		says := func(want string) {
			t.Helper()
			if got := eventSpots(look(t, h, eventFinding(types.KeyStateDisabled, nil))); !strings.Contains(got, want) {
				t.Errorf("blind spots: %s\nwant %q", got, want)
			}
		}
		ask("new", eventNoon, cloudtrail.ControlPending)
		says("no control")
		time.Sleep(15 * time.Minute)
		ask("new", eventNoon, cloudtrail.ControlMissing)
		says("is not shown")
		ask("old", eventAgo(2*time.Hour), cloudtrail.ControlFound)
		says("is not shown")
		srv.log(eventRefused("Decrypt", "new", eventNoon))
		ask("new", eventNoon, cloudtrail.ControlFound)
		says("corroborated by a control at 2026-06-01T12:00:00Z (Decrypt)")
	})
}

func TestAControlThatCannotBeMeantIsRefused(t *testing.T) {
	for name, c := range map[string]cloudtrail.Control{
		"nothing":         {},
		"no key":          {At: eventAgo(time.Hour), RequestID: "r"},
		"an alias":        {KeyARN: strings.Replace(keyARN, "key/", "alias/", 1), At: eventAgo(time.Hour), RequestID: "r"},
		"another account": {KeyARN: strings.Replace(keyARN, eventAccount, "444455556666", 1), At: eventAgo(time.Hour), RequestID: "r"},
		"another Region":  {KeyARN: strings.Replace(keyARN, eventRegion, "eu-west-1", 1), At: eventAgo(time.Hour), RequestID: "r"},
		"no request ID":   {KeyARN: keyARN, At: eventAgo(time.Hour)},
		"no time":         {KeyARN: keyARN, RequestID: "r"},
		"of the future":   {KeyARN: keyARN, At: eventNoon.Add(time.Hour), RequestID: "r"},
		"out of reach":    {KeyARN: keyARN, At: eventAgo(91 * eventDay), RequestID: "r"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := &eventServer{}
				if _, err := srv.history(t).Control(t.Context(), c); !errors.Is(err, usage.ErrInvalidOption) || len(srv.requests()) != 0 {
					t.Errorf("%v after %d calls", err, len(srv.requests()))
				}
			})
		})
	}
}

func TestAControlThatCouldNotBeLookedForIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{fail: func(int, askedEvents) (int, string) { return http.StatusBadRequest, "AccessDeniedException" }}
		r, err := srv.history(t).Control(t.Context(), cloudtrail.Control{KeyARN: keyARN, At: eventAgo(time.Hour), RequestID: "r"})
		if e, ok := errors.AsType[*usage.KeyError](err); !ok || e.ARN != keyARN || !errors.Is(err, usage.ErrAccessDenied) || r.State != cloudtrail.ControlUnclear {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
