// Command bench measures how fast keys are inspected under a request quota,
// against what the quota allows: N keys at q requests a second cannot take less
// than N/q seconds. It runs on the wall clock, over loopback HTTP, against a fake
// KMS that enforces the quota in each of the ways in which AWS might.
//
//	go run -C examples ./bench                # everything, about twelve minutes
//	go run -C examples ./bench -quick         # a taste of it, half a minute
//	go run -C examples ./bench -only raised   # or real: a part of it
//	go run -C examples ./bench -memory        # what a listing remembers, per key
//
// The table it prints is the one in the README.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

const (
	account = "111122223333"
	region  = "us-east-1"
	lastUse = "GetKeyLastUsage"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run fails if a key was lost that should not be; a ratio is for people to judge.
func run() error {
	quick := flag.Bool("quick", false, "only the raised quota, with too few keys to quote the ratios")
	only := flag.String("only", "", "only the \"real\" quota or only the \"raised\" one")
	memory := flag.Bool("memory", false, "measure memory instead of time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case *memory:
		return printMemory(ctx)
	case *quick:
		return printTable(runAll(ctx, raised(300)))
	case *only != "" && *only != "real" && *only != "raised":
		return fmt.Errorf("-only %q: want real or raised", *only)
	default:
		// At five requests a second a scenario is idle nearly all the time, so those
		// run side by side; the raised quota needs the machine for itself.
		var results []result
		if *only != "raised" {
			results = runTogether(ctx, documented())
		}
		if *only != "real" {
			results = append(results, runAll(ctx, raised(4000))...)
		}
		return printTable(results)
	}
}

// scenario is one row of the table.
type scenario struct {
	how     string // what reads the keys
	read    reader
	shape   kmsfake.Shape
	latency time.Duration // of each answer, give or take 30%
	quota   float64       // GetKeyLastUsage requests a second
	keys    int
	rivalry float64       // share of the quota that somebody else asks for
	outage  time.Duration // everything is throttled for this long, after a calm start
	errors  bool          // 5% of answers are 500s, 1% of connections are cut
}

// calm is how long before an outage the reading may get under way.
const calm = 5 * time.Second

var shapes = []kmsfake.Shape{kmsfake.TokenBucket, kmsfake.FixedWindow, kmsfake.SlidingWindow}

// documented is AWS's quota; the ways users read today come first.
func documented() []scenario {
	const (
		quota = 5
		keys  = 150
	)
	var out []scenario
	for _, naive := range []struct {
		how  string
		read reader
	}{{"one after another", readSerially}, {"16 goroutines, SDK defaults", readPool}, {"16 goroutines, adaptive retries", readAdaptively}} {
		out = append(out, scenario{how: naive.how, read: naive.read, latency: 40 * time.Millisecond, quota: quota, keys: keys})
	}
	for _, rival := range []float64{0, 0.4} {
		for _, shape := range shapes {
			for _, latency := range []time.Duration{8 * time.Millisecond, 40 * time.Millisecond} {
				out = append(out, scenario{how: library, read: inspect, shape: shape, latency: latency, quota: quota, keys: keys, rivalry: rival})
			}
		}
	}
	return append(out,
		scenario{how: library, read: inspect, latency: 40 * time.Millisecond, quota: quota, keys: keys, errors: true},
		scenario{how: library, read: inspect, latency: 40 * time.Millisecond, quota: quota, keys: keys, outage: 5 * time.Minute})
}

// raised is a quota raised fortyfold.
func raised(keys int) []scenario {
	var out []scenario
	for _, rival := range []float64{0, 0.4} {
		for _, shape := range shapes {
			for _, latency := range []time.Duration{8 * time.Millisecond, 40 * time.Millisecond} {
				out = append(out, scenario{how: library, read: inspect, shape: shape, latency: latency, quota: 200, keys: keys, rivalry: rival})
			}
		}
	}
	return append(out, scenario{how: library, read: inspect, latency: 40 * time.Millisecond, quota: 200, keys: keys, errors: true})
}

// result is what a scenario came to.
type result struct {
	scenario
	wall                time.Duration
	attempts, throttled int // ours, at the last-usage quota
	lost                int // keys without an answer
	rival               *rivalCounts
	err                 error
}

func runAll(ctx context.Context, ss []scenario) []result {
	var out []result
	for _, s := range ss {
		out = append(out, s.run(ctx))
		fmt.Fprintln(os.Stderr, row(out[len(out)-1]))
	}
	return out
}

func runTogether(ctx context.Context, ss []scenario) []result {
	out := make([]result, len(ss))
	var wg sync.WaitGroup
	for i, s := range ss {
		wg.Go(func() {
			out[i] = s.run(ctx)
			fmt.Fprintln(os.Stderr, row(out[i]))
		})
	}
	wg.Wait()
	return out
}

func (s scenario) run(ctx context.Context) result {
	srv := kmsfake.New(func(o *kmsfake.Options) {
		o.Shape = s.shape
		o.Quotas = kmsfake.DefaultQuotas()
		for op := range o.Quotas {
			o.Quotas[op] *= s.quota / 5
		}
		o.Latency = func() time.Duration {
			return time.Duration(float64(s.latency) * (0.7 + 0.6*rand.Float64()))
		}
	})
	for range s.keys {
		srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: time.Date(2024, 3, 29, 0, 0, 0, 0, time.UTC)})
	}
	url, stop, err := srv.Start()
	if err != nil {
		return result{scenario: s, err: err}
	}
	defer stop()

	start := time.Now()
	srv.Inject(func(kmsfake.Call) *kmsfake.Fault {
		switch {
		case s.outage > 0 && time.Since(start) > calm && time.Since(start) < calm+s.outage:
			return kmsfake.Throttle()
		case s.errors:
			switch p := rand.Float64(); {
			case p < 0.05:
				return kmsfake.InternalFailure()
			case p < 0.06:
				return kmsfake.Cut()
			}
		}
		return nil
	})
	res := result{scenario: s}
	rival := newRival(url, s.rivalry*s.quota)
	answered, err := s.read(ctx, url, s.quota)
	res.wall, res.err = time.Since(start), err
	res.rival = rival.stop()
	res.lost = s.keys - answered
	total := srv.Total(lastUse)
	res.attempts = total.Attempts - int(res.rival.attempts.Load())
	res.throttled = total.Throttled - int(res.rival.throttled.Load())
	return res
}

