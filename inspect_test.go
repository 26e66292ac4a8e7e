package usage_test

import (
	"iter"
	"maps"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestInspectReadsEveryFactOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(recording)
		arn := srv.MustAddKey(kmsfake.Key{
			Account: home, Region: ohio, ID: "1234abcd-12ab-34cd-56ef-1234567890ab",
			Created: longAgo, LastUsed: ago(200), LastOperation: "GenerateDataKey",
			Description: "orders", Policy: delegating,
			Tags:    map[string]string{"Team": "Orders", "Empty": ""},
			Aliases: []string{"orders", "archive"},
			Grants: []kmsfake.Grant{{
				ID:   "8c1ae42ab1ad9b3a7b5a3b4b5a3b4b5a3b4b5a3b4b5a3b4b5a3b4b5a3b4b5a3b",
				Name: "volume", Created: ago(300),
				GranteePrincipal:        "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0123456789abcdef0",
				RetiringPrincipal:       "arn:aws:iam::111122223333:role/Cleaner",
				IssuingAccount:          "arn:aws:iam::111122223333:root",
				Operations:              []types.GrantOperation{types.GrantOperationDecrypt},
				EncryptionContextSubset: map[string]string{"aws:ebs:id": "vol-0123456789abcdef0"},
			}},
			Rotations: []time.Time{ago(400), ago(35)},
		})
		f := mustInspectOne(t, srv.Client(home, ohio))

		u := f.LastUsage
		if u == nil || u.Use == nil {
			t.Fatalf("LastUsage = %+v, want a use", u)
		}
		if u.Use.EventID == "" || u.Use.RequestID == "" {
			t.Errorf("Use = %+v, want the IDs of the event and the request", u.Use)
		}
		want := usage.Finding{
			ARN: arn,
			LastUsage: &usage.LastUsage{
				ReadAt: today, Created: longAgo, TrackingStart: trackedFrom,
				Use: &usage.Use{At: ago(200), Operation: types.KeyLastUsageTrackingOperationGenerateDataKey, EventID: u.Use.EventID, RequestID: u.Use.RequestID},
			},
			Metadata: &usage.Metadata{
				Created: longAgo, Description: "orders", Manager: types.KeyManagerTypeCustomer, State: types.KeyStateEnabled,
				Spec: types.KeySpecSymmetricDefault, Usage: types.KeyUsageTypeEncryptDecrypt, Origin: types.OriginTypeAwsKms,
			},
			Aliases: []string{"alias/archive", "alias/orders"},
			Grants: []usage.Grant{{
				ID:   "8c1ae42ab1ad9b3a7b5a3b4b5a3b4b5a3b4b5a3b4b5a3b4b5a3b4b5a3b4b5a3b",
				Name: "volume", Created: ago(300),
				Grantee:        "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0123456789abcdef0",
				Retiring:       "arn:aws:iam::111122223333:role/Cleaner",
				IssuingAccount: "arn:aws:iam::111122223333:root",
				Operations:     []types.GrantOperation{types.GrantOperationDecrypt},
				ContextSubset:  map[string]string{"aws:ebs:id": "vol-0123456789abcdef0"},
			}},
			Policy: delegating,
			Tags:   map[string]string{"Team": "Orders", "Empty": ""},
		}
		for i, at := range []time.Time{ago(400), ago(35)} {
			if len(f.Rotations) != 2 || f.Rotations[i].MaterialID == "" {
				t.Fatalf("Rotations = %+v, want two with the ID of their key material", f.Rotations)
			}
			want.Rotations = append(want.Rotations, usage.Rotation{At: at, Type: types.RotationTypeAutomatic, MaterialID: f.Rotations[i].MaterialID})
		}
		wantGaps(t, f, nil)
		if !reflect.DeepEqual(f, want) { //nolint:govet // the errors that a finding can hold are in its gaps
			t.Errorf("finding:\n got %+v\nwant %+v", f, want)
		}

		// "one call a reading": nothing is asked twice.
		for op, n := range attempts(srv) {
			if n != 1 {
				t.Errorf("%s was called %d times for one key, want once", op, n)
			}
		}
	})
}

