package kmsfake

import (
	"sync"
	"time"
)

// Clock is a clock that stands still until it is told otherwise; its Now is
// meant for [Options].Now. It is safe for concurrent use. The zero value shows
// the zero time.
//
// It may be set back. What KMS had already settled is not taken back: of the
// uses of a key only the last one that was visible is kept, and a deleted key
// does not return.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// NewClock returns a clock that shows t.
func NewClock(t time.Time) *Clock { return &Clock{t: t} }

// Now returns the time the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Set makes the clock show t.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// Advance moves the clock by d and returns what it shows then.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return c.t
}
