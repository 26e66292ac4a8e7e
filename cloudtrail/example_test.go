package cloudtrail_test

import (
	"context"
	"fmt"
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
