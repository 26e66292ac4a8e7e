package usage_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// archive is a History that answers by function and remembers what it was asked.
type archive struct {
	name string
	look func(context.Context, usage.Finding) (usage.Record, error)

	mu    sync.Mutex
	asked []usage.Finding
}

func (a *archive) Source() string { return a.name }

func (a *archive) Look(ctx context.Context, f usage.Finding) (usage.Record, error) {
	a.mu.Lock()
	a.asked = append(a.asked, f)
	a.mu.Unlock()
	if a.look == nil {
		return usage.Record{}, nil
	}
	return a.look(ctx, f)
}

func (a *archive) keys() []string {
	out := arnsOf(a.asked)
	slices.Sort(out)
	return out
}

func with(hs ...usage.History) func(*usage.InspectOptions) {
	return func(o *usage.InspectOptions) { o.History = hs }
}

var errArchive = errors.New("the archive burned down")

func TestRecordsAndErrorsOfHistoriesComeIntoTheFinding(t *testing.T) {
	covered := []usage.Coverage{{Account: home, Region: ohio, From: longAgo, To: trackedFrom, BlindSpots: []string{}}}
	event := &usage.Event{At: ago(300), Operation: "Decrypt", Principal: "arn:aws:iam::111122223333:role/R"}
	for name, tt := range map[string]struct {
		record usage.Record
		err    error
		want   []usage.Record
		gap    bool
	}{
		"a record":                      {usage.Record{Coverage: covered, First: event, Last: event}, nil, []usage.Record{{Source: "trail", Coverage: covered, First: event, Last: event}}, false},
		"a record of nothing":           {usage.Record{}, nil, nil, false},
		"a name and nothing else":       {usage.Record{Source: "trail"}, nil, nil, false},
		"an error":                      {usage.Record{}, errArchive, nil, true},
		"an error beside half a record": {usage.Record{Coverage: covered}, errArchive, []usage.Record{{Source: "trail", Coverage: covered}}, true},
		"an error beside one event":     {usage.Record{Last: event}, errArchive, []usage.Record{{Source: "trail", Last: event}}, true},
		"an error beside one refusal":   {usage.Record{Refusals: []usage.Event{*event}}, errArchive, []usage.Record{{Source: "trail", Refusals: []usage.Event{*event}}}, true},
		"a record under another name":   {usage.Record{Source: "somebody else", Last: event}, nil, []usage.Record{{Source: "trail", Last: event}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1)
				h := &archive{name: "trail", look: func(context.Context, usage.Finding) (usage.Record, error) { return tt.record, tt.err }}
				f := mustInspectOne(t, srv.Client(home, ohio), with(h))
				if !reflect.DeepEqual(f.History, tt.want) {
					t.Errorf("History = %+v, want %+v", f.History, tt.want)
				}
				if !tt.gap {
					wantGaps(t, f, nil)
					return
				}
				wantGaps(t, f, map[string]usage.GapReason{"History:trail": usage.Failed})
				g, _ := f.Gap("History:trail")
				if e, ok := errors.AsType[*usage.KeyError](g.Err); !ok || e.ARN != f.ARN || e.Op != "History:trail" || !errors.Is(g.Err, errArchive) {
					t.Errorf("gap error = %v, want a KeyError with the cause", g.Err)
				}
			})
		})
	}
}

// Whatever a source found out before it failed is evidence: any one field of a
// record is enough to keep it.
func TestEveryFieldOfARecordIsKeptBesideAnError(t *testing.T) {
	record := reflect.TypeFor[usage.Record]()
	for i := range record.NumField() {
		field := record.Field(i)
		if field.Name == "Source" {
			continue
		}
		t.Run(field.Name, func(t *testing.T) {
			var rec usage.Record
			reflect.ValueOf(&rec).Elem().Field(i).Set(something(t, field.Type))
			h := &archive{name: "trail", look: func(context.Context, usage.Finding) (usage.Record, error) { return rec, errArchive }}
			f := mustInspectOne(t, &stub{keys: manyARNs(1)}, with(h))
			want := rec
			want.Source = "trail"
			if len(f.History) != 1 || !reflect.DeepEqual(f.History[0], want) {
				t.Errorf("history = %+v, want %+v", f.History, want)
			}
			wantGaps(t, f, map[string]usage.GapReason{"History:trail": usage.Failed})
		})
	}
}

// something is a value of a type that is not zero.
func something(t *testing.T, typ reflect.Type) reflect.Value {
	t.Helper()
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(typ.Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(typ, 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(reflect.New(typ.Key()).Elem(), something(t, typ.Elem()))
	case reflect.Struct:
		v.Field(0).Set(something(t, typ.Field(0).Type))
	case reflect.Int:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	default:
		t.Fatalf("what is something of %v?", typ)
	}
	return v
}

func TestHistoriesAreAskedOnceAKeyWithAllThatWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 5, func(i int, k *kmsfake.Key) { k.Aliases = []string{string(rune('a' + i))} })
		first, second := &archive{name: "first"}, &archive{name: "second"}
		first.look = func(context.Context, usage.Finding) (usage.Record, error) {
			return usage.Record{Coverage: []usage.Coverage{{Account: home}}}, nil
		}
		second.look = first.look
		fs := mustCollect(t, srv.Client(home, ohio), with(first, second))
		for _, h := range []*archive{first, second} {
			if got := h.keys(); !slices.Equal(got, arns) {
				t.Errorf("%s was asked about %v", h.name, got)
			}
			for _, f := range h.asked {
				if f.LastUsage == nil || f.Metadata == nil || f.Grants == nil || f.Policy == "" || f.Tags == nil || len(f.Aliases) != 1 {
					t.Errorf("%s was asked before all was read: %+v", h.name, f)
				}
				if want := map[string]int{"first": 0, "second": 1}[h.name]; len(f.History) != want {
					t.Errorf("%s was asked with %d records, want those before it", h.name, len(f.History))
				}
			}
		}
		for _, f := range fs {
			if len(f.History) != 2 || f.History[0].Source != "first" || f.History[1].Source != "second" {
				t.Errorf("history = %+v, want first and second in order", f.History)
			}
		}
	})
}

