package usage_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestLastUsageDeniedForSomeKeysIsAGapOfThose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 10)
		closed := map[string]bool{arns[1]: true, arns[5]: true, arns[8]: true}
		srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "GetKeyLastUsage" && closed[c.KeyARN] })
		fs := mustCollect(t, srv.Client(home, ohio))
		if got := arnsOf(fs); !slices.Equal(got, arns) {
			t.Fatalf("found %v, want all ten", got)
		}
		for _, f := range fs {
			v := usage.Classify(f, usage.Policy{})
			if !closed[f.ARN] {
				wantGaps(t, f, nil)
				if v.Class != usage.Idle {
					t.Errorf("class = %v, want Idle", v.Class)
				}
				continue
			}
			wantGaps(t, f, map[string]usage.GapReason{"GetKeyLastUsage": usage.Denied})
			if f.LastUsage != nil || v.Class != usage.Unknown {
				t.Errorf("last usage %v, class %v; a denied answer is no silence", f.LastUsage, v.Class)
			}
			wantKeyError(t, f, "GetKeyLastUsage", usage.ErrAccessDenied)
		}
		if n := srv.Total("GetKeyLastUsage").Attempts; n != 10 {
			t.Errorf("%d attempts for ten keys; a denial is final", n)
		}
	})
}

func wantKeyError(t *testing.T, f usage.Finding, op string, sentinel error) {
	t.Helper()
	g, _ := f.Gap(op)
	e, ok := errors.AsType[*usage.KeyError](g.Err)
	if !ok || e.ARN != f.ARN || e.Op != op || !errors.Is(g.Err, sentinel) {
		t.Errorf("gap error = %v, want a KeyError of %s and the key that is %v", g.Err, op, sentinel)
	}
}

// What the services call an operation that a Region does not know yet.
// https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
func TestAnOperationThatARegionDoesNotHaveIsAGapThere(t *testing.T) {
	for _, op := range []string{"ListAliases", "DescribeKey", "GetKeyLastUsage", "ListGrants", "GetKeyPolicy", "ListResourceTags", "ListKeyRotations"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				targets, arns := fleetOf(t, srv, 3, ohio, "ap-south-1")
				srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
					if c.Operation == op && c.Region == "ap-south-1" {
						return kmsfake.Fail(400, "UnknownOperationException", "")
					}
					return nil
				})
				fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets))
				if err != nil || !slices.Equal(arnsOf(fs), arns) {
					t.Fatalf("found %d keys, %v", len(fs), err)
				}
				for _, f := range fs {
					if f.Region() == ohio {
						wantGaps(t, f, nil)
						continue
					}
					wantGaps(t, f, map[string]usage.GapReason{op: usage.Unsupported})
					wantKeyError(t, f, op, usage.ErrUnsupported)
					if op == "GetKeyLastUsage" && usage.Classify(f, usage.Policy{}).Class != usage.Unknown {
						t.Error("the class is not Unknown")
					}
				}
			})
		})
	}
}

// "everything throttled for five minutes: every key answered or its gap named"
func TestFiveMinutesOfThrottlingLoseNoKey(t *testing.T) {
	for name, from := range map[string]time.Duration{"from the start": 0, "in the middle": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New(func(o *kmsfake.Options) { o.Latency = func() time.Duration { return 40 * time.Millisecond } })
				arns := fill(t, srv, home, ohio, 50)
				start := time.Now()
				srv.Inject(func(kmsfake.Call) *kmsfake.Fault {
					if d := time.Since(start); d >= from && d < from+5*time.Minute {
						return kmsfake.Throttle()
					}
					return nil
				})
				fs := mustCollect(t, srv.Client(home, ohio))
				wantWhole(t, fs, arns)
				// Five minutes, ten seconds for fifty keys, and the way back to full speed.
				if d := time.Since(start); d > 6*time.Minute {
					t.Errorf("took %v", d)
				}
				if n := srv.Total("").Throttled; n < 100 {
					t.Errorf("%d attempts were throttled; the test needs more to say anything", n)
				}
			})
		})
	}
}

