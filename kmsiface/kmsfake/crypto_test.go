package kmsfake_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestSymmetricCiphertextNeedsItsKeyAndContext(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	ctx := t.Context()
	mine := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Aliases: []string{"mine"}})
	another := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	context := map[string]string{"purpose": "test", "tenant": "1"}
	for i := range 8 { // so that an order of its own would show
		context[fmt.Sprint("pair", i)] = "v"
	}
	enc := must(c.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String("alias/mine"), Plaintext: []byte("secret"), EncryptionContext: context}))
	if aws.ToString(enc.KeyId) != mine {
		t.Errorf("encrypted under %s", aws.ToString(enc.KeyId))
	}
	dec := must(c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, EncryptionContext: context}))
	meta := must(c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &mine})).KeyMetadata
	if string(dec.Plaintext) != "secret" || aws.ToString(dec.KeyId) != mine || *dec.KeyMaterialId != *meta.CurrentKeyMaterialId {
		t.Errorf("decrypted %q by %s, material %s", dec.Plaintext, *dec.KeyId, *dec.KeyMaterialId)
	}

	changed := slices.Clone(enc.CiphertextBlob)
	changed[len(changed)-1] ^= 1
	elsewhere := srv.Client(account, "eu-west-1", once)
	for _, tt := range []struct {
		name   string
		client *kms.Client
		in     kms.DecryptInput
		code   string
	}{
		{"no context", c, kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob}, "InvalidCiphertextException"},
		{"another context", c, kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, EncryptionContext: map[string]string{"purpose": "test", "tenant": "2"}}, "InvalidCiphertextException"},
		{"a changed byte", c, kms.DecryptInput{CiphertextBlob: changed, EncryptionContext: context}, "InvalidCiphertextException"},
		{"no ciphertext at all", c, kms.DecryptInput{CiphertextBlob: []byte("hello")}, "InvalidCiphertextException"},
		// "The KeyId in a Decrypt request ... must identify the same KMS key that was
		// used to encrypt the ciphertext."
		{"another key", c, kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, EncryptionContext: context, KeyId: &another}, "IncorrectKeyException"},
		{"another Region", elsewhere, kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, EncryptionContext: context}, "AccessDeniedException"},
		{"another account", srv.Client(other, region, once), kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, EncryptionContext: context}, "AccessDeniedException"},
		{"another algorithm", c, kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, KeyId: &mine, EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256}, "InvalidKeyUsageException"},
		{"too much", c, kms.DecryptInput{CiphertextBlob: make([]byte, 6145)}, "ValidationException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.client.Decrypt(ctx, &tt.in)
			wantCode(t, err, tt.code)
		})
	}
	_, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: &mine, Plaintext: make([]byte, 4097)})
	wantCode(t, err, "ValidationException") // "Maximum length of 4096."
	_, err = c.Decrypt(ctx, &kms.DecryptInput{KeyId: &mine, DryRun: aws.Bool(true), DryRunModifiers: []types.DryRunModifierType{types.DryRunModifierTypeIgnoreCiphertext}})
	wantCode(t, err, "DryRunOperationException")
}

func TestOldKeyMaterialDecryptsAfterRotation(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	old := must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("old")}))
	must(c.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &arn}))
	fresh := must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("new")}))
	a := must(c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: old.CiphertextBlob}))
	b := must(c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: fresh.CiphertextBlob}))
	if string(a.Plaintext) != "old" || string(b.Plaintext) != "new" || *a.KeyMaterialId == *b.KeyMaterialId {
		t.Errorf("%q by %s, %q by %s", a.Plaintext, *a.KeyMaterialId, b.Plaintext, *b.KeyMaterialId)
	}
}

