package cloudtrail

import (
	"bytes"
	"encoding/binary"
)

// isKeyARN tells whether s is the ARN of a KMS key, of any partition:
// arn:partition:kms:region:account:key/id. It says what keyarn.Parse does, but
// that there may be no spaces and nothing beyond ASCII, and makes no garbage.
func isKeyARN(s []byte) bool {
	const shortest, longest = len("arn:x:kms:y:z:key/w"), 2048
	if len(s) < shortest || len(s) > longest || string(s[:4]) != "arn:" {
		return false
	}
	if !graphic(s) {
		return false
	}
	rest := s[4:]
	var fields [4][]byte // partition, service, Region, account
	for i := range fields {
		n := bytes.IndexByte(rest, ':')
		if n <= 0 {
			return false
		}
		fields[i], rest = rest[:n], rest[n+1:]
	}
	id, ok := bytes.CutPrefix(rest, []byte("key/"))
	return ok && string(fields[1]) == "kms" && len(id) > 0 && bytes.IndexByte(id, ':') < 0 && bytes.IndexByte(id, '/') < 0
}

// graphic tells whether all of s is ASCII that leaves ink.
func graphic(s []byte) bool {
	const (
		high = 0x8080808080808080
		// What these are added to gets its highest bit from '!' on, and from DEL on.
		fromInk = 0x5F5F5F5F5F5F5F5F
		fromDel = 0x0101010101010101
	)
	for ; len(s) >= 8; s = s[8:] {
		w := binary.LittleEndian.Uint64(s)
		if w&high != 0 || (w+fromInk)&high != high || (w+fromDel)&high != 0 {
			return false
		}
	}
	for _, c := range s {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// attribute appends to keys the ARNs of the keys that a record is about, each
// once: those of its resources; if there are none, those that the request names;
// if there are none, those in the error message. ReEncrypt names two, the source
// first: where its resources hold only one, the request says the other.
//
// A bare key ID is never looked at, since the members of a multi-Region set
// share it, nor is an alias, which moves, nor the rest of the request: an
// encryption context can hold the ARN of any key.
//
// Of a record that names more than maxNamed there is one more than that.
func attribute(keys [][]byte, r *record, op []byte) [][]byte {
	keys, _ = fromResources(keys, r.raw(mResources))
	switch {
	case len(keys) == 0:
		keys = fromRequest(keys, r.raw(mRequestParameters))
	case len(keys) == 1 && string(op) == opReEncrypt:
		request := r.raw(mRequestParameters)
		keys = fromRequest(keys, request)
		if len(keys) == 2 && bytes.Equal(keys[1], textOr(child(request, requestKeys[0]))) {
			keys[0], keys[1] = keys[1], keys[0] // the source comes first
		}
	}
	if len(keys) == 0 {
		keys = fromMessage(keys, r.text(mErrorMessage))
	}
	return keys
}

// namesBoth tells whether a ReEncrypt whose keys are those given names source and
// destination. One key is both if its resources hold it twice, or if the request
// says the same of both: whatever that is, an alias too, it means one key.
// https://docs.aws.amazon.com/kms/latest/developerguide/ct-reencrypt.html
func namesBoth(keys [][]byte, r *record) bool {
	if len(keys) != 1 {
		return len(keys) > 1
	}
	request := r.raw(mRequestParameters)
	source := textOr(child(request, "sourceKeyId"))
	if len(source) > 0 && bytes.Equal(source, textOr(child(request, "destinationKeyId"))) {
		return true
	}
	_, times := fromResources(nil, r.raw(mResources))
	return times > 1
}

// maxNamed is how many keys may be named by one record. KMS knows no call that is
// about more than two.
// https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
const maxNamed = 16

func addKey(keys [][]byte, arn []byte) [][]byte {
	if len(keys) > maxNamed {
		return keys
	}
	for _, k := range keys {
		if bytes.Equal(k, arn) {
			return keys
		}
	}
	return append(keys, arn)
}

// fromResources reads the members ARN, or in some records arn, of the array v;
// times is how often it found a key.
func fromResources(keys [][]byte, v []byte) (_ [][]byte, times int) {
	if len(v) == 0 || v[0] != '[' {
		return keys, 0
	}
	for i := 1; ; {
		if i = skipSpace(v, i); i >= len(v) || v[i] == ']' {
			return keys, times
		}
		var end int
		if v[i] == '{' {
			var arn []byte
			if arn, end = resource(v, i); arn != nil {
				keys = addKey(keys, arn)
				times++
			}
		} else {
			end = valueEnd(v, i)
		}
		if end < 0 {
			return keys, times
		}
		if i = skipSpace(v, end); i >= len(v) || v[i] != ',' {
			return keys, times
		}
		i++
	}
}

// resource returns the key ARN of the resource at v[i], nil if it has none, and
// the position behind it.
func resource(v []byte, i int) (arn []byte, end int) {
	var upper, lower []byte
	m := in(v, i)
	for first := true; ; first = false {
		key, value, ok := m.next(first)
		if !ok {
			break
		}
		end, ok := m.past()
		if !ok {
			break
		}
		switch string(keyText(v, key)) {
		case "ARN":
			upper = textOr(v[value:end])
		case "arn":
			lower = textOr(v[value:end])
		}
	}
	switch {
	case m.err != 0:
		return nil, m.err
	case isKeyARN(upper):
		return upper, m.i
	case isKeyARN(lower):
		return lower, m.i
	}
	return nil, m.i
}

// The members of a request that can name the key it is about, in the order in
// which they count.
var requestKeys = [...]string{"sourceKeyId", "keyId", "destinationKeyId", "targetKeyId", "keyArn"}

func fromRequest(keys [][]byte, v []byte) [][]byte {
	if len(v) == 0 || v[0] != '{' {
		return keys
	}
	var named [len(requestKeys)][]byte
	each(v, func(key, value []byte) {
		for i, name := range requestKeys {
			if string(key) == name {
				named[i] = textOr(value)
			}
		}
	})
	for _, arn := range named {
		if isKeyARN(arn) {
			keys = addKey(keys, arn)
		}
	}
	return keys
}

// fromMessage finds key ARNs in prose.
func fromMessage(keys [][]byte, text []byte) [][]byte {
	for {
		i := bytes.Index(text, []byte("arn:"))
		if i < 0 {
			return keys
		}
		text = text[i:]
		end := bytes.IndexFunc(text, func(c rune) bool {
			return c != ':' && c != '/' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
		})
		if end < 0 {
			end = len(text)
		}
		arn := bytes.TrimRight(text[:end], ":-_/")
		if isKeyARN(arn) {
			keys = addKey(keys, arn)
		}
		text = text[max(end, 1):]
	}
}

// each calls f with key and value of every member of the object v.
func each(v []byte, f func(key, value []byte)) {
	m := in(v, 0)
	for first := true; ; first = false {
		key, value, ok := m.next(first)
		if !ok {
			return
		}
		end, ok := m.past()
		if !ok {
			return
		}
		f(keyText(v, key), v[value:end])
	}
}
