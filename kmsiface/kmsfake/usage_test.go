package kmsfake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// What is expected here is the text of
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html.

func lastUsage(t *testing.T, c *kms.Client, arn string) *kms.GetKeyLastUsageOutput {
	t.Helper()
	out, err := c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &arn})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// "If the key has not been used since tracking began, this response element is
// an empty object."
func TestAKeyWithoutARecordHasAnEmptyObject(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	var body []byte
	c := srv.Client(account, region, func(o *kms.Options) {
		inner := o.HTTPClient
		o.HTTPClient = doFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := inner.Do(r)
			if err == nil {
				body, err = io.ReadAll(resp.Body)
				resp.Body = io.NopCloser(bytes.NewReader(body))
			}
			return resp, err
		})
	})
	out := lastUsage(t, c, arn)
	if out.KeyLastUsage == nil || out.KeyLastUsage.Timestamp != nil || out.KeyLastUsage.Operation != "" {
		t.Errorf("KeyLastUsage %+v", out.KeyLastUsage)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		t.Fatal(err)
	}
	if string(raw["KeyLastUsage"]) != "{}" {
		t.Errorf("on the wire: %s", body)
	}
}

type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// "TrackingStartDate: The date from which AWS KMS began recording cryptographic
// activity for this key, or the date the KMS key was created, whichever is later."
func TestTrackingStartsAtTheLaterOfItsStartAndTheCreation(t *testing.T) {
	start := time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC)
	custom := time.Date(2026, time.May, 1, 9, 30, 0, 0, time.UTC)
	for _, tt := range []struct {
		name                 string
		trackingStart        time.Time
		created, wantTracked time.Time
	}{
		{"an old key", time.Time{}, start.AddDate(-3, 0, 0), start},
		{"a new key", time.Time{}, start.AddDate(0, 1, 0), start.AddDate(0, 1, 0)},
		{"a key as old as tracking", time.Time{}, start, start},
		{"another start", custom, start, custom},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, _ := fake(func(o *kmsfake.Options) { o.TrackingStart = tt.trackingStart })
			arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: tt.created})
			out := lastUsage(t, srv.Client(account, region), arn)
			if !out.TrackingStartDate.Equal(tt.wantTracked) || !out.KeyCreationDate.Equal(tt.created) {
				t.Errorf("tracking %v, creation %v", out.TrackingStartDate, out.KeyCreationDate)
			}
		})
	}
}

// In a bubble time begins with the year 2000, long before KMS began to track. A
// use must show all the same.
func TestAUseShowsInABubbleWithTheDefaultOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := kmsfake.New()
		c := srv.Client(account, region)
		id := must(c.CreateKey(t.Context(), &kms.CreateKeyInput{})).KeyMetadata.KeyId
		time.Sleep(time.Hour)
		must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: id, Plaintext: []byte("x")}))
		out := must(c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: id}))
		if used := out.KeyLastUsage.Timestamp; used == nil || !used.Equal(time.Now()) || out.TrackingStartDate.After(*used) {
			t.Errorf("used %v, tracked since %v", used, out.TrackingStartDate)
		}
	})
}

// "there is no record of the key being used for a successful cryptographic
// operation since the TrackingStartDate. However, the key may have been used
// before tracking began."
func TestAUseBeforeTrackingBeganLeavesNoRecord(t *testing.T) {
	srv, _ := fake()
	start := time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC)
	old := kmsfake.Key{Account: account, Region: region, Created: start.AddDate(-1, 0, 0)}
	old.LastUsed = start.Add(-time.Millisecond)
	before := srv.MustAddKey(old)
	old.LastUsed = start
	at := srv.MustAddKey(old)
	c := srv.Client(account, region)
	if out := lastUsage(t, c, before); out.KeyLastUsage.Timestamp != nil {
		t.Errorf("used before: %v", out.KeyLastUsage.Timestamp)
	}
	if out := lastUsage(t, c, at); out.KeyLastUsage.Timestamp == nil || !out.KeyLastUsage.Timestamp.Equal(start) {
		t.Errorf("used at the start: %v", out.KeyLastUsage.Timestamp)
	}
}

