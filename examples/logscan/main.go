// Command logscan reads CloudTrail log files and prints who used which KMS key.
//
//	go run -C examples ./logscan                     # a small archive, made for the occasion
//	go run -C examples ./logscan DIR                 # a folder that S3 was copied to
//	go run -C examples ./logscan -against keys.jsonl DIR
//	go run -C examples ./logscan -h
//
// keys.jsonl is what ./inventory -json prints: each key is judged once more, with
// what the logs say. logscan asks AWS nothing. What it shows is in one call:
// cloudtrail.Scan.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
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
func run(ctx context.Context, argv []string, stdout, stderr io.Writer) int {
	a, err := parseArgs(argv)
	if errors.Is(err, flag.ErrHelp) {
		if _, err := io.WriteString(stdout, help); err != nil {
			return exitIncomplete
		}
		return exitOK
	}
	if err != nil {
		tell(stderr, "logscan: "+plain(err.Error())+"\nRun it with -h for help.\n")
		return exitUsage
	}
	inventory, err := readInventory(a.against)
	if err != nil {
		complain(stderr, err)
		return exitUsage
	}
	src, err := open(a.path)
	if err != nil {
		complain(stderr, err)
		return exitUsage
	}
	if src.close != nil {
		defer src.close.Close() //nolint:errcheck // read only
	}

	bar := newProgress(stderr)
	logs, err := cloudtrail.Scan(ctx, src.fsys, a.options, bar.option)
	bar.clear()
	if err != nil {
		complain(stderr, err)
	}
	if logs == nil {
		if errors.Is(err, usage.ErrInvalidOption) {
			return exitUsage
		}
		return exitIncomplete
	}

	// What was read comes first: it is good whatever is missing.
	a.terminal = isTerminal(stdout)
	text, gaps := report(ctx, src.title, logs, inventory, a)
	if _, err := io.WriteString(stdout, text); err != nil {
		complain(stderr, fmt.Errorf("cannot print the report: %w", err))
		return exitIncomplete
	}
	if gaps > 0 || err != nil || logs.Stats().Files == 0 {
		return exitIncomplete
	}
	return exitOK
}

// report is all that is printed of the logs, and how many gaps there are.
func report(ctx context.Context, title string, logs *cloudtrail.LogHistory, inventory []usage.Assessment, a args) (text string, gaps int) {
	var b strings.Builder
	b.WriteString(title + "\n")
	printStats(&b, logs.Stats())
	switch {
	case logs.Stats().Files == 0:
		b.WriteString("\nNo log file was found there. CloudTrail's are named *.json.gz; *.json, *.jsonl and *.ndjson are read as well.\n")
	case inventory == nil:
		printKeys(&b, logs, a)
	default:
		printJoined(ctx, &b, logs, inventory, a)
	}
	if logs.Stats().Files > 0 {
		printCoverage(&b, logs, a.all)
	}
	gaps = printGaps(&b, logs, a.all)
	return b.String(), gaps
}

func complain(stderr io.Writer, err error) { tell(stderr, "logscan: "+plain(err.Error())+"\n") }

// tell prints what is worth saying; that it could not be said is not.
func tell(w io.Writer, s string) { _, _ = io.WriteString(w, s) }
