package cloudtrail_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

func TestPartitionsThatHoldNothingAskedForAreNotRead(t *testing.T) {
	ask := func(o *cloudtrail.QueryOptions) {
		o.From, o.To = at("2026-03-01T10:00:00Z"), at("2026-03-31T23:00:00.5Z")
		o.Accounts, o.Regions = []string{"444455556666", "111122223333", "444455556666"}, []string{"us-west-2"}
	}
	times := []string{`'2026-03-01T10:00:00Z'`, `'2026-03-31T23:00:01Z'`}
	for name, tt := range map[string]struct {
		table cloudtrail.AthenaTable
		want  []string
	}{
		"a column of days": {
			cloudtrail.AthenaTable{Name: "t"},
			[]string{`FROM "t"`, `, recipientaccountid, '') IN ('', '111122223333', '444455556666')`, `, awsregion, '') IN ('', 'us-west-2')`, `"timestamp" >= '2026/03/01'`, `"timestamp" <= '2026/04/01'`},
		},
		"columns of accounts and Regions too": {
			cloudtrail.AthenaTable{Database: "d", Name: "t", Day: "day", Account: "account", Region: "region"},
			[]string{`FROM "d"."t"`, `"account" IN ('111122223333', '444455556666')`, `"region" IN ('us-west-2')`, `"day" >= '2026/03/01'`},
		},
		"columns of years, months and days": {
			cloudtrail.AthenaTable{Name: "t", Region: "region", Year: "year", Month: "month", Day: "day"},
			[]string{`"year" >= '2026'`, `"year" <= '2026'`, `"year" || "month" || "day" >= '20260301'`, `"year" || "month" || "day" <= '20260401'`, `"region" IN ('us-west-2')`},
		},
		"none": {cloudtrail.AthenaTable{Name: "t", Unpartitioned: true}, []string{`, recipientaccountid, '') IN ('', '1`}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := tt.table.Statements(ask)
			if err != nil {
				t.Fatal(err)
			}
			for _, statement := range []string{s.Use, s.Attempts, s.Coverage} {
				for _, want := range append(tt.want, times...) {
					if !strings.Contains(statement, want) {
						t.Errorf("it lacks %s:\n%s", want, statement)
					}
				}
			}
		})
	}
	s, err := cloudtrail.LakeStore{ID: lakeID}.Statements(ask)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{s.Use, s.Attempts, s.Coverage} {
		for _, want := range append(times, "FROM "+lakeID+"\n", "eventtime >= TIMESTAMP '2026-03-01 10:00:00'", "eventtime <= TIMESTAMP '2026-03-31 23:00:00'", "coalesce(awsregion, '') IN ('', 'us-west-2')") {
			if !strings.Contains(statement, want) {
				t.Errorf("it lacks %s:\n%s", want, statement)
			}
		}
	}
}

func TestEveryStatementReadsTheArchiveOnce(t *testing.T) {
	a, err := someTable.Statements()
	if err != nil {
		t.Fatal(err)
	}
	l, err := cloudtrail.LakeStore{ID: lakeID}.Statements()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{a.Use, a.Attempts, a.Coverage} {
		if strings.Count(s, `"logs"."trail"`) != 1 || !strings.HasPrefix(s, "SELECT ") || strings.Contains(s, ";") {
			t.Errorf("%s", s)
		}
	}
	for _, s := range []string{l.Use, l.Attempts, l.Coverage} {
		if strings.Count(s, lakeID) != 1 || !strings.HasPrefix(s, "SELECT ") || strings.Contains(s, ";") {
			t.Errorf("%s", s)
		}
	}
}

func TestTheSameQuestionIsTheSameStatement(t *testing.T) {
	now := func(o *cloudtrail.QueryOptions) { o.Now = func() time.Time { return at("2026-04-01T00:00:00Z") } }
	one, _ := someTable.Statements(now, func(o *cloudtrail.QueryOptions) { o.Keys = []string{keyARN, otherARN, keyARN} })
	two, _ := someTable.Statements(now, func(o *cloudtrail.QueryOptions) { o.Keys = []string{otherARN, keyARN} })
	if one != two || one.Use == "" {
		t.Errorf("%s\n\nis not\n\n%s", one, two)
	}
}

