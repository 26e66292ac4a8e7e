package usage_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// fleetOf is one target for each Region of the account, with n keys in each.
func fleetOf(t *testing.T, srv *kmsfake.Server, n int, regions ...string) (targets []usage.Target, arns []string) {
	t.Helper()
	for _, region := range regions {
		arns = append(arns, fill(t, srv, home, region, n)...)
		targets = append(targets, usage.Target{Account: home, Region: region, Client: srv.Client(home, region)})
	}
	slices.Sort(arns)
	return targets, arns
}

var fiveRegions = []string{"ap-south-1", "eu-central-1", "eu-west-1", "us-east-1", "us-west-2"}

func TestTargetsThatCannotBeMeantAreOneErrorAndNoRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		edit  func([]usage.Target) []usage.Target // of two good ones
		names string
	}{
		"none":                           {func([]usage.Target) []usage.Target { return nil }, "no targets"},
		"an empty list":                  {func([]usage.Target) []usage.Target { return []usage.Target{} }, "no targets"},
		"a target without a client":      {func(ts []usage.Target) []usage.Target { ts[1].Client = nil; return ts }, "eu-west-1"},
		"a client that is a nil pointer": {func(ts []usage.Target) []usage.Target { ts[1].Client = nilClient(); return ts }, "eu-west-1"},
		"an account that may be any":     {func(ts []usage.Target) []usage.Target { ts[0].Account, ts[1].Region = "", ohio; return ts }, "targets 0"},
		"a Region that may be any":       {func(ts []usage.Target) []usage.Target { ts[1].Region = ""; return ts }, "targets 0"},
		"neither account nor Region":     {func(ts []usage.Target) []usage.Target { ts[0].Account, ts[0].Region = "", ""; return ts }, "targets 0"},
		"a target listed twice":          {func(ts []usage.Target) []usage.Target { return append(ts, ts[0]) }, "targets 0"},
		"a target listed twice, by another client": {func(ts []usage.Target) []usage.Target {
			return append(ts, usage.Target{Account: ts[0].Account, Region: ts[0].Region, Client: ts[1].Client})
		}, "targets 0"},
		"a history that is nil": {func(ts []usage.Target) []usage.Target { ts[0].History = []usage.History{nil}; return ts }, "History[0]"},
		"a history that is a nil pointer": {func(ts []usage.Target) []usage.Target {
			ts[1].History = []usage.History{&silentHistory{}, (*silentHistory)(nil)}
			return ts
		}, "History[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				targets, _ := fleetOf(t, srv, 1, ohio, "eu-west-1")
				wantOneInvalidOption(t, usage.InspectFleet(t.Context(), tt.edit(targets)), tt.names)
				if n := srv.Total("").Attempts; n != 0 {
					t.Errorf("%d requests were made", n)
				}
			})
		})
	}
}

func TestTargetsNeedOnlyDiffer(t *testing.T) {
	const other = "444455556666"
	for name, targets := range map[string][]usage.Target{
		"in Region":                           {{Region: ohio}, {Region: "eu-west-1"}},
		"in Region, one with an account":      {{Account: home, Region: ohio}, {Region: "eu-west-1"}},
		"in account":                          {{Account: home}, {Account: other}},
		"in account, one with a Region":       {{Account: home}, {Account: other, Region: ohio}},
		"in one of the two, each by the next": {{Account: home, Region: ohio}, {Account: other, Region: ohio}, {Account: home, Region: "eu-west-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				var arns []string
				for i := range targets {
					account, region := cmp.Or(targets[i].Account, home), cmp.Or(targets[i].Region, ohio)
					arns = append(arns, fill(t, srv, account, region, 2)...)
					targets[i].Client = srv.Client(account, region)
				}
				slices.Sort(arns)
				fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets))
				if err != nil {
					t.Fatal(err)
				}
				wantWhole(t, fs, arns)
			})
		})
	}
}

func TestTargetsAreTakenWhenTheCallIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		targets, arns := fleetOf(t, srv, 2, ohio, "eu-west-1")
		seq := usage.InspectFleet(t.Context(), targets)
		clear(targets)
		fs, err := usage.Collect(seq)
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, fs, arns)
	})
}

func TestAFleetReadsSeveralAccountsAndRegions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		var targets []usage.Target
		var arns []string
		for _, account := range []string{home, "444455556666"} {
			for _, region := range []string{ohio, "eu-west-1"} {
				arns = append(arns, fill(t, srv, account, region, 3)...)
				targets = append(targets, usage.Target{Account: account, Region: region, Client: srv.Client(account, region)})
			}
		}
		slices.Sort(arns)
		fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets))
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, fs, arns)
	})
}

func TestListKeysDeniedInOneRegionOfFiveLeavesFour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		targets, arns := fleetOf(t, srv, 10, fiveRegions...)
		srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "ListKeys" && c.Region == "eu-west-1" })
		fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets))

		readable := slices.DeleteFunc(arns, func(arn string) bool { return strings.Contains(arn, ":eu-west-1:") })
		wantWhole(t, fs, readable)
		if len(readable) != 40 {
			t.Errorf("%d keys in the four Regions, want 40", len(readable))
		}
		es := targetErrors(t, err)
		if len(es) != 1 {
			t.Fatalf("err = %v, want one TargetError", err)
		}
		e := es[0]
		if e.Account != home || e.Region != "eu-west-1" || e.Op != "ListKeys" || e.Listed != 0 || e.Read != 0 {
			t.Errorf("error = %+v", e)
		}
		if !errors.Is(err, usage.ErrAccessDenied) {
			t.Errorf("err = %v, want ErrAccessDenied", err)
		}
		if got := err.Error(); !strings.Contains(got, "eu-west-1") || !strings.Contains(got, "kms:ListKeys") {
			t.Errorf("text = %q, want the Region and what KMS said", got)
		}
		// A denial is final: trying again is noise in the owner's CloudTrail.
		for _, c := range srv.Calls() {
			if c.Region == "eu-west-1" && c.Operation == "ListKeys" && c.Attempts != 1 {
				t.Errorf("ListKeys was tried %d times where it is denied", c.Attempts)
			}
			if c.Region == "eu-west-1" && c.Operation != "ListKeys" && c.Operation != "ListAliases" {
				t.Errorf("%s was called where no key was listed", c.Operation)
			}
		}
	})
}

func TestTheErrorOfATargetComesAfterItsFindingsAndWaitsForNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, "eu-west-1", 1005)
		fill(t, srv, home, ohio, 3)
		var calls tally
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			switch {
			case c.Operation == "ListKeys" && c.Region == ohio:
				return kmsfake.Slow(20 * time.Second)
			case c.Operation == "ListKeys" && calls.add("ListKeys") == 2:
				return kmsfake.Deny()
			}
			return nil
		})
		var came []string
		for f, err := range usage.InspectFleet(t.Context(), []usage.Target{
			{Account: home, Region: ohio, Client: srv.Client(home, ohio)},
			{Account: home, Region: "eu-west-1", Client: srv.Client(home, "eu-west-1")},
		}, listingOnly) {
			what := f.Region()
			if err != nil {
				what = "error"
			}
			came = append(came, what)
		}
		want := slices.Concat(slices.Repeat([]string{"eu-west-1"}, 1000), []string{"error"}, slices.Repeat([]string{ohio}, 3))
		if !slices.Equal(came, want) {
			t.Errorf("%d yields, the error at %d; want it after the 1000 findings of its target and before those of the other", len(came), slices.Index(came, "error"))
		}
	})
}

