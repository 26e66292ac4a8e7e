package kmsfake

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
)

// materials is the key material of a key, shared by the members of a
// multi-Region set.
type materials struct {
	mu       sync.Mutex
	versions []*material // the last is current
}

// material is one version. Everything secret derives from 32 bytes, except RSA
// key pairs, which the standard library makes from its own randomness.
type material struct {
	id     string // 64 hexadecimal digits
	secret [32]byte

	once sync.Once
	pair keyPair
	made atomic.Bool // whether pair is there
}

func newMaterials(ids *entropy) *materials {
	m := &materials{}
	m.rotate(ids)
	return m
}

// rotate makes a new version current and returns its ID.
func (m *materials) rotate(ids *entropy) string {
	v := &material{id: ids.hex(32)}
	copy(v.secret[:], ids.bytes(32))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.versions = append(m.versions, v)
	return v.id
}

func (m *materials) current() *material {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.versions[len(m.versions)-1]
}

func (m *materials) currentID() string { return m.current().id }

func (m *materials) firstID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.versions[0].id
}

// version finds a version by its ID, or returns nil.
func (m *materials) version(id string) *material {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.versions, func(v *material) bool { return v.id == id }); i >= 0 {
		return m.versions[i]
	}
	return nil
}

// expand derives n bytes from a secret, different ones for every label.
func expand(secret []byte, label string, n int) []byte {
	out := make([]byte, 0, n+sha512.Size)
	for i := uint64(0); len(out) < n; i++ {
		h := hmac.New(sha512.New, secret)
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, i))
		_, _ = h.Write([]byte(label))
		out = h.Sum(out)
	}
	return out[:n]
}
