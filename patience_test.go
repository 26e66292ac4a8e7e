package usage_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// A caller that gives up was not answered: it must not renew the patience of those
// who share its pacer.
func TestCallersThatGiveUpDoNotRenewThePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 1)
		srv.Inject(faultAt("GetKeyLastUsage", kmsfake.Throttle()))
		pacer := usage.NewPacer(nil)
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			for time.Since(start) < 10*time.Minute {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				_, _ = usage.Collect(usage.Inspect(ctx, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Pacer = pacer }))
				cancel()
			}
		})
		f := mustInspectOne(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Pacer, o.Patience = pacer, time.Minute })
		wantGaps(t, f, map[string]usage.GapReason{"GetKeyLastUsage": usage.Throttled})
		if d := time.Since(start); d > 2*time.Minute {
			t.Errorf("gave up after %v, want about a minute", d)
		}
		wg.Wait()
	})
}
