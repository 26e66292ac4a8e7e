package cloudtrail

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// maxField is how much of a text from a record is kept, in bytes. AWS's own
// limits are lower, but for long encryption contexts.
const maxField = 4096

// maxKeptContext is how large an encryption context may be, as written in the
// record, that is kept with an event; a larger one is left out there, since a part
// would look like the whole. Its pairs are counted all the same.
const maxKeptContext = 4096

// maxContext is how large an encryption context may be that is looked at, as
// written in the record. KMS takes up to 8192 characters.
// https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
const maxContext = 32 << 10

// call is one KMS record, taken apart. What it refers to is good until the next
// record is read.
type call struct {
	at        time.Time
	op        []byte
	id        []byte
	shared    []byte // sharedEventID
	requestID []byte
	errorCode []byte
	sourceIP  []byte
	request   []byte // requestParameters, JSON
	user      []byte // userIdentity, JSON
	keys      [][]byte
	key       int  // which of them the encryption context is asked for
	use       bool // a tracked operation that succeeded
	refusal   bool
	refusedBy uint32 // which of the keys, one bit each, a refusal is of
	publicKey bool
	partly    bool      // it does not name by ARN all the keys that it is about
	odd       GapReason // why it cannot be told what it says; empty: it can
	switches  bool      // a success that may switch the key off or on
	creates   bool      // a success that made the key
	replica   []byte    // ARN of the key that a ReplicateKey made

	// What is looked up when it is asked for.
	who               identity
	encryptionContext []byte // JSON
	whoKnown          bool
	contextKnown      bool

	// Of the encryption context, if readPairs was called. Of a name that is there
	// twice the last counts.
	pairs     [][2][]byte
	morePairs int // beyond maxPairs
}

// maxPairs is how many pairs of one encryption context are counted.
const maxPairs = 32

// read takes a record of KMS apart. It is false if the record has no time.
func (c *call) read(r *record) bool {
	*c = call{keys: c.keys[:0], pairs: c.pairs[:0]}
	c.op = clip(r.text(mEventName))
	c.errorCode = clip(r.text(mErrorCode))
	c.id, c.shared = clip(r.text(mEventID)), clip(r.text(mSharedEventID))
	c.requestID, c.sourceIP = clip(r.text(mRequestID)), clip(r.text(mSourceIPAddress))
	c.request = r.raw(mRequestParameters)
	c.keys = attribute(c.keys, r, c.op)
	if len(c.keys) > maxNamed {
		c.keys, c.odd = c.keys[:maxNamed], CrowdedCall
	}
	switch failed, ok := outcome(r); {
	case !ok:
		c.odd = NoOutcome
	case failed:
		message := r.text(mErrorMessage)
		if c.refusal = refused(c.op, c.errorCode, message); c.refusal {
			c.blame(message)
		}
	default:
		if c.use = tracked[string(c.op)]; !c.use {
			c.readLife(r)
		}
	}
	c.partly = len(c.keys) == 0 || string(c.op) == opReEncrypt && !namesBoth(c.keys, r)
	c.user = r.raw(mUserIdentity)
	at, ok := parseTime(r.text(mEventTime))
	c.at = at
	return ok
}

// outcome tells whether a call failed; ok is false if its record does not say so,
// and not the opposite either. A code that is no text, or a message without a
// code, speaks of an error: the call is no use, and no success of another kind. It
// is not certain either, so that nothing may be concluded from its absence.
//
// errorCode is there if the request returned an error, errorMessage describes it;
// both are optional.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
func outcome(r *record) (failed, ok bool) {
	if says, ok := saysText(r.raw(mErrorCode)); says || !ok {
		return true, ok
	}
	says, ok := saysText(r.raw(mErrorMessage))
	return says || !ok, ok && !says
}

// saysText tells whether a value is a text that is not empty; ok is false for what
// is neither a text nor missing.
func saysText(v []byte) (says, ok bool) {
	if len(v) == 0 || string(v) == "null" {
		return false, true
	}
	s, ok := text(v)
	return len(s) > 0, ok
}

