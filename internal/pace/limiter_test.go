package pace

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAttemptsAreSpacedEvenlyWithoutABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(5)
		var sent []time.Time
		for range 50 {
			at, err := l.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, at)
		}
		// No one second, wherever it begins, may see more than the quota.
		for i := range sent {
			if n := within(sent[i:], time.Second); n > 5 {
				t.Fatalf("%d attempts in the second after attempt %d; the quota is 5", n, i)
			}
		}
		want := 49 * l.interval(time.Now())
		if got := sent[49].Sub(sent[0]); (got - want).Abs() > 2*catchUp {
			t.Errorf("50 attempts took %v, want %v", got, want)
		}
	})
}

func within(ts []time.Time, d time.Duration) int {
	n := 0
	for _, at := range ts {
		if at.Sub(ts[0]) < d {
			n++
		}
	}
	return n
}

func TestLatenessIsMadeUpForButOnlyALittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(5)
		if _, err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // nobody asks for a while: no credit for that
		first, _ := l.Wait(t.Context())
		second, _ := l.Wait(t.Context())
		if got := second.Sub(first); got < time.Second/5-catchUp {
			t.Errorf("after a pause two attempts are %v apart, want about %v", got, l.interval(time.Now()))
		}
	})
}

func TestAThrottleTakesOneStepOffAndTimeGivesItBackEverFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(100)
		top := l.State().Rate
		l.Throttled() // the first in a while counts for a quarter
		l.Throttled()
		low := l.State().Rate
		if math.Abs(low-(top-1.25*cut)) > 0.01 {
			t.Fatalf("rate after two throttles = %.2f, want %.2f", low, top-1.25*cut)
		}
		if got := l.State().Throttled; got != 2 {
			t.Errorf("counted %d throttles, want 2", got)
		}
		for range 30 {
			l.Throttled()
		}
		low = l.State().Rate
		time.Sleep(time.Second)
		first := l.State().Rate - low
		time.Sleep(3 * time.Second)
		before := l.State().Rate
		time.Sleep(time.Second)
		if later := l.State().Rate - before; first <= 0 || later <= first {
			t.Errorf("recovered by %.2f in the first second and %.2f in the fifth; want more each second", first, later)
		}
		time.Sleep(time.Hour)
		if got := l.State().Rate; got != top {
			t.Errorf("rate after an hour = %.2f, want the top again, %.2f", got, top)
		}
	})
}

func TestTheRateNeverFallsBelowTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(5)
		for range 100 {
			if _, err := l.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.Throttled()
		}
		if got, want := l.State().Rate, 5*floor; got < want || got > 2*want {
			t.Errorf("rate while everything is throttled = %.2f, want about %.2f", got, want)
		}
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(0.001)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		errs := make(chan error, 4)
		for range 4 { // the first goes, one sleeps, the others queue
			wg.Go(func() {
				_, err := l.Wait(ctx)
				errs <- err
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		close(errs)
		canceled := 0
		for err := range errs {
			if errors.Is(err, context.Canceled) {
				canceled++
			}
		}
		if canceled != 3 {
			t.Errorf("%d of 4 waits were canceled, want 3", canceled)
		}
		if _, err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait after the end = %v, want context.Canceled", err)
		}
	})
}

func TestWaitersAreServedInOrderAndTogetherKeepTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(10)
		var (
			wg sync.WaitGroup
			mu sync.Mutex
			at []time.Time
		)
		for range 40 {
			wg.Go(func() {
				ts, err := l.Wait(t.Context())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				at = append(at, ts)
			})
		}
		start := time.Now()
		wg.Wait()
		if got, want := time.Since(start).Seconds(), 39/(10*Share); math.Abs(got-want) > 0.05 {
			t.Errorf("40 goroutines took %.2fs, want %.2fs", got, want)
		}
		for i := 1; i < len(at); i++ {
			if at[i].Before(at[i-1]) {
				t.Errorf("attempt %d at %v came before its predecessor at %v", i, at[i], at[i-1])
			}
		}
	})
}
