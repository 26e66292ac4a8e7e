package kmsfake_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestImpossibleKeysAreRefusedAndLeaveNothingBehind(t *testing.T) {
	srv, _ := fake()
	primary := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, MultiRegion: true, ReplicaRegions: []string{"eu-west-1"}, Aliases: []string{"taken"}})
	grant := func(id string) kmsfake.Grant {
		return kmsfake.Grant{ID: id, GranteePrincipal: "arn:aws:iam::111122223333:root", Operations: []types.GrantOperation{"Decrypt"}}
	}
	single := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Grants: []kmsfake.Grant{grant(strings.Repeat("a", 64))}})
	before := srv.Keys()
	base := func(change func(*kmsfake.Key)) kmsfake.Key {
		k := kmsfake.Key{Account: account, Region: region}
		change(&k)
		return k
	}
	for name, k := range map[string]kmsfake.Key{
		"no account":                    base(func(k *kmsfake.Key) { k.Account = "" }),
		"no Region":                     base(func(k *kmsfake.Key) { k.Region = "" }),
		"an ID of no form":              base(func(k *kmsfake.Key) { k.ID = "my-key" }),
		"an ID twice":                   base(func(k *kmsfake.Key) { k.ID = single[len(single)-36:] }),
		"mrk- on a single-Region key":   base(func(k *kmsfake.Key) { k.ID = "mrk-" + strings.Repeat("a", 32) }),
		"no mrk- on a multi-Region key": base(func(k *kmsfake.Key) { k.ID, k.MultiRegion = "1234abcd-12ab-34cd-56ef-1234567890ab", true }),
		"an unknown spec":               base(func(k *kmsfake.Key) { k.Spec = "DES" }),
		"a usage that does not fit":     base(func(k *kmsfake.Key) { k.Usage = types.KeyUsageTypeSignVerify }),
		"SM2 outside China":             base(func(k *kmsfake.Key) { k.Spec = types.KeySpecSm2 }),
		"CloudHSM without a store":      base(func(k *kmsfake.Key) { k.Origin = types.OriginTypeAwsCloudhsm }),
		"a store for RSA":               base(func(k *kmsfake.Key) { k.CustomKeyStoreID, k.Spec = storeID, types.KeySpecRsa2048 }),
		"an unknown state":              base(func(k *kmsfake.Key) { k.State = "Melted" }),
		"unavailable without a store":   base(func(k *kmsfake.Key) { k.State = types.KeyStateUnavailable }),
		"pending import, not imported":  base(func(k *kmsfake.Key) { k.State = types.KeyStatePendingImport }),
		"pending replicas of none":      base(func(k *kmsfake.Key) { k.State = types.KeyStatePendingReplicaDeletion }),
		"updating a single-Region key":  base(func(k *kmsfake.Key) { k.State = types.KeyStateUpdating }),
		"a rotation period of a day":    base(func(k *kmsfake.Key) { k.RotationPeriodInDays = 1 }),
		"rotations of an RSA key":       base(func(k *kmsfake.Key) { k.Spec, k.Rotations = types.KeySpecRsa2048, []time.Time{august} }),
		"expiry of no import":           base(func(k *kmsfake.Key) { k.ValidTo = august }),
		"used before it was created":    base(func(k *kmsfake.Key) { k.LastUsed = august.Add(-time.Second) }),
		"a policy that is none":         base(func(k *kmsfake.Key) { k.Policy = "{}" }),
		"an alias that is taken":        base(func(k *kmsfake.Key) { k.Aliases = []string{"taken"} }),
		"an alias twice":                base(func(k *kmsfake.Key) { k.Aliases = []string{"x", "alias/x"} }),
		"an alias of AWS's":             base(func(k *kmsfake.Key) { k.Aliases = []string{"aws/s3"} }),
		"a customer's alias for AWS":    base(func(k *kmsfake.Key) { k.Aliases, k.Manager = []string{"x"}, types.KeyManagerTypeAws }),
		"replicas of a single key":      base(func(k *kmsfake.Key) { k.ReplicaRegions = []string{"eu-west-1"} }),
		"a replica of a replica":        base(func(k *kmsfake.Key) { k.ReplicaOf = kmsfake.InRegion(primary, "eu-west-1") }),
		"a replica in the same Region":  base(func(k *kmsfake.Key) { k.ReplicaOf = primary }),
		"a replica that cannot be":      base(func(k *kmsfake.Key) { k.MultiRegion, k.ReplicaRegions = true, []string{"eu-west-1", region} }),
		"the ID of another set":         base(func(k *kmsfake.Key) { k.MultiRegion, k.Region, k.ID = true, "ap-south-1", primary[len(primary)-36:] }),
		"pending, with a replica": base(func(k *kmsfake.Key) {
			k.State, k.MultiRegion, k.ReplicaRegions = types.KeyStatePendingDeletion, true, []string{"eu-west-1"}
		}),
		"a waiting period before now": base(func(k *kmsfake.Key) { k.State, k.PendingWindowInDays = types.KeyStatePendingDeletion, -5 }),
		"an alias too long":           base(func(k *kmsfake.Key) { k.Aliases = []string{strings.Repeat("a", 400)} }),
		"a description too long":      base(func(k *kmsfake.Key) { k.Description = strings.Repeat("d", 9000) }),
		"a tag without a key":         base(func(k *kmsfake.Key) { k.Tags = map[string]string{"": "x"} }),
		"a rotation to come":          base(func(k *kmsfake.Key) { k.Rotations = []time.Time{august.AddDate(1, 0, 0)} }),
		"a grant ID of no form":       base(func(k *kmsfake.Key) { k.Grants = []kmsfake.Grant{grant("x")} }),
		"a grant ID that is taken":    base(func(k *kmsfake.Key) { k.Grants = []kmsfake.Grant{grant(strings.Repeat("a", 64))} }),
		"a grant ID twice": base(func(k *kmsfake.Key) {
			k.Grants = []kmsfake.Grant{grant(strings.Repeat("b", 64)), grant(strings.Repeat("b", 64))}
		}),
		"a grant to nobody":            base(func(k *kmsfake.Key) { k.Grants = []kmsfake.Grant{{Operations: []types.GrantOperation{"Decrypt"}}} }),
		"a grant of nothing":           base(func(k *kmsfake.Key) { k.Grants = []kmsfake.Grant{{GranteePrincipal: "arn:aws:iam::111122223333:root"}} }),
		"a second replica in a Region": base(func(k *kmsfake.Key) { k.ReplicaOf, k.Region = primary, "eu-west-1" }),
	} {
		if arn, err := srv.AddKey(k); err == nil {
			t.Errorf("%s: %s", name, arn)
		}
	}
	if !reflect.DeepEqual(srv.Keys(), before) {
		t.Errorf("keys %+v", srv.Keys())
	}
	if stores := must(srv.Client(account, region).DescribeCustomKeyStores(t.Context(), &kms.DescribeCustomKeyStoresInput{})).CustomKeyStores; len(stores) > 0 {
		t.Errorf("%d custom key stores", len(stores))
	}
}

