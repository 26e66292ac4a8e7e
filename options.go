package usage

import (
	"log/slog"
	"time"
)

// InspectOptions change how [Inspect] and [InspectFleet] read. The zero value
// is valid and what most users want.
type InspectOptions struct {
	// Readings switches single readings off. Zero: all are made.
	Readings Readings
	// Quotas are the request quotas to stay under. Nil: AWS's defaults. Must be
	// nil when Pacer is set, which has its own.
	Quotas Quotas
	// Pacer is shared with other calls that may overlap with this one. Nil: each
	// range has its own.
	Pacer *Pacer
	// History lists sources of events to ask about every key, besides those of
	// its Target. Nil: none.
	History []History
	// Concurrency is how many keys of one target are read at once, 1 to 1000.
	// Zero: as many as keep the last-usage quota busy at a latency of half a
	// second, at least 8.
	Concurrency int
	// Targets is how many targets are read at once, 1 to 10000. Zero: 128.
	Targets int
	// Attempts is how often a call is tried in all when the service fails, the
	// connection breaks or no answer comes within 30 seconds, 1 to 100. Zero: 6.
	// Throttling does not count. It stands in for the client's RetryMaxAttempts.
	Attempts int
	// Patience is how long an operation may be throttled, for everybody who shares
	// the pacer and without one success, before calls to it become gaps. Zero: 15
	// minutes. At most 24 hours.
	Patience time.Duration
	// Progress is called after every key, after the listing and after every
	// throttled attempt; never concurrently within a range, from any goroutine. It must be
	// quick, and must not break the range. Nil: nobody is told.
	Progress func(Progress)
	// Logger is told what goes wrong and how fast it goes. Nil: silence. No log
	// line holds policy text, tags or encryption contexts.
	Logger *slog.Logger
	// Now is the clock of [LastUsage.ReadAt]. Nil: the earlier of the system's
	// clock and the Date that the service's answer bears, so that a clock that is
	// ahead adds no silence. Tests on a simulated clock set it.
	Now func() time.Time
}

// Readings switches readings off, for roles that lack a permission: a denied
// call is noise in the owner's CloudTrail. What is switched off is a gap with
// reason [Skipped], and most gaps hold the key.
type Readings struct {
	NoAliases   bool // ListAliases
	NoMetadata  bool // DescribeKey; AWS managed keys are then known by their alias only
	NoLastUsage bool // GetKeyLastUsage
	NoGrants    bool // ListGrants
	NoPolicy    bool // GetKeyPolicy
	NoTags      bool // ListResourceTags
	NoRotations bool // ListKeyRotations
	// AWSManaged asks for everything about AWS managed keys too. By default they
	// are listed and described only: nobody can retire them.
	AWSManaged bool
}

const (
	defaultTargets  = 128
	defaultAttempts = 6
	defaultPatience = 15 * time.Minute

	maxConcurrency = 1000
	maxTargets     = 10000
	maxAttempts    = 100
	maxPatience    = 24 * time.Hour
)

// resolve checks the options and fills in the defaults.
func (o InspectOptions) resolve() (InspectOptions, error) {
	for _, n := range []struct {
		name     string
		v, limit int
	}{
		{"Concurrency", o.Concurrency, maxConcurrency},
		{"Targets", o.Targets, maxTargets},
		{"Attempts", o.Attempts, maxAttempts},
	} {
		if n.v < 0 || n.v > n.limit {
			return o, invalid("%s is %d; want 0 for the default or 1 to %d", n.name, n.v, n.limit)
		}
	}
	if o.Patience < 0 || o.Patience > maxPatience {
		return o, invalid("Patience is %v; want 0 for the default or up to %v", o.Patience, maxPatience)
	}
	if o.Pacer != nil && o.Quotas != nil {
		return o, invalid("Quotas and Pacer are both set; give the quotas to NewPacer")
	}
	for i, h := range o.History {
		if isNil(h) {
			return o, invalid("History[%d] is nil", i)
		}
	}
	if o.Pacer == nil {
		o.Pacer = NewPacer(o.Quotas)
	}
	if err := o.Pacer.quotas.validate(); err != nil {
		return o, err
	}
	if o.Concurrency == 0 {
		// Little's law: rate times latency calls are under way, and some keys more
		// are being read up to the point where they wait for their turn.
		o.Concurrency = min(maxConcurrency, 8+int(o.Pacer.quotas.of(opLastUsage)/2))
	}
	if o.Targets == 0 {
		o.Targets = defaultTargets
	}
	if o.Attempts == 0 {
		o.Attempts = defaultAttempts
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}
