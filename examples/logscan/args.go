package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kmsusage/usage/cloudtrail"
)

const help = `Logscan reads CloudTrail log files and prints who used which KMS key. It asks AWS nothing.

  logscan [-against FILE] [-accounts A,B] [-regions A,B] [-from DAY] [-to DAY] [-first-and-last] [-all] [DIR]

DIR is a folder with log files as CloudTrail delivers them to S3, copied with "aws s3 sync" for
example: AWSLogs/…/CloudTrail/…/*.json.gz. It can also be a .zip file of such a folder, or a single
file: plain .json, JSON lines and what "aws cloudtrail lookup-events" prints are read as well.
Without DIR it reads a small archive that it makes up. Long names are cut on a terminal only.

  -against FILE    judge keys once more, with what the logs say: FILE is what inventory -json prints
  -accounts A,B    only log files of these accounts
  -regions A,B     only log files of these Regions
  -from, -to DAY   only events from 00:00 UTC of the one day until the end of the other: 2026-03-01
  -first-and-last  first and last use only, which is faster: nothing is counted
  -all             every key, day and file; by default the first few
  -demo            the archive that it makes up, as without DIR
  -h               this help

Exit codes:
  0  everything was read
  1  a file, a folder or a record could not be read, there is no log file, or the scan was
     interrupted; what could be read is printed, and what could not
  2  the arguments do not make sense, or DIR or FILE cannot be opened
`

type args struct {
	path, against string // empty: none
	scan          cloudtrail.ScanOptions
	all, demo     bool
	terminal      bool // that is what the report is printed on
}

// options is an option function of cloudtrail.Scan.
func (a args) options(o *cloudtrail.ScanOptions) {
	o.Accounts, o.Regions, o.From, o.To = a.scan.Accounts, a.scan.Regions, a.scan.From, a.scan.To
	o.FirstAndLastOnly = a.scan.FirstAndLastOnly
}

func parseArgs(argv []string) (args, error) {
	var a args
	fs := flag.NewFlagSet("logscan", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&a.against, "against", "", "")
	fs.BoolVar(&a.all, "all", false, "")
	fs.BoolVar(&a.demo, "demo", false, "")
	fs.BoolVar(&a.scan.FirstAndLastOnly, "first-and-last", false, "")
	fs.Func("accounts", "", list(&a.scan.Accounts))
	fs.Func("regions", "", list(&a.scan.Regions))
	fs.Func("from", "", func(s string) (err error) { a.scan.From, err = day(s); return err })
	fs.Func("to", "", func(s string) (err error) {
		a.scan.To, err = day(s)
		a.scan.To = a.scan.To.AddDate(0, 0, 1)
		return err
	})
	if err := fs.Parse(argv); err != nil {
		return args{}, err
	}
	switch fs.NArg() {
	case 0:
	case 1:
		if a.path = fs.Arg(0); a.path == "" {
			return args{}, errors.New("the name of the folder is empty")
		}
	default:
		return args{}, fmt.Errorf("unexpected argument %q; there is one folder, and it comes last", fs.Arg(1))
	}
	if a.demo && a.path != "" {
		return args{}, errors.New("-demo and a folder exclude each other")
	}
	if !a.scan.From.IsZero() && !a.scan.To.IsZero() && !a.scan.From.Before(a.scan.To) {
		return args{}, errors.New("-from is after -to")
	}
	return a, nil
}

func list(to *[]string) func(string) error {
	return func(s string) error {
		for name := range strings.SplitSeq(s, ",") {
			if name = strings.TrimSpace(name); name == "" {
				return errors.New("want names separated by commas")
			}
			*to = append(*to, name)
		}
		return nil
	}
}

func day(s string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, errors.New("want a day such as 2026-03-01")
	}
	return t, nil
}