func TestInspectReadsTheRareFacts(t *testing.T) {
	for name, tt := range map[string]struct {
		key   kmsfake.Key
		check func(usage.Finding) (got, want any)
	}{
		"a key that was never used has no use, and a reading all the same": {
			kmsfake.Key{Created: ago(10)},
			func(f usage.Finding) (any, any) {
				// TrackingStartDate is "the date the KMS key was created" if that is later.
				// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
				return *f.LastUsage, usage.LastUsage{ReadAt: today, Created: ago(10), TrackingStart: ago(10)}
			},
		},
		"a key pending deletion has the date": {
			kmsfake.Key{Created: longAgo, State: types.KeyStatePendingDeletion, DeletionDate: ago(-20)},
			func(f usage.Finding) (any, any) {
				return []any{f.Metadata.State, f.Metadata.DeletionDate}, []any{types.KeyStatePendingDeletion, ago(-20)}
			},
		},
		"a primary that waits for its replicas has its waiting period": {
			kmsfake.Key{Created: longAgo, MultiRegion: true, State: types.KeyStatePendingReplicaDeletion, PendingWindowInDays: 14},
			func(f usage.Finding) (any, any) {
				return []any{f.Metadata.State, f.Metadata.PendingWindowDays, f.Metadata.DeletionDate}, []any{types.KeyStatePendingReplicaDeletion, 14, time.Time{}}
			},
		},
		"imported key material has the date it expires": {
			kmsfake.Key{Created: longAgo, Origin: types.OriginTypeExternal, ValidTo: ago(-3)},
			func(f usage.Finding) (any, any) {
				return []any{f.Metadata.Origin, f.Metadata.ValidTo}, []any{types.OriginTypeExternal, ago(-3)}
			},
		},
		"a key in an external store names the store and the key there": {
			kmsfake.Key{Created: longAgo, Origin: types.OriginTypeExternalKeyStore, CustomKeyStoreID: "cks-1234567890abcdef0", XksKeyID: "hsm-7"},
			func(f usage.Finding) (any, any) {
				return []any{f.Metadata.CustomKeyStoreID, f.Metadata.ExternalKeyID}, []any{"cks-1234567890abcdef0", "hsm-7"}
			},
		},
		"a key in a CloudHSM store names the cluster": {
			kmsfake.Key{Created: longAgo, Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreID: "cks-1234567890abcdef0"},
			func(f usage.Finding) (any, any) {
				return []any{f.Metadata.CustomKeyStoreID, f.Metadata.CloudHSMCluster != ""}, []any{"cks-1234567890abcdef0", true}
			},
		},
		"a grant to a service has its principal and source": {
			kmsfake.Key{Created: longAgo, Grants: []kmsfake.Grant{{
				GranteeServicePrincipal: "dynamodb.amazonaws.com", RetiringServicePrincipal: "dynamodb.amazonaws.com",
				Operations: []types.GrantOperation{types.GrantOperationEncrypt, types.GrantOperationDecrypt},
				SourceArn:  "arn:aws:dynamodb:us-east-2:111122223333:table/Orders", EncryptionContextEquals: map[string]string{"a": "b"},
			}}},
			func(f usage.Finding) (any, any) {
				g := f.Grants[0]
				return []any{g.GranteeService, g.RetiringService, g.SourceARN, g.ContextEquals, len(g.Operations), g.Created},
					[]any{"dynamodb.amazonaws.com", "dynamodb.amazonaws.com", "arn:aws:dynamodb:us-east-2:111122223333:table/Orders", map[string]string{"a": "b"}, 2, longAgo}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				tt.key.Account, tt.key.Region = home, ohio
				srv.MustAddKey(tt.key)
				f := mustInspectOne(t, srv.Client(home, ohio))
				wantGaps(t, f, nil)
				if got, want := tt.check(f); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		})
	}
}

func TestNothingIsRequestedBeforeTheFirstRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 2)
		seq := usage.Inspect(t.Context(), srv.Client(home, ohio))
		time.Sleep(time.Minute)
		if n := srv.Total("").Attempts; n != 0 {
			t.Errorf("%d requests before the first range, want none", n)
		}
		_, stop := iter.Pull2(seq)
		stop()
		if n := srv.Total("").Attempts; n != 0 {
			t.Errorf("%d requests though nothing was pulled, want none", n)
		}
		next, stop := iter.Pull2(seq)
		defer stop()
		if _, err, ok := next(); !ok || err != nil {
			t.Errorf("first pull: %v, %v", err, ok)
		}
		if srv.Total("").Attempts == 0 {
			t.Error("no requests after the first pull either")
		}
	})
}

func TestEachRangeReadsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 1)
		seq := usage.Inspect(t.Context(), srv.Client(home, ohio))
		before, err := usage.Collect(seq)
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(wholeDay)
		if err := srv.Use(arns[0], "Decrypt", time.Now()); err != nil {
			t.Fatal(err)
		}
		arns = append(arns, fill(t, srv, home, ohio, 1)...)
		slices.Sort(arns)
		after, err := usage.Collect(seq)
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, before, []string{before[0].ARN})
		wantWhole(t, after, arns)
		for _, f := range after {
			if f.ARN == before[0].ARN && !f.LastUsage.Use.At.Equal(today.Add(wholeDay)) {
				t.Errorf("the second range says last used at %v, want a day after the first", f.LastUsage.Use.At)
			}
			if got := f.LastUsage.ReadAt; got.Before(today.Add(wholeDay)) {
				t.Errorf("the second range says read at %v, want a day after the first", got)
			}
		}
	})
}

func TestFindingsComeAsTheyAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 20)
		start := time.Now()
		var came []time.Duration
		for _, err := range usage.Inspect(t.Context(), srv.Client(home, ohio)) {
			if err != nil {
				t.Fatal(err)
			}
			came = append(came, time.Since(start))
		}
		// Five a second: the first at once, the last after nineteen intervals.
		if len(came) != 20 || came[0] > 100*time.Millisecond || came[19] < 3800*time.Millisecond {
			t.Fatalf("findings came after %v", came)
		}
		for i := 1; i < len(came); i++ {
			if d := came[i] - came[i-1]; d > time.Second/2 {
				t.Errorf("%v between findings %d and %d, want a fifth of a second", d, i-1, i)
			}
		}
	})
}

func TestARangeWaitsForASlowLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(unlimited)
		fill(t, srv, home, ohio, 100)
		n := 0
		for _, err := range usage.Inspect(t.Context(), srv.Client(home, ohio), hurried, func(o *usage.InspectOptions) { o.Concurrency = 4 }) {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			n++
			// One yielded now, four under way.
			if read := srv.Total("GetKeyLastUsage").Attempts; read > n+4 {
				t.Fatalf("%d keys read when %d were taken; want no more than four ahead", read, n)
			}
		}
	})
}

func TestCollectSortsByARN(t *testing.T) {
	c := &stub{keys: manyARNs(30)}
	slices.Reverse(c.keys)
	want := slices.Sorted(slices.Values(c.keys))
	if got := arnsOf(mustCollect(t, c)); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestCollectReturnsWhatItHasWithAllErrors(t *testing.T) {
	one, two := &usage.TargetError{Region: "one", Err: errFirst}, &usage.TargetError{Region: "two", Err: errSecond}
	fs, err := usage.Collect(func(yield func(usage.Finding, error) bool) {
		_ = yield(usage.Finding{ARN: "b"}, nil) &&
			yield(usage.Finding{ARN: "not to be used"}, one) &&
			yield(usage.Finding{ARN: "a"}, nil) &&
			yield(usage.Finding{}, two)
	})
	if got := arnsOf(fs); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("findings = %v, want a and b", got)
	}
	if got := targetErrors(t, err); len(got) != 2 || got[0] != one || got[1] != two {
		t.Errorf("err = %v, want both errors", err)
	}
	if fs, err := usage.Collect(func(func(usage.Finding, error) bool) {}); len(fs) != 0 || err != nil {
		t.Errorf("of an empty account: %v, %v", fs, err)
	}
}

func TestAnAccountWithoutKeysHasNoFindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fs := mustCollect(t, srv.Client(home, ohio))
		if len(fs) != 0 {
			t.Errorf("findings = %v", fs)
		}
		if got := attempts(srv); got["ListKeys"] != 1 || got["DescribeKey"] != 0 {
			t.Errorf("calls = %v", got)
		}
	})
}