func TestDataKeysDecryptToWhatWasGiven(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	ctx := t.Context()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	key := must(c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &arn, KeySpec: types.DataKeySpecAes256}))
	if got := must(c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: key.CiphertextBlob})).Plaintext; len(got) != 32 || !bytes.Equal(got, key.Plaintext) {
		t.Errorf("data key %x decrypts to %x", key.Plaintext, got)
	}
	for _, spec := range types.DataKeyPairSpec("").Values() {
		if spec == types.DataKeyPairSpecRsa3072 || spec == types.DataKeyPairSpecRsa4096 {
			continue // like RSA_2048, but slow
		}
		pair, err := c.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{KeyId: &arn, KeyPairSpec: spec})
		switch spec {
		case types.DataKeyPairSpecEccSecgP256k1, types.DataKeyPairSpecSm2, types.DataKeyPairSpecMlKem512:
			// Not in Go's standard library, and so refused, not faked.
			wantCode(t, err, "UnsupportedOperationException")
			continue
		default:
			wantCode(t, err, "")
		}
		private := must(c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: pair.PrivateKeyCiphertextBlob})).Plaintext
		if !bytes.Equal(private, pair.PrivateKeyPlaintext) {
			t.Errorf("%s: the private key decrypts to something else", spec)
		}
		if strings.HasPrefix(string(spec), "ML_KEM") {
			continue
		}
		signer, ok := must(x509.ParsePKCS8PrivateKey(private)).(crypto.Signer)
		if !ok || !bytes.Equal(must(x509.MarshalPKIXPublicKey(signer.Public())), pair.PublicKey) {
			t.Errorf("%s: the public key is of another pair", spec)
		}
	}
	_, err := c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &arn})
	wantError(t, err, "ValidationException", "Please specify either number of bytes or key spec.")
	hmac := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecHmac256})
	_, err = c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &hmac, KeySpec: types.DataKeySpecAes256})
	wantCode(t, err, "InvalidKeyUsageException")
	rsaKey := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecRsa2048})
	_, err = c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &rsaKey, KeySpec: types.DataKeySpecAes256})
	wantCode(t, err, "InvalidKeyUsageException")
	if got := must(c.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1024)})).Plaintext; len(got) != 1024 {
		t.Errorf("%d random bytes", len(got))
	}
}

// signingKeys are all specs that sign, with the Region that has them.
func signingKeys() map[types.KeySpec]string {
	return map[types.KeySpec]string{
		types.KeySpecRsa2048: region, types.KeySpecEccNistP256: region, types.KeySpecEccNistP384: region, types.KeySpecEccNistP521: region,
		types.KeySpecEccNistEdwards25519: region, types.KeySpecEccSecgP256k1: region, types.KeySpecSm2: "cn-north-1",
		types.KeySpecMlDsa44: region, types.KeySpecMlDsa65: region, types.KeySpecMlDsa87: region,
	}
}

func TestSignaturesVerifyWithTheirKeyMessageAndAlgorithmOnly(t *testing.T) {
	for spec, region := range signingKeys() {
		t.Run(string(spec), func(t *testing.T) {
			srv, _ := fake()
			c := srv.Client(account, region, once)
			ctx := t.Context()
			k := kmsfake.Key{Account: account, Region: region, Spec: spec, Usage: types.KeyUsageTypeSignVerify}
			arn, another := srv.MustAddKey(k), srv.MustAddKey(k)
			public := must(c.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &arn}))
			for _, alg := range public.SigningAlgorithms {
				kind, message := types.MessageTypeRaw, []byte("message")
				if alg == types.SigningAlgorithmSpecEd25519PhSha512 {
					digest := sha512.Sum512(message)
					kind, message = types.MessageTypeDigest, digest[:]
				}
				signature := must(c.Sign(ctx, &kms.SignInput{KeyId: &arn, SigningAlgorithm: alg, Message: message, MessageType: kind})).Signature
				verify := func(key string, message, signature []byte) error {
					_, err := c.Verify(ctx, &kms.VerifyInput{KeyId: &key, SigningAlgorithm: alg, Message: message, MessageType: kind, Signature: signature})
					return err
				}
				wantCode(t, verify(arn, message, signature), "")
				wantCode(t, verify(another, message, signature), "KMSInvalidSignatureException")
				changed := slices.Clone(message)
				changed[0] ^= 1
				wantCode(t, verify(arn, changed, signature), "KMSInvalidSignatureException")
				wantCode(t, verify(arn, message, []byte("forged")), "KMSInvalidSignatureException")
				outside(t, public, alg, message, signature)
			}
			_, err := c.Sign(ctx, &kms.SignInput{KeyId: &arn, SigningAlgorithm: unfit(spec), Message: []byte("m")})
			wantCode(t, err, "InvalidKeyUsageException")
		})
	}
}

// unfit is an algorithm that a key of the spec cannot do.
func unfit(spec types.KeySpec) types.SigningAlgorithmSpec {
	if spec == types.KeySpecSm2 {
		return types.SigningAlgorithmSpecEcdsaSha256
	}
	return types.SigningAlgorithmSpecSm2dsa
}

