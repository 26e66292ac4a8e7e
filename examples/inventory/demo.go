package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// The invented company. Its clock stands still, so that it looks the same every
// day: nearly seven months after KMS began to track.
var (
	demoNow      = time.Date(2026, time.November, 16, 9, 0, 0, 0, time.UTC)
	demoAccounts = []string{"111122223333", "444455556666"}
	demoRegions  = []string{"us-east-1", "eu-west-1", "ap-south-1"}
)

const (
	demoKeys  = 420
	demoSeed  = 7
	demoQuota = 100.0 // GetKeyLastUsage requests per second

	lastUsage    = "GetKeyLastUsage"
	lookupEvents = "LookupEvents"
)

// openDemo makes the embedded fake. It stays in this process: no port is opened.
func openDemo(ctx context.Context, a args) (source, error) {
	quota := a.quota
	if quota == 0 {
		quota = demoQuota
	}
	clock := kmsfake.NewClock(demoNow)
	srv := kmsfake.New(func(o *kmsfake.Options) {
		o.Now = clock.Now
		o.Seed = demoSeed
		o.Quotas = kmsfake.DefaultQuotas()
		o.Quotas[lastUsage], o.Quotas[lookupEvents] = quota, quota
	})
	arns := kmsfake.Populate(srv, kmsfake.Company{Seed: demoSeed, Accounts: demoAccounts, Regions: demoRegions, Keys: demoKeys})
	srv.Deny(lockedOut(arns))

	var (
		targets []usage.Target
		trails  []usage.History
	)
	for _, account := range demoAccounts {
		for _, region := range demoRegions {
			t := usage.Target{Account: account, Region: region, Client: srv.Client(account, region)}
			if a.events {
				found, err := askCloudTrail(ctx, &t, srv.CloudTrail(account, region), account, func(o *cloudtrail.EventHistoryOptions) {
					o.Now, o.Quota = clock.Now, quota
				})
				if err != nil {
					return source{}, err
				}
				trails = append(trails, found)
			}
			targets = append(targets, t)
		}
	}
	return source{
		title:   demoTitle(quota),
		targets: targets,
		options: func(o *usage.InspectOptions) {
			o.Now, o.History = clock.Now, trails
			o.Quotas = usage.Quotas{lastUsage: quota}
		},
	}, nil
}

func demoTitle(quota float64) string {
	normal := usage.DefaultQuotas()[lastUsage]
	does := fmt.Sprintf("is raised from %g/s to %g/s", normal, quota)
	switch {
	case quota == normal:
		does = fmt.Sprintf("is AWS's own, %g/s", normal)
	case quota < normal:
		does = fmt.Sprintf("is lowered from %g/s to %g/s", normal, quota)
	}
	return "Embedded fake of AWS KMS, no real account; its GetKeyLastUsage quota " + does + "."
}

// lockedOut denies everything about a few keys, as a key policy does that does
// not delegate to the account's IAM policies.
func lockedOut(arns []string) func(kmsfake.Call) bool {
	out := map[string]bool{}
	for i, arn := range arns {
		if i%120 == 60 && !strings.Contains(arn, "mrk-") {
			out[arn] = true
		}
	}
	return func(c kmsfake.Call) bool { return out[c.KeyARN] }
}