func TestKeysOfEveryPartitionAreRead(t *testing.T) {
	for region, partition := range map[string]string{
		"eu-central-1":   "aws",
		"cn-north-1":     "aws-cn",
		"cn-northwest-1": "aws-cn",
		"us-gov-west-1":  "aws-us-gov",
	} {
		t.Run(region, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, region, 3, func(i int, k *kmsfake.Key) {
					k.Aliases = []string{string(rune('a' + i))}
				})
				seq := usage.InspectFleet(t.Context(), []usage.Target{{Account: home, Region: region, Client: srv.Client(home, region)}})
				fs, err := usage.Collect(seq)
				if err != nil || len(fs) != 3 {
					t.Fatalf("%d findings, %v", len(fs), err)
				}
				for _, f := range fs {
					wantGaps(t, f, nil)
					if want := "arn:" + partition + ":kms:" + region + ":" + home + ":key/" + f.KeyID(); f.ARN != want {
						t.Errorf("ARN = %s, want %s", f.ARN, want)
					}
					if f.Region() != region || f.Account() != home || f.KeyID() == "" {
						t.Errorf("ARN %s taken apart: %s, %s, %s", f.ARN, f.Account(), f.Region(), f.KeyID())
					}
					if len(f.Aliases) != 1 {
						t.Errorf("aliases = %v, want one", f.Aliases)
					}
					if v := usage.Classify(f, usage.Policy{}); v.Class != usage.Idle {
						t.Errorf("class = %v, want Idle: last used 200 days ago", v.Class)
					}
				}
			})
		})
	}
}

func TestAWSManagedKeysCostNoLastUsageCall(t *testing.T) {
	for name, tt := range map[string]struct {
		options func(*usage.InspectOptions)
		deny    string
		want    map[string]int // calls for one customer key and one AWS managed key
		gaps    map[string]usage.GapReason
	}{
		"by their metadata": {
			want: map[string]int{"ListKeys": 1, "ListAliases": 1, "DescribeKey": 2, "GetKeyLastUsage": 1, "ListGrants": 1, "GetKeyPolicy": 1, "ListResourceTags": 1, "ListKeyRotations": 1},
		},
		"by their alias when DescribeKey is denied": {
			deny: "DescribeKey",
			want: map[string]int{"ListKeys": 1, "ListAliases": 1, "DescribeKey": 2, "GetKeyLastUsage": 1, "ListGrants": 1, "GetKeyPolicy": 1, "ListResourceTags": 1, "ListKeyRotations": 1},
			gaps: map[string]usage.GapReason{"DescribeKey": usage.Denied},
		},
		"by their alias when DescribeKey is switched off": {
			options: func(o *usage.InspectOptions) { o.Readings.NoMetadata = true },
			want:    map[string]int{"ListKeys": 1, "ListAliases": 1, "GetKeyLastUsage": 1, "ListGrants": 1, "GetKeyPolicy": 1, "ListResourceTags": 1, "ListKeyRotations": 1},
			gaps:    map[string]usage.GapReason{"DescribeKey": usage.Skipped},
		},
		"by their metadata when aliases are switched off": {
			options: func(o *usage.InspectOptions) { o.Readings.NoAliases = true },
			want:    map[string]int{"ListKeys": 1, "DescribeKey": 2, "GetKeyLastUsage": 1, "ListGrants": 1, "GetKeyPolicy": 1, "ListResourceTags": 1, "ListKeyRotations": 1},
			gaps:    map[string]usage.GapReason{"ListAliases": usage.Skipped},
		},
		"unless they are asked for": {
			options: func(o *usage.InspectOptions) { o.Readings.AWSManaged = true },
			want:    map[string]int{"ListKeys": 1, "ListAliases": 1, "DescribeKey": 2, "GetKeyLastUsage": 2, "ListGrants": 2, "GetKeyPolicy": 2, "ListResourceTags": 2, "ListKeyRotations": 2},
		},
		"unless they are asked for, also by their alias": {
			options: func(o *usage.InspectOptions) { o.Readings.AWSManaged, o.Readings.NoMetadata = true, true },
			want:    map[string]int{"ListKeys": 1, "ListAliases": 1, "GetKeyLastUsage": 2, "ListGrants": 2, "GetKeyPolicy": 2, "ListResourceTags": 2, "ListKeyRotations": 2},
			gaps:    map[string]usage.GapReason{"DescribeKey": usage.Skipped},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 1, func(_ int, k *kmsfake.Key) { k.Aliases = []string{"aws-like"} })
				managed := srv.MustAddKey(kmsfake.Key{Account: home, Region: ohio, Created: longAgo, Manager: types.KeyManagerTypeAws, Aliases: []string{"aws/ebs"}})
				srv.Deny(func(c kmsfake.Call) bool { return c.Operation == tt.deny })
				fs := mustCollect(t, srv.Client(home, ohio), tt.options)
				if got := attempts(srv); !maps.Equal(got, tt.want) {
					t.Errorf("calls = %v, want %v", got, tt.want)
				}
				if len(fs) != 2 {
					t.Fatalf("%d findings, want both keys listed", len(fs))
				}
				for _, f := range fs {
					wantGaps(t, f, tt.gaps)
					if got := f.AWSManaged(); got != (f.ARN == managed) && tt.gaps["ListAliases"] == "" {
						t.Errorf("AWSManaged of %v = %v", f.Aliases, got)
					}
				}
			})
		})
	}
}

