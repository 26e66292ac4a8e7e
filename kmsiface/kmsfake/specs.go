package kmsfake

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// usages lists what a key of each spec can be made for; the first is what Setup
// assumes when none is named.
//
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html#KMS-CreateKey-request-KeyUsage
var usages = map[types.KeySpec][]types.KeyUsageType{
	types.KeySpecSymmetricDefault:    {types.KeyUsageTypeEncryptDecrypt},
	types.KeySpecRsa2048:             {types.KeyUsageTypeEncryptDecrypt, types.KeyUsageTypeSignVerify},
	types.KeySpecRsa3072:             {types.KeyUsageTypeEncryptDecrypt, types.KeyUsageTypeSignVerify},
	types.KeySpecRsa4096:             {types.KeyUsageTypeEncryptDecrypt, types.KeyUsageTypeSignVerify},
	types.KeySpecEccNistP256:         {types.KeyUsageTypeSignVerify, types.KeyUsageTypeKeyAgreement},
	types.KeySpecEccNistP384:         {types.KeyUsageTypeSignVerify, types.KeyUsageTypeKeyAgreement},
	types.KeySpecEccNistP521:         {types.KeyUsageTypeSignVerify, types.KeyUsageTypeKeyAgreement},
	types.KeySpecEccNistEdwards25519: {types.KeyUsageTypeSignVerify},
	types.KeySpecEccSecgP256k1:       {types.KeyUsageTypeSignVerify},
	types.KeySpecSm2:                 {types.KeyUsageTypeSignVerify, types.KeyUsageTypeEncryptDecrypt, types.KeyUsageTypeKeyAgreement},
	types.KeySpecHmac224:             {types.KeyUsageTypeGenerateVerifyMac},
	types.KeySpecHmac256:             {types.KeyUsageTypeGenerateVerifyMac},
	types.KeySpecHmac384:             {types.KeyUsageTypeGenerateVerifyMac},
	types.KeySpecHmac512:             {types.KeyUsageTypeGenerateVerifyMac},
	types.KeySpecMlDsa44:             {types.KeyUsageTypeSignVerify},
	types.KeySpecMlDsa65:             {types.KeyUsageTypeSignVerify},
	types.KeySpecMlDsa87:             {types.KeyUsageTypeSignVerify},
	types.KeySpecMlKem512:            {types.KeyUsageTypeEncapsulateDecapsulate},
	types.KeySpecMlKem768:            {types.KeyUsageTypeEncapsulateDecapsulate},
	types.KeySpecMlKem1024:           {types.KeyUsageTypeEncapsulateDecapsulate},
}

// regionAllows tells whether keys of the spec exist in the Region: SM2 is for
// the China Regions only.
func regionAllows(spec types.KeySpec, region string) bool {
	return spec != types.KeySpecSm2 || partition(region) == "aws-cn"
}

func isSymmetric(spec types.KeySpec) bool { return spec == types.KeySpecSymmetricDefault }
func isHMAC(spec types.KeySpec) bool      { return strings.HasPrefix(string(spec), "HMAC_") }
func isAsymmetric(spec types.KeySpec) bool {
	return !isSymmetric(spec) && !isHMAC(spec)
}
func isRSA(spec types.KeySpec) bool { return strings.HasPrefix(string(spec), "RSA_") }

func encryptionAlgorithms(k *key) []types.EncryptionAlgorithmSpec {
	switch {
	case k.usage != types.KeyUsageTypeEncryptDecrypt:
		return nil
	case isSymmetric(k.spec):
		return []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecSymmetricDefault}
	case isRSA(k.spec):
		return []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecRsaesOaepSha1, types.EncryptionAlgorithmSpecRsaesOaepSha256}
	default:
		return []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecSm2pke}
	}
}

func signingAlgorithms(k *key) []types.SigningAlgorithmSpec {
	if k.usage != types.KeyUsageTypeSignVerify {
		return nil
	}
	switch k.spec {
	case types.KeySpecRsa2048, types.KeySpecRsa3072, types.KeySpecRsa4096:
		return []types.SigningAlgorithmSpec{
			types.SigningAlgorithmSpecRsassaPkcs1V15Sha256, types.SigningAlgorithmSpecRsassaPkcs1V15Sha384, types.SigningAlgorithmSpecRsassaPkcs1V15Sha512,
			types.SigningAlgorithmSpecRsassaPssSha256, types.SigningAlgorithmSpecRsassaPssSha384, types.SigningAlgorithmSpecRsassaPssSha512,
		}
	case types.KeySpecEccNistP256, types.KeySpecEccSecgP256k1:
		return []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha256}
	case types.KeySpecEccNistP384:
		return []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha384}
	case types.KeySpecEccNistP521:
		return []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEcdsaSha512}
	case types.KeySpecEccNistEdwards25519:
		return []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecEd25519Sha512, types.SigningAlgorithmSpecEd25519PhSha512}
	case types.KeySpecSm2:
		return []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecSm2dsa}
	default:
		return []types.SigningAlgorithmSpec{types.SigningAlgorithmSpecMlDsaShake256}
	}
}

func macAlgorithms(k *key) []types.MacAlgorithmSpec {
	if !isHMAC(k.spec) {
		return nil
	}
	return []types.MacAlgorithmSpec{types.MacAlgorithmSpec("HMAC_SHA_" + strings.TrimPrefix(string(k.spec), "HMAC_"))}
}

func agreementAlgorithms(k *key) []types.KeyAgreementAlgorithmSpec {
	if k.usage != types.KeyUsageTypeKeyAgreement {
		return nil
	}
	return []types.KeyAgreementAlgorithmSpec{types.KeyAgreementAlgorithmSpecEcdh}
}

func encapsulationAlgorithms(k *key) []types.EncapsulationAlgorithmSpec {
	if k.usage != types.KeyUsageTypeEncapsulateDecapsulate {
		return nil
	}
	return []types.EncapsulationAlgorithmSpec{types.EncapsulationAlgorithmSpecMlKem}
}
