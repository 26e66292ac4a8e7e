package usage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"go.uber.org/mock/gomock"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
	"github.com/kmsusage/usage/kmsiface/kmsmock"
)

var shapes = []kmsfake.Shape{kmsfake.TokenBucket, kmsfake.FixedWindow, kmsfake.SlidingWindow}

// The target of DESIGN 10, without jitter; examples/bench measures it with.
func TestAnAccountTakesAsLongAsItsQuotaAndNothingIsThrottled(t *testing.T) {
	for _, shape := range shapes {
		for _, latency := range []time.Duration{8 * time.Millisecond, 40 * time.Millisecond} {
			t.Run(fmt.Sprintf("%v, %v", shape, latency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					onToday(t)
					srv := kmsfake.New(func(o *kmsfake.Options) {
						o.Shape, o.Latency = shape, func() time.Duration { return latency }
					})
					arns := fill(t, srv, home, ohio, 100)
					start := time.Now()
					fs := mustCollect(t, srv.Client(home, ohio))
					wantWhole(t, fs, arns)
					if got, most := time.Since(start).Seconds(), 1.05*100/5; got > most {
						t.Errorf("took %.2fs, want at most %.2fs", got, most)
					}
					if n := srv.Total("").Throttled; n > 0 {
						t.Errorf("%d attempts were throttled", n)
					}
				})
			})
		}
	}
}

// Readings with a quota of 100 a second cost no time beside one of 5.
func TestTheOtherReadingsHappenInTheShadowOfTheSlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		took := func(off usage.Readings) time.Duration {
			srv := kmsfake.New(func(o *kmsfake.Options) { o.Latency = func() time.Duration { return 40 * time.Millisecond } })
			fill(t, srv, home, ohio, 50)
			start := time.Now()
			mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Readings = off })
			return time.Since(start)
		}
		alone := took(usage.Readings{NoAliases: true, NoMetadata: true, NoGrants: true, NoPolicy: true, NoTags: true, NoRotations: true})
		all := took(usage.Readings{})
		if d := all - alone; d > 200*time.Millisecond {
			t.Errorf("all readings take %v, the last use alone %v", all, alone)
		}
	})
}

func TestTheReadingsOfAKeyOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(func(o *kmsfake.Options) { o.Latency = func() time.Duration { return time.Second } })
		fill(t, srv, home, ohio, 1)
		start := time.Now()
		mustInspectOne(t, srv.Client(home, ohio))
		// ListKeys beside ListAliases, DescribeKey, and the rest at once.
		if d := time.Since(start); d > 3100*time.Millisecond {
			t.Errorf("eight calls of a second each took %v, want three seconds", d)
		}
	})
}

func TestARaisedQuotaIsMadeUseOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(func(o *kmsfake.Options) {
			o.Quotas = kmsfake.DefaultQuotas()
			o.Quotas["GetKeyLastUsage"] = 50
			o.Latency = func() time.Duration { return 8 * time.Millisecond }
		})
		arns := fill(t, srv, home, ohio, 300)
		start := time.Now()
		wantWhole(t, mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"GetKeyLastUsage": 50} }), arns)
		if got, most := time.Since(start).Seconds(), 1.05*300/50; got > most {
			t.Errorf("took %.2fs, want at most %.2fs", got, most)
		}
		if n := srv.Total("").Throttled; n > 0 {
			t.Errorf("%d attempts were throttled", n)
		}
	})
}

// busiest is the most attempts of an operation in any one second.
func busiest(srv *kmsfake.Server, op string) int {
	var at []time.Time
	for _, e := range srv.Events() {
		if e.Operation == op {
			at = append(at, e.Time)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	most, first := 0, 0
	for i := range at {
		for at[i].Sub(at[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestRetriesAreAttemptsThatArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(recording)
		arns := fill(t, srv, home, ohio, 20)
		var calls tally
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if c.Operation == "GetKeyLastUsage" && calls.add(c.KeyARN) <= 2 {
				return kmsfake.InternalFailure()
			}
			return nil
		})
		start := time.Now()
		wantWhole(t, mustCollect(t, srv.Client(home, ohio)), arns)
		if n := srv.Total("GetKeyLastUsage").Attempts; n != 60 {
			t.Errorf("%d attempts, want three a key", n)
		}
		if n := busiest(srv, "GetKeyLastUsage"); n > 5 {
			t.Errorf("%d attempts in one second; the quota of 5 counts every attempt", n)
		}
		if d := time.Since(start); d < 59*200*time.Millisecond {
			t.Errorf("sixty attempts took %v", d)
		}
		if n := srv.Total("").Throttled; n > 0 {
			t.Errorf("%d attempts were throttled", n)
		}
	})
}

// inspectTwice runs two inspections of one account at the same time.
func inspectTwice(t *testing.T, srv *kmsfake.Server, optFns ...func(*usage.InspectOptions)) [2][]usage.Finding {
	t.Helper()
	var (
		wg  sync.WaitGroup
		out [2][]usage.Finding
	)
	for i := range out {
		wg.Go(func() {
			fs, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(home, ohio), optFns...))
			if err != nil {
				t.Error(err)
			}
			out[i] = fs
		})
	}
	wg.Wait()
	return out
}

