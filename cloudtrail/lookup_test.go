package cloudtrail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"go.uber.org/mock/gomock"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/cloudtrail/trailmock"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func isInvalidOption(err error) bool { return errors.Is(err, usage.ErrInvalidOption) }

func withEvents(c cloudtrail.EventReader, fn func(*cloudtrail.EventHistoryOptions)) func() (*cloudtrail.EventHistory, error) {
	return func() (*cloudtrail.EventHistory, error) {
		return cloudtrail.NewEventHistory(c, eventAccount, eventRegion, fn)
	}
}

// eventDropper loses the option functions, as a careless decorator does.
type eventDropper struct{ c cloudtrail.EventReader }

func (d *eventDropper) LookupEvents(ctx context.Context, in *trail.LookupEventsInput, _ ...func(*trail.Options)) (*trail.LookupEventsOutput, error) {
	return d.c.LookupEvents(ctx, in)
}

// anyPages lets a walk go as far as it takes.
func anyPages(o *cloudtrail.EventHistoryOptions) { o.Pages = 1000 }

// lastOfMany is a use behind n other events.
func lastOfMany(n int) []loggedEvent {
	return append(eventNoise(n, eventTracked.Add(-time.Hour), time.Second),
		loggedEvent{at: eventTracked.Add(-10 * eventDay), id: "use", op: "Decrypt", arn: keyARN})
}

func TestAllPagesOfAWalkAreAskedForAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{latency: 3 * time.Second}).log(lastOfMany(170)...)
		r := look(t, srv.history(t), eventFinding(types.KeyStateEnabled, nil))
		as := srv.requests()
		if len(as) != 4 || idOf(r.Last) != "use" {
			t.Fatalf("%d pages, last %q", len(as), idOf(r.Last))
		}
		for i, a := range as {
			if a.same() != as[0].same() || (a.NextToken == "") != (i == 0) {
				t.Errorf("page %d: %+v, the first: %+v", i+1, a, as[0])
			}
		}
		if as[0].EndTime != float64(eventTracked.Unix()) {
			t.Errorf("EndTime = %v, want the start of tracking", as[0].EndTime)
		}
	})
}

func TestATokenThatFailsIsRecoveredFrom(t *testing.T) {
	for name, tt := range map[string]struct {
		code    string
		life    int // pages; see eventServer
		failing func(n int, a askedEvents) bool
		calls   int
	}{
		"tokens that expire after two pages":    {"", 2, nil, 8},
		"one expired token":                     {"ExpiredNextTokenException", 0, func(n int, _ askedEvents) bool { return n == 3 }, 7},
		"an invalid token, five times in a row": {"InvalidNextTokenException", 0, func(n int, a askedEvents) bool { return a.NextToken != "" && n < 11 }, 15},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{tokenLife: tt.life}).log(eventNoise(240, eventTracked.Add(-time.Hour), 5*time.Minute)...)
				srv.log(lastOfMany(0)...)
				if tt.failing != nil {
					srv.fail = func(n int, a askedEvents) (int, string) {
						if tt.failing(n, a) {
							return http.StatusBadRequest, tt.code
						}
						return 0, ""
					}
				}
				r := look(t, srv.history(t, anyPages), eventFinding(types.KeyStateEnabled, nil))
				if idOf(r.Last) != "use" || len(srv.requests()) > tt.calls {
					t.Errorf("last %q after %d calls, want it within %d", idOf(r.Last), len(srv.requests()), tt.calls)
				}
				// Each restart ends where events had been seen.
				end := 0.0
				for i, a := range srv.requests() {
					if i > 0 && a.EndTime > end {
						t.Errorf("request %d ends later than the one before", i+1)
					}
					if end = a.EndTime; a.StartTime != srv.requests()[0].StartTime {
						t.Errorf("request %d begins at %v", i+1, a.StartTime)
					}
				}
				if got := eventSpots(r); strings.Contains(got, "order") || strings.Contains(got, "early") || !strings.Contains(got, "its token failed ") {
					t.Errorf("blind spots: %s", got)
				}
			})
		})
	}
}

// A token can fail before any event has been seen: the pages before it were empty.
func TestATokenThatFailsBehindEmptyPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{reply: func(n int, body string) string {
			if n == 1 {
				return `{"Events":[],"NextToken":"lost"}`
			}
			return body
		}}).log(lastOfMany(10)...)
		r := look(t, srv.history(t), eventFinding(types.KeyStateEnabled, nil))
		as := srv.requests()
		if idOf(r.Last) != "use" || len(as) != 3 || as[2].same() != as[0].same() {
			t.Errorf("last %q after %+v", idOf(r.Last), as)
		}
	})
}

