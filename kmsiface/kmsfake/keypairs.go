package kmsfake

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// keyPair is the key pair of an asymmetric key. It is a signer, a cipherer, an
// agreer or an encapsulator as well, whatever usages its spec allows.
type keyPair interface {
	publicDER() []byte // SubjectPublicKeyInfo
}

type signer interface {
	sign(alg types.SigningAlgorithmSpec, message []byte, digest bool) ([]byte, error)
	verify(alg types.SigningAlgorithmSpec, message, signature []byte, digest bool) bool
}

type cipherer interface {
	encrypt(alg types.EncryptionAlgorithmSpec, plaintext []byte) ([]byte, error)
	decrypt(alg types.EncryptionAlgorithmSpec, ciphertext []byte) ([]byte, error)
}

type agreer interface {
	agree(peer []byte) ([]byte, error)
}

type encapsulator interface {
	encapsulate() (secret, ciphertext []byte)
	decapsulate(ciphertext []byte) ([]byte, error)
}

var errNotThisKey = errors.New("what is given does not fit the key")

// pair returns the key pair of an asymmetric key, made when it is first
// needed: RSA takes its time.
func (k *key) pair() keyPair {
	m := k.materials.current()
	m.once.Do(func() { m.pair = newKeyPair(k.spec, m.secret[:]); m.made.Store(true) })
	return m.pair
}

// paired is nil unless the key pair is RSA and has still to be made.
func (k *key) paired() error {
	if isRSA(k.spec) && !k.materials.current().made.Load() {
		return again{func() { k.pair() }}
	}
	return nil
}

func newKeyPair(spec types.KeySpec, secret []byte) keyPair {
	switch spec {
	case types.KeySpecRsa2048, types.KeySpecRsa3072, types.KeySpecRsa4096:
		return newRSAPair(string(spec))
	case types.KeySpecEccNistP256, types.KeySpecEccNistP384, types.KeySpecEccNistP521:
		return &ecPair{key: newECKey(string(spec), secret)}
	case types.KeySpecEccNistEdwards25519:
		return &edPair{key: ed25519.NewKeyFromSeed(expand(secret, "ed25519", ed25519.SeedSize))}
	case types.KeySpecMlKem768, types.KeySpecMlKem1024:
		return newKEMPair(string(spec), expand(secret, "ml-kem", mlkem.SeedSize))
	default:
		return &unrealPair{spec: spec, secret: secret}
	}
}

// rsaPair is an RSA key pair.
type rsaPair struct {
	key *rsa.PrivateKey
}

func newRSAPair(spec string) *rsaPair {
	bits := map[string]int{"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}[spec]
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(fmt.Sprintf("kmsfake: cannot make an RSA key: %v", err)) // only for a size that is refused
	}
	return &rsaPair{key: key}
}

func (p *rsaPair) publicDER() []byte { return publicKeyDER(&p.key.PublicKey) }

