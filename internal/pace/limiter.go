// Package pace keeps attempts under a request quota that is shared with callers
// nobody here knows of.
package pace

import (
	"context"
	"sync"
	"time"
)

// How a Limiter behaves, as fractions of the quota. Measured with
// examples/bench against a token bucket, fixed windows and a sliding second.
const (
	// Share of the quota that is asked for. At 1.0 a sliding second throttles
	// every seventh attempt once arrival times spread by 40 ms; at 0.96 none.
	Share = 0.96
	// cut is taken off the rate at each throttle, in attempts per second: quotas
	// are counted by the second, so a throttle is one attempt too many in this
	// one. It is more than one since others are throttled whom nobody here sees.
	cut = 1.25
	// cutShare bounds the cut for small quotas, as a fraction of the present rate:
	// more, and a rival that tries again is left nearly everything.
	cutShare = 0.08
	// recovery is added to the rate each second, as a fraction of the quota, and
	// grows by as much again every haste without a throttle.
	recovery = 0.01
	haste    = 5 * time.Second
	// floor is where slowing down ends, as a fraction of the quota: slow enough
	// to be no burden, fast enough to notice that the throttling is over.
	floor = 0.10
	// catchUp is how late a slot may be and still keep its successor's place.
	// Timers fire late; without catching up every lateness is lost for good. It
	// adds at most catchUp*quota attempts to any second, less than 1-Share.
	catchUp = 20 * time.Millisecond
)

// Limiter spaces attempts evenly, without bursts, at a rate that learns: down by
// a step at each throttle, up by less in time, so that callers who share a quota
// each find their place. It is safe for concurrent use and serves waiters in
// order.
type Limiter struct {
	quota float64       // requests per second
	turn  chan struct{} // holds the one token of whoever is next

	mu     sync.Mutex
	base   float64   // attempts per second at the last throttle
	slowed time.Time // when that was; zero: never
	slot   time.Time // when the latest attempt was due
	stuck  time.Time // since when there has been nothing but throttles; zero: there has

	attempts  int
	throttled int
}

// NewLimiter returns a Limiter for a quota in requests per second, which must
// be positive.
func NewLimiter(quota float64) *Limiter {
	return &Limiter{quota: quota, base: quota * Share, turn: make(chan struct{}, 1)}
}

// Wait blocks until the caller may send one attempt and returns when that was.
// Its only error is that of the context.
func (l *Limiter) Wait(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	defer func() { <-l.turn }()
	for {
		wait := l.untilNext()
		if wait <= 0 {
			return l.take(), nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C: // ask again: a throttle may have moved the slot
		case <-ctx.Done():
			t.Stop()
			return time.Time{}, ctx.Err()
		}
	}
}

func (l *Limiter) untilNext() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	return l.slot.Add(l.interval(now)).Sub(now)
}

func (l *Limiter) take() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.attempts++
	if l.slot = l.slot.Add(l.interval(now)); now.Sub(l.slot) > catchUp {
		l.slot = now.Add(-catchUp)
	}
	return now
}

// rate is the present pace in attempts per second.
func (l *Limiter) rate(now time.Time) float64 {
	calm := now.Sub(l.slowed).Seconds() // centuries, if there was no throttle
	return min(l.quota*Share, l.base+l.quota*recovery*(calm+calm*calm/(2*haste.Seconds())))
}

// interval is the distance of two attempts at the present rate.
func (l *Limiter) interval(now time.Time) time.Duration {
	return time.Duration(float64(time.Second) / l.rate(now))
}

// Throttled says that an attempt was throttled.
func (l *Limiter) Throttled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.throttled++
	now := time.Now()
	if l.stuck.IsZero() {
		l.stuck = now
	}
	r := l.rate(now)
	step := min(cut, r*cutShare)
	if now.Sub(l.slowed) > haste {
		step /= 4 // the first in a while may be an accident of timing
	}
	l.base = max(l.quota*floor, r-step)
	l.slowed = now
}

// Answered says that an attempt was let through by the quota.
func (l *Limiter) Answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stuck = time.Time{}
}

// Stuck is for how long every attempt, whoever's, has been throttled.
func (l *Limiter) Stuck() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck.IsZero() {
		return 0
	}
	return time.Since(l.stuck)
}

// State is a Limiter's present state.
type State struct {
	Rate      float64 // attempts per second
	Attempts  int
	Throttled int
}

// State returns how fast the limiter goes now and what it has seen so far.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{Rate: l.rate(time.Now()), Attempts: l.attempts, Throttled: l.throttled}
}
