package cloudtrail

import "bytes"

// What the functions of this file return instead of a position.
const (
	short   = -1 // the bytes end inside of it: more are needed
	invalid = -2 // no JSON
)

// maxDepth is how deep values may be nested, as in encoding/json.
const maxDepth = 10000

// What a byte means outside of strings.
const (
	alien uint8 = iota // nothing
	space
	comma
	colon
	quote
	open
	closing
	literal // part of a number, true, false or null
)

var kinds = func() (k [256]uint8) {
	for _, c := range " \t\r\n" {
		k[c] = space
	}
	for _, c := range "+-.0123456789Eaeflnrstu" {
		k[c] = literal
	}
	k[','], k[':'], k['"'] = comma, colon, quote
	k['{'], k['['], k['}'], k[']'] = open, open, closing, closing
	return k
}()

// skipSpace returns the position of the first byte at or behind i that is no
// space, or len(b).
func skipSpace(b []byte, i int) int {
	for i < len(b) && kinds[b[i]] == space {
		i++
	}
	return i
}

// stringEnd returns the position behind the string that begins at b[i].
func stringEnd(b []byte, i int) int {
	i++
	start := i
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return short
		}
		i += n
		if b[i-1] != '\\' {
			return i + 1
		}
		// The quote is escaped if an odd number of backslashes comes before it.
		k := i - 1
		for k >= start && b[k] == '\\' {
			k--
		}
		if (i-1-k)&1 == 0 {
			return i + 1
		}
		i++
	}
}

// valueEnd returns the position behind the value that begins at b[i]. Objects
// and arrays are jumped over: their brackets and strings are told apart, the
// rest of their grammar is not looked at.
func valueEnd(b []byte, i int) int {
	if i >= len(b) {
		return short
	}
	switch kinds[b[i]] {
	case quote:
		return stringEnd(b, i)
	case open:
		return nestedEnd(b, i)
	case literal:
		return literalEnd(b, i)
	default:
		return invalid
	}
}

func literalEnd(b []byte, i int) int {
	start := i
	for i < len(b) && kinds[b[i]] == literal {
		i++
	}
	if i == len(b) {
		return short
	}
	switch b[start] {
	case 't', 'f', 'n':
		if w := string(b[start:i]); w != "true" && w != "false" && w != "null" {
			return invalid
		}
	case '+', '.', 'E', 'a', 'e', 'l', 'r', 's', 'u':
		return invalid
	}
	return i
}

// longValue is how many bytes an object or array may have before its brackets are
// looked at once more, strictly. A quote that is missing turns strings inside out,
// which can make a value swallow what comes after it; the next missing one ends
// that.
const longValue = 4096

// doubtfulValue is how many bytes of an object or array are looked at before it is
// asked for the first time whether something in it is escaped: an escaped quote
// before a bracket makes the end of a value be missed, and all that follows be
// looked at for each such value again. It is fewer where something is known to be
// escaped nearby.
const doubtfulValue, doubtfulNearby = 1024, 256

var quoteText, openTexts = []byte{'"'}, [...][]byte{{'['}, {'{'}}

// nestedEnd returns the position behind the object or array that begins at b[i].
//
// Most of the time that a scan takes, beyond unpacking, is spent here. It goes
// from one closing bracket of the same kind to the next, and tells by the number
// of quotes in between whether that stands in a string: of the brackets of the
// other kind there are as many closing as opening, and all of this can be done
// many bytes at a time. Where something is escaped it goes from string to string,
// and it notices that before it has gone far: legal text takes time in proportion
// to its length, whatever is escaped in it.
func nestedEnd(b []byte, i int) int { return nestedEndClean(b, i, 0) }

