package pace

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/kmsusage/usage/internal/fault"
)

// Retryer paces the attempts of one call and decides which are worth another.
// It wraps the client's own retryer, which keeps its word on everything but
// throttling: how many throttled attempts there may be, how long to wait after
// one and what it costs of the retry quota is decided here, since the SDK's
// three attempts lose one key in four against a quota of five a second.
//
// A Retryer belongs to one call: make a new one for each. The SDK calls it from
// one goroutine.
type Retryer struct {
	aws.Retryer // the client's own

	limiter  *Limiter
	attempts int           // for failures other than throttling
	patience time.Duration // for throttling of everybody
	first    bool          // nothing has shown yet that the host exists
	onSlowed func()        // told of each throttle; may be nil

	sent   time.Time // when the latest was
	failed int       // attempts that failed otherwise than by throttling
	slowed int       // attempts that were throttled
}

// Options are what a Retryer goes by.
type Options struct {
	Attempts  int           // in all, for failures other than throttling; at least 1
	Patience  time.Duration // how long the limiter may be stuck before throttled calls are given up
	First     bool          // the call is the first of its target: its host may not exist
	Throttled func()        // called after each throttled attempt; nil: nothing is
}

// NewRetryer wraps inner for one call.
func NewRetryer(inner aws.Retryer, l *Limiter, o Options) *Retryer {
	return &Retryer{Retryer: inner, limiter: l, attempts: o.Attempts, patience: o.Patience, first: o.First, onSlowed: o.Throttled}
}

// Sent returns when the latest attempt was sent, in local time: zero if none
// was, which after a success means that the option functions never reached the
// client and nothing was paced.
func (r *Retryer) Sent() time.Time { return r.sent }

// MaxAttempts is without limit for the SDK: IsErrorRetryable counts.
func (r *Retryer) MaxAttempts() int { return 0 }

// GetAttemptToken waits for the attempt's turn. (The interface behind the
// optional method is aws.RetryerV2.)
//
// The inner retryer's release function is told of no throttle: it is this
// type's to deal with, and an adaptive retryer would slow all operations of
// the client down for the sake of one.
func (r *Retryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	release, err := r.innerToken(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := r.limiter.Wait(ctx)
	if err != nil {
		_ = release(err) // the wait's error is the one to report
		return nil, err
	}
	r.sent = sent
	return func(err error) error {
		if fault.Throttle(err) {
			err = errPaced
		}
		return release(err)
	}, nil
}

// errPaced is what the inner retryer sees of a throttle: neither a success, which
// would earn it something, nor a throttle.
var errPaced = errors.New("throttled, and paced by somebody else")

func (r *Retryer) innerToken(ctx context.Context) (func(error) error, error) {
	if v2, ok := r.Retryer.(aws.RetryerV2); ok {
		return v2.GetAttemptToken(ctx)
	}
	return r.GetInitialToken(), nil
}

// IsErrorRetryable learns from throttles and decides on another attempt. All
// calls paced here are reads, so an answer that cannot be decoded may be asked
// for again as safely as one that never came.
func (r *Retryer) IsErrorRetryable(err error) bool {
	switch fault.Of(context.Background(), err) {
	case fault.Throttled:
		r.slowed++
		r.limiter.Throttled()
		if r.onSlowed != nil {
			r.onSlowed()
		}
		return r.limiter.Stuck() < r.patience
	case fault.Unavailable, fault.Malformed:
		r.failed++
		return r.failed < r.attempts && (!r.first || !noSuchHost(err))
	default:
		r.failed++
		return r.failed < r.attempts && r.Retryer.IsErrorRetryable(err)
	}
}

// noSuchHost: a Region or endpoint that is misspelled stays so.
func noSuchHost(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// RetryDelay after a throttle doubles from firstDelay to longestDelay, give or
// take half, before the attempt queues for its slot again: an operation with a
// quota of hundreds a second must not knock hundreds of times at a closed door.
// After other failures it is the inner retryer's up to longestDelay, which must
// not count throttled attempts into its exponent.
func (r *Retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if fault.Throttle(err) {
		d := min(longestDelay, firstDelay<<min(r.slowed, 16))
		return d/2 + rand.N(d), nil
	}
	d, err := r.Retryer.RetryDelay(max(0, attempt-r.slowed), err)
	if err != nil { // as from aws.NopRetryer, which has none to give
		d = firstDelay << min(r.failed, 16)
	}
	return min(d, longestDelay), nil
}

// The SDK's own delays grow to 20 seconds, for one of many calls that wait for
// each other more than a service in trouble needs.
const (
	firstDelay   = 25 * time.Millisecond
	longestDelay = 5 * time.Second
)

// GetRetryToken costs nothing of the retry quota after a throttle.
func (r *Retryer) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	if fault.Throttle(err) {
		return func(error) error { return nil }, nil
	}
	return r.Retryer.GetRetryToken(ctx, err)
}
