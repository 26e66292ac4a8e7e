package cloudtrail

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/internal/keyarn"
)

// reference reads the content of one file with encoding/json, as plainly as can
// be. It is false if that is not valid JSON to its end, or holds something else than
// objects and arrays: then the records before are those that must count.
func reference(content []byte) (*referenceHistory, bool) {
	h := &referenceHistory{keys: map[string]*referenceKey{}, seen: map[string]bool{}}
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff"))))
	for {
		var v json.RawMessage
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return h, true
		}
		if err != nil || v[0] != '[' && v[0] != '{' {
			return h, false
		}
		h.document(v)
	}
}

type referenceHistory struct {
	keys map[string]*referenceKey
	seen map[string]bool // event and key
	odd  int             // what is no record, has no good time, or cannot be meant

	unattributed int
}

type referenceKey struct {
	operations, errors, services map[string]int
	contexts                     map[[2]string]int
	first, last, publicKey       *usage.Event
	created                      *usage.Event
	refusals, switches           []usage.Event
}

type object = map[string]json.RawMessage

// objectOf is nil for what is no object.
func objectOf(v json.RawMessage) object {
	var o object
	if json.Unmarshal(v, &o) != nil {
		return nil
	}
	return o
}

// stringOf is empty for what is no string.
func stringOf(v json.RawMessage) string {
	var s string
	if len(v) == 0 || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// eachMember calls f with all members of an object, twins too, in order.
func eachMember(v json.RawMessage, f func(key string, value json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(v))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return
		}
		key, _ := t.(string)
		f(key, value)
	}
}

func (h *referenceHistory) document(v json.RawMessage) {
	switch v[0] {
	case '[':
		h.elements(v, func(e json.RawMessage) { h.document(e) })
	case '{':
		around, itself := false, false
		eachMember(v, func(key string, value json.RawMessage) {
			if (key == "Records" || key == "Events") && value[0] == '[' {
				around = true
				h.elements(value, func(e json.RawMessage) { h.record(objectOf(e)) })
			}
			itself = itself || key == "eventSource" || key == "CloudTrailEvent"
		})
		switch {
		case !around:
			h.record(objectOf(v))
		case itself:
			h.odd++ // which of both it is nobody knows
		}
	}
}

func (h *referenceHistory) elements(v json.RawMessage, each func(json.RawMessage)) {
	var all []json.RawMessage
	if json.Unmarshal(v, &all) != nil {
		return
	}
	for _, e := range all {
		if objectOf(e) == nil {
			h.odd++
			continue
		}
		each(e)
	}
}

func (h *referenceHistory) record(o object) {
	source := stringOf(o["eventSource"])
	if source == "" {
		inner := stringOf(o["CloudTrailEvent"])
		if o = objectOf(json.RawMessage(inner)); o == nil || stringOf(o["eventSource"]) == "" {
			h.odd++
			return
		}
		source = stringOf(o["eventSource"])
	}
	if source != kmsSource && source != kmsSourceChina {
		return
	}
	if c := stringOf(o["eventCategory"]); c != "" && c != "Management" {
		return
	}
	if t := stringOf(o["eventType"]); t == "AwsCloudTrailInsight" || t == "AwsVpceEvent" || string(o["managementEvent"]) == "false" {
		return
	}
	at, err := time.Parse(time.RFC3339, stringOf(o["eventTime"]))
	if err != nil || at.IsZero() || at.After(fuzzNow.Add(maxAhead)) {
		h.odd++
		return
	}
	code, isText := o["errorCode"], true
	for _, v := range []json.RawMessage{code, o["errorMessage"]} {
		isText = isText && (v == nil || string(v) == "null" || v[0] == '"')
		if stringOf(code) != "" {
			break // that it failed is all that there is to know
		}
	}
	if !isText || stringOf(code) == "" && stringOf(o["errorMessage"]) != "" {
		h.odd++
		return
	}
	h.call(o, at.UTC())
}

