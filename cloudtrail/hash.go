package cloudtrail

import (
	"encoding/binary"
	"math/bits"
)

// hashSeed begins a hash. The hash is not for tables under attack: what collides
// is counted as one.
const hashSeed uint64 = 0x9E3779B97F4A7C15

const (
	mulA uint64 = 0xA0761D6478BD642F
	mulB uint64 = 0xE7037ED1A0B428DB
)

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hash mixes s into h. The same bytes give the same hash in every process, so
// that what is kept of too many values is the same in every run.
func hash(h uint64, s []byte) uint64 {
	n := uint64(len(s))
	for len(s) >= 16 {
		h = fold(binary.LittleEndian.Uint64(s)^mulA, binary.LittleEndian.Uint64(s[8:])^h)
		s = s[16:]
	}
	var a, b uint64
	if len(s) >= 8 {
		a = binary.LittleEndian.Uint64(s)
		s = s[8:]
	}
	for i, c := range s {
		b |= uint64(c) << (8 * i)
	}
	return fold(mulA^n, fold(a^mulB, b^h))
}
