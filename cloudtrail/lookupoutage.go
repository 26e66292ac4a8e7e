package cloudtrail

import (
	"sync"
	"time"

	"github.com/kmsusage/usage/internal/fault"
)

const (
	// outageCalls is how many calls in a row, each with all its attempts, must find
	// CloudTrail out of reach until no more are made for a while: where there is no
	// way to it, as from a VPC without an endpoint, each would take minutes.
	outageCalls = 3
	// outagePause is how long that is. Afterwards one call tries.
	outagePause = 5 * time.Minute
)

// outage remembers between calls that CloudTrail cannot be reached. The zero
// value is one that has begun nowhere.
type outage struct {
	mu    sync.Mutex
	inRow int       // calls that found it out of reach, since one did not
	until time.Time // when the next may be made, once they are enough
	err   error     // of the latest
}

// lasting is the error of the calls that failed if the next one would as well.
func (o *outage) lasting() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inRow < outageCalls {
		return nil
	}
	now := time.Now()
	if now.Before(o.until) {
		return o.err
	}
	o.until = now.Add(outagePause) // for those beside the one that tries
	return nil
}

// learn takes in what a call that was made ended with. It tells whether no more
// are made from now on.
func (o *outage) learn(code fault.Code, err error) (begins bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch code {
	case fault.Canceled: // says nothing; another may try
		o.until = time.Time{}
	case fault.Unavailable:
		o.inRow++
		o.until, o.err = time.Now().Add(outagePause), err
		return o.inRow == outageCalls
	default:
		o.inRow, o.err = 0, nil
	}
	return false
}
