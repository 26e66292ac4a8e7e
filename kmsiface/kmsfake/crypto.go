package kmsfake

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// usable is key for cryptographic operations: the key must also be for this use.
func (c *call) usable(ref *string, usage types.KeyUsageType) (*key, error) {
	return c.usableFor(ref, usage, c.op.name)
}

func (c *call) usableFor(ref *string, usage types.KeyUsageType, action string) (*key, error) {
	k, err := c.keyFor(ref, action)
	if err != nil {
		return nil, err
	}
	if k.usage != usage {
		return nil, fail(codeInvalidKeyUsage, "%s key usage is %s which is not valid for %s.", k.arn, k.usage, c.op.name)
	}
	if err := k.paired(); err != nil {
		return nil, err
	}
	return k, nil
}

// dry ends a call that only asks whether it would succeed.
func (c *call) dry(dryRun *bool) error {
	if aws.ToBool(dryRun) {
		return fail(codeDryRun, "The request would have succeeded, but the DryRun option is set.")
	}
	return nil
}

// incompatible is the error for an algorithm that the key does not support.
func incompatible[A ~string](k *key, alg A) error {
	return fail(codeInvalidKeyUsage, "Algorithm %s is incompatible with key spec %s.", alg, k.spec)
}

// noRecipient refuses what needs a Nitro enclave.
func noRecipient(r *types.RecipientInfo) error {
	if r == nil {
		return nil
	}
	return fail(codeUnsupportedOperation, "kmsfake does not implement the member Recipient")
}

// materialIDOf is given with answers of keys that can have several materials.
func materialIDOf(k *key, id string) *string {
	if !rotatable(k) {
		return nil
	}
	return aws.String(id)
}

// plaintextLimit returns how long a plaintext can be, in bytes.
//
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
func plaintextLimit(k *key, alg types.EncryptionAlgorithmSpec) int {
	limits := map[types.KeySpec][2]int{ // OAEP with SHA-1 and with SHA-256
		types.KeySpecRsa2048: {214, 190},
		types.KeySpecRsa3072: {342, 318},
		types.KeySpecRsa4096: {470, 446},
		types.KeySpecSm2:     {1024, 1024},
	}
	l, ok := limits[k.spec]
	switch {
	case !ok:
		return 4096
	case alg == types.EncryptionAlgorithmSpecRsaesOaepSha1:
		return l[0]
	default:
		return l[1]
	}
}

// seal encrypts under any key for encryption.
func (c *call) seal(k *key, alg types.EncryptionAlgorithmSpec, plaintext []byte, context map[string]string) (blob []byte, materialID string, err error) {
	if err := fits(k, alg, context); err != nil {
		return nil, "", err
	}
	if most := plaintextLimit(k, alg); len(plaintext) > most {
		return nil, "", invalid("Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", alg, k.spec, most)
	}
	if isSymmetric(k.spec) {
		blob, materialID = c.encryptSymmetric(k, plaintext, context)
		return blob, materialID, nil
	}
	blob, err = as[cipherer](k.pair()).encrypt(alg, plaintext)
	return blob, "", err
}

func fits(k *key, alg types.EncryptionAlgorithmSpec, context map[string]string) error {
	if !slices.Contains(encryptionAlgorithms(k), alg) {
		return incompatible(k, alg)
	}
	if !isSymmetric(k.spec) && len(context) > 0 {
		return invalid("EncryptionContext is not valid with an asymmetric KMS key.")
	}
	return nil
}

