package kmsfake

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync"
)

// entropy is the source of every identifier and of key material. It is seeded,
// so that a test sees the same key IDs in every run: nothing here is secret.
type entropy struct {
	mu  sync.Mutex
	src *rand.ChaCha8
}

func newEntropy(seed uint64) *entropy {
	var s [32]byte
	copy(s[:], "kmsfake seed ")
	binary.LittleEndian.PutUint64(s[24:], seed)
	return &entropy{src: rand.NewChaCha8(s)}
}

// Read fills p; it never fails.
func (e *entropy) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.src.Read(p)
}

func (e *entropy) bytes(n int) []byte {
	p := make([]byte, n)
	_, _ = e.Read(p)
	return p
}

func (e *entropy) hex(n int) string { return hex.EncodeToString(e.bytes(n)) }

// uuid returns a random (version 4) UUID.
func (e *entropy) uuid() string {
	var p [16]byte
	_, _ = e.Read(p[:])
	p[6] = p[6]&0x0f | 0x40
	p[8] = p[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], p[0:4])
	out[8] = '-'
	hex.Encode(out[9:13], p[4:6])
	out[13] = '-'
	hex.Encode(out[14:18], p[6:8])
	out[18] = '-'
	hex.Encode(out[19:23], p[8:10])
	out[23] = '-'
	hex.Encode(out[24:36], p[10:16])
	return string(out[:])
}