func TestEveryTrackedOperationIsRecordedWithItsEventAndRequest(t *testing.T) {
	// The 14 operations are the SDK's own list.
	tracked := types.KeyLastUsageTrackingOperation("").Values()
	for _, op := range tracked {
		t.Run(string(op), func(t *testing.T) {
			srv, clock := fake(func(o *kmsfake.Options) { o.Record = 100 })
			c := srv.Client(account, region)
			arn := useOnce(t, srv, c, clock, string(op))
			u := lastUsage(t, c, arn).KeyLastUsage
			if u.Operation != op || u.Timestamp == nil || !u.Timestamp.Equal(clock.Now().Add(-time.Minute)) {
				t.Fatalf("recorded %s at %v", u.Operation, u.Timestamp)
			}
			i := slices.IndexFunc(srv.Events(), func(e kmsfake.Event) bool { return e.EventID == aws.ToString(u.CloudTrailEventId) })
			if i < 0 {
				t.Fatalf("no event %s", aws.ToString(u.CloudTrailEventId))
			}
			e := srv.Events()[i]
			if e.Operation != string(op) || e.RequestID != aws.ToString(u.KmsRequestId) || e.Code != "" {
				t.Errorf("event %+v", e)
			}
		})
	}
	if len(tracked) != 14 {
		t.Errorf("the SDK knows %d tracked operations: are the new ones served?", len(tracked))
	}
}

// useOnce makes a key, uses it by the operation and lets a minute pass.
func useOnce(t *testing.T, srv *kmsfake.Server, c *kms.Client, clock *kmsfake.Clock, op string) string {
	t.Helper()
	ctx := t.Context()
	k := kmsfake.Key{Account: account, Region: region, Created: august.AddDate(0, -1, 0)}
	switch op {
	case "Sign", "Verify":
		k.Spec, k.Usage = types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify
	case "GenerateMac", "VerifyMac":
		k.Spec = types.KeySpecHmac256
	case "DeriveSharedSecret":
		k.Spec, k.Usage = types.KeySpecEccNistP384, types.KeyUsageTypeKeyAgreement
	case "Encapsulate", "Decapsulate":
		k.Spec = types.KeySpecMlKem768
	}
	arn := srv.MustAddKey(k)
	var err error
	switch op {
	case "Encrypt":
		_, err = c.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})
	case "Decrypt", "ReEncrypt":
		blob := must(c.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})).CiphertextBlob
		clock.Advance(time.Hour)
		if op == "Decrypt" {
			_, err = c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob})
		} else {
			_, err = c.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &arn})
		}
	case "GenerateDataKey":
		_, err = c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &arn, NumberOfBytes: aws.Int32(64)})
	case "GenerateDataKeyWithoutPlaintext":
		_, err = c.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &arn, KeySpec: types.DataKeySpecAes128})
	case "GenerateDataKeyPair":
		_, err = c.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{KeyId: &arn, KeyPairSpec: types.DataKeyPairSpecEccNistEdwards25519})
	case "GenerateDataKeyPairWithoutPlaintext":
		_, err = c.GenerateDataKeyPairWithoutPlaintext(ctx, &kms.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &arn, KeyPairSpec: types.DataKeyPairSpecMlKem1024})
	case "Sign", "Verify":
		alg := types.SigningAlgorithmSpecEcdsaSha256
		out := must(c.Sign(ctx, &kms.SignInput{KeyId: &arn, Message: []byte("m"), SigningAlgorithm: alg}))
		if op == "Verify" {
			clock.Advance(time.Hour)
			_, err = c.Verify(ctx, &kms.VerifyInput{KeyId: &arn, Message: []byte("m"), SigningAlgorithm: alg, Signature: out.Signature})
		}
	case "GenerateMac", "VerifyMac":
		alg := types.MacAlgorithmSpecHmacSha256
		out := must(c.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &arn, Message: []byte("m"), MacAlgorithm: alg}))
		if op == "VerifyMac" {
			clock.Advance(time.Hour)
			_, err = c.VerifyMac(ctx, &kms.VerifyMacInput{KeyId: &arn, Message: []byte("m"), MacAlgorithm: alg, Mac: out.Mac})
		}
	case "DeriveSharedSecret":
		peer := must(c.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &arn})).PublicKey
		_, err = c.DeriveSharedSecret(ctx, &kms.DeriveSharedSecretInput{KeyId: &arn, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: peer})
	case "Encapsulate", "Decapsulate":
		alg := types.EncapsulationAlgorithmSpecMlKem
		out := must(c.Encapsulate(ctx, &kms.EncapsulateInput{KeyId: &arn, EncapsulationAlgorithm: alg}))
		if op == "Decapsulate" {
			clock.Advance(time.Hour)
			_, err = c.Decapsulate(ctx, &kms.DecapsulateInput{KeyId: &arn, EncapsulationAlgorithm: alg, SharedSecretCiphertextBlob: out.SharedSecretCiphertextBlob})
		}
	default:
		t.Fatalf("no use by %s", op)
	}
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	return arn
}

