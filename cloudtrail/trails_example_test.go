package cloudtrail_test

import (
	"context"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func ExampleReadTrails() {
	client := oneTrail(func(d *types.Trail) { d.KmsKeyId = aws.String(keyARN) }) // or NewFromConfig of the SDK's cloudtrail
	client.selectors[mainTrail] = basic(basicSel(types.ReadWriteTypeWriteOnly))

	trails, err := cloudtrail.ReadTrails(context.Background(), client, "111122223333", "us-west-2", func(o *cloudtrail.TrailOptions) {
		o.Now = func() time.Time { return now }
	})
	if trails == nil {
		fmt.Println(err)
		return
	}
	for _, s := range trails.BlindSpots() {
		fmt.Println(s)
	}
	record, _ := trails.Look(context.Background(), usage.Finding{ARN: keyARN})
	for _, d := range record.Dependents {
		fmt.Println(d.Text)
	}
	// The error says that the trails could not be listed; gaps are what else could not be read.
	fmt.Println(err, trails.Gaps)
	// Output:
	// trail main does not record uses of keys, calls of GetPublicKey
	// trail main encrypts its log files in s3://logs with it; it is logging
	// <nil> []
}

// A trail of one Region encrypts with a key of another, that of its bucket: the
// trails of all Regions are asked about the keys of all Regions.
func ExampleTrails() {
	const account = "111122223333"
	kms := kmsfake.New(func(o *kmsfake.Options) { o.Now = func() time.Time { return december } })
	key := kms.MustAddKey(kmsfake.Key{Account: account, Region: "us-west-2", Aliases: []string{"logs"}, Created: december.AddDate(-2, 0, 0)})
	regions := map[string]*trailsFake{"us-west-2": noTrail(), "eu-west-1": noTrail()} // or clients of the SDK's cloudtrail
	regions["eu-west-1"].add("arn:aws:cloudtrail:eu-west-1:111122223333:trail/european", func(d *types.Trail) { d.KmsKeyId = &key })

	ctx := context.Background()
	var histories []usage.History // and those of the organization's management account
	for region, client := range regions {
		trails, err := cloudtrail.ReadTrails(ctx, client, account, region, func(o *cloudtrail.TrailOptions) {
			o.Now = func() time.Time { return now } // for this example only
		})
		if trails == nil {
			fmt.Println(err)
			return
		}
		histories = append(histories, trails) // also those that could not be listed: a gap of every key
	}
	findings, err := usage.Collect(usage.Inspect(ctx, kms.Client(account, "us-west-2"), func(o *usage.InspectOptions) {
		o.Now = func() time.Time { return december } // for this example only
		o.History = histories
	}))
	for _, f := range findings {
		for _, r := range f.History {
			for _, d := range r.Dependents {
				fmt.Println(f.Aliases, d.Text)
			}
		}
	}
	if err != nil {
		fmt.Println("incomplete:", err)
	}
	// Output:
	// [alias/logs] trail european encrypts its log files in s3://logs with it; it is logging
}

func ExampleLogHistory_With() {
	client := oneTrail(func(*types.Trail) {}) // or NewFromConfig of the SDK's cloudtrail
	client.status[mainTrail].StartLoggingTime = aws.Time(at("2026-03-02T12:00:00Z"))
	clock := func(o *cloudtrail.TrailOptions) { o.Now = func() time.Time { return now } }
	trails, err := cloudtrail.ReadTrails(context.Background(), client, "111122223333", "us-west-2", clock)
	if err != nil {
		fmt.Println(err) // the trails are unknown then, and so is what they leave out
	}

	archive := fstest.MapFS{} // or os.DirFS("archive")
	for day := 1; day <= 3; day++ {
		archive[delivered(day, 1)] = file(packed(wrapped(use("1"))))
	}
	logs, err := cloudtrail.Scan(context.Background(), archive)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range logs.With("logs", "", trails).Coverage() {
		fmt.Println(c.From.Format(time.DateTime), "to", c.To.Format(time.DateTime), c.BlindSpots)
	}
	// Output:
	// 2026-03-01 01:00:00 to 2026-03-02 12:00:00 [trail main began to log at 2026-03-02T12:00:00Z: who delivered before is not known (as of 2026-11-16T09:00:00Z)]
	// 2026-03-02 12:00:00 to 2026-03-03 00:45:00 []
}
