package usage_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// witness keeps what a progress callback is told, and when.
type witness struct {
	inside atomic.Bool
	told   []usage.Progress
	at     []time.Time
	twice  atomic.Bool // called while it was being called
}

// callback writes without a lock: the race detector would see two calls at once
// as surely as inside does.
func (w *witness) callback(p usage.Progress) {
	if !w.inside.CompareAndSwap(false, true) {
		w.twice.Store(true)
	}
	defer w.inside.Store(false)
	w.told = append(w.told, p)
	w.at = append(w.at, time.Now())
	runtime.Gosched()
}

func (w *witness) option(o *usage.InspectOptions) { o.Progress = w.callback }

// wantForward checks what holds for every run of one target.
func (w *witness) wantForward(t *testing.T, keys int) {
	t.Helper()
	if w.twice.Load() {
		t.Error("the callback was called while it was being called")
	}
	if len(w.told) == 0 {
		t.Fatal("the callback was not called")
	}
	for i, p := range w.told {
		if p.Done > p.Listed {
			t.Errorf("call %d: %d done of %d listed", i, p.Done, p.Listed)
		}
		if p.Rate <= 0 || p.Left < 0 {
			t.Errorf("call %d: rate %v, left %v", i, p.Rate, p.Left)
		}
		if !p.Complete && p.Left != 0 {
			t.Errorf("call %d: left %v before the listing is complete", i, p.Left)
		}
		if i == 0 {
			continue
		}
		before := w.told[i-1]
		if p.Done < before.Done || p.Listed < before.Listed || p.Throttled < before.Throttled || before.Complete && !p.Complete || before.Unpaced && !p.Unpaced {
			t.Errorf("call %d goes back: %+v after %+v", i, p, before)
		}
	}
	if last := w.told[len(w.told)-1]; last.Done != keys || last.Listed != keys || !last.Complete || last.Left != 0 {
		t.Errorf("ends with %+v, want %d of %d done and nothing left", last, keys, keys)
	}
}

func TestProgressGoesForwardToTheLastKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 48)
		var w witness
		start := time.Now()
		mustCollect(t, srv.Client(home, ohio), w.option)
		took := time.Since(start)
		w.wantForward(t, 48)
		if len(w.told) < 49 {
			t.Errorf("%d calls; want one after every key and one after the listing", len(w.told))
		}
		for i, p := range w.told {
			if p.Account != home || p.Region != ohio || p.Throttled != 0 || p.Unpaced {
				t.Errorf("call %d: %+v", i, p)
			}
			// What is left, by the pace and by hindsight.
			if left := took - w.at[i].Sub(start); p.Complete && (p.Left-left).Abs() > time.Second {
				t.Errorf("call %d: %v left, it took %v more", i, p.Left, left)
			}
		}
	})
}

func TestWhatIsLeftDoesNotCountAWSManagedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 60, func(i int, k *kmsfake.Key) {
			if i%2 == 0 {
				k.Manager, k.Aliases = types.KeyManagerTypeAws, []string{fmt.Sprintf("alias/aws/service-%d", i)}
			}
		})
		var w witness
		start := time.Now()
		mustCollect(t, srv.Client(home, ohio), w.option)
		took := time.Since(start)
		w.wantForward(t, 60)
		for i, p := range w.told {
			// No key is done before the aliases have been listed, which show it.
			if left := took - w.at[i].Sub(start); p.Complete && p.Done > 0 && (p.Left-left).Abs() > 2*time.Second {
				t.Errorf("call %d: %v left, it took %v more", i, p.Left, left)
			}
		}
	})
}

func TestProgressOfAnAccountWithoutKeysIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		var w witness
		mustCollect(t, kmsfake.New().Client(home, ohio), w.option)
		w.wantForward(t, 0)
		if len(w.told) != 1 {
			t.Errorf("told %v", w.told)
		}
	})
}

// "called ... when the pace changes": for the minutes in which no key gets done
// somebody looks at a line that must not stand still.
func TestProgressTellsOfThrottlingWhileItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 20)
		start := time.Now()
		from, to := start.Add(2*time.Second), start.Add(5*time.Minute)
		srv.Inject(func(kmsfake.Call) *kmsfake.Fault {
			if now := time.Now(); now.After(from) && now.Before(to) {
				return kmsfake.Throttle()
			}
			return nil
		})
		var w witness
		mustCollect(t, srv.Client(home, ohio), w.option)
		w.wantForward(t, 20)
		during, slowest := 0, 5.0
		for i, p := range w.told {
			if w.at[i].After(from) && w.at[i].Before(to) && p.Throttled > 0 {
				during++
				slowest = min(slowest, p.Rate)
			}
		}
		if during < 10 || slowest > 2.5 {
			t.Errorf("told %d times in five minutes of throttling, of a rate of %.2f at the lowest", during, slowest)
		}
		if got, want := w.told[len(w.told)-1].Throttled, srv.Total("GetKeyLastUsage").Throttled; got != want || want == 0 {
			t.Errorf("counts %d throttled attempts, the service %d", got, want)
		}
	})
}

// Where no last use is read, its quota says nothing of how long it takes.
func TestWhatIsLeftIsNotAQuestionOfAQuotaThatIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 1000)
		var w witness
		start := time.Now()
		mustCollect(t, srv.Client(home, ohio), listingOnly, w.option)
		took := time.Since(start)
		for i, p := range w.told {
			if p.Left > took+time.Second {
				t.Fatalf("call %d: %v left of a run of %v", i, p.Left, took)
			}
		}
	})
}

// Workers, pages and a loop that races them, many times over.
func TestProgressGoesForwardWhateverTheOrder(t *testing.T) {
	arns := manyARNs(120)
	for range 50 {
		c := &stub{listKeys: func(in *kms.ListKeysInput) (*kms.ListKeysOutput, error) {
			i := pageOf(in.Marker)
			runtime.Gosched()
			out := &kms.ListKeysOutput{Keys: entries(arns[2*i : 2*i+2]...)}
			out.NextMarker, out.Truncated = follows(i, len(arns)/2)
			return out, nil
		}}
		var w witness
		fs := mustCollect(t, c, listingOnly, w.option, func(o *usage.InspectOptions) { o.Concurrency = 16 })
		if !slices.Equal(arnsOf(fs), arns) {
			t.Fatalf("found %d keys", len(fs))
		}
		w.wantForward(t, len(arns))
		if t.Failed() {
			return
		}
	}
}

// A report must be of the state at the time it is made: one that was begun before
// the listing ended and comes after the report of its end goes back.
func TestAReportThatWaitedForAnotherIsNotOutOfDate(t *testing.T) {
	arns := manyARNs(40)
	release := make(chan struct{})
	c := &stub{listKeys: func(in *kms.ListKeysInput) (*kms.ListKeysOutput, error) {
		i := pageOf(in.Marker)
		if i == 1 {
			<-release
		}
		out := &kms.ListKeysOutput{Keys: entries(arns[20*i : 20*i+20]...)}
		out.NextMarker, out.Truncated = follows(i, 2)
		return out, nil
	}}
	var (
		w    witness
		once sync.Once
	)
	fs := mustCollect(t, c, listingOnly, func(o *usage.InspectOptions) {
		o.Concurrency = 20
		o.Progress = func(p usage.Progress) {
			w.callback(p)
			once.Do(func() { close(release) }) // while others wait to report
			for range 1000 {
				runtime.Gosched()
			}
		}
	})
	if len(fs) != len(arns) {
		t.Fatalf("found %d keys", len(fs))
	}
	w.wantForward(t, len(arns))
}
