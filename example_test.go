package usage_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// These examples read a KMS in memory at a fixed time. Against AWS the client is
// kms.NewFromConfig(cfg), and there is no clock to set.

func ExampleInspect() {
	ctx := context.Background()
	client := exampleClient("us-east-1")

	for f, err := range usage.Inspect(ctx, client, onDecemberFirst) {
		if err != nil {
			log.Print(err) // not all keys were read; those that were have come
			continue
		}
		fmt.Println(f.Aliases, usage.Classify(f, usage.Policy{}).Class)
	}
	// Unordered output:
	// [alias/orders] Active
	// [alias/archive] Idle
	// [alias/drafts] Unused
	// [alias/legacy] Unrecorded
}

func ExampleInspectFleet() {
	ctx := context.Background()
	var targets []usage.Target
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		targets = append(targets, usage.Target{Account: "111122223333", Region: region, Client: exampleClient(region)})
	}

	keys := map[string]int{}
	for f, err := range usage.InspectFleet(ctx, targets, onDecemberFirst) {
		if err != nil {
			log.Print(err) // one target; the others go on
			continue
		}
		keys[f.Region()]++
	}
	fmt.Println(keys)
	// Output:
	// map[eu-west-1:4 us-east-1:4]
}

func ExampleCollect() {
	ctx := context.Background()
	client := exampleClient("us-east-1")

	findings, err := usage.Collect(usage.Inspect(ctx, client, onDecemberFirst))
	for _, f := range findings {
		fmt.Println(f.KeyID(), f.Aliases)
	}
	if err != nil { // last: the findings are good, whatever is missing
		fmt.Println("incomplete:", err)
	}
	// Output:
	// 00000000-0000-0000-0000-000000000001 [alias/orders]
	// 00000000-0000-0000-0000-000000000002 [alias/archive]
	// 00000000-0000-0000-0000-000000000003 [alias/drafts]
	// 00000000-0000-0000-0000-000000000004 [alias/legacy]
}

func ExampleAssess() {
	ctx := context.Background()
	client := exampleClient("us-east-1")

	findings, err := usage.Collect(usage.Inspect(ctx, client, onDecemberFirst))
	for _, a := range usage.Assess(findings, usage.Policy{Window: 180 * 24 * time.Hour}) {
		fmt.Println(a.Finding.Aliases, a.Verdict.Class)
		for _, h := range a.Holds {
			if h.Kind != usage.Advice {
				fmt.Println("   ", h)
			}
		}
	}
	if err != nil {
		fmt.Println("incomplete:", err)
	}
	// Output:
	// [alias/orders] Active
	//     block in-use: KMS recorded Decrypt at 2026-11-28T12:00Z
	// [alias/archive] Idle
	// [alias/drafts] Unused
	// [alias/legacy] Unrecorded
	//     clearable granted: 1 of 1 grants older than the window, for arn:aws:iam::111122223333:role/Restore
}

func ExampleAssessment_Retirable() {
	ctx := context.Background()
	client := exampleClient("us-east-1")

	findings, err := usage.Collect(usage.Inspect(ctx, client, onDecemberFirst))
	for _, a := range usage.Assess(findings, usage.Policy{}) {
		if a.Retirable() {
			fmt.Println(a.Finding.Aliases, "silent for", a.Verdict.TrailingDays, "days")
		}
	}
	if err != nil {
		fmt.Println("incomplete:", err)
	}
	// Output:
	// [alias/archive] silent for 213 days
	// [alias/drafts] silent for 182 days
}

func ExampleNewPacer() {
	ctx := context.Background()
	client := exampleClient("us-east-1")

	// AWS counts the calls of everyone in an account: what may overlap shares one.
	pacer := usage.NewPacer(usage.Quotas{"GetKeyLastUsage": 20}) // raised from 5 by Service Quotas
	shared := func(o *usage.InspectOptions) { o.Pacer = pacer }

	var wg sync.WaitGroup
	counts := make([]int, 2)
	for i := range counts {
		wg.Go(func() {
			findings, err := usage.Collect(usage.Inspect(ctx, client, onDecemberFirst, shared))
			counts[i] = len(findings)
			if err != nil {
				log.Print(err)
			}
		})
	}
	wg.Wait()
	fmt.Println(counts)
	// Output:
	// [4 4]
}

// decemberFirst is when the examples take place.
var decemberFirst = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func onDecemberFirst(o *usage.InspectOptions) {
	o.Now = func() time.Time { return decemberFirst }
}

// exampleClient is the client of an account with four keys in the Region.
func exampleClient(region string) *kms.Client {
	srv := kmsfake.New(func(o *kmsfake.Options) {
		o.Now = func() time.Time { return decemberFirst }
		o.Quotas = map[string]float64{"GetKeyLastUsage": 20}
	})
	date := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 12, 0, 0, 0, time.UTC)
	}
	restore := kmsfake.Grant{
		GranteePrincipal: "arn:aws:iam::111122223333:role/Restore",
		Operations:       []types.GrantOperation{types.GrantOperationDecrypt},
	}
	for i, k := range []kmsfake.Key{
		{Aliases: []string{"orders"}, Created: date(2024, time.March, 29), LastUsed: date(2026, time.November, 28)},
		{Aliases: []string{"archive"}, Created: date(2024, time.March, 29), LastUsed: date(2026, time.May, 1)},
		{Aliases: []string{"drafts"}, Created: date(2026, time.June, 1)},
		{Aliases: []string{"legacy"}, Created: date(2019, time.January, 7), Grants: []kmsfake.Grant{restore}},
	} {
		k.Account, k.Region = "111122223333", region
		k.ID = fmt.Sprintf("00000000-0000-0000-0000-%012d", i+1)
		srv.MustAddKey(k)
	}
	return srv.Client("111122223333", region)
}