// "Returns usage information about the last successful cryptographic operation".
func TestWhatFailsOrIsNotCryptographyIsNoUse(t *testing.T) {
	srv, clock := fake()
	c := srv.Client(account, region, once)
	ctx := t.Context()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(0, -1, 0)})
	blob := must(c.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x"), EncryptionContext: map[string]string{"a": "b"}})).CiphertextBlob
	used := clock.Now()
	clock.Advance(time.Hour)

	_, err := c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob})
	wantCode(t, err, "InvalidCiphertextException")
	_, err = c.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x"), DryRun: aws.Bool(true)})
	wantCode(t, err, "DryRunOperationException")
	_, err = c.Sign(ctx, &kms.SignInput{KeyId: &arn, Message: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	wantCode(t, err, "InvalidKeyUsageException")
	srv.Inject(func(kmsfake.Call) *kmsfake.Fault { return kmsfake.InternalFailure() })
	_, err = c.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})
	wantCode(t, err, "KMSInternalException")
	srv.Inject(nil)
	must(c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &arn}))
	must(c.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: aws.String("arn:aws:iam::111122223333:role/x"), Operations: []types.GrantOperation{"Decrypt"}}))
	must(c.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &arn}))
	must(c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &arn}))
	_, err = c.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})
	wantCode(t, err, "DisabledException")

	if got := lastUsage(t, c, arn).KeyLastUsage; !got.Timestamp.Equal(used) || got.Operation != "Encrypt" {
		t.Errorf("last use %s at %v, want the Encrypt at %v", got.Operation, got.Timestamp, used)
	}

	for _, tt := range []struct {
		spec  types.KeySpec
		usage types.KeyUsageType
		fail  func(arn string) error
		code  string
	}{
		{types.KeySpecHmac256, "", func(arn string) error {
			_, err := c.VerifyMac(ctx, &kms.VerifyMacInput{KeyId: &arn, Message: []byte("m"), Mac: []byte("x"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
			return err
		}, "KMSInvalidMacException"},
		{types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify, func(arn string) error {
			_, err := c.Verify(ctx, &kms.VerifyInput{KeyId: &arn, Message: []byte("m"), Signature: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
			return err
		}, "KMSInvalidSignatureException"},
		{types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement, func(arn string) error {
			_, err := c.DeriveSharedSecret(ctx, &kms.DeriveSharedSecretInput{KeyId: &arn, PublicKey: []byte("x"), KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh})
			return err
		}, "ValidationException"},
		{types.KeySpecMlKem768, "", func(arn string) error {
			_, err := c.Decapsulate(ctx, &kms.DecapsulateInput{KeyId: &arn, SharedSecretCiphertextBlob: []byte("x"), EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem})
			return err
		}, "InvalidCiphertextException"},
		{"", "", func(arn string) error {
			_, err := c.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: []byte("x"), DestinationKeyId: &arn})
			return err
		}, "InvalidCiphertextException"},
		{"", "", func(arn string) error {
			_, err := c.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{KeyId: &arn, KeyPairSpec: types.DataKeyPairSpecEccSecgP256k1})
			return err
		}, "UnsupportedOperationException"},
	} {
		arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: tt.spec, Usage: tt.usage})
		wantCode(t, tt.fail(arn), tt.code)
		if got := lastUsage(t, c, arn).KeyLastUsage; got.Timestamp != nil {
			t.Errorf("%s was recorded at %v", tt.code, got.Timestamp)
		}
	}

	signing := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecEccNistP256})
	must(c.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &signing}))
	if got := lastUsage(t, c, signing).KeyLastUsage; got.Timestamp != nil {
		t.Errorf("GetPublicKey was recorded at %v", got.Timestamp)
	}
}

