package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// reader reads every key behind url and returns how many it got an answer for.
type reader func(ctx context.Context, url string, quota float64) (answered int, err error)

func client(url string, optFns ...func(*kms.Options)) *kms.Client {
	return kms.New(kms.Options{
		Region:       region,
		BaseEndpoint: aws.String(url),
		Credentials:  kmsfake.Credentials(account),
	}, optFns...)
}

// inspect is the library, with all its readings.
func inspect(ctx context.Context, url string, quota float64) (answered int, err error) {
	fs, err := usage.Collect(usage.Inspect(ctx, client(url), func(o *usage.InspectOptions) {
		o.Quotas = usage.DefaultQuotas()
		for op := range o.Quotas {
			o.Quotas[op] *= quota / 5
		}
	}))
	for _, f := range fs {
		if len(f.Gaps) == 0 {
			answered++
		}
	}
	return answered, err
}

// readSerially is the loop that most people write first.
func readSerially(ctx context.Context, url string, _ float64) (answered int, err error) {
	return readWith(ctx, client(url), 1)
}

// readPool is the one they write next.
func readPool(ctx context.Context, url string, _ float64) (answered int, err error) {
	return readWith(ctx, client(url), 16)
}

// readAdaptively lets the SDK pace itself.
func readAdaptively(ctx context.Context, url string, _ float64) (answered int, err error) {
	return readWith(ctx, client(url, func(o *kms.Options) { o.Retryer = retry.NewAdaptiveMode() }), 16)
}

func readWith(ctx context.Context, c *kms.Client, goroutines int) (answered int, err error) {
	keys := make(chan *string)
	var (
		wg sync.WaitGroup
		n  atomic.Int64
	)
	for range goroutines {
		wg.Go(func() {
			for id := range keys {
				if _, err := c.GetKeyLastUsage(ctx, &kms.GetKeyLastUsageInput{KeyId: id}); err == nil {
					n.Add(1)
				}
			}
		})
	}
	for p := kms.NewListKeysPaginator(c, &kms.ListKeysInput{}); p.HasMorePages() && err == nil; {
		var page *kms.ListKeysOutput
		if page, err = p.NextPage(ctx); err == nil {
			for _, k := range page.Keys {
				keys <- k.KeyId
			}
		}
	}
	close(keys)
	wg.Wait()
	return int(n.Load()), err
}

// rival is another caller of the same account, with a client as the SDK makes it,
// retries and all, that asks at even intervals.
type rival struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	rivalCounts
}

// rivalCounts is what a rival asked for and what came of it.
type rivalCounts struct {
	asked, got, atOnce  atomic.Int64 // operations; answered; answered at the first attempt
	attempts, throttled atomic.Int64 // of all operations
}

func newRival(url string, rate float64) *rival {
	ctx, cancel := context.WithCancel(context.Background())
	r := &rival{cancel: cancel}
	if rate == 0 {
		return r
	}
	c := client(url)
	r.wg.Go(func() {
		out, err := c.ListKeys(ctx, &kms.ListKeysInput{Limit: aws.Int32(1)})
		if err != nil || len(out.Keys) == 0 {
			return
		}
		tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.wg.Go(func() { r.ask(c, out.Keys[0].KeyId) })
			}
		}
	})
	return r
}

// ask has no context of the benchmark's: what has been asked is to be counted.
func (r *rival) ask(c *kms.Client, id *string) {
	retryer := &countingRetryer{Retryer: retry.NewStandard()}
	_, err := c.GetKeyLastUsage(context.Background(), &kms.GetKeyLastUsageInput{KeyId: id},
		func(o *kms.Options) { o.Retryer = retryer })
	r.asked.Add(1)
	r.attempts.Add(retryer.throttled)
	r.throttled.Add(retryer.throttled)
	if err == nil {
		r.got.Add(1)
		r.attempts.Add(1)
		if retryer.throttled == 0 {
			r.atOnce.Add(1)
		}
	}
}

// countingRetryer is the SDK's, counting. It serves one call.
type countingRetryer struct {
	aws.Retryer
	throttled int64 // nothing but throttles goes wrong for a rival
}

func (r *countingRetryer) IsErrorRetryable(err error) bool {
	r.throttled++
	return r.Retryer.IsErrorRetryable(err)
}

// stop ends the rival and returns what came of it.
func (r *rival) stop() *rivalCounts {
	r.cancel()
	r.wg.Wait()
	return &r.rivalCounts
}
