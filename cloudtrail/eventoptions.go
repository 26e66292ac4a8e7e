package cloudtrail

import (
	"cmp"
	"log/slog"
	"math"
	"time"
)

// EventHistoryOptions change what an [EventHistory] asks for and how fast. The
// zero value is valid and what most users want.
type EventHistoryOptions struct {
	// Quota is how many LookupEvents requests a second AWS grants the account in
	// the Region, 0.001 to 1000. Zero: 2, the default.
	// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
	Quota float64
	// Pages is how many pages of 50 events are read at most for one question about
	// one key, 1 to 10,000. Behind the last of them is a blind spot. Zero: 10.
	Pages int
	// RegionPages is the same for each of the seven operations that switch keys off
	// and on, which are read for all keys of the Region at once. Zero: 40.
	RegionPages int
	// Recent asks for every key whether there is a use so new that KMS did not
	// record it when it was asked: one call more for most keys.
	Recent bool
	// Attempts is how often a call is tried in all when the service fails, the
	// connection breaks or no answer comes within 30 seconds, 1 to 100. Zero: 6.
	// Throttling does not count.
	Attempts int
	// Patience is how long calls may be throttled without one success before they
	// are given up. Zero: 15 minutes. At most 24 hours.
	Patience time.Duration
	// Logger is told what goes wrong. Nil: silence. No log line holds what stands
	// in an event.
	Logger *slog.Logger
	// Now is the clock by which the last 90 days are meant. Nil: the system's.
	Now func() time.Time
}

const (
	defaultEventQuota  = 2
	defaultEventPages  = 10
	defaultRegionPages = 40
	defaultAttempts    = 6
	defaultPatience    = 15 * time.Minute

	minEventQuota = 0.001
	maxEventQuota = 1000
	maxEventPages = 10_000
	maxPatience   = 24 * time.Hour
)

func (o EventHistoryOptions) resolve() (EventHistoryOptions, error) {
	if math.IsNaN(o.Quota) || o.Quota != 0 && (o.Quota < minEventQuota || o.Quota > maxEventQuota) {
		return o, invalidOption("Quota is %v requests a second; want 0 for the default or %v to %v", o.Quota, minEventQuota, maxEventQuota)
	}
	for _, n := range []struct {
		name     string
		v, limit int
	}{
		{"Pages", o.Pages, maxEventPages},
		{"RegionPages", o.RegionPages, maxEventPages},
		{"Attempts", o.Attempts, 100},
	} {
		if n.v < 0 || n.v > n.limit {
			return o, invalidOption("%s is %d; want 0 for the default or 1 to %d", n.name, n.v, n.limit)
		}
	}
	if o.Patience < 0 || o.Patience > maxPatience {
		return o, invalidOption("Patience is %v; want 0 for the default or up to %v", o.Patience, maxPatience)
	}
	o.Quota = cmp.Or(o.Quota, defaultEventQuota)
	o.Pages = cmp.Or(o.Pages, defaultEventPages)
	o.RegionPages = cmp.Or(o.RegionPages, defaultRegionPages)
	o.Attempts = cmp.Or(o.Attempts, defaultAttempts)
	o.Patience = cmp.Or(o.Patience, defaultPatience)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}
