package usage_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// dated changes the Date of the service's answers, as a local clock that is
// wrong makes it look. A nil shift takes it away.
type dated struct {
	inner kms.HTTPClient
	shift *time.Duration
}

func (d dated) Do(r *http.Request) (*http.Response, error) {
	resp, err := d.inner.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.Header.Del("Date"); d.shift != nil {
		resp.Header.Set("Date", time.Now().Add(*d.shift).UTC().Format(http.TimeFormat))
	}
	return resp, nil
}

// Silence counts up to ReadAt: a clock that is ahead must add none.
func TestReadAtIsTheEarlierOfTheLocalClockAndTheServices(t *testing.T) {
	days := func(n int) *time.Duration { d := time.Duration(n) * wholeDay; return &d }
	for name, tt := range map[string]struct {
		shift *time.Duration // of the service's clock against the local one
		want  time.Time
	}{
		"both agree":                       {days(0), today},
		"the local clock is days ahead":    {days(-3), today.Add(-3 * wholeDay)},
		"the local clock is days behind":   {days(3), today},
		"the service's answer has no Date": {nil, today},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1)
				f := mustInspectOne(t, clientWith(srv, func(h kms.HTTPClient) kms.HTTPClient { return dated{h, tt.shift} }))
				if got := f.LastUsage.ReadAt; !got.Equal(tt.want) || got.Location() != time.UTC {
					t.Errorf("ReadAt = %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestAClockThatIsAheadAddsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		// Silent for 89 days; by a clock that is ten days ahead, for 99.
		fill(t, srv, home, ohio, 1, func(_ int, k *kmsfake.Key) { k.LastUsed = ago(89) })
		time.Sleep(10 * wholeDay)
		back := -10 * wholeDay
		f := mustInspectOne(t, clientWith(srv, func(h kms.HTTPClient) kms.HTTPClient { return dated{h, &back} }))
		if v := usage.Classify(f, usage.Policy{}); v.Class != usage.Active || v.TrailingDays != 89 {
			t.Errorf("class = %v after %d days, want Active after 89", v.Class, v.TrailingDays)
		}
	})
}

// What was used between the question and a late answer may be missing in it.
func TestReadAtIsWhenTheQuestionWasAskedNotWhenItWasAnswered(t *testing.T) {
	for name, prepare := range map[string]func(*kmsfake.Server){
		"a slow answer": func(srv *kmsfake.Server) {
			srv.Inject(faultAt("GetKeyLastUsage", kmsfake.Slow(20*time.Second)))
		},
		"an answer of the second try": func(srv *kmsfake.Server) {
			var calls tally
			srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
				switch {
				case c.Operation != "GetKeyLastUsage":
					return nil
				case calls.add(c.Operation) == 1:
					return kmsfake.Throttle().After(20 * time.Second)
				default:
					return kmsfake.Slow(20 * time.Second)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1)
				prepare(srv)
				f := mustInspectOne(t, srv.Client(home, ohio))
				if f.LastUsage == nil {
					t.Fatalf("gaps = %v", f.Gaps)
				}
				if late := time.Since(f.LastUsage.ReadAt); late < 20*time.Second {
					t.Errorf("ReadAt is %v before the answer, want the time of asking, 20 seconds or more", late)
				}
			})
		})
	}
}

func TestReadAtOfAClientThatIsNotPacedIsTheLocalClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		if f := mustInspectOne(t, &stub{keys: manyARNs(1)}); !f.LastUsage.ReadAt.Equal(today) {
			t.Errorf("ReadAt = %v, want %v", f.LastUsage.ReadAt, today)
		}
	})
}

func TestReadAtIsByTheClockThatIsSet(t *testing.T) {
	for name, at := range map[string]time.Time{
		"years ahead": today.AddDate(4, 0, 0), "years behind": today.AddDate(-4, 0, 0),
		"in a zone of its own": today.AddDate(1, 0, 0).In(time.FixedZone("UTC+9", 9*3600)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				clock := kmsfake.NewClock(at)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1)
				f := mustInspectOne(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Now = clock.Now })
				if got := f.LastUsage.ReadAt; !got.Equal(at) || got.Location() != time.UTC {
					t.Errorf("ReadAt = %v, want %v", got, at.UTC())
				}
			})
		})
	}
}
