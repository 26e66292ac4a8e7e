package kmsfake_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// keyStateTable is AWS's, copied cell by cell from
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html.
// ok is its green check mark, ? its question mark, a number one of its
// footnotes, - what it marks as not applicable.
const keyStateTable = `
API                                  Enabled Disabled PendingDeletion PendingImport Unavailable Creating Updating
CancelKeyDeletion                    4       4        ok              4             4           4        4
CreateAlias                          ok      ok       3               ok            ok          ok       ok
CreateGrant                          ok      1        2|3             5             ok          14       ok
Decrypt                              ok      1        2|3             5             11          14       ok
DeleteAlias                          ok      ok       ok              ok            ok          ok       ok
DeleteImportedKeyMaterial            ok|9    ok|9     ok|9            ok            -           14       15
DeriveSharedSecret                   ok      1        2|3             5             -           14       ok
DescribeKey                          ok      ok       ok              ok            ok          ok       ok
DisableKey                           ok      ok       3               5             ok|12       14       15
DisableKeyRotation                   ?7      1|7      3|7             6             7           14       ?7
EnableKey                            ok      ok       3               5             ok|12       14       15
EnableKeyRotation                    ?7      1|7      3|7             6             7           14       ?7
Encrypt                              ok      1        2|3             5             11          14       ok
GenerateDataKey                      ok      1        2|3             5             11          14       ok
GenerateDataKeyPair                  ok      1        2|3             5             7           14       ok
GenerateDataKeyPairWithoutPlaintext  ok      1        2|3             5             7           14       ok
GenerateDataKeyWithoutPlaintext      ok      1        2|3             5             11          14       ok
GenerateMac                          ok      1        2|3             5             -           14       ok
GetKeyPolicy                         ok      ok       ok              ok            ok          ok       ok
GetKeyRotationStatus                 ?7      ?7       ?7              6             7           ?7       ?7
GetPublicKey                         ok      ok       2|3             ok            -           14       ok
ListAliases                          ok      ok       ok              ok            ok          ok       ok
ListGrants                           ok      ok       ok              ok            ok          ok       ok
ListKeyPolicies                      ok      ok       ok              ok            ok          ok       ok
ListKeyRotations                     ?7      ?7       ?7              ok            7           ?7       ?7
ListResourceTags                     ok      ok       ok              ok            ok          ok       ok
PutKeyPolicy                         ok      ok       ok              ok            ok          ok       ok
ReEncrypt                            ok      1        2|3             5             11          14       ok
ReplicateKey                         ok      1        2|3             5             -           14       15
RetireGrant                          ok      ok       ok              ok            ok          ok       ok
RevokeGrant                          ok      ok       ok              ok            ok          ok       ok
RotateKeyOnDemand                    ?7      1|7      3|7             5             7           14       ?7
ScheduleKeyDeletion                  ok      ok       3               ok            ok          ok       15
Sign                                 ok      1        2|3             5             -           14       ok
TagResource                          ok      ok       3               ok            ok          ok       ok
UntagResource                        ok      ok       3               ok            ok          ok       ok
UpdateAlias                          ok      ok       ?10             ok            ok          ok       ok
UpdateKeyDescription                 ok      ok       3               ok            ok          ok       ok
UpdatePrimaryRegion                  ok      1        2|3             5             -           14       ok
Verify                               ok      1        2|3             5             -           14       ok
VerifyMac                            ok      1        2|3             5             -           14       ok
`

// footnotes are those of the same page. It writes "pending deletion (or pending
// replica deletion)" for the two states of one column; [5] and [15] likewise.
var footnotes = map[string]struct{ code, text string }{
	"1":  {"DisabledException", "<key ARN> is disabled."},
	"2":  {"DisabledException", "<key ARN> is pending deletion."},
	"3":  {"KMSInvalidStateException", "<key ARN> is pending deletion."},
	"4":  {"KMSInvalidStateException", "<key ARN> is not pending deletion."},
	"5":  {"KMSInvalidStateException", "<key ARN> is pending import because no key material has ever been imported or one of the imported key materials is deleted or expired."},
	"6":  {"UnsupportedOperationException", "<key ARN> origin is EXTERNAL which is not valid for this operation."},
	"7":  {"UnsupportedOperationException", ""},
	"9":  {"UnsupportedOperationException", ""},
	"10": {"KMSInvalidStateException", "<key ARN> is pending deletion."},
	"11": {"KMSInvalidStateException", "<key ARN> is unavailable."},
	"14": {"KMSInvalidStateException", "<key ARN> is creating."},
	"15": {"KMSInvalidStateException", "<key ARN> is updating."},
}