func TestWhatCannotBeMeantIsRefusedBeforeAnythingRuns(t *testing.T) {
	many := make([]string, 10000)
	for i := range many {
		many[i] = fmt.Sprintf("arn:aws:kms:us-west-2:111122223333:key/%d", i)
	}
	long := make([]string, 120)
	copy(long, many)
	athena := func(table cloudtrail.AthenaTable, f func(*cloudtrail.QueryOptions)) error {
		h, err := table.Ask(t.Context(), goodAnswers(), f)
		if h != nil {
			t.Errorf("a history beside %v", err)
		}
		return err
	}
	lake := func(id string, f func(*cloudtrail.QueryOptions)) error {
		h, err := cloudtrail.LakeStore{ID: id}.Ask(t.Context(), goodAnswers(), f)
		if h != nil {
			t.Errorf("a history beside %v", err)
		}
		return err
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a table without name":             {athena(cloudtrail.AthenaTable{}, nil), `table ""`},
		"a table whose name ends early":    {athena(cloudtrail.AthenaTable{Name: `t" WHERE 1 = 1 --`}, nil), "want letters"},
		"a database with a dot":            {athena(cloudtrail.AthenaTable{Name: "t", Database: "a.b"}, nil), `database "a.b"`},
		"a partition with a space":         {athena(cloudtrail.AthenaTable{Name: "t", Account: "a b"}, nil), `column "a b"`},
		"a year without a month":           {athena(cloudtrail.AthenaTable{Name: "t", Year: "year", Day: "day"}, nil), "want all three"},
		"partitions without partitions":    {athena(cloudtrail.AthenaTable{Name: "t", Unpartitioned: true, Region: "region"}, nil), "without partitions"},
		"an event data store by its ARN":   {lake("arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/"+lakeID, nil), "event data store"},
		"an event data store with a quote": {lake("1234abcd-12ab-34cd-56ef-1234567890a'", nil), "event data store"},
		"an alias for a key":               {athena(someTable, func(o *cloudtrail.QueryOptions) { o.Keys = []string{"alias/x"} }), `key "alias/x"`},
		"a key that is a condition":        {athena(someTable, func(o *cloudtrail.QueryOptions) { o.Keys = []string{keyARN + "') OR ('1' = '1"} }), "want the ARN of a key"},
		"an account that is a condition":   {athena(someTable, func(o *cloudtrail.QueryOptions) { o.Accounts = []string{"1') OR 1=1 --"} }), "want twelve digits"},
		"a Region that is a condition":     {athena(someTable, func(o *cloudtrail.QueryOptions) { o.Regions = []string{"us-east') OR '-1' <> ('1"} }), "Region"},
		"a time before the time before": {athena(someTable, func(o *cloudtrail.QueryOptions) {
			o.From, o.To = at("2026-03-02T00:00:00Z"), at("2026-03-01T00:00:00Z")
		}), "is not before"},
		"a time of the year 10000":          {athena(someTable, func(o *cloudtrail.QueryOptions) { o.To = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }), "want one from 1970"},
		"more refusals than can be":         {athena(someTable, func(o *cloudtrail.QueryOptions) { o.Refusals = 1001 }), "Refusals is 1001"},
		"fewer keys than none":              {athena(someTable, func(o *cloudtrail.QueryOptions) { o.MaxKeys = -1 }), "MaxKeys is -1"},
		"a pause below zero":                {athena(someTable, func(o *cloudtrail.QueryOptions) { o.PollEvery = -1 }), "PollEvery"},
		"too many keys for Athena":          {athena(someTable, func(o *cloudtrail.QueryOptions) { o.Keys = many }), "Athena takes 262144: ask for fewer keys"},
		"too many keys for CloudTrail Lake": {lake(lakeID, func(o *cloudtrail.QueryOptions) { o.Keys = long }), "CloudTrail Lake takes 10000: ask for fewer keys"},
		"nobody to ask":                     {func() error { _, err := someTable.Ask(t.Context(), nil); return err }(), "nil"},
		"a folder for a table that is a SQL": {func() error {
			_, err := someTable.Create(cloudtrail.AthenaLocation{Folder: "s3://b/x' --"})
			return err
		}(), "folder"},
	} {
		if !errors.Is(tt.err, usage.ErrInvalidOption) || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, tt.err, tt.want)
		}
	}
}