func TestThrottlingWithoutEndIsAGapWhenPatienceRunsOut(t *testing.T) {
	for name, tt := range map[string]struct {
		patience time.Duration
		want     time.Duration
	}{
		"fifteen minutes unless told otherwise": {0, 15 * time.Minute},
		"a minute":                              {time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				arns := fill(t, srv, home, ohio, 30)
				srv.Inject(faultAt("GetKeyLastUsage", kmsfake.Throttle()))
				start := time.Now()
				fs := mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Patience = tt.patience })
				if got := arnsOf(fs); !slices.Equal(got, arns) {
					t.Fatalf("found %v, want all", got)
				}
				for _, f := range fs {
					wantGaps(t, f, map[string]usage.GapReason{"GetKeyLastUsage": usage.Throttled})
					wantKeyError(t, f, "GetKeyLastUsage", usage.ErrThrottled)
					if f.Metadata == nil || f.Policy == "" {
						t.Error("what is not throttled was not read")
					}
				}
				// Patience is one for all: those whose turn comes afterwards are tried
				// once each, at a tenth of the quota.
				if d := time.Since(start); d < tt.want || d > tt.want+time.Minute+10*time.Second {
					t.Errorf("gave up after %v, want %v", d, tt.want)
				}
			})
		})
	}
}

// As long as some get through, it is worth while to wait.
func TestPatienceDoesNotRunOutWhileSomeGetThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 60)
		var calls tally
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if c.Operation == "GetKeyLastUsage" && calls.add(c.Operation)%5 != 0 {
				return kmsfake.Throttle()
			}
			return nil
		})
		start := time.Now()
		wantWhole(t, mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Patience = 20 * time.Second }), arns)
		if d := time.Since(start); d < time.Minute {
			t.Errorf("took %v; the test needs more than its patience several times over", d)
		}
	})
}

func TestAListingThatIsThrottledWithoutEndIsATargetError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 2)
		srv.Inject(faultAt("ListKeys", kmsfake.Throttle()))
		start := time.Now()
		fs, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Patience = 10 * time.Second }))
		if es := targetErrors(t, err); len(es) != 1 || es[0].Op != "ListKeys" || !errors.Is(err, usage.ErrThrottled) || len(fs) != 0 {
			t.Errorf("%d findings, err = %v; want one TargetError of ListKeys that is ErrThrottled", len(fs), err)
		}
		// The last of the growing pauses between attempts may be some seconds long.
		if d := time.Since(start); d < 10*time.Second || d > 20*time.Second {
			t.Errorf("gave up after %v, want ten seconds", d)
		}
	})
}

