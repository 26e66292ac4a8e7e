package usage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage/internal/fault"
	"github.com/kmsusage/usage/internal/keyarn"
	"github.com/kmsusage/usage/internal/pace"
)

// targetRun reads one target during one range.
type targetRun struct {
	*ranged
	target Target
	log    *slog.Logger
	keys   queue

	aliased chan struct{}       // closed when the aliases have been listed, or not
	aliases map[string][]string // by key ID; written before aliased is closed
	noAlias error               // why the listing of aliases ended early
	foreign error               // aliases of another account or Region; written before aliased is closed

	where   lane // account and Region, as given or else as the first key has them
	read    int  // keys sent; guarded by ranged.mu, as are where and what follows
	free    int  // of them, those that cost no last-usage call
	managed int  // keys that aliases show to be AWS managed, once they are listed
}

func newTargetRun(r *ranged, t Target) *targetRun {
	return &targetRun{
		ranged:  r,
		target:  t,
		log:     r.Logger,
		keys:    queue{wake: sync.NewCond(new(sync.Mutex))},
		aliased: make(chan struct{}),
		aliases: map[string][]string{},
		where:   lane{account: t.Account, region: t.Region},
	}
}

// run lists and reads at the same time: the listing is a matter of seconds, and
// whoever waits for the first finding need not wait for it.
func (t *targetRun) run(ctx context.Context) {
	var (
		wg      sync.WaitGroup
		listErr error
	)
	wg.Go(func() { listErr = t.listKeys(ctx); t.keys.end(); t.report() })
	wg.Go(func() { t.listAliases(ctx) })
	for range t.Concurrency {
		wg.Go(func() { t.work(ctx) })
	}
	wg.Wait()

	listed := t.keys.total()
	t.mu.Lock()
	e := TargetError{Account: t.where.account, Region: t.where.region, Listed: listed, Read: t.read}
	t.mu.Unlock()
	switch {
	case listErr != nil:
		e.Op, e.Err = opListKeys, listErr
	case listed == 0 && t.foreign != nil:
		// Credentials of the wrong account list nothing, and nothing looks empty.
		e.Op, e.Err = opListAliases, t.foreign
	case e.Read < listed && ctx.Err() != nil:
		e.Err = ended(ctx)
	default:
		t.log.Info("inspected", "account", e.Account, "region", e.Region, "keys", e.Read)
		return
	}
	if t.send(result{err: &e}) {
		t.log.Error("inspection incomplete", "account", e.Account, "region", e.Region, "op", e.Op, "listed", e.Listed, "read", e.Read,
			"reason", string(meaning[fault.Of(context.Background(), e.Err)].reason))
	}
}

func (t *targetRun) work(ctx context.Context) {
	for {
		arn, ok := t.keys.next()
		if !ok || ctx.Err() != nil {
			return
		}
		f, ok := t.readKey(ctx, arn)
		if !ok {
			return
		}
		// Counted before it is sent: the loop may look at the progress at once.
		t.mu.Lock()
		t.read++
		if f.AWSManaged() && !t.Readings.AWSManaged {
			t.free++
		}
		t.mu.Unlock()
		if !t.send(result{finding: f}) {
			return
		}
		t.report()
	}
}

// report tells the progress callback, if there is one.
func (t *targetRun) report() {
	if t.Progress == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	listed, complete := t.keys.state() // under the lock: reports come in order
	p := Progress{
		Account: t.where.account, Region: t.where.region,
		Listed: listed, Complete: complete, Done: t.read, Unpaced: t.unpaced,
	}
	s := t.Pacer.limiter(t.where.account, t.where.region, opLastUsage).State()
	p.Throttled, p.Rate = s.Throttled, s.Rate
	if complete {
		p.Left = t.expected(p.Listed-p.Done-max(0, t.managed-t.free), s.Rate)
	}
	t.Progress(p)
}

// expected is how long keys take at a rate of last-usage calls; without those
// calls there is nothing to wait for.
func (t *targetRun) expected(keys int, rate float64) time.Duration {
	if t.Readings.NoLastUsage {
		return 0
	}
	return time.Duration(float64(keys) / rate * float64(time.Second))
}

