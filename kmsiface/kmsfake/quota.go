package kmsfake

import (
	"math"
	"sync"
	"time"
)

// Shape is the way in which a request quota is counted. AWS does not document
// which one KMS uses; a caller that wants to be safe must keep to all three. The
// windows of a quota of 2.5 a second allow 3 requests in 1.2 seconds, and those
// of 0.5 a second 1 in 2.
type Shape int

const (
	// TokenBucket refills steadily and holds one second's worth; it starts full.
	TokenBucket Shape = iota
	// FixedWindow counts anew from every full second of the wall clock.
	FixedWindow
	// SlidingWindow allows no one second, wherever it begins, more than the quota.
	SlidingWindow
)

// String returns the name of the shape.
func (s Shape) String() string {
	switch s {
	case TokenBucket:
		return "token bucket"
	case FixedWindow:
		return "fixed window"
	case SlidingWindow:
		return "sliding window"
	}
	return "unknown shape"
}

// DefaultQuotas returns the default request quotas of KMS that matter to
// reading an inventory and to retiring keys, and that of CloudTrail's
// LookupEvents, in requests per second for each account, Region and operation.
// Operations not listed are not limited here. The map is the caller's own.
//
// Sources: https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html,
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func DefaultQuotas() map[string]float64 {
	return map[string]float64{
		"GetKeyLastUsage":     5,
		"DescribeKey":         2000,
		"ListKeys":            500,
		"ListAliases":         500,
		"ListGrants":          100,
		"GetKeyPolicy":        1000,
		"ListResourceTags":    2000,
		"ListKeyRotations":    100,
		"DisableKey":          5,
		"EnableKey":           5,
		"ScheduleKeyDeletion": 15,
		"CancelKeyDeletion":   5,
		"TagResource":         10,
		"PutKeyPolicy":        15,
		"UpdatePrimaryRegion": 5,
		"LookupEvents":        2,
	}
}

// quotaKey names one quota.
type quotaKey struct{ account, region, operation string }

// quotas counts requests against quotas.
type quotas struct {
	shape Shape
	rates map[string]float64

	mu     sync.Mutex
	meters map[quotaKey]meter
}

// meter counts the requests of one quota. Times never go back.
type meter interface {
	ready(now time.Time) bool // whether a request may be taken now
	take(now time.Time)       // takes it
}

func newQuotas(shape Shape, rates map[string]float64) *quotas {
	return &quotas{shape: shape, rates: rates, meters: map[quotaKey]meter{}}
}

// allow takes one request out of every quota given, or out of none of them.
// A refused request costs nothing.
func (q *quotas) allow(keys ...quotaKey) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now() // under the lock: for a meter, time must not go back
	ready := make([]meter, 0, 2)
	for _, k := range keys {
		rate := q.rates[k.operation]
		if rate <= 0 {
			continue
		}
		m := q.meters[k]
		if m == nil {
			m = newMeter(q.shape, rate)
			q.meters[k] = m
		}
		if !m.ready(now) {
			return false
		}
		ready = append(ready, m)
	}
	for _, m := range ready {
		m.take(now)
	}
	return true
}

func newMeter(shape Shape, rate float64) meter {
	// The shortest window from a second on that has room for whole requests.
	count := max(1, int(math.Ceil(rate)))
	window := time.Duration(float64(count) / rate * float64(time.Second))
	switch shape {
	case FixedWindow:
		return &fixedWindow{window: window, count: count}
	case SlidingWindow:
		return &slidingWindow{window: window, recent: make([]time.Time, count)}
	default:
		return &tokenBucket{rate: rate, size: max(1, rate)}
	}
}

type tokenBucket struct {
	rate, size, tokens float64
	last               time.Time
}

func (b *tokenBucket) ready(now time.Time) bool {
	if b.last.IsZero() {
		b.tokens = b.size
	} else if d := now.Sub(b.last); d > 0 {
		b.tokens = min(b.size, b.tokens+d.Seconds()*b.rate)
	}
	b.last = now
	// A token refilled in many small steps may lack a rounding error.
	return b.tokens >= 1-1e-9
}

func (b *tokenBucket) take(time.Time) { b.tokens-- }

type fixedWindow struct {
	window time.Duration
	count  int
	start  time.Time
	used   int
}

func (w *fixedWindow) ready(now time.Time) bool {
	if start := now.Truncate(w.window); !start.Equal(w.start) {
		w.start, w.used = start, 0
	}
	return w.used < w.count
}

func (w *fixedWindow) take(time.Time) { w.used++ }

// slidingWindow remembers when the last allowed requests were, in a ring.
type slidingWindow struct {
	window time.Duration
	recent []time.Time
	next   int // the oldest
}

func (w *slidingWindow) ready(now time.Time) bool {
	oldest := w.recent[w.next]
	return oldest.IsZero() || now.Sub(oldest) >= w.window
}

func (w *slidingWindow) take(now time.Time) {
	w.recent[w.next] = now
	w.next = (w.next + 1) % len(w.recent)
}
