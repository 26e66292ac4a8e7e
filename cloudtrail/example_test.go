package cloudtrail_test

import (
	"context"
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/internal/archive"
)

func ExampleScan() {
	fsys, _ := archive.Spec{Keys: 4}.FS() // or os.DirFS("archive")

	logs, err := cloudtrail.Scan(context.Background(), fsys, func(o *cloudtrail.ScanOptions) {
		o.Regions = []string{"eu-west-1"}
		o.From = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	})
	if logs == nil {
		fmt.Println(err)
		return
	}
	for arn, r := range logs.Keys() {
		f := usage.Finding{ARN: arn}
		fmt.Println(f.Region(), f.KeyID()[:8], "last", r.Last.Operation, r.Last.At.Format(time.DateTime))
	}
	for _, c := range logs.Coverage() {
		fmt.Println(c.Account, c.Region, "seen from", c.From.Format(time.DateTime), "to", c.To.Format(time.DateTime), c.BlindSpots)
	}
	// The error says that the scan was cut short; gaps are what could not be read.
	fmt.Println(err, logs.Gaps())
	// Output:
	// eu-west-1 1d9c3a33 last Decrypt 2026-03-01 11:59:13
	// eu-west-1 ee50814d last Decrypt 2026-03-01 11:58:56
	// 111122223333 eu-west-1 seen from 2026-03-01 02:00:00 to 2026-03-01 11:45:00 []
	// <nil> []
}

// What a trail delivered of a key that was disabled, and of those who tried since.
func ExampleLogHistory_Key() {
	const (
		key   = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		about = `,"eventSource":"kms.amazonaws.com","resources":[{"ARN":"` + key + `"}]`
	)
	records := strings.Join([]string{
		`{"eventTime":"2026-03-01T09:00:00Z","eventName":"Decrypt","eventID":"1","userIdentity":{"arn":"arn:aws:iam::111122223333:user/Alice"}` + about + `}`,
		`{"eventTime":"2026-03-02T09:00:00Z","eventName":"DisableKey","eventID":"2"` + about + `}`,
		`{"eventTime":"2026-03-09T09:00:00Z","eventName":"CreateGrant","eventID":"3","errorCode":"DisabledException","errorMessage":"` + key + ` is disabled.",` +
			`"userIdentity":{"invokedBy":"ec2-frontend-api.amazonaws.com"},"requestParameters":{"constraints":{"encryptionContextSubset":{"aws:ebs:id":"vol-0123"}}}` + about + `}`,
	}, "\n")

	logs, err := cloudtrail.Scan(context.Background(), fstest.MapFS{"records.jsonl": {Data: []byte(records)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, _ := logs.Key(key)
	fmt.Println("last use", r.Last.At.Format(time.DateOnly), "by", r.Last.Principal)
	fmt.Println("off since", r.Off.At.Format(time.DateOnly))
	for _, e := range r.Refusals {
		fmt.Println("refused", e.At.Format(time.DateOnly), e.Operation, "for", e.Context["aws:ebs:id"], "on behalf of", e.InvokedBy)
	}
	fmt.Println("none seen means something in", logs.Coverage())
	// Output:
	// last use 2026-03-01 by arn:aws:iam::111122223333:user/Alice
	// off since 2026-03-02
	// refused 2026-03-09 CreateGrant for vol-0123 on behalf of ec2-frontend-api.amazonaws.com
	// none seen means something in []
}

// Log files are evidence like any other: here they settle that a key which is older
// than the tracking of use was used before.
func ExampleLogHistory_Look() {
	fsys, truth := archive.Spec{Keys: 2, Regions: []string{"eu-west-1"}}.FS()
	logs, err := cloudtrail.Scan(context.Background(), fsys)
	if err != nil {
		fmt.Println(err)
		return
	}
	for arn := range truth.Keys {
		// usage.Inspect asks by itself: o.History = []usage.History{logs}.
		f := usage.Finding{ARN: arn, LastUsage: &usage.LastUsage{
			Created:       time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC),
			TrackingStart: time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC),
			ReadAt:        time.Date(2026, time.November, 16, 0, 0, 0, 0, time.UTC),
		}}
		without := usage.Classify(f, usage.Policy{}).Class
		r, err := logs.Look(context.Background(), f)
		f.History = []usage.Record{r}
		fmt.Println(without, "becomes", usage.Classify(f, usage.Policy{}).Class, err)
	}
	// Output:
	// Unrecorded becomes Idle <nil>
	// Unrecorded becomes Idle <nil>
}