// stateCase is one key with what the operations need, made while it works.
type stateCase struct {
	srv                              *kmsfake.Server
	client                           *kms.Client
	arn, helper                      string // helper: a plain key that always works
	ciphertext, signature, mac, peer []byte
	grantID                          string
}

// stateCalls calls every operation of the table on a key.
var stateCalls = map[string]func(context.Context, *stateCase) error{
	"CancelKeyDeletion": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &s.arn})
		return err
	},
	"CreateAlias": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: &s.arn})
		return err
	},
	"CreateGrant": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.CreateGrant(ctx, &kms.CreateGrantInput{
			KeyId: &s.arn, GranteePrincipal: aws.String("arn:aws:iam::111122223333:role/x"), Operations: []types.GrantOperation{types.GrantOperationDescribeKey},
		})
		return err
	},
	"Decrypt": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: s.ciphertext})
		return err
	},
	"DeleteAlias": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/old")})
		return err
	},
	"DeleteImportedKeyMaterial": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.DeleteImportedKeyMaterial(ctx, &kms.DeleteImportedKeyMaterialInput{KeyId: &s.arn})
		return err
	},
	"DeriveSharedSecret": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.DeriveSharedSecret(ctx, &kms.DeriveSharedSecretInput{KeyId: &s.arn, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: s.peer})
		return err
	},
	"DescribeKey": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &s.arn})
		return err
	},
	"DisableKey": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &s.arn})
		return err
	},
	"DisableKeyRotation": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &s.arn})
		return err
	},
	"EnableKey": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &s.arn})
		return err
	},
	"EnableKeyRotation": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &s.arn})
		return err
	},
	"Encrypt": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &s.arn, Plaintext: []byte("x")})
		return err
	},
	"GenerateDataKey": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &s.arn, KeySpec: types.DataKeySpecAes256})
		return err
	},
	"GenerateDataKeyPair": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{KeyId: &s.arn, KeyPairSpec: types.DataKeyPairSpecEccNistP256})
		return err
	},
	"GenerateDataKeyPairWithoutPlaintext": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.GenerateDataKeyPairWithoutPlaintext(ctx, &kms.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &s.arn, KeyPairSpec: types.DataKeyPairSpecEccNistP256})
		return err
	},
	"GenerateDataKeyWithoutPlaintext": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &s.arn, KeySpec: types.DataKeySpecAes256})
		return err
	},
	"GenerateMac": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &s.arn, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: []byte("m")})
		return err
	},
	"GetKeyPolicy": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &s.arn})
		return err
	},
	"GetKeyRotationStatus": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &s.arn})
		return err
	},
	"GetPublicKey": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &s.arn})
		return err
	},
	"ListAliases": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.ListAliases(ctx, &kms.ListAliasesInput{KeyId: &s.arn})
		return err
	},
	"ListGrants": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &s.arn})
		return err
	},
	"ListKeyPolicies": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.ListKeyPolicies(ctx, &kms.ListKeyPoliciesInput{KeyId: &s.arn})
		return err
	},
	"ListKeyRotations": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &s.arn})
		return err
	},
	"ListResourceTags": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &s.arn})
		return err
	},
	"PutKeyPolicy": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &s.arn, Policy: aws.String(kmsfake.DefaultPolicy(account, region))})
		return err
	},
	"ReEncrypt": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: s.ciphertext, DestinationKeyId: &s.helper})
		return err
	},
	"ReplicateKey": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.ReplicateKey(ctx, &kms.ReplicateKeyInput{KeyId: &s.arn, ReplicaRegion: aws.String("eu-central-1")})
		return err
	},
	"RetireGrant": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.RetireGrant(ctx, &kms.RetireGrantInput{KeyId: &s.arn, GrantId: &s.grantID})
		return err
	},
	"RevokeGrant": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &s.arn, GrantId: &s.grantID})
		return err
	},
	"RotateKeyOnDemand": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &s.arn})
		return err
	},
	"ScheduleKeyDeletion": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &s.arn})
		return err
	},
	"Sign": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.Sign(ctx, &kms.SignInput{KeyId: &s.arn, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256, Message: []byte("m")})
		return err
	},
	"TagResource": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.TagResource(ctx, &kms.TagResourceInput{KeyId: &s.arn, Tags: []types.Tag{{TagKey: aws.String("k"), TagValue: aws.String("v")}}})
		return err
	},
	"UntagResource": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.UntagResource(ctx, &kms.UntagResourceInput{KeyId: &s.arn, TagKeys: []string{"k"}})
		return err
	},
	"UpdateAlias": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: aws.String("alias/helper"), TargetKeyId: &s.arn})
		return err
	},
	"UpdateKeyDescription": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: &s.arn, Description: aws.String("d")})
		return err
	},
	"UpdatePrimaryRegion": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.UpdatePrimaryRegion(ctx, &kms.UpdatePrimaryRegionInput{KeyId: &s.arn, PrimaryRegion: aws.String("eu-west-1")})
		return err
	},
	"Verify": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.Verify(ctx, &kms.VerifyInput{KeyId: &s.arn, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256, Message: []byte("m"), Signature: s.signature})
		return err
	},
	"VerifyMac": func(ctx context.Context, s *stateCase) error {
		_, err := s.client.VerifyMac(ctx, &kms.VerifyMacInput{KeyId: &s.arn, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: []byte("m"), Mac: s.mac})
		return err
	},
}

