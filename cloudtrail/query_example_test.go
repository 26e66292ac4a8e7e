package cloudtrail_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kmsusage/usage/cloudtrail"
)

// The querier of this example has its answers at hand; examples/athena makes one
// of Athena's client.
func ExampleAthenaTable_Ask() {
	var querier cloudtrail.Querier = goodAnswers()

	table := cloudtrail.AthenaTable{Database: "logs", Name: "cloudtrail_logs"}
	history, err := table.Ask(context.Background(), querier, func(o *cloudtrail.QueryOptions) {
		o.From = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
		o.Regions = []string{"us-west-2"}
	})
	if history == nil {
		fmt.Println(err)
		return
	}
	for arn, r := range history.Keys() {
		fmt.Println(arn)
		fmt.Println("first", r.First.At.Format(time.DateTime), "last", r.Last.At.Format(time.DateTime), r.Last.Operation, "by", r.Last.Role)
		fmt.Println("off since", r.Off.At.Format(time.DateTime), "refusals", len(r.Refusals)+r.Dropped.Refusals)
	}
	for _, c := range history.Coverage() {
		fmt.Println(c.Account, c.Region, "seen from", c.From.Format(time.DateTime), "to", c.To.Format(time.DateTime), c.BlindSpots)
	}
	// The error says which statement failed; what the others answered is there.
	fmt.Println(err, history.Gaps())
	// Output:
	// arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
	// first 2026-03-01 12:00:00 last 2026-03-02 12:00:00 Decrypt by arn:aws:iam::111122223333:role/r
	// off since 2026-03-02 13:00:00 refusals 1
	// 111122223333 us-west-2 seen from 2026-03-01 00:05:00 to 2026-03-03 23:40:00 [Athena does not tell which log files its table leaves out]
	// <nil> []
}

func ExampleLakeStore_Statements() {
	store := cloudtrail.LakeStore{ID: "1234abcd-12ab-34cd-56ef-1234567890ab"}
	statements, err := store.Statements(func(o *cloudtrail.QueryOptions) { o.FirstAndLastOnly = true })
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(statements.Use) {
		if strings.Contains(line, "FROM "+store.ID) {
			fmt.Print(strings.TrimSpace(line))
		}
	}
	// Output:
	// FROM 1234abcd-12ab-34cd-56ef-1234567890ab
}
