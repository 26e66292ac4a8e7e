package cloudtrail

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// member is one of the members of a record that are read.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type member uint8

const (
	mNone member = iota
	mEventSource
	mEventName
	mEventTime
	mAWSRegion
	mEventID
	mSharedEventID
	mRequestID
	mErrorCode
	mErrorMessage
	mUserIdentity
	mRequestParameters
	mResources
	mSourceIPAddress
	mEventCategory
	mEventType
	mManagementEvent
	mReadOnly
	mRecipientAccountID
	mCloudTrailEvent // of LookupEvents: the record, as a string
	mWrapped         // Records or Events: the member of an object around records
	memberCount
)

func memberOf(key []byte) member {
	switch string(key) {
	case "eventSource":
		return mEventSource
	case "eventName":
		return mEventName
	case "eventTime":
		return mEventTime
	case "awsRegion":
		return mAWSRegion
	case "eventID":
		return mEventID
	case "sharedEventID":
		return mSharedEventID
	case "requestID":
		return mRequestID
	case "errorCode":
		return mErrorCode
	case "errorMessage":
		return mErrorMessage
	case "userIdentity":
		return mUserIdentity
	case "requestParameters":
		return mRequestParameters
	case "resources":
		return mResources
	case "sourceIPAddress":
		return mSourceIPAddress
	case "eventCategory":
		return mEventCategory
	case "eventType":
		return mEventType
	case "managementEvent":
		return mManagementEvent
	case "readOnly":
		return mReadOnly
	case "recipientAccountId":
		return mRecipientAccountID
	case "CloudTrailEvent":
		return mCloudTrailEvent
	case "Records", "Events":
		return mWrapped
	}
	return mNone
}

// minEscaped is the length of the shortest known key with an escape in it.
const minEscaped = len(`\u0065vents`)

// record is where the members of one record stand. Of a member that is there
// twice it is the last, as in encoding/json.
type record struct {
	b     []byte
	value [memberCount]span
}

// scan reads the record at b[0], which is '{', and returns its length, short or
// invalid.
func (r *record) scan(b []byte) int { return r.scanClean(b, 0) }

// scanClean is scan where nothing is escaped in b[:clean].
func (r *record) scanClean(b []byte, clean int) int {
	n, _ := r.read(b, false, clean)
	return n
}

// scanTop is scan for an object that may be one around records: then it returns
// the position of the array that holds them, and true. Nothing is escaped in
// b[:clean].
func (r *record) scanTop(b []byte, clean int) (n int, around bool) { return r.read(b, true, clean) }

// What is expected next among the members of a record.
const (
	firstKey uint8 = iota // or the end
	nextKey
	itsColon
	itsValue
	itsEnd // a comma, or the end of the record
)

// read is a walk from quote to quote, whose positions come 64 bytes at a time.
// What stands between strings is looked at byte by byte; mostly it is one. Below
// the record's own members only brackets count.
func (r *record) read(b []byte, top bool, clean int) (n int, around bool) {
	r.b = b
	r.value = [memberCount]span{}
	var (
		i     = 1
		state = firstKey
		key   = mNone
	)
	for i < len(b) {
		c := b[i]
		switch kinds[c] {
		case quote:
			start := i + 1
			closes := 0
			if state != itsValue && start+16 <= len(b) {
				closes = shortString(b, start)
			}
			if closes == 0 {
				n := bytes.IndexByte(b[start:], '"')
				if n < 0 {
					return short, false
				}
				closes = start + n
			}
			if b[closes-1] == '\\' {
				if closes = stringEnd(b, i) - 1; closes < 0 {
					return short, false
				}
			}
			i = closes + 1
			switch state {
			case firstKey, nextKey:
				name := span{start, closes}
				key = memberOf(name.of(b))
				if key == mNone && closes-start >= minEscaped && bytes.IndexByte(name.of(b), '\\') >= 0 {
					key = memberOf(keyText(b, name))
				}
				state = itsColon
				if i < len(b) && b[i] == ':' {
					i++
					state = itsValue
				}
			case itsValue:
				r.value[key] = span{start - 1, i}
				state = itsEnd
				if i < len(b) && b[i] == ',' {
					i++
					state = nextKey
				}
			default:
				return invalid, false
			}
			continue
		case open:
			if state != itsValue {
				return invalid, false
			}
			if top && key == mWrapped && c == '[' {
				return i, true
			}
			end := nestedEndClean(b, i, clean)
			if end < 0 {
				return end, false
			}
			r.value[key] = span{i, end}
			i, state = end, itsEnd
			continue
		case closing:
			if c != '}' || state != itsEnd && state != firstKey {
				return invalid, false
			}
			return i + 1, false
		case literal:
			end := literalEnd(b, i)
			if end < 0 {
				return end, false
			}
			if state != itsValue {
				return invalid, false
			}
			r.value[key] = span{i, end}
			i, state = end, itsEnd
			continue
		case comma:
			if state != itsEnd {
				return invalid, false
			}
			state = nextKey
		case colon:
			if state != itsColon {
				return invalid, false
			}
			state = itsValue
		case alien:
			return invalid, false
		}
		i++
	}
	return short, false
}

// raw returns the JSON value of a member, nil if it is not there.
func (r *record) raw(k member) []byte { return r.value[k].of(r.b) }

// text returns a member that is a string; empty if it is not there or no string.
func (r *record) text(k member) []byte { return textOr(r.raw(k)) }

// is tells whether a member is the very literal, true or false for example.
func (r *record) is(k member, literal string) bool { return string(r.raw(k)) == literal }

// shortString looks for the quote that ends a string in the 16 bytes from b[i]
// on, as most keys are that short. It returns its position, zero if there is none.
func shortString(b []byte, i int) int {
	const (
		quotes = 0x2222222222222222
		low    = 0x0101010101010101
		high   = 0x8080808080808080
	)
	p := (*[16]byte)(b[i:])
	x := binary.LittleEndian.Uint64(p[0:]) ^ quotes
	y := binary.LittleEndian.Uint64(p[8:]) ^ quotes
	// The lowest bit set is exact; those above it need not be.
	if x = (x - low) &^ x & high; x != 0 {
		return i + bits.TrailingZeros64(x)>>3
	}
	if y = (y - low) &^ y & high; y != 0 {
		return i + 8 + bits.TrailingZeros64(y)>>3
	}
	return 0
}
