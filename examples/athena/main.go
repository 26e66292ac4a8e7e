// Command athena asks an archive of CloudTrail log files, where it lies, which
// KMS keys were used first and last when and by whom, and who has tried to use
// them since they were off.
//
// Without -run it prints the statements, which needs no account and costs nothing:
//
//	athena -database logs -table cloudtrail_logs -from 2025-01-01
//	athena -database logs -table cloudtrail_logs -from 2025-01-01 -run
//
// With -create it prints the statement that makes the table.
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
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/athena"

	"github.com/kmsusage/usage/cloudtrail"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, func(ctx context.Context) (*athena.Client, error) {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, err
		}
		return athena.NewFromConfig(cfg), nil
	})
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "athena:", err)
		os.Exit(1)
	}
}

// run is the program. connect is called only if something is to be run.
func run(ctx context.Context, args []string, out io.Writer, connect func(context.Context) (*athena.Client, error)) error {
	var (
		flags     = flag.NewFlagSet("athena", flag.ContinueOnError)
		table     cloudtrail.AthenaTable
		o         cloudtrail.QueryOptions
		folder    = flags.String("create", "", "print the statement that makes the table over the log files in this `folder`, such as s3://bucket/AWSLogs")
		runThem   = flags.Bool("run", false, "run the statements; each reads the archive once, which Athena charges for")
		workGroup = flags.String("workgroup", "", "Athena's work group; none: primary")
		output    = flags.String("output", "", "s3://bucket/prefix/ for results; none: that of the work group")
	)
	flags.StringVar(&table.Database, "database", "default", "database of the table")
	flags.StringVar(&table.Name, "table", "cloudtrail_logs", "name of the table")
	flags.StringVar(&table.Day, "day", "", "partition by day, such as 2026/03/01; none: timestamp")
	flags.StringVar(&table.Account, "account-column", "", "partition by account, if there is one")
	flags.StringVar(&table.Region, "region-column", "", "partition by Region, if there is one")
	flags.Func("from", "first `day`, such as 2025-01-01; none: all", func(s string) (err error) {
		o.From, err = time.Parse(time.DateOnly, s)
		return err
	})
	flags.Func("to", "first `day` not asked for; none: all", func(s string) (err error) {
		o.To, err = time.Parse(time.DateOnly, s)
		return err
	})
	list := func(into *[]string) func(string) error {
		return func(s string) error { *into = append(*into, strings.Split(s, ",")...); return nil }
	}
	flags.Func("keys", "`ARNs` of keys, with commas; none: all", list(&o.Keys))
	flags.Func("accounts", "`accounts`, with commas; none: all", list(&o.Accounts))
	flags.Func("regions", "`Regions`, with commas; none: all", list(&o.Regions))
	flags.BoolVar(&o.Complete, "complete", false, "nothing is missing from the table: I vouch for it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("what is %q for?", flags.Arg(0))
	}
	options := func(into *cloudtrail.QueryOptions) { *into = o }

	switch {
	case *folder != "":
		statement, err := table.Create(cloudtrail.AthenaLocation{Folder: *folder, Accounts: o.Accounts, Regions: o.Regions, Since: o.From})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, statement)
		return err
	case !*runThem:
		statements, err := table.Statements(options)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "-- Use\n%s\n\n-- Attempts since keys were off\n%s\n\n-- Coverage\n%s\n", statements.Use, statements.Attempts, statements.Coverage)
		return err
	}
	client, err := connect(ctx)
	if err != nil {
		return err
	}
	history, err := table.Ask(ctx, querier{client: client, workGroup: *workGroup, output: *output}, options)
	if history != nil { // what was answered is good, whatever is missing
		_, failed := io.WriteString(out, report(history))
		err = errors.Join(err, failed)
	}
	return err
}

// report tells what was answered.
func report(h *cloudtrail.QueryHistory) string {
	var out strings.Builder
	for arn, r := range h.Keys() {
		fmt.Fprintln(&out, arn)
		if r.First != nil {
			fmt.Fprintf(&out, "  first used %s by %s: %s\n", r.First.At.Format(time.RFC3339), r.First.Principal, r.First.Operation)
			fmt.Fprintf(&out, "  last used  %s by %s: %s\n", r.Last.At.Format(time.RFC3339), r.Last.Principal, r.Last.Operation)
		}
		if r.Off != nil {
			fmt.Fprintf(&out, "  off since  %s by %s: %s\n", r.Off.At.Format(time.RFC3339), r.Off.Principal, r.Off.Operation)
		}
		for _, e := range r.Refusals {
			fmt.Fprintf(&out, "  refused    %s to %s: %s, %s\n", e.At.Format(time.RFC3339), e.Principal, e.Operation, e.ErrorCode)
		}
		if r.Dropped.Refusals > 0 {
			fmt.Fprintf(&out, "  refused    %d times more\n", r.Dropped.Refusals)
		}
	}
	for _, c := range h.Coverage() {
		fmt.Fprintf(&out, "seen: account %s in %s from %s to %s, blind spots: %q\n", c.Account, c.Region, c.From.Format(time.RFC3339), c.To.Format(time.RFC3339), c.BlindSpots)
	}
	for _, g := range h.Gaps() {
		fmt.Fprintln(&out, "gap:", g)
	}
	return out.String()
}