func (p *rsaPair) sign(alg types.SigningAlgorithmSpec, message []byte, digest bool) ([]byte, error) {
	h, sum := hashed(string(alg), message, digest)
	if strings.Contains(string(alg), "_PSS_") {
		return rsa.SignPSS(rand.Reader, p.key, h, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return rsa.SignPKCS1v15(rand.Reader, p.key, h, sum)
}

func (p *rsaPair) verify(alg types.SigningAlgorithmSpec, message, signature []byte, digest bool) bool {
	h, sum := hashed(string(alg), message, digest)
	if strings.Contains(string(alg), "_PSS_") {
		return rsa.VerifyPSS(&p.key.PublicKey, h, sum, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return rsa.VerifyPKCS1v15(&p.key.PublicKey, h, sum, signature) == nil
}

func oaepHash(alg types.EncryptionAlgorithmSpec) hash.Hash {
	if alg == types.EncryptionAlgorithmSpecRsaesOaepSha1 {
		return sha1.New()
	}
	return sha256.New()
}

func (p *rsaPair) encrypt(alg types.EncryptionAlgorithmSpec, plaintext []byte) ([]byte, error) {
	return rsa.EncryptOAEP(oaepHash(alg), rand.Reader, &p.key.PublicKey, plaintext, nil)
}

func (p *rsaPair) decrypt(alg types.EncryptionAlgorithmSpec, ciphertext []byte) ([]byte, error) {
	return rsa.DecryptOAEP(oaepHash(alg), nil, p.key, ciphertext, nil)
}

// ecPair is a key pair on a NIST curve, for signing or key agreement.
type ecPair struct {
	key *ecdsa.PrivateKey
}

func newECKey(spec string, secret []byte) *ecdsa.PrivateKey {
	curve := map[string]elliptic.Curve{"ECC_NIST_P256": elliptic.P256(), "ECC_NIST_P384": elliptic.P384(), "ECC_NIST_P521": elliptic.P521()}[spec]
	size := (curve.Params().BitSize + 7) / 8
	for i := 0; ; i++ {
		d := expand(secret, fmt.Sprint("ecdsa", i), size)
		if extra := size*8 - curve.Params().BitSize; extra > 0 {
			d[0] &= 0xff >> extra
		}
		// A number that is zero or not below the order of the curve is refused.
		if key, err := ecdsa.ParseRawPrivateKey(curve, d); err == nil {
			return key
		}
	}
}

func (p *ecPair) publicDER() []byte { return publicKeyDER(&p.key.PublicKey) }

func (p *ecPair) sign(alg types.SigningAlgorithmSpec, message []byte, digest bool) ([]byte, error) {
	_, sum := hashed(string(alg), message, digest)
	return ecdsa.SignASN1(rand.Reader, p.key, sum)
}

func (p *ecPair) verify(alg types.SigningAlgorithmSpec, message, signature []byte, digest bool) bool {
	_, sum := hashed(string(alg), message, digest)
	return ecdsa.VerifyASN1(&p.key.PublicKey, sum, signature)
}

func (p *ecPair) agree(peer []byte) ([]byte, error) {
	parsed, err := x509.ParsePKIXPublicKey(peer)
	if err != nil {
		return nil, err
	}
	var public *ecdh.PublicKey
	switch pk := parsed.(type) {
	case *ecdsa.PublicKey:
		if public, err = pk.ECDH(); err != nil {
			return nil, err
		}
	default:
		return nil, errNotThisKey
	}
	private, err := p.key.ECDH()
	if err != nil {
		return nil, err
	}
	return private.ECDH(public)
}

// edPair is an Ed25519 key pair.
type edPair struct {
	key ed25519.PrivateKey
}

func (p *edPair) publicDER() []byte { return publicKeyDER(p.key.Public()) }

// prepared returns the message and options of plain or prehashed Ed25519. KMS
// hashes what it is given once more for ED25519_PH_SHA_512.
func (p *edPair) prepared(alg types.SigningAlgorithmSpec, message []byte) ([]byte, *ed25519.Options) {
	if alg == types.SigningAlgorithmSpecEd25519PhSha512 {
		sum := sha512.Sum512(message)
		return sum[:], &ed25519.Options{Hash: crypto.SHA512}
	}
	return message, &ed25519.Options{}
}

func (p *edPair) sign(alg types.SigningAlgorithmSpec, message []byte, _ bool) ([]byte, error) {
	m, o := p.prepared(alg, message)
	return p.key.Sign(nil, m, o)
}

func (p *edPair) verify(alg types.SigningAlgorithmSpec, message, signature []byte, _ bool) bool {
	m, o := p.prepared(alg, message)
	public, ok := p.key.Public().(ed25519.PublicKey)
	return ok && ed25519.VerifyWithOptions(public, m, signature, o) == nil
}

// kemPair is an ML-KEM key pair of a size that the standard library knows.
type kemPair struct {
	spec    string
	private crypto.Decapsulator
}

func newKEMPair(spec string, seed []byte) *kemPair {
	var private crypto.Decapsulator
	var err error
	if spec == string(types.KeySpecMlKem1024) {
		private, err = mlkem.NewDecapsulationKey1024(seed)
	} else {
		private, err = mlkem.NewDecapsulationKey768(seed)
	}
	if err != nil {
		panic(fmt.Sprintf("kmsfake: cannot make an ML-KEM key: %v", err)) // only for a seed of the wrong size
	}
	return &kemPair{spec: spec, private: private}
}

func (p *kemPair) publicDER() []byte {
	return postQuantumDER(types.KeySpec(p.spec), p.private.Encapsulator().Bytes())
}

func (p *kemPair) encapsulate() (secret, ciphertext []byte) {
	return p.private.Encapsulator().Encapsulate()
}

func (p *kemPair) decapsulate(ciphertext []byte) ([]byte, error) {
	return p.private.Decapsulate(ciphertext)
}

// unrealPair stands in for the kinds of key that the standard library does not
// know: secp256k1, SM2, ML-DSA and ML-KEM-512. What it makes has the right form
// and size and is only understood by the same key.
type unrealPair struct {
	spec   types.KeySpec
	secret []byte
}

func (p *unrealPair) publicDER() []byte {
	switch p.spec {
	case types.KeySpecEccSecgP256k1, types.KeySpecSm2:
		curve := asn1.ObjectIdentifier{1, 3, 132, 0, 10}
		if p.spec == types.KeySpecSm2 {
			curve = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301}
		}
		params := mustDER(curve)
		point := append([]byte{4}, expand(p.secret, "point", 64)...)
		return mustDER(subjectPublicKeyInfo{
			Algorithm: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, Parameters: asn1.RawValue{FullBytes: params}},
			PublicKey: asn1.BitString{Bytes: point, BitLength: len(point) * 8},
		})
	default:
		return postQuantumDER(p.spec, expand(p.secret, "public", unrealSizes[p.spec].public))
	}
}

var _ interface {
	keyPair
	signer
	cipherer
	agreer
	encapsulator
} = (*unrealPair)(nil)

// unrealSizes are those of FIPS 203 and 204, in bytes.
var unrealSizes = map[types.KeySpec]struct{ public, output int }{
	types.KeySpecMlDsa44:  {1312, 2420},
	types.KeySpecMlDsa65:  {1952, 3309},
	types.KeySpecMlDsa87:  {2592, 4627},
	types.KeySpecMlKem512: {800, 768},
}

func (p *unrealPair) sign(alg types.SigningAlgorithmSpec, message []byte, digest bool) ([]byte, error) {
	return p.signature(alg, message, digest), nil
}

func (p *unrealPair) verify(alg types.SigningAlgorithmSpec, message, signature []byte, digest bool) bool {
	return subtle.ConstantTimeCompare(p.signature(alg, message, digest), signature) == 1
}

func (p *unrealPair) signature(alg types.SigningAlgorithmSpec, message []byte, digest bool) []byte {
	label := fmt.Sprintf("%s %t %x", alg, digest, sha512.Sum512(message))
	if size := unrealSizes[p.spec].output; size > 0 {
		return expand(p.secret, label, size)
	}
	r := new(big.Int).SetBytes(expand(p.secret, "r"+label, 32))
	s := new(big.Int).SetBytes(expand(p.secret, "s"+label, 32))
	return mustDER(struct{ R, S *big.Int }{r, s})
}

func (p *unrealPair) encrypt(_ types.EncryptionAlgorithmSpec, plaintext []byte) ([]byte, error) {
	return seal(expand(p.secret, "encrypt", 32), plaintext, nil, freshNonce())
}

func (p *unrealPair) decrypt(_ types.EncryptionAlgorithmSpec, ciphertext []byte) ([]byte, error) {
	return open(expand(p.secret, "encrypt", 32), ciphertext, nil)
}

func (p *unrealPair) agree(peer []byte) ([]byte, error) {
	var info subjectPublicKeyInfo
	if rest, err := asn1.Unmarshal(peer, &info); err != nil || len(rest) > 0 {
		return nil, errNotThisKey
	}
	return expand(p.secret, "agree"+string(peer), 32), nil
}

func (p *unrealPair) encapsulate() (secret, ciphertext []byte) {
	ciphertext = make([]byte, unrealSizes[p.spec].output)
	_, _ = rand.Read(ciphertext)
	secret, _ = p.decapsulate(ciphertext)
	return secret, ciphertext
}

func (p *unrealPair) decapsulate(ciphertext []byte) ([]byte, error) {
	if len(ciphertext) != unrealSizes[p.spec].output {
		return nil, errNotThisKey
	}
	return expand(p.secret, "decapsulate"+string(ciphertext), mlkem.SharedKeySize), nil
}

// subjectPublicKeyInfo is the X.509 form of a public key.
type subjectPublicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	PublicKey asn1.BitString
}

// postQuantumDER writes a public key of ML-KEM (RFC 9935) or ML-DSA (RFC 9881).
func postQuantumDER(spec types.KeySpec, public []byte) []byte {
	return mustDER(subjectPublicKeyInfo{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: postQuantumOIDs[spec]},
		PublicKey: asn1.BitString{Bytes: public, BitLength: len(public) * 8},
	})
}

