package usage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"go.uber.org/goleak"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// Every way to leave the loop, at every yield, over several targets: not one
// goroutine of the range may be there when the loop has been left.

// leaving is a way to leave the loop at the k-th yield, counted from 1. It is
// true if the loop is to be left by break.
type leaving func(ctx context.CancelFunc) bool

const thePanic = "from the loop body"

var leavings = map[string]leaving{
	"break":        func(context.CancelFunc) bool { return true },
	"cancel":       func(cancel context.CancelFunc) bool { cancel(); return false },
	"cancel+break": func(cancel context.CancelFunc) bool { cancel(); return true },
	"panic":        func(context.CancelFunc) bool { panic(thePanic) },
}

// leaveAt ranges over seq and leaves at the k-th yield. It returns how many
// yields there were.
func leaveAt(t *testing.T, seq iter.Seq2[usage.Finding, error], k int, leave leaving, cancel context.CancelFunc) (n int) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil && p != thePanic {
			t.Errorf("panicked with %v", p)
		}
	}()
	for _, err := range seq {
		if _, ok := errors.AsType[*usage.TargetError](err); err != nil && !ok {
			t.Errorf("yielded %v", err)
		}
		if n++; n == k && leave(cancel) {
			break
		}
	}
	return n
}

// leakFleet is three targets of so many keys and one that cannot be listed.
func leakFleet(t *testing.T, srv *kmsfake.Server, keys int) (targets []usage.Target, yields int) {
	t.Helper()
	targets, _ = fleetOf(t, srv, keys, fiveRegions[:4]...)
	srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "ListKeys" && c.Region == fiveRegions[1] })
	return targets, 3*keys + 1
}

func TestNoGoroutineOutlivesItsRangeInTheBubble(t *testing.T) {
	const keys, yields = 4, 13
	for name, leave := range leavings {
		for k := 1; k <= yields+1; k++ { // the last one is never reached: the loop ends by itself
			t.Run(fmt.Sprintf("%s at yield %d", name, k), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					onToday(t)
					srv := kmsfake.New(func(o *kmsfake.Options) { o.Latency = func() time.Duration { return 10 * time.Millisecond } })
					targets, all := leakFleet(t, srv, keys)
					if all != yields {
						t.Fatalf("%d yields are to come, want %d", all, yields)
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					before := bubbled(t)
					n := leaveAt(t, usage.InspectFleet(ctx, targets), k, leave, cancel)
					if k <= yields && n < k {
						t.Errorf("only %d yields", n)
					}
					if k > yields && n != yields {
						t.Errorf("%d yields, want %d", n, yields)
					}
					if name != "cancel" && k <= yields && n != k {
						t.Errorf("%d yields after leaving at the %dth", n, k)
					}
					after := bubbled(t)
					if after > before {
						t.Errorf("%d goroutines more than before:\n%s", after-before, stacks())
					}
					asked := srv.Total("").Attempts
					time.Sleep(time.Hour)
					if more := srv.Total("").Attempts - asked; more > 0 {
						t.Errorf("%d requests after the loop was left", more)
					}
				})
			})
		}
	}
}

var bubbleID = regexp.MustCompile(`synctest bubble \d+`)

// bubbled counts the goroutines of this bubble. Those that are done but have not
// quite ended get the time to; the clock does not move meanwhile.
func bubbled(t *testing.T) int {
	t.Helper()
	synctest.Wait()
	all := stacks()
	own := bubbleID.Find(all) // this goroutine comes first
	if own == nil {
		t.Fatalf("not in a bubble:\n%s", all)
	}
	return bytes.Count(all, append(own, ']')) + bytes.Count(all, append(own, ','))
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

// The same on the real clock, where goroutines and the SDK's client are not under
// the eyes of a bubble.
func TestNoGoroutineOutlivesItsRange(t *testing.T) {
	srv := kmsfake.New(unlimited)
	targets, yields := leakFleet(t, srv, 2)
	ignore := goleak.IgnoreCurrent()
	for name, leave := range leavings {
		for k := 1; k <= yields+1; k++ {
			ctx, cancel := context.WithCancel(t.Context())
			leaveAt(t, usage.InspectFleet(ctx, targets, hurried), k, leave, cancel)
			if err := goleak.Find(ignore); err != nil {
				t.Errorf("%s at yield %d: %v", name, k, err)
			}
			cancel()
		}
	}
}

func TestAPanicInTheLoopBodyReachesTheCallerAfterEverythingHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 10)
		before := bubbled(t)
		defer func() {
			if p := recover(); p != thePanic {
				t.Errorf("recovered %v, want the loop body's own panic", p)
			}
			if after := bubbled(t); after > before {
				t.Errorf("%d goroutines more than before:\n%s", after-before, stacks())
			}
		}()
		for _, err := range usage.Inspect(t.Context(), srv.Client(home, ohio)) {
			if err != nil {
				t.Error(err)
			}
			panic(thePanic)
		}
	})
}

