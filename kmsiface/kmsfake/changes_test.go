package kmsfake_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func describe(t *testing.T, c *kms.Client, id string) *types.KeyMetadata {
	t.Helper()
	out, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return out.KeyMetadata
}

func TestCreatedKeysAreDescribedAsAsked(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	hsm := must(srv.AddKeyStore(kmsfake.KeyStore{Account: account, Region: region}))
	xks := must(srv.AddKeyStore(kmsfake.KeyStore{Account: account, Region: region, Type: types.CustomKeyStoreTypeExternalKeyStore}))
	off := must(srv.AddKeyStore(kmsfake.KeyStore{Account: account, Region: region, State: types.ConnectionStateTypeDisconnected}))
	for _, tt := range []struct {
		name string
		in   kms.CreateKeyInput
		code string
		is   func(*types.KeyMetadata) bool
	}{
		{"the default", kms.CreateKeyInput{}, "", func(m *types.KeyMetadata) bool {
			return m.KeySpec == "SYMMETRIC_DEFAULT" && m.KeyUsage == "ENCRYPT_DECRYPT" && m.Origin == "AWS_KMS" && m.Enabled && m.CurrentKeyMaterialId != nil && !*m.MultiRegion && m.ExpirationModel == ""
		}},
		{"a multi-Region primary", kms.CreateKeyInput{MultiRegion: aws.Bool(true)}, "", func(m *types.KeyMetadata) bool {
			return strings.HasPrefix(*m.KeyId, "mrk-") && m.MultiRegionConfiguration.MultiRegionKeyType == "PRIMARY" && *m.MultiRegionConfiguration.PrimaryKey.Arn == *m.Arn
		}},
		{"imported", kms.CreateKeyInput{Origin: "EXTERNAL"}, "", func(m *types.KeyMetadata) bool {
			return m.KeyState == "PendingImport" && !m.Enabled && m.ExpirationModel == ""
		}},
		{"HMAC", kms.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"}, "", func(m *types.KeyMetadata) bool { return len(m.MacAlgorithms) == 1 && m.CurrentKeyMaterialId == nil }},
		{"CloudHSM", kms.CreateKeyInput{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: &hsm}, "", func(m *types.KeyMetadata) bool {
			return *m.CustomKeyStoreId == hsm && m.CloudHsmClusterId != nil && m.CurrentKeyMaterialId == nil
		}},
		{"an external key", kms.CreateKeyInput{Origin: "EXTERNAL_KEY_STORE", CustomKeyStoreId: &xks, XksKeyId: aws.String("k1")}, "", func(m *types.KeyMetadata) bool {
			return *m.XksKeyConfiguration.Id == "k1" && m.CloudHsmClusterId == nil
		}},
		{"the same external key again", kms.CreateKeyInput{Origin: "EXTERNAL_KEY_STORE", CustomKeyStoreId: &xks, XksKeyId: aws.String("k1")}, "XksKeyAlreadyInUseException", nil},
		{"ML-KEM", kms.CreateKeyInput{KeySpec: "ML_KEM_768", KeyUsage: "ENCAPSULATE_DECAPSULATE"}, "", func(m *types.KeyMetadata) bool { return len(m.EncapsulationAlgorithms) == 1 }},
		{"HMAC without its usage", kms.CreateKeyInput{KeySpec: "HMAC_256"}, "ValidationException", nil},
		{"an unknown spec", kms.CreateKeyInput{KeySpec: "AES_512"}, "ValidationException", nil},
		{"SM2 outside China", kms.CreateKeyInput{KeySpec: "SM2", KeyUsage: "SIGN_VERIFY"}, "UnsupportedOperationException", nil},
		{"no such store", kms.CreateKeyInput{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: aws.String("cks-00000000000000000")}, "CustomKeyStoreNotFoundException", nil},
		{"a disconnected store", kms.CreateKeyInput{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: &off}, "CustomKeyStoreInvalidStateException", nil},
		{"RSA in a store", kms.CreateKeyInput{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: &hsm, KeySpec: "RSA_2048"}, "UnsupportedOperationException", nil},
		{"a store without origin", kms.CreateKeyInput{CustomKeyStoreId: &hsm}, "ValidationException", nil},
		{"a policy that is none", kms.CreateKeyInput{Policy: aws.String("{}")}, "MalformedPolicyDocumentException", nil},
		{"a policy that locks out", kms.CreateKeyInput{Policy: aws.String(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"kms:*","Resource":"*"}}`)}, "MalformedPolicyDocumentException", nil},
		{"a reserved tag", kms.CreateKeyInput{Tags: []types.Tag{{TagKey: aws.String("aws:x"), TagValue: aws.String("")}}}, "TagException", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := c.CreateKey(t.Context(), &tt.in)
			wantCode(t, err, tt.code)
			if err == nil && !tt.is(out.KeyMetadata) {
				t.Errorf("%+v", out.KeyMetadata)
			}
			if err == nil && !out.KeyMetadata.CreationDate.Equal(august) {
				t.Errorf("created %v", out.KeyMetadata.CreationDate)
			}
		})
	}
	if got := describe(t, srv.Client("111122223333", "cn-north-1"), srv.MustAddKey(kmsfake.Key{Account: account, Region: "cn-north-1", Spec: "SM2"})); !strings.HasPrefix(*got.Arn, "arn:aws-cn:kms:cn-north-1:") {
		t.Errorf("ARN %s", *got.Arn)
	}
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
func TestDeletionIsScheduledAndCanceled(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	for _, tt := range []struct {
		days *int32
		want int // days; 0: refused
	}{{nil, 30}, {aws.Int32(7), 7}, {aws.Int32(30), 30}, {aws.Int32(6), 0}, {aws.Int32(31), 0}} {
		out, err := c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn, PendingWindowInDays: tt.days})
		if tt.want == 0 {
			wantCode(t, err, "ValidationException")
			continue
		}
		wantCode(t, err, "")
		date := august.Add(time.Duration(tt.want) * 24 * time.Hour)
		if aws.ToString(out.KeyId) != arn || out.KeyState != types.KeyStatePendingDeletion || !out.DeletionDate.Equal(date) {
			t.Errorf("%+v", out)
		}
		if m := describe(t, c, arn); m.KeyState != types.KeyStatePendingDeletion || !m.DeletionDate.Equal(date) || m.Enabled {
			t.Errorf("%+v", m)
		}
		// "If this operation is successful, the key state of the KMS key is Disabled."
		if got := must(c.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &arn})); aws.ToString(got.KeyId) != arn {
			t.Errorf("canceled %s", *got.KeyId)
		}
		if m := describe(t, c, arn); m.KeyState != types.KeyStateDisabled || m.DeletionDate != nil {
			t.Errorf("after canceling: %+v", m)
		}
		must(c.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn}))
	}
}

// "When the primary key in a multi-Region key is scheduled for deletion but still
// has replica keys, its key state is PendingReplicaDeletion and the length of its
// waiting period is displayed in the PendingDeletionWindowInDays field."
// https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html
func TestAPrimaryWithReplicasGetsNoDeletionDate(t *testing.T) {
	srv, clock := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, MultiRegion: true, ReplicaRegions: []string{"eu-west-1"}})
	out := must(c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn, PendingWindowInDays: aws.Int32(14)}))
	if out.KeyState != types.KeyStatePendingReplicaDeletion || out.DeletionDate != nil || *out.PendingWindowInDays != 14 {
		t.Errorf("%+v", out)
	}
	if m := describe(t, c, arn); m.KeyState != types.KeyStatePendingReplicaDeletion || *m.PendingDeletionWindowInDays != 14 || m.DeletionDate != nil {
		t.Errorf("%+v", m)
	}
	if err := srv.Delete(arn); err == nil {
		t.Error("a primary with replicas was deleted")
	}
	there := srv.Client(account, "eu-west-1", once)
	replica := kmsfake.InRegion(arn, "eu-west-1")
	if got := must(there.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &replica})); got.KeyState != types.KeyStatePendingDeletion || got.DeletionDate == nil {
		t.Errorf("replica: %+v", got)
	}
	// "When the last replica key in a set of multi-Region keys is deleted, the
	// KeyState of the scheduled primary key changes from PendingReplicaDeletion to
	// PendingDeletion and the deletion date appears in the DeletionDate field."
	now := clock.Advance(time.Hour)
	if err := srv.Delete(replica); err != nil {
		t.Error(err)
	}
	if m := describe(t, c, arn); m.KeyState != types.KeyStatePendingDeletion || m.PendingDeletionWindowInDays != nil || !aws.ToTime(m.DeletionDate).Equal(now.Add(14*24*time.Hour)) {
		t.Errorf("%+v", m)
	}
	if err := srv.Delete(arn); err != nil {
		t.Error(err)
	}
}

func TestReplicasShareWhatAWSSaysAndNothingElse(t *testing.T) {
	// "They have the same key ID and key material. They also have the same key spec,
	// key usage, key material origin, and automatic key rotation status. ... All
	// other properties of a replica key can differ, including its key policy, tags,
	// aliases, and key state."
	// https://docs.aws.amazon.com/kms/latest/APIReference/API_ReplicateKey.html
	srv, clock := fake()
	c, there := srv.Client(account, region, once), srv.Client(account, "eu-west-1", once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, MultiRegion: true, Description: "d", Tags: map[string]string{"a": "b"}, Aliases: []string{"x"}, RotationEnabled: true, Created: august.AddDate(-1, 0, 0)})
	now := clock.Advance(time.Hour)
	in := &kms.ReplicateKeyInput{KeyId: &arn, ReplicaRegion: aws.String("eu-west-1"), Tags: []types.Tag{{TagKey: aws.String("r"), TagValue: aws.String("1")}}}
	out := must(c.ReplicateKey(t.Context(), in))
	replica := kmsfake.InRegion(arn, "eu-west-1")
	m := out.ReplicaKeyMetadata
	if *m.Arn != replica || *m.Description != "" || !m.CreationDate.Equal(now) || *m.CurrentKeyMaterialId != *describe(t, c, arn).CurrentKeyMaterialId ||
		m.MultiRegionConfiguration.MultiRegionKeyType != "REPLICA" || *m.MultiRegionConfiguration.PrimaryKey.Arn != arn || len(out.ReplicaTags) != 1 || *out.ReplicaPolicy == "" {
		t.Errorf("%+v", out)
	}
	if got := must(there.ListAliases(t.Context(), &kms.ListAliasesInput{KeyId: &replica})).Aliases; len(got) != 0 {
		t.Errorf("aliases %v", got)
	}
	if got := must(there.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: &replica})); !got.KeyRotationEnabled {
		t.Error("rotation is not shared")
	}
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn}))
	if got := describe(t, there, replica).KeyState; got != types.KeyStateEnabled {
		t.Errorf("the replica is %s", got)
	}
	must(c.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn}))

	_, err := c.ReplicateKey(t.Context(), in)
	wantCode(t, err, "AlreadyExistsException")
	_, err = there.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &replica, ReplicaRegion: aws.String("eu-central-1")})
	wantCode(t, err, "UnsupportedOperationException")
	_, err = c.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &arn, ReplicaRegion: aws.String("cn-north-1")})
	wantCode(t, err, "ValidationException")
	_, err = there.DisableKeyRotation(t.Context(), &kms.DisableKeyRotationInput{KeyId: &replica})
	wantCode(t, err, "UnsupportedOperationException")
	single := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	_, err = c.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &single, ReplicaRegion: aws.String("eu-west-1")})
	wantCode(t, err, "UnsupportedOperationException")
}

// "This operation changes the replica key in the specified Region to a primary
// key and changes the former primary key to a replica key."
// https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdatePrimaryRegion.html
func TestUpdatePrimaryRegionSwapsPrimaryAndReplica(t *testing.T) {
	srv, _ := fake()
	c, there := srv.Client(account, region, once), srv.Client(account, "eu-west-1", once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, MultiRegion: true, ReplicaRegions: []string{"eu-west-1", "ap-south-1"}})
	replica := kmsfake.InRegion(arn, "eu-west-1")
	update := func(c *kms.Client, key, to string) error {
		_, err := c.UpdatePrimaryRegion(t.Context(), &kms.UpdatePrimaryRegionInput{KeyId: &key, PrimaryRegion: &to})
		return err
	}
	wantCode(t, update(there, replica, "eu-west-1"), "UnsupportedOperationException")
	wantCode(t, update(c, arn, "us-west-2"), "NotFoundException")
	must(there.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &replica}))
	wantError(t, update(c, arn, "eu-west-1"), "DisabledException", replica+" is disabled.")
	must(there.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &replica}))
	wantCode(t, update(c, arn, "eu-west-1"), "")
	for _, m := range []*types.KeyMetadata{describe(t, c, arn), describe(t, there, replica)} {
		cfg := m.MultiRegionConfiguration
		if *cfg.PrimaryKey.Arn != replica || *cfg.PrimaryKey.Region != "eu-west-1" || len(cfg.ReplicaKeys) != 2 || *cfg.ReplicaKeys[1].Arn != arn {
			t.Errorf("%s: primary %s, replicas %d", *m.Arn, *cfg.PrimaryKey.Arn, len(cfg.ReplicaKeys))
		}
	}
}

func TestAliasesAreCreatedMovedAndDeleted(t *testing.T) {
	srv, clock := fake()
	c := srv.Client(account, region, once)
	first, second := srv.MustAddKey(kmsfake.Key{Account: account, Region: region}), srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	mac := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecHmac256})
	create := func(name, key string) error {
		_, err := c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: &name, TargetKeyId: &key})
		return err
	}
	wantCode(t, create("alias/a", first), "")
	wantCode(t, create("alias/a", second), "AlreadyExistsException")
	wantCode(t, create("a", first), "InvalidAliasNameException")
	wantCode(t, create("alias/aws/a", first), "InvalidAliasNameException")
	wantCode(t, create("alias/a b", first), "ValidationException")
	wantCode(t, create("alias/b", "alias/a"), "InvalidArnException")
	now := clock.Advance(time.Hour)
	must(c.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: aws.String("alias/a"), TargetKeyId: &second}))
	_, err := c.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: aws.String("alias/a"), TargetKeyId: &mac})
	wantCode(t, err, "ValidationException") // "must be the same type ... and they must have the same key usage"
	_, err = c.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: aws.String("alias/none"), TargetKeyId: &second})
	wantError(t, err, "NotFoundException", "Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.")
	list := must(c.ListAliases(t.Context(), &kms.ListAliasesInput{KeyId: &second})).Aliases
	if len(list) != 1 || !strings.HasSuffix(second, *list[0].TargetKeyId) || !list[0].CreationDate.Equal(august) || !list[0].LastUpdatedDate.Equal(now) ||
		*list[0].AliasArn != "arn:aws:kms:us-east-1:111122223333:alias/a" {
		t.Errorf("%+v", list)
	}
	if m := describe(t, c, "arn:aws:kms:us-east-1:111122223333:alias/a"); *m.Arn != second {
		t.Errorf("the alias names %s", *m.Arn)
	}
	must(c.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: aws.String("alias/a")}))
	_, err = c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/a")})
	wantCode(t, err, "NotFoundException")
	for i := range 50 { // "Aliases per KMS key: 50"
		wantCode(t, create("alias/many/"+strings.Repeat("x", i+1), first), "")
	}
	wantCode(t, create("alias/many/51", first), "LimitExceededException")
}

// "aliases that have no TargetKeyId field ... are predefined aliases that Amazon
// Web Services has created but has not yet associated with a KMS key", and "If you
// specify a predefined Amazon Web Services alias ..., KMS associates the alias with
// an Amazon Web Services managed key and returns its KeyId and Arn in the response."
// https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
func TestAPredefinedAliasGetsItsKeyWhenItIsDescribed(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	if err := srv.AddPredefinedAlias(account, region, "aws/ebs"); err != nil {
		t.Fatal(err)
	}
	if list := must(c.ListAliases(t.Context(), &kms.ListAliasesInput{})).Aliases; len(list) != 1 || list[0].TargetKeyId != nil {
		t.Fatalf("%+v", list)
	}
	m := describe(t, c, "alias/aws/ebs")
	if m.KeyManager != types.KeyManagerTypeAws || *m.Description != "Default key that protects my EBS volumes when no other key is defined" {
		t.Errorf("%+v", m)
	}
	if list := must(c.ListAliases(t.Context(), &kms.ListAliasesInput{})).Aliases; aws.ToString(list[0].TargetKeyId) != *m.KeyId {
		t.Errorf("%+v", list)
	}
	if again := describe(t, c, "alias/aws/ebs"); *again.KeyId != *m.KeyId {
		t.Error("another key")
	}
}

// The policy of an AWS managed key lets the account read it, and use it through
// its service only.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
func TestAWSManagedKeysAreReadButNeitherUsedNorChanged(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Manager: types.KeyManagerTypeAws, Aliases: []string{"aws/s3"}})
	ctx := t.Context()
	must(c.GetKeyLastUsage(ctx, &kms.GetKeyLastUsageInput{KeyId: &arn}))
	must(c.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn}))
	must(c.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &arn}))
	// "The key rotation status for Amazon Web Services managed KMS keys is always true."
	if !must(c.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &arn})).KeyRotationEnabled {
		t.Error("not rotated")
	}
	if p := *must(c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &arn})).Policy; !strings.Contains(p, `"kms:ViaService" : "s3.us-east-1.amazonaws.com"`) {
		t.Errorf("policy %s", p)
	}
	for op, call := range stateCalls {
		switch op {
		case "Encrypt", "GenerateDataKey", "DisableKey", "ScheduleKeyDeletion", "TagResource", "PutKeyPolicy", "CreateGrant", "CreateAlias", "EnableKeyRotation", "UpdateKeyDescription":
			wantCode(t, call(ctx, &stateCase{client: c, arn: arn, helper: arn}), "AccessDeniedException")
		}
	}
}

func TestGrantsAreCreatedListedRetiredAndRevoked(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	ctx := t.Context()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	grantee, retirer := aws.String("arn:aws:iam::111122223333:role/grantee"), aws.String("arn:aws:iam::444455556666:root")
	base := func() *kms.CreateGrantInput {
		return &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: grantee, RetiringPrincipal: retirer, Operations: []types.GrantOperation{"Decrypt", "RetireGrant"}}
	}
	named := base()
	named.Name = aws.String("once")
	named.Constraints = &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}
	first := must(c.CreateGrant(ctx, named))
	// "if the grant already exists, the original GrantId is returned without creating a new grant."
	if again := must(c.CreateGrant(ctx, named)); *again.GrantId != *first.GrantId || *again.GrantToken == *first.GrantToken {
		t.Error("a repeated request makes another grant, or the same token")
	}
	if two, three := must(c.CreateGrant(ctx, base())), must(c.CreateGrant(ctx, base())); *two.GrantId == *three.GrantId {
		t.Error("requests without a name make one grant")
	}
	list := must(c.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn})).Grants
	i := slices.IndexFunc(list, func(g types.GrantListEntry) bool { return *g.GrantId == *first.GrantId })
	if len(list) != 3 || i < 0 || *list[i].KeyId != arn || *list[i].Name != "once" || *list[i].IssuingAccount != "arn:aws:iam::111122223333:root" ||
		!list[i].CreationDate.Equal(august) || list[i].Constraints.EncryptionContextSubset["a"] != "b" {
		t.Errorf("%+v", list)
	}
	// AWS's example answer has "Name": "" for a grant without a name.
	// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html
	if g := list[(i+1)%3]; g.Name == nil || *g.Name != "" || g.Constraints != nil {
		t.Errorf("%+v", g)
	}
	count := func(in kms.ListGrantsInput) int {
		in.KeyId = &arn
		return len(must(c.ListGrants(ctx, &in)).Grants)
	}
	if count(kms.ListGrantsInput{GrantId: first.GrantId}) != 1 || count(kms.ListGrantsInput{GranteePrincipal: grantee}) != 3 || count(kms.ListGrantsInput{GranteePrincipal: retirer}) != 0 {
		t.Error("the filters do not filter")
	}
	// "You must specify a principal in your AWS account. However, this operation
	// can return grants in any AWS account."
	// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListRetirableGrants.html
	retirable := &kms.ListRetirableGrantsInput{RetiringPrincipal: retirer}
	if got := must(srv.Client(other, region).ListRetirableGrants(ctx, retirable)).Grants; len(got) != 3 || *got[0].KeyId != arn {
		t.Errorf("%d retirable grants", len(got))
	}
	if got := must(srv.Client(other, "eu-west-1").ListRetirableGrants(ctx, retirable)).Grants; len(got) != 0 {
		t.Errorf("%d retirable grants in another Region", len(got))
	}
	wantCode(t, second(c.ListRetirableGrants(ctx, retirable)), "InvalidArnException")

	// A grant is retired by token or ID, by its retiring principal or the account
	// that made it, and revoked by ID.
	wantCode(t, second(srv.Client("777788889999", region, once).RetireGrant(ctx, &kms.RetireGrantInput{GrantToken: first.GrantToken})), "AccessDeniedException")
	wantCode(t, second(srv.Client(other, region, once).RetireGrant(ctx, &kms.RetireGrantInput{GrantToken: first.GrantToken})), "")
	wantCode(t, second(c.RetireGrant(ctx, &kms.RetireGrantInput{GrantToken: first.GrantToken})), "NotFoundException")
	wantCode(t, second(c.RetireGrant(ctx, &kms.RetireGrantInput{GrantToken: aws.String("made up")})), "InvalidGrantTokenException")
	wantCode(t, second(c.RetireGrant(ctx, &kms.RetireGrantInput{KeyId: &arn})), "ValidationException")
	left := must(c.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn})).Grants
	wantCode(t, second(c.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &arn, GrantId: left[0].GrantId, DryRun: aws.Bool(true)})), "DryRunOperationException")
	wantCode(t, second(c.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &arn, GrantId: left[0].GrantId})), "")
	wantCode(t, second(c.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &arn, GrantId: left[0].GrantId})), "NotFoundException")
	wantCode(t, second(c.RetireGrant(ctx, &kms.RetireGrantInput{KeyId: &arn, GrantId: left[1].GrantId})), "")
	if got := must(srv.Client(other, region).ListRetirableGrants(ctx, retirable)).Grants; len(got) != 0 || len(left) != 2 {
		t.Errorf("%d retirable grants are left", len(got))
	}
}

func second[T any](_ T, err error) error { return err }

func TestImpossibleGrantsAreRefused(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	symmetric := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	signing := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecEccNistP256})
	who := aws.String("arn:aws:iam::111122223333:role/x")
	context := &types.GrantConstraints{EncryptionContextEquals: map[string]string{"a": "b"}}
	for _, tt := range []struct {
		name string
		in   kms.CreateGrantInput
		code string
	}{
		{"no grantee", kms.CreateGrantInput{KeyId: &symmetric, Operations: []types.GrantOperation{"Decrypt"}}, "ValidationException"},
		{"two grantees", kms.CreateGrantInput{KeyId: &symmetric, GranteePrincipal: who, GranteeServicePrincipal: aws.String("s.amazonaws.com"), Operations: []types.GrantOperation{"Decrypt"}}, "ValidationException"},
		{"a service without source", kms.CreateGrantInput{KeyId: &symmetric, GranteeServicePrincipal: aws.String("s.amazonaws.com"), RetiringPrincipal: who, Operations: []types.GrantOperation{"Decrypt"}}, "ValidationException"},
		{"no principal", kms.CreateGrantInput{KeyId: &symmetric, GranteePrincipal: aws.String("Bob"), Operations: []types.GrantOperation{"Decrypt"}}, "InvalidArnException"},
		{"an unknown operation", kms.CreateGrantInput{KeyId: &symmetric, GranteePrincipal: who, Operations: []types.GrantOperation{"Destroy"}}, "ValidationException"},
		// "you cannot create a grant for a symmetric encryption KMS key that allows the
		// Sign operation, or a grant for an asymmetric KMS key that allows the
		// GenerateDataKey operation."
		{"Sign on a symmetric key", kms.CreateGrantInput{KeyId: &symmetric, GranteePrincipal: who, Operations: []types.GrantOperation{"Sign"}}, "ValidationException"},
		{"GenerateDataKey on an asymmetric key", kms.CreateGrantInput{KeyId: &signing, GranteePrincipal: who, Operations: []types.GrantOperation{"GenerateDataKey"}}, "ValidationException"},
		{"a context for an asymmetric key", kms.CreateGrantInput{KeyId: &signing, GranteePrincipal: who, Constraints: context, Operations: []types.GrantOperation{"Sign"}}, "ValidationException"},
		{"a dry run", kms.CreateGrantInput{KeyId: &signing, GranteePrincipal: who, DryRun: aws.Bool(true), Operations: []types.GrantOperation{"Sign"}}, "DryRunOperationException"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantCode(t, second(c.CreateGrant(t.Context(), &tt.in)), tt.code) })
	}
}

func TestTagsAreAddedOverwrittenAndRemoved(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Tags: map[string]string{"b": "1"}})
	tag := func(tags ...string) error {
		in := &kms.TagResourceInput{KeyId: &arn}
		for i := 0; i < len(tags); i += 2 {
			in.Tags = append(in.Tags, types.Tag{TagKey: &tags[i], TagValue: &tags[i+1]})
		}
		return second(c.TagResource(t.Context(), in))
	}
	wantCode(t, tag("a", "", "b", "2"), "")
	wantCode(t, tag("AWS:x", "1"), "TagException")
	wantCode(t, tag("c", "1", "c", "2"), "TagException")
	wantCode(t, tag("", "1"), "ValidationException")
	wantCode(t, tag("c", strings.Repeat("v", 257)), "ValidationException")
	var many []string
	for i := range 49 {
		many = append(many, "many"+strings.Repeat("x", i), "v")
	}
	wantCode(t, tag(many...), "TagException") // 50 at most
	must(c.UntagResource(t.Context(), &kms.UntagResourceInput{KeyId: &arn, TagKeys: []string{"a", "not there"}}))
	got := must(c.ListResourceTags(t.Context(), &kms.ListResourceTagsInput{KeyId: &arn})).Tags
	if len(got) != 1 || *got[0].TagKey != "b" || *got[0].TagValue != "2" {
		t.Errorf("%+v", got)
	}
}

func TestPolicyAndDescriptionAreReplaced(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	ctx := t.Context()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	if got := must(c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &arn})); *got.Policy != kmsfake.DefaultPolicy(account, region) || *got.PolicyName != "default" {
		t.Errorf("%s", *got.Policy)
	}
	text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["kms:Put*","kms:Get*"],"Resource":"*"}]}`
	must(c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &text, PolicyName: aws.String("default")}))
	if got := *must(c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &arn, PolicyName: aws.String("default")})).Policy; got != text {
		t.Errorf("%s", got)
	}
	locked := strings.Replace(text, `"kms:Put*",`, "", 1)
	wantCode(t, second(c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &locked})), "MalformedPolicyDocumentException")
	wantCode(t, second(c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &locked, BypassPolicyLockoutSafetyCheck: true})), "")
	wantCode(t, second(c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &arn, Policy: aws.String("not JSON")})), "MalformedPolicyDocumentException")
	wantCode(t, second(c.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &arn, PolicyName: aws.String("mine")})), "NotFoundException")
	must(c.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: &arn, Description: aws.String("für \"alle\" <&>")}))
	if got := *describe(t, c, arn).Description; got != "für \"alle\" <&>" {
		t.Errorf("%s", got)
	}
}