func TestASharedPacerKeepsTwoInspectionsTogetherUnderTheQuota(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New(recording, func(o *kmsfake.Options) { o.Shape = shape })
				arns := fill(t, srv, home, ohio, 40)
				p := usage.NewPacer(nil)
				start := time.Now()
				for _, fs := range inspectTwice(t, srv, func(o *usage.InspectOptions) { o.Pacer = p }) {
					wantWhole(t, fs, arns)
				}
				if n := srv.Total("").Throttled; n > 0 {
					t.Errorf("%d attempts were throttled", n)
				}
				if n := busiest(srv, "GetKeyLastUsage"); n > 5 {
					t.Errorf("%d attempts in one second, want 5 at most", n)
				}
				if got, most := time.Since(start).Seconds(), 1.05*80/5; got > most {
					t.Errorf("took %.2fs, want at most %.2fs: the quota is there to be used", got, most)
				}
			})
		})
	}
}

// What the test above could not tell from chance: unshared, the two exceed the
// quota. Even so no key is lost.
func TestTwoInspectionsThatShareNothingAreThrottledAndLoseNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 40)
		for _, fs := range inspectTwice(t, srv) {
			wantWhole(t, fs, arns)
		}
		if srv.Total("GetKeyLastUsage").Throttled == 0 {
			t.Error("nothing was throttled")
		}
	})
}

func TestASharedPacerKeepsAccountsAndRegionsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		p := usage.NewPacer(nil)
		var wg sync.WaitGroup
		start := time.Now()
		for _, account := range []string{home, "444455556666"} {
			for _, region := range []string{ohio, "eu-west-1"} {
				arns := fill(t, srv, account, region, 25)
				wg.Go(func() {
					fs, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(account, region), func(o *usage.InspectOptions) { o.Pacer = p }))
					if err != nil {
						t.Error(err)
					}
					wantWhole(t, fs, arns)
				})
			}
		}
		wg.Wait()
		if got, most := time.Since(start).Seconds(), 1.05*25/5; got > most {
			t.Errorf("took %.2fs, want at most %.2fs as for one of the four", got, most)
		}
		if n := srv.Total("").Throttled; n > 0 {
			t.Errorf("%d attempts were throttled", n)
		}
	})
}

// A pacer remembers: the second range does not begin with a burst.
func TestAPacerOutlivesTheRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(recording, func(o *kmsfake.Options) { o.Shape = kmsfake.SlidingWindow })
		fill(t, srv, home, ohio, 3)
		p := usage.NewPacer(nil)
		seq := usage.Inspect(t.Context(), srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Pacer = p })
		for range 5 {
			if _, err := usage.Collect(seq); err != nil {
				t.Fatal(err)
			}
		}
		if n := busiest(srv, "GetKeyLastUsage"); n > 5 {
			t.Errorf("%d attempts in one second, want 5 at most", n)
		}
		if n := srv.Total("").Throttled; n > 0 {
			t.Errorf("%d attempts were throttled", n)
		}
	})
}