func TestEveryTargetThatFailsIsOneErrorOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		targets, _ := fleetOf(t, srv, 1, fiveRegions...)
		srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "ListKeys" })
		fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets))
		if len(fs) != 0 {
			t.Errorf("findings = %v", arnsOf(fs))
		}
		var got []string
		for _, e := range targetErrors(t, err) {
			got = append(got, e.Region)
		}
		slices.Sort(got)
		if !slices.Equal(got, fiveRegions) {
			t.Errorf("errors of %v, want one of each Region", got)
		}
	})
}

func TestCredentialsOfAnotherAccountEndTheTargetBeforeAnyKeyIsRead(t *testing.T) {
	const other = "999988887777"
	for name, tt := range map[string]struct {
		account, region string // of the target
		want            []string
	}{
		"another account": {"444455556666", ohio, []string{other, "444455556666"}},
		"another Region":  {other, "eu-west-1", []string{ohio, "eu-west-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, other, ohio, 5)
				arns := fill(t, srv, home, ohio, 2)
				fs, err := usage.Collect(usage.InspectFleet(t.Context(), []usage.Target{
					{Account: home, Region: ohio, Client: srv.Client(home, ohio)},
					{Account: tt.account, Region: tt.region, Client: srv.Client(other, ohio)},
				}))
				wantWhole(t, fs, arns)
				es := targetErrors(t, err)
				if len(es) != 1 || es[0].Account != tt.account || es[0].Region != tt.region || es[0].Listed != 0 || es[0].Read != 0 {
					t.Fatalf("err = %v, want one TargetError of %s %s, nothing listed", err, tt.account, tt.region)
				}
				for _, s := range tt.want {
					if !strings.Contains(es[0].Error(), s) {
						t.Errorf("text = %q, want it to name %s", es[0], s)
					}
				}
				for _, c := range srv.Calls() {
					if c.Account == other && c.Operation != "ListKeys" && c.Operation != "ListAliases" {
						t.Errorf("%d calls of %s with the wrong credentials", c.Attempts, c.Operation)
					}
				}
			})
		})
	}
}

func TestCredentialsOfAnotherAccountWithoutKeysAreNoEmptyTarget(t *testing.T) {
	const other = "999988887777"
	for name, tt := range map[string]struct {
		target usage.Target
		want   string // in the error; empty: none
	}{
		"another account":    {usage.Target{Account: home, Region: ohio}, other},
		"another Region":     {usage.Target{Account: other, Region: "eu-west-1"}, ohio},
		"the right account":  {usage.Target{Account: other, Region: ohio}, ""},
		"nothing to compare": {usage.Target{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				if err := srv.AddPredefinedAlias(other, ohio, "alias/aws/ebs"); err != nil {
					t.Fatal(err)
				}
				tt.target.Client = srv.Client(other, ohio)
				fs, err := usage.Collect(usage.InspectFleet(t.Context(), []usage.Target{tt.target}))
				if len(fs) != 0 {
					t.Errorf("found %v", arnsOf(fs))
				}
				if tt.want == "" {
					if err != nil {
						t.Errorf("err = %v", err)
					}
					return
				}
				es := targetErrors(t, err)
				if len(es) != 1 || es[0].Op != "ListAliases" || es[0].Account != tt.target.Account || !strings.Contains(es[0].Error(), tt.want) {
					t.Errorf("err = %v, want one TargetError of ListAliases that names %s", err, tt.want)
				}
			})
		})
	}
}

func TestOneTargetNeedsNeitherAccountNorRegion(t *testing.T) {
	for name, target := range map[string]usage.Target{
		"neither":      {},
		"account only": {Account: home},
		"Region only":  {Region: ohio},
		"both of them": {Account: home, Region: ohio},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1100)
				target.Client = srv.Client(home, ohio)
				var calls tally
				srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "ListKeys" && calls.add("ListKeys") == 2 })
				fs, err := usage.Collect(usage.InspectFleet(t.Context(), []usage.Target{target}, listingOnly))
				if len(fs) != 1000 {
					t.Errorf("%d findings, want the first page", len(fs))
				}
				// What the first page tells is known when the second fails.
				es := targetErrors(t, err)
				if len(es) != 1 || es[0].Account != home || es[0].Region != ohio || es[0].Listed != 1000 || es[0].Read != 1000 {
					t.Errorf("err = %+v, want it to name account and Region, 1000 keys listed and read", err)
				}
			})
		})
	}
}

