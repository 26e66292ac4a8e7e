package kmsfake

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// eventRecord is a CloudTrail record, its members in the order in which
// CloudTrail writes them.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type eventRecord struct {
	EventVersion        string          `json:"eventVersion"`
	UserIdentity        userIdentity    `json:"userIdentity"`
	EventTime           string          `json:"eventTime"`
	EventSource         string          `json:"eventSource"`
	EventName           string          `json:"eventName"`
	AWSRegion           string          `json:"awsRegion"`
	SourceIPAddress     string          `json:"sourceIPAddress"`
	UserAgent           string          `json:"userAgent,omitempty"`
	ErrorCode           string          `json:"errorCode,omitempty"`
	ErrorMessage        string          `json:"errorMessage,omitempty"`
	RequestParameters   json.RawMessage `json:"requestParameters"`
	ResponseElements    json.RawMessage `json:"responseElements"`
	AdditionalEventData json.RawMessage `json:"additionalEventData,omitempty"`
	RequestID           string          `json:"requestID,omitempty"`
	EventID             string          `json:"eventID"`
	ReadOnly            bool            `json:"readOnly"`
	Resources           json.RawMessage `json:"resources,omitempty"` // of KMS only
	EventType           string          `json:"eventType"`
	ManagementEvent     bool            `json:"managementEvent"`
	RecipientAccountID  string          `json:"recipientAccountId"`
	SharedEventID       string          `json:"sharedEventID,omitempty"`
	EventCategory       string          `json:"eventCategory"`
}

