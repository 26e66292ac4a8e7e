package kmsfake

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Count is how often an operation was called in one account and Region. Every
// attempt counts, retries included. Served, Throttled, Denied, Faulted and
// Failed add up to Attempts, less the calls still under way.
type Count struct {
	Account, Region, Operation string

	Attempts  int
	Served    int // answered with success
	Throttled int // refused for a request quota, or by the fault Throttle
	Denied    int // AccessDeniedException, whatever the cause
	Faulted   int // answered by another injected fault, cut, or ended by its own context (without an Event)
	Failed    int // answered with another error
}

type counter struct {
	attempts, served, throttled, denied, faulted, failed atomic.Int64
}

type stats struct {
	mu       sync.RWMutex
	counters map[quotaKey]*counter
}

func (s *stats) of(k quotaKey) *counter {
	s.mu.RLock()
	c := s.counters[k]
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.counters[k]; c == nil {
		c = &counter{}
		if s.counters == nil {
			s.counters = map[quotaKey]*counter{}
		}
		s.counters[k] = c
	}
	return c
}

// Calls returns the counts since the start or the last [Server.Reset], sorted
// by account, Region and operation. An operation the server does not know is
// counted under the name it was called by. Account and Region are empty for
// calls without usable credentials.
func (s *Server) Calls() []Count {
	s.stats.mu.RLock()
	defer s.stats.mu.RUnlock()
	out := make([]Count, 0, len(s.stats.counters))
	for k, c := range s.stats.counters {
		out = append(out, Count{
			Account: k.account, Region: k.region, Operation: k.operation,
			Attempts:  int(c.attempts.Load()),
			Served:    int(c.served.Load()),
			Throttled: int(c.throttled.Load()),
			Denied:    int(c.denied.Load()),
			Faulted:   int(c.faulted.Load()),
			Failed:    int(c.failed.Load()),
		})
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Operation, b.Operation))
	})
	return out
}

// Total sums the counts of an operation over all accounts and Regions; an empty
// operation means all of them.
func (s *Server) Total(operation string) Count {
	sum := Count{Operation: operation}
	for _, c := range s.Calls() {
		if operation != "" && c.Operation != operation {
			continue
		}
		sum.Attempts += c.Attempts
		sum.Served += c.Served
		sum.Throttled += c.Throttled
		sum.Denied += c.Denied
		sum.Faulted += c.Faulted
		sum.Failed += c.Failed
	}
	return sum
}

// Reset sets the counts and what [Server.Events] returns back to nothing. Quotas,
// the numbering of calls and CloudTrail's log go on.
func (s *Server) Reset() {
	s.stats.mu.Lock()
	s.stats.counters = nil
	s.stats.mu.Unlock()
	s.events.reset()
}