// "For multi-Region KMS keys, primary and replica keys track last usage
// independently."
func TestMembersOfAMultiRegionSetTrackUseIndependently(t *testing.T) {
	srv, clock := fake()
	created := august.AddDate(0, -1, 0)
	primary := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: created, MultiRegion: true, ReplicaRegions: []string{"eu-west-1"}})
	replica := kmsfake.InRegion(primary, "eu-west-1")
	here, there := srv.Client(account, region), srv.Client(account, "eu-west-1")
	blob := must(here.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &primary, Plaintext: []byte("x")})).CiphertextBlob
	first := clock.Now()
	second := clock.Advance(time.Hour)
	out := must(there.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob}))
	if aws.ToString(out.KeyId) != replica {
		t.Errorf("decrypted by %s", aws.ToString(out.KeyId))
	}
	if got := lastUsage(t, here, primary).KeyLastUsage; !got.Timestamp.Equal(first) || got.Operation != "Encrypt" {
		t.Errorf("primary: %s at %v", got.Operation, got.Timestamp)
	}
	if got := lastUsage(t, there, replica).KeyLastUsage; !got.Timestamp.Equal(second) || got.Operation != "Decrypt" {
		t.Errorf("replica: %s at %v", got.Operation, got.Timestamp)
	}
}

// "Usage information is recorded for both keys independently, each with the
// CloudTrail event ID from the respective key owner's account."
func TestReEncryptIsAUseOfBothKeys(t *testing.T) {
	srv, clock := fake()
	here := srv.Client(account, region)
	source := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	same := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	foreign := srv.MustAddKey(kmsfake.Key{Account: other, Region: region, Policy: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:ReEncrypt*","Resource":"*"}]}`})
	for _, tt := range []struct {
		name, dest string
		owner      string
		sameEvent  bool
	}{{"one owner", same, account, true}, {"two owners", foreign, other, false}} {
		t.Run(tt.name, func(t *testing.T) {
			blob := must(here.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &source, Plaintext: []byte("x")})).CiphertextBlob
			now := clock.Advance(time.Hour)
			must(here.ReEncrypt(t.Context(), &kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &tt.dest}))
			a := lastUsage(t, here, source).KeyLastUsage
			b := lastUsage(t, srv.Client(tt.owner, region), tt.dest).KeyLastUsage
			if !a.Timestamp.Equal(now) || !b.Timestamp.Equal(now) || a.Operation != "ReEncrypt" || b.Operation != "ReEncrypt" {
				t.Errorf("source %s %v, destination %s %v", a.Operation, a.Timestamp, b.Operation, b.Timestamp)
			}
			if (*a.CloudTrailEventId == *b.CloudTrailEventId) != tt.sameEvent {
				t.Errorf("events %s and %s", *a.CloudTrailEventId, *b.CloudTrailEventId)
			}
		})
	}
}

func TestAUseShowsAfterTheLagAndTheOneBeforeItUntilThen(t *testing.T) {
	srv, clock := fake(func(o *kmsfake.Options) { o.Lag = time.Hour })
	c := srv.Client(account, region)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(0, -1, 0), LastUsed: august.AddDate(0, 0, -3)})
	must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")}))
	used := clock.Now()
	for _, step := range []struct {
		wait time.Duration
		want time.Time
	}{{0, august.AddDate(0, 0, -3)}, {time.Hour - time.Millisecond, august.AddDate(0, 0, -3)}, {time.Millisecond, used}, {time.Hour, used}} {
		clock.Advance(step.wait)
		if got := lastUsage(t, c, arn).KeyLastUsage.Timestamp; !got.Equal(step.want) {
			t.Errorf("at %v: %v, want %v", clock.Now(), got, step.want)
		}
	}
}