type userIdentity struct {
	Type           string          `json:"type,omitempty"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *sessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
}

type sessionContext struct {
	SessionIssuer sessionIssuer     `json:"sessionIssuer"`
	Attributes    sessionAttributes `json:"attributes"`
}

type sessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

type sessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

type eventResource struct {
	AccountID string `json:"accountId"`
	Type      string `json:"type"`
	ARN       string `json:"ARN"`
}

const (
	eventVersion = "1.11"
	keyResource  = "AWS::KMS::Key"
	eventTime    = "2006-01-02T15:04:05Z"
)

// record writes the CloudTrail record of the event.
func (l *logged) record() []byte {
	who, sc := l.who.Value(), l.scope.Value()
	r := eventRecord{
		EventVersion:        eventVersion,
		UserIdentity:        who.identity(sc.account, l.at),
		EventTime:           l.at.UTC().Format(eventTime),
		EventSource:         l.service.source,
		EventName:           l.name,
		AWSRegion:           sc.region,
		SourceIPAddress:     who.address(),
		UserAgent:           l.agent.Value(),
		ErrorCode:           l.errorCode(),
		ErrorMessage:        l.message,
		RequestParameters:   l.parameters(),
		ResponseElements:    l.response,
		AdditionalEventData: l.additional,
		RequestID:           l.requestID,
		EventID:             l.eventID,
		ReadOnly:            l.readOnly,
		EventType:           l.eventType(),
		ManagementEvent:     true,
		RecipientAccountID:  sc.account,
		SharedEventID:       l.sharedID,
		EventCategory:       "Management",
	}
	if who.InvokedBy != "" {
		r.UserAgent = who.InvokedBy
	}
	if l.service == kmsService {
		r.Resources = l.resources()
	}
	return marshal(r)
}

// eventType tells calls from what KMS does by itself, which no request asks for.
func (l *logged) eventType() string {
	if l.requestID == "" {
		return "AwsServiceEvent"
	}
	return "AwsApiCall"
}

func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // what is given here always encodes
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// errorCode is AccessDenied in records of calls that were answered with
// AccessDeniedException.
func (l *logged) errorCode() string {
	if l.code == codeAccessDenied {
		return "AccessDenied"
	}
	return l.code
}

// resources are an empty list for a call that needs no key, as AWS's examples of
// ListAliases and GenerateRandom have it, and null for a call that failed before
// its key was found.
func (l *logged) resources() json.RawMessage {
	if len(l.keys) == 0 && l.code != "" {
		return json.RawMessage("null")
	}
	list := make([]eventResource, len(l.keys))
	for i, arn := range l.keys {
		list[i] = eventResource{keyAccount(arn), keyResource, arn}
	}
	return marshal(list)
}

// address is the source IP address of the principal's calls.
func (p *principal) address() string {
	switch {
	case p.SourceIP != "":
		return p.SourceIP
	case p.InvokedBy != "":
		return p.InvokedBy
	}
	return "192.0.2.1"
}

// identity is the element userIdentity of an event that the account recipient
// gets. The owner of a key is told of another account's principal only its ID
// and account.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func (p *principal) identity(recipient string, at time.Time) userIdentity {
	id := userIdentity{ARN: p.arn, AccountID: p.account, AccessKeyID: p.accessKey, InvokedBy: p.InvokedBy}
	_, resource, _ := strings.Cut(p.arn, "::"+p.account+":")
	kind, name, _ := strings.Cut(resource, "/")
	switch {
	case p.arn == "":
		return id // what KMS does by itself
	case kind == "assumed-role":
		role, session, _ := strings.Cut(name, "/")
		id.Type, id.PrincipalID = "AssumedRole", uniqueID("AROA", roleOf(p.arn))
		id.SessionContext = &sessionContext{
			SessionIssuer: sessionIssuer{Type: "Role", PrincipalID: id.PrincipalID, ARN: roleOf(p.arn), AccountID: p.account, UserName: role},
			Attributes:    sessionAttributes{CreationDate: at.UTC().Truncate(time.Hour).Format(eventTime), MFAAuthenticated: "false"},
		}
		id.PrincipalID += ":" + session
	case kind == "user":
		id.Type, id.PrincipalID, id.UserName = "IAMUser", uniqueID("AIDA", p.arn), name[strings.LastIndex(name, "/")+1:]
	case kind == "root":
		id.Type, id.PrincipalID = "Root", p.account
	case kind == "role":
		id.Type, id.PrincipalID = "Role", uniqueID("AROA", p.arn)
	default:
		id.Type, id.PrincipalID = "Unknown", uniqueID("AIDA", p.arn)
	}
	if recipient != p.account {
		return userIdentity{Type: "AWSAccount", PrincipalID: id.PrincipalID, AccountID: p.account, InvokedBy: p.InvokedBy}
	}
	return id
}

// username is what lookups by Username find the principal's calls by: of a role,
// the name of its session.
func (p *principal) username() string {
	_, resource, _ := strings.Cut(p.arn, "::"+p.account+":")
	return resource[strings.LastIndex(resource, "/")+1:]
}

// uniqueID is the ID that IAM gives a principal.
func uniqueID(prefix, arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// parameters is the element requestParameters. Plaintexts, ciphertexts, messages
// and tokens are left out, as by AWS. It is null if there is nothing to say, for
// GenerateRandom and RetireGrant, as in AWS's examples, and for calls that were
// denied, as records of such calls have it; AWS publishes no example of one.
func (l *logged) parameters() json.RawMessage {
	switch {
	case l.request == nil:
		return l.params
	case l.code == codeAccessDenied, l.name == "GenerateRandom", l.name == "RetireGrant":
		return nil
	}
	b := appendLogged(nil, reflect.ValueOf(completed(l.request)))
	if string(b) == "{}" {
		return nil
	}
	return b
}

// completed fills in what AWS logs although the request left it out.
//
// Source: the examples of https://docs.aws.amazon.com/kms/latest/developerguide/understanding-kms-entries.html,
// for example https://docs.aws.amazon.com/kms/latest/developerguide/ct-decrypt.html
func completed(request any) any {
	switch in := request.(type) {
	case *kms.EncryptInput:
		c := *in
		c.EncryptionAlgorithm = algorithmOr(c.EncryptionAlgorithm)
		return &c
	case *kms.DecryptInput:
		c := *in
		c.EncryptionAlgorithm = algorithmOr(c.EncryptionAlgorithm)
		return &c
	case *kms.ReEncryptInput:
		c := *in
		c.SourceEncryptionAlgorithm = algorithmOr(c.SourceEncryptionAlgorithm)
		c.DestinationEncryptionAlgorithm = algorithmOr(c.DestinationEncryptionAlgorithm)
		return &c
	case *kms.SignInput:
		c := *in
		if c.MessageType == "" {
			c.MessageType = types.MessageTypeRaw
		}
		return &c
	case *kms.CreateKeyInput:
		c := *in
		if old := types.KeySpec(c.CustomerMasterKeySpec); c.KeySpec == "" { //nolint:staticcheck // deprecated, but KMS still logs it
			c.KeySpec = old
		}
		if c.KeySpec == "" {
			c.KeySpec = types.KeySpecSymmetricDefault
		}
		c.CustomerMasterKeySpec = types.CustomerMasterKeySpec(c.KeySpec) //nolint:staticcheck // deprecated, but KMS still logs it
		if c.KeyUsage == "" {
			c.KeyUsage = types.KeyUsageTypeEncryptDecrypt
		}
		if c.Origin == "" {
			c.Origin = types.OriginTypeAwsKms
		}
		if c.Description == nil {
			c.Description = aws.String("")
		}
		if c.MultiRegion == nil {
			c.MultiRegion = aws.Bool(false)
		}
		return &c
	case *kms.ReplicateKeyInput:
		c := *in
		if c.Description == nil {
			c.Description = aws.String("")
		}
		return &c
	case *kms.PutKeyPolicyInput:
		c := *in
		if c.PolicyName == nil {
			c.PolicyName = aws.String(policyName)
		}
		return &c
	}
	return request
}

// useParameters are the request parameters of a use without a call. Like those
// of AWS services, a Decrypt does not name its key.
func useParameters(k *key, operation string, context map[string]string) json.RawMessage {
	b := []byte{'{'}
	if operation != "Decrypt" || !isSymmetric(k.spec) {
		b = append(append(b, `"keyId":`...), appendString(nil, k.arn)...)
	}
	if (operation == "Decrypt" || operation == "Encrypt") && isSymmetric(k.spec) {
		b = append(comma(b), `"encryptionAlgorithm":"SYMMETRIC_DEFAULT"`...)
	}
	if len(context) > 0 {
		b = append(comma(b), `"encryptionContext":`...)
		b = appendValue(b, reflect.ValueOf(context))
	}
	return append(b, '}')
}

func comma(b []byte) []byte {
	if b[len(b)-1] == '{' {
		return b
	}
	return append(b, ',')
}

// namesKey are the operations that return no key ARN and whose events have it in
// responseElements all the same.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html#searching-kms-ct
var namesKey = map[string]bool{
	"CreateAlias": true, "CreateGrant": true, "DeleteAlias": true, "DisableKey": true, "EnableKey": true, "EnableKeyRotation": true,
	"TagResource": true, "UntagResource": true, "UpdateAlias": true, "UpdatePrimaryRegion": true,
}

// responseElements is the element of that name of an operation that changes
// something. Readings and cryptographic operations have none.
func responseElements(o *operation, out any, keys []string) json.RawMessage {
	b := appendLogged(nil, reflect.ValueOf(out))
	if i := slices.IndexFunc(keys, isKey); i >= 0 && namesKey[o.name] {
		b = append(comma(b[:len(b)-1]), `"keyId":`...)
		b = append(appendString(b, keys[i]), '}')
	}
	if string(b) == "{}" {
		return nil
	}
	return b
}

// member is a member of a JSON object.
type member struct{ name, value string }

func object(members []member) json.RawMessage {
	b := []byte{'{'}
	for _, m := range members {
		b = append(appendString(comma(b), m.name), ':')
		b = appendString(b, m.value)
	}
	return append(b, '}')
}

// keyStoreData is the element additionalEventData of a cryptographic operation
// with a key of a custom key store.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/ct-decrypt.html
func (k *key) keyStoreData() json.RawMessage {
	members := []member{{"customKeyStoreId", k.keyStore.id}}
	if k.xksKeyID != "" {
		members = append(members, member{"xksKeyId", k.xksKeyID})
	}
	return object(members)
}

// unloggedMembers are left out of events, as is all that is bytes: plaintexts,
// ciphertexts, messages, signatures.
var unloggedMembers = map[string]bool{"GrantToken": true, "GrantTokens": true, "Recipient": true}

// strip takes out of a request what its event leaves out anyway.
func (o *operation) strip(in any) {
	v := reflect.ValueOf(in).Elem()
	for _, i := range o.blobs {
		v.Field(i).SetZero()
	}
}

// appendLogged writes a value as events have it: the names of members begin with
// a small letter, and dates are text.
func appendLogged(b []byte, v reflect.Value) []byte {
	if v.Type() == timeType {
		return appendString(b, as[time.Time](v.Interface()).UTC().Format("Jan 2, 2006, 3:04:05 PM"))
	}
	switch v.Kind() {
	case reflect.Pointer:
		return appendLogged(b, v.Elem())
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendLogged(b, v.Index(i))
		}
		return append(b, ']')
	case reflect.Struct:
		b = append(b, '{')
		for _, f := range planOf(v.Type()) {
			m, name := v.Field(f.index), v.Type().Field(f.index).Name
			if unset(m) || m.Type() == bytesType || unloggedMembers[name] {
				continue
			}
			b = strconv.AppendQuote(comma(b), lowerFirst(name))
			b = appendLogged(append(b, ':'), m)
		}
		return append(b, '}')
	}
	return appendValue(b, v)
}

// names are the types and names of the resources that lookups find the event by.
// Where AWS says that a name is the key ARN, or key ID and key ARN, changes have
// both.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html#searching-kms-ct
func (l *logged) names(promised bool) iter.Seq2[string, string] {
	return func(yield func(kind, name string) bool) {
		if l.service == trailService {
			if name := trailNamed(l.request); name != "" {
				yield("AWS::CloudTrail::Trail", name)
			}
			return
		}
		if promised && l.readOnly {
			return
		}
		for _, arn := range l.keys {
			if _, id, ok := strings.Cut(arn, ":key/"); ok && !l.readOnly && !yield(keyResource, id) {
				return
			}
			if !yield(keyResource, arn) {
				return
			}
		}
	}
}