// ideal is the time that the quota, less the rival's part, allows at best; all
// that is throttled for everybody comes on top.
func (r result) ideal() time.Duration {
	return r.outage + time.Duration(float64(r.keys)/(r.quota*(1-r.rivalry))*float64(time.Second))
}

const header = `| reading | quota | counted as | latency | besides | keys | N/q | wall | ratio | attempts | throttled | lost | rival got | at once |
|---|--:|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|`

func printTable(rs []result) error {
	var errs []error
	fmt.Println(header)
	for _, r := range rs {
		fmt.Println(row(r))
		if r.err != nil || r.how == library && r.lost > 0 {
			errs = append(errs, fmt.Errorf("%s at %g/s, %s: %d keys lost", r.how, r.quota, r.shape, r.lost), r.err)
		}
	}
	return errors.Join(errs...)
}

// library is what is measured; the rest is there to compare it with.
const library = "Inspect"

func row(r result) string {
	besides := "–"
	switch {
	case r.rivalry > 0:
		besides = fmt.Sprintf("a rival asking %.0f%%", 100*r.rivalry)
	case r.outage > 0:
		besides = fmt.Sprintf("all throttled for %v", r.outage)
	case r.errors:
		besides = "5% 500s, 1% cut"
	}
	got, atOnce := "–", "–"
	if r.rival != nil && r.rival.asked.Load() > 0 {
		asked := float64(r.rival.asked.Load())
		got = fmt.Sprintf("%.1f%%", 100*float64(r.rival.got.Load())/asked)
		atOnce = fmt.Sprintf("%.1f%%", 100*float64(r.rival.atOnce.Load())/asked)
	}
	cells := []string{
		r.how, fmt.Sprintf("%g/s", r.quota), r.shape.String(), r.latency.String(), besides, fmt.Sprint(r.keys),
		fmt.Sprintf("%.1f s", r.ideal().Seconds()), fmt.Sprintf("%.1f s", r.wall.Seconds()),
		fmt.Sprintf("%.3f", r.wall.Seconds()/r.ideal().Seconds()), fmt.Sprint(r.attempts),
		fmt.Sprintf("%.1f%%", 100*float64(r.throttled)/float64(max(1, r.attempts))), fmt.Sprint(r.lost), got, atOnce,
	}
	line := "| " + strings.Join(cells, " | ") + " |"
	if r.err != nil {
		line += " " + r.err.Error()
	}
	return line
}
