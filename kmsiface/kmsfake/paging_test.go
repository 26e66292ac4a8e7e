package kmsfake_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// pages lists something with every operation that pages.
type pages func(ctx context.Context, c *kms.Client, limit *int32, marker *string) (items []string, next *string, truncated bool, err error)

// pagedFake has more of everything than fits a page of the standard size.
func pagedFake(t *testing.T) (c *kms.Client, arn string, lists map[string]pages) {
	t.Helper()
	srv, _ := fake()
	const many = 120
	retiring := "arn:aws:iam::111122223333:role/retirer"
	k := kmsfake.Key{Account: account, Region: region, Created: august.AddDate(-9, 0, 0), Tags: map[string]string{}}
	for i := range many {
		if i < 50 {
			k.Tags[fmt.Sprintf("tag%02d", i)] = "v"
		}
		k.Aliases = append(k.Aliases, fmt.Sprintf("a%03d", i))
		k.Grants = append(k.Grants, kmsfake.Grant{GranteePrincipal: "arn:aws:iam::111122223333:role/x", RetiringPrincipal: retiring, Operations: []types.GrantOperation{"Decrypt"}})
		k.Rotations = append(k.Rotations, k.Created.AddDate(0, 0, i))
	}
	arn = srv.MustAddKey(k)
	for range many - 1 {
		srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
		if _, err := srv.AddKeyStore(kmsfake.KeyStore{Account: account, Region: region}); err != nil {
			t.Fatal(err)
		}
	}
	// What belongs to others must not show.
	srv.MustAddKey(kmsfake.Key{Account: other, Region: region, Aliases: []string{"theirs"}})
	srv.MustAddKey(kmsfake.Key{Account: account, Region: "eu-west-1", Aliases: []string{"elsewhere"}})
	return srv.Client(account, region, once), arn, map[string]pages{
		"ListKeys": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.ListKeys(ctx, &kms.ListKeysInput{Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return names(out.Keys, func(e types.KeyListEntry) *string { return e.KeyArn }), out.NextMarker, out.Truncated, nil
		},
		"ListAliases": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.ListAliases(ctx, &kms.ListAliasesInput{Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return names(out.Aliases, func(e types.AliasListEntry) *string { return e.AliasName }), out.NextMarker, out.Truncated, nil
		},
		"ListAliases of a key": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.ListAliases(ctx, &kms.ListAliasesInput{KeyId: &arn, Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return names(out.Aliases, func(e types.AliasListEntry) *string { return e.AliasName }), out.NextMarker, out.Truncated, nil
		},
		"ListGrants": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn, Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return names(out.Grants, func(e types.GrantListEntry) *string { return e.GrantId }), out.NextMarker, out.Truncated, nil
		},
		"ListRetirableGrants": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.ListRetirableGrants(ctx, &kms.ListRetirableGrantsInput{RetiringPrincipal: &retiring, Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return names(out.Grants, func(e types.GrantListEntry) *string { return e.GrantId }), out.NextMarker, out.Truncated, nil
		},
		"ListKeyPolicies": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.ListKeyPolicies(ctx, &kms.ListKeyPoliciesInput{KeyId: &arn, Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return out.PolicyNames, out.NextMarker, out.Truncated, nil
		},
		"ListResourceTags": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &arn, Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return names(out.Tags, func(e types.Tag) *string { return e.TagKey }), out.NextMarker, out.Truncated, nil
		},
		"ListKeyRotations": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &arn, Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return names(out.Rotations, func(e types.RotationsListEntry) *string {
				return aws.String(e.RotationDate.Format(time.RFC3339))
			}), out.NextMarker, out.Truncated, nil
		},
		"DescribeCustomKeyStores": func(ctx context.Context, c *kms.Client, limit *int32, marker *string) ([]string, *string, bool, error) {
			out, err := c.DescribeCustomKeyStores(ctx, &kms.DescribeCustomKeyStoresInput{Limit: limit, Marker: marker})
			if err != nil {
				return nil, nil, false, err
			}
			return names(out.CustomKeyStores, func(e types.CustomKeyStoresListEntry) *string { return e.CustomKeyStoreId }), out.NextMarker, out.Truncated, nil
		},
	}
}

// A clock that stands still gives many rotations one date.
func TestRotationsOfOneMomentAreAllListed(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	for range 10 {
		must(c.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &arn}))
	}
	seen := map[string]bool{}
	p := kms.NewListKeyRotationsPaginator(c, &kms.ListKeyRotationsInput{KeyId: &arn, Limit: aws.Int32(1)})
	for n := 0; n < 10 && p.HasMorePages(); n++ {
		for _, r := range must(p.NextPage(t.Context())).Rotations {
			seen[*r.KeyMaterialId] = true
		}
	}
	if len(seen) != 10 || p.HasMorePages() {
		t.Errorf("%d of 10 rotations, more %t", len(seen), p.HasMorePages())
	}
}

