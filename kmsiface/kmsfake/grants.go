package kmsfake

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// grant is a grant on a key, with the entry that lists it.
type grant struct {
	key   *key
	id    string
	entry types.GrantListEntry
}

var grantIDPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// checkGrants refuses grants that a new key in the store cannot have.
func (st *store) checkGrants(grants []Grant) error {
	seen := map[string]bool{}
	for _, g := range grants {
		switch {
		case g.ID != "" && (!grantIDPattern.MatchString(g.ID) || st.grants[g.ID] != nil || seen[g.ID]):
			return fmt.Errorf("%q cannot be the ID of a new grant", g.ID)
		case g.GranteePrincipal == "" && g.GranteeServicePrincipal == "":
			return errors.New("a grant has no grantee")
		case len(g.Operations) == 0:
			return errors.New("a grant has no operations")
		}
		seen[g.ID] = true
	}
	return nil
}

// addGrant puts a grant on the key and returns it.
func (s *Server) addGrant(k *key, in Grant) *grant {
	g := &grant{key: k, id: cmp.Or(in.ID, s.ids.hex(32))}
	g.entry = types.GrantListEntry{
		KeyId:                    aws.String(k.arn),
		GrantId:                  aws.String(g.id),
		Name:                     aws.String(in.Name), // empty if there is none
		GranteePrincipal:         orNil(in.GranteePrincipal),
		GranteeServicePrincipal:  orNil(in.GranteeServicePrincipal),
		RetiringPrincipal:        orNil(in.RetiringPrincipal),
		RetiringServicePrincipal: orNil(in.RetiringServicePrincipal),
		IssuingAccount:           aws.String(cmp.Or(in.IssuingAccount, rootARN(k.store.scope))),
		CreationDate:             aws.Time(cmp.Or(in.Created, k.created)),
		Operations:               slices.Clone(in.Operations),
	}
	if len(in.EncryptionContextEquals) > 0 || len(in.EncryptionContextSubset) > 0 || in.SourceArn != "" {
		g.entry.Constraints = &types.GrantConstraints{
			EncryptionContextEquals: maps.Clone(in.EncryptionContextEquals),
			EncryptionContextSubset: maps.Clone(in.EncryptionContextSubset),
			SourceArn:               orNil(in.SourceArn),
		}
	}
	i, _ := slices.BinarySearchFunc(k.grants, g.id, func(g *grant, id string) int { return strings.Compare(g.id, id) })
	k.grants = slices.Insert(k.grants, i, g)
	k.store.grants[g.id] = g
	for _, r := range g.retirers() {
		x := s.retirable[r]
		if x == nil {
			x = &index{}
			s.retirable[r] = x
		}
		x.add(g.id + " " + k.store.account)
	}
	return g
}

func (s *Server) dropGrant(k *key, g *grant) {
	k.grants = slices.DeleteFunc(k.grants, func(o *grant) bool { return o == g })
	delete(k.store.grants, g.id)
	for _, r := range g.retirers() {
		s.retirable[r].remove(g.id + " " + k.store.account)
	}
}

// retirer is who may retire grants in a Region, whosoever's the keys are, and
// the account that can ask for them: the principal's, for a service the key's.
type retirer struct {
	scope
	principal string
}

// retirers are those that the grant names.
func (g *grant) retirers() []retirer {
	var out []retirer
	for _, p := range []*string{g.entry.RetiringPrincipal, g.entry.RetiringServicePrincipal} {
		if p != nil {
			out = append(out, retirerOf(g.key.store.scope, *p))
		}
	}
	return out
}

func retirerOf(sc scope, principal string) retirer {
	if isPrincipalARN(principal) {
		sc.account = strings.Split(principal, ":")[4]
	}
	return retirer{sc, principal}
}

func grantID(g *grant) string { return g.id }

func entries(grants []*grant) []types.GrantListEntry {
	out := make([]types.GrantListEntry, len(grants))
	for i, g := range grants {
		out[i] = g.entry
	}
	return out
}

