package usage_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

var errEnough = errors.New("enough")

// endings are the ways in which a context ends, each after d.
var endings = map[string]struct {
	after func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	is    []error
}{
	"cancellation": {
		func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(d, cancel)
			return ctx, cancel
		},
		[]error{context.Canceled},
	},
	"cancellation for a cause": {
		func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(d, func() { cancel(errEnough) })
			return ctx, func() { cancel(nil) }
		},
		[]error{context.Canceled, errEnough},
	},
	"a deadline": {
		context.WithTimeout,
		[]error{context.DeadlineExceeded},
	},
	"a deadline with a cause": {
		func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, d, errEnough)
		},
		[]error{context.DeadlineExceeded, errEnough},
	},
}

func TestAContextThatEndsEndsTheRange(t *testing.T) {
	const n = 40 // keys; ten seconds at five a second
	for when, tt := range map[string]struct {
		after   time.Duration
		prepare func(*kmsfake.Server)
		op      string // of the error
		listed  int
		most    int // findings
		least   int
	}{
		"during the listing": {
			after:   2 * time.Second,
			prepare: func(srv *kmsfake.Server) { srv.Inject(faultAt("ListKeys", kmsfake.Slow(time.Hour))) },
			op:      "ListKeys",
		},
		"while the list of aliases is read": {
			after:   2 * time.Second,
			prepare: func(srv *kmsfake.Server) { srv.Inject(faultAt("ListAliases", kmsfake.Slow(time.Hour))) },
			listed:  n,
		},
		"during the pacing": {
			after:  2 * time.Second,
			listed: n, least: 9, most: 11,
		},
		"while KMS is slow to answer": {
			after: 2 * time.Second,
			prepare: func(srv *kmsfake.Server) {
				srv.Inject(faultAt("GetKeyLastUsage", kmsfake.Slow(time.Hour)))
			},
			listed: n,
		},
		"while everything is throttled": {
			after: time.Minute,
			prepare: func(srv *kmsfake.Server) {
				srv.Inject(faultAt("GetKeyLastUsage", kmsfake.Throttle()))
			},
			listed: n,
		},
		"between two tries": {
			after: 3 * time.Second,
			prepare: func(srv *kmsfake.Server) {
				srv.Inject(faultAt("ListKeyRotations", kmsfake.InternalFailure()))
			},
			listed: n, most: n,
		},
	} {
		for how, ending := range endings {
			t.Run(when+" by "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					onToday(t)
					srv := kmsfake.New()
					fill(t, srv, home, ohio, n)
					if tt.prepare != nil {
						tt.prepare(srv)
					}
					ctx, cancel := ending.after(t.Context(), tt.after)
					defer cancel()
					start := time.Now()
					fs, err := usage.Collect(usage.Inspect(ctx, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Attempts = 100 }))
					if d := time.Since(start); d != tt.after {
						t.Errorf("the range ended after %v, want %v as the context did", d, tt.after)
					}
					wantEnded(t, err, ending.is, len(fs), tt.op, tt.listed)
					if len(fs) < tt.least || len(fs) > tt.most {
						t.Errorf("%d findings survive, want %d to %d", len(fs), tt.least, tt.most)
					}
					// What the end of the context cut off is no finding with gaps.
					for _, f := range fs {
						wantGaps(t, f, nil)
					}
				})
			})
		}
	}
}

func wantEnded(t *testing.T, err error, is []error, read int, op string, listed int) {
	t.Helper()
	es := targetErrors(t, err)
	if len(es) != 1 {
		t.Fatalf("err = %v, want one TargetError", err)
	}
	for _, cause := range is {
		if !errors.Is(err, cause) {
			t.Errorf("err = %v, want it to wrap %v", err, cause)
		}
		if !strings.Contains(err.Error(), cause.Error()) {
			t.Errorf("text = %q, want it to say %v", err, cause)
		}
	}
	for _, s := range sentinels {
		if errors.Is(err, s) {
			t.Errorf("err = %v is %v; the caller ended it, not AWS", err, s)
		}
	}
	if e := es[0]; e.Read != read || e.Listed != listed || e.Op != op {
		t.Errorf("error = %+v; want op %q, %d listed and %d read", e, op, listed, read)
	}
}

var sentinels = []error{
	usage.ErrAccessDenied, usage.ErrThrottled, usage.ErrKeyNotFound, usage.ErrUnsupported,
	usage.ErrMalformed, usage.ErrUnavailable, usage.ErrInvalidOption,
}

func TestAContextThatHasEndedBeforeCostsNoRequest(t *testing.T) {
	for how, ending := range endings {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				targets, _ := fleetOf(t, srv, 3, fiveRegions...)
				ctx, cancel := ending.after(t.Context(), time.Second)
				defer cancel()
				time.Sleep(time.Minute)
				fs, err := usage.Collect(usage.InspectFleet(ctx, targets))
				if n := srv.Total("").Attempts; n != 0 || len(fs) != 0 {
					t.Errorf("%d requests, %d findings", n, len(fs))
				}
				es := targetErrors(t, err)
				if len(es) != len(targets) {
					t.Errorf("%d errors, want one a target: %v", len(es), err)
				}
				for _, e := range es {
					wantEnded(t, e, ending.is, 0, "ListKeys", 0)
					if e.Account != home || e.Region == "" {
						t.Errorf("error = %+v, want the target named", e)
					}
				}
			})
		})
	}
}