// A token that fails on the last page allowed ends the walk as that page would.
func TestATokenThatFailsOnTheLastPageAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{tokenLife: 2}).log(lastOfMany(240)...)
		r := look(t, srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Pages = 3 }), eventFinding(types.KeyStateEnabled, nil))
		if got := eventSpots(r); r.Last != nil || len(srv.requests()) != 3 || !strings.Contains(got, "no more than 3 pages") {
			t.Errorf("last %q after %d calls; %s", idOf(r.Last), len(srv.requests()), got)
		}
	})
}

// Many events of one second come again after a restart; none may count twice, or
// be lost.
func TestEventsAreTakenOnce(t *testing.T) {
	for name, srv := range map[string]*eventServer{
		"after a restart within a second": {tokenLife: 2},
		"where the service repeats them": {reply: func(_ int, body string) string {
			i, j := strings.Index(body, "[")+1, strings.LastIndex(body, "]")
			return body[:j] + "," + body[i:j] + body[j:]
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				at := eventTracked.Add(-time.Hour)
				var events []loggedEvent
				for i := range 120 { // none of them names a key, each is counted
					events = append(events, loggedEvent{at: at.Add(-time.Duration(i/60) * time.Second), id: fmt.Sprint(i), op: "Decrypt", name: keyARN})
				}
				srv.log(events...)
				r := look(t, srv.history(t, anyPages), eventFinding(types.KeyStateEnabled, nil))
				if got := eventSpots(r); !strings.Contains(got, "120 events name no key") {
					t.Errorf("blind spots: %s\nwant 120 events counted once", got)
				}
			})
		})
	}
}

func TestAWalkThatCannotEndEndsWithAnError(t *testing.T) {
	for name, tt := range map[string]struct {
		srv  *eventServer
		want error
		text string
	}{
		"every token is invalid": {&eventServer{fail: func(_ int, a askedEvents) (int, string) {
			if a.NextToken != "" {
				return http.StatusBadRequest, "InvalidNextTokenException"
			}
			return 0, ""
		}}, nil, "InvalidNextTokenException"},
		"the tokens go round": {&eventServer{
			fail: func(int, askedEvents) (int, string) { return 0, "" },
			reply: func(_ int, body string) string {
				events, _, _ := strings.Cut(body, `"NextToken"`)
				return events + `"NextToken":"1"}`
			},
		}, usage.ErrMalformed, "circle"},
		"no list of events":   {&eventServer{reply: func(int, string) string { return `{}` }}, usage.ErrMalformed, "no Events"},
		"a list that is null": {&eventServer{reply: func(int, string) string { return `{"Events":null}` }}, usage.ErrMalformed, "no Events"},
		"no JSON":             {&eventServer{reply: func(int, string) string { return `<html>` }}, usage.ErrMalformed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				tt.srv.log(lastOfMany(600)...)
				r, err := tt.srv.history(t, anyPages).Look(t.Context(), eventFinding(types.KeyStateEnabled, nil))
				e, ok := errors.AsType[*usage.KeyError](err)
				if !ok || e.ARN != keyARN || e.Op != "LookupEvents" || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error = %v", err)
				}
				if got := eventSpots(r); !strings.Contains(got, "the look-up ended early") {
					t.Errorf("blind spots: %s", got)
				}
				if n := len(tt.srv.requests()); n > 20 {
					t.Errorf("%d calls", n)
				}
			})
		})
	}
}

func TestEventsOutOfOrderAreSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		late, soon := eventTracked.Add(-time.Hour), eventTracked.Add(-2*time.Hour)
		srv := &eventServer{reply: func(int, string) string {
			return `{"Events":[` + (loggedEvent{at: soon, id: "1", op: "Decrypt", arn: keyARN}).json() + "," + (loggedEvent{at: late, id: "2", op: "Decrypt", arn: keyARN}).json() + `]}`
		}}
		r := look(t, srv.history(t), eventFinding(types.KeyStateEnabled, nil))
		if idOf(r.Last) != "2" || !strings.Contains(eventSpots(r), "order of time") {
			t.Errorf("last %q; %s", idOf(r.Last), eventSpots(r))
		}
	})
}

