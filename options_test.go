package usage_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// silentHistory is a History that knows nothing.
type silentHistory struct{}

func (*silentHistory) Source() string { return "silent" }

func (*silentHistory) Look(context.Context, usage.Finding) (usage.Record, error) {
	return usage.Record{}, nil
}

var invalidOptions = map[string]struct {
	edit  func(*usage.InspectOptions)
	names string // what the error must name
}{
	"a negative concurrency":               {func(o *usage.InspectOptions) { o.Concurrency = -1 }, "Concurrency"},
	"a concurrency of 1001":                {func(o *usage.InspectOptions) { o.Concurrency = 1001 }, "Concurrency"},
	"an endless concurrency":               {func(o *usage.InspectOptions) { o.Concurrency = math.MaxInt }, "Concurrency"},
	"negative targets":                     {func(o *usage.InspectOptions) { o.Targets = -1 }, "Targets"},
	"10001 targets":                        {func(o *usage.InspectOptions) { o.Targets = 10001 }, "Targets"},
	"negative attempts":                    {func(o *usage.InspectOptions) { o.Attempts = -1 }, "Attempts"},
	"101 attempts":                         {func(o *usage.InspectOptions) { o.Attempts = 101 }, "Attempts"},
	"negative patience":                    {func(o *usage.InspectOptions) { o.Patience = -time.Nanosecond }, "Patience"},
	"a patience of more than a day":        {func(o *usage.InspectOptions) { o.Patience = 24*time.Hour + 1 }, "Patience"},
	"a quota of zero":                      {func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"GetKeyLastUsage": 0} }, "GetKeyLastUsage"},
	"a negative quota":                     {func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"ListKeys": -5} }, "ListKeys"},
	"a quota that is not a number":         {func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"DescribeKey": math.NaN()} }, "DescribeKey"},
	"an infinite quota":                    {func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"DescribeKey": math.Inf(1)} }, "DescribeKey"},
	"a quota of a billion":                 {func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"ListGrants": 1e9} }, "ListGrants"},
	"a quota too small to be meant":        {func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"GetKeyLastUsage": 1e-12} }, "GetKeyLastUsage"},
	"a quota of a misspelled name":         {func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"GetLastKeyUsage": 20} }, "GetLastKeyUsage"},
	"a quota of an operation that changes": {func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"DisableKey": 5} }, "DisableKey"},
	"quotas and a pacer":                   {func(o *usage.InspectOptions) { o.Quotas, o.Pacer = usage.Quotas{}, usage.NewPacer(nil) }, "Pacer"},
	"a pacer with a bad quota":             {func(o *usage.InspectOptions) { o.Pacer = usage.NewPacer(usage.Quotas{"ListKeys": math.NaN()}) }, "ListKeys"},
	"a history that is nil":                {func(o *usage.InspectOptions) { o.History = []usage.History{&silentHistory{}, nil} }, "History[1]"},
	"a history that is a nil pointer":      {func(o *usage.InspectOptions) { o.History = []usage.History{(*silentHistory)(nil)} }, "History[0]"},
}

func TestOptionsThatCannotBeMeantAreOneErrorAndNoRequest(t *testing.T) {
	for name, tt := range invalidOptions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 2)
				wantOneInvalidOption(t, usage.Inspect(t.Context(), srv.Client(home, ohio), tt.edit), tt.names)
				if n := srv.Total("").Attempts; n != 0 {
					t.Errorf("%d requests were made", n)
				}
			})
		})
	}
}

func wantOneInvalidOption(t *testing.T, seq func(func(usage.Finding, error) bool), names string) {
	t.Helper()
	n := 0
	for f, err := range seq {
		n++
		if f.ARN != "" || !errors.Is(err, usage.ErrInvalidOption) {
			t.Errorf("yielded %q, %v; want no finding and ErrInvalidOption", f.ARN, err)
		}
		if err != nil && !strings.Contains(err.Error(), names) {
			t.Errorf("the error does not name %s: %v", names, err)
		}
	}
	if n != 1 {
		t.Errorf("yielded %d times, want once", n)
	}
}

