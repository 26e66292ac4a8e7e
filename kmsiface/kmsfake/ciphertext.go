package kmsfake

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
)

// A ciphertext of a symmetric key is AES-256-GCM behind a header that names the
// account, key ID and key material, without the Region, so that every member of
// a multi-Region set reads it:
//
//	magic | account (12) | length of key ID (1) | key ID | material ID (32) | nonce (12) | sealed
//
// The header and the encryption context are authenticated.
var magic = []byte{1, 'k', 'm', 's', 'f'}

const nonceSize = 12

// header is what a ciphertext tells about itself.
type header struct {
	account, keyID, materialID string
	raw, rest                  []byte
}

func readHeader(blob []byte) (header, bool) {
	b, ok := bytes.CutPrefix(blob, magic)
	if !ok || len(b) < 13 {
		return header{}, false
	}
	n := int(b[12])
	end := 13 + n + 32
	if len(b) < end+nonceSize {
		return header{}, false
	}
	at := len(magic) + end
	return header{
		account:    string(b[:12]),
		keyID:      string(b[13 : 13+n]),
		materialID: hex.EncodeToString(b[13+n : end]),
		raw:        blob[:at],
		rest:       blob[at:],
	}, true
}

var errCiphertext = errors.New("the ciphertext was changed, or encrypted otherwise")

// encryptSymmetric encrypts by the current key material.
func (c *call) encryptSymmetric(k *key, plaintext []byte, context map[string]string) (blob []byte, materialID string) {
	m := k.materials.current()
	id, err := hex.DecodeString(m.id)
	if err != nil {
		panic("kmsfake: key material with ID " + m.id)
	}
	h := slices.Concat(magic, []byte(k.store.account), []byte{byte(len(k.id))}, []byte(k.id), id)
	sealed, err := seal(expand(m.secret[:], "aes", 32), plaintext, associated(h, context), c.srv.ids.bytes(nonceSize))
	if err != nil {
		panic(err) // the key has the right size
	}
	return append(h, sealed...), m.id
}

// decryptSymmetric decrypts by the key material that the header names.
func decryptSymmetric(k *key, h header, context map[string]string) ([]byte, error) {
	m := k.materials.version(h.materialID)
	if m == nil {
		return nil, errCiphertext
	}
	return open(expand(m.secret[:], "aes", 32), h.rest, associated(h.raw, context))
}

// ciphertextKey returns the key in the caller's Region that a ciphertext was
// encrypted under, or nil.
func (c *call) ciphertextKey(blob []byte) *key {
	h, ok := readHeader(blob)
	if !ok {
		return nil
	}
	return c.srv.store(scope{h.account, c.region}).keys[h.keyID]
}

// associated is the authenticated data: the header and the encryption context,
// whose order does not matter.
func associated(header []byte, context map[string]string) []byte {
	out := slices.Clone(header)
	for _, name := range slices.Sorted(maps.Keys(context)) {
		for _, s := range []string{name, context[name]} {
			out = binary.BigEndian.AppendUint32(out, uint32(len(s)))
			out = append(out, s...)
		}
	}
	return out
}

func seal(key, plaintext, additional, nonce []byte) ([]byte, error) {
	g, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return g.Seal(slices.Clone(nonce), nonce, plaintext, additional), nil
}

func open(key, sealed, additional []byte) ([]byte, error) {
	g, err := gcm(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < nonceSize {
		return nil, errCiphertext
	}
	return g.Open(nil, sealed[:nonceSize], sealed[nonceSize:], additional)
}

func gcm(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

func freshNonce() []byte {
	n := make([]byte, nonceSize)
	_, _ = rand.Read(n)
	return n
}