const storeID = "cks-0123456789abcdef0"

// newStateCase makes a key for the operation that can be put into the state.
func newStateCase(t *testing.T, op string, state types.KeyState, custom bool, optFns ...func(*kmsfake.Options)) *stateCase {
	t.Helper()
	srv, _ := fake(optFns...)
	s := &stateCase{srv: srv, client: srv.Client(account, region, once)}
	s.grantID = strings.Repeat("ab", 32)
	k := kmsfake.Key{
		Account: account, Region: region, Aliases: []string{"old"}, Created: august.AddDate(-1, 0, 0),
		Grants: []kmsfake.Grant{{ID: s.grantID, GranteePrincipal: "arn:aws:iam::111122223333:role/y", Operations: []types.GrantOperation{"DescribeKey"}}},
	}
	switch op {
	case "DeriveSharedSecret":
		k.Spec, k.Usage = types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement
	case "GenerateMac", "VerifyMac":
		k.Spec = types.KeySpecHmac256
	case "Sign", "Verify", "GetPublicKey":
		k.Spec, k.Usage = types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify
	case "DeleteImportedKeyMaterial":
		k.Origin = types.OriginTypeExternal
	case "ReplicateKey", "UpdatePrimaryRegion":
		k.MultiRegion, k.ReplicaRegions = true, []string{"eu-west-1"}
	}
	switch state {
	case types.KeyStatePendingImport:
		k.Origin = types.OriginTypeExternal
	case types.KeyStateUnavailable:
		k.Origin, k.CustomKeyStoreID = types.OriginTypeAwsCloudhsm, storeID
	case types.KeyStateCreating, types.KeyStateUpdating, types.KeyStatePendingReplicaDeletion:
		k.MultiRegion, k.ReplicaRegions = true, []string{"eu-west-1"}
	default:
	}
	if custom {
		k.Origin, k.CustomKeyStoreID = types.OriginTypeAwsCloudhsm, storeID
	}
	s.arn = srv.MustAddKey(k)
	helper := kmsfake.Key{Account: account, Region: region, Spec: k.Spec, Usage: k.Usage, Aliases: []string{"helper"}}
	s.helper = srv.MustAddKey(helper)
	s.prepare(t, k)
	if err := srv.SetState(s.arn, state); err != nil {
		t.Fatal(err)
	}
	return s
}

// prepare makes what an operation reads, while the key is enabled.
func (s *stateCase) prepare(t *testing.T, k kmsfake.Key) {
	t.Helper()
	ctx := t.Context()
	switch {
	case k.Spec == "":
		s.ciphertext = must(s.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &s.arn, Plaintext: []byte("x")})).CiphertextBlob
	case k.Spec == types.KeySpecHmac256:
		s.mac = must(s.client.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &s.arn, MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Message: []byte("m")})).Mac
	case k.Usage == types.KeyUsageTypeKeyAgreement:
		s.peer = must(s.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &s.helper})).PublicKey
	default:
		s.signature = must(s.client.Sign(ctx, &kms.SignInput{KeyId: &s.arn, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256, Message: []byte("m")})).Signature
	}
}

func TestEveryKeyStateAnswersAsTheTableOfAWSSays(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(keyStateTable), "\n")
	states := strings.Fields(lines[0])[1:]
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		op := cells[0]
		call := stateCalls[op]
		if call == nil {
			t.Errorf("no call of %s", op)
			continue
		}
		for i, cell := range cells[1:] {
			state := types.KeyState(states[i])
			t.Run(op+"/"+string(state), func(t *testing.T) {
				if cell == "-" {
					return
				}
				s := newStateCase(t, op, state, false)
				s.check(t, cell, state, call(t.Context(), s))
			})
		}
	}
}