// blame finds out which of the keys a refusal is of: those that its message names
// by ARN; if it names none of them, all. That of a ReEncrypt of which one key is
// off names that one, "<ARN> is disabled."; the other was not refused.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func (c *call) blame(message []byte) {
	c.refusedBy = 1<<maxNamed - 1
	if len(c.keys) < 2 {
		return
	}
	var named uint32
	for _, arn := range fromMessage(nil, message) {
		for i, k := range c.keys {
			if bytes.Equal(k, arn) {
				named |= 1 << i
			}
		}
	}
	if named != 0 {
		c.refusedBy = named
	}
}

// refuses tells whether the call is a refusal of key i of those named.
func (c *call) refuses(i int) bool { return c.refusal && c.refusedBy>>i&1 == 1 }

// readLife reads what a successful call that is no use made of the key.
func (c *call) readLife(r *record) {
	switch string(c.op) {
	case opGetPublicKey:
		c.publicKey = true
	case opCreateKey:
		// Also logged in the Region of a replica, for the ReplicateKey that made it.
		// https://docs.aws.amazon.com/kms/latest/developerguide/ct-createkey.html
		c.creates = true
		c.fromResponse(child(child(r.b, "responseElements"), "keyMetadata"), "arn")
	case opReplicateKey:
		// Its resources name the primary; this is the only place that says who made
		// the replica.
		// https://docs.aws.amazon.com/kms/latest/developerguide/ct-replicate-key.html
		if arn := textOr(child(child(child(r.b, "responseElements"), "replicaKeyMetadata"), "arn")); isKeyARN(arn) {
			c.replica = arn
		}
	case opDisableKey, opEnableKey, opScheduleDelete, opCancelDelete, opImportMaterial, opDeleteMaterial, opMaterialExpired:
		// "recorded on or after December 2022 include the key ARN of the affected KMS
		// key in the responseElements.keyId value"
		// https://docs.aws.amazon.com/kms/latest/developerguide/ct-disablekey.html
		c.switches = true
		c.fromResponse(child(r.b, "responseElements"), "keyId")
	}
}

// fromResponse takes the ARN of the key from the answer if nothing else told it.
func (c *call) fromResponse(v []byte, name string) {
	if len(c.keys) > 0 {
		return
	}
	if arn := textOr(child(v, name)); isKeyARN(arn) {
		c.keys = append(c.keys, arn)
	}
}

// service is the AWS service on whose behalf the call was made; nil for direct
// calls. Where the address of the caller would be it gives its name too; S3 and
// others can appear as "AWS Internal" there.
func (c *call) service() []byte {
	s := c.sourceIP
	if bytes.HasSuffix(s, []byte(".amazonaws.com")) || bytes.HasSuffix(s, []byte(".amazonaws.com.cn")) {
		return s
	}
	if by := c.identity().invokedBy; len(by) > 0 {
		return by
	}
	if string(s) == "AWS Internal" {
		return s
	}
	return nil
}

// maxUser is how much of a userIdentity is kept as it is, in bytes.
const maxUser = 4096

// shortUser is userIdentity, of a long one what is read of it.
func (c *call) shortUser() []byte {
	if len(c.user) <= maxUser {
		return c.user
	}
	who := c.identity()
	short, err := json.Marshal(map[string]any{
		"arn": string(who.principal), "invokedBy": string(who.invokedBy),
		"sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": string(who.role())}},
	})
	if err != nil {
		return nil // it is made of texts
	}
	return short
}

// identity is who called.
func (c *call) identity() *identity {
	if !c.whoKnown {
		c.whoKnown = true
		c.who.read(c.user)
	}
	return &c.who
}

// of asks for the encryption context that concerns key i of those named.
func (c *call) of(i int) {
	if c.key != i && c.twoContexts() {
		c.contextKnown = false
	}
	c.key = i
}

// twoContexts tells that source and destination have one each.
// https://docs.aws.amazon.com/kms/latest/developerguide/ct-reencrypt.html
func (c *call) twoContexts() bool { return string(c.op) == opReEncrypt }