// As t.Fatal in a loop body does.
func TestAGoroutineThatExitsInTheLoopBodyLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 10)
		before := bubbled(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, err := range usage.Inspect(t.Context(), srv.Client(home, ohio)) {
				if err != nil {
					t.Error(err)
				}
				runtime.Goexit()
			}
		}()
		<-done
		if after := bubbled(t); after > before {
			t.Errorf("%d goroutines more than before:\n%s", after-before, stacks())
		}
	})
}

func TestAPulledSequenceEndsWhenItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 10)
		before := bubbled(t)
		next, stop := iter.Pull2(usage.Inspect(t.Context(), srv.Client(home, ohio)))
		for range 3 {
			if _, err, ok := next(); err != nil || !ok {
				t.Fatalf("%v, %v", err, ok)
			}
		}
		stop()
		if after := bubbled(t); after > before {
			t.Errorf("%d goroutines more than before:\n%s", after-before, stacks())
		}
	})
}

// What runs on does so before the loop is left, not after: a client that takes no
// notice of its context, a History, a progress callback.
func TestWhenTheLoopIsLeftNothingOfTheCallersIsStillCalled(t *testing.T) {
	for name, leave := range leavings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				var inside gauge
				busy := func(d time.Duration) func() {
					inside.enter()
					time.Sleep(d) // of the bubble
					return inside.leave
				}
				c := &stub{keys: manyARNs(20)}
				c.keyPolicy = func(*kms.GetKeyPolicyInput) (*kms.GetKeyPolicyOutput, error) {
					defer busy(time.Minute)()
					return &kms.GetKeyPolicyOutput{Policy: aws.String(delegating)}, nil
				}
				h := &archive{name: "trail", look: func(_ context.Context, f usage.Finding) (usage.Record, error) {
					// The first key is done long before the others.
					defer busy(map[bool]time.Duration{false: time.Hour}[f.ARN == c.keys[0]])()
					return usage.Record{}, nil
				}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				told := 0
				leaveAt(t, usage.Inspect(ctx, c, with(h), func(o *usage.InspectOptions) {
					o.Progress = func(usage.Progress) { told++ }
				}), 1, leave, cancel)
				if inside.now != 0 || inside.most < 2 {
					t.Errorf("%d calls still under way, of %d at most", inside.now, inside.most)
				}
				before := told
				time.Sleep(wholeDay)
				if told != before {
					t.Errorf("the callback was called %d times after the loop", told-before)
				}
			})
		})
	}
}

// Leaving does not wait for an answer that is slow: its request is canceled.
func TestLeavingWaitsForNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 10)
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if c.KeyARN != arns[0] && c.Operation == "GetKeyLastUsage" {
				return kmsfake.Slow(time.Hour)
			}
			return nil
		})
		var came time.Time
		for f, err := range usage.Inspect(t.Context(), srv.Client(home, ohio)) {
			if err != nil || f.ARN != arns[0] {
				t.Fatalf("%s, %v", f.ARN, err)
			}
			came = time.Now()
			break
		}
		if d := time.Since(came); d > 0 {
			t.Errorf("it took %v to leave the loop", d)
		}
	})
}

// The same sequence in two loops at once: each reads all of it.
func TestRangesOverOneSequenceAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(unlimited)
		arns := fill(t, srv, home, ohio, 6)
		seq := usage.Inspect(t.Context(), srv.Client(home, ohio))
		for _, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			fs, err := usage.Collect(seq)
			if err != nil {
				t.Fatal(err)
			}
			wantWhole(t, fs, arns)
		}
	})
}