// A key can be deleted between any two calls.
func TestAKeyDeletedMeanwhileIsAFindingWithGaps(t *testing.T) {
	notFound := func(ops ...string) map[string]usage.GapReason {
		out := map[string]usage.GapReason{}
		for _, op := range ops {
			out[op] = usage.NotFound
		}
		return out
	}
	all := []string{"DescribeKey", "GetKeyLastUsage", "ListGrants", "GetKeyPolicy", "ListResourceTags", "ListKeyRotations"}
	for name, tt := range map[string]struct {
		before  string // the call that finds the key gone first
		options func(*usage.InspectOptions)
		gaps    map[string]usage.GapReason
		calls   int // of GetKeyLastUsage
	}{
		"before DescribeKey: nothing more is asked, least of all the last use": {
			before: "DescribeKey", gaps: notFound(all...), calls: 0,
		},
		"before DescribeKey, some readings off": {
			before:  "DescribeKey",
			options: func(o *usage.InspectOptions) { o.Readings.NoLastUsage, o.Readings.NoTags = true, true },
			gaps: map[string]usage.GapReason{
				"DescribeKey": usage.NotFound, "GetKeyLastUsage": usage.Skipped, "ListGrants": usage.NotFound,
				"GetKeyPolicy": usage.NotFound, "ListResourceTags": usage.Skipped, "ListKeyRotations": usage.NotFound,
			},
		},
		"before GetKeyLastUsage": {
			before: "GetKeyLastUsage",
			options: func(o *usage.InspectOptions) {
				o.Readings.NoGrants, o.Readings.NoPolicy, o.Readings.NoTags, o.Readings.NoRotations = true, true, true, true
			},
			gaps: map[string]usage.GapReason{
				"GetKeyLastUsage": usage.NotFound, "ListGrants": usage.Skipped, "GetKeyPolicy": usage.Skipped,
				"ListResourceTags": usage.Skipped, "ListKeyRotations": usage.Skipped,
			},
			calls: 1,
		},
		"without DescribeKey": {
			before: "GetKeyLastUsage",
			options: func(o *usage.InspectOptions) {
				o.Readings = usage.Readings{NoMetadata: true, NoGrants: true, NoPolicy: true, NoTags: true, NoRotations: true}
			},
			gaps: map[string]usage.GapReason{
				"DescribeKey": usage.Skipped, "GetKeyLastUsage": usage.NotFound, "ListGrants": usage.Skipped, "GetKeyPolicy": usage.Skipped,
				"ListResourceTags": usage.Skipped, "ListKeyRotations": usage.Skipped,
			},
			calls: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				arns := fill(t, srv, home, ohio, 3, func(i int, k *kmsfake.Key) { k.Aliases = []string{fmt.Sprint("name-", i)} })
				gone := arns[1]
				srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
					if c.Operation == tt.before && c.KeyARN == gone {
						if err := srv.Delete(gone); err != nil {
							t.Error(err)
						}
					}
					return nil
				})
				var asked tally
				srv.Deny(func(c kmsfake.Call) bool {
					if c.Operation == "GetKeyLastUsage" {
						asked.add(c.KeyARN)
					}
					return false
				})
				fs := mustCollect(t, srv.Client(home, ohio), tt.options)
				if got := arnsOf(fs); !slices.Equal(got, arns) {
					t.Fatalf("found %v, want also the key that is gone", got)
				}
				f := fs[1]
				wantGaps(t, f, tt.gaps)
				for _, g := range f.Gaps {
					if g.Reason == usage.NotFound {
						wantKeyError(t, f, g.Op, usage.ErrKeyNotFound)
					}
				}
				if got := asked.of(gone); got != tt.calls {
					t.Errorf("GetKeyLastUsage was asked %d times about it, want %d", got, tt.calls)
				}
				if usage.Assess(fs, usage.Policy{})[1].Retirable() {
					t.Error("it is retirable")
				}
			})
		})
	}
}

// flaky fails 5% of the attempts with status 500 and cuts 1%. Which attempt at
// which call fails does not depend on the order in which goroutines run.
func flaky(seed uint64) func(kmsfake.Call) *kmsfake.Fault {
	var tries tally
	return func(c kmsfake.Call) *kmsfake.Fault {
		what := c.Operation + " " + c.KeyARN
		h := fnv.New64a()
		_, _ = fmt.Fprint(h, what, tries.add(what))
		switch n := rand.New(rand.NewPCG(seed, h.Sum64())).IntN(100); {
		case n < 5:
			return kmsfake.InternalFailure()
		case n == 5:
			return kmsfake.Cut()
		}
		return nil
	}
}

func TestFailuresAndCutConnectionsLoseNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(func(o *kmsfake.Options) {
			o.Quotas = kmsfake.DefaultQuotas()
			o.Quotas["GetKeyLastUsage"] = 200
		})
		arns := fill(t, srv, home, ohio, 600)
		srv.Inject(flaky(20261201))
		fs := mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{"GetKeyLastUsage": 200} })
		wantWhole(t, fs, arns)
		all := srv.Total("")
		if share := float64(all.Faulted) / float64(all.Attempts); share < 0.05 || share > 0.07 {
			t.Errorf("%.1f%% of %d attempts failed, want 6%%", 100*share, all.Attempts)
		}
		// A retry is an attempt that the quota counts, and is paced as one.
		if all.Throttled > 0 {
			t.Errorf("%d attempts were throttled", all.Throttled)
		}
	})
}