func TestUsesAreReportedInTheOrderOfTheirTimes(t *testing.T) {
	srv, clock := fake()
	c := srv.Client(account, region)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(0, -1, 0)})
	for _, days := range []int{-3, -10, 2, -1, 1} {
		if err := srv.Use(arn, "Decrypt", august.AddDate(0, 0, days)); err != nil {
			t.Fatal(err)
		}
	}
	for days := -1; days <= 2; days++ {
		if days == 0 {
			continue
		}
		clock.Set(august.AddDate(0, 0, max(0, days)))
		if got := lastUsage(t, c, arn).KeyLastUsage.Timestamp; !got.Equal(august.AddDate(0, 0, days)) {
			t.Errorf("on %v: last use %v", clock.Now(), got)
		}
	}
	if err := srv.Use("arn:aws:kms:us-east-1:111122223333:key/none", "Decrypt", august); err == nil {
		t.Error("an unknown key was used")
	}
	if err := srv.Use(arn, "Teleport", august.AddDate(0, 0, 2)); err != nil {
		t.Fatal(err)
	}
	if got := lastUsage(t, c, arn).KeyLastUsage.Operation; got != "Teleport" {
		t.Errorf("operation %s", got)
	}
}

// "To specify a KMS key, use its key ID or key ARN. Alias names are not
// supported." and "Cross-account use: No."
func TestLastUsageRefusesAliasesAndOtherAccounts(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Aliases: []string{"mine"}})
	foreign := srv.MustAddKey(kmsfake.Key{Account: other, Region: region, Policy: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}]}`})
	const aliases = "Key Aliases are not supported for this operation."
	for _, tt := range []struct{ id, code, message string }{
		{"alias/mine", "InvalidArnException", aliases},
		{"alias/none", "InvalidArnException", aliases},
		{"arn:aws:kms:us-east-1:111122223333:alias/mine", "InvalidArnException", aliases},
		{"mine", "NotFoundException", "Invalid keyId 'mine'"},
		{"1234abcd-12ab-34cd-56ef-1234567890ab", "NotFoundException", "Key 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' does not exist"},
		{"arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "NotFoundException", "Invalid arn eu-west-1"},
		{"arn:aws-cn:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "InvalidArnException", "Invalid arn arn:aws-cn:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
		{foreign, "AccessDeniedException", "User: arn:aws:sts::111122223333:assumed-role/Admin/kmsfake is not authorized to perform: kms:GetKeyLastUsage on resource: " + foreign +
			" because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"},
	} {
		_, err := c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &tt.id})
		wantError(t, err, tt.code, tt.message)
	}
	for _, id := range []string{arn, arn[len("arn:aws:kms:us-east-1:111122223333:key/"):]} {
		_, err := c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &id})
		wantCode(t, err, "")
	}
}

func TestAUseThatCannotHaveBeenIsRefused(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(0, 0, -5)})
	for _, tt := range []struct {
		name, arn, operation string
		at                   time.Time
		want                 string
	}{
		{"before the key was created", arn, "Decrypt", august.AddDate(0, 0, -6), arn + " cannot have been used at 2026-07-26T12:00:00Z: it was created at 2026-07-27T12:00:00Z"},
		{"without an operation", arn, "", august, "the use of " + arn + " needs an operation"},
		{"of an alias", "alias/x", "Decrypt", august, "there is no key alias/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := srv.Use(tt.arn, tt.operation, tt.at); err == nil || err.Error() != "kmsfake: "+tt.want {
				t.Errorf("%v", err)
			}
		})
	}
}

// The package comment shows this.
func TestABubbleThatWasMovedTracksUseAsToday(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(august))
		srv := kmsfake.New()
		arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
		c := srv.Client(account, region)
		must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")}))
		time.Sleep(90 * 24 * time.Hour)
		out := must(c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &arn}))
		if !out.TrackingStartDate.Equal(august) || !out.KeyCreationDate.Equal(august) || !out.KeyLastUsage.Timestamp.Equal(august) {
			t.Errorf("%+v", out)
		}
	})
}