func TestManyKeysFitIntoAStatement(t *testing.T) {
	keys := func(n int) func(*cloudtrail.QueryOptions) {
		return func(o *cloudtrail.QueryOptions) {
			o.From, o.To = at("2026-03-01T10:00:00Z"), at("2026-03-31T23:00:00Z")
			for i := range n {
				o.Keys = append(o.Keys, fmt.Sprintf("arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-%012d", i))
			}
		}
	}
	if _, err := someTable.Statements(keys(2500)); err != nil {
		t.Error(err)
	}
	if _, err := (cloudtrail.LakeStore{ID: lakeID}).Statements(keys(25)); err != nil {
		t.Error(err)
	}
}

func TestTheTableIsMadeAsAWSDescribesIt(t *testing.T) {
	one := cloudtrail.AthenaLocation{Folder: "s3://amzn-s3-demo-bucket/logs/AWSLogs/", Accounts: []string{"111122223333"}, Regions: []string{"us-west-2"}, Since: at("2025-01-01T00:00:00Z")}
	text, err := someTable.Create(one)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"CREATE EXTERNAL TABLE `logs`.`trail` (", "  `timestamp` STRING\n", "'projection.timestamp.format' = 'yyyy/MM/dd'", "'projection.timestamp.range' = '2025/01/01,NOW'",
		"LOCATION 's3://amzn-s3-demo-bucket/logs/AWSLogs/111122223333/CloudTrail/us-west-2/'",
		"'storage.location.template' = 's3://amzn-s3-demo-bucket/logs/AWSLogs/111122223333/CloudTrail/us-west-2/${timestamp}'",
		"com.amazon.emr.cloudtrail.CloudTrailInputFormat",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %s:\n%s", want, text)
		}
	}
	organization := cloudtrail.AthenaTable{Name: "t", Account: "account", Region: "region", Day: "day"}
	all := cloudtrail.AthenaLocation{Folder: "s3://amzn-s3-demo-bucket/AWSLogs/o-abcde12345", Accounts: []string{"444455556666", "111122223333"}, Regions: []string{"us-west-2", "eu-west-1"}}
	if text, err = organization.Create(all); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  `account` STRING,\n  `region` STRING,\n  `day` STRING\n", "'projection.account.values' = '111122223333,444455556666'", "'projection.region.type' = 'enum'",
		"LOCATION 's3://amzn-s3-demo-bucket/AWSLogs/o-abcde12345/'",
		"'storage.location.template' = 's3://amzn-s3-demo-bucket/AWSLogs/o-abcde12345/${account}/CloudTrail/${region}/${day}'",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %s:\n%s", want, text)
		}
	}
	for name, f := range map[string]func() (string, error){
		"two accounts in a table of one": func() (string, error) { l := one; l.Accounts = all.Accounts; return someTable.Create(l) },
		"no account":                     func() (string, error) { l := all; l.Accounts = nil; return organization.Create(l) },
		"years": func() (string, error) {
			return cloudtrail.AthenaTable{Name: "t", Year: "y", Month: "m", Day: "d"}.Create(one)
		},
		"a Region that is none": func() (string, error) { l := one; l.Regions = []string{"us'west-2"}; return someTable.Create(l) },
	} {
		if text, err := f(); !errors.Is(err, usage.ErrInvalidOption) || text != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