// outside verifies a signature without KMS, where the signatures are real.
func outside(t *testing.T, public *kms.GetPublicKeyOutput, alg types.SigningAlgorithmSpec, message, signature []byte) {
	t.Helper()
	parsed, err := x509.ParsePKIXPublicKey(public.PublicKey)
	switch public.KeySpec {
	case types.KeySpecEccSecgP256k1, types.KeySpecSm2, types.KeySpecMlDsa44, types.KeySpecMlDsa65, types.KeySpecMlDsa87:
		// The package says that these are not real.
		var info struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}
		if _, err := asn1.Unmarshal(public.PublicKey, &info); err != nil {
			t.Errorf("%s: not even the form of a public key: %v", public.KeySpec, err)
		}
		return
	default:
		if err != nil {
			t.Fatal(err)
		}
	}
	ok := true
	switch key := parsed.(type) {
	case *rsa.PublicKey:
		if alg == types.SigningAlgorithmSpecRsassaPssSha256 {
			sum := sha256.Sum256(message)
			ok = rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil) == nil
		}
	case *ecdsa.PublicKey:
		if alg == types.SigningAlgorithmSpecEcdsaSha256 {
			sum := sha256.Sum256(message)
			ok = ecdsa.VerifyASN1(key, sum[:], signature)
		}
	case ed25519.PublicKey:
		if alg == types.SigningAlgorithmSpecEd25519Sha512 {
			ok = ed25519.Verify(key, message, signature)
		}
	default:
		t.Errorf("public key %T", parsed)
	}
	if !ok {
		t.Errorf("%s does not verify outside KMS", alg)
	}
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html: "When the
// value of MessageType is DIGEST, the length of the Message value must match the
// length of hashed messages for the specified signing algorithm."
func TestDigestsAreSignedAsTheyAre(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecEccNistP256})
	ed := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecEccNistEdwards25519})
	lattice := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecMlDsa65})
	sum := sha256.Sum256([]byte("m"))
	sign := func(key string, alg types.SigningAlgorithmSpec, kind types.MessageType, message []byte) ([]byte, error) {
		out, err := c.Sign(t.Context(), &kms.SignInput{KeyId: &key, SigningAlgorithm: alg, Message: message, MessageType: kind})
		if err != nil {
			return nil, err
		}
		return out.Signature, nil
	}
	signature := must(sign(arn, types.SigningAlgorithmSpecEcdsaSha256, types.MessageTypeDigest, sum[:]))
	_, err := c.Verify(t.Context(), &kms.VerifyInput{KeyId: &arn, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256, Message: []byte("m"), Signature: signature})
	wantCode(t, err, "")
	_, err = sign(arn, types.SigningAlgorithmSpecEcdsaSha256, types.MessageTypeDigest, sum[:31])
	wantError(t, err, "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.")
	// "ED25519_SHA_512 signing algorithm requires MessageType:RAW", "ED25519_PH_SHA_512
	// ... requires MessageType:DIGEST".
	_, err = sign(ed, types.SigningAlgorithmSpecEd25519Sha512, types.MessageTypeDigest, make([]byte, 64))
	wantCode(t, err, "ValidationException")
	_, err = sign(ed, types.SigningAlgorithmSpecEd25519PhSha512, types.MessageTypeRaw, []byte("m"))
	wantCode(t, err, "ValidationException")
	_, err = sign(lattice, types.SigningAlgorithmSpecMlDsaShake256, types.MessageTypeExternalMu, make([]byte, 64))
	wantCode(t, err, "")
	_, err = sign(lattice, types.SigningAlgorithmSpecMlDsaShake256, types.MessageTypeExternalMu, make([]byte, 63))
	wantCode(t, err, "ValidationException")
	_, err = sign(arn, types.SigningAlgorithmSpecEcdsaSha256, types.MessageTypeExternalMu, make([]byte, 64))
	wantCode(t, err, "ValidationException")
}

