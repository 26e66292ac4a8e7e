package cloudtrail_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

func TestWhoMadeTheLastUseIsOneCallByItsEventID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		at := eventAgo(3 * eventDay)
		srv := (&eventServer{}).log(loggedEvent{
			at: at, id: "e-1", op: "Decrypt", arn: keyARN, requestID: "r-1",
			extra: `"userIdentity":{"type":"AWSService","arn":"arn:aws:sts::111122223333:assumed-role/app/s","invokedBy":"s3.amazonaws.com","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/app"}}},` +
				`"requestParameters":{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::bucket"}}`,
		})
		srv.log(eventNoise(200, eventNoon, time.Minute)...)
		r := look(t, srv.history(t), eventUsed(at.Add(4*time.Millisecond), "e-1", "r-1"))
		want := &usage.Event{
			At: at, Operation: "Decrypt", EventID: "e-1", RequestID: "r-1", Principal: "arn:aws:sts::111122223333:assumed-role/app/s",
			Role: "arn:aws:iam::111122223333:role/app", InvokedBy: "s3.amazonaws.com", SourceIP: "192.0.2.7",
			Context: map[string]string{"aws:s3:arn": "arn:aws:s3:::bucket"},
		}
		if !reflect.DeepEqual(r.Last, want) || !reflect.DeepEqual(r.First, want) {
			t.Errorf("last = %+v, first = %+v, want %+v", r.Last, r.First, want)
		}
		if r.Coverage != nil {
			t.Errorf("coverage = %+v; one event covers no time", r.Coverage)
		}
		as := srv.requests()
		if len(as) != 1 || as[0].key() != "EventId" || as[0].value() != "e-1" || as[0].MaxResults != 50 || as[0].Category != nil {
			t.Errorf("asked %+v", as)
		}
	})
}

func TestALastUseThatItsEventIDDoesNotLeadTo(t *testing.T) {
	at := eventAgo(3 * eventDay)
	used := loggedEvent{at: at, id: "e-2", op: "Decrypt", arn: keyARN, requestID: "r-1"}
	other := func(e loggedEvent, change func(*loggedEvent)) loggedEvent { change(&e); return e }
	for name, tt := range map[string]struct {
		events    []loggedEvent
		id, reqID string
		want      string // event ID
		calls     int
		spot      string
	}{
		"is found by KMS's request ID":                        {[]loggedEvent{used, other(used, func(e *loggedEvent) { e.id, e.requestID = "e-3", "r-3" })}, "e-1", "r-1", "e-2", 2, ""},
		"KMS gave no event ID":                                {[]loggedEvent{used}, "", "r-1", "e-2", 1, ""},
		"its event is of another key":                         {[]loggedEvent{used, other(used, func(e *loggedEvent) { e.id, e.arn = "e-1", otherARN })}, "e-1", "r-1", "e-2", 2, ""},
		"its event is of another key, and no other is":        {[]loggedEvent{other(used, func(e *loggedEvent) { e.id, e.arn = "e-1", otherARN })}, "e-1", "r-1", "", 2, "is of another key, or no use\n"},
		"its event failed":                                    {[]loggedEvent{other(used, func(e *loggedEvent) { e.id, e.code = "e-1", "AccessDenied" })}, "e-1", "r-1", "", 2, "or no use\n"},
		"its event is no use":                                 {[]loggedEvent{other(used, func(e *loggedEvent) { e.id, e.op = "e-1", "DescribeKey" })}, "e-1", "r-1", "", 2, "or no use\n"},
		"its event cannot be read":                            {[]loggedEvent{other(used, func(e *loggedEvent) { e.id, e.wire = "e-1", `{"EventId":"e-1"}` })}, "e-1", "r-1", "", 2, "cannot be read: an event holds no record\n"},
		"its ID leads to another event":                       {[]loggedEvent{other(used, func(e *loggedEvent) { e.id, e.extra, e.requestID = "e-1", `"eventID":"e-9"`, "r-9" })}, "e-1", "r-1", "", 2, "or no use\n"},
		"its event names no key: KMS says it":                 {[]loggedEvent{other(used, func(e *loggedEvent) { e.id, e.arn = "e-1", "" })}, "e-1", "r-1", "e-1", 1, ""},
		"is not there at all":                                 {nil, "e-1", "r-1", "", 2, "is not there by its ID\nnor is it among the calls of that time"},
		"another request ID at the same time":                 {[]loggedEvent{other(used, func(e *loggedEvent) { e.requestID = "r-2" })}, "e-1", "r-1", "", 2, "nor is it among"},
		"no IDs at all: operation and second fit":             {[]loggedEvent{used, other(used, func(e *loggedEvent) { e.id, e.op = "e-3", "Encrypt" }), other(used, func(e *loggedEvent) { e.id, e.at = "e-4", at.Add(time.Second) })}, "", "", "e-2", 1, ""},
		"no IDs at all: two fit":                              {[]loggedEvent{used, other(used, func(e *loggedEvent) { e.id = "e-3" })}, "", "", "", 1, "cannot be told apart"},
		"no IDs at all: one fits, one cannot be read":         {[]loggedEvent{used, other(used, func(e *loggedEvent) { e.id, e.wire = "e-3", "{}" })}, "", "", "", 1, "cannot be told apart"},
		"no IDs at all: a call of another key fits":           {[]loggedEvent{other(used, func(e *loggedEvent) { e.arn, e.name = otherARN, keyARN })}, "", "", "", 1, "nor is it among"},
		"found by the key's ARN, but it names no key":         {[]loggedEvent{other(used, func(e *loggedEvent) { e.arn, e.name = "", keyARN })}, "", "r-1", "", 1, "1 events name no key"},
		"an operation that this SDK does not know":            {[]loggedEvent{other(used, func(e *loggedEvent) { e.id, e.op = "e-1", "Hash" })}, "e-1", "r-1", "e-1", 1, ""},
		"such an operation, by KMS's request ID":              {[]loggedEvent{other(used, func(e *loggedEvent) { e.op = "Hash" })}, "e-1", "r-1", "e-2", 2, ""},
		"such an operation that failed":                       {[]loggedEvent{other(used, func(e *loggedEvent) { e.id, e.op, e.code = "e-1", "Hash", "AccessDenied" })}, "e-1", "r-1", "", 2, "or no use\n"},
		"such an operation, without IDs":                      {[]loggedEvent{other(used, func(e *loggedEvent) { e.op = "Hash" })}, "", "", "", 1, "nor is it among"},
		"found by the key's ARN, as LookupEvents says":        {[]loggedEvent{other(used, func(e *loggedEvent) { e.arn, e.name, e.found = "", keyARN, found("AWS::KMS::Key", keyARN) })}, "", "r-1", "e-2", 1, ""},
		"as LookupEvents says, of a resource of another type": {[]loggedEvent{other(used, func(e *loggedEvent) { e.arn, e.name, e.found = "", keyARN, found("AWS::S3::Bucket", keyARN) })}, "", "r-1", "", 1, "1 events name no key"},
		"as LookupEvents says, by a bare key ID": {[]loggedEvent{other(used, func(e *loggedEvent) {
			e.arn, e.name, e.found = "", keyARN, found("AWS::KMS::Key", keyARN[len(keyARN)-36:])
		})}, "", "r-1", "", 1, "1 events name no key"},
		"the record says otherwise than LookupEvents":    {[]loggedEvent{other(used, func(e *loggedEvent) { e.arn, e.name, e.found = otherARN, keyARN, found("AWS::KMS::Key", keyARN) })}, "", "r-1", "", 1, "nor is it among"},
		"no IDs and so many calls that not all are read": {append(eventNoise(151, at.Add(time.Second), 0), used), "", "", "", 3, "no more than 3 pages"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(tt.events...)
				f := eventUsed(at.Add(300*time.Millisecond), tt.id, tt.reqID)
				if strings.Contains(name, "such an operation") || strings.Contains(name, "this SDK") {
					f.LastUsage.Use.Operation = "Hash"
				}
				r := look(t, srv.history(t), f)
				if idOf(r.Last) != tt.want || idOf(r.First) != tt.want {
					t.Errorf("last %q, first %q, want %q", idOf(r.Last), idOf(r.First), tt.want)
				}
				if got := eventSpots(r); tt.spot != "" && !strings.Contains(got+"\n", tt.spot) || tt.spot == "" && strings.Contains(got, "last use") {
					t.Errorf("blind spots %q, want %q", got, tt.spot)
				}
				if n := len(srv.requests()); n != tt.calls {
					t.Errorf("%d calls, want %d", n, tt.calls)
				}
			})
		})
	}
}