// A client may take no notice of its context, as mocks do.
func TestAContextThatHasEndedStopsAlsoAClientThatDoesNotLook(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &stub{keys: manyARNs(5)}
	fs, err := usage.Collect(usage.Inspect(ctx, c))
	if len(fs) != 0 || c.calls.of("GetKeyLastUsage") != 0 {
		t.Errorf("%d findings, %d keys read", len(fs), c.calls.of("GetKeyLastUsage"))
	}
	if es := targetErrors(t, err); len(es) != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want one TargetError that is context.Canceled", err)
	}
}

func TestKeysOfThePagesBeforeSurviveTheEndOfTheListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(unlimited)
		fill(t, srv, home, ohio, 1500)
		var calls tally
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if c.Operation == "ListKeys" && calls.add("ListKeys") >= 2 {
				return kmsfake.Slow(time.Hour)
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		fs, err := usage.Collect(usage.Inspect(ctx, srv.Client(home, ohio), listingOnly))
		wantEnded(t, err, []error{context.DeadlineExceeded}, len(fs), "ListKeys", 1000)
		if len(fs) != 1000 {
			t.Errorf("%d findings survive, want the 1000 of the first page", len(fs))
		}
	})
}

func TestEveryTargetOfAFleetEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		targets, _ := fleetOf(t, srv, 40, fiveRegions...)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		fs, err := usage.Collect(usage.InspectFleet(ctx, targets, func(o *usage.InspectOptions) { o.Targets = 4 }))
		perRegion := map[string]int{}
		for _, f := range fs {
			perRegion[f.Region()]++
		}
		es := targetErrors(t, err)
		if len(es) != 5 {
			t.Fatalf("%d errors, want five", len(es))
		}
		waiting := 0
		for _, e := range es {
			if !errors.Is(e, context.DeadlineExceeded) || e.Read != perRegion[e.Region] {
				t.Errorf("%+v, want the deadline and %d read", e, perRegion[e.Region])
			}
			if e.Listed == 0 {
				waiting++ // its turn had not come
			}
		}
		if waiting != 1 || len(fs) < 36 || len(fs) > 44 {
			t.Errorf("%d findings, %d targets not begun; want about 40 of four targets", len(fs), waiting)
		}
	})
}

func TestAContextThatEndsAfterTheLastKeyIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 3)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		for _, err := range usage.Inspect(ctx, srv.Client(home, ohio)) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 3 {
				cancel()
			}
		}
		if n != 3 {
			t.Errorf("%d findings, want 3", n)
		}
	})
}

// A key whose last reading succeeds as the context ends has been read.
func TestAKeyThatIsReadWhenTheContextEndsIsAFinding(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &archive{name: "trail", look: func(context.Context, usage.Finding) (usage.Record, error) {
		cancel()
		return usage.Record{}, nil
	}}
	fs, err := usage.Collect(usage.Inspect(ctx, &stub{keys: manyARNs(1)}, with(h)))
	if len(fs) != 1 || err != nil {
		t.Fatalf("%d findings, %v; want the key, and nothing missing", len(fs), err)
	}
	wantGaps(t, fs[0], nil)
}

// impatient is an HTTP client whose own deadline passes at some operation.
type impatient struct {
	inner kms.HTTPClient
	op    string
}

func (c impatient) Do(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+c.op) {
		return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: context.DeadlineExceeded}
	}
	return c.inner.Do(r)
}

func clientWith(srv *kmsfake.Server, h func(kms.HTTPClient) kms.HTTPClient) kmsiface.Inspector {
	return srv.Client(home, ohio, func(o *kms.Options) { o.HTTPClient = h(o.HTTPClient) })
}

// The deadline of an HTTP client is not the caller's: it is tried again, and
// then a gap.
func TestATimeoutOfTheHTTPClientIsNotTheEndOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 2)
		for _, f := range mustCollect(t, clientWith(srv, func(h kms.HTTPClient) kms.HTTPClient { return impatient{h, "GetKeyPolicy"} })) {
			wantGaps(t, f, map[string]usage.GapReason{"GetKeyPolicy": usage.Unavailable})
			if g, _ := f.Gap("GetKeyPolicy"); !errors.Is(g.Err, usage.ErrUnavailable) || !errors.Is(g.Err, context.DeadlineExceeded) {
				t.Errorf("gap error = %v, want ErrUnavailable and the HTTP client's deadline", g.Err)
			}
		}
		_, err := usage.Collect(usage.Inspect(t.Context(), clientWith(srv, func(h kms.HTTPClient) kms.HTTPClient { return impatient{h, "ListKeys"} })))
		if es := targetErrors(t, err); len(es) != 1 || !errors.Is(err, usage.ErrUnavailable) {
			t.Errorf("err = %v, want one TargetError that is ErrUnavailable", err)
		}
	})
}
