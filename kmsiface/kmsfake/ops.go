package kmsfake

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// operation is one operation of KMS or CloudTrail. The tables of them are all
// that decides what the server serves.
type operation struct {
	service      *service // nil until it is completed: KMS
	name         string
	required     []string // members
	changes      bool     // needs the lock for writing
	aliases      bool     // takes an alias where it takes a key
	crossAccount bool     // can be called on another account's key

	newInput        func() any
	run             func(*call, any) (any, error)
	keyField        int            // index of the member that names the key, -1 for none
	ciphertextField int            // index of the member that names it otherwise
	times           []string       // members that are dates
	blobs           []int          // indexes of members that are bytes
	materials       []string       // members of the answer that name key material
	plan            []checkedField // members to validate
	alsoDraws       func(*call, any) []quotaKey
}

// operations are the operations served, by name.
var operations = table(
	op(listKeys, operation{}),
	op(listAliases, operation{}),
	op(describeKey, operation{required: []string{"KeyId"}, aliases: true, crossAccount: true}),
	op(getKeyLastUsage, operation{required: []string{"KeyId"}}),
	op(listGrants, operation{required: []string{"KeyId"}, crossAccount: true}),
	op(listRetirableGrants, operation{}),
	op(getKeyPolicy, operation{required: []string{"KeyId"}}),
	op(listKeyPolicies, operation{required: []string{"KeyId"}}),
	op(listResourceTags, operation{required: []string{"KeyId"}}),
	op(listKeyRotations, operation{required: []string{"KeyId"}}),
	op(getKeyRotationStatus, operation{required: []string{"KeyId"}, crossAccount: true}),
	op(describeCustomKeyStores, operation{}),
	op(getPublicKey, operation{required: []string{"KeyId"}, aliases: true, crossAccount: true}),

	op(encrypt, operation{required: []string{"KeyId", "Plaintext"}, aliases: true, crossAccount: true}),
	op(decrypt, operation{aliases: true, crossAccount: true}),
	op(reEncrypt, operation{required: []string{"DestinationKeyId"}, aliases: true, crossAccount: true}),
	op(generateDataKey, operation{required: []string{"KeyId"}, aliases: true, crossAccount: true}),
	op(generateDataKeyWithoutPlaintext, operation{required: []string{"KeyId"}, aliases: true, crossAccount: true}),
	op(generateDataKeyPair, operation{required: []string{"KeyId", "KeyPairSpec"}, aliases: true, crossAccount: true}),
	op(generateDataKeyPairWithoutPlaintext, operation{required: []string{"KeyId", "KeyPairSpec"}, aliases: true, crossAccount: true}),
	op(generateMac, operation{required: []string{"KeyId", "MacAlgorithm", "Message"}, aliases: true, crossAccount: true}),
	op(verifyMac, operation{required: []string{"KeyId", "Mac", "MacAlgorithm", "Message"}, aliases: true, crossAccount: true}),
	op(sign, operation{required: []string{"KeyId", "Message", "SigningAlgorithm"}, aliases: true, crossAccount: true}),
	op(verify, operation{required: []string{"KeyId", "Message", "Signature", "SigningAlgorithm"}, aliases: true, crossAccount: true}),
	op(deriveSharedSecret, operation{required: []string{"KeyAgreementAlgorithm", "KeyId", "PublicKey"}, aliases: true, crossAccount: true}),
	op(encapsulate, operation{required: []string{"EncapsulationAlgorithm", "KeyId"}, aliases: true, crossAccount: true}),
	op(decapsulate, operation{required: []string{"EncapsulationAlgorithm", "KeyId", "SharedSecretCiphertextBlob"}, aliases: true, crossAccount: true}),
	op(generateRandom, operation{}),

	op(createKey, operation{changes: true}),
	op(replicateKey, operation{required: []string{"KeyId", "ReplicaRegion"}, changes: true, alsoDraws: replicateDraws}),
	op(updatePrimaryRegion, operation{required: []string{"KeyId", "PrimaryRegion"}, changes: true, alsoDraws: primaryDraws}),
	op(updateKeyDescription, operation{required: []string{"Description", "KeyId"}, changes: true}),
	op(enableKey, operation{required: []string{"KeyId"}, changes: true}),
	op(disableKey, operation{required: []string{"KeyId"}, changes: true}),
	op(scheduleKeyDeletion, operation{required: []string{"KeyId"}, changes: true}),
	op(cancelKeyDeletion, operation{required: []string{"KeyId"}, changes: true}),
	op(deleteImportedKeyMaterial, operation{required: []string{"KeyId"}, changes: true}),
	op(enableKeyRotation, operation{required: []string{"KeyId"}, changes: true}),
	op(disableKeyRotation, operation{required: []string{"KeyId"}, changes: true}),
	op(rotateKeyOnDemand, operation{required: []string{"KeyId"}, changes: true}),
	op(createAlias, operation{required: []string{"AliasName", "TargetKeyId"}, changes: true}),
	op(updateAlias, operation{required: []string{"AliasName", "TargetKeyId"}, changes: true}),
	op(deleteAlias, operation{required: []string{"AliasName"}, changes: true}),
	op(createGrant, operation{required: []string{"KeyId", "Operations"}, changes: true, crossAccount: true}),
	op(retireGrant, operation{changes: true, crossAccount: true}),
	op(revokeGrant, operation{required: []string{"GrantId", "KeyId"}, changes: true, crossAccount: true}),
	op(putKeyPolicy, operation{required: []string{"KeyId", "Policy"}, changes: true}),
	op(tagResource, operation{required: []string{"KeyId", "Tags"}, changes: true}),
	op(untagResource, operation{required: []string{"KeyId", "TagKeys"}, changes: true}),
)

