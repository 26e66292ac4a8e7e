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
	// backoff multiplies the rate after a throttle.
	backoff = 0.80
	// recovery is added to the rate each second, as a fraction of the quota.
	recovery = 0.015
	// floor is where slowing down ends, as a fraction of the quota: slow enough
	// to be no burden, fast enough to notice that the throttling is over.
	floor = 0.10
	// catchUp is how late a slot may be and still keep its successor's place.
	// Timers fire late; without catching up every lateness is lost for good. It
	// adds at most catchUp*quota attempts to any second, less than 1-Share.
	catchUp = 20 * time.Millisecond
)

// Limiter spaces attempts evenly, without bursts, at a rate that learns: down
// by a factor at each throttle, up by steps in time (AIMD, as TCP shares a
// link). It is safe for concurrent use and serves waiters in order.
type Limiter struct {
	top  float64       // the highest rate, attempts per second
	turn chan struct{} // holds the one token of whoever is next

	mu       sync.Mutex
	rate     float64   // attempts per second as of adjusted
	adjusted time.Time // when rate was last brought up to date
	slot     time.Time // when the latest attempt was due
	slowed   time.Time // when the rate was last lowered

	attempts  int
	throttled int
}

// NewLimiter returns a Limiter for a quota in requests per second, which must
// be positive.
func NewLimiter(quota float64) *Limiter {
	return &Limiter{top: quota * Share, rate: quota * Share, turn: make(chan struct{}, 1)}
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
	l.recover(now)
	return l.slot.Add(l.interval()).Sub(now)
}

func (l *Limiter) take() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.attempts++
	if l.slot = l.slot.Add(l.interval()); now.Sub(l.slot) > catchUp {
		l.slot = now.Add(-catchUp)
	}
	return now
}

// interval is the distance of two attempts at the present rate.
func (l *Limiter) interval() time.Duration {
	return time.Duration(float64(time.Second) / l.rate)
}

func (l *Limiter) recover(now time.Time) {
	if !l.adjusted.IsZero() {
		l.rate = min(l.top, l.rate+now.Sub(l.adjusted).Seconds()*recovery*l.top/Share)
	}
	l.adjusted = now
}

// Throttled says that an attempt which Wait let go at sent was throttled. Those
// sent before the rate was last lowered tell nothing new.
func (l *Limiter) Throttled(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.throttled++
	if sent.Before(l.slowed) {
		return
	}
	now := time.Now()
	l.recover(now)
	l.rate = max(l.top/Share*floor, l.rate*backoff)
	l.slowed = now
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
	l.recover(time.Now())
	return State{Rate: l.rate, Attempts: l.attempts, Throttled: l.throttled}
}