func TestATargetsHistoryIsAskedAboutItsOwnKeysOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		targets, arns := fleetOf(t, srv, 2, ohio, "eu-west-1")
		here, there, everywhere := &archive{name: "here"}, &archive{name: "there"}, &archive{name: "everywhere"}
		targets[0].History, targets[1].History = []usage.History{here}, []usage.History{there}
		if _, err := usage.Collect(usage.InspectFleet(t.Context(), targets, with(everywhere))); err != nil {
			t.Fatal(err)
		}
		in := func(region string) []string {
			return slices.DeleteFunc(slices.Clone(arns), func(arn string) bool { return !strings.Contains(arn, ":"+region+":") })
		}
		for h, want := range map[*archive][]string{here: in(ohio), there: in("eu-west-1"), everywhere: arns} {
			if got := h.keys(); !slices.Equal(got, want) {
				t.Errorf("%s was asked about %v, want %v", h.name, got, want)
			}
		}
	})
}

// AWS managed keys, and keys that are gone, are not worth a look.
func TestHistoriesAreNotAskedAboutKeysThatNothingIsAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 2)
		srv.MustAddKey(kmsfake.Key{Account: home, Region: ohio, Created: longAgo, Manager: "AWS", Aliases: []string{"aws/ebs"}})
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if c.Operation == "DescribeKey" && c.KeyARN == arns[0] {
				return kmsfake.Fail(400, "NotFoundException", "")
			}
			return nil
		})
		h := &archive{name: "trail"}
		fs := mustCollect(t, srv.Client(home, ohio), with(h))
		if got := h.keys(); len(fs) != 3 || !slices.Equal(got, arns[1:]) {
			t.Errorf("%d findings; asked about %v, want %v", len(fs), got, arns[1:])
		}
	})
}

func TestAHistoryIsAskedEvenWhereLastUsageIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 1)
		srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "GetKeyLastUsage" })
		h := &archive{name: "trail"}
		mustInspectOne(t, srv.Client(home, ohio), with(h))
		if got := h.keys(); !slices.Equal(got, arns) {
			t.Errorf("asked about %v: CloudTrail is then all there is", got)
		}
	})
}

func TestAHistoryThatWaitsEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		h := &archive{name: "trail", look: func(ctx context.Context, _ usage.Finding) (usage.Record, error) {
			<-ctx.Done()
			return usage.Record{}, ctx.Err()
		}}
		start := time.Now()
		fs, err := usage.Collect(usage.Inspect(ctx, srv.Client(home, ohio), with(h)))
		if d := time.Since(start); d != time.Minute {
			t.Errorf("ended after %v, want a minute", d)
		}
		wantEnded(t, err, []error{context.DeadlineExceeded}, len(fs), "", 3)
		if len(fs) != 0 {
			t.Errorf("findings = %v", fs)
		}
	})
}

// A history's own deadline is its own failure.
func TestAHistoryThatTimesOutByItselfIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 1)
		h := &archive{name: "trail", look: func(context.Context, usage.Finding) (usage.Record, error) {
			return usage.Record{}, context.DeadlineExceeded
		}}
		f := mustInspectOne(t, srv.Client(home, ohio), with(h))
		if g, ok := f.Gap("History:trail"); !ok || g.Reason == "" || !errors.Is(g.Err, context.DeadlineExceeded) {
			t.Errorf("gaps = %v", f.Gaps)
		}
	})
}

// A complete history is what turns Unrecorded into Unused: all the way through.
func TestAHistoryReachesTheVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		for range 2 {
			srv.MustAddKey(kmsfake.Key{Account: home, Region: ohio, Created: longAgo})
		}
		arns := arnsOf(mustCollect(t, srv.Client(home, ohio), listingOnly))
		h := &archive{name: "trail", look: func(_ context.Context, f usage.Finding) (usage.Record, error) {
			if f.ARN != arns[0] {
				return usage.Record{}, nil
			}
			return usage.Record{Coverage: []usage.Coverage{{Account: home, Region: ohio, From: longAgo, To: trackedFrom, BlindSpots: []string{}}}}, nil
		}}
		fs := mustCollect(t, srv.Client(home, ohio), with(h))
		for i, want := range []usage.Class{usage.Unused, usage.Unrecorded} {
			if v := usage.Classify(fs[i], usage.Policy{}); v.Class != want {
				t.Errorf("class of key %d = %v, want %v", i, v.Class, want)
			}
		}
	})
}