// What was learned before a failure is kept; what it was is said.
func TestAFailureLeavesAGapAndWhatWasFoundBefore(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		code   string
		want   error
		reason usage.GapReason
		calls  int // at most, from the failure on: each operation that switches keys is asked for by itself
	}{
		"denied":                        {400, "AccessDeniedException", usage.ErrAccessDenied, usage.Denied, 1},
		"not permitted":                 {400, "OperationNotPermittedException", usage.ErrAccessDenied, usage.Denied, 1},
		"expired credentials":           {400, "ExpiredTokenException", usage.ErrAccessDenied, usage.Unauthenticated, 1},
		"throttled beyond all patience": {400, "ThrottlingException", usage.ErrThrottled, usage.Throttled, 1000},
		"throttled by another name":     {400, "RequestLimitExceeded", usage.ErrThrottled, usage.Throttled, 1000},
		"unsupported in the Region":     {400, "UnsupportedOperationException", usage.ErrUnsupported, usage.Unsupported, 1},
		"out of order":                  {500, "InternalFailure", usage.ErrUnavailable, usage.Unavailable, 6},
		"an invalid time range":         {400, "InvalidTimeRangeException", nil, usage.Failed, 8},
		"invalid attributes":            {400, "InvalidLookupAttributesException", nil, usage.Failed, 8},
		"an invalid category":           {400, "InvalidEventCategoryException", nil, usage.Failed, 8},
		"a token where there was none":  {400, "InvalidNextTokenException", nil, usage.Failed, 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				at := eventAgo(3 * eventDay)
				srv := (&eventServer{}).log(loggedEvent{at: at, id: "e", op: "Decrypt", arn: keyARN})
				srv.fail = func(_ int, a askedEvents) (int, string) {
					if a.key() == "EventId" {
						return 0, ""
					}
					return tt.status, tt.code
				}
				f := finding(types.KeyStateDisabled, at)
				r, err := srv.history(t).Look(t.Context(), f)
				if tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.code) {
					t.Errorf("error = %v, want one that is %v", err, tt.want)
				}
				if idOf(r.Last) != "e" {
					t.Errorf("last = %+v; it was found before the failure", r.Last)
				}
				if n := len(srv.requests()) - 1; n > tt.calls {
					t.Errorf("%d calls after it failed, want %d at most", n, tt.calls)
				}
				if f := inspectOne(t, srv.history(t)); len(f.Gaps) != 1 || f.Gaps[0].Op != "History:cloudtrail-event-history" || f.Gaps[0].Reason != tt.reason || tt.want != nil && !errors.Is(f.Gaps[0].Err, tt.want) {
					t.Errorf("gaps = %+v, want one that is %s", f.Gaps, tt.reason)
				}
			})
		})
	}
}

func finding(state types.KeyState, at time.Time) usage.Finding {
	return eventFinding(state, &usage.Use{At: at, EventID: "e"})
}

// inspectOne inspects a KMS with one disabled key, whose history is h.
func inspectOne(t *testing.T, h usage.History) usage.Finding {
	t.Helper()
	srv := kmsfake.New(func(o *kmsfake.Options) { o.TrackingStart = eventTracked })
	srv.MustAddKey(kmsfake.Key{Account: eventAccount, Region: eventRegion, Created: eventMade, LastUsed: eventAgo(3 * eventDay), State: types.KeyStateDisabled})
	fs, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(eventAccount, eventRegion), func(o *usage.InspectOptions) { o.History = []usage.History{h} }))
	if err != nil || len(fs) != 1 {
		t.Fatalf("%d findings, %v", len(fs), err)
	}
	return fs[0]
}

// What will be denied again is not asked for.
func TestAfterADenialNothingMoreIsAskedAboutTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{fail: func(int, askedEvents) (int, string) { return http.StatusBadRequest, "AccessDeniedException" }}
		r, err := srv.history(t).Look(t.Context(), finding(types.KeyStateDisabled, eventAgo(eventDay)))
		if !errors.Is(err, usage.ErrAccessDenied) || len(srv.requests()) != 1 || r.Last != nil || r.Coverage != nil {
			t.Errorf("%v after %d calls: %+v", err, len(srv.requests()), r)
		}
	})
}

// Patience is for throttling without one success in between.
func TestASuccessRenewsThePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{fail: func(n int, _ askedEvents) (int, string) {
			if n%2 == 0 {
				return http.StatusBadRequest, "ThrottlingException"
			}
			return 0, ""
		}}
		h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Patience = 5 * time.Second })
		start := time.Now()
		for range 20 {
			look(t, h, eventFinding(types.KeyStateEnabled, nil))
		}
		if d := time.Since(start); d < 15*time.Second {
			t.Errorf("took %v, which shows nothing", d)
		}
	})
}

// A quota of two a second, however it is shared with nobody, loses nothing.
func TestAttemptsArePacedJustUnderTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{quota: 2, latency: 40 * time.Millisecond}
		h := srv.history(t)
		at := eventAgo(3 * eventDay)
		const keys = 60
		var fs []usage.Finding
		for i := range keys {
			f := eventUsed(at, fmt.Sprint(i), "")
			f.ARN = fmt.Sprintf("%s%04d", keyARN, i)
			srv.log(loggedEvent{at: at, id: fmt.Sprint(i), op: "Decrypt", arn: f.ARN})
			fs = append(fs, f)
		}
		e := h.Estimate(fs)
		start := time.Now()
		found := lookAll(t, h, fs)
		took := time.Since(start)
		if found != keys || len(srv.requests()) != keys {
			t.Errorf("%d of %d found with %d calls", found, keys, len(srv.requests()))
		}
		ideal := time.Duration(keys) * time.Second / 2
		if took > ideal*105/100 || took < ideal*95/100 || (took-e.Time).Abs() > time.Second {
			t.Errorf("took %v, estimated %v; at the quota it is %v", took, e.Time, ideal)
		}
	})
}