// Operations returns the names of the operations of KMS that the server serves,
// sorted.
func Operations() []string {
	names := make([]string, 0, len(operations))
	for name := range operations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func table(ops ...*operation) map[string]*operation {
	m := make(map[string]*operation, len(ops))
	for _, o := range ops {
		m[o.name] = o
	}
	return m
}

// op completes the description of an operation from the types of its handler.
func op[I, O any](handler func(*call, *I) (*O, error), o operation) *operation {
	t := reflect.TypeFor[I]()
	o.service = kmsService
	o.name = strings.TrimSuffix(t.Name(), "Input")
	o.newInput = func() any { return new(I) }
	o.run = func(c *call, in any) (any, error) {
		out, err := handler(c, as[*I](in))
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	o.keyField, o.ciphertextField = -1, -1
	for _, name := range []string{"KeyId", "TargetKeyId", "DestinationKeyId"} {
		if f, ok := t.FieldByName(name); ok {
			o.keyField = f.Index[0]
			break
		}
	}
	if f, ok := t.FieldByName("CiphertextBlob"); ok {
		o.ciphertextField = f.Index[0]
	}
	for i := range t.NumField() {
		switch f := t.Field(i); f.Type {
		case reflect.PointerTo(timeType):
			o.times = append(o.times, f.Name)
		case bytesType:
			o.blobs = append(o.blobs, i)
		}
	}
	for _, name := range []string{"KeyMaterialId", "SourceKeyMaterialId", "DestinationKeyMaterialId"} {
		if _, ok := reflect.TypeFor[O]().FieldByName(name); ok && !o.changes {
			o.materials = append(o.materials, name)
		}
	}
	o.plan = checks(o.name, t)
	return &o
}

// as asserts a type that was seen to before.
func as[T any](v any) T {
	t, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("kmsfake: %T is not a %s", v, reflect.TypeFor[T]()))
	}
	return t
}

func (o *operation) decode(body []byte) (any, error) {
	in := o.newInput()
	if err := decode(body, in, o.times...); err != nil {
		return nil, err
	}
	return in, nil
}

// action is the IAM action without its service. ReEncrypt needs two; the
// destination's is the one named.
func (o *operation) action() string {
	if o.name == "ReEncrypt" {
		return "ReEncryptTo"
	}
	return o.name
}

// draws lists the quotas that one call counts against.
func (o *operation) draws(c *call, in any) []quotaKey {
	keys := []quotaKey{{c.account, c.region, o.name}}
	if o.alsoDraws != nil {
		keys = append(keys, o.alsoDraws(c, in)...)
	}
	return keys
}

// subject returns the key that a request names and its ARN.
func (c *call) subject(in any) (id, arn string) {
	v := reflect.ValueOf(in).Elem()
	if i := c.op.keyField; i >= 0 {
		id = aws.ToString(as[*string](v.Field(i).Interface()))
	}
	switch {
	case id != "":
		arn = c.srv.arnOf(c.scope(), id)
	case c.op.ciphertextField >= 0:
		if k := c.ciphertextKey(v.Field(c.op.ciphertextField).Bytes()); k != nil {
			arn = k.arn
		}
	}
	return id, arn
}

// arnOf resolves any name of a key to its ARN; empty if there is no such key.
func (s *Server) arnOf(sc scope, ref string) string {
	resource := ref
	if strings.HasPrefix(ref, "arn:") {
		var ok bool
		if sc, _, resource, ok = arnParts(ref); !ok {
			return ""
		}
	}
	st := s.store(sc)
	if a := st.aliases[resource]; a != nil && a.key != nil {
		return a.key.arn
	}
	if k := st.keys[strings.TrimPrefix(resource, "key/")]; k != nil {
		return k.arn
	}
	return ""
}