func TestWhatElseIsImpossibleIsRefused(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	mrk := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, MultiRegion: true, State: types.KeyStatePendingDeletion})
	for name, err := range map[string]error{
		"a store in no state":          second(srv.AddKeyStore(kmsfake.KeyStore{Account: account, Region: region, State: "BOGUS"})),
		"a store of no type":           second(srv.AddKeyStore(kmsfake.KeyStore{Account: account, Region: region, Type: "NOPE"})),
		"a store in no account":        second(srv.AddKeyStore(kmsfake.KeyStore{Region: region})),
		"an alias of no form":          srv.AddPredefinedAlias(account, region, "aws/\n bad"),
		"an alias in no Region":        srv.AddPredefinedAlias(account, "", "aws/ebs"),
		"a use before the creation":    srv.Use(arn, "Decrypt", august.Add(-time.Second)),
		"a use by nothing":             srv.Use(arn, "", august),
		"a replica of what is leaving": second(srv.AddKey(kmsfake.Key{Account: account, Region: "eu-west-1", ReplicaOf: mrk})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAReplicaCanBeAddedWithPropertiesOfItsOwn(t *testing.T) {
	srv, _ := fake()
	primary := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, MultiRegion: true, Spec: types.KeySpecHmac256, Created: august.AddDate(-2, 0, 0)})
	replica := srv.MustAddKey(kmsfake.Key{
		Account: account, Region: "eu-west-1", ReplicaOf: primary, Created: august.AddDate(-1, 0, 0), State: types.KeyStateDisabled,
		Aliases: []string{"there"}, LastUsed: august.AddDate(0, 0, -1), LastOperation: "VerifyMac",
	})
	if replica != kmsfake.InRegion(primary, "eu-west-1") {
		t.Errorf("%s of %s", replica, primary)
	}
	c := srv.Client(account, "eu-west-1")
	m := describe(t, c, "alias/there")
	if m.KeySpec != types.KeySpecHmac256 || m.KeyState != types.KeyStateDisabled || !m.CreationDate.Equal(august.AddDate(-1, 0, 0)) || *m.MultiRegionConfiguration.PrimaryKey.Arn != primary {
		t.Errorf("%+v", m)
	}
	if u := lastUsage(t, c, replica).KeyLastUsage; u.Operation != "VerifyMac" {
		t.Errorf("%+v", u)
	}
	keys := srv.Keys()
	if len(keys) != 2 || keys[0].ARN != replica || keys[0].Primary != primary || keys[0].LastUsed.IsZero() || keys[1].Primary != primary {
		t.Errorf("%+v", keys)
	}
}

