package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kmsusage/usage"
)

const help = `Inventory prints which KMS keys are unused, and what holds the others.
It only reads, and changes nothing.

  inventory [-window 90d] [-all | -json] [-events] [-profile NAME] [-regions A,B]
            [-endpoint URL] [-quota N]

Without -profile, -regions and -endpoint it reads an embedded fake of KMS, whatever the environment
says. With any of them it reads AWS: credentials and Region are found as the AWS CLI finds them.

  -profile NAME    the profile of your AWS configuration to read with
  -regions A,B     the Regions to read, separated by commas or in several -regions; default: the
                   profile's Region
  -endpoint URL    ask KMS there: an emulator, a VPC endpoint, kmsfake over HTTP
  -window D        how long a key may be silent and still count as in use: days such as 90d or
                   hours such as 2160h, of which whole days count; default: 90d
  -quota N         GetKeyLastUsage requests per second and Region, if AWS raised yours; default: 5
                   (for the fake: the quota that it keeps; default: 100)
  -events          also ask CloudTrail's event history who made the last use and whether anyone was
                   refused since a key is off, and which keys its trails encrypt with; at 2 requests
                   a second it takes longer than KMS does
  -all             every key; by default the first few of each kind are shown
  -json            one object a line for every key, as it is read: arn, class, retirable, holds,
                   finding, verdict
  -h               this help

The role needs kms:ListKeys and kms:GetKeyLastUsage. Without kms:DescribeKey, kms:ListGrants and
kms:GetKeyPolicy no key is found retirable; kms:ListAliases gives the names, kms:ListResourceTags
and kms:ListKeyRotations are for -json. -events needs cloudtrail:LookupEvents, DescribeTrails,
GetEventSelectors and GetTrailStatus. At 5 requests a second 300 keys take a minute. ctrl-C prints
what has been read by then.

Exit codes:
  0  every key that is there was read; what was denied of single keys is said under "Not seen"
  1  an account or Region could not be read, or not to its end; what could be is printed first
  2  the flags or the configuration do not make sense
`

// args are the command line, checked.
type args struct {
	demo      bool // none of profile, regions and endpoint was given
	profile   string
	regions   []string
	endpoint  string
	policy    usage.Policy
	quota     float64 // zero: the default
	all, json bool
	events    bool // ask CloudTrail too
}

// parseArgs checks all that can be checked without asking anybody.
func parseArgs(argv []string) (args, error) {
	a := args{demo: true, policy: usage.Policy{Window: 90 * day}}
	fs := flag.NewFlagSet("inventory", flag.ContinueOnError)
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
	once("profile", func(s string) error {
		if a.demo, a.profile = false, s; s == "" {
			return errors.New("want the name of a profile, perhaps default")
		}
		return nil
	})
	// Checked below: an error here would repeat what is given, perhaps a password.
	once("endpoint", func(s string) error { a.demo, a.endpoint = false, s; return nil })
	fs.BoolVar(&a.all, "all", false, "")
	fs.BoolVar(&a.json, "json", false, "")
	fs.BoolVar(&a.events, "events", false, "")
	fs.Func("regions", "", func(s string) (err error) { a.demo = false; a.regions, err = addRegions(a.regions, s); return err })
	once("window", func(s string) (err error) { a.policy.Window, err = parseWindow(s); return err })
	once("quota", func(s string) (err error) { a.quota, err = parseQuota(s); return err })
	if err := fs.Parse(argv); err != nil {
		return args{}, err
	}
	if fs.NArg() > 0 {
		return args{}, fmt.Errorf("unexpected argument %q; Regions are given as -regions us-east-1,eu-west-1, without spaces", fs.Arg(0))
	}
	if a.all && a.json {
		return args{}, errors.New("-all and -json exclude each other: -json has every key")
	}
	var err error
	fs.Visit(func(f *flag.Flag) {
		if f.Name == "endpoint" {
			err = checkEndpoint(a.endpoint)
		}
	})
	return a, err
}

var regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)

func addRegions(regions []string, s string) ([]string, error) {
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name == "" {
			return nil, errors.New("a name is missing; want names such as us-east-1,eu-west-1, without spaces")
		}
		if !regionName.MatchString(name) {
			return nil, fmt.Errorf("%q is not the name of a Region; want names such as us-east-1, separated by commas", name)
		}
		if slices.Contains(regions, name) {
			return nil, fmt.Errorf("%s is named twice", name)
		}
		regions = append(regions, name)
	}
	return regions, nil
}

const day = 24 * time.Hour

// parseWindow reads days, which time.ParseDuration does not know, or hours.
func parseWindow(s string) (time.Duration, error) {
	want := errors.New("want days such as 90d, or hours such as 2160h; at least a day, at most 100 years")
	var d time.Duration
	if n, ok := strings.CutSuffix(s, "d"); ok {
		days, err := strconv.Atoi(n)
		if err != nil || days > math.MaxInt32/24 {
			return 0, want
		}
		d = time.Duration(days) * day
	} else {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			return 0, want
		}
	}
	if d == 0 || (usage.Policy{Window: d}).Validate() != nil {
		return 0, want
	}
	return d, nil
}

func parseQuota(s string) (float64, error) {
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || !(q >= 0.001 && q <= 1e6) { // as the library has it
		return 0, errors.New("want requests per second: at least 0.001 and at most 1000000")
	}
	return q, nil
}

func checkEndpoint(s string) error {
	u, err := url.Parse(s)
	if strings.Contains(s, "@") {
		return errors.New("-endpoint has a user name or password; requests are signed, so leave it out")
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("-endpoint %q is not an address; want one such as http://127.0.0.1:8080", s)
	}
	return nil
}
