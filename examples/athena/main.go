// Command athena asks an archive of CloudTrail log files, where it lies, which
// KMS keys were used first and last when and by whom, and who has tried to use
// them since they were off.
//
// Without -run it prints the statements, which needs no account and costs nothing:
//
//	go run -C examples ./athena -database logs -table cloudtrail_logs -from 2025-01-01
//	go run -C examples ./athena -database logs -table cloudtrail_logs -from 2025-01-01 -run
//	go run -C examples ./athena -h
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

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/smithy-go/logging"

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
	context.AfterFunc(ctx, stop) // the first ctrl-C stops the queries, a second one ends at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, connect))
}

// connect makes a client of the credentials that the AWS CLI would use.
func connect(ctx context.Context) (*athena.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("no Region: set one in the profile or in AWS_REGION")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fmt.Errorf("no AWS credentials: sign in (aws sso login, or aws configure), or set AWS_PROFILE: %w", err)
	}
	return athena.NewFromConfig(cfg), nil
}

// run is the program without its process. connect is called only if something is
// to be run.
func run(ctx context.Context, argv []string, stdout, stderr io.Writer, connect func(context.Context) (*athena.Client, error)) int {
	a, err := parseArgs(argv)
	if errors.Is(err, flag.ErrHelp) {
		return printed(stdout, stderr, help)
	}
	if err != nil {
		return refuse(stderr, err)
	}
	options := func(into *cloudtrail.QueryOptions) { *into = a.query }
	if !a.run {
		text, err := a.statements(options)
		if err != nil {
			return refuse(stderr, err)
		}
		return printed(stdout, stderr, text)
	}

	client, err := connect(ctx)
	if err != nil {
		return complain(stderr, err)
	}
	history, err := a.table.Ask(ctx, querier{client: client, workGroup: a.workGroup, output: a.output}, options)
	if history == nil {
		if errors.Is(err, usage.ErrInvalidOption) {
			return refuse(stderr, err)
		}
		return complain(stderr, err)
	}
	// What was answered comes first: it is good, whatever is missing.
	code := printed(stdout, stderr, report(history, err == nil && len(history.Gaps()) == 0))
	if err != nil {
		return complain(stderr, err)
	}
	if len(history.Gaps()) > 0 {
		code = exitIncomplete
	}
	return code
}

// statements are what is printed if nothing is run.
func (a args) statements(options func(*cloudtrail.QueryOptions)) (string, error) {
	if a.folder != "" {
		statement, err := a.table.Create(cloudtrail.AthenaLocation{Folder: a.folder, Accounts: a.query.Accounts, Regions: a.query.Regions, Since: a.query.From})
		return statement + "\n", err
	}
	s, err := a.table.Statements(options)
	return "-- Nothing was run; -run runs these.\n\n-- Use\n" + s.Use + "\n\n-- Attempts since keys were off\n" + s.Attempts + "\n\n-- Coverage\n" + s.Coverage + "\n", err
}

// printed prints and returns the exit code for that.
func printed(stdout, stderr io.Writer, text string) int {
	if _, err := io.WriteString(stdout, text); err != nil {
		return complain(stderr, fmt.Errorf("cannot print: %w", err))
	}
	return exitOK
}

// refuse says what is wrong with the flags.
func refuse(stderr io.Writer, err error) int {
	tell(stderr, "athena: "+plain(words(err))+"\nRun it with -h for help.\n")
	return exitUsage
}

func complain(stderr io.Writer, err error) int {
	for _, s := range describe(err) {
		tell(stderr, "athena: "+plain(s)+"\n")
	}
	return exitIncomplete
}

// tell prints what is worth saying; that it could not be said is not.
func tell(w io.Writer, s string) { _, _ = io.WriteString(w, s) }
