package usage

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"reflect"
	"slices"
	"sync"

	"github.com/kmsusage/usage/kmsiface"
)

// Target is one account and Region to inspect. Several targets must differ in
// Account or Region as they are given.
type Target struct {
	// Account is the twelve-digit account the client's credentials belong to.
	// Empty: not checked. If the keys listed, or where there is none the aliases,
	// belong to another account, the target ends with an error before any is read.
	Account string
	// Region of the client. Empty: not checked.
	Region string
	// Client reads the keys. *kms.Client is one; nil is an error.
	Client kmsiface.Inspector
	// History lists sources of events about this target's keys. Nil: none.
	History []History
}

// Inspect reads every key of one account and Region: the client's.
//
// Nothing is requested before the first range, and each range reads anew.
// Findings come in order of completion. A key of which something could not be
// read is a finding with gaps; an error is a *[TargetError] and says that not
// all keys were read, or wraps [ErrInvalidOption] when nothing was requested.
// Leaving the loop cancels what is under way and waits for it to end.
//
// The time it takes is the number of customer managed keys divided by the
// GetKeyLastUsage quota, 5 a second unless AWS raised it: see [Quotas].
func Inspect(ctx context.Context, c kmsiface.Inspector, optFns ...func(*InspectOptions)) iter.Seq2[Finding, error] {
	return InspectFleet(ctx, []Target{{Client: c}}, optFns...)
}

// InspectFleet reads every key of many accounts and Regions at once: the quotas
// are per account and Region, so it takes as long as the slowest of them. A
// target that fails yields one *[TargetError]; the others go on. For the rest
// see [Inspect].
func InspectFleet(ctx context.Context, targets []Target, optFns ...func(*InspectOptions)) iter.Seq2[Finding, error] {
	var o InspectOptions
	for _, fn := range optFns {
		if fn != nil {
			fn(&o)
		}
	}
	targets = slices.Clone(targets)
	return func(yield func(Finding, error) bool) {
		o, err := o.resolve()
		if err == nil {
			err = validate(targets)
		}
		if err != nil {
			yield(Finding{}, err)
			return
		}
		newRange(o).run(ctx, targets, yield)
	}
}

// Collect ranges over seq to its end and returns the findings in order of ARN
// together with all errors, joined. The findings are good whatever the error:
// use them first, then look at what is missing.
func Collect(seq iter.Seq2[Finding, error]) ([]Finding, error) {
	var (
		fs   []Finding
		errs []error
	)
	for f, err := range seq {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fs = append(fs, f)
	}
	slices.SortStableFunc(fs, func(a, b Finding) int { return cmp.Compare(a.ARN, b.ARN) })
	return fs, errors.Join(errs...)
}

func validate(targets []Target) error {
	if len(targets) == 0 {
		return invalid("no targets")
	}
	for i, t := range targets {
		if isNil(t.Client) {
			return invalid("target %d (account %q, Region %q): Client is nil", i, t.Account, t.Region)
		}
		for j, other := range targets[:i] {
			if maySame(t.Account, other.Account) && maySame(t.Region, other.Region) {
				return invalid("targets %d and %d may be the same: Account %q, Region %q and Account %q, Region %q",
					j, i, other.Account, other.Region, t.Account, t.Region)
			}
		}
		for k, h := range t.History {
			if isNil(h) {
				return invalid("target %d: History[%d] is nil", i, k)
			}
		}
	}
	return nil
}

// maySame: what is not given may be anything.
func maySame(a, b string) bool { return a == b || a == "" || b == "" }

// isNil also sees the nil pointer in an interface, as from a constructor whose
// error was not looked at.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// result is what a worker hands to the loop: a finding or an error.
type result struct {
	finding Finding
	err     error
}

// ranged is the state of one range over a sequence; nothing outlives it.
type ranged struct {
	InspectOptions
	results chan result   // unbuffered: a slow loop slows the reading down
	stop    chan struct{} // closed when the loop has been left

	mu      sync.Mutex // serializes Progress and guards unpaced
	unpaced bool
}

func newRange(o InspectOptions) *ranged {
	return &ranged{InspectOptions: o, results: make(chan result), stop: make(chan struct{})}
}

func (r *ranged) run(ctx context.Context, targets []Target, yield func(Finding, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	slots := make(chan struct{}, r.Targets)
	for _, t := range targets {
		workers.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-r.stop:
				return
			}
			newTargetRun(r, t).run(ctx)
		})
	}
	go func() {
		workers.Wait()
		close(r.results)
	}()
	defer func() { // also when the loop's body panics
		close(r.stop)
		cancel()
		for range r.results { // until closed: every worker has ended
		}
	}()
	for res := range r.results {
		if !yield(res.finding, res.err) {
			return
		}
	}
}

// send hands res to the loop; false if the loop has been left. It does not look
// at the context: what was read before that ended is still wanted.
func (r *ranged) send(res result) bool {
	select {
	case <-r.stop:
		return false
	default:
	}
	select {
	case r.results <- res:
		return true
	case <-r.stop:
		return false
	}
}
