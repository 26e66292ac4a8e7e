package cloudtrail_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// december is when the example takes place.
var december = time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)

// nightlyJob stands in for AWS: whatever event is asked for, the job made it.
// Against AWS it is trail.NewFromConfig(cfg).
type nightlyJob struct{ key string }

func (n nightlyJob) LookupEvents(_ context.Context, in *trail.LookupEventsInput, _ ...func(*trail.Options)) (*trail.LookupEventsOutput, error) {
	id := aws.ToString(in.LookupAttributes[0].AttributeValue)
	record := fmt.Sprintf(`{"eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventTime":"2026-11-28T12:00:00Z","eventID":%q,
		"userIdentity":{"arn":"arn:aws:sts::111122223333:assumed-role/nightly/job-7","invokedBy":"s3.amazonaws.com"},
		"requestParameters":{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::orders"}},"resources":[{"ARN":%q}]}`, id, n.key)
	return &trail.LookupEventsOutput{Events: []trailtypes.Event{{EventId: &id, CloudTrailEvent: &record}}}, nil
}

func ExampleNewEventHistory() {
	ctx := context.Background()
	now := func() time.Time { return december }

	kms := kmsfake.New(func(o *kmsfake.Options) { o.Now = now })
	key := kms.MustAddKey(kmsfake.Key{
		Account: "111122223333", Region: "us-east-1", Aliases: []string{"orders"},
		Created: december.AddDate(-2, 0, 0), LastUsed: december.AddDate(0, 0, -3),
	})

	history, err := cloudtrail.NewEventHistory(nightlyJob{key}, "111122223333", "us-east-1", func(o *cloudtrail.EventHistoryOptions) {
		o.Now = now // for this example only
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	findings, err := usage.Collect(usage.Inspect(ctx, kms.Client("111122223333", "us-east-1"), func(o *usage.InspectOptions) {
		o.Now = now
		o.History = []usage.History{history}
	}))
	for _, f := range findings {
		for _, r := range f.History {
			if r.Last != nil {
				fmt.Println(f.Aliases, r.Last.Operation, "by", r.Last.Principal, "for", r.Last.InvokedBy, r.Last.Context)
			}
		}
	}
	fmt.Println(history.Estimate(findings))
	if err != nil {
		fmt.Println("incomplete:", err)
	}
	// Output:
	// [alias/orders] Decrypt by arn:aws:sts::111122223333:assumed-role/nightly/job-7 for s3.amazonaws.com map[aws:s3:arn:arn:aws:s3:::orders]
	// 1 keys: 1 calls, 1s; at most 6 calls, 3s
}

func ExampleEventHistory_Control() {
	// Somebody disabled a throwaway key and tried to use it, an hour ago. Here
	// CloudTrail shows that call; key and request ID are those of the call.
	key := "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	history, err := cloudtrail.NewEventHistory(refusals{key}, "111122223333", "us-east-1", func(o *cloudtrail.EventHistoryOptions) {
		o.Now = func() time.Time { return december }
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := history.Control(context.Background(), cloudtrail.Control{
		KeyARN: key, At: december.Add(-time.Hour), RequestID: "5ee1b1a3-4f2b-4c0e-8f6e-2b1c7d9a0e11",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.State, result.Event.Operation, result.Event.ErrorCode)
	// Output:
	// found Encrypt DisabledException
}

// refusals shows one refused call.
type refusals struct{ key string }

func (r refusals) LookupEvents(context.Context, *trail.LookupEventsInput, ...func(*trail.Options)) (*trail.LookupEventsOutput, error) {
	record := fmt.Sprintf(`{"eventSource":"kms.amazonaws.com","eventName":"Encrypt","eventTime":"2026-12-01T11:00:00Z","errorCode":"DisabledException",
		"errorMessage":"%[1]s is disabled.","requestID":"5ee1b1a3-4f2b-4c0e-8f6e-2b1c7d9a0e11","resources":[{"ARN":%[1]q}]}`, r.key)
	return &trail.LookupEventsOutput{Events: []trailtypes.Event{{CloudTrailEvent: aws.String(record)}}}, nil
}