// found is what LookupEvents says that an event is about.
func found(kind, name string) []trailtypes.Resource {
	return []trailtypes.Resource{{ResourceType: &kind, ResourceName: &name}}
}

// ReEncrypt has two keys, and an encryption context for each.
func TestAnEventHasTheEncryptionContextOfTheKeyThatIsAskedAbout(t *testing.T) {
	const contexts = `"requestParameters":{"sourceEncryptionContext":{"of":"source"},"destinationEncryptionContext":{"of":"destination"}}`
	named := func(source, destination string) string {
		return `"resources":[{"ARN":"` + source + `"},{"ARN":"` + destination + `"}],` + contexts
	}
	for name, tt := range map[string]struct {
		id    string // that KMS gives
		extra string
		found []trailtypes.Resource
		want  string
	}{
		"the source, by event ID":                         {"e", named(keyARN, otherARN), nil, "source"},
		"the destination, by event ID":                    {"e", named(otherARN, keyARN), nil, "destination"},
		"the source, by request ID":                       {"", named(keyARN, otherARN), nil, "source"},
		"the destination, by request ID":                  {"", named(otherARN, keyARN), nil, "destination"},
		"LookupEvents names both, and not which is which": {"", contexts, append(found("AWS::KMS::Key", otherARN), found("AWS::KMS::Key", keyARN)...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				at := eventAgo(3 * eventDay)
				srv := (&eventServer{}).log(loggedEvent{at: at, id: "e", op: "ReEncrypt", name: keyARN, requestID: "r", extra: tt.extra, found: tt.found})
				r := look(t, srv.history(t), eventFinding("Enabled", &usage.Use{At: at, Operation: "ReEncrypt", EventID: tt.id, RequestID: "r"}))
				if r.Last == nil || r.Last.Context["of"] != tt.want {
					t.Errorf("last = %+v, want the context of the %s", r.Last, tt.want)
				}
			})
		})
	}
}

// What a clock that is far ahead says of a use is out of reach.
func TestAUseOfTheFutureIsNotLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{}
		for ahead, calls := range map[time.Duration]int{usage.Lag + time.Second: 0, usage.Lag: 2} {
			srv.asked = nil
			look(t, srv.history(t), eventUsed(eventNoon.Add(ahead), "e", "r"))
			if n := len(srv.requests()); n != calls {
				t.Errorf("%v ahead: %d calls, want %d", ahead, n, calls)
			}
		}
	})
}