func listGrants(c *call, in *kms.ListGrantsInput) (*kms.ListGrantsOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if in.GranteePrincipal != nil && in.GranteeServicePrincipal != nil {
		return nil, invalid("GranteePrincipal and GranteeServicePrincipal cannot be specified together")
	}
	grants, subject := k.grants, k.arn
	if in.GrantId != nil || in.GranteePrincipal != nil || in.GranteeServicePrincipal != nil {
		grants = nil
		for _, g := range k.grants {
			if matches(in.GrantId, g.entry.GrantId) && matches(in.GranteePrincipal, g.entry.GranteePrincipal) &&
				matches(in.GranteeServicePrincipal, g.entry.GranteeServicePrincipal) {
				grants = append(grants, g)
			}
		}
		subject += "\x00" + aws.ToString(in.GrantId) + "\x00" + aws.ToString(in.GranteePrincipal) + "\x00" + aws.ToString(in.GranteeServicePrincipal)
	}
	grants, next, truncated, err := page(c, grants, grantID, in.Limit, in.Marker, subject)
	if err != nil {
		return nil, err
	}
	return &kms.ListGrantsOutput{Grants: entries(grants), NextMarker: next, Truncated: truncated}, nil
}

func matches(filter, value *string) bool {
	return filter == nil || value != nil && *filter == *value
}