// nestedEndClean is nestedEnd where nothing is escaped in b[:clean], but b[clean]
// may begin an escape; zero is not known.
func nestedEndClean(b []byte, i, clean int) int {
	openText, closes := openTexts[1], byte('}')
	if b[i] == '[' {
		openText, closes = openTexts[0], ']'
	}
	var (
		start    = i
		pos      = i + 1 // what comes before has been counted
		depth    = 1
		inString bool                               // at pos
		w        = b[:min(len(b), i+doubtfulValue)] // what is looked at for now
	)
	if clean > 0 {
		w = b[:min(len(b), max(i, clean)+doubtfulNearby)]
	}
	for {
		n := bytes.IndexByte(w[pos:], closes)
		if n < 0 {
			limit := len(w)
			switch {
			case limit-start > longValue || bytes.IndexByte(w[max(start, clean):], '\\') >= 0:
				return nestedEndStrictly(b, start)
			case limit == len(b):
				return short
			}
			clean = limit
			w = b[:min(len(b), limit+(limit-start))]
			continue
		}
		part := w[pos : pos+n]
		quotes := bytes.Count(part, quoteText)
		for opens := bytes.Count(part, openText); opens > 0; opens-- {
			at := bytes.IndexByte(part, openText[0])
			before := bytes.Count(part[:at], quoteText)
			if inString = inString != (before&1 == 1); !inString {
				depth++
			}
			quotes -= before
			part = part[at+1:]
		}
		inString = inString != (quotes&1 == 1)
		pos += n + 1
		if inString {
			// Few strings hold a closing bracket. It rather is a quote that is escaped,
			// from which on inside and outside are taken for one another.
			if pos > clean {
				if bytes.IndexByte(b[max(start, clean):pos], '\\') >= 0 {
					return nestedEndStrictly(b, start)
				}
				clean = pos
			}
			continue
		}
		if depth--; depth == 0 {
			if pos-start > longValue || pos > clean && bytes.IndexByte(b[max(start, clean):pos], '\\') >= 0 {
				return nestedEndStrictly(b, start)
			}
			return pos
		}
	}
}

// nestedEndStrictly is nestedEnd from string to string. It also notices what
// cannot stand outside of strings, and brackets that do not match.
func nestedEndStrictly(b []byte, i int) int {
	// The innermost 64 levels are checked for their kind of bracket, one bit each.
	var arrays uint64
	depth := 0
	for i < len(b) {
		c := b[i]
		if c == '"' {
			i++
			n := bytes.IndexByte(b[i:], '"')
			if n < 0 {
				return short
			}
			if n += i; b[n-1] == '\\' {
				if n = stringEnd(b, i-1) - 1; n < 0 {
					return short
				}
			}
			// What follows a string is a comma, a colon or a bracket.
			if i = n + 1; i < len(b) && (b[i] == ',' || b[i] == ':') {
				i++
			}
			continue
		}
		switch kinds[c] {
		case open:
			if depth++; depth > maxDepth {
				return invalid
			}
			arrays <<= 1
			if c == '[' {
				arrays |= 1
			}
		case closing:
			if depth <= 64 && (arrays&1 == 1) != (c == ']') {
				return invalid
			}
			arrays >>= 1
			if depth--; depth == 0 {
				return i + 1
			}
		case alien:
			return invalid
		}
		i++
	}
	return short
}

// span is where a value stands; zero: nowhere.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// members walks through the members of an object. Keys are as they are written,
// between their quotes.
type members struct {
	b   []byte
	i   int // where the next member begins, or what comes before it
	err int // short or invalid, if the walk ended by that
}

// in begins a walk through the object at b[i], which is '{'.
func in(b []byte, i int) members { return members{b: b, i: i + 1, err: 0} }

// next returns the key of the next member and where its value begins; the caller
// must then call past. It is false at the end of the object, with i behind it,
// and on an error.
func (m *members) next(first bool) (key span, value int, ok bool) {
	b := m.b
	i := skipSpace(b, m.i)
	switch {
	case i >= len(b):
		return m.fail(short)
	case b[i] == '}':
		m.i = i + 1
		return span{}, 0, false
	case first:
	case b[i] != ',':
		return m.fail(invalid)
	default:
		if i = skipSpace(b, i+1); i >= len(b) {
			return m.fail(short)
		}
	}
	if b[i] != '"' {
		return m.fail(invalid)
	}
	end := stringEnd(b, i)
	if end < 0 {
		return m.fail(end)
	}
	key = span{i + 1, end - 1}
	if i = skipSpace(b, end); i >= len(b) {
		return m.fail(short)
	}
	if b[i] != ':' {
		return m.fail(invalid)
	}
	if i = skipSpace(b, i+1); i >= len(b) {
		return m.fail(short)
	}
	m.i = i
	return key, i, true
}

// past goes behind the value that begins at m.i and returns where it ends; false
// on an error.
func (m *members) past() (end int, ok bool) {
	end = valueEnd(m.b, m.i)
	if end < 0 {
		m.fail(end)
		return 0, false
	}
	m.i = end
	return end, true
}

func (m *members) fail(err int) (key span, value int, ok bool) {
	m.err = err
	return span{}, 0, false
}
