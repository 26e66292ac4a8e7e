package main

import (
	"errors"
	"flag"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestFlagsThatMakeSense(t *testing.T) {
	window := func(d time.Duration) usage.Policy { return usage.Policy{Window: d} }
	for line, want := range map[string]args{
		"":                                      {demo: true, policy: window(90 * day)},
		"-all -window 30d":                      {demo: true, all: true, policy: window(30 * day)},
		"-json -quota 5":                        {demo: true, json: true, quota: 5, policy: window(90 * day)},
		"-window 2160h":                         {demo: true, policy: window(90 * day)},
		"-window 1d":                            {demo: true, policy: window(day)},
		"-window 36525d":                        {demo: true, policy: window(36525 * day)},
		"--profile=audit":                       {profile: "audit", policy: window(90 * day)},
		"-regions us-east-1":                    {regions: []string{"us-east-1"}, policy: window(90 * day)},
		"-regions us-gov-west-1,cn-northwest-1": {regions: []string{"us-gov-west-1", "cn-northwest-1"}, policy: window(90 * day)},
		"-regions us-east-1 -regions eu-west-1": {regions: []string{"us-east-1", "eu-west-1"}, policy: window(90 * day)},
		"-endpoint http://127.0.0.1:8080":       {endpoint: "http://127.0.0.1:8080", policy: window(90 * day)},
	} {
		got, err := parseArgs(strings.Fields(line))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", line, got, err, want)
		}
	}
}

func TestFlagsThatMakeNoneSayWhatIsWrong(t *testing.T) {
	for line, says := range map[string]string{
		"-x":                                     "-x",
		"-window":                                "-window",
		"-window=":                               "days such as 90d",
		"-window 90":                             "days such as 90d",
		"-window 0d":                             "at least a day",
		"-window -5d":                            "at least a day",
		"-window 23h59m":                         "at least a day",
		"-window 36526d":                         "at most 100 years",
		"-window 106752d":                        "at most 100 years", // more than a time.Duration holds
		"-window 999999999999999999999999d":      "at most 100 years",
		"-window 1.5d":                           "days such as 90d",
		"-quota 0":                               "-quota",
		"-quota -1":                              "-quota",
		"-quota NaN":                             "-quota",
		"-quota Inf":                             "-quota",
		"-quota many":                            "requests per second",
		"-quota 0.0001":                          "at least 0.001",
		"-quota 1000001":                         "at most 1000000",
		"-quota 5 -quota 9":                      "-quota: given twice",
		"-window 30d -window 30d":                "-window: given twice",
		"-profile a -profile b":                  "-profile: given twice",
		"-endpoint http://a -endpoint http://b":  "-endpoint: given twice",
		"-regions us-east-1 -regions us-east-1":  "us-east-1 is named twice",
		"-endpoint http://u:secret@127.0.0.1/":   "has a user name or password",
		"-endpoint http://u:sec%ret@127.0.0.1/":  "has a user name or password",
		"-regions us-east":                       `"us-east"`,
		"-regions US-EAST-1":                     `"US-EAST-1"`,
		"-regions all":                           `"all"`,
		"-regions us-east-1,":                    "a name is missing",
		"-regions us-east-1,eu-west-1,us-east-1": "us-east-1 is named twice",
		"-regions us-east-1 eu-west-1":           `unexpected argument "eu-west-1"`,
		"-regions=":                              "a name is missing",
		"-profile=":                              "want the name of a profile",
		"-endpoint=":                             "-endpoint",
		"-endpoint localhost:8080":               "http://127.0.0.1:8080",
		"-endpoint ftp://x":                      `"ftp://x"`,
		"-all -json":                             "exclude each other",
		"inventory":                              `unexpected argument "inventory"`,
	} {
		_, err := parseArgs(strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v; want one that says %q", line, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error repeats the password: %v", line, err)
		}
	}
	if _, err := parseArgs([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// What passes the flags must not fail in the library, after AWS was asked.
func TestTheBoundsOfTheQuotaAreTheLibrarys(t *testing.T) {
	for line, good := range map[string]bool{"0.001": true, "1000000": true, "0.000999": false, "1000001": false} {
		_, err := parseQuota(line)
		q, _ := strconv.ParseFloat(line, 64)
		_, lib := usage.Collect(usage.Inspect(t.Context(), kmsfake.New().Client("111122223333", "us-east-1"), func(o *usage.InspectOptions) { o.Quotas = usage.Quotas{lastUsage: q} }))
		if (err == nil) != good || (lib == nil) != good {
			t.Errorf("-quota %s: %v; the library: %v", line, err, lib)
		}
	}
}

func TestTheHelpHasEveryFlagAndFits(t *testing.T) {
	for _, name := range []string{"profile", "regions", "endpoint", "window", "quota", "events", "all", "json", "h"} {
		if !regexp.MustCompile(`(?m)^  -` + name + `\b`).MatchString(help) {
			t.Errorf("-%s is not explained", name)
		}
	}
	mustFit(t, help, tableWidth)
}