func lookAll(t *testing.T, h *cloudtrail.EventHistory, fs []usage.Finding) (found int) {
	t.Helper()
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, f := range fs {
		wg.Go(func() {
			r, err := h.Look(t.Context(), f)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", f.ARN, err)
			}
			if r.Last != nil {
				found++
			}
		})
	}
	wg.Wait()
	return found
}

func TestThrottlingLosesNoEvent(t *testing.T) {
	for name, tt := range map[string]struct {
		throttled func(since time.Duration, n int) bool
		quota     float64
	}{
		"for five minutes":         {func(since time.Duration, _ int) bool { return since < 5*time.Minute }, 0},
		"every other attempt":      {func(_ time.Duration, n int) bool { return n%2 == 0 }, 0},
		"by a quota that was less": {nil, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := &eventServer{quota: 2}
				start := time.Now()
				if tt.throttled != nil {
					srv.fail = func(n int, _ askedEvents) (int, string) {
						if tt.throttled(time.Since(start), n) {
							return http.StatusBadRequest, "ThrottlingException"
						}
						return 0, ""
					}
				}
				at := eventAgo(3 * eventDay)
				var fs []usage.Finding
				for i := range 20 {
					srv.log(loggedEvent{at: at, id: fmt.Sprint(i), op: "Decrypt", arn: keyARN})
					fs = append(fs, eventUsed(at, fmt.Sprint(i), ""))
				}
				h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Quota = tt.quota })
				if found := lookAll(t, h, fs); found != 20 {
					t.Errorf("%d of 20 found", found)
				}
			})
		})
	}
}

func TestAClientThatDropsOptionFunctionsIsWarnedOfOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		wrap func(cloudtrail.EventReader) cloudtrail.EventReader
		want int
	}{
		"a decorator that drops them": {func(c cloudtrail.EventReader) cloudtrail.EventReader { return &eventDropper{c} }, 1},
		"the SDK's client":            {func(c cloudtrail.EventReader) cloudtrail.EventReader { return c }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				var out bytes.Buffer
				srv := &eventServer{}
				h, err := cloudtrail.NewEventHistory(tt.wrap(srv.client()), eventAccount, eventRegion, func(o *cloudtrail.EventHistoryOptions) {
					o.Logger = slog.New(slog.NewTextHandler(&out, nil))
				})
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					look(t, h, eventFinding(types.KeyStateEnabled, nil))
				}
				if n := strings.Count(out.String(), "level=WARN"); n != tt.want {
					t.Errorf("%d warnings, want %d:\n%s", n, tt.want, out.String())
				}
			})
		})
	}
}

func TestTheRegionsSwitchesAreReadOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{latency: 100 * time.Millisecond}
		h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Quota = 100 })
		for i, op := range []string{"EnableKey", "CancelKeyDeletion", "ImportKeyMaterial"} { // what all keys are told
			srv.log(loggedEvent{at: eventAgo(time.Hour), id: fmt.Sprint(i), op: op, wire: "{}"})
		}
		var fs []usage.Finding
		for i := range 16 {
			f := eventFinding(types.KeyStateDisabled, nil)
			f.ARN = fmt.Sprintf("%s%02d", keyARN, i)
			f.LastUsage.TrackingStart = eventMade
			if i%2 == 0 {
				srv.log(loggedEvent{at: eventAgo(time.Duration(i+1) * eventDay), id: fmt.Sprint("off", i), op: "DisableKey", arn: f.ARN})
			}
			fs = append(fs, f)
		}
		var wg sync.WaitGroup
		for i, f := range fs {
			wg.Go(func() {
				r, err := h.Look(t.Context(), f)
				want := fmt.Sprint("off", i)
				if i%2 == 1 {
					want = ""
				}
				if err != nil || idOf(r.Off) != want || strings.Contains(eventSpots(r), "since when it is off is not known") != (want == "") {
					t.Errorf("key %d: off %q, %v; %s", i, idOf(r.Off), err, eventSpots(r))
				}
			})
		}
		wg.Wait()
		if n, m := srv.count("EventName"), srv.count("ResourceName"); n != 7 || m != 16 {
			t.Errorf("%d calls for the Region, %d for its keys, want 7 and 16", n, m)
		}
		// What happened since is seen an hour later.
		time.Sleep(30 * time.Minute)
		look(t, h, fs[0])
		if n := srv.count("EventName"); n != 7 {
			t.Errorf("%d calls for the Region within the hour, want 7", n)
		}
		srv.log(loggedEvent{at: time.Now().Add(-20 * time.Minute), id: "anew", op: "ScheduleKeyDeletion", arn: fs[0].ARN},
			loggedEvent{at: time.Now().Add(-21 * time.Minute), id: "on", op: "EnableKey", arn: fs[0].ARN})
		time.Sleep(31 * time.Minute)
		if r := look(t, h, fs[0]); idOf(r.Off) != "anew" || srv.count("EventName") != 14 {
			t.Errorf("off %q after %d calls for the Region, want it read anew", idOf(r.Off), srv.count("EventName"))
		}
	})
}