func (h *referenceHistory) call(o object, at time.Time) {
	user := objectOf(o["userIdentity"])
	request := objectOf(o["requestParameters"])
	principal := stringOf(user["arn"])
	if principal == "" {
		principal = stringOf(user["principalId"])
	}
	e := usage.Event{
		At: at, Operation: cut(stringOf(o["eventName"])), EventID: cut(stringOf(o["eventID"])), RequestID: cut(stringOf(o["requestID"])),
		Principal: cut(principal), InvokedBy: cut(stringOf(user["invokedBy"])), SourceIP: cut(stringOf(o["sourceIPAddress"])),
		Role:      cut(stringOf(objectOf(objectOf(user["sessionContext"])["sessionIssuer"])["arn"])),
		ErrorCode: cut(stringOf(o["errorCode"])),
	}
	message := stringOf(o["errorMessage"])
	keys := referenceKeys(o, request, e.Operation, message)
	if len(keys) > maxNamed {
		h.odd++
		keys = keys[:maxNamed]
	}
	named := slices.DeleteFunc(slices.Clone(keys), func(arn string) bool { return !slices.Contains(arnsIn(message), arn) })
	if tracked[e.Operation] || e.Operation == "GetPublicKey" && e.ErrorCode == "" {
		if len(keys) == 0 || e.Operation == "ReEncrypt" && len(keys) == 1 && !oneAsBoth(o, request) {
			h.unattributed++
		}
	} else if len(keys) == 0 && e.Operation == "CreateGrant" && refused([]byte(e.Operation), []byte(e.ErrorCode), []byte(message)) {
		h.unattributed++
	}
	for i, arn := range keys {
		e, seen := e, map[[2]string]bool{}
		switch {
		case e.Operation != "ReEncrypt":
			e.Context = contextOf(request, "encryptionContext")
			if constraints := objectOf(request["constraints"]); e.Context == nil && e.Operation == "CreateGrant" {
				if e.Context = contextOf(constraints, "encryptionContextSubset"); e.Context == nil {
					e.Context = contextOf(constraints, "encryptionContextEquals")
				}
			}
		case len(keys) == 1: // source and destination, or nobody knows which
			if e.Context = contextOf(request, "sourceEncryptionContext"); e.Context == nil {
				e.Context = contextOf(request, "destinationEncryptionContext")
			}
			if e.Context == nil {
				e.Context = contextOf(request, "encryptionContext")
			}
			for k, v := range contextOf(request, "destinationEncryptionContext") {
				seen[[2]string{cut(k), cut(v)}] = true
			}
		default:
			name := "sourceEncryptionContext"
			if i == 1 {
				name = "destinationEncryptionContext"
			}
			if e.Context = contextOf(request, name); i > 1 {
				e.Context = nil
			}
			if e.Context == nil {
				e.Context = contextOf(request, "encryptionContext")
			}
		}
		for k, v := range e.Context {
			seen[[2]string{cut(k), cut(v)}] = true
		}
		h.note(arn, e, message, len(named) == 0 || slices.Contains(named, arn), seen)
	}
	if replica := stringOf(objectOf(objectOf(o["responseElements"])["replicaKeyMetadata"])["arn"]); e.Operation == "ReplicateKey" && e.ErrorCode == "" && isReferenceKey(replica) {
		h.key(replica).made(e)
	}
}

// contextOf is nil for what is no object, or too large.
func contextOf(request object, name string) map[string]string {
	v := request[name]
	if len(v) == 0 || v[0] != '{' || len(v) > maxContext {
		return nil
	}
	context := map[string]string{}
	for k, v := range objectOf(v) {
		if len(v) > 0 && v[0] == '"' {
			context[k] = stringOf(v)
		}
	}
	return context
}

func (k *referenceKey) made(e usage.Event) {
	if k.created == nil || e.At.Before(k.created.At) {
		k.created = &e
	}
}

func cut(s string) string { return string(clip([]byte(s))) }

func isReferenceKey(arn string) bool {
	_, ok := keyarn.Parse(arn)
	return ok && len(arn) <= 2048 && !strings.ContainsFunc(arn, func(c rune) bool { return c <= ' ' || c > '~' })
}

func referenceKeys(o, request object, op, message string) []string {
	var keys []string
	add := func(arn string) bool {
		ok := isReferenceKey(arn)
		if ok && !slices.Contains(keys, arn) {
			keys = append(keys, arn)
		}
		return ok
	}
	var resources []json.RawMessage
	if json.Unmarshal(o["resources"], &resources) == nil {
		for _, r := range resources {
			if !add(stringOf(objectOf(r)["ARN"])) {
				add(stringOf(objectOf(r)["arn"]))
			}
		}
	}
	if len(keys) == 0 || op == "ReEncrypt" && len(keys) < 2 {
		alone := len(keys) == 1
		for _, name := range requestKeys {
			add(stringOf(request[name]))
		}
		if alone && len(keys) == 2 && keys[1] == stringOf(request["sourceKeyId"]) {
			slices.Reverse(keys)
		}
	}
	if len(keys) == 0 {
		for _, arn := range arnsIn(message) {
			add(arn)
		}
	}
	if response := objectOf(o["responseElements"]); len(keys) == 0 && stringOf(o["errorCode"]) == "" {
		if op == "CreateKey" {
			add(stringOf(objectOf(response["keyMetadata"])["arn"]))
		} else if switchRank(op) > 0 {
			add(stringOf(response["keyId"]))
		}
	}
	return keys
}