func TestRotationIsSwitchedListedAndLimited(t *testing.T) {
	srv, clock := fake()
	c := srv.Client(account, region, once)
	ctx := t.Context()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(-3, 0, 0), Rotations: []time.Time{august.AddDate(-2, 0, 0), august.AddDate(-1, 0, 0)}})
	status := func() *kms.GetKeyRotationStatusOutput {
		return must(c.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &arn}))
	}
	if s := status(); s.KeyRotationEnabled || s.NextRotationDate != nil {
		t.Errorf("%+v", s)
	}
	must(c.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &arn, RotationPeriodInDays: aws.Int32(90)}))
	if s := status(); !s.KeyRotationEnabled || *s.RotationPeriodInDays != 90 || !s.NextRotationDate.Equal(august.Add(90*24*time.Hour)) {
		t.Errorf("%+v", s)
	}
	wantCode(t, second(c.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &arn, RotationPeriodInDays: aws.Int32(89)})), "ValidationException")
	clock.Advance(time.Hour)
	for range 25 { // "a maximum of 25 times per KMS key"
		must(c.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &arn}))
	}
	wantCode(t, second(c.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &arn})), "LimitExceededException")
	done := must(c.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &arn})).Rotations
	all := must(c.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &arn, IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial})).Rotations
	if len(done) != 27 || done[0].RotationType != types.RotationTypeAutomatic || done[26].RotationType != types.RotationTypeOnDemand {
		t.Fatalf("%d rotations", len(done))
	}
	current := *describe(t, c, arn).CurrentKeyMaterialId
	for _, r := range all {
		if (r.KeyMaterialState == types.KeyMaterialStateCurrent) != (*r.KeyMaterialId == current) {
			t.Errorf("%s is %s", *r.KeyMaterialId, r.KeyMaterialState)
		}
	}
	// "This field is not present for the first key material."
	if len(all) != 28 || all[0].RotationDate != nil || all[0].RotationType != "" {
		t.Errorf("%d key materials, the first %+v", len(all), all[0])
	}
	must(c.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &arn}))
	if status().KeyRotationEnabled {
		t.Error("still rotated")
	}

	for _, k := range []kmsfake.Key{{Spec: types.KeySpecRsa2048}, {Spec: types.KeySpecHmac256}, {CustomKeyStoreID: storeID}} {
		k.Account, k.Region = account, region
		id := srv.MustAddKey(k)
		wantCode(t, second(c.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &id})), "UnsupportedOperationException")
		wantCode(t, second(c.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &id})), "UnsupportedOperationException")
		wantCode(t, second(c.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &id})), "UnsupportedOperationException")
	}
	imported := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Origin: types.OriginTypeExternal, ValidTo: august.AddDate(1, 0, 0)})
	wantCode(t, second(c.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &imported})), "UnsupportedOperationException")
	wantCode(t, second(c.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &imported})), "KMSInvalidStateException")
	entry := must(c.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &imported, IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial})).Rotations[0]
	if entry.ImportState != types.ImportStateImported || entry.ExpirationModel != types.ExpirationModelTypeKeyMaterialExpires || !entry.ValidTo.Equal(august.AddDate(1, 0, 0)) {
		t.Errorf("%+v", entry)
	}
}