func TestAKeyWithoutARecordedUseIsLookedUpBeforeTrackingBegan(t *testing.T) {
	use := func(id string, at time.Time) loggedEvent {
		return loggedEvent{at: at, id: id, op: "Decrypt", arn: keyARN}
	}
	within := func(tracked time.Time) usage.Finding {
		f := eventFinding(types.KeyStateEnabled, nil)
		f.LastUsage.TrackingStart = tracked
		return f
	}
	madeLately := within(eventAgo(10 * eventDay))
	madeLately.LastUsage.Created = eventAgo(10 * eventDay)
	madeLately.Metadata.Created = eventAgo(10 * eventDay)
	for name, tt := range map[string]struct {
		f      usage.Finding
		events []loggedEvent
		want   string
		calls  int
		from   time.Time // of the coverage; zero: there is none
		spot   string
	}{
		"the newest use before it counts": {
			within(eventTracked),
			[]loggedEvent{use("older", eventTracked.Add(-3*time.Hour)), use("newest", eventTracked.Add(-2*time.Hour)), use("later", eventTracked.Add(time.Hour))},
			"newest", 1, eventTracked.Add(-2 * time.Hour), "",
		},
		"none": {within(eventTracked), nil, "", 1, eventNoon.Add(-90*eventDay + time.Hour), ""},
		"a failed call is no use": {
			within(eventTracked),
			[]loggedEvent{{at: eventTracked.Add(-time.Hour), id: "1", op: "Decrypt", arn: keyARN, code: "AccessDenied"}},
			"", 1, eventNoon.Add(-90*eventDay + time.Hour), "",
		},
		"a call of another key is not taken": {
			within(eventTracked),
			[]loggedEvent{{at: eventTracked.Add(-time.Hour), id: "1", op: "Decrypt", arn: otherARN, name: keyARN}},
			"", 1, eventNoon.Add(-90*eventDay + time.Hour), "",
		},
		"another service's event is not taken": {
			within(eventTracked),
			[]loggedEvent{{at: eventTracked.Add(-time.Hour), id: "1", op: "Decrypt", arn: keyARN, source: "s3.amazonaws.com"}},
			"", 1, eventNoon.Add(-90*eventDay + time.Hour), "",
		},
		"tracking began before the event history does": {within(eventAgo(91 * eventDay)), []loggedEvent{use("1", eventAgo(89*eventDay))}, "", 0, time.Time{}, ""},
		"tracking began when the key was made":         {within(eventMade), nil, "", 0, time.Time{}, ""},
		"tracking began when the key was made, lately": {madeLately, nil, "", 0, time.Time{}, ""},
		"noise fills the pages, and the limit is said": {
			within(eventTracked), append(eventNoise(600, eventTracked.Add(-time.Minute), time.Minute), use("behind", eventTracked.Add(-30*eventDay))),
			"", 10, eventTracked.Add(-500*time.Minute + time.Second), "no more than 10 pages were read: what happened before " + eventTracked.Add(-500*time.Minute+time.Second).Format(time.RFC3339),
		},
		"behind noise": {
			within(eventTracked), append(eventNoise(120, eventTracked.Add(-time.Minute), time.Minute), use("behind", eventTracked.Add(-30*eventDay))),
			"behind", 3, eventTracked.Add(-30 * eventDay), "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(tt.events...)
				r := look(t, srv.history(t), tt.f)
				if idOf(r.Last) != tt.want || idOf(r.First) != tt.want {
					t.Errorf("last %q, first %q, want %q", idOf(r.Last), idOf(r.First), tt.want)
				}
				if n := len(srv.requests()); n != tt.calls {
					t.Errorf("%d calls, want %d", n, tt.calls)
				}
				if tt.from.IsZero() {
					if r.Coverage != nil {
						t.Errorf("coverage = %+v, want none", r.Coverage)
					}
					return
				}
				if len(r.Coverage) != 1 || !r.Coverage[0].From.Equal(tt.from) || !r.Coverage[0].To.Equal(eventTracked) || !strings.Contains(eventSpots(r), tt.spot) {
					t.Errorf("coverage = %+v, want from %v to %v, with %q", r.Coverage, tt.from, eventTracked, tt.spot)
				}
			})
		})
	}
}

// A key that is used thousands of times a minute must cost what any other does.
func TestAHotKeyIsNeverReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		var uses []loggedEvent
		for i := range 5000 {
			uses = append(uses, loggedEvent{at: eventTracked.Add(-time.Duration(i/100) * time.Second), id: fmt.Sprintf("u%d", i), op: "GenerateDataKey", arn: keyARN})
		}
		srv := (&eventServer{}).log(uses...)
		r := look(t, srv.history(t), eventFinding(types.KeyStateEnabled, nil))
		if n := len(srv.requests()); n != 1 || r.Last == nil || !r.Last.At.Equal(eventTracked) {
			t.Errorf("%d calls; last %+v", n, r.Last)
		}
	})
}

func TestAKeyWhoseLastUseKMSDidNotTellIsLookedUp(t *testing.T) {
	for name, state := range map[string]types.KeyState{"enabled": "Enabled", "disabled": "Disabled"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(
					loggedEvent{at: eventAgo(time.Hour), id: "u", op: "Decrypt", arn: keyARN},
					loggedEvent{at: eventAgo(2 * time.Hour), id: "older", op: "Decrypt", arn: keyARN},
				)
				if state == "Disabled" {
					srv.log(loggedEvent{at: eventAgo(30 * time.Minute), id: "off", op: "DisableKey", arn: keyARN}, eventRefused("Decrypt", "no", eventAgo(20*time.Minute)))
				}
				f := eventFinding(state, nil)
				f.LastUsage = nil
				r := look(t, srv.history(t), f)
				if idOf(r.Last) != "u" {
					t.Errorf("last = %+v", r.Last)
				}
				if want := map[types.KeyState]string{"Disabled": "no"}[state]; idsOf(r.Refusals) != want {
					t.Errorf("refusals = %v, want %q", r.Refusals, want)
				}
			})
		})
	}
}

// Where it is not known since when a key is off one walk answers both questions.
func TestOneWalkFindsTheNewestRefusalAndTheUseBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{}).log(
			eventRefused("Decrypt", "newest", eventAgo(time.Hour)), eventRefused("Decrypt", "no", eventAgo(2*time.Hour)),
			loggedEvent{at: eventAgo(3 * time.Hour), id: "u", op: "Decrypt", arn: keyARN},
			eventRefused("Decrypt", "past", eventAgo(4*time.Hour)),
		)
		f := eventFinding(types.KeyStateUnavailable, nil)
		f.LastUsage = nil
		r := look(t, srv.history(t), f)
		if idOf(r.Last) != "u" || idsOf(r.Refusals) != "newest" || srv.count("ResourceName") != 1 {
			t.Errorf("last %q, refusals %q after %d calls", idOf(r.Last), idsOf(r.Refusals), srv.count("ResourceName"))
		}
	})
}

// Without metadata the creation date is that of the last usage.
func TestNothingIsAskedForFromBeforeTheKeyWasMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{}
		f := eventFinding("", nil)
		f.Metadata = nil
		f.LastUsage.Created = eventTracked.Add(-time.Hour)
		r := look(t, srv.history(t), f)
		if len(r.Coverage) != 1 || !r.Coverage[0].From.Equal(f.LastUsage.Created) {
			t.Errorf("coverage = %+v", r.Coverage)
		}
	})
}