func names[T any](list []T, of func(T) *string) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = aws.ToString(of(e))
	}
	return out
}

// Limits and defaults as the API reference of each operation has them, for
// example "it must be between 1 and 100, inclusive. If you do not include a
// value, it defaults to 50":
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html.
var pageSizes = []struct {
	name                   string
	standard, most, exists int
}{
	{"ListKeys", 100, 1000, 120},
	{"ListAliases", 50, 100, 120},
	{"ListAliases of a key", 50, 100, 120},
	{"ListGrants", 50, 100, 120},
	{"ListRetirableGrants", 50, 100, 120},
	{"ListKeyPolicies", 100, 1000, 1},
	{"ListResourceTags", 50, 50, 50},
	{"ListKeyRotations", 100, 1000, 120},
	{"DescribeCustomKeyStores", 100, 1000, 119},
}

func TestPagesHaveTheSizesThatAWSDocuments(t *testing.T) {
	c, _, lists := pagedFake(t)
	for _, tt := range pageSizes {
		t.Run(tt.name, func(t *testing.T) {
			list := lists[tt.name]
			for _, limit := range []struct {
				value *int32
				want  int
			}{{nil, tt.standard}, {aws.Int32(1), 1}, {aws.Int32(7), 7}, {aws.Int32(int32(tt.most)), tt.most}} {
				items, next, truncated, err := list(t.Context(), c, limit.value, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := min(limit.want, tt.exists)
				more := want < tt.exists
				if len(items) != want || truncated != more || (next != nil) != more {
					t.Errorf("limit %v: %d items, truncated %t, marker %t; want %d, %t", aws.ToInt32(limit.value), len(items), truncated, next != nil, want, more)
				}
			}
			for _, limit := range []int{0, -1, tt.most + 1} {
				_, _, _, err := list(t.Context(), c, aws.Int32(int32(limit)), nil)
				wantCode(t, err, "ValidationException")
			}
		})
	}
}

func TestAllPagesTogetherHoldEverythingOnceInOrder(t *testing.T) {
	c, _, lists := pagedFake(t)
	for _, tt := range pageSizes {
		t.Run(tt.name, func(t *testing.T) {
			var all []string
			var marker *string
			for range tt.exists + 1 { // a marker that repeats must not go on for ever
				items, next, truncated, err := lists[tt.name](t.Context(), c, aws.Int32(11), marker)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, items...)
				if marker = next; !truncated {
					break
				}
			}
			if len(all) != tt.exists || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
				t.Errorf("%d items of %d, sorted %t", len(all), tt.exists, slices.IsSorted(all))
			}
		})
	}
}

// "InvalidMarkerException: The request was rejected because the marker that
// specifies where pagination should next begin is not valid."
func TestAMarkerOfAnotherListIsInvalid(t *testing.T) {
	c, _, lists := pagedFake(t)
	_, good, _, err := lists["ListKeys"](t.Context(), c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range pageSizes {
		t.Run(tt.name, func(t *testing.T) {
			for _, marker := range []string{"garbage", *good + "A", strings.ToUpper(*good), *good} {
				if tt.name == "ListKeys" && marker == *good {
					continue
				}
				_, _, _, err := lists[tt.name](t.Context(), c, nil, &marker)
				wantCode(t, err, "InvalidMarkerException")
			}
			_, _, _, err := lists[tt.name](t.Context(), c, nil, aws.String(""))
			wantCode(t, err, "ValidationException") // "Length Constraints: Minimum length of 1."
		})
	}
}

func TestKeysThatComeAndGoBetweenPagesNeitherRepeatNorHideOthers(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region)
	id := func(i int) string { return fmt.Sprintf("%08d-0000-4000-8000-000000000000", i) }
	var arns []string
	for i := range 20 {
		arns = append(arns, srv.MustAddKey(kmsfake.Key{Account: account, Region: region, ID: id(10 * i)}))
	}
	first := must(c.ListKeys(t.Context(), &kms.ListKeysInput{Limit: aws.Int32(10)}))
	if err := srv.Delete(arns[9]); err != nil { // the last of the page
		t.Fatal(err)
	}
	srv.MustAddKey(kmsfake.Key{Account: account, Region: region, ID: id(5)})   // on the page that is past
	srv.MustAddKey(kmsfake.Key{Account: account, Region: region, ID: id(105)}) // on the page to come
	second := must(c.ListKeys(t.Context(), &kms.ListKeysInput{Limit: aws.Int32(100), Marker: first.NextMarker}))
	got := names(second.Keys, func(e types.KeyListEntry) *string { return e.KeyId })
	want := []string{id(100), id(105)}
	for i := 11; i < 20; i++ {
		want = append(want, id(10*i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("second page %v, want %v", got, want)
	}
	_, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arns[9]})
	wantError(t, err, "NotFoundException", "Key '"+arns[9]+"' does not exist")
}