// One caller's end is its own: the others go on, from where it came to.
func TestACanceledCallerDoesNotPoisonTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{latency: time.Second}).log(loggedEvent{at: eventAgo(eventDay), id: "off", op: "DisableKey", arn: keyARN})
		h := srv.history(t)
		f := eventFinding(types.KeyStateDisabled, nil)
		f.LastUsage.TrackingStart = eventMade

		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		for range 2 { // one reads, one waits for it
			wg.Go(func() {
				_, err := h.Look(ctx, f)
				if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || errors.Is(err, usage.ErrUnavailable) {
					t.Errorf("error = %v, want the context's", err)
				}
			})
		}
		synctest.Wait()
		wg.Go(func() {
			if r, err := h.Look(t.Context(), f); err != nil || idOf(r.Off) != "off" {
				t.Errorf("off %q, %v", idOf(r.Off), err)
			}
		})
		time.Sleep(2500 * time.Millisecond)
		cancel(why)
		wg.Wait()
		if n := srv.count("EventName"); n > 7 {
			t.Errorf("%d calls for the Region; what had been read was to be kept", n)
		}
	})
}

func TestADeadlineIsNoFailureOfTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{latency: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := srv.history(t).Look(ctx, eventFinding(types.KeyStateEnabled, nil))
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, usage.ErrUnavailable) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestAFailedReadingOfTheRegionIsRememberedForSomeMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		denied := true
		srv := (&eventServer{fail: func(_ int, a askedEvents) (int, string) {
			if denied && a.value() == "EnableKey" {
				return http.StatusBadRequest, "AccessDeniedException"
			}
			return 0, ""
		}}).log(loggedEvent{at: eventAgo(eventDay), id: "off", op: "DisableKey", arn: keyARN},
			loggedEvent{at: eventNoon, id: "again", op: "DisableKey", arn: keyARN})
		h := srv.history(t)
		f := eventFinding(types.KeyStateDisabled, nil)
		f.LastUsage.TrackingStart = eventMade
		if r, err := h.Look(t.Context(), f); !errors.Is(err, usage.ErrAccessDenied) || r.Off != nil {
			t.Errorf("off %q, %v; half of the calls say nothing", idOf(r.Off), err)
		}
		denied = false
		before := len(srv.requests())
		time.Sleep(5*time.Minute - time.Second)
		if r, err := h.Look(t.Context(), f); !errors.Is(err, usage.ErrAccessDenied) || r.Off != nil || len(srv.requests()) != before {
			t.Errorf("off %q, %v after %d more calls", idOf(r.Off), err, len(srv.requests())-before)
		}
		time.Sleep(time.Second)
		if r := look(t, h, f); idOf(r.Off) != "off" {
			t.Errorf("off = %q", idOf(r.Off))
		}
	})
}

// A key that was enabled again before the time that all seven were read of is not
// known to be off.
func TestSwitchesBehindTheLimitOfPagesDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{}).log(loggedEvent{at: eventAgo(50 * eventDay), id: "off", op: "DisableKey", arn: keyARN})
		for i := range 120 {
			srv.log(loggedEvent{at: eventAgo(time.Duration(i) * time.Hour), id: fmt.Sprint(i), op: "EnableKey", arn: otherARN})
		}
		f := eventFinding(types.KeyStateDisabled, nil)
		f.LastUsage.TrackingStart = eventMade
		r := look(t, srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.RegionPages = 2 }), f)
		if r.Off != nil || !strings.Contains(eventSpots(r), "of EnableKey no more than 2 pages were read") {
			t.Errorf("off %q; %s", idOf(r.Off), eventSpots(r))
		}
	})
}