// "no answer comes within 30 seconds"
func TestACallThatIsNotAnsweredIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 3)
		var calls tally
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if calls.add(c.Operation+c.KeyARN) == 1 {
				return kmsfake.Slow(100 * time.Hour)
			}
			return nil
		})
		start := time.Now()
		wantWhole(t, mustCollect(t, srv.Client(home, ohio)), arns)
		// Of ListKeys, DescribeKey and the rest, one after the other, and the pauses between.
		if d := time.Since(start); d < 90*time.Second || d > 2*time.Minute {
			t.Errorf("took %v, want thrice half a minute", d)
		}
	})
}

func TestACallThatIsNeverAnsweredIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 1)
		srv.Inject(faultAt("ListGrants", kmsfake.Slow(100*time.Hour)))
		f := mustInspectOne(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Attempts = 3 })
		wantGaps(t, f, map[string]usage.GapReason{"ListGrants": usage.Unavailable})
		wantKeyError(t, f, "ListGrants", usage.ErrUnavailable)
		if n := srv.Total("ListGrants").Attempts; n != 3 {
			t.Errorf("tried %d times, want 3", n)
		}
	})
}

// lost is an HTTP client that finds no host, as with a Region that is misspelled.
type lost struct {
	err   error
	calls tally
}

func (c *lost) Do(r *http.Request) (*http.Response, error) {
	c.calls.add(r.Header.Get("X-Amz-Target"))
	return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: c.err}
}

func TestAHostThatDoesNotExistIsNotTriedAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"no such host":               {&net.DNSError{Err: "no such host", Name: "kms.us-esat-1.amazonaws.com", IsNotFound: true}, 1},
		"a resolver that is out":     {&net.DNSError{Err: "server misbehaving", Name: "kms.us-east-1.amazonaws.com", IsTemporary: true}, 6},
		"a host that does not serve": {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				h := &lost{err: tt.err}
				_, err := usage.Collect(usage.Inspect(t.Context(), clientWith(kmsfake.New(), func(kms.HTTPClient) kms.HTTPClient { return h })))
				if es := targetErrors(t, err); len(es) != 1 || !errors.Is(err, usage.ErrUnavailable) || !errors.Is(err, tt.err) {
					t.Errorf("err = %v, want one TargetError that is ErrUnavailable", err)
				}
				if n := h.calls.of("TrentService.ListKeys"); n != tt.want {
					t.Errorf("tried %d times, want %d", n, tt.want)
				}
			})
		})
	}
}

// A connection over a socket ends in other ways than one in process.
func TestCutConnectionsOverHTTPLoseNoKeyEither(t *testing.T) {
	srv := kmsfake.New(unlimited)
	arns := fill(t, srv, home, ohio, 40)
	var tries tally
	srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
		switch n := tries.add(c.Operation + c.KeyARN); {
		case n == 1 && (c.KeyARN == "" || c.N%2 == 0):
			return kmsfake.Cut()
		case n == 1:
			return kmsfake.Status(503)
		}
		return nil
	})
	endpoint, stop, err := srv.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := srv.Client(home, ohio, func(o *kms.Options) {
		o.BaseEndpoint, o.HTTPClient = &endpoint, &http.Client{Transport: transport}
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			o.RateLimiter = ratelimit.None
		})
	})
	wantWhole(t, mustCollect(t, client, hurried), arns)
	if n := srv.Total("").Faulted; n != 2+6*40 {
		t.Errorf("%d attempts failed, want the first of every call", n)
	}
}

