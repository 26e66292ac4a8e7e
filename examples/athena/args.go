package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kmsusage/usage/cloudtrail"
)

const help = `Athena asks an archive of CloudTrail log files, where it lies, which KMS keys were used first and
last, when and by whom, and who was refused since they were off.

  athena [-database NAME] [-table NAME] [-from DAY] [-to DAY] [-keys ARN,…] [-accounts A,B]
         [-regions A,B] [-complete] [-run [-workgroup NAME] [-output s3://…]]
  athena -create s3://… -accounts A -regions A

Without -run it prints the statements, which needs no account and costs nothing.

  -run             run the statements; each reads the archive once, which Athena charges for
  -workgroup NAME  Athena's work group; default: primary
  -output s3://…   where Athena writes results; default: where the work group says
  -database NAME   database of the table; default: default
  -table NAME      name of the table; default: cloudtrail_logs
  -day NAME        the table's partition by day, such as 2026/03/01; default: timestamp
  -account-column NAME, -region-column NAME
                   the table's partitions by account and by Region; default: it has none
  -from DAY        first day, UTC, such as 2025-01-01; default: all
  -to DAY          first day, UTC, not asked for; default: all
  -keys ARN,…      only these keys
  -accounts A,B    only these accounts
  -regions A,B     only these Regions
  -complete        you vouch for it that the table leaves no log file out
  -create s3://…   print the statement that makes the table over the log files in this folder, such as
                   s3://bucket/AWSLogs, of the account and the Region given, or, with a partition by
                   them, of several; -from is the first day
  -h               this help

-run finds credentials and Region as the AWS CLI finds them. It needs athena:StartQueryExecution,
GetQueryExecution, GetQueryResults and StopQueryExecution, and what it takes to read the table (AWS
Glue) and the log files (S3) and to write results (S3). ctrl-C stops the queries.

Exit codes:
  0  the statements were printed, or answered to their end
  1  one was not answered, or not to its end; what was answered is printed first
  2  the flags do not make sense
`

// args are the command line, checked.
type args struct {
	table             cloudtrail.AthenaTable
	query             cloudtrail.QueryOptions
	folder            string // with which to make the table; empty: ask it
	run               bool
	workGroup, output string // empty: Athena's default
}

var (
	aName    = regexp.MustCompile(`^[0-9A-Za-z_-]{1,255}$`)
	aFolder  = regexp.MustCompile(`^s3://[^/]+(/.*)?$`)
	aKey     = regexp.MustCompile(`^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9A-Za-z-]+$`)
	aAccount = regexp.MustCompile(`^[0-9]{12}$`)
	aRegion  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
)

// forQueries are the flags that say nothing to the statement of -create.
var forQueries = []string{"run", "workgroup", "output", "to", "keys", "complete"}

// parseArgs checks all that can be checked without asking anybody.
func parseArgs(argv []string) (args, error) {
	a := args{table: cloudtrail.AthenaTable{Database: "default", Name: "cloudtrail_logs"}}
	fs := flag.NewFlagSet("athena", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	// What is given twice must not be dropped without a word.
	once := func(name string, set func(string) error) {
		given := false
		fs.Func(name, "", func(s string) error {
			if given {
				return errors.New("given twice")
			}
			given = true
			return set(s)
		})
	}
	text := func(name string, into *string, like *regexp.Regexp, want string) {
		once(name, func(s string) error {
			if *into = s; !like.MatchString(s) {
				return errors.New("want " + want)
			}
			return nil
		})
	}
	list := func(name string, into *[]string, like *regexp.Regexp, want string) {
		fs.Func(name, "", func(s string) error {
			for one := range strings.SplitSeq(s, ",") {
				if one = strings.TrimSpace(one); !like.MatchString(one) {
					return fmt.Errorf("want %s, separated by commas", want)
				}
				*into = append(*into, one)
			}
			return nil
		})
	}
	const name = "letters, digits, _ and -"
	text("database", &a.table.Database, aName, name)
	text("table", &a.table.Name, aName, name)
	text("day", &a.table.Day, aName, "the name of a column: "+name)
	text("account-column", &a.table.Account, aName, "the name of a column: "+name)
	text("region-column", &a.table.Region, aName, "the name of a column: "+name)
	text("workgroup", &a.workGroup, regexp.MustCompile(`.`), "the name of a work group")
	text("output", &a.output, aFolder, "a folder such as s3://bucket/results/")
	text("create", &a.folder, aFolder, "a folder such as s3://bucket/AWSLogs")
	once("from", func(s string) (err error) { a.query.From, err = day(s); return err })
	once("to", func(s string) (err error) { a.query.To, err = day(s); return err })
	list("keys", &a.query.Keys, aKey, "ARNs of keys")
	list("accounts", &a.query.Accounts, aAccount, "accounts of twelve digits")
	list("regions", &a.query.Regions, aRegion, "names such as us-east-1")
	truth := func(name string, into *bool) {
		fs.BoolFunc(name, "", func(s string) (err error) {
			if *into, err = strconv.ParseBool(s); err != nil {
				return errors.New("want true or false, or no value")
			}
			return nil
		})
	}
	truth("run", &a.run)
	truth("complete", &a.query.Complete)
	if err := fs.Parse(argv); err != nil {
		return args{}, err
	}
	if fs.NArg() > 0 {
		return args{}, fmt.Errorf("unexpected argument %q; lists are given with commas, without spaces", fs.Arg(0))
	}
	if from, to := a.query.From, a.query.To; !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return args{}, errors.New("-from is not before -to, which is the first day not asked for")
	}
	if a.folder == "" {
		return a, nil
	}
	return a, a.checkCreate(fs)
}

// checkCreate checks what goes with -create.
func (a args) checkCreate(fs *flag.FlagSet) (err error) {
	fs.Visit(func(f *flag.Flag) {
		if err == nil && slices.Contains(forQueries, f.Name) {
			err = fmt.Errorf("-create and -%s exclude each other", f.Name)
		}
	})
	for _, p := range []struct {
		list, column string
		values       []string
		given        bool
	}{
		{"accounts", "account-column", a.query.Accounts, a.table.Account != ""},
		{"regions", "region-column", a.query.Regions, a.table.Region != ""},
	} {
		switch n := len(p.values); {
		case err != nil:
		case n == 0:
			err = fmt.Errorf("-create needs -%s", p.list)
		case n > 1 && !p.given:
			err = fmt.Errorf("-create with several -%s needs -%s", p.list, p.column)
		}
	}
	return err
}

func day(s string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1970 || t.Year() > 9998 { // as the library has it
		return t, errors.New("want a day such as 2025-01-01")
	}
	return t, nil
}