// As with any mock: nothing is paced, since it calls no option function.
func TestAMockAnswersAsTheServiceDoes(t *testing.T) {
	m := trailmock.NewMockEventReader(gomock.NewController(t))
	record := `{"eventSource":"kms.amazonaws.com","eventName":"Sign","eventTime":"2026-05-20T12:00:00Z","eventID":"e","resources":[{"ARN":"` + keyARN + `"}]}`
	m.EXPECT().LookupEvents(gomock.Any(), gomock.Any(), gomock.Any()).DoAndReturn(
		func(_ context.Context, in *trail.LookupEventsInput, _ ...func(*trail.Options)) (*trail.LookupEventsOutput, error) {
			a := in.LookupAttributes[0]
			if len(in.LookupAttributes) != 1 || a.AttributeKey != trailtypes.LookupAttributeKeyEventId || *a.AttributeValue != "e" || in.EventCategory != "" {
				t.Errorf("asked for %+v", in)
			}
			return &trail.LookupEventsOutput{Events: []trailtypes.Event{{EventId: aws.String("e"), CloudTrailEvent: &record}}}, nil
		})
	h, err := withEvents(m, func(o *cloudtrail.EventHistoryOptions) { o.Now = func() time.Time { return eventNoon } })()
	if err != nil {
		t.Fatal(err)
	}
	if r := look(t, h, eventUsed(eventAgo(12*eventDay), "e", "")); r.Last == nil || r.Last.Operation != "Sign" {
		t.Errorf("last = %+v", r.Last)
	}

	m.EXPECT().LookupEvents(gomock.Any(), gomock.Any(), gomock.Any()).Return(nil, nil)
	if _, err := h.Look(t.Context(), eventUsed(eventAgo(12*eventDay), "e", "")); !errors.Is(err, usage.ErrMalformed) {
		t.Errorf("neither an answer nor an error: %v", err)
	}
}

// Over a real connection: the SDK's own client, retries and decoding.
func TestOverARealConnection(t *testing.T) {
	srv := (&eventServer{}).log(
		loggedEvent{at: time.Now().Add(-2 * eventDay), id: "off", op: "DisableKey", arn: keyARN},
		loggedEvent{at: time.Now().Add(-eventDay).Truncate(time.Second), id: "no", op: "Decrypt", arn: keyARN, code: "DisabledException", message: keyARN + " is disabled."},
	)
	srv.log(eventNoise(60, time.Now().Add(-time.Hour), time.Minute)...)
	broken := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken++; broken == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		srv.ServeHTTP(w, r)
	}))
	defer web.Close()
	client := trail.New(eventClientOptions(func(o *trail.Options) {
		o.BaseEndpoint = &web.URL
		o.HTTPClient = web.Client()
	}))
	h, err := withEvents(client, func(o *cloudtrail.EventHistoryOptions) { o.Quota = 1000 })()
	if err != nil {
		t.Fatal(err)
	}
	f := usage.Finding{
		ARN:       keyARN,
		Metadata:  &usage.Metadata{State: types.KeyStateDisabled, Created: time.Now().Add(-100 * eventDay)},
		LastUsage: &usage.LastUsage{ReadAt: time.Now(), Created: time.Now().Add(-100 * eventDay), TrackingStart: time.Now().Add(-100 * eventDay)},
	}
	r := look(t, h, f)
	if idOf(r.Off) != "off" || idsOf(r.Refusals) != "no" {
		t.Errorf("off %q, refusals %q", idOf(r.Off), idsOf(r.Refusals))
	}
	if n := len(srv.requests()); n != 9 || slices.ContainsFunc(srv.requests(), func(a askedEvents) bool { return a.status != 200 }) {
		t.Errorf("%d requests: %+v", n, srv.requests())
	}
}

// Tokens can be refused again before the margin of the restart has been read anew.
func TestManyEventsWithinTheMarginOfARestartDoNotHoldItUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{tokenLife: 2}).log(lastOfMany(240)...) // one a second
		r := look(t, srv.history(t, anyPages), eventFinding(types.KeyStateEnabled, nil))
		if idOf(r.Last) != "use" {
			t.Errorf("last %q after %d calls; %s", idOf(r.Last), len(srv.requests()), eventSpots(r))
		}
	})
}

// The last event before the token failed is older than one behind it.
func TestARestartLosesNoEventThatCameSlightlyOutOfOrder(t *testing.T) {
	for name, life := range map[string]int{"without a restart": 0, "with one": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{tokenLife: life}).log(eventNoise(49, eventAgo(time.Hour), time.Second)...)
				srv.events = append(srv.events,
					loggedEvent{at: eventAgo(3 * eventDay), id: "older", op: "DescribeKey", arn: keyARN},
					eventRefused("Decrypt", "newer", eventAgo(3*eventDay-4*time.Minute)))
				r := look(t, srv.history(t), eventFinding(types.KeyStateDisabled, nil))
				if got := eventSpots(r); idsOf(r.Refusals) != "newer" || !strings.Contains(got, "order of time") || strings.Contains(got, "its token failed 1 times") != (life == 1) {
					t.Errorf("refusals %q; %s", idsOf(r.Refusals), got)
				}
			})
		})
	}
}

// eventFunc answers LookupEvents.
type eventFunc func(*trail.LookupEventsInput) (*trail.LookupEventsOutput, error)

func (f eventFunc) LookupEvents(_ context.Context, in *trail.LookupEventsInput, _ ...func(*trail.Options)) (*trail.LookupEventsOutput, error) {
	return f(in)
}