// An alias that AWS made ahead of its key points nowhere, and must not be taken
// for that of any key.
func TestAnAliasWithoutAKeyBelongsToNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 1)
		if err := srv.AddPredefinedAlias(home, ohio, "aws/s3"); err != nil {
			t.Fatal(err)
		}
		f := mustInspectOne(t, srv.Client(home, ohio))
		if len(f.Aliases) != 0 || f.AWSManaged() || f.LastUsage == nil {
			t.Errorf("aliases = %v, AWS managed %v, last usage %v", f.Aliases, f.AWSManaged(), f.LastUsage)
		}
	})
}

func TestWhatIsSwitchedOffIsNotCalledAndIsAGap(t *testing.T) {
	all := []string{"ListKeys", "ListAliases", "DescribeKey", "GetKeyLastUsage", "ListGrants", "GetKeyPolicy", "ListResourceTags", "ListKeyRotations"}
	for op, off := range map[string]usage.Readings{
		"ListAliases":      {NoAliases: true},
		"DescribeKey":      {NoMetadata: true},
		"GetKeyLastUsage":  {NoLastUsage: true},
		"ListGrants":       {NoGrants: true},
		"GetKeyPolicy":     {NoPolicy: true},
		"ListResourceTags": {NoTags: true},
		"ListKeyRotations": {NoRotations: true},
		"nothing":          {},
	} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				onToday(t)
				srv := kmsfake.New()
				fill(t, srv, home, ohio, 2, func(i int, k *kmsfake.Key) { k.Aliases = []string{string(rune('a' + i))} })
				fs := mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Readings = off })
				got := attempts(srv)
				for _, o := range all {
					if called := got[o] > 0; called == (o == op) {
						t.Errorf("%s was called %d times", o, got[o])
					}
				}
				want := map[string]usage.GapReason{op: usage.Skipped}
				if op == "nothing" {
					want = nil
				}
				for _, f := range fs {
					wantGaps(t, f, want)
					for _, g := range f.Gaps {
						if g.Err != nil {
							t.Errorf("a reading that was switched off has the error %v", g.Err)
						}
					}
					absent := map[string]bool{
						"ListAliases": f.Aliases == nil, "DescribeKey": f.Metadata == nil, "GetKeyLastUsage": f.LastUsage == nil,
						"ListGrants": f.Grants == nil, "GetKeyPolicy": f.Policy == "", "ListResourceTags": f.Tags == nil, "ListKeyRotations": f.Rotations == nil,
					}
					for o, gone := range absent {
						if gone != (o == op) {
							t.Errorf("%s absent from the finding: %v", o, gone)
						}
					}
				}
			})
		})
	}
}

func TestWithEveryReadingOffTheKeysAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 3)
		fs := mustCollect(t, srv.Client(home, ohio), listingOnly)
		if got := attempts(srv); !maps.Equal(got, map[string]int{"ListKeys": 1}) {
			t.Errorf("calls = %v, want ListKeys alone", got)
		}
		if got := arnsOf(fs); !slices.Equal(got, arns) {
			t.Errorf("found %v, want %v", got, arns)
		}
		for _, f := range fs {
			if len(f.Gaps) != 7 {
				t.Errorf("gaps = %v, want all seven readings", f.Gaps)
			}
			if v := usage.Classify(f, usage.Policy{}); v.Class != usage.Unknown {
				t.Errorf("class = %v, want Unknown", v.Class)
			}
		}
	})
}