// unseal finds the key of a ciphertext, checks it and decrypts. A symmetric
// ciphertext names its key itself; a key that the request names must be the same
// or of the same multi-Region set.
func (c *call) unseal(ref *string, action string, alg types.EncryptionAlgorithmSpec, blob []byte, context map[string]string, dryRun bool) (k *key, plaintext []byte, materialID string, err error) {
	h, symmetric := readHeader(blob)
	switch {
	case ref != nil:
		if k, err = c.usableFor(ref, types.KeyUsageTypeEncryptDecrypt, action); err != nil {
			return nil, nil, "", err
		}
	case !symmetric:
		return nil, nil, "", fail(codeInvalidCiphertext, "")
	default:
		sc := scope{h.account, c.region}
		if c.srv.store(sc).keys[h.keyID] == nil {
			return nil, nil, "", fail(codeAccessDenied, "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
		}
		arn := sc.arn("key/" + h.keyID)
		if k, err = c.usableFor(&arn, types.KeyUsageTypeEncryptDecrypt, action); err != nil {
			return nil, nil, "", err
		}
	}
	if err := fits(k, alg, context); err != nil {
		return nil, nil, "", err
	}
	if dryRun && len(blob) == 0 { // the modifier IGNORE_CIPHERTEXT
		return k, nil, "", nil
	}
	if !isSymmetric(k.spec) {
		if plaintext, err = as[cipherer](k.pair()).decrypt(alg, blob); err != nil {
			return nil, nil, "", fail(codeInvalidCiphertext, "")
		}
		return k, plaintext, "", nil
	}
	switch {
	case !symmetric:
		return nil, nil, "", fail(codeInvalidCiphertext, "")
	case h.account != k.store.account || h.keyID != k.id:
		return nil, nil, "", fail(codeIncorrectKey, "The key ID in the request does not identify a CMK that can perform this operation.")
	}
	if plaintext, err = decryptSymmetric(k, h, context); err != nil {
		return nil, nil, "", fail(codeInvalidCiphertext, "")
	}
	return k, plaintext, h.materialID, nil
}

func algorithmOr(alg types.EncryptionAlgorithmSpec) types.EncryptionAlgorithmSpec {
	if alg == "" {
		return types.EncryptionAlgorithmSpecSymmetricDefault
	}
	return alg
}

func encrypt(c *call, in *kms.EncryptInput) (*kms.EncryptOutput, error) {
	k, err := c.usable(in.KeyId, types.KeyUsageTypeEncryptDecrypt)
	if err != nil {
		return nil, err
	}
	alg := algorithmOr(in.EncryptionAlgorithm)
	blob, material, err := c.seal(k, alg, in.Plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.used(k)
	if rotatable(k) { // the answer does not say it, the event does
		c.additional = object([]member{{"keyMaterialId", material}})
	}
	return &kms.EncryptOutput{CiphertextBlob: blob, EncryptionAlgorithm: alg, KeyId: aws.String(k.arn)}, nil
}

// ciphertext returns the ciphertext of a request, none for a dry run that is to
// go without. That needs the key in the member named.
func ciphertext(blob []byte, dryRun *bool, modifiers []types.DryRunModifierType, key *string, member string) (_ []byte, ignore bool, err error) {
	ignore = aws.ToBool(dryRun) && slices.Contains(modifiers, types.DryRunModifierTypeIgnoreCiphertext)
	switch {
	case blob == nil && !ignore:
		return nil, false, invalid("1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null")
	case ignore && key == nil:
		return nil, false, invalid("%s is required when DryRunModifiers is IGNORE_CIPHERTEXT", member)
	case ignore:
		blob = nil
	}
	return blob, ignore, nil
}

func decrypt(c *call, in *kms.DecryptInput) (*kms.DecryptOutput, error) {
	blob, ignore, err := ciphertext(in.CiphertextBlob, in.DryRun, in.DryRunModifiers, in.KeyId, "KeyId")
	if err != nil {
		return nil, err
	}
	if err := noRecipient(in.Recipient); err != nil {
		return nil, err
	}
	alg := algorithmOr(in.EncryptionAlgorithm)
	k, plaintext, material, err := c.unseal(in.KeyId, "Decrypt", alg, blob, in.EncryptionContext, ignore)
	if err != nil {
		return nil, err
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.used(k)
	return &kms.DecryptOutput{EncryptionAlgorithm: alg, KeyId: aws.String(k.arn), KeyMaterialId: materialIDOf(k, material), Plaintext: plaintext}, nil
}

// reEncrypt uses two keys: the source as Decrypt does, the destination as
// Encrypt does. Both are recorded.
func reEncrypt(c *call, in *kms.ReEncryptInput) (*kms.ReEncryptOutput, error) {
	old, ignore, err := ciphertext(in.CiphertextBlob, in.DryRun, in.DryRunModifiers, in.SourceKeyId, "SourceKeyId")
	if err != nil {
		return nil, err
	}
	from, to := algorithmOr(in.SourceEncryptionAlgorithm), algorithmOr(in.DestinationEncryptionAlgorithm)
	source, plaintext, sourceMaterial, err := c.unseal(in.SourceKeyId, "ReEncryptFrom", from, old, in.SourceEncryptionContext, ignore)
	if err != nil {
		return nil, err
	}
	dest, err := c.usableFor(in.DestinationKeyId, types.KeyUsageTypeEncryptDecrypt, "ReEncryptTo")
	if err != nil {
		return nil, err
	}
	blob, destMaterial, err := c.seal(dest, to, plaintext, in.DestinationEncryptionContext)
	if err != nil {
		return nil, err
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.used(source)
	if dest != source {
		c.used(dest)
	}
	return &kms.ReEncryptOutput{
		CiphertextBlob:                 blob,
		KeyId:                          aws.String(dest.arn),
		SourceKeyId:                    aws.String(source.arn),
		SourceEncryptionAlgorithm:      from,
		DestinationEncryptionAlgorithm: to,
		SourceKeyMaterialId:            materialIDOf(source, sourceMaterial),
		DestinationKeyMaterialId:       materialIDOf(dest, destMaterial),
	}, nil
}

// dataKey makes a data key and encrypts it.
func (c *call) dataKey(ref *string, spec types.DataKeySpec, bytes *int32, context map[string]string, dryRun *bool) (k *key, plaintext, blob []byte, material *string, err error) {
	if k, err = c.usable(ref, types.KeyUsageTypeEncryptDecrypt); err != nil {
		return nil, nil, nil, nil, err
	}
	if (spec == "") == (bytes == nil) {
		return nil, nil, nil, nil, invalid("Please specify either number of bytes or key spec.")
	}
	n := map[types.DataKeySpec]int{types.DataKeySpecAes128: 16, types.DataKeySpecAes256: 32}[spec]
	if bytes != nil {
		n = int(*bytes)
	}
	plaintext = c.srv.ids.bytes(n)
	blob, material, err = c.wrap(k, plaintext, context, dryRun)
	return k, plaintext, blob, material, err
}

// wrap encrypts a data key, which only a symmetric key can, and records the use.
func (c *call) wrap(k *key, plaintext []byte, context map[string]string, dryRun *bool) ([]byte, *string, error) {
	if !isSymmetric(k.spec) {
		return nil, nil, fail(codeInvalidKeyUsage, "%s key spec is %s which is not valid for %s.", k.arn, k.spec, c.op.name)
	}
	if err := c.dry(dryRun); err != nil {
		return nil, nil, err
	}
	blob, id := c.encryptSymmetric(k, plaintext, context)
	c.used(k)
	return blob, materialIDOf(k, id), nil
}

func generateDataKey(c *call, in *kms.GenerateDataKeyInput) (*kms.GenerateDataKeyOutput, error) {
	if err := noRecipient(in.Recipient); err != nil {
		return nil, err
	}
	k, plaintext, blob, material, err := c.dataKey(in.KeyId, in.KeySpec, in.NumberOfBytes, in.EncryptionContext, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &kms.GenerateDataKeyOutput{CiphertextBlob: blob, KeyId: aws.String(k.arn), KeyMaterialId: material, Plaintext: plaintext}, nil
}

func generateDataKeyWithoutPlaintext(c *call, in *kms.GenerateDataKeyWithoutPlaintextInput) (*kms.GenerateDataKeyWithoutPlaintextOutput, error) {
	k, _, blob, material, err := c.dataKey(in.KeyId, in.KeySpec, in.NumberOfBytes, in.EncryptionContext, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &kms.GenerateDataKeyWithoutPlaintextOutput{CiphertextBlob: blob, KeyId: aws.String(k.arn), KeyMaterialId: material}, nil
}

// dataKeyPair makes a data key pair and encrypts its private key, PKCS #8.
func (c *call) dataKeyPair(ref *string, spec types.DataKeyPairSpec, context map[string]string, dryRun *bool) (k *key, private, public, blob []byte, material *string, err error) {
	if k, err = c.usable(ref, types.KeyUsageTypeEncryptDecrypt); err != nil {
		return nil, nil, nil, nil, nil, err
	}
	if k.keyStore != nil {
		return nil, nil, nil, nil, nil, fail(codeUnsupportedOperation, "%s origin is %s which is not valid for this operation.", k.arn, k.origin)
	}
	if spec == types.DataKeyPairSpecSm2 && !regionAllows(types.KeySpecSm2, c.region) {
		return nil, nil, nil, nil, nil, fail(codeUnsupportedOperation, "KeyPairSpec SM2 is not supported in this Region.")
	}
	if strings.HasPrefix(string(spec), "RSA_") && c.rsa == nil {
		return nil, nil, nil, nil, nil, again{func() { c.rsa = newRSAPair(string(spec)) }}
	}
	if private, public, err = c.newDataKeyPair(spec); err != nil {
		return nil, nil, nil, nil, nil, err
	}
	blob, material, err = c.wrap(k, private, context, dryRun)
	return k, private, public, blob, material, err
}

func (c *call) newDataKeyPair(spec types.DataKeyPairSpec) (private, public []byte, err error) {
	ids := c.srv.ids
	switch {
	case c.rsa != nil:
		return privateKeyDER(c.rsa.key), c.rsa.publicDER(), nil
	case strings.HasPrefix(string(spec), "ECC_NIST_P"):
		p := newECKey(string(spec), ids.bytes(32))
		return privateKeyDER(p), publicKeyDER(p.Public()), nil
	case spec == types.DataKeyPairSpecEccNistEdwards25519:
		p := ed25519.NewKeyFromSeed(ids.bytes(ed25519.SeedSize))
		return privateKeyDER(p), publicKeyDER(p.Public()), nil
	case spec == types.DataKeyPairSpecMlKem768, spec == types.DataKeyPairSpecMlKem1024:
		seed := ids.bytes(mlkem.SeedSize)
		return kemPrivateDER(types.KeySpec(spec), seed), newKEMPair(string(spec), seed).publicDER(), nil
	}
	return nil, nil, fail(codeUnsupportedOperation, "kmsfake does not implement data key pairs of spec %s", spec)
}

// kemPrivateDER writes the seed of an ML-KEM key as RFC 9935 has it.
func kemPrivateDER(spec types.KeySpec, seed []byte) []byte {
	return mustDER(struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: postQuantumOIDs[spec]}, append([]byte{0x80, byte(len(seed))}, seed...)})
}

func privateKeyDER(private any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(fmt.Sprintf("kmsfake: cannot write a private key: %v", err)) // only for an unknown type
	}
	return der
}

func generateDataKeyPair(c *call, in *kms.GenerateDataKeyPairInput) (*kms.GenerateDataKeyPairOutput, error) {
	if err := noRecipient(in.Recipient); err != nil {
		return nil, err
	}
	k, private, public, blob, material, err := c.dataKeyPair(in.KeyId, in.KeyPairSpec, in.EncryptionContext, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &kms.GenerateDataKeyPairOutput{
		KeyId: aws.String(k.arn), KeyMaterialId: material, KeyPairSpec: in.KeyPairSpec,
		PrivateKeyCiphertextBlob: blob, PrivateKeyPlaintext: private, PublicKey: public,
	}, nil
}

func generateDataKeyPairWithoutPlaintext(c *call, in *kms.GenerateDataKeyPairWithoutPlaintextInput) (*kms.GenerateDataKeyPairWithoutPlaintextOutput, error) {
	k, _, public, blob, material, err := c.dataKeyPair(in.KeyId, in.KeyPairSpec, in.EncryptionContext, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &kms.GenerateDataKeyPairWithoutPlaintextOutput{
		KeyId: aws.String(k.arn), KeyMaterialId: material, KeyPairSpec: in.KeyPairSpec,
		PrivateKeyCiphertextBlob: blob, PublicKey: public,
	}, nil
}

func generateMac(c *call, in *kms.GenerateMacInput) (*kms.GenerateMacOutput, error) {
	k, err := c.usable(in.KeyId, types.KeyUsageTypeGenerateVerifyMac)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(macAlgorithms(k), in.MacAlgorithm) {
		return nil, incompatible(k, in.MacAlgorithm)
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.used(k)
	return &kms.GenerateMacOutput{KeyId: aws.String(k.arn), Mac: k.mac(in.MacAlgorithm, in.Message), MacAlgorithm: in.MacAlgorithm}, nil
}

func verifyMac(c *call, in *kms.VerifyMacInput) (*kms.VerifyMacOutput, error) {
	k, err := c.usable(in.KeyId, types.KeyUsageTypeGenerateVerifyMac)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(macAlgorithms(k), in.MacAlgorithm) {
		return nil, incompatible(k, in.MacAlgorithm)
	}
	if !hmac.Equal(k.mac(in.MacAlgorithm, in.Message), in.Mac) {
		return nil, fail(codeInvalidMac, "")
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.used(k)
	return &kms.VerifyMacOutput{KeyId: aws.String(k.arn), MacAlgorithm: in.MacAlgorithm, MacValid: true}, nil
}

// digest tells whether the message is a digest, and checks that it can be.
func digest(k *key, alg types.SigningAlgorithmSpec, kind types.MessageType, message []byte) (bool, error) {
	if !slices.Contains(signingAlgorithms(k), alg) {
		return false, incompatible(k, alg)
	}
	mldsa := alg == types.SigningAlgorithmSpecMlDsaShake256
	size := hashOf(string(alg)).Size()
	switch kind {
	case types.MessageTypeExternalMu:
		if !mldsa {
			return false, invalid("MessageType EXTERNAL_MU is not valid for algorithm %s.", alg)
		}
		size = 64
	case types.MessageTypeDigest:
		if mldsa || alg == types.SigningAlgorithmSpecEd25519Sha512 {
			return false, invalid("MessageType DIGEST is not valid for algorithm %s.", alg)
		}
	default:
		if alg == types.SigningAlgorithmSpecEd25519PhSha512 {
			return false, invalid("MessageType RAW is not valid for algorithm %s.", alg)
		}
		return false, nil
	}
	if len(message) != size {
		return false, invalid("Digest is invalid length for algorithm %s.", alg)
	}
	return true, nil
}

func sign(c *call, in *kms.SignInput) (*kms.SignOutput, error) {
	k, err := c.usable(in.KeyId, types.KeyUsageTypeSignVerify)
	if err != nil {
		return nil, err
	}
	isDigest, err := digest(k, in.SigningAlgorithm, in.MessageType, in.Message)
	if err != nil {
		return nil, err
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	signature, err := as[signer](k.pair()).sign(in.SigningAlgorithm, in.Message, isDigest)
	if err != nil {
		return nil, err
	}
	c.used(k)
	return &kms.SignOutput{KeyId: aws.String(k.arn), Signature: signature, SigningAlgorithm: in.SigningAlgorithm}, nil
}

func verify(c *call, in *kms.VerifyInput) (*kms.VerifyOutput, error) {
	k, err := c.usable(in.KeyId, types.KeyUsageTypeSignVerify)
	if err != nil {
		return nil, err
	}
	isDigest, err := digest(k, in.SigningAlgorithm, in.MessageType, in.Message)
	if err != nil {
		return nil, err
	}
	if !as[signer](k.pair()).verify(in.SigningAlgorithm, in.Message, in.Signature, isDigest) {
		return nil, fail(codeInvalidSignature, "")
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.used(k)
	return &kms.VerifyOutput{KeyId: aws.String(k.arn), SignatureValid: true, SigningAlgorithm: in.SigningAlgorithm}, nil
}

func deriveSharedSecret(c *call, in *kms.DeriveSharedSecretInput) (*kms.DeriveSharedSecretOutput, error) {
	if err := noRecipient(in.Recipient); err != nil {
		return nil, err
	}
	k, err := c.usable(in.KeyId, types.KeyUsageTypeKeyAgreement)
	if err != nil {
		return nil, err
	}
	secret, err := as[agreer](k.pair()).agree(in.PublicKey)
	if err != nil {
		return nil, invalid("The public key is not a DER-encoded public key of spec %s.", k.spec)
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.used(k)
	return &kms.DeriveSharedSecretOutput{KeyAgreementAlgorithm: in.KeyAgreementAlgorithm, KeyId: aws.String(k.arn), KeyOrigin: k.origin, SharedSecret: secret}, nil
}

func encapsulate(c *call, in *kms.EncapsulateInput) (*kms.EncapsulateOutput, error) {
	k, err := c.usable(in.KeyId, types.KeyUsageTypeEncapsulateDecapsulate)
	if err != nil {
		return nil, err
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	secret, blob := as[encapsulator](k.pair()).encapsulate()
	c.used(k)
	return &kms.EncapsulateOutput{EncapsulationAlgorithm: in.EncapsulationAlgorithm, KeyId: aws.String(k.arn), SharedSecret: secret, SharedSecretCiphertextBlob: blob}, nil
}

// decapsulate of a changed ciphertext of the right length succeeds with another
// secret: ML-KEM rejects implicitly.
func decapsulate(c *call, in *kms.DecapsulateInput) (*kms.DecapsulateOutput, error) {
	k, err := c.usable(in.KeyId, types.KeyUsageTypeEncapsulateDecapsulate)
	if err != nil {
		return nil, err
	}
	secret, err := as[encapsulator](k.pair()).decapsulate(in.SharedSecretCiphertextBlob)
	if err != nil {
		return nil, fail(codeInvalidCiphertext, "")
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.used(k)
	return &kms.DecapsulateOutput{EncapsulationAlgorithm: in.EncapsulationAlgorithm, KeyId: aws.String(k.arn), SharedSecret: secret}, nil
}

// generateRandom uses no KMS key.
func generateRandom(c *call, in *kms.GenerateRandomInput) (*kms.GenerateRandomOutput, error) {
	if err := noRecipient(in.Recipient); err != nil {
		return nil, err
	}
	if in.NumberOfBytes == nil {
		return nil, invalid("NumberOfBytes is required.")
	}
	if in.CustomKeyStoreId != nil {
		ks, err := c.connected(*in.CustomKeyStoreId)
		switch {
		case err != nil:
			return nil, err
		case ks.kind != types.CustomKeyStoreTypeAwsCloudhsm:
			return nil, fail(codeUnsupportedOperation, "Custom key store %s of type %s does not generate random bytes.", ks.id, ks.kind)
		}
	}
	return &kms.GenerateRandomOutput{Plaintext: c.srv.ids.bytes(int(*in.NumberOfBytes))}, nil
}

// getPublicKey is no cryptographic operation: it leaves no record of use.
func getPublicKey(c *call, in *kms.GetPublicKeyInput) (*kms.GetPublicKeyOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if !isAsymmetric(k.spec) {
		return nil, fail(codeUnsupportedOperation, "%s key spec is %s which is not valid for GetPublicKey.", k.arn, k.spec)
	}
	if err := k.paired(); err != nil {
		return nil, err
	}
	return &kms.GetPublicKeyOutput{
		KeyId:                   aws.String(k.arn),
		CustomerMasterKeySpec:   types.CustomerMasterKeySpec(k.spec), //nolint:staticcheck // deprecated, but KMS still answers it
		KeySpec:                 k.spec,
		KeyUsage:                k.usage,
		PublicKey:               k.pair().publicDER(),
		EncryptionAlgorithms:    encryptionAlgorithms(k),
		SigningAlgorithms:       signingAlgorithms(k),
		KeyAgreementAlgorithms:  agreementAlgorithms(k),
		EncapsulationAlgorithms: encapsulationAlgorithms(k),
	}, nil
}