// A service may number the pages of every walk alike.
func TestAfterARestartTheSameTokensMayComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		failed := false
		h, err := cloudtrail.NewEventHistory(eventFunc(func(in *trail.LookupEventsInput) (*trail.LookupEventsOutput, error) {
			switch {
			case in.NextToken == nil:
				return &trail.LookupEventsOutput{Events: []trailtypes.Event{}, NextToken: aws.String("page 2")}, nil
			case !failed:
				failed = true
				return nil, &trailtypes.InvalidNextTokenException{}
			default:
				return &trail.LookupEventsOutput{Events: []trailtypes.Event{}}, nil
			}
		}), eventAccount, eventRegion)
		if err != nil {
			t.Fatal(err)
		}
		look(t, h, eventFinding(types.KeyStateEnabled, nil))
	})
}

// deadEnd is a network without a way to CloudTrail.
type deadEnd struct {
	mu   sync.Mutex
	sent int
}

func (d *deadEnd) Do(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.sent++
	d.mu.Unlock()
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// As in a VPC without an endpoint: every key has its gap, soon.
func TestWithoutAWayToCloudTrailKeysDoNotWaitOneAfterAnother(t *testing.T) {
	for name, tt := range map[string]struct {
		state   types.KeyState
		workers int
	}{
		"enabled":                 {"Enabled", 16},
		"disabled":                {"Disabled", 16},
		"enabled, one by one":     {"Enabled", 1},
		"disabled, one by one":    {"Disabled", 1},
		"of a state that is new":  {"Novel", 4},
		"enabled, many at a time": {"Enabled", 500},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				var out bytes.Buffer
				end := &deadEnd{}
				client := trail.New(eventClientOptions(func(o *trail.Options) { o.HTTPClient = end }))
				h, err := cloudtrail.NewEventHistory(client, eventAccount, eventRegion, func(o *cloudtrail.EventHistoryOptions) {
					o.Logger, o.Quota = slog.New(slog.NewTextHandler(&out, nil)), 1000
				})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				var wg sync.WaitGroup
				for range tt.workers {
					wg.Go(func() {
						for range 500 / tt.workers {
							if _, err := h.Look(t.Context(), eventFinding(tt.state, nil)); !errors.Is(err, usage.ErrUnavailable) || !strings.Contains(err.Error(), "no answer within 30s") {
								t.Errorf("error = %v", err)
							}
						}
					})
				}
				wg.Wait()
				if d := time.Since(start); d > 12*time.Minute {
					t.Errorf("took %v and %d attempts", d, end.sent)
				}
				if n := strings.Count(out.String(), "level=WARN"); n > 1 {
					t.Errorf("%d warnings", n)
				}
			})
		})
	}
}

func TestAfterAPauseOneCallTriesWhetherCloudTrailIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		down := true
		srv := &eventServer{latency: time.Second, fail: func(int, askedEvents) (int, string) {
			if down {
				return http.StatusServiceUnavailable, "ServiceUnavailable"
			}
			return 0, ""
		}}
		h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Attempts, o.Quota = 1, 1000 })
		ask := func(ctx context.Context, want error, calls int) {
			t.Helper()
			before := len(srv.requests())
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if _, err := h.Look(ctx, eventFinding(types.KeyStateEnabled, nil)); !errors.Is(err, want) {
						t.Errorf("error = %v, want %v", err, want)
					}
				})
			}
			wg.Wait()
			if n := len(srv.requests()) - before; n != calls {
				t.Errorf("%d calls, want %d", n, calls)
			}
		}
		ask(t.Context(), usage.ErrUnavailable, 4)
		ask(t.Context(), usage.ErrUnavailable, 0)
		time.Sleep(5 * time.Minute)
		ask(t.Context(), usage.ErrUnavailable, 1)
		ask(t.Context(), usage.ErrUnavailable, 0)
		down = false
		time.Sleep(5 * time.Minute)
		// A caller that goes before there is an answer leaves it to the next.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := h.Look(ctx, eventFinding(types.KeyStateEnabled, nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
		look(t, h, eventFinding(types.KeyStateEnabled, nil))
		ask(t.Context(), nil, 4)
	})
}

// Failures count in a row: a call that is answered, with whatever, ends it.
func TestFailuresNowAndThenStopNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{fail: func(n int, _ askedEvents) (int, string) {
			switch n % 3 {
			case 0:
				return http.StatusBadRequest, "AccessDeniedException"
			default:
				return http.StatusServiceUnavailable, "ServiceUnavailable"
			}
		}}
		h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Attempts = 1 })
		for range 12 {
			_, _ = h.Look(t.Context(), eventFinding(types.KeyStateEnabled, nil))
		}
		if n := len(srv.requests()); n != 12 {
			t.Errorf("%d calls, want 12", n)
		}
	})
}