// The quota is per account and Region: a fleet takes as long as its slowest
// target, not as all of them together.
func TestAFleetTakesAsLongAsItsSlowestTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		var targets []usage.Target
		for i := range 10 {
			account := fmt.Sprintf("%012d", 100+i)
			fill(t, srv, account, ohio, 10*(i+1))
			targets = append(targets, usage.Target{Account: account, Region: ohio, Client: srv.Client(account, ohio)})
		}
		start := time.Now()
		fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets))
		if err != nil || len(fs) != 550 {
			t.Fatalf("%d findings, %v", len(fs), err)
		}
		if got, most := time.Since(start).Seconds(), 1.05*100/5; got > most {
			t.Errorf("took %.1fs, want at most %.1fs: the slowest has 100 keys, all have 550", got, most)
		}
		if n := srv.Total("").Throttled; n != 0 {
			t.Errorf("%d attempts were throttled", n)
		}
	})
}

// gauge remembers how many were inside at most. The zero value is ready.
type gauge struct {
	mu        sync.Mutex
	now, most int
}

func (g *gauge) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now++
	g.most = max(g.most, g.now)
}

func (g *gauge) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now--
}

func TestNoMoreTargetsAreReadAtOnceThanAskedFor(t *testing.T) {
	for want, edit := range map[int]func(*usage.InspectOptions){
		1:   func(o *usage.InspectOptions) { o.Targets = 1 },
		3:   func(o *usage.InspectOptions) { o.Targets = 3 },
		128: nil,
	} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				var lists gauge
				var targets []usage.Target
				for i := range 200 {
					account := fmt.Sprintf("%012d", i)
					arn := fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", ohio, account, oneID)
					targets = append(targets, usage.Target{Account: account, Region: ohio, Client: &stub{listKeys: func(*kms.ListKeysInput) (*kms.ListKeysOutput, error) {
						lists.enter()
						defer lists.leave()
						time.Sleep(time.Second) // of the bubble
						return &kms.ListKeysOutput{Keys: entries(arn)}, nil
					}}})
				}
				fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets, edit))
				if err != nil || len(fs) != 200 {
					t.Fatalf("%d findings, %v", len(fs), err)
				}
				if lists.most != want {
					t.Errorf("%d targets at once, want %d", lists.most, want)
				}
			})
		})
	}
}

func TestNoMoreKeysAreReadAtOnceThanAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(unlimited)
		fill(t, srv, home, ohio, 200)
		var reads gauge
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if c.Operation != "GetKeyLastUsage" {
				return nil
			}
			reads.enter()
			defer reads.leave()
			time.Sleep(time.Second) // of the bubble
			return nil
		})
		mustCollect(t, srv.Client(home, ohio), hurried, func(o *usage.InspectOptions) { o.Concurrency = 7 })
		if reads.most != 7 {
			t.Errorf("%d keys at once, want 7", reads.most)
		}
	})
}

func TestProgressIsToldOfEachTargetByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		targets, _ := fleetOf(t, srv, 4, fiveRegions...)
		last := map[string]usage.Progress{}
		fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets, func(o *usage.InspectOptions) {
			o.Progress = func(p usage.Progress) { last[p.Region] = p }
		}))
		if err != nil || len(fs) != 20 {
			t.Fatalf("%d findings, %v", len(fs), err)
		}
		if got := slices.SortedFunc(maps.Keys(last), cmp.Compare); !slices.Equal(got, fiveRegions) {
			t.Errorf("told of %v", got)
		}
		for region, p := range last {
			if p.Account != home || p.Listed != 4 || p.Done != 4 || !p.Complete {
				t.Errorf("%s ends with %+v", region, p)
			}
		}
	})
}