// "You cannot perform on-demand rotation of asymmetric KMS keys, HMAC KMS keys, or
// KMS keys in a custom key store."
// https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html
func TestRotationsThatDoNotApplyAreNoGap(t *testing.T) {
	for name, tt := range map[string]struct {
		key  kmsfake.Key
		read bool
	}{
		"a symmetric key":                   {kmsfake.Key{}, true},
		"a symmetric multi-Region key":      {kmsfake.Key{MultiRegion: true}, true},
		"imported key material":             {kmsfake.Key{Origin: types.OriginTypeExternal}, true},
		"an asymmetric key to encrypt":      {kmsfake.Key{Spec: types.KeySpecRsa2048, Usage: types.KeyUsageTypeEncryptDecrypt}, false},
		"an asymmetric key to sign":         {kmsfake.Key{Spec: types.KeySpecEccNistP256, Usage: types.KeyUsageTypeSignVerify}, false},
		"an asymmetric key to agree":        {kmsfake.Key{Spec: types.KeySpecEccNistP256, Usage: types.KeyUsageTypeKeyAgreement}, false},
		"a post-quantum key to sign":        {kmsfake.Key{Spec: types.KeySpecMlDsa65}, false},
		"a post-quantum key to encapsulate": {kmsfake.Key{Spec: types.KeySpecMlKem768}, false},
		"an HMAC key":                       {kmsfake.Key{Spec: types.KeySpecHmac256}, false},
		"a key in a CloudHSM store":         {kmsfake.Key{Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreID: "cks-1234567890abcdef0"}, false},
		"a key in an external store":        {kmsfake.Key{Origin: types.OriginTypeExternalKeyStore, CustomKeyStoreID: "cks-1234567890abcdef0"}, false},
	} {
		for _, blind := range []bool{false, true} {
			name := name
			if blind {
				name += ", its metadata denied"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					onToday(t)
					srv := kmsfake.New()
					k := tt.key
					k.Account, k.Region, k.Created = home, ohio, longAgo
					srv.MustAddKey(k)
					want := map[string]usage.GapReason{}
					if blind {
						srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "DescribeKey" })
						want["DescribeKey"] = usage.Denied
					}
					f := mustInspectOne(t, srv.Client(home, ohio))
					wantGaps(t, f, want)
					if got := f.Rotations != nil; got != tt.read {
						t.Errorf("rotations read: %v, want %v", got, tt.read)
					}
					if calls := srv.Total("ListKeyRotations").Attempts; !blind && calls > 0 != tt.read {
						t.Errorf("%d calls of ListKeyRotations where rotations apply: %v", calls, tt.read)
					}
				})
			})
		}
	}
}

func TestMultiRegionMembershipIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		primary := srv.MustAddKey(kmsfake.Key{
			Account: home, Region: ohio, Created: longAgo, LastUsed: ago(100),
			MultiRegion: true, ReplicaRegions: []string{"eu-west-1", "ap-south-1"},
		})
		single := fill(t, srv, home, ohio, 1)[0]
		replicas := []string{kmsfake.InRegion(primary, "ap-south-1"), kmsfake.InRegion(primary, "eu-west-1")}
		var targets []usage.Target
		for _, region := range []string{ohio, "eu-west-1", "ap-south-1"} {
			targets = append(targets, usage.Target{Account: home, Region: region, Client: srv.Client(home, region)})
		}
		fs, err := usage.Collect(usage.InspectFleet(t.Context(), targets))
		if err != nil || len(fs) != 4 {
			t.Fatalf("%d findings, %v", len(fs), err)
		}
		for _, f := range fs {
			wantGaps(t, f, nil)
			want := &usage.MultiRegion{Role: types.MultiRegionKeyTypeReplica, Primary: primary, Replicas: replicas}
			switch f.ARN {
			case single:
				want = nil
			case primary:
				want.Role = types.MultiRegionKeyTypePrimary
			}
			if !reflect.DeepEqual(f.Metadata.MultiRegion, want) {
				t.Errorf("%s: %+v, want %+v", f.ARN, f.Metadata.MultiRegion, want)
			}
			if f.MultiRegion() != (want != nil) {
				t.Errorf("%s: MultiRegion() = %v", f.ARN, f.MultiRegion())
			}
			// "primary and replica keys track last usage independently"
			// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
			if want != nil && (f.LastUsage.Use != nil) != (f.ARN == primary) {
				t.Errorf("%s: use = %v; only the primary was used", f.ARN, f.LastUsage.Use)
			}
		}
		sets := usage.Sets(fs)
		if len(sets) != 1 || sets[0].Primary != primary || len(sets[0].Members) != 3 || len(sets[0].Unseen) != 0 {
			t.Errorf("sets = %+v", sets)
		}
	})
}