// The rest of one operation cannot be read. What could be read counts.
func TestWhatWasReadOfTheRegionBeforeAFailureIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{page: 1}
		for i := range 30 {
			srv.log(loggedEvent{at: eventAgo(time.Duration(i+1) * time.Hour), id: fmt.Sprint("o", i), op: "DisableKey", arn: otherARN})
		}
		srv.log(loggedEvent{at: eventAgo(90 * time.Minute), id: "off", op: "DisableKey", arn: keyARN},
			loggedEvent{at: eventAgo(50 * eventDay), id: "on", op: "EnableKey", arn: keyARN})
		broken := true
		srv.reply = func(_ int, body string) string {
			if broken && strings.Contains(body, `"o29"`) {
				return `{}`
			}
			return body
		}
		h := srv.history(t)
		f := eventFinding(types.KeyStateDisabled, nil)
		f.LastUsage.TrackingStart = eventMade
		const spot = "of DisableKey calls before 2026-05-31T07:00:01Z could not be looked up"
		for range 10 {
			r, err := h.Look(t.Context(), f)
			if !errors.Is(err, usage.ErrMalformed) || idOf(r.Off) != "off" || !strings.Contains(eventSpots(r), spot) {
				t.Errorf("off %q, %v; %s", idOf(r.Off), err, eventSpots(r))
			}
		}
		if n := srv.count("EventName"); n != 31+6 {
			t.Errorf("%d calls for the Region, want 37", n)
		}
		// After the pause it goes on from there.
		broken = false
		time.Sleep(5 * time.Minute)
		r := look(t, h, f)
		if n := srv.count("EventName"); idOf(r.Off) != "off" || strings.Contains(eventSpots(r), "could not be looked up") || n > 37+3 {
			t.Errorf("off %q after %d calls for the Region; %s", idOf(r.Off), n, eventSpots(r))
		}
	})
}

func TestTheRegionIsReadAnewWhenTheClockIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{}
		now := eventNoon
		h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Now = func() time.Time { return now } })
		f := eventFinding(types.KeyStateDisabled, nil)
		for i, d := range []time.Duration{0, 0, -time.Minute} {
			now = now.Add(d)
			look(t, h, f)
			if n, want := srv.count("EventName"), []int{7, 7, 14}[i]; n != want {
				t.Errorf("%d calls for the Region, want %d", n, want)
			}
		}
	})
}

// A caller that gives up was not answered: it must not renew the patience of the
// others.
func TestCallersThatGiveUpDoNotRenewThePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{fail: func(int, askedEvents) (int, string) { return http.StatusBadRequest, "ThrottlingException" }}
		h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Patience = time.Minute })
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			for time.Since(start) < 10*time.Minute {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				_, _ = h.Look(ctx, eventUsed(eventAgo(3*eventDay), "x", "y"))
				cancel()
			}
		})
		_, err := h.Look(t.Context(), eventUsed(eventAgo(3*eventDay), "x", "y"))
		if d := time.Since(start); !errors.Is(err, usage.ErrThrottled) || d > 2*time.Minute {
			t.Errorf("gave up after %v, want about a minute: %v", d, err)
		}
		wg.Wait()
	})
}

// What may be missing of the calls that switch keys is said, and nothing is built
// on them that the missing ones could disprove.
func TestSwitchesThatComeOutOfOrderOrInPiecesAreSaid(t *testing.T) {
	enabled := loggedEvent{at: eventAgo(20 * eventDay), id: "on", op: "EnableKey", arn: keyARN}
	disabled := loggedEvent{at: eventAgo(10 * eventDay), id: "off", op: "DisableKey", arn: keyARN}
	other := loggedEvent{at: eventAgo(15 * eventDay), id: "other", op: "DisableKey", arn: otherARN}
	for name, tt := range map[string]struct {
		srv      *eventServer
		refusals string
		spot     string
	}{
		"in order":     {&eventServer{events: []loggedEvent{disabled, other, enabled}}, "", ""},
		"out of order": {&eventServer{events: []loggedEvent{other, disabled, enabled}}, "before", "events of DisableKey did not come in order of time"},
		"in pieces": {&eventServer{events: []loggedEvent{disabled, other, enabled}, page: 1, fail: func(n int, _ askedEvents) (int, string) {
			if n == 2 { // the second page of the first operation
				return http.StatusBadRequest, "InvalidNextTokenException"
			}
			return 0, ""
		}}, "", "of DisableKey the token failed 1 times, and the walk began anew near the last event seen"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				tt.srv.events = append(tt.srv.events, eventRefused("Decrypt", "before", eventAgo(11*eventDay)))
				f := eventFinding(types.KeyStateDisabled, nil)
				f.LastUsage.TrackingStart = eventMade
				r := look(t, tt.srv.history(t), f)
				if got := eventSpots(r); idOf(r.Off) != "off" || idsOf(r.Refusals) != tt.refusals || !strings.Contains(got, tt.spot) || tt.spot == "" && strings.Contains(got, "DisableKey") {
					t.Errorf("off %q, refusals %q; %s", idOf(r.Off), idsOf(r.Refusals), got)
				}
			})
		})
	}
}