func TestAsymmetricEncryptionRoundTrips(t *testing.T) {
	srv, _ := fake()
	for spec, region := range map[types.KeySpec]string{types.KeySpecRsa2048: region, types.KeySpecSm2: "cn-northwest-1"} {
		c := srv.Client(account, region, once)
		k := kmsfake.Key{Account: account, Region: region, Spec: spec, Usage: types.KeyUsageTypeEncryptDecrypt}
		arn, another := srv.MustAddKey(k), srv.MustAddKey(k)
		public := must(c.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &arn}))
		for _, alg := range public.EncryptionAlgorithms {
			blob := must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x"), EncryptionAlgorithm: alg})).CiphertextBlob
			out := must(c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob, EncryptionAlgorithm: alg}))
			if string(out.Plaintext) != "x" || out.KeyMaterialId != nil {
				t.Errorf("%s: %q, material %v", alg, out.Plaintext, out.KeyMaterialId)
			}
			_, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &another, CiphertextBlob: blob, EncryptionAlgorithm: alg})
			wantCode(t, err, "InvalidCiphertextException")
			_, err = c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob, EncryptionAlgorithm: alg})
			wantCode(t, err, "InvalidCiphertextException")
			_, err = c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: make([]byte, 1025), EncryptionAlgorithm: alg})
			wantCode(t, err, "ValidationException")
		}
		_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})
		wantCode(t, err, "InvalidKeyUsageException") // SYMMETRIC_DEFAULT is the default
	}
	// Whoever has the public key encrypts without KMS.
	c := srv.Client(account, region)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecRsa2048})
	public := publicKey[*rsa.PublicKey](t, c, arn)
	blob := must(rsa.EncryptOAEP(sha256.New(), rand.Reader, public, []byte("outside"), nil))
	if out := must(c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob, EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256})); string(out.Plaintext) != "outside" {
		t.Errorf("%q", out.Plaintext)
	}
}

// publicKey reads the public key of a key.
func publicKey[T any](t *testing.T, c *kms.Client, arn string) T {
	t.Helper()
	der := must(c.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &arn})).PublicKey
	key, ok := must(x509.ParsePKIXPublicKey(der)).(T)
	if !ok {
		t.Fatalf("no %T", key)
	}
	return key
}

func TestMacsVerifyWithTheirKeyAndMessageOnly(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	for _, spec := range []types.KeySpec{types.KeySpecHmac224, types.KeySpecHmac256, types.KeySpecHmac384, types.KeySpecHmac512} {
		k := kmsfake.Key{Account: account, Region: region, Spec: spec}
		arn, another := srv.MustAddKey(k), srv.MustAddKey(k)
		alg := must(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})).KeyMetadata.MacAlgorithms[0]
		mac := must(c.GenerateMac(t.Context(), &kms.GenerateMacInput{KeyId: &arn, MacAlgorithm: alg, Message: []byte("m")})).Mac
		for _, tt := range []struct{ key, message, code string }{{arn, "m", ""}, {arn, "n", "KMSInvalidMacException"}, {another, "m", "KMSInvalidMacException"}} {
			_, err := c.VerifyMac(t.Context(), &kms.VerifyMacInput{KeyId: &tt.key, MacAlgorithm: alg, Message: []byte(tt.message), Mac: mac})
			wantCode(t, err, tt.code)
		}
		wrong := types.MacAlgorithmSpecHmacSha256
		if spec == types.KeySpecHmac256 {
			wrong = types.MacAlgorithmSpecHmacSha512
		}
		_, err := c.GenerateMac(t.Context(), &kms.GenerateMacInput{KeyId: &arn, MacAlgorithm: wrong, Message: []byte("m")})
		wantCode(t, err, "InvalidKeyUsageException")
	}
}

func TestBothSidesDeriveTheSameSecret(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecEccNistP256, Usage: types.KeyUsageTypeKeyAgreement})
	public := publicKey[*ecdsa.PublicKey](t, c, arn)
	peer := must(ecdh.P256().GenerateKey(rand.Reader))
	want := must(peer.ECDH(must(public.ECDH())))
	derive := func(public []byte) (*kms.DeriveSharedSecretOutput, error) {
		return c.DeriveSharedSecret(t.Context(), &kms.DeriveSharedSecretInput{KeyId: &arn, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: public})
	}
	if got := must(derive(must(x509.MarshalPKIXPublicKey(peer.PublicKey())))); !bytes.Equal(got.SharedSecret, want) || got.KeyOrigin != types.OriginTypeAwsKms {
		t.Errorf("secret %x, want %x", got.SharedSecret, want)
	}
	_, err := derive(must(x509.MarshalPKIXPublicKey(must(ecdh.P384().GenerateKey(rand.Reader)).PublicKey())))
	wantCode(t, err, "ValidationException")
	_, err = derive([]byte("no key"))
	wantCode(t, err, "ValidationException")

	// SM2 has the form only, and refuses what has not.
	china := srv.Client(account, "cn-north-1", once)
	sm2 := srv.MustAddKey(kmsfake.Key{Account: account, Region: "cn-north-1", Spec: types.KeySpecSm2, Usage: types.KeyUsageTypeKeyAgreement})
	theirs := must(china.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &sm2})).PublicKey
	for _, tt := range []struct {
		peer []byte
		code string
	}{{theirs, ""}, {[]byte("no key"), "ValidationException"}} {
		_, err := china.DeriveSharedSecret(t.Context(), &kms.DeriveSharedSecretInput{KeyId: &sm2, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: tt.peer})
		wantCode(t, err, tt.code)
	}
}