func TestTheSameSeedMakesTheSameServer(t *testing.T) {
	add := func(seed uint64) string {
		srv, _ := fake(func(o *kmsfake.Options) { o.Seed = seed })
		return srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	}
	if first, again := add(1), add(1); first != again || first == add(2) {
		t.Error("key IDs do not follow from the seed")
	}
}

// inventory reads all that can be read of a server.
func inventory(t *testing.T, srv *kmsfake.Server) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, k := range srv.Keys() {
		c := srv.Client(k.Account, k.Region)
		m := must(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &k.ARN})).KeyMetadata
		m.CurrentKeyMaterialId, m.CloudHsmClusterId = nil, nil
		text := string(must(json.Marshal([]any{
			m,
			must(c.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &k.ARN})).Grants,
			must(c.ListResourceTags(t.Context(), &kms.ListResourceTagsInput{KeyId: &k.ARN})).Tags,
			must(c.ListAliases(t.Context(), &kms.ListAliasesInput{KeyId: &k.ARN})).Aliases,
			*must(c.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: &k.ARN})).Policy,
			must(c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &k.ARN})).KeyLastUsage.Timestamp,
		})))
		out[k.ARN] = text
	}
	return out
}

func TestTheSameSeedMakesTheSameCompany(t *testing.T) {
	company := kmsfake.Company{Seed: 7, Keys: 150, Accounts: []string{account, other}, Regions: []string{region, "eu-west-1", "ap-south-1"}}
	build := func(c kmsfake.Company) (arns []string, all map[string]string) {
		srv, _ := fake()
		arns = kmsfake.Populate(srv, c)
		return arns, inventory(t, srv)
	}
	arns, all := build(company)
	again, allAgain := build(company)
	if !slices.Equal(arns, again) || !reflect.DeepEqual(all, allAgain) {
		t.Error("not the same")
	}
	company.Seed++
	if others, _ := build(company); slices.Equal(arns, others) {
		t.Error("another seed makes the same company")
	}
	if !slices.IsSorted(arns) || len(arns) != len(all) {
		t.Errorf("%d ARNs of %d keys", len(arns), len(all))
	}
}