// check compares an answer with a cell of the table, for a key that is not in a
// custom key store unless its state is Unavailable, and that has imported key
// material if the operation is about it.
func (s *stateCase) check(t *testing.T, cell string, state types.KeyState, err error) {
	t.Helper()
	note := cell
	switch cell {
	case "ok", "ok|9", "ok|12", "?7":
		wantCode(t, err, "")
		return
	case "2|3", "3|7":
		note = "3"
	case "1|7":
		note = "1"
	case "?10":
		note = "10"
	}
	f := footnotes[note]
	if f.text == "" {
		wantCode(t, err, f.code)
		return
	}
	text := strings.ReplaceAll(f.text, "<key ARN>", s.arn)
	if state == types.KeyStatePendingReplicaDeletion {
		text = strings.ReplaceAll(text, "pending deletion", "pending replica deletion")
	}
	wantError(t, err, f.code, text)
}

func TestPendingReplicaDeletionSharesTheColumnOfPendingDeletion(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(keyStateTable)) {
		cells := strings.Fields(line)
		op, cell := cells[0], cells[3]
		switch op {
		case "API", "DeriveSharedSecret", "GenerateMac", "VerifyMac", "Sign", "Verify", "GetPublicKey", "DeleteImportedKeyMaterial":
			continue
		}
		t.Run(op, func(t *testing.T) {
			s := newStateCase(t, op, types.KeyStatePendingReplicaDeletion, false)
			s.check(t, cell, types.KeyStatePendingReplicaDeletion, stateCalls[op](t.Context(), s))
		})
	}
}

// Footnote [7]: "If the KMS key is in a custom key store:
// UnsupportedOperationException", whatever the state.
func TestCustomKeyStoresRefuseWhatFootnote7Says(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(keyStateTable)) {
		cells := strings.Fields(line)
		for i, state := range []types.KeyState{types.KeyStateEnabled, types.KeyStateDisabled, types.KeyStatePendingDeletion} {
			if !strings.Contains(cells[1+i], "7") {
				continue
			}
			t.Run(cells[0]+"/"+string(state), func(t *testing.T) {
				s := newStateCase(t, cells[0], state, true)
				wantCode(t, stateCalls[cells[0]](t.Context(), s), "UnsupportedOperationException")
			})
		}
	}
}

// Footnotes [2] and [3] leave two errors for the use of a key that is pending
// deletion.
func TestUseOfAKeyPendingDeletionCanFailAsDisabled(t *testing.T) {
	s := newStateCase(t, "Decrypt", types.KeyStatePendingDeletion, false, func(o *kmsfake.Options) { o.DisabledWhenPending = true })
	wantError(t, stateCalls["Decrypt"](t.Context(), s), "DisabledException", s.arn+" is pending deletion.")
	wantError(t, stateCalls["DisableKey"](t.Context(), s), "KMSInvalidStateException", s.arn+" is pending deletion.")
}

// Footnote [9]: "If the KMS key cannot have imported key material:
// UnsupportedOperationException".
func TestKeyMaterialThatWasNotImportedCannotBeDeleted(t *testing.T) {
	s := newStateCase(t, "Decrypt", types.KeyStateEnabled, false)
	wantCode(t, stateCalls["DeleteImportedKeyMaterial"](t.Context(), s), "UnsupportedOperationException")
}

// Footnote [10]: "If the source KMS key is pending deletion, the command
// succeeds."
func TestAnAliasMovesAwayFromAKeyPendingDeletion(t *testing.T) {
	s := newStateCase(t, "Decrypt", types.KeyStatePendingDeletion, false)
	_, err := s.client.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: aws.String("alias/old"), TargetKeyId: &s.helper})
	wantCode(t, err, "")
}

// Footnote [12]: "The operation succeeds, but the key state of the KMS key does
// not change until it becomes available."
func TestDisablingAnUnavailableKeyShowsWhenItsStoreConnects(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, CustomKeyStoreID: storeID})
	set := func(state types.ConnectionStateType) {
		if err := srv.SetKeyStoreState(account, region, storeID, state); err != nil {
			t.Fatal(err)
		}
	}
	state := func() types.KeyState {
		return must(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})).KeyMetadata.KeyState
	}
	set(types.ConnectionStateTypeDisconnected)
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn}))
	if got := state(); got != types.KeyStateUnavailable {
		t.Errorf("while disconnected: %s", got)
	}
	set(types.ConnectionStateTypeConnected)
	if got := state(); got != types.KeyStateDisabled {
		t.Errorf("once connected: %s", got)
	}
	// Footnote [13]: pending deletion comes before unavailable.
	must(c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn}))
	set(types.ConnectionStateTypeDisconnected)
	if got := state(); got != types.KeyStatePendingDeletion {
		t.Errorf("pending deletion, disconnected: %s", got)
	}
}

func TestLastUsageIsReadInEveryState(t *testing.T) {
	// The table does not name GetKeyLastUsage; its API page lists no state error.
	// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
	for _, state := range types.KeyState("").Values() {
		s := newStateCase(t, "Decrypt", state, false)
		_, err := s.client.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &s.arn})
		wantCode(t, err, "")
	}
}