// A walk to the refusal that has seen the time before tracking need not be made
// twice.
func TestTheTimeBeforeTrackingIsNotWalkedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{}
		look(t, srv.history(t), eventFinding(types.KeyStateUnavailable, nil))
		if n := srv.count("ResourceName"); n != 1 {
			t.Errorf("%d walks, want one", n)
		}
		// Nor if a use has been found.
		srv.log(loggedEvent{at: eventAgo(12 * eventDay), id: "u", op: "Decrypt", arn: keyARN})
		if r := look(t, srv.history(t), eventFinding(types.KeyStateUnavailable, nil)); idOf(r.Last) != "u" || srv.count("ResourceName") != 2 {
			t.Errorf("last %q, %d walks, want one more", idOf(r.Last), srv.count("ResourceName"))
		}
	})
}

func TestAKeyThatIsOffIsAlsoLookedUpBeforeTrackingBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{}).log(
			loggedEvent{at: eventAgo(10 * eventDay), id: "off", op: "DisableKey", arn: keyARN},
			loggedEvent{at: eventAgo(20 * eventDay), id: "on", op: "EnableKey", arn: keyARN},
			loggedEvent{at: eventTracked.Add(-time.Hour), id: "u", op: "Decrypt", arn: keyARN},
		)
		r := look(t, srv.history(t), eventFinding(types.KeyStateDisabled, nil))
		if idOf(r.Last) != "u" || idOf(r.Off) != "off" || len(r.Coverage) != 2 {
			t.Errorf("last %q, off %q, coverage %+v", idOf(r.Last), idOf(r.Off), r.Coverage)
		}
	})
}

// The end of a look-up stays what it was when it began.
func TestAKeyThatIsSwitchedOffMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		at := eventAgo(eventDay)
		srv := (&eventServer{latency: 20 * time.Second}).log(
			loggedEvent{at: at, id: "u", op: "Decrypt", arn: keyARN},
			loggedEvent{at: eventNoon.Add(10 * time.Second), id: "off", op: "DisableKey", arn: keyARN},
		)
		r := look(t, srv.history(t), eventFinding(types.KeyStateDisabled, &usage.Use{At: at, EventID: "u"}))
		if idOf(r.Off) != "off" || r.Refusals != nil {
			t.Errorf("off %q, refusals %v", idOf(r.Off), r.Refusals)
		}
	})
}

func TestAUseThatKMSHasNotRecordedYetIsLookedForOnDemand(t *testing.T) {
	for name, tt := range map[string]struct {
		recent bool
		events []loggedEvent
		want   string
		calls  int
	}{
		"not by default":             {false, []loggedEvent{{at: eventAgo(time.Minute), id: "new", op: "Decrypt", arn: keyARN}}, "known", 1},
		"it is newer":                {true, []loggedEvent{{at: eventAgo(time.Minute), id: "new", op: "Decrypt", arn: keyARN}}, "new", 1},
		"there is none":              {true, nil, "known", 2},
		"older than KMS's lag is no": {true, []loggedEvent{{at: eventAgo(61 * time.Minute), id: "old", op: "Decrypt", arn: keyARN}}, "known", 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				at := eventAgo(3 * eventDay)
				srv := (&eventServer{}).log(append(tt.events, loggedEvent{at: at, id: "known", op: "Decrypt", arn: keyARN})...)
				h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Recent = tt.recent })
				r := look(t, h, eventUsed(at, "known", ""))
				if idOf(r.Last) != tt.want || len(srv.requests()) != tt.calls {
					t.Errorf("last %q in %d calls, want %q in %d", idOf(r.Last), len(srv.requests()), tt.want, tt.calls)
				}
			})
		})
	}
}

// It need not be looked for before the use that KMS knows, nor of a key that is
// walked through from its newest event on anyway.
func TestLookingForRecentUsesCostsNoMoreThanItMust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		at := eventAgo(10 * time.Minute)
		srv := (&eventServer{}).log(loggedEvent{at: at, id: "known", op: "Decrypt", arn: keyARN})
		h := srv.history(t, func(o *cloudtrail.EventHistoryOptions) { o.Recent = true })
		look(t, h, eventUsed(at, "known", ""))
		if as := srv.requests(); len(as) != 1 || as[0].StartTime != float64(at.Unix()) {
			t.Errorf("asked %+v", as)
		}
		f := eventFinding(types.KeyStateDisabled, nil)
		f.LastUsage.TrackingStart = eventMade
		look(t, h, f)
		if n := srv.count("ResourceName"); n != 2 {
			t.Errorf("%d walks, want one for each key", n)
		}
	})
}