// listRetirableGrants finds grants on the keys of all accounts, for a principal of
// the caller's. AWS does not say which error another account's principal gets.
func listRetirableGrants(c *call, in *kms.ListRetirableGrantsInput) (*kms.ListRetirableGrantsOutput, error) {
	if (in.RetiringPrincipal == nil) == (in.RetiringServicePrincipal == nil) {
		return nil, invalid("Exactly one of RetiringPrincipal and RetiringServicePrincipal must be specified")
	}
	who := aws.ToString(in.RetiringPrincipal) + aws.ToString(in.RetiringServicePrincipal)
	r := retirerOf(c.scope(), who)
	if r.account != c.account {
		return nil, fail(codeInvalidArn, "Invalid principal %s: it is not in account %s", who, c.account)
	}
	var ids []string
	if x := c.srv.retirable[r]; x != nil {
		ids = x.all()
	}
	ids, next, truncated, err := page(c, ids, self, in.Limit, in.Marker, who)
	if err != nil {
		return nil, err
	}
	grants := make([]*grant, len(ids))
	for i, id := range ids {
		grantID, account, _ := strings.Cut(id, " ")
		grants[i] = c.srv.store(scope{account, c.region}).grants[grantID]
	}
	return &kms.ListRetirableGrantsOutput{Grants: entries(grants), NextMarker: next, Truncated: truncated}, nil
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// rootARN is the account principal.
func rootARN(sc scope) string {
	return "arn:" + partition(sc.region) + ":iam::" + sc.account + ":root"
}

// grantOperations lists what a grant can allow on keys of each usage, besides
// what it can on all.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/grants.html#terms-grant-operations
var grantOperations = map[types.KeyUsageType][]types.GrantOperation{
	types.KeyUsageTypeEncryptDecrypt:         {types.GrantOperationEncrypt, types.GrantOperationDecrypt, types.GrantOperationReEncryptFrom, types.GrantOperationReEncryptTo},
	types.KeyUsageTypeSignVerify:             {types.GrantOperationSign, types.GrantOperationVerify},
	types.KeyUsageTypeGenerateVerifyMac:      {types.GrantOperationGenerateMac, types.GrantOperationVerifyMac},
	types.KeyUsageTypeKeyAgreement:           {types.GrantOperationDeriveSharedSecret},
	types.KeyUsageTypeEncapsulateDecapsulate: {types.GrantOperationEncapsulate, types.GrantOperationDecapsulate},
}

// grantable tells whether a grant on the key can allow the operation.
func grantable(k *key, op types.GrantOperation) bool {
	switch op {
	case types.GrantOperationCreateGrant, types.GrantOperationRetireGrant, types.GrantOperationDescribeKey:
		return true
	case types.GrantOperationGetPublicKey:
		return isAsymmetric(k.spec)
	case types.GrantOperationGenerateDataKey, types.GrantOperationGenerateDataKeyWithoutPlaintext,
		types.GrantOperationGenerateDataKeyPair, types.GrantOperationGenerateDataKeyPairWithoutPlaintext:
		return isSymmetric(k.spec)
	}
	return slices.Contains(grantOperations[k.usage], op)
}

// What encryption context constraints are checked against.
const (
	mostContextPairs = 8
	mostContextValue = 384 // characters
)

func createGrant(c *call, in *kms.CreateGrantInput) (*kms.CreateGrantOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := checkGrant(k, in); err != nil {
		return nil, err
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	wanted := Grant{
		Name:                     aws.ToString(in.Name),
		GranteePrincipal:         aws.ToString(in.GranteePrincipal),
		GranteeServicePrincipal:  aws.ToString(in.GranteeServicePrincipal),
		RetiringPrincipal:        aws.ToString(in.RetiringPrincipal),
		RetiringServicePrincipal: aws.ToString(in.RetiringServicePrincipal),
		IssuingAccount:           rootARN(scope{c.account, c.region}),
		Operations:               in.Operations,
		Created:                  c.now,
	}
	if in.Constraints != nil {
		wanted.EncryptionContextEquals = in.Constraints.EncryptionContextEquals
		wanted.EncryptionContextSubset = in.Constraints.EncryptionContextSubset
		wanted.SourceArn = aws.ToString(in.Constraints.SourceArn)
	}
	g := k.sameGrant(wanted)
	if g == nil {
		g = c.srv.addGrant(k, wanted)
	}
	return &kms.CreateGrantOutput{GrantId: aws.String(g.id), GrantToken: aws.String(sealMarker(k.arn+" "+g.id+" "+c.requestID, tokenScope))}, nil
}

// checkGrant checks what a request for a grant says.
func checkGrant(k *key, in *kms.CreateGrantInput) error {
	switch {
	case (in.GranteePrincipal == nil) == (in.GranteeServicePrincipal == nil):
		return invalid("Exactly one of GranteePrincipal and GranteeServicePrincipal must be specified")
	case in.RetiringPrincipal != nil && in.RetiringServicePrincipal != nil:
		return invalid("RetiringPrincipal and RetiringServicePrincipal cannot be specified together")
	case in.GranteeServicePrincipal != nil && (in.Constraints == nil || in.Constraints.SourceArn == nil):
		return invalid("GranteeServicePrincipal requires a SourceArn constraint")
	case in.GranteeServicePrincipal != nil && in.RetiringPrincipal == nil && in.RetiringServicePrincipal == nil:
		return invalid("GranteeServicePrincipal requires a retiring principal")
	}
	for _, p := range []*string{in.GranteePrincipal, in.RetiringPrincipal} {
		if p != nil && !isPrincipalARN(*p) {
			return fail(codeInvalidArn, "Invalid principal %s", *p)
		}
	}
	for _, op := range in.Operations {
		if !grantable(k, op) {
			return invalid("Operation %s is not supported on a KMS key of spec %s and usage %s", op, k.spec, k.usage)
		}
	}
	if in.Constraints == nil {
		return nil
	}
	for _, context := range []map[string]string{in.Constraints.EncryptionContextEquals, in.Constraints.EncryptionContextSubset} {
		if len(context) > 0 && !isSymmetric(k.spec) {
			return invalid("Encryption context constraints are valid for symmetric encryption KMS keys only")
		}
		if len(context) > mostContextPairs {
			return invalid("An encryption context constraint has at most %d pairs", mostContextPairs)
		}
		for _, v := range context {
			if len([]rune(v)) > mostContextValue {
				return invalid("An encryption context constraint has values of at most %d characters", mostContextValue)
			}
		}
	}
	return nil
}

// isPrincipalARN tells whether s is an account, user, role, federated user or
// role session.
func isPrincipalARN(s string) bool {
	p := strings.SplitN(s, ":", 6)
	return len(p) == 6 && p[0] == "arn" && (p[2] == "iam" || p[2] == "sts") && p[3] == "" && isAccount(p[4]) && p[5] != ""
}

// sameGrant finds the grant that a repeated request with a name asks for.
func (k *key) sameGrant(in Grant) *grant {
	if in.Name == "" {
		return nil
	}
	i := slices.IndexFunc(k.grants, func(g *grant) bool {
		e := g.entry
		var constraints types.GrantConstraints
		if e.Constraints != nil {
			constraints = *e.Constraints
		}
		return aws.ToString(e.Name) == in.Name &&
			aws.ToString(e.GranteePrincipal) == in.GranteePrincipal &&
			aws.ToString(e.GranteeServicePrincipal) == in.GranteeServicePrincipal &&
			aws.ToString(e.RetiringPrincipal) == in.RetiringPrincipal &&
			aws.ToString(e.RetiringServicePrincipal) == in.RetiringServicePrincipal &&
			slices.Equal(e.Operations, in.Operations) &&
			maps.Equal(constraints.EncryptionContextEquals, in.EncryptionContextEquals) &&
			maps.Equal(constraints.EncryptionContextSubset, in.EncryptionContextSubset) &&
			aws.ToString(constraints.SourceArn) == in.SourceArn
	})
	if i < 0 {
		return nil
	}
	return k.grants[i]
}

// tokenScope keeps grant tokens and page markers apart.
const tokenScope = "grant token"

func (k *key) grant(id string) *grant {
	i, found := slices.BinarySearchFunc(k.grants, id, func(g *grant, id string) int { return strings.Compare(g.id, id) })
	if !found {
		return nil
	}
	return k.grants[i]
}

func revokeGrant(c *call, in *kms.RevokeGrantInput) (*kms.RevokeGrantOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	g := k.grant(*in.GrantId)
	if g == nil {
		return nil, fail(codeNotFound, "Grant ID %s not found", *in.GrantId)
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.srv.dropGrant(k, g)
	return &kms.RevokeGrantOutput{}, nil
}

// retireGrant can be called by the retiring principal, by the grantee if the
// grant allows it, and by the account in which the grant was created.
func retireGrant(c *call, in *kms.RetireGrantInput) (*kms.RetireGrantOutput, error) {
	g, err := c.grantToRetire(in)
	if err != nil {
		return nil, err
	}
	if !g.retirableBy(c.caller) {
		return nil, deniedByResource(c.caller.arn, c.op.name, g.key.arn)
	}
	if err := c.dry(in.DryRun); err != nil {
		return nil, err
	}
	c.note(g.key.arn)
	c.additional = object([]member{{"grantId", g.id}})
	c.srv.dropGrant(g.key, g)
	return &kms.RetireGrantOutput{}, nil
}

func (c *call) grantToRetire(in *kms.RetireGrantInput) (*grant, error) {
	arn, id := aws.ToString(in.KeyId), aws.ToString(in.GrantId)
	switch {
	case in.GrantToken != nil && in.KeyId == nil && in.GrantId == nil:
		text, ok := openMarker(*in.GrantToken, tokenScope)
		parts := strings.Fields(text)
		if !ok || len(parts) != 3 {
			return nil, fail(codeInvalidGrantToken, "")
		}
		arn, id = parts[0], parts[1]
	case in.GrantToken != nil || in.KeyId == nil || in.GrantId == nil:
		return nil, invalid("Specify either a grant token, or a key ARN and a grant ID")
	}
	k := c.srv.find(arn)
	switch {
	case !strings.HasPrefix(arn, "arn:"):
		return nil, fail(codeInvalidArn, "Invalid arn %s", arn)
	case k == nil || k.store.region != c.region:
		return nil, fail(codeNotFound, "Key '%s' does not exist", arn)
	}
	if g := k.grant(id); g != nil {
		return g, nil
	}
	return nil, fail(codeNotFound, "Grant ID %s not found", id)
}

func (g *grant) retirableBy(who principal) bool {
	root := rootARN(scope{who.account, g.key.store.region})
	is := func(p *string) bool {
		return p != nil && (*p == who.arn || *p == roleOf(who.arn) || *p == root)
	}
	return aws.ToString(g.entry.IssuingAccount) == root || is(g.entry.RetiringPrincipal) ||
		is(g.entry.GranteePrincipal) && slices.Contains(g.entry.Operations, types.GrantOperationRetireGrant)
}