func TestWhatFailsOnceIsTriedAgain(t *testing.T) {
	garbage := kmsfake.Edit(func([]byte) []byte { return []byte("<html>Bad gateway</html>") })
	for name, fault := range map[string]*kmsfake.Fault{
		"status 500":                 kmsfake.InternalFailure(),
		"status 503 without a body":  kmsfake.Status(503),
		"status 429 without a body":  kmsfake.Status(429),
		"a connection that is cut":   kmsfake.Cut(),
		"a body that is cut in half": kmsfake.Malformed(),
		"a body that is no JSON":     garbage,
		"a throttle":                 kmsfake.Throttle(),
		"a timeout inside of KMS":    kmsfake.Fail(503, "DependencyTimeoutException", "The system timed out while trying to fulfill the request."),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				arns := fill(t, srv, home, ohio, 3)
				var calls tally
				srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
					if calls.add(c.Operation+c.KeyARN) == 1 {
						return fault
					}
					return nil
				})
				wantWhole(t, mustCollect(t, srv.Client(home, ohio)), arns)
				want := map[string]int{"ListKeys": 2, "ListAliases": 2, "DescribeKey": 6, "GetKeyLastUsage": 6, "ListGrants": 6, "GetKeyPolicy": 6, "ListResourceTags": 6, "ListKeyRotations": 6}
				if got := attempts(srv); !maps.Equal(got, want) {
					t.Errorf("attempts = %v, want each call twice", got)
				}
			})
		})
	}
}

func TestEveryFailureHasItsReason(t *testing.T) {
	garbage := kmsfake.Edit(func([]byte) []byte { return []byte("<html>Bad gateway</html>") })
	const once, most = 1, 6
	for name, tt := range map[string]struct {
		fault    *kmsfake.Fault
		reason   usage.GapReason
		sentinel error
		tries    int
	}{
		"a denial":                     {kmsfake.Deny(), usage.Denied, usage.ErrAccessDenied, once},
		"a denial by status alone":     {kmsfake.Status(403), usage.Denied, usage.ErrAccessDenied, once},
		"a Region not signed up for":   {kmsfake.Fail(403, "OptInRequired", ""), usage.Denied, usage.ErrAccessDenied, once},
		"an expired token":             {kmsfake.Fail(400, "ExpiredTokenException", "The security token included in the request is expired"), usage.Unauthenticated, usage.ErrAccessDenied, once},
		"a token of nobody":            {kmsfake.Fail(400, "UnrecognizedClientException", "The security token included in the request is invalid."), usage.Unauthenticated, usage.ErrAccessDenied, once},
		"a signature that is wrong":    {kmsfake.Fail(403, "InvalidSignatureException", ""), usage.Unauthenticated, usage.ErrAccessDenied, once},
		"no signature":                 {kmsfake.Fail(400, "MissingAuthenticationTokenException", "Missing Authentication Token"), usage.Unauthenticated, usage.ErrAccessDenied, once},
		"a key that is not there":      {kmsfake.Fail(400, "NotFoundException", "Key does not exist"), usage.NotFound, usage.ErrKeyNotFound, once},
		"an unknown operation":         {kmsfake.Fail(400, "UnknownOperationException", ""), usage.Unsupported, usage.ErrUnsupported, once},
		"KMS failing":                  {kmsfake.InternalFailure(), usage.Unavailable, usage.ErrUnavailable, most},
		"a gateway failing":            {kmsfake.Status(502), usage.Unavailable, usage.ErrUnavailable, most},
		"cut connections":              {kmsfake.Cut(), usage.Unavailable, usage.ErrUnavailable, most},
		"bodies cut in half":           {kmsfake.Malformed(), usage.Malformed, usage.ErrMalformed, most},
		"bodies that are no JSON":      {garbage, usage.Malformed, usage.ErrMalformed, most},
		"a state that does not do":     {kmsfake.Fail(409, "KMSInvalidStateException", "pending"), usage.Failed, nil, once},
		"a code that nobody has heard": {kmsfake.Fail(400, "NoveltyException", ""), usage.Failed, nil, once},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1)
				srv.Inject(faultAt("GetKeyPolicy", tt.fault))
				f := mustInspectOne(t, srv.Client(home, ohio))
				wantGaps(t, f, map[string]usage.GapReason{"GetKeyPolicy": tt.reason})
				g, _ := f.Gap("GetKeyPolicy")
				for _, s := range sentinels {
					if is := errors.Is(g.Err, s); is != errors.Is(s, tt.sentinel) {
						t.Errorf("%v is %v: %v", g.Err, s, is)
					}
				}
				if n := srv.Total("GetKeyPolicy").Attempts; n != tt.tries {
					t.Errorf("tried %d times, want %d", n, tt.tries)
				}
			})
		})
	}
}

