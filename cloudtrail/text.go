package cloudtrail

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"unicode/utf8"
)

// text returns what the JSON string v, quotes included, stands for: a part of v
// where nothing is escaped. It is false for values of another type and for
// strings that are none, such as one with an unknown escape.
func text(v []byte) ([]byte, bool) {
	if len(v) < 2 || v[0] != '"' {
		return nil, false
	}
	in := v[1 : len(v)-1]
	if plain(in) {
		return in, true
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return nil, false
	}
	return []byte(s), true
}

// textOr is text, empty where it is false.
func textOr(v []byte) []byte {
	s, _ := text(v)
	return s
}

// keyText is the key of a member as it is meant. raw stands between the quotes.
func keyText(b []byte, raw span) []byte {
	s := raw.of(b)
	if plain(s) {
		return s
	}
	return textOr(b[raw.from-1 : raw.to+1])
}

// plain tells whether the inside of a JSON string stands for itself: there is
// nothing escaped in it, and it is valid UTF-8.
func plain(s []byte) bool {
	const (
		backslashes = 0x5C5C5C5C5C5C5C5C
		low         = 0x0101010101010101
		high        = 0x8080808080808080
	)
	for rest := s; ; rest = rest[8:] {
		if len(rest) < 8 {
			for _, c := range rest {
				if c == '\\' || c >= 0x80 {
					return bytes.IndexByte(s, '\\') < 0 && utf8.Valid(s)
				}
			}
			return true
		}
		w := binary.LittleEndian.Uint64(rest)
		x := w ^ backslashes
		if ((x-low)&^x|w)&high != 0 {
			return bytes.IndexByte(s, '\\') < 0 && utf8.Valid(s)
		}
	}
}