func TestEncapsulatedSecretsDecapsulate(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	alg := types.EncapsulationAlgorithmSpecMlKem
	for _, spec := range []types.KeySpec{types.KeySpecMlKem512, types.KeySpecMlKem768, types.KeySpecMlKem1024} {
		arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: spec})
		enc := must(c.Encapsulate(t.Context(), &kms.EncapsulateInput{KeyId: &arn, EncapsulationAlgorithm: alg}))
		decapsulate := func(blob []byte) (*kms.DecapsulateOutput, error) {
			return c.Decapsulate(t.Context(), &kms.DecapsulateInput{KeyId: &arn, EncapsulationAlgorithm: alg, SharedSecretCiphertextBlob: blob})
		}
		if got := must(decapsulate(enc.SharedSecretCiphertextBlob)); !bytes.Equal(got.SharedSecret, enc.SharedSecret) || len(got.SharedSecret) != 32 {
			t.Errorf("%s: %x, want %x", spec, got.SharedSecret, enc.SharedSecret)
		}
		changed := slices.Clone(enc.SharedSecretCiphertextBlob)
		changed[0] ^= 1
		if got := must(decapsulate(changed)); bytes.Equal(got.SharedSecret, enc.SharedSecret) {
			t.Errorf("%s: a changed ciphertext gives the same secret", spec)
		}
		// "From the Decapsulate operation, the request was rejected because the length
		// of the SharedSecretCiphertextBlob is inconsistent with the specified ML-KEM key spec."
		_, err := decapsulate(changed[1:])
		wantCode(t, err, "InvalidCiphertextException")
	}
	// The other side of a real one needs no KMS.
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: types.KeySpecMlKem768})
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(must(c.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &arn})).PublicKey, &info); err != nil {
		t.Fatal(err)
	}
	secret, blob := must(mlkem.NewEncapsulationKey768(info.Key.Bytes)).Encapsulate()
	if got := must(c.Decapsulate(t.Context(), &kms.DecapsulateInput{KeyId: &arn, EncapsulationAlgorithm: alg, SharedSecretCiphertextBlob: blob})); !bytes.Equal(got.SharedSecret, secret) {
		t.Error("another secret than outside KMS")
	}
}

func TestNothingIsAnsweredToNitroEnclaves(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	_, err := c.GenerateRandom(t.Context(), &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1), Recipient: &types.RecipientInfo{}})
	wantError(t, err, "UnsupportedOperationException", "kmsfake does not implement the member Recipient")
}

func TestOnlyAsymmetricKeysHaveAPublicKey(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	for _, spec := range []types.KeySpec{types.KeySpecSymmetricDefault, types.KeySpecHmac256} {
		arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Spec: spec})
		_, err := c.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: &arn})
		wantCode(t, err, "UnsupportedOperationException")
	}
}

func TestRandomBytesComeFromConnectedCloudHSMStoresOnly(t *testing.T) {
	srv, _ := fake()
	c := srv.Client(account, region, once)
	add := func(kind types.CustomKeyStoreType, state types.ConnectionStateType) string {
		return must(srv.AddKeyStore(kmsfake.KeyStore{Account: account, Region: region, Type: kind, State: state}))
	}
	for _, tt := range []struct{ id, code string }{
		{add(types.CustomKeyStoreTypeAwsCloudhsm, ""), ""},
		{add(types.CustomKeyStoreTypeAwsCloudhsm, types.ConnectionStateTypeFailed), "CustomKeyStoreInvalidStateException"},
		{add(types.CustomKeyStoreTypeExternalKeyStore, ""), "UnsupportedOperationException"},
		{"cks-00000000000000000", "CustomKeyStoreNotFoundException"},
	} {
		_, err := c.GenerateRandom(t.Context(), &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1), CustomKeyStoreId: &tt.id})
		wantCode(t, err, tt.code)
	}
}