// The service grants less than it says, because others use up the rest.
func TestPacingGivesWayToOthersOnTheSameQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(func(o *kmsfake.Options) {
			o.Quotas = kmsfake.DefaultQuotas()
			o.Quotas["GetKeyLastUsage"] = 3
		})
		arns := fill(t, srv, home, ohio, 150)
		start := time.Now()
		lowest := 5.0
		wantWhole(t, mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) {
			o.Progress = func(p usage.Progress) { lowest = min(lowest, p.Rate) }
		}), arns)
		n := srv.Total("GetKeyLastUsage")
		if share := float64(n.Throttled) / float64(n.Attempts); n.Throttled == 0 || share > 0.25 {
			t.Errorf("%d of %d attempts were throttled, want some and not many", n.Throttled, n.Attempts)
		}
		if lowest > 3.5 {
			t.Errorf("the rate never fell below %.2f a second where 3 were to be had", lowest)
		}
		if got, most := time.Since(start).Seconds(), 1.25*150/3; got > most {
			t.Errorf("took %.1fs, want at most %.1fs", got, most)
		}
	})
}

func TestMocksAreNotPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		ctrl := gomock.NewController(t)
		m := kmsmock.NewMockInspector(ctrl)
		answers := &stub{keys: manyARNs(200)}
		whatever := gomock.Any()
		m.EXPECT().ListKeys(whatever, whatever, whatever).DoAndReturn(answers.ListKeys).Times(1)
		m.EXPECT().ListAliases(whatever, whatever, whatever).DoAndReturn(answers.ListAliases).Times(1)
		m.EXPECT().DescribeKey(whatever, whatever, whatever).DoAndReturn(answers.DescribeKey).Times(200)
		m.EXPECT().GetKeyLastUsage(whatever, whatever, whatever).DoAndReturn(answers.GetKeyLastUsage).Times(200)
		m.EXPECT().ListGrants(whatever, whatever, whatever).DoAndReturn(answers.ListGrants).Times(200)
		m.EXPECT().GetKeyPolicy(whatever, whatever, whatever).DoAndReturn(answers.GetKeyPolicy).Times(200)
		m.EXPECT().ListResourceTags(whatever, whatever, whatever).DoAndReturn(answers.ListResourceTags).Times(200)
		m.EXPECT().ListKeyRotations(whatever, whatever, whatever).DoAndReturn(answers.ListKeyRotations).Times(200)
		start := time.Now()
		fs := mustCollect(t, m)
		if d := time.Since(start); d != 0 {
			t.Errorf("two hundred keys took %v; a unit test must not wait", d)
		}
		wantWhole(t, fs, answers.keys)
	})
}

// forgetful is a decorator that drops the option functions of its calls.
type forgetful struct{ kmsiface.Inspector }

func (d forgetful) ListKeys(ctx context.Context, in *kms.ListKeysInput, _ ...func(*kms.Options)) (*kms.ListKeysOutput, error) {
	return d.Inspector.ListKeys(ctx, in)
}

func (d forgetful) ListAliases(ctx context.Context, in *kms.ListAliasesInput, _ ...func(*kms.Options)) (*kms.ListAliasesOutput, error) {
	return d.Inspector.ListAliases(ctx, in)
}

func (d forgetful) DescribeKey(ctx context.Context, in *kms.DescribeKeyInput, _ ...func(*kms.Options)) (*kms.DescribeKeyOutput, error) {
	return d.Inspector.DescribeKey(ctx, in)
}

func (d forgetful) GetKeyLastUsage(ctx context.Context, in *kms.GetKeyLastUsageInput, _ ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error) {
	return d.Inspector.GetKeyLastUsage(ctx, in)
}

func (d forgetful) ListGrants(ctx context.Context, in *kms.ListGrantsInput, _ ...func(*kms.Options)) (*kms.ListGrantsOutput, error) {
	return d.Inspector.ListGrants(ctx, in)
}

func (d forgetful) GetKeyPolicy(ctx context.Context, in *kms.GetKeyPolicyInput, _ ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error) {
	return d.Inspector.GetKeyPolicy(ctx, in)
}

func (d forgetful) ListResourceTags(ctx context.Context, in *kms.ListResourceTagsInput, _ ...func(*kms.Options)) (*kms.ListResourceTagsOutput, error) {
	return d.Inspector.ListResourceTags(ctx, in)
}

func (d forgetful) ListKeyRotations(ctx context.Context, in *kms.ListKeyRotationsInput, _ ...func(*kms.Options)) (*kms.ListKeyRotationsOutput, error) {
	return d.Inspector.ListKeyRotations(ctx, in)
}

// forgetsOne drops those of one operation, the one that matters.
type forgetsOne struct{ kmsiface.Inspector }