var postQuantumOIDs = map[types.KeySpec]asn1.ObjectIdentifier{
	types.KeySpecMlDsa44:   {2, 16, 840, 1, 101, 3, 4, 3, 17},
	types.KeySpecMlDsa65:   {2, 16, 840, 1, 101, 3, 4, 3, 18},
	types.KeySpecMlDsa87:   {2, 16, 840, 1, 101, 3, 4, 3, 19},
	types.KeySpecMlKem512:  {2, 16, 840, 1, 101, 3, 4, 4, 1},
	types.KeySpecMlKem768:  {2, 16, 840, 1, 101, 3, 4, 4, 2},
	types.KeySpecMlKem1024: {2, 16, 840, 1, 101, 3, 4, 4, 3},
}

func publicKeyDER(public any) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(fmt.Sprintf("kmsfake: cannot write a public key: %v", err)) // only for an unknown type
	}
	return der
}

func mustDER(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("kmsfake: cannot write DER: %v", err)) // only for an unknown type
	}
	return der
}

// hashOf returns the hash that the name of an algorithm ends in.
func hashOf(alg string) crypto.Hash {
	switch {
	case strings.HasSuffix(alg, "_384"):
		return crypto.SHA384
	case strings.HasSuffix(alg, "_512"):
		return crypto.SHA512
	case strings.HasSuffix(alg, "_224"):
		return crypto.SHA224
	default:
		return crypto.SHA256
	}
}

func hashed(alg string, message []byte, digest bool) (crypto.Hash, []byte) {
	h := hashOf(alg)
	if digest {
		return h, message
	}
	w := h.New()
	_, _ = w.Write(message)
	return h, w.Sum(nil)
}

// mac computes an HMAC by the current key material.
func (k *key) mac(alg types.MacAlgorithmSpec, message []byte) []byte {
	h := hashOf(string(alg))
	secret := k.materials.current().secret
	w := hmac.New(h.New, expand(secret[:], "hmac", h.Size()))
	_, _ = w.Write(message)
	return w.Sum(nil)
}
