// Command inventory prints which KMS keys of an account are unused, and what
// holds the others.
//
//	go run -C examples ./inventory                                   # an embedded fake of KMS
//	go run -C examples ./inventory -profile audit -regions us-east-1,eu-west-1
//	go run -C examples ./inventory -h
//
// It reads and never changes anything. What it shows is in three calls of
// package usage: InspectFleet, Collect and Assess; with -json, InspectFleet and
// AssessSeq.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"

	"github.com/kmsusage/usage"
)

// The exit codes; help says the same.
const (
	exitOK         = 0
	exitIncomplete = 1
	exitUsage      = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // the first ctrl-C prints what was read, a second one ends at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program without its process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseArgs(args)
	if errors.Is(err, flag.ErrHelp) {
		if _, err := io.WriteString(stdout, help); err != nil {
			return exitIncomplete
		}
		return exitOK
	}
	if err != nil {
		tell(stderr, "inventory: "+plain(err.Error()))
		tell(stderr, "Run it with -h for help.")
		return exitUsage
	}

	open := openReal
	if o.demo {
		open = openDemo
	}
	src, err := open(ctx, o)
	if err != nil {
		return complain(stderr, split(err))
	}
	first := stdout
	if o.json {
		first = stderr
	}
	tell(first, src.title)

	bar := newProgress(stderr, len(src.targets), o.json && isTerminal(stdout))
	findings := src.findings(ctx, bar)
	if o.json {
		return complain(stderr, printLines(stdout, bar, findings, o.policy))
	}

	// The findings come first: they are good whatever the errors say is missing.
	fs, err := usage.Collect(findings)
	bar.clear()
	errs := split(err)
	if _, err := io.WriteString(stdout, report(usage.Assess(fs, o.policy), o, len(errs), screen(stdout))); err != nil {
		errs = append(errs, fmt.Errorf("cannot print the report: %w", err))
	}
	return complain(stderr, errs)
}

// source is where keys are read from: the embedded fake, or AWS.
type source struct {
	title   string // the first line of what is printed
	targets []usage.Target
	options func(*usage.InspectOptions)
}

// findings reads the keys of all targets at once.
func (s source) findings(ctx context.Context, bar *progress) iter.Seq2[usage.Finding, error] {
	return usage.InspectFleet(ctx, s.targets, s.options, func(o *usage.InspectOptions) {
		if bar != nil {
			o.Progress = bar.update
		}
	})
}