// listKeys fills the queue. Entries that name no key are an error at the end:
// a key that cannot be named must not be passed over in silence.
func (t *targetRun) listKeys(ctx context.Context) error {
	var (
		seen    = map[string]struct{}{}
		unnamed int
	)
	err := pages(func(marker *string) (int, *string, bool, error) {
		out, _, err := call(ctx, t, t.where, opListKeys, t.target.Client.ListKeys,
			&kms.ListKeysInput{Limit: aws.Int32(1000), Marker: marker})
		if err == nil && out.Keys == nil {
			err = absent("Keys")
		}
		if err != nil {
			return 0, nil, false, err
		}
		arns := make([]string, 0, len(out.Keys))
		for _, k := range out.Keys {
			arn := aws.ToString(k.KeyArn)
			p, ok := keyarn.Parse(arn)
			if !ok {
				unnamed++
				continue
			}
			if err := t.belongs(p); err != nil {
				return 0, nil, false, err
			}
			if _, again := seen[arn]; !again {
				seen[arn] = struct{}{}
				arns = append(arns, arn)
			}
		}
		t.keys.add(arns)
		return len(out.Keys), out.NextMarker, out.Truncated, nil
	})
	if err == nil && unnamed > 0 {
		err = malformedError(fmt.Sprintf("%d entries of the key list have no key ARN", unnamed))
	}
	if err == nil {
		total := t.keys.total()
		rate := t.Pacer.limiter(t.where.account, t.where.region, opLastUsage).State().Rate
		t.log.Info("listed", "account", t.where.account, "region", t.where.region, "keys", total,
			"expected", t.expected(total, rate).Round(time.Second))
	}
	return err
}

// belongs checks a listed key against its target. Credentials of the wrong
// account are a mistake to stop at, before anything is filed under a wrong name.
func (t *targetRun) belongs(p keyarn.Parts) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.where.account == "" {
		t.where.account = p.Account
	}
	if t.where.region == "" {
		t.where.region = p.Region
	}
	if p.Account != t.where.account || p.Region != t.where.region {
		return malformedError(fmt.Sprintf("the client lists keys of account %s in %s; want account %s in %s",
			p.Account, p.Region, t.where.account, t.where.region))
	}
	return nil
}

// owned checks an alias against its target: every account has aliases in every
// Region, those of AWS managed keys that do not exist yet included. So they tell
// whose account it is where no key does.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html
func (t *targetRun) owned(arn string) error {
	account, region := keyarn.Owner(arn)
	if account == "" || maySame(account, t.target.Account) && maySame(region, t.target.Region) {
		return nil
	}
	return malformedError(fmt.Sprintf("the client lists aliases of account %s in %s; want account %q in %q",
		account, region, t.target.Account, t.target.Region))
}

