package cloudtrail

import (
	"sync"
	"testing"
)

// Copies of one event in the logs of two accounts, read at the same time: each
// has an ID of its own and both the shared one.
func TestOneOfTwoCopiesIsTheFirst(t *testing.T) {
	d := newDedupe(1 << 16)
	for event := range uint64(20_000) {
		var (
			wg     sync.WaitGroup
			before [2]bool
		)
		for i := range before {
			wg.Go(func() {
				// They meet in both, from opposite ends.
				a, b := fold(event*2+1, mulA), fold(event*2+2, mulB)
				if i == 1 {
					a, b = b, a
				}
				before[i] = d.seenEither(a, b)
			})
		}
		wg.Wait()
		if before[0] == before[1] {
			t.Fatalf("event %d: both copies seen before is %v", event, before[0])
		}
	}
}