func TestAttemptsAreAsManyAsAskedFor(t *testing.T) {
	for want, ask := range map[int]int{1: 1, 2: 2, 6: 0, 9: 9} {
		t.Run(fmt.Sprint(ask), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1)
				srv.Inject(faultAt("GetKeyLastUsage", kmsfake.InternalFailure()))
				mustInspectOne(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Attempts = ask })
				if n := srv.Total("GetKeyLastUsage").Attempts; n != want {
					t.Errorf("tried %d times, want %d", n, want)
				}
			})
		})
	}
}

// The client's own limit of attempts is for its other users.
func TestTheClientsOwnRetrySettingsLoseNoKey(t *testing.T) {
	for name, edit := range map[string]func(*kms.Options){
		"one attempt":    func(o *kms.Options) { o.RetryMaxAttempts = 1 },
		"adaptive":       func(o *kms.Options) { o.RetryMode = aws.RetryModeAdaptive },
		"no retryer":     func(o *kms.Options) { o.Retryer = aws.NopRetryer{} },
		"SDK's defaults": func(*kms.Options) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				arns := fill(t, srv, home, ohio, 20)
				var calls tally
				srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
					if c.Operation == "GetKeyLastUsage" && calls.add(c.KeyARN) <= 5 {
						return kmsfake.Throttle()
					}
					return nil
				})
				wantWhole(t, mustCollect(t, srv.Client(home, ohio, edit)), arns)
			})
		})
	}
}

func TestCredentialsThatExpireDuringTheRunAreGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 20)
		start := time.Now()
		srv.Inject(func(kmsfake.Call) *kmsfake.Fault {
			if time.Since(start) > 2*time.Second {
				return kmsfake.Fail(400, "ExpiredTokenException", "The security token included in the request is expired")
			}
			return nil
		})
		var whole, cut int
		for _, f := range mustCollect(t, srv.Client(home, ohio)) {
			switch g, gap := f.Gap("GetKeyLastUsage"); {
			case !gap:
				whole++
			case g.Reason == usage.Unauthenticated && errors.Is(g.Err, usage.ErrAccessDenied):
				cut++
			default:
				t.Errorf("gap = %+v", g)
			}
		}
		if whole < 9 || whole > 11 || whole+cut != 20 {
			t.Errorf("%d keys read before and %d not after; want about ten of each", whole, cut)
		}
	})
}

func TestNoValidCredentialsAreATargetError(t *testing.T) {
	for name, credentials := range map[string]aws.CredentialsProvider{
		"unknown":             kmsfake.CredentialsFor("AKIANOBODY"),
		"none":                aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errNoCredentials }),
		"a cache without any": aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errNoCredentials })),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1)
				fs, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(home, ohio, func(o *kms.Options) { o.Credentials = credentials })))
				if es := targetErrors(t, err); len(es) != 1 || len(fs) != 0 {
					t.Fatalf("%d findings, err = %v; want one TargetError", len(fs), err)
				}
				// "The caller may not do this, or has no valid credentials."
				if !errors.Is(err, usage.ErrAccessDenied) {
					t.Errorf("err = %v, want ErrAccessDenied", err)
				}
			})
		})
	}
}

