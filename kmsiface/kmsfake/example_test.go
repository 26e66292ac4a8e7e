package kmsfake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// A key is used, and KMS tells so an hour later.
func Example() {
	ctx := context.Background()
	clock := kmsfake.NewClock(time.Date(2026, time.August, 1, 12, 0, 0, 0, time.UTC))
	srv := kmsfake.New(func(o *kmsfake.Options) {
		o.Now = clock.Now
		o.Lag = time.Hour
	})
	arn := srv.MustAddKey(kmsfake.Key{
		Account: "111122223333", Region: "us-east-1",
		Created: time.Date(2024, time.March, 29, 0, 0, 0, 0, time.UTC),
		Aliases: []string{"payments"},
	})

	client := srv.Client("111122223333", "us-east-1") // a real *kms.Client
	if _, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("hello")}); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		out, err := client.GetKeyLastUsage(ctx, &kms.GetKeyLastUsageInput{KeyId: &arn})
		if err != nil {
			fmt.Println(err)
			return
		}
		if use := out.KeyLastUsage; use.Timestamp == nil {
			fmt.Println("no use since", out.TrackingStartDate.Format(time.DateOnly))
		} else {
			fmt.Println(use.Operation, "at", use.Timestamp.UTC().Format(time.DateTime))
		}
		clock.Advance(time.Hour)
	}
	// Output:
	// no use since 2026-04-23
	// Encrypt at 2026-08-01 12:00:00
}

// The first call fails as KMS itself can.
func ExampleServer_Inject() {
	srv := kmsfake.New()
	srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
		if c.Operation == "ListKeys" && c.N == 1 {
			return kmsfake.InternalFailure()
		}
		return nil
	})
	client := srv.Client("111122223333", "us-east-1", func(o *kms.Options) { o.Retryer = aws.NopRetryer{} })
	for range 2 {
		_, err := client.ListKeys(context.Background(), &kms.ListKeysInput{})
		var failure *types.KMSInternalException
		fmt.Println(errors.As(err, &failure))
	}
	// Output:
	// true
	// false
}

// A key is disabled, somebody tries to use it, and CloudTrail tells who.
func ExampleServer_CloudTrail() {
	ctx := context.Background()
	clock := kmsfake.NewClock(time.Date(2026, time.August, 1, 12, 0, 0, 0, time.UTC))
	srv := kmsfake.New(func(o *kmsfake.Options) {
		o.Now = clock.Now
		o.LogDelay = 5 * time.Minute
	})
	client := srv.Client("111122223333", "us-east-1")
	made, err := client.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := made.KeyMetadata.Arn
	encrypted, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: key, Plaintext: []byte("hello")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: key}); err != nil {
		fmt.Println(err)
		return
	}

	clock.Advance(time.Hour)
	_, err = client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: encrypted.CiphertextBlob})
	var disabled *types.DisabledException
	fmt.Println("refused:", errors.As(err, &disabled))

	clock.Advance(5 * time.Minute)
	out, err := srv.CloudTrail("111122223333", "us-east-1").LookupEvents(ctx, &trail.LookupEventsInput{
		LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: trailtypes.LookupAttributeKeyResourceName, AttributeValue: key}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range out.Events {
		var record struct{ ErrorCode string }
		if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &record); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %s by %s %q\n", e.EventTime.UTC().Format(time.TimeOnly), *e.EventName, *e.Username, record.ErrorCode)
	}
	// Output:
	// refused: true
	// 13:00:00 Decrypt by kmsfake "DisabledException"
	// 12:00:00 DisableKey by kmsfake ""
	// 12:00:00 Encrypt by kmsfake ""
	// 12:00:00 CreateKey by kmsfake ""
}

// The archive that a trail has delivered, as a file system: what package
// cloudtrail scans.
func ExampleServer_WriteArchive() {
	ctx := context.Background()
	clock := kmsfake.NewClock(time.Date(2026, time.August, 1, 12, 0, 0, 0, time.UTC))
	srv := kmsfake.New(func(o *kmsfake.Options) { o.Now = clock.Now })
	if _, err := srv.AddTrail(kmsfake.Trail{Account: "111122223333", HomeRegion: "us-east-1", Name: "audit", Prefix: "audit"}); err != nil {
		fmt.Println(err)
		return
	}
	// AddKey leaves no event, CreateKey would. Use leaves one.
	arn := srv.MustAddKey(kmsfake.Key{Account: "111122223333", Region: "us-east-1", Created: clock.Now().AddDate(0, -1, 0)})
	if err := srv.Use(arn, "Decrypt", clock.Now().AddDate(0, 0, -9)); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := srv.Client("111122223333", "us-east-1").Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("hello")}); err != nil {
		fmt.Println(err)
		return
	}

	fsys := fstest.MapFS{}
	err := srv.WriteArchive(func(path string, content []byte) error {
		fsys[path] = &fstest.MapFile{Data: content}
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	files, err := fs.Glob(fsys, "audit/AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range files {
		fmt.Println(name)
	}
	// Output:
	// audit/AWSLogs/111122223333/CloudTrail/us-east-1/2026/07/23/111122223333_CloudTrail_us-east-1_20260723T1205Z_YXYLCYKMH3UK67O2.json.gz
	// audit/AWSLogs/111122223333/CloudTrail/us-east-1/2026/08/01/111122223333_CloudTrail_us-east-1_20260801T1205Z_TJMWONNF2VAQA4SD.json.gz
}