// arnsIn are the ARNs in prose.
func arnsIn(message string) []string {
	var arns []string
	for _, word := range strings.FieldsFunc(message, func(c rune) bool {
		return !strings.ContainsRune(":/-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", c)
	}) {
		if i := strings.Index(word, "arn:"); i >= 0 {
			arns = append(arns, strings.TrimRight(word[i:], ":-_/"))
		}
	}
	return arns
}

// oneAsBoth tells whether a ReEncrypt that names one key has it as source and as
// destination.
func oneAsBoth(o, request object) bool {
	source := stringOf(request["sourceKeyId"])
	if source != "" && source == stringOf(request["destinationKeyId"]) {
		return true
	}
	times := 0
	var resources []json.RawMessage
	if json.Unmarshal(o["resources"], &resources) == nil {
		for _, r := range resources {
			if r := objectOf(r); isReferenceKey(stringOf(r["ARN"])) || isReferenceKey(stringOf(r["arn"])) {
				times++
			}
		}
	}
	return times > 1
}

func (h *referenceHistory) key(arn string) *referenceKey {
	k := h.keys[arn]
	if k == nil {
		k = &referenceKey{operations: map[string]int{}, errors: map[string]int{}, services: map[string]int{}, contexts: map[[2]string]int{}}
		h.keys[arn] = k
	}
	return k
}

// note enters a call for a key; blamed: if it is a refusal, it is one of this key.
func (h *referenceHistory) note(arn string, e usage.Event, message string, blamed bool, seen map[[2]string]bool) {
	k := h.key(arn)
	if e.ErrorCode == "" {
		if e.Operation == "CreateKey" {
			k.made(e)
		}
		if switchRank(e.Operation) > 0 {
			k.switches = append(k.switches, e)
		}
		if tracked[e.Operation] {
			if k.first == nil || e.At.Before(k.first.At) {
				k.first = &e
			}
			if k.last == nil || e.At.After(k.last.At) {
				k.last = &e
			}
		}
		if e.Operation == "GetPublicKey" && (k.publicKey == nil || e.At.After(k.publicKey.At)) {
			k.publicKey = &e
		}
	} else if blamed && refused([]byte(e.Operation), []byte(e.ErrorCode), []byte(message)) {
		k.refusals = append(k.refusals, e)
	}
	if e.EventID != "" {
		id := e.EventID + " " + arn
		if h.seen[id] {
			return
		}
		h.seen[id] = true
	}
	k.operations[e.Operation]++
	if e.ErrorCode != "" {
		k.errors[e.ErrorCode]++
	}
	service := e.InvokedBy
	switch s := e.SourceIP; {
	case strings.HasSuffix(s, ".amazonaws.com") || strings.HasSuffix(s, ".amazonaws.com.cn"):
		service = s
	case service == "" && s == "AWS Internal":
		service = s
	}
	if service != "" {
		k.services[service]++
	}
	for pair := range seen {
		k.contexts[pair]++
	}
}

// off is what all events say; false if the scanner cannot be held to that, since
// it keeps fewer, or one ID is that of several.
func (k *referenceKey) off() (*usage.Event, bool) {
	ids := map[string]usage.Event{}
	for _, e := range k.switches {
		if other, ok := ids[e.EventID]; ok && e.EventID != "" && (other.Operation != e.Operation || !other.At.Equal(e.At)) {
			return nil, false
		}
		ids[e.EventID] = e
	}
	return off(k.switches), len(k.switches) <= maxSwitches
}

// contextsOf are the counts of a record in the form of the reference.
func contextsOf(r usage.Record) map[[2]string]int {
	m := map[[2]string]int{}
	for _, c := range r.Contexts {
		m[[2]string{c.Key, c.Value}] += c.Count
	}
	return m
}