// context is the encryption context of the request as JSON, nil if it has none:
// of a grant, that to which it is constrained, which names what it is for.
func (c *call) context() []byte {
	if c.contextKnown {
		return c.encryptionContext
	}
	c.contextKnown, c.encryptionContext = true, nil
	if c.twoContexts() {
		if c.key == 0 {
			c.encryptionContext = contextIn(c.request, "sourceEncryptionContext")
		}
		if c.key == 1 || c.encryptionContext == nil && len(c.keys) == 1 {
			c.encryptionContext = contextIn(c.request, "destinationEncryptionContext")
		}
	}
	if c.encryptionContext == nil {
		c.encryptionContext = contextIn(c.request, "encryptionContext")
	}
	if c.encryptionContext == nil && string(c.op) == opCreateGrant {
		constraints := child(c.request, "constraints")
		if c.encryptionContext = contextIn(constraints, "encryptionContextSubset"); c.encryptionContext == nil {
			c.encryptionContext = contextIn(constraints, "encryptionContextEquals")
		}
	}
	return c.encryptionContext
}

// keptContext is the context if it is to be kept, else nil.
func (c *call) keptContext() []byte {
	if v := c.context(); len(v) <= maxKeptContext {
		return v
	}
	return nil
}

// contextIn returns a member that is an encryption context, nil if it is none or
// larger than one can be.
func contextIn(v []byte, name string) []byte {
	if v = child(v, name); len(v) > 0 && v[0] == '{' && len(v) <= maxContext {
		return v
	}
	return nil
}

// readPairs takes the encryption context apart, both if one key is source and
// destination.
func (c *call) readPairs() {
	c.pairs, c.morePairs = c.pairs[:0], 0
	c.addPairs(c.context())
	if c.twoContexts() && len(c.keys) == 1 {
		c.addPairs(contextIn(c.request, "destinationEncryptionContext"))
	}
}

func (c *call) addPairs(context []byte) {
	other := len(c.pairs)
	eachPair(context, func(key, value []byte, ok bool) {
		key, value = clip(key), clip(value)
		i := slices.IndexFunc(c.pairs[other:], func(p [2][]byte) bool { return bytes.Equal(p[0], key) })
		if i >= 0 {
			i += other
		}
		switch {
		case !ok && i >= 0:
			c.pairs = slices.Delete(c.pairs, i, i+1)
		case !ok:
		case i >= 0:
			c.pairs[i][1] = value
		case len(c.pairs) == maxPairs:
			c.morePairs++
		default:
			c.pairs = append(c.pairs, [2][]byte{key, value})
		}
	})
	// A pair of both counts once.
	for i := len(c.pairs) - 1; i >= other; i-- {
		if p := c.pairs[i]; slices.ContainsFunc(c.pairs[:other], func(q [2][]byte) bool { return bytes.Equal(p[0], q[0]) && bytes.Equal(p[1], q[1]) }) {
			c.pairs = slices.Delete(c.pairs, i, i+1)
		}
	}
}

// identity is who called.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type identity struct {
	principal []byte // ARN, or where there is none the principal ID
	invokedBy []byte
	session   []byte // sessionContext, JSON
}

// role is the ARN of the session's issuer.
func (u *identity) role() []byte {
	return clip(textOr(child(child(u.session, "sessionIssuer"), "arn")))
}

func (u *identity) read(v []byte) {
	*u = identity{}
	if len(v) == 0 || v[0] != '{' {
		return
	}
	var arn, id []byte
	m := in(v, 0)
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
		case "arn":
			arn = textOr(v[value:end])
		case "principalId":
			id = textOr(v[value:end])
		case "invokedBy":
			u.invokedBy = clip(textOr(v[value:end]))
		case "sessionContext":
			u.session = v[value:end]
		}
	}
	if u.principal = clip(arn); len(arn) == 0 {
		u.principal = clip(id)
	}
}

// child returns the value of a member of the object v; nil if there is none, or
// v is no object.
func child(v []byte, name string) (found []byte) {
	if len(v) == 0 || v[0] != '{' {
		return nil
	}
	m := in(v, 0)
	for first := true; ; first = false {
		key, value, ok := m.next(first)
		if !ok {
			return found
		}
		end, ok := m.past()
		if !ok {
			return found
		}
		if string(keyText(v, key)) == name {
			found = v[value:end]
		}
	}
}

// clip keeps what is kept of a text, whole characters.
func clip(s []byte) []byte {
	if len(s) <= maxField {
		return s
	}
	s = s[:maxField]
	for len(s) > 0 && s[len(s)-1]&0xC0 == 0x80 {
		s = s[:len(s)-1]
	}
	if len(s) > 0 && s[len(s)-1] >= 0xC0 {
		s = s[:len(s)-1]
	}
	return s
}
