package cloudtrail_test

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

func TestAnEstimateTellsCallsAndTime(t *testing.T) {
	used := eventUsed(eventAgo(eventDay), "e", "r")
	untracked := eventFinding(types.KeyStateEnabled, nil)
	old := eventUsed(eventAgo(100*eventDay), "e", "r")
	offUsed := eventFinding(types.KeyStateDisabled, used.LastUsage.Use)
	foreign := used
	foreign.ARN = strings.Replace(keyARN, eventRegion, "eu-west-1", 1)
	unread := eventFinding(types.KeyStateEnabled, nil)
	unread.LastUsage = nil
	bare := usage.Finding{ARN: keyARN}
	managed := usage.Finding{ARN: keyARN, Aliases: []string{"alias/aws/s3"}}
	gone := usage.Finding{ARN: keyARN, Gaps: []usage.Gap{{Op: "DescribeKey", Reason: usage.NotFound}}}
	for name, tt := range map[string]struct {
		fs     []usage.Finding
		opt    func(*cloudtrail.EventHistoryOptions)
		keys   int
		calls  int
		max    int
		amount time.Duration // of calls, at 1.92 a second
	}{
		"nothing":                      {nil, nil, 0, 0, 0, 0},
		"another Region's key":         {[]usage.Finding{foreign}, nil, 0, 0, 0, 0},
		"a recorded use":               {[]usage.Finding{used}, nil, 1, 1, 6, 521 * time.Millisecond},
		"AWS's own key, not inspected": {[]usage.Finding{managed}, nil, 0, 0, 0, 0},
		"a key that is gone":           {[]usage.Finding{gone}, nil, 0, 0, 0, 0},
		"a use out of reach":           {[]usage.Finding{old}, nil, 0, 0, 0, 0},
		"before tracking":              {[]usage.Finding{untracked}, nil, 1, 1, 10, 521 * time.Millisecond},
		"off":                          {[]usage.Finding{offUsed}, nil, 1, 9, 6 + 10 + 280, 4688 * time.Millisecond},
		"two that are off":             {[]usage.Finding{offUsed, offUsed}, nil, 2, 11, 2*16 + 280, 5729 * time.Millisecond},
		"unread":                       {[]usage.Finding{unread}, nil, 1, 1, 10, 521 * time.Millisecond},
		"nothing read but its ARN":     {[]usage.Finding{bare}, nil, 1, 8, 20 + 280, 4167 * time.Millisecond},
		"recent uses too":              {[]usage.Finding{used}, func(o *cloudtrail.EventHistoryOptions) { o.Recent = true }, 1, 2, 16, 1042 * time.Millisecond},
		"fewer pages, a raised quota":  {[]usage.Finding{offUsed}, func(o *cloudtrail.EventHistoryOptions) { o.Pages, o.RegionPages, o.Quota = 2, 1, 20 }, 1, 9, 4 + 2 + 7, 469 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onEventNoon()
				srv := &eventServer{}
				var opts []func(*cloudtrail.EventHistoryOptions)
				if tt.opt != nil {
					opts = append(opts, tt.opt)
				}
				h := srv.history(t, opts...)
				e := h.Estimate(tt.fs)
				if e.Keys != tt.keys || e.Calls != tt.calls || e.MaxCalls != tt.max || (e.Time-tt.amount).Abs() > time.Millisecond || len(srv.requests()) != 0 {
					t.Errorf("%+v, want %d keys, %d calls to %d, %v", e, tt.keys, tt.calls, tt.max, tt.amount)
				}
				if e.Keys == 0 {
					return
				}
				for _, f := range tt.fs {
					look(t, h, f)
				}
				if n := len(srv.requests()); n > e.MaxCalls || n < min(e.Calls, 1) {
					t.Errorf("%d calls, estimated %d to %d", n, e.Calls, e.MaxCalls)
				}
			})
		})
	}
}

func TestAnEstimateCanBeRead(t *testing.T) {
	e := cloudtrail.Estimate{Keys: 120, Calls: 126, MaxCalls: 1310, Time: 65625 * time.Millisecond, MaxTime: 682 * time.Second}
	if got, want := e.String(), "120 keys: 126 calls, 1m6s; at most 1310 calls, 11m22s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnEstimateBeyondAllReasonIsClampedAndNotNegative(t *testing.T) {
	h := (&eventServer{}).history(t, func(o *cloudtrail.EventHistoryOptions) {
		o.Quota, o.Pages, o.Now = 0.001, 10_000, func() time.Time { return eventNoon }
	})
	fs := make([]usage.Finding, 2000)
	for i := range fs {
		fs[i] = eventFinding(types.KeyStateDisabled, nil)
	}
	if e := h.Estimate(fs); e.MaxTime != math.MaxInt64 || e.Time <= 0 || e.Time >= e.MaxTime || strings.Contains(e.String(), "-") {
		t.Errorf("%v", e)
	}
}
