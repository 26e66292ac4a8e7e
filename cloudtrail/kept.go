package cloudtrail

import (
	"bytes"
	"time"

	"github.com/kmsusage/usage"
)

// The texts of an event that is kept, in the order in which they stand in data.
const (
	keptID = iota
	keptOp
	keptRequestID
	keptUser // userIdentity, JSON: most events are replaced before anybody asks
	keptSourceIP
	keptErrorCode
	keptShared
	keptContext // JSON
	keptFields
)

// kept is an event that is kept. Its memory is used again for the next one:
// nearly every event of a busy key is its last use, for a moment.
type kept struct {
	at   time.Time // zero: none
	data []byte
	ends [keptFields]int32
}

func (k *kept) field(i int) []byte {
	from := int32(0)
	if i > 0 {
		from = k.ends[i-1]
	}
	return k.data[from:k.ends[i]]
}

func (k *kept) set(c *call) {
	k.at = c.at
	fields := [keptFields][]byte{
		c.id, c.op, c.requestID, c.shortUser(), c.sourceIP, c.errorCode, c.shared, c.keptContext(),
	}
	size := 0
	for _, s := range fields {
		size += len(s)
	}
	if cap(k.data) < size {
		k.data = make([]byte, 0, size+size/8)
	}
	k.data = k.data[:0]
	for i, s := range fields {
		k.data = append(k.data, s...)
		k.ends[i] = int32(len(k.data)) //nolint:gosec // every field is bounded
	}
}

// order puts events in order of time. Of two at the same time, which copies of
// one event are, the one that names its principal is the larger; the rest only
// makes the order independent of that of the files.
func (k *kept) order(c *call) int {
	if n := c.at.Compare(k.at); n != 0 {
		return n
	}
	var was identity
	was.read(k.field(keptUser))
	if named := len(c.identity().principal) > 0; named != (len(was.principal) > 0) {
		if named {
			return 1
		}
		return -1
	}
	for _, f := range [...]struct {
		field int
		of    []byte
	}{
		{keptID, c.id},
		{keptOp, c.op},
		{keptRequestID, c.requestID},
		{keptUser, c.shortUser()},
		{keptSourceIP, c.sourceIP},
		{keptErrorCode, c.errorCode},
		{keptShared, c.shared},
		{keptContext, c.keptContext()},
	} {
		if n := bytes.Compare(f.of, k.field(f.field)); n != 0 {
			return n
		}
	}
	return 0
}

// later keeps c if it is later than what is kept.
func (k *kept) later(c *call) {
	if k.at.IsZero() || !c.at.Before(k.at) && k.order(c) > 0 {
		k.set(c)
	}
}

// earlier keeps c if it is earlier than what is kept.
func (k *kept) earlier(c *call) {
	if k.at.IsZero() || !c.at.After(k.at) && (c.at.Before(k.at) || k.order(c) > 0) {
		k.set(c)
	}
}

// same tells whether c is a copy of what is kept, perhaps that of another account.
func (k *kept) same(c *call) bool {
	return len(c.id) > 0 && bytes.Equal(c.id, k.field(keptID)) ||
		len(c.shared) > 0 && bytes.Equal(c.shared, k.field(keptShared))
}

// event returns what is kept; nil if nothing is.
func (k *kept) event() *usage.Event {
	if k.at.IsZero() {
		return nil
	}
	var who identity
	who.read(k.field(keptUser))
	e := &usage.Event{
		At: k.at, EventID: string(k.field(keptID)), Operation: string(k.field(keptOp)), RequestID: string(k.field(keptRequestID)),
		Principal: string(who.principal), Role: string(who.role()), InvokedBy: string(who.invokedBy),
		SourceIP: string(k.field(keptSourceIP)), ErrorCode: string(k.field(keptErrorCode)),
	}
	eachPair(k.field(keptContext), func(key, value []byte, ok bool) {
		switch {
		case !ok:
			delete(e.Context, string(key))
		case e.Context == nil:
			e.Context = map[string]string{string(key): string(value)}
		default:
			e.Context[string(key)] = string(value)
		}
	})
	return e
}

// eachPair calls f with every pair of an encryption context, of a key that is
// there twice with both; ok is false for a value that is no text.
func eachPair(context []byte, f func(key, value []byte, ok bool)) {
	if len(context) == 0 {
		return
	}
	each(context, func(key, value []byte) {
		s, ok := text(value)
		f(key, s, ok)
	})
}