func TestRefusalsOfAKeyThatIsOff(t *testing.T) {
	disabled := loggedEvent{at: eventAgo(10 * eventDay), id: "off", op: "DisableKey", arn: keyARN}
	scheduled := loggedEvent{at: eventAgo(10 * eventDay), id: "scheduled", op: "ScheduleKeyDeletion", arn: keyARN}
	use := loggedEvent{at: eventAgo(12 * eventDay), id: "used", op: "Decrypt", arn: keyARN}
	was := func(e loggedEvent, id string, at time.Duration) loggedEvent { e.id, e.at = id, eventAgo(at); return e }
	on := was(loggedEvent{op: "EnableKey", arn: keyARN}, "on", 20*eventDay)
	refusedBefore := eventRefused("Decrypt", "before", eventAgo(11*eventDay))
	begin := eventNoon.Add(-90*eventDay + time.Hour)
	for name, tt := range map[string]struct {
		state    types.KeyState
		events   []loggedEvent
		off      string
		refusals string
		from     time.Time
		spot     string
	}{
		"the newest only":                         {"Disabled", []loggedEvent{disabled, eventRefused("Decrypt", "1", eventAgo(9*eventDay)), eventRefused("Decrypt", "2", eventAgo(8*eventDay))}, "off", "2", eventAgo(8 * eventDay), ""},
		"none":                                    {"Disabled", []loggedEvent{disabled}, "off", "", begin, ""},
		"CreateGrant is one":                      {"Disabled", []loggedEvent{disabled, eventRefused("CreateGrant", "1", eventAgo(eventDay))}, "off", "1", eventAgo(eventDay), ""},
		"DescribeKey is none":                     {"Disabled", []loggedEvent{disabled, eventRefused("DescribeKey", "1", eventAgo(eventDay))}, "off", "", begin, ""},
		"a denial is none":                        {"Disabled", []loggedEvent{disabled, {at: eventAgo(eventDay), id: "1", op: "Decrypt", arn: keyARN, code: "AccessDenied", message: "no"}}, "off", "", begin, ""},
		"another key's is none":                   {"Disabled", []loggedEvent{disabled, was(loggedEvent{op: "Decrypt", arn: otherARN, name: keyARN, code: "DisabledException"}, "1", eventDay)}, "off", "", begin, ""},
		"what was refused before is past":         {"Disabled", []loggedEvent{disabled, on, refusedBefore}, "off", "", eventAgo(10 * eventDay), ""},
		"disabled again: what was refused before": {"Disabled", []loggedEvent{disabled, refusedBefore}, "off", "before", eventAgo(11 * eventDay), ""},
		"its material deleted again":              {"PendingImport", []loggedEvent{was(loggedEvent{op: "DeleteImportedKeyMaterial", arn: keyARN}, "off", 10*eventDay), refusedBefore}, "off", "before", eventAgo(11 * eventDay), ""},
		"its material expired, it was disabled":   {"PendingImport", []loggedEvent{was(loggedEvent{op: "DeleteExpiredKeyMaterial", arn: keyARN}, "off", 10*eventDay), refusedBefore}, "off", "before", eventAgo(11 * eventDay), ""},
		"enabled, and a switch cannot be read":    {"Disabled", []loggedEvent{disabled, on, refusedBefore, was(loggedEvent{op: "DisableKey", wire: "{}"}, "odd", 11*eventDay)}, "off", "before", eventAgo(11 * eventDay), "1 events of DisableKey could not be read"},
		"enabled, and a switch names no key":      {"Disabled", []loggedEvent{disabled, on, refusedBefore, was(loggedEvent{op: "DisableKey"}, "unnamed", 11*eventDay)}, "off", "before", eventAgo(11 * eventDay), "1 events of DisableKey name no key"},
		"used when it had just been disabled":     {"Disabled", []loggedEvent{disabled, eventRefused("Decrypt", "1", disabled.at.Add(10*time.Second)), {at: disabled.at.Add(5 * time.Minute), id: "late", op: "Decrypt", arn: keyARN}}, "off", "1", disabled.at.Add(10 * time.Second), ""},
		"used long after it had been disabled":    {"Disabled", []loggedEvent{disabled, eventRefused("Decrypt", "1", disabled.at.Add(10*time.Second)), {at: disabled.at.Add(5*time.Minute + time.Second), id: "late", op: "Decrypt", arn: keyARN}}, "off", "", disabled.at.Add(5*time.Minute + time.Second), ""},
		"a state that nobody knows":               {"Novel", []loggedEvent{eventRefused("Decrypt", "1", eventAgo(50*eventDay))}, "", "1", eventAgo(50 * eventDay), "whether it is off is not known: what was refused before " + begin.Format(time.RFC3339)},
		"such a state, and a switch unread":       {"Novel", []loggedEvent{on, refusedBefore, was(loggedEvent{op: "DisableKey", wire: "{}"}, "odd", 11*eventDay)}, "", "before", eventAgo(11 * eventDay), "1 events of DisableKey could not be read"},
		"such a state, and its material is there": {"Novel", []loggedEvent{was(loggedEvent{op: "ImportKeyMaterial", arn: keyARN}, "imported", 9*eventDay), refusedBefore}, "", "before", eventAgo(11 * eventDay), "whether it is off"},
		"pending deletion":                        {"PendingDeletion", []loggedEvent{scheduled, {at: eventAgo(eventDay), id: "1", op: "Decrypt", arn: keyARN, code: "KMSInvalidStateException", message: keyARN + " is pending deletion."}}, "scheduled", "1", eventAgo(eventDay), ""},
		"pending deletion of a primary":           {"PendingReplicaDeletion", []loggedEvent{scheduled}, "scheduled", "", begin, ""},
		"it may have been off before that":        {"PendingDeletion", []loggedEvent{scheduled, refusedBefore}, "scheduled", "before", eventAgo(11 * eventDay), ""},
		"a use shows that it was on":              {"PendingDeletion", []loggedEvent{scheduled, use, was(refusedBefore, "1", 13*eventDay)}, "scheduled", "", eventAgo(12 * eventDay), ""},
		"it was on before, as an event shows":     {"PendingDeletion", []loggedEvent{scheduled, on, refusedBefore}, "scheduled", "", eventAgo(10 * eventDay), ""},
		"since when is not known":                 {"Disabled", []loggedEvent{eventRefused("Decrypt", "1", eventAgo(80*eventDay))}, "", "1", eventAgo(80 * eventDay), "since when it is off is not known: what was refused before " + begin.Format(time.RFC3339)},
		"a failed call shows nothing of before":   {"PendingDeletion", []loggedEvent{scheduled, was(loggedEvent{op: "EnableKey", arn: keyARN, code: "AccessDenied"}, "on", 20*eventDay), refusedBefore}, "scheduled", "before", eventAgo(11 * eventDay), ""},
		"its deletion was canceled":               {"Disabled", []loggedEvent{scheduled, was(loggedEvent{op: "CancelKeyDeletion", arn: keyARN}, "canceled", 5*eventDay)}, "scheduled", "", begin, ""},
		"without key material":                    {"PendingImport", []loggedEvent{was(loggedEvent{op: "DeleteImportedKeyMaterial", arn: keyARN}, "off", 5*eventDay), {at: eventAgo(eventDay), id: "1", op: "Encrypt", arn: keyARN, code: "KMSInvalidStateException", message: keyARN + " is pending import."}}, "off", "1", eventAgo(eventDay), ""},
		"its key store is out of reach":           {"Unavailable", []loggedEvent{{at: eventAgo(eventDay), id: "1", op: "Encrypt", arn: keyARN, code: "KeyUnavailableException"}}, "", "1", eventAgo(eventDay), "since when it is off"},
		"a state that nobody knows, and off":      {"Novel", []loggedEvent{disabled, eventRefused("Decrypt", "1", eventAgo(eventDay))}, "off", "1", eventAgo(eventDay), ""},
		"a state that nobody knows, and on":       {"Novel", []loggedEvent{was(disabled, "off", 9*eventDay), was(loggedEvent{op: "EnableKey", arn: keyARN}, "on", 8*eventDay)}, "", "", time.Time{}, ""},
		"a failed call switches nothing off":      {"Disabled", []loggedEvent{disabled, {at: eventAgo(5 * eventDay), id: "failed", op: "ScheduleKeyDeletion", arn: keyARN, code: "AccessDenied"}}, "off", "", begin, ""},
		"disabled, then scheduled: off since":     {"PendingDeletion", []loggedEvent{disabled, was(scheduled, "scheduled", 5*eventDay)}, "off", "", begin, ""},
		"enabled in between: off since the 2nd":   {"Disabled", []loggedEvent{disabled, was(loggedEvent{op: "EnableKey", arn: keyARN}, "on", 9*eventDay), was(disabled, "again", 5*eventDay), eventRefused("Decrypt", "1", eventAgo(9*eventDay+time.Hour))}, "again", "", eventAgo(5 * eventDay), ""},
		"a switch of another key":                 {"Disabled", []loggedEvent{disabled, was(loggedEvent{op: "DisableKey", arn: otherARN}, "other", eventDay)}, "off", "", begin, ""},
		"a switch that names no key":              {"Disabled", []loggedEvent{disabled, was(loggedEvent{op: "EnableKey"}, "unnamed", eventDay)}, "off", "", begin, "1 events of EnableKey name no key"},
		"a switch that cannot be read":            {"Disabled", []loggedEvent{disabled, was(loggedEvent{op: "EnableKey", wire: "{}"}, "odd", eventDay)}, "off", "", begin, "1 events of EnableKey could not be read, the first since: an event holds no record"},
		"so many events that not all are read":    {"Disabled", append(eventNoise(600, eventAgo(time.Hour), time.Minute), disabled, eventRefused("Decrypt", "1", eventAgo(9*eventDay))), "off", "", eventAgo(time.Hour + 499*time.Minute - time.Second), "no more than 10 pages"},
		"the record of a use stands in a walk":    {"Unavailable", []loggedEvent{use}, "", "", use.at, "since when it is off"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(tt.events...)
				f := eventFinding(tt.state, nil)
				f.LastUsage.TrackingStart = eventAgo(200 * eventDay) // nothing else to ask
				r := look(t, srv.history(t), f)
				if idOf(r.Off) != tt.off || idsOf(r.Refusals) != tt.refusals {
					t.Errorf("off %q, refusals %q, want %q and %q", idOf(r.Off), idsOf(r.Refusals), tt.off, tt.refusals)
				}
				if tt.from.IsZero() {
					if r.Coverage != nil {
						t.Errorf("coverage = %+v, want none", r.Coverage)
					}
					return
				}
				if len(r.Coverage) != 1 || !r.Coverage[0].From.Equal(tt.from) || !r.Coverage[0].To.Equal(eventAgo(15*time.Minute)) || !strings.Contains(eventSpots(r), tt.spot) {
					t.Errorf("coverage = %+v, want from %v, with %q", r.Coverage, tt.from, tt.spot)
				}
			})
		})
	}
}

