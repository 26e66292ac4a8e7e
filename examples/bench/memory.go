package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

// printMemory inspects keys that cost nothing to serve and measures the live
// heap half way through, when everything has been listed.
func printMemory(ctx context.Context) error {
	fmt.Println("| keys | live heap before | half way | a key |\n|--:|--:|--:|--:|")
	for _, n := range []int{1000, 100_000} {
		before := liveHeap()
		half := uint64(0)
		done := 0
		for _, err := range usage.Inspect(ctx, cheap{n: n}) {
			if err != nil {
				return err
			}
			if done++; done == n/2 {
				half = liveHeap()
			}
		}
		if done != n {
			return fmt.Errorf("%d of %d keys read", done, n)
		}
		fmt.Printf("| %d | %.1f MiB | %.1f MiB | %.0f B |\n", n, mib(before), mib(half), float64(max(half, before)-before)/float64(n))
	}
	return nil
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func mib(b uint64) float64 { return float64(b) / (1 << 20) }

// cheap is an Inspector of n keys with an alias each. It makes its answers up
// and holds none, so that all the memory measured is the library's.
type cheap struct{ n int }

func (cheap) id(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", i) }
func (c cheap) arn(i int) string {
	return "arn:aws:kms:" + region + ":" + account + ":key/" + c.id(i)
}

// page cuts [0,n) into pages whose marker is the next index.
func (c cheap) page(marker *string, limit *int32) (from, to int, next *string) {
	if marker != nil {
		_, _ = fmt.Sscan(*marker, &from)
	}
	to = min(c.n, from+int(aws.ToInt32(limit)))
	if to < c.n {
		next = aws.String(fmt.Sprint(to))
	}
	return from, to, next
}

func (c cheap) ListKeys(_ context.Context, in *kms.ListKeysInput, _ ...func(*kms.Options)) (*kms.ListKeysOutput, error) {
	from, to, next := c.page(in.Marker, in.Limit)
	out := &kms.ListKeysOutput{NextMarker: next, Truncated: next != nil}
	for i := from; i < to; i++ {
		out.Keys = append(out.Keys, types.KeyListEntry{KeyId: aws.String(c.id(i)), KeyArn: aws.String(c.arn(i))})
	}
	return out, nil
}

func (c cheap) ListAliases(_ context.Context, in *kms.ListAliasesInput, _ ...func(*kms.Options)) (*kms.ListAliasesOutput, error) {
	from, to, next := c.page(in.Marker, in.Limit)
	out := &kms.ListAliasesOutput{NextMarker: next, Truncated: next != nil}
	for i := from; i < to; i++ {
		out.Aliases = append(out.Aliases, types.AliasListEntry{AliasName: aws.String(fmt.Sprintf("alias/prod/service-%06d", i)), TargetKeyId: aws.String(c.id(i))})
	}
	return out, nil
}

var created = time.Date(2024, 3, 29, 0, 0, 0, 0, time.UTC)

func (cheap) DescribeKey(_ context.Context, in *kms.DescribeKeyInput, _ ...func(*kms.Options)) (*kms.DescribeKeyOutput, error) {
	return &kms.DescribeKeyOutput{KeyMetadata: &types.KeyMetadata{
		Arn: in.KeyId, CreationDate: &created, KeyManager: types.KeyManagerTypeCustomer, KeyState: types.KeyStateEnabled,
		KeySpec: types.KeySpecSymmetricDefault, KeyUsage: types.KeyUsageTypeEncryptDecrypt, Origin: types.OriginTypeAwsKms,
	}}, nil
}

func (cheap) GetKeyLastUsage(context.Context, *kms.GetKeyLastUsageInput, ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error) {
	return &kms.GetKeyLastUsageOutput{KeyCreationDate: &created, TrackingStartDate: &created, KeyLastUsage: &types.KeyLastUsageData{}}, nil
}

func (cheap) ListGrants(context.Context, *kms.ListGrantsInput, ...func(*kms.Options)) (*kms.ListGrantsOutput, error) {
	return &kms.ListGrantsOutput{Grants: []types.GrantListEntry{}}, nil
}

func (cheap) GetKeyPolicy(context.Context, *kms.GetKeyPolicyInput, ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error) {
	return &kms.GetKeyPolicyOutput{Policy: aws.String(`{"Statement":[]}`)}, nil
}

func (cheap) ListResourceTags(context.Context, *kms.ListResourceTagsInput, ...func(*kms.Options)) (*kms.ListResourceTagsOutput, error) {
	return &kms.ListResourceTagsOutput{Tags: []types.Tag{}}, nil
}

func (cheap) ListKeyRotations(context.Context, *kms.ListKeyRotationsInput, ...func(*kms.Options)) (*kms.ListKeyRotationsOutput, error) {
	return &kms.ListKeyRotationsOutput{Rotations: []types.RotationsListEntry{}}, nil
}
