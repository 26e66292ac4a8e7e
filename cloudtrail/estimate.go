package cloudtrail

import (
	"fmt"
	"math"
	"time"

	"github.com/kmsusage/usage"
)

// Estimate is what it costs to ask the event history about some keys.
type Estimate struct {
	Keys int // of its account and Region that there is something to ask about
	// Calls is how many LookupEvents calls it takes if each question is answered by
	// the first page; MaxCalls is how many it can take, without those that are
	// repeated because something failed.
	Calls, MaxCalls int
	// Time and MaxTime are how long that takes at the present pace.
	Time, MaxTime time.Duration
}

// String is such as "120 keys: 126 calls, 1m6s; at most 1310 calls, 11m22s".
func (e Estimate) String() string {
	return fmt.Sprintf("%d keys: %d calls, %v; at most %d calls, %v",
		e.Keys, e.Calls, e.Time.Round(time.Second), e.MaxCalls, e.MaxTime.Round(time.Second))
}

// Estimate tells what [EventHistory.Look] will cost for the keys of findings, as
// an inspection without histories gives them. It makes no request.
func (h *EventHistory) Estimate(findings []usage.Finding) Estimate {
	var (
		e      Estimate
		region bool
	)
	for _, f := range findings {
		if !h.has(f) || !asksHistory(f) {
			continue
		}
		q := h.questions(f)
		least, most := 0, 0
		ask := func(pages int) { least++; most += pages }
		if q.recent != nil {
			ask(h.o.Pages)
		}
		if q.lastUse {
			ask(min(usePages, h.o.Pages))
			if f.LastUsage.Use.EventID != "" { // and a second way to find it
				most += min(usePages, h.o.Pages)
			}
		}
		if q.mayBeOff {
			ask(h.o.Pages)
		}
		switch {
		case q.any != nil && q.mayBeOff: // the way to the refusal mostly answers that too
			most += h.o.Pages
		case q.any != nil:
			ask(h.o.Pages)
		}
		if q.before != nil {
			ask(h.o.Pages)
		}
		region = region || q.mayBeOff
		if most > 0 {
			e.Keys++
		}
		e.Calls += least
		e.MaxCalls += most
	}
	if region {
		e.Calls += len(switchOps)
		e.MaxCalls += len(switchOps) * h.o.RegionPages
	}
	rate := h.limiter.State().Rate
	e.Time, e.MaxTime = timeOf(e.Calls, rate), timeOf(e.MaxCalls, rate)
	return e
}

// timeOf is how long calls take at a rate per second, at most 292 years.
func timeOf(calls int, rate float64) time.Duration {
	d := float64(calls) / rate * float64(time.Second)
	if d >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(d)
}

// asksHistory tells whether an inspection asks histories about a key: not about
// those that AWS manages, unless everything is asked about them, nor about those
// that are gone.
func asksHistory(f usage.Finding) bool {
	g, _ := f.Gap("DescribeKey")
	return g.Reason != usage.NotFound && (f.LastUsage != nil || !f.AWSManaged())
}