// Whatever a walk was made for: that somebody needs the key comes for nothing.
func TestTheNewestRefusalIsKeptWhateverIsLookedFor(t *testing.T) {
	at := eventAgo(3 * eventDay)
	unread := eventFinding("Enabled", nil)
	unread.LastUsage = nil
	for name, tt := range map[string]struct {
		f      usage.Finding
		opt    func(*cloudtrail.EventHistoryOptions)
		around time.Time
	}{
		"uses before tracking began":       {eventFinding("Enabled", nil), nil, eventAgo(50 * eventDay)},
		"the newest use of all":            {unread, nil, eventAgo(50 * eventDay)},
		"recent uses":                      {eventUsed(at, "", ""), func(o *cloudtrail.EventHistoryOptions) { o.Recent = true }, eventAgo(30 * time.Minute)},
		"the last use among those of then": {eventUsed(at, "", ""), nil, at.Add(-30 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(eventRefused("Decrypt", "older", tt.around), eventRefused("Decrypt", "newest", tt.around.Add(10*time.Second)))
				if r := look(t, srv.history(t, tt.opt), tt.f); idsOf(r.Refusals) != "newest" {
					t.Errorf("refusals %q", idsOf(r.Refusals))
				}
			})
		})
	}
}

// Of a key that was made lately all is known, unless it was made without key
// material or goes off with its key store.
func TestBeforeItWasSwitchedOffAKeyMadeLatelyWasOn(t *testing.T) {
	made, off := eventAgo(60*eventDay), eventAgo(10*eventDay)
	for name, tt := range map[string]struct {
		edit func(*usage.Metadata)
		want time.Time // from which it is looked up
	}{
		"made lately":                 {func(*usage.Metadata) {}, off},
		"made before events are seen": {func(m *usage.Metadata) { m.Created = eventAgo(91 * eventDay) }, eventNoon.Add(-90*eventDay + time.Hour)},
		"of imported key material":    {func(m *usage.Metadata) { m.Origin = types.OriginTypeExternal }, made},
		"of an origin not known":      {func(m *usage.Metadata) { m.Origin = "" }, made},
		"in a custom key store":       {func(m *usage.Metadata) { m.Origin, m.CustomKeyStoreID = types.OriginTypeAwsCloudhsm, "cks-1" }, made},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(loggedEvent{at: off, id: "off", op: "DisableKey", arn: keyARN})
				f := eventFinding("Disabled", nil)
				f.Metadata.Created, f.Metadata.Origin = made, types.OriginTypeAwsKms
				tt.edit(f.Metadata)
				f.LastUsage.Created, f.LastUsage.TrackingStart = f.Metadata.Created, f.Metadata.Created
				r := look(t, srv.history(t), f)
				if idOf(r.Off) != "off" || len(r.Coverage) != 1 || !r.Coverage[0].From.Equal(tt.want) {
					t.Errorf("off %q, coverage %+v; want it from %v", idOf(r.Off), r.Coverage, tt.want)
				}
			})
		})
	}
}