func TestOptionsAtTheirLimitsAreValid(t *testing.T) {
	for name, edit := range map[string]func(*usage.InspectOptions){
		"the zero value":          nil,
		"a nil option function":   func(*usage.InspectOptions) {},
		"most concurrency":        func(o *usage.InspectOptions) { o.Concurrency = 1000 },
		"least concurrency":       func(o *usage.InspectOptions) { o.Concurrency = 1 },
		"most targets":            func(o *usage.InspectOptions) { o.Targets = 10000 },
		"least targets":           func(o *usage.InspectOptions) { o.Targets = 1 },
		"most attempts":           func(o *usage.InspectOptions) { o.Attempts = 100 },
		"least attempts":          func(o *usage.InspectOptions) { o.Attempts = 1 },
		"most patience":           func(o *usage.InspectOptions) { o.Patience = 24 * time.Hour },
		"least patience":          func(o *usage.InspectOptions) { o.Patience = 1 },
		"no quotas":               func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{} },
		"the default quotas":      func(o *usage.InspectOptions) { o.Quotas = usage.DefaultQuotas() },
		"the highest quota":       func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"GetKeyLastUsage": 1e6} },
		"a quota below one":       func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"GetKeyLastUsage": 0.1} },
		"a pacer":                 func(o *usage.InspectOptions) { o.Pacer = usage.NewPacer(nil) },
		"a logger that discards":  func(o *usage.InspectOptions) { o.Logger = slog.New(slog.DiscardHandler) },
		"a history":               func(o *usage.InspectOptions) { o.History = []usage.History{&silentHistory{}} },
		"an empty list of those":  func(o *usage.InspectOptions) { o.History = []usage.History{} },
		"a clock of one's own":    func(o *usage.InspectOptions) { o.Now = time.Now },
		"a progress callback":     func(o *usage.InspectOptions) { o.Progress = func(usage.Progress) {} },
		"every reading, also AWS": func(o *usage.InspectOptions) { o.Readings.AWSManaged = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				arns := fill(t, srv, home, ohio, 2)
				wantWhole(t, mustCollect(t, srv.Client(home, ohio), nil, edit), arns)
			})
		})
	}
}

func TestOptionsApplyInOrderAndOnce(t *testing.T) {
	c := &stub{keys: manyARNs(1)}
	calls := 0
	seq := usage.Inspect(t.Context(), c,
		func(o *usage.InspectOptions) { calls++; o.Concurrency = -1 },
		func(o *usage.InspectOptions) { o.Concurrency = 3 },
	)
	for range 2 {
		if fs, err := usage.Collect(seq); err != nil || len(fs) != 1 {
			t.Errorf("%d findings, %v; the later option function wins", len(fs), err)
		}
	}
	if calls != 1 {
		t.Errorf("the option function was called %d times, want once", calls)
	}
}

// The quotas that AWS publishes.
// https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
func TestDefaultQuotasAreAWSs(t *testing.T) {
	want := map[string]float64{
		"GetKeyLastUsage": 5, "DescribeKey": 2000, "ListKeys": 500, "ListAliases": 500,
		"ListGrants": 100, "GetKeyPolicy": 1000, "ListResourceTags": 2000, "ListKeyRotations": 100,
	}
	got := usage.DefaultQuotas()
	for op, q := range want {
		if got[op] != q {
			t.Errorf("quota of %s = %v, want %v", op, got[op], q)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d quotas, want %d: %v", len(got), len(want), got)
	}
	clear(got)
	if len(usage.DefaultQuotas()) != len(want) {
		t.Error("a caller's change shows in the next answer")
	}
}

func TestTheZeroPacerIsLikeANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 2)
		wantWhole(t, mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Pacer = new(usage.Pacer) }), arns)
	})
}

func TestQuotasAreTheCallersToChangeAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(unlimited)
		fill(t, srv, home, ohio, 11)
		q := usage.Quotas{"GetKeyLastUsage": 100}
		p := usage.NewPacer(q)
		q["GetKeyLastUsage"] = 0.001
		start := time.Now()
		mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Pacer = p })
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v; the pacer follows the caller's map", d)
		}
	})
}

// nilClient answers like none: its methods need the pointer.
func nilClient() *kms.Client { return nil }

func TestAClientThatIsNilIsInvalid(t *testing.T) {
	wantOneInvalidOption(t, usage.Inspect(t.Context(), nil), "Client")
	wantOneInvalidOption(t, usage.Inspect(t.Context(), nilClient()), "Client")
	wantOneInvalidOption(t, usage.Inspect(t.Context(), (*stub)(nil)), "Client")
}