// listAliases reads all aliases of the Region at once: asking key by key would
// cost a call for each.
func (t *targetRun) listAliases(ctx context.Context) {
	defer close(t.aliased)
	if t.Readings.NoAliases {
		return
	}
	where := lane{account: t.target.Account, region: t.target.Region}
	t.noAlias = pages(func(marker *string) (int, *string, bool, error) {
		out, _, err := call(ctx, t, where, opListAliases, t.target.Client.ListAliases,
			&kms.ListAliasesInput{Limit: aws.Int32(100), Marker: marker})
		if err == nil && out.Aliases == nil {
			err = absent("Aliases")
		}
		if err != nil {
			return 0, nil, false, err
		}
		for _, a := range out.Aliases {
			if err := t.owned(aws.ToString(a.AliasArn)); err != nil {
				t.foreign = err
				return 0, nil, false, err
			}
			// An alias without a target stands for an AWS managed key not made yet.
			if id := aws.ToString(a.TargetKeyId); id != "" && a.AliasName != nil {
				t.aliases[id] = append(t.aliases[id], *a.AliasName)
			}
		}
		return len(out.Aliases), out.NextMarker, out.Truncated, nil
	})
	for id, names := range t.aliases {
		slices.Sort(names)
		t.aliases[id] = slices.Compact(names) // pages shift when aliases are made meanwhile
	}
	if t.Readings.AWSManaged {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, names := range t.aliases {
		if hasAWSAlias(names) {
			t.managed++
		}
	}
}

// pages calls fetch, which returns how many entries a page had, until the last
// page. A marker that comes back a second time and pages that stay empty would go
// on for ever, and a truncated page without a marker would end the list early and
// silently: all are errors.
func pages(fetch func(marker *string) (entries int, next *string, truncated bool, err error)) error {
	seen := map[string]bool{}
	empty := 0
	var marker *string
	for {
		entries, next, truncated, err := fetch(marker)
		if err != nil || !truncated {
			return err
		}
		if empty++; entries > 0 {
			empty = 0
		}
		if empty > maxEmptyPages {
			return malformedError("the list goes on, but its pages are empty")
		}
		if aws.ToString(next) == "" {
			return malformedError("a truncated page has no marker for the next one")
		}
		if seen[*next] {
			return malformedError("the list of pages goes round in a circle: a marker came back a second time")
		}
		seen[*next] = true
		marker = next
	}
}

// maxEmptyPages is how many may come in a row: a service may filter after paging.
const maxEmptyPages = 100

// absent is a page without its list. KMS writes an empty list as [], which the
// SDK keeps apart from none: an answer that is no answer, as a proxy may give
// one, must not read as "no grants".
func absent(list string) error {
	return malformedError("no " + list + ", not even an empty list")
}

// call makes one paced call and returns the answer and when it was asked for,
// by the local clock.
func call[In, Out any](ctx context.Context, t *targetRun, where lane, op string,
	method func(context.Context, *In, ...func(*kms.Options)) (*Out, error), in *In,
) (*Out, time.Time, error) {
	var retryer *pace.Retryer
	limiter := t.Pacer.limiter(where.account, where.region, op)
	throttled := func() {
		t.log.Debug("throttled", "account", where.account, "region", where.region, "op", op, "rate", limiter.State().Rate)
		t.report()
	}
	asked := time.Now()
	out, err := method(ctx, in, func(o *kms.Options) {
		retryer = pace.NewRetryer(o.Retryer, limiter, pace.Options{
			Attempts: t.Attempts, Patience: t.Patience, First: op == opListKeys || op == opListAliases, Throttled: throttled,
		})
		o.Retryer = retryer
		o.APIOptions = append(o.APIOptions, pace.Timeout(attemptTimeout))
	})
	if fault.Answered(err) {
		limiter.Answered()
	}
	if ctx.Err() != nil && err != nil {
		return nil, asked, ended(ctx)
	}
	if err != nil {
		return nil, asked, err
	}
	if out == nil {
		return nil, asked, malformedError("neither an answer nor an error")
	}
	if retryer == nil || retryer.Sent().IsZero() {
		t.warnUnpaced(where, op)
	} else {
		asked = retryer.Sent()
	}
	return out, asked, nil
}

// attemptTimeout bounds each attempt: KMS answers in milliseconds or not at all.
const attemptTimeout = 30 * time.Second

// warnUnpaced says once a range that a client drops its option functions.
func (t *targetRun) warnUnpaced(where lane, op string) {
	t.mu.Lock()
	first := !t.unpaced
	t.unpaced = true
	t.mu.Unlock()
	if first {
		t.log.Warn("the client drops the option functions of its calls: nothing is paced, keys may be lost to throttling",
			"account", where.account, "region", where.region, "op", op)
	}
}

// endedError is the end of the caller's context: nothing that AWS did.
type endedError struct{ cause error }

func (e endedError) Error() string   { return e.cause.Error() }
func (e endedError) Unwrap() error   { return e.cause }
func (endedError) Fault() fault.Code { return fault.Canceled }

func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return endedError{fmt.Errorf("%w: %w", ctx.Err(), cause)}
	}
	return endedError{ctx.Err()}
}

// queue is the list of a target's keys: filled by one goroutine, emptied by
// many. It holds all of them, an ARN each; nothing else is remembered.
type queue struct {
	wake  *sync.Cond
	arns  []string
	taken int
	ended bool
}

func (q *queue) add(arns []string) {
	q.wake.L.Lock()
	q.arns = append(q.arns, arns...)
	q.wake.L.Unlock()
	q.wake.Broadcast()
}

func (q *queue) end() {
	q.wake.L.Lock()
	q.ended = true
	q.wake.L.Unlock()
	q.wake.Broadcast()
}

// next waits for a key; false when there will be no more.
func (q *queue) next() (string, bool) {
	q.wake.L.Lock()
	defer q.wake.L.Unlock()
	for q.taken == len(q.arns) {
		if q.ended {
			return "", false
		}
		q.wake.Wait()
	}
	arn := q.arns[q.taken]
	q.arns[q.taken] = "" // the finding has it now
	q.taken++
	return arn, true
}

func (q *queue) state() (total int, ended bool) {
	q.wake.L.Lock()
	defer q.wake.L.Unlock()
	return len(q.arns), q.ended
}

func (q *queue) total() int { n, _ := q.state(); return n }

// aliasesOf returns a key's aliases once they have been listed, never nil, and
// why the list is short, if it is.
func (t *targetRun) aliasesOf(id string) ([]string, error) {
	<-t.aliased
	names := t.aliases[id]
	if names == nil && t.noAlias == nil {
		names = []string{}
	}
	return slices.Clone(names), t.noAlias
}

// hasAWSAlias tells whether a key is AWS managed by its alias alone.
func (t *targetRun) hasAWSAlias(id string) bool {
	names, _ := t.aliasesOf(id)
	return hasAWSAlias(names)
}