// In a custom key store an EnableKey does not show that the key could be used.
func TestAKeyOfACustomKeyStoreMayHaveBeenOffAllTheWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{}).log(
			loggedEvent{at: eventAgo(20 * eventDay), id: "on", op: "EnableKey", arn: keyARN},
			loggedEvent{at: eventAgo(15 * eventDay), id: "no", op: "Decrypt", arn: keyARN, code: "KeyUnavailableException"},
			loggedEvent{at: eventAgo(10 * eventDay), id: "off", op: "DisableKey", arn: keyARN},
		)
		f := eventFinding("Disabled", nil)
		f.Metadata.CustomKeyStoreID = "cks-1"
		if r := look(t, srv.history(t), f); idOf(r.Off) != "off" || idsOf(r.Refusals) != "no" {
			t.Errorf("off %q, refusals %q", idOf(r.Off), idsOf(r.Refusals))
		}
	})
}

// Without DescribeKey nobody knows whether a key is off.
func TestAKeyWithoutMetadataIsLookedUpUnlessItIsOnForCertain(t *testing.T) {
	for name, tt := range map[string]struct {
		newest string // of the calls that switch it
		want   string
		walks  int
	}{
		"nothing was seen":         {"", "no", 1},
		"it was switched on":       {"EnableKey", "", 0},
		"it was switched off":      {"DisableKey", "no", 1},
		"its deletion was ended":   {"CancelKeyDeletion", "no", 1},
		"its material was renewed": {"ImportKeyMaterial", "no", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(eventRefused("Decrypt", "no", eventAgo(40*eventDay)),
					loggedEvent{at: eventAgo(50 * eventDay), id: "off", op: "DisableKey", arn: otherARN})
				if tt.newest != "" {
					srv.log(loggedEvent{at: eventAgo(30 * eventDay), id: "switch", op: tt.newest, arn: keyARN})
				}
				f := eventFinding("", nil)
				f.Metadata, f.LastUsage.TrackingStart = nil, eventMade
				if r := look(t, srv.history(t), f); idsOf(r.Refusals) != tt.want || srv.count("ResourceName") != tt.walks {
					t.Errorf("refusals %q after %d walks, want %q after %d", idsOf(r.Refusals), srv.count("ResourceName"), tt.want, tt.walks)
				}
			})
		})
	}
}

// A use has been looked for since then; the walk for the rest ends there.
func TestAfterItWasSwitchedOffAUseIsNotLookedForTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		off := eventAgo(10 * eventDay)
		srv := (&eventServer{}).log(
			loggedEvent{at: eventAgo(20 * eventDay), id: "on", op: "EnableKey", arn: keyARN},
			loggedEvent{at: off, id: "off", op: "DisableKey", arn: keyARN},
			loggedEvent{at: eventAgo(15 * eventDay), id: "u", op: "Decrypt", arn: keyARN},
		)
		f := eventFinding("Disabled", nil)
		f.LastUsage = nil
		r := look(t, srv.history(t), f)
		as := srv.requests()
		if last := as[len(as)-1]; idOf(r.Last) != "u" || srv.count("ResourceName") != 2 || last.EndTime != float64(off.Unix()) {
			t.Errorf("last %q; %d walks, the last of %+v", idOf(r.Last), srv.count("ResourceName"), last)
		}
	})
}

// An enabled key has no refusals worth a call.
func TestNothingIsAskedAboutRefusalsOfAnEnabledKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := (&eventServer{}).log(eventRefused("Decrypt", "1", eventAgo(time.Hour)))
		f := eventFinding(types.KeyStateEnabled, nil)
		f.LastUsage.TrackingStart = eventMade
		if r := look(t, srv.history(t), f); len(srv.requests()) != 0 || r.Coverage != nil || r.Refusals != nil {
			t.Errorf("%d calls, %+v", len(srv.requests()), r)
		}
	})
}

func TestAKeyOfAnotherAccountOrRegionIsNotAskedAbout(t *testing.T) {
	for name, arn := range map[string]string{
		"account": strings.Replace(keyARN, eventAccount, "444455556666", 1),
		"Region":  strings.Replace(keyARN, eventRegion, "eu-west-1", 1),
		"no key":  "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(eventRefused("Decrypt", "1", eventAgo(time.Hour)))
				f := eventFinding(types.KeyStateDisabled, &usage.Use{At: eventAgo(time.Hour), EventID: "1"})
				f.ARN = arn
				r := look(t, srv.history(t), f)
				if !reflect.DeepEqual(r, usage.Record{Source: cloudtrail.EventHistorySource}) || len(srv.requests()) != 0 {
					t.Errorf("%+v after %d calls, want an empty record and none", r, len(srv.requests()))
				}
			})
		})
	}
}

// Who asked for the public half, and who made the key, come for nothing.
func TestWhatElseAWalkShowsIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		made := eventAgo(60 * eventDay)
		srv := (&eventServer{}).log(
			loggedEvent{at: made, id: "made", op: "CreateKey", arn: keyARN},
			loggedEvent{at: made, id: "failed", op: "CreateKey", arn: keyARN, code: "LimitExceededException"},
			loggedEvent{at: made.Add(time.Hour), id: "first", op: "GetPublicKey", arn: keyARN},
			loggedEvent{at: made.Add(2 * time.Hour), id: "second", op: "GetPublicKey", arn: keyARN},
			loggedEvent{at: made.Add(3 * time.Hour), id: "denied", op: "GetPublicKey", arn: keyARN, code: "AccessDenied"},
		)
		f := eventFinding(types.KeyStateEnabled, nil)
		f.Metadata.Created, f.LastUsage.Created = made, made
		r := look(t, srv.history(t), f)
		if idOf(r.Created) != "made" || idOf(r.PublicKey) != "second" || r.Last != nil {
			t.Errorf("created %q, public key %q, last %q", idOf(r.Created), idOf(r.PublicKey), idOf(r.Last))
		}
		if len(r.Coverage) != 1 || !r.Coverage[0].From.Equal(made) {
			t.Errorf("coverage = %+v, want it from the key's creation on", r.Coverage)
		}
	})
}