func TestACompanyHasKeysOfEveryKindStateAndUse(t *testing.T) {
	srv, _ := fake()
	company := kmsfake.Company{Keys: 4000, Regions: []string{region, "eu-west-1", "ap-south-1"}}
	kmsfake.Populate(srv, company)
	seen := map[string]int{}
	tracking := time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC)
	customers := 0
	for _, k := range srv.Keys() {
		seen[string(k.Spec)]++
		seen[string(k.Usage)]++
		seen[string(k.Origin)]++
		seen[string(k.State)]++
		seen[string(k.Manager)]++
		if k.Manager == types.KeyManagerTypeCustomer {
			customers++
		}
		switch {
		case k.LastUsed.IsZero() && k.Created.Before(tracking):
			seen["unrecorded"]++
		case k.LastUsed.IsZero():
			seen["never used"]++
		case august.Sub(k.LastUsed) < 24*time.Hour:
			seen["busy"]++
		case august.Sub(k.LastUsed) > 90*24*time.Hour:
			seen["idle"]++
		}
		if k.Created.After(august) || k.LastUsed.After(august) || !k.LastUsed.IsZero() && k.LastUsed.Before(k.Created) {
			t.Errorf("dates of %+v", k)
		}
		if k.MultiRegion && k.Primary != k.ARN {
			seen["replica"]++
		}
		if out := k.State != types.KeyStateEnabled && k.Manager == types.KeyManagerTypeCustomer; out && august.Sub(k.LastUsed) < 7*24*time.Hour {
			t.Errorf("%s was used %v before now, but is %s", k.ARN, august.Sub(k.LastUsed), k.State)
		}
	}
	if customers != company.Keys {
		t.Errorf("%d customer managed keys", customers)
	}
	var want []string
	for _, none := range []string{"SM2", "Creating", "Updating"} { // as Populate says
		if seen[none] > 0 {
			t.Errorf("there are keys of %s", none)
		}
	}
	for _, s := range types.KeySpec("").Values() {
		if s != types.KeySpecSm2 {
			want = append(want, string(s))
		}
	}
	for _, u := range types.KeyUsageType("").Values() {
		want = append(want, string(u))
	}
	for _, o := range types.OriginType("").Values() {
		want = append(want, string(o))
	}
	want = append(want, "AWS", "CUSTOMER", "Enabled", "Disabled", "PendingDeletion", "PendingImport", "PendingReplicaDeletion", "Unavailable",
		"unrecorded", "never used", "busy", "idle", "replica")
	for _, w := range want {
		if seen[w] == 0 {
			t.Errorf("no key is %s", w)
		}
	}
	for name, least := range map[string]int{"unrecorded": 200, "busy": 1000, "idle": 50, "Enabled": 3000, "SYMMETRIC_DEFAULT": 3000} {
		if seen[name] < least {
			t.Errorf("only %d keys are %s", seen[name], name)
		}
	}
	srv, _ = fake()
	kmsfake.Populate(srv, kmsfake.Company{Keys: 700, Regions: []string{region}})
	text := strings.Join(slices.Collect(maps.Values(inventory(t, srv))), "\n")
	for _, w := range []string{
		"aws:ec2-infrastructure/i-", "aws:ebs:id", "aws:rds:db-id", "aws:dynamodb:tableName", "aws:ecr:arn", "kms:ViaService",
		"cloudtrail.amazonaws.com", "logs.us-east-1.amazonaws.com", "aws:cloudformation:stack-name", "Environment", "CostCenter",
		"444455556666", "alias/aws/s3", "Default key that protects my S3 objects",
	} {
		if !strings.Contains(text, w) {
			t.Errorf("nothing shows %s", w)
		}
	}
	aliases := must(srv.Client(account, region).ListAliases(t.Context(), &kms.ListAliasesInput{Limit: aws.Int32(100)})).Aliases
	if !slices.ContainsFunc(aliases, func(a types.AliasListEntry) bool { return a.TargetKeyId == nil }) {
		t.Error("no predefined alias is without a key")
	}
}

func TestACompanyInChinaHasItsOwnPartition(t *testing.T) {
	srv, _ := fake()
	for _, arn := range kmsfake.Populate(srv, kmsfake.Company{Keys: 200, Regions: []string{"cn-north-1", "cn-northwest-1"}}) {
		if !strings.HasPrefix(arn, "arn:aws-cn:kms:cn-north") {
			t.Fatal(arn)
		}
	}
}