var errNoCredentials = errors.New("no credentials in the chain")

// A role that may only list keys and read their last use gets a useful answer.
func TestTheLeastOfRolesGetsAUsefulAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		add := func(k kmsfake.Key) string {
			k.Account, k.Region = home, ohio
			return srv.MustAddKey(k)
		}
		want := map[string]usage.Class{
			add(kmsfake.Key{Created: longAgo, LastUsed: ago(3)}):                                                                 usage.Active,
			add(kmsfake.Key{Created: longAgo, LastUsed: ago(200)}):                                                               usage.Idle,
			add(kmsfake.Key{Created: longAgo}):                                                                                   usage.Unrecorded,
			add(kmsfake.Key{Created: ago(150)}):                                                                                  usage.Unused,
			add(kmsfake.Key{Created: ago(5)}):                                                                                    usage.New,
			add(kmsfake.Key{Created: longAgo, Spec: types.KeySpecRsa2048}):                                                       usage.Unrecorded,
			add(kmsfake.Key{Created: longAgo, LastUsed: ago(300), MultiRegion: true}):                                            usage.Unrecorded, // used before tracking began
			add(kmsfake.Key{Created: longAgo, Manager: types.KeyManagerTypeAws, Aliases: []string{"aws/ebs"}, LastUsed: ago(1)}): usage.Active,
		}
		srv.Deny(func(c kmsfake.Call) bool { return c.Operation != "ListKeys" && c.Operation != "GetKeyLastUsage" })
		fs := mustCollect(t, srv.Client(home, ohio))
		if len(fs) != len(want) {
			t.Fatalf("%d findings, want %d", len(fs), len(want))
		}
		for _, a := range usage.Assess(fs, usage.Policy{}) {
			if a.Verdict.Class != want[a.Finding.ARN] {
				t.Errorf("class = %v, want %v: %v", a.Verdict.Class, want[a.Finding.ARN], a.Verdict.Reasons)
			}
			wantGaps(t, a.Finding, map[string]usage.GapReason{
				"ListAliases": usage.Denied, "DescribeKey": usage.Denied, "ListGrants": usage.Denied,
				"GetKeyPolicy": usage.Denied, "ListResourceTags": usage.Denied, "ListKeyRotations": usage.Denied,
			})
			if a.Retirable() {
				t.Errorf("%s is retirable though hardly anything is known of it", a.Finding.ARN)
			}
		}
		n := len(want)
		calls := map[string]int{"ListKeys": 1, "ListAliases": 1, "DescribeKey": n, "GetKeyLastUsage": n, "ListGrants": n, "GetKeyPolicy": n, "ListResourceTags": n, "ListKeyRotations": n}
		if got := attempts(srv); !maps.Equal(got, calls) {
			t.Errorf("calls = %v, want each once, denied or not: %v", got, calls)
		}
	})
}

// The same role, told what it may: no denied call at all in the owner's trail.
func TestTheLeastOfRolesNeedNotBeDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 3)
		srv.Deny(func(c kmsfake.Call) bool { return c.Operation != "ListKeys" && c.Operation != "GetKeyLastUsage" })
		for _, f := range mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) {
			o.Readings = usage.Readings{NoAliases: true, NoMetadata: true, NoGrants: true, NoPolicy: true, NoTags: true, NoRotations: true}
		}) {
			if v := usage.Classify(f, usage.Policy{}); v.Class != usage.Idle {
				t.Errorf("class = %v, want Idle", v.Class)
			}
		}
		if got, want := attempts(srv), map[string]int{"ListKeys": 1, "GetKeyLastUsage": 3}; !maps.Equal(got, want) || srv.Total("").Denied > 0 {
			t.Errorf("calls = %v, %d denied; want %v, none denied", got, srv.Total("").Denied, want)
		}
	})
}