func (d forgetsOne) GetKeyLastUsage(ctx context.Context, in *kms.GetKeyLastUsageInput, _ ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error) {
	return d.Inspector.GetKeyLastUsage(ctx, in)
}

// counting passes them on, as a decorator should.
type counting struct {
	kmsiface.Inspector
	calls tally
}

func (d *counting) GetKeyLastUsage(ctx context.Context, in *kms.GetKeyLastUsageInput, fns ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error) {
	d.calls.add("GetKeyLastUsage")
	return d.Inspector.GetKeyLastUsage(ctx, in, append(slices.Clone(fns), func(o *kms.Options) { o.AppID = "decorated" })...)
}

// stubborn puts its own retryer in the place of the one that paces.
type stubborn struct{ kmsiface.Inspector }

func (d stubborn) GetKeyLastUsage(ctx context.Context, in *kms.GetKeyLastUsageInput, fns ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error) {
	return d.Inspector.GetKeyLastUsage(ctx, in, append(slices.Clone(fns), func(o *kms.Options) { o.Retryer = retry.NewStandard() })...)
}

// polite sets its retryer first: the one that paces wraps it.
type polite struct{ kmsiface.Inspector }

func (d polite) GetKeyLastUsage(ctx context.Context, in *kms.GetKeyLastUsageInput, fns ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error) {
	return d.Inspector.GetKeyLastUsage(ctx, in, append([]func(*kms.Options){func(o *kms.Options) { o.Retryer = retry.NewStandard() }}, fns...)...)
}

func TestAClientThatDropsOptionFunctionsIsNoticed(t *testing.T) {
	for name, tt := range map[string]struct {
		decorate func(kmsiface.Inspector) kmsiface.Inspector
		unpaced  bool
	}{
		"the SDK's client":                 {func(c kmsiface.Inspector) kmsiface.Inspector { return c }, false},
		"a decorator that passes them":     {func(c kmsiface.Inspector) kmsiface.Inspector { return &counting{Inspector: c} }, false},
		"a decorator with its own retryer": {func(c kmsiface.Inspector) kmsiface.Inspector { return polite{c} }, false},
		"a decorator that drops them":      {func(c kmsiface.Inspector) kmsiface.Inspector { return forgetful{c} }, true},
		"a decorator that drops some":      {func(c kmsiface.Inspector) kmsiface.Inspector { return forgetsOne{c} }, true},
		"a decorator that overrides them":  {func(c kmsiface.Inspector) kmsiface.Inspector { return stubborn{c} }, true},
		"a stub":                           {func(kmsiface.Inspector) kmsiface.Inspector { return &stub{keys: manyARNs(12)} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New(unlimited)
				fill(t, srv, home, ohio, 12)
				var (
					log    logBook
					told   usage.Progress
					start  = time.Now()
					client = tt.decorate(srv.Client(home, ohio))
				)
				fs := mustCollect(t, client, func(o *usage.InspectOptions) {
					o.Logger = log.logger()
					o.Progress = func(p usage.Progress) { told = p }
				})
				if len(fs) != 12 {
					t.Errorf("%d findings, want 12", len(fs))
				}
				if told.Unpaced != tt.unpaced {
					t.Errorf("Progress.Unpaced = %v, want %v", told.Unpaced, tt.unpaced)
				}
				warnings := log.lines("WARN")
				if tt.unpaced && len(warnings) != 1 || !tt.unpaced && len(warnings) != 0 {
					t.Errorf("warnings: %q; want one for all calls if unpaced, else none", warnings)
				}
				for _, w := range warnings {
					if !strings.Contains(w, "option functions") || !strings.Contains(w, ohio) && !strings.Contains(w, "ListKeys") && !strings.Contains(w, "ListAliases") {
						t.Errorf("warning %q does not say what is wrong where", w)
					}
				}
				if d := time.Since(start); tt.unpaced && d > time.Second || !tt.unpaced && d < 2*time.Second {
					t.Errorf("twelve keys took %v", d)
				}
			})
		})
	}
}

// Where every call fails there is nothing to say about pacing.
func TestACallThatFailsAccusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		srv.Deny(func(kmsfake.Call) bool { return true })
		var log logBook
		_, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Logger = log.logger() }))
		if err == nil || len(log.lines("WARN")) != 0 {
			t.Errorf("err = %v, warnings %q", err, log.lines("WARN"))
		}
	})
}