func TestAnEventThatCannotBeReadIsABlindSpot(t *testing.T) {
	for name, tt := range map[string]struct{ wire, want string }{
		"no record":              {`{"EventId":"x","EventTime":1780000000}`, "an event holds no record"},
		"null":                   {`{"EventId":"x","EventTime":1780000000,"CloudTrailEvent":null}`, "an event holds no record"},
		"nothing":                {`{}`, "an event holds no record"},
		"an empty record":        {`{"EventId":"x","EventTime":1780000000,"CloudTrailEvent":""}`, "is no JSON object"},
		"no JSON":                {`{"EventId":"x","EventTime":1780000000,"CloudTrailEvent":"{\"eventSource\":"}`, "is no JSON object"},
		"an array":               {`{"EventId":"x","EventTime":1780000000,"CloudTrailEvent":"[]"}`, "is no JSON object"},
		"a record of no service": {`{"EventId":"x","EventTime":1780000000,"CloudTrailEvent":"{}"}`, "does not name its service"},
		"no time anywhere":       {`{"EventId":"x","CloudTrailEvent":"{\"eventSource\":\"kms.amazonaws.com\",\"eventName\":\"Decrypt\"}"}`, "an event has no time"},
		"no key":                 {`{"EventId":"x","EventTime":1780000000,"CloudTrailEvent":"{\"eventSource\":\"kms.amazonaws.com\",\"eventName\":\"Decrypt\"}"}`, "1 events name no key"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := (&eventServer{}).log(
					loggedEvent{at: eventTracked.Add(-time.Hour), id: "odd", arn: keyARN, wire: tt.wire},
					loggedEvent{at: eventTracked.Add(-2 * time.Hour), id: "use", op: "Decrypt", arn: keyARN},
				)
				r := look(t, srv.history(t), eventFinding(types.KeyStateEnabled, nil))
				if idOf(r.Last) != "use" || !strings.Contains(eventSpots(r), tt.want) {
					t.Errorf("last %q, blind spots %q, want %q", idOf(r.Last), eventSpots(r), tt.want)
				}
			})
		})
	}
}

// The wrapper's time stands in for that of the record; members that hold nothing
// of KMS's API calls do not count.
func TestAnEventWithoutItsOwnTimeHasThatOfTheLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		at := eventTracked.Add(-time.Hour)
		record := `{\"eventSource\":\"kms.amazonaws.com\",\"eventName\":\"Decrypt\",\"eventID\":\"x\",\"resources\":[{\"ARN\":\"` + keyARN + `\"}]`
		srv := (&eventServer{}).log(
			loggedEvent{at: at.Add(time.Minute), id: "net", arn: keyARN, wire: fmt.Sprintf(`{"EventId":"net","EventTime":%d,"CloudTrailEvent":"%s,\"eventCategory\":\"NetworkActivity\"}"}`, at.Add(time.Minute).Unix(), record)},
			loggedEvent{at: at, id: "x", arn: keyARN, wire: fmt.Sprintf(`{"EventId":"x","EventTime":%d,"CloudTrailEvent":"%s}"}`, at.Unix(), record)},
		)
		r := look(t, srv.history(t), eventFinding(types.KeyStateEnabled, nil))
		if idOf(r.Last) != "x" || !r.Last.At.Equal(at) || r.Last.At.Location() != time.UTC {
			t.Errorf("last = %+v", r.Last)
		}
	})
}

func TestOptionsThatCannotBeMeantAreRefused(t *testing.T) {
	type options = cloudtrail.EventHistoryOptions
	good := (&eventServer{}).client()
	for name, fn := range map[string]func() (*cloudtrail.EventHistory, error){
		"no client": func() (*cloudtrail.EventHistory, error) {
			return cloudtrail.NewEventHistory(nil, eventAccount, eventRegion)
		},
		"a nil client": func() (*cloudtrail.EventHistory, error) {
			return cloudtrail.NewEventHistory((*eventDropper)(nil), eventAccount, eventRegion)
		},
		"no account":     func() (*cloudtrail.EventHistory, error) { return cloudtrail.NewEventHistory(good, "", eventRegion) },
		"an odd account": func() (*cloudtrail.EventHistory, error) { return cloudtrail.NewEventHistory(good, "12", eventRegion) },
		"no Region":      func() (*cloudtrail.EventHistory, error) { return cloudtrail.NewEventHistory(good, eventAccount, "") },
		"an odd Region": func() (*cloudtrail.EventHistory, error) {
			return cloudtrail.NewEventHistory(good, eventAccount, "Oregon")
		},
		"a negative quota":   withEvents(good, func(o *options) { o.Quota = -1 }),
		"a huge quota":       withEvents(good, func(o *options) { o.Quota = 1e9 }),
		"no pages":           withEvents(good, func(o *options) { o.Pages = -1 }),
		"too many pages":     withEvents(good, func(o *options) { o.RegionPages = 10_001 }),
		"negative attempts":  withEvents(good, func(o *options) { o.Attempts = -1 }),
		"too many attempts":  withEvents(good, func(o *options) { o.Attempts = 101 }),
		"negative patience":  withEvents(good, func(o *options) { o.Patience = -1 }),
		"a week of patience": withEvents(good, func(o *options) { o.Patience = 7 * eventDay }),
	} {
		t.Run(name, func(t *testing.T) {
			if h, err := fn(); h != nil || !isInvalidOption(err) {
				t.Errorf("%v, %v", h, err)
			}
		})
	}
	if h, err := cloudtrail.NewEventHistory(good, eventAccount, eventRegion, nil); h == nil || err != nil {
		t.Errorf("without options: %v", err)
	}
}

func TestTheRequestsStayWithinTheLast90Days(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onEventNoon()
		srv := &eventServer{latency: 20 * time.Second} // a slow walk must not fall out of them
		srv.log(eventNoise(400, eventAgo(time.Hour), time.Minute)...)
		f := eventFinding(types.KeyStateDisabled, &usage.Use{At: eventAgo(89*eventDay + 23*time.Hour), EventID: "1"})
		look(t, srv.history(t), f)
		for i, a := range srv.requests() {
			if a.status != 200 {
				t.Errorf("request %d was refused: %+v", i, a)
			}
		}
		// A use before that is not asked for.
		before := srv.count("EventId")
		f.LastUsage.Use.At = eventAgo(100 * eventDay)
		if r := look(t, srv.history(t), f); srv.count("EventId") != before || slices.ContainsFunc(r.Coverage, func(c usage.Coverage) bool { return c.From.Before(eventAgo(90 * eventDay)) }) {
			t.Errorf("asked for a use that is out of reach: %+v", r.Coverage)
		}
	})
}