func TestDeletedKeyMaterialMakesAKeyPendingImport(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Origin: types.OriginTypeExternal, ValidTo: august.AddDate(1, 0, 0)})
	if m := describe(t, c, arn); m.ExpirationModel != types.ExpirationModelTypeKeyMaterialExpires || !m.ValidTo.Equal(august.AddDate(1, 0, 0)) {
		t.Errorf("%+v", m)
	}
	must(c.DeleteImportedKeyMaterial(t.Context(), &kms.DeleteImportedKeyMaterialInput{KeyId: &arn}))
	if m := describe(t, c, arn); m.KeyState != types.KeyStatePendingImport || m.ExpirationModel != "" || m.ValidTo != nil {
		t.Errorf("%+v", m)
	}
	// "When the specified KMS key is in the PendingDeletion state, this operation
	// does not change the KMS key's state."
	must(c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn}))
	must(c.DeleteImportedKeyMaterial(t.Context(), &kms.DeleteImportedKeyMaterialInput{KeyId: &arn}))
	if m := describe(t, c, arn); m.KeyState != types.KeyStatePendingDeletion {
		t.Errorf("%s", m.KeyState)
	}
}

func TestOtherAccountsUseAKeyAsItsPolicyAndGrantsAllow(t *testing.T) {
	srv, _ := fake()
	ctx := t.Context()
	shared := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Aliases: []string{"shared"}, Policy: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":["kms:Encrypt","kms:De*"],"Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::777788889999:role/Reader"},"Action":"kms:ListGrants","Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:CallerAccount":"444455556666"}}}]}`})
	if err := srv.AddPrincipal("AKIAREADER", "arn:aws:sts::777788889999:assumed-role/Reader/session"); err != nil {
		t.Fatal(err)
	}
	theirs := srv.Client(other, region, once)
	reader := srv.Client(account, region, once, func(o *kms.Options) { o.Credentials = kmsfake.CredentialsFor("AKIAREADER") })
	wantCode(t, second(theirs.Encrypt(ctx, &kms.EncryptInput{KeyId: &shared, Plaintext: []byte("x")})), "")
	wantCode(t, second(theirs.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String("arn:aws:kms:us-east-1:111122223333:alias/shared"), Plaintext: []byte("x")})), "")
	wantCode(t, second(theirs.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &shared})), "")
	wantCode(t, second(theirs.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &shared})), "AccessDeniedException")
	wantCode(t, second(theirs.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String("alias/shared"), Plaintext: []byte("x")})), "NotFoundException")
	wantCode(t, second(reader.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &shared})), "")
	// "if you give a principal in a different account ... kms:ScheduleKeyDeletion
	// permission on a KMS key in a key policy, the user's attempts to call those
	// operations on your resources still fail."
	// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html
	wantCode(t, second(theirs.DeleteImportedKeyMaterial(ctx, &kms.DeleteImportedKeyMaterialInput{KeyId: &shared})), "AccessDeniedException")
	granted := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Grants: []kmsfake.Grant{{GranteePrincipal: "arn:aws:iam::777788889999:role/Reader", Operations: []types.GrantOperation{"Encrypt"}}}})
	wantCode(t, second(reader.Encrypt(ctx, &kms.EncryptInput{KeyId: &granted, Plaintext: []byte("x")})), "")
	wantCode(t, second(reader.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &granted, KeySpec: types.DataKeySpecAes256})), "AccessDeniedException")
}

// CustomerMasterKeySpec is deprecated, but KMS takes and answers it: "The KeySpec
// and CustomerMasterKeySpec fields have the same value."
func TestTheDeprecatedKeySpecStillWorks(t *testing.T) {
	srv, _ := fake()
	_, body := raw(t, srv, "TrentService.CreateKey", signed, `{"CustomerMasterKeySpec":"RSA_2048","KeyUsage":"SIGN_VERIFY"}`)
	if m := body["KeyMetadata"]; !strings.Contains(m, "KeySpec:RSA_2048") || !strings.Contains(m, "CustomerMasterKeySpec:RSA_2048") {
		t.Errorf("%s", m)
	}
}
