package kmsfake

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// key finds the key that a request names, checks that the caller may do the
// operation to it and that its state allows it.
func (c *call) key(ref *string) (*key, error) {
	return c.keyFor(ref, c.op.name)
}

// keyFor is key with the action named, for operations that do two things.
func (c *call) keyFor(ref *string, action string) (*key, error) {
	k, err := c.resolve(aws.ToString(ref), action)
	if err != nil {
		return nil, err
	}
	if err := c.authorize(k, action); err != nil {
		return nil, err
	}
	c.note(k.arn)
	if err := c.checkState(k); err != nil {
		return nil, err
	}
	return k, nil
}

// resolve finds a key by key ID or key ARN and, where the operation takes them,
// by alias name or alias ARN.
func (c *call) resolve(ref, action string) (*key, error) {
	if !strings.HasPrefix(ref, "arn:") {
		if strings.HasPrefix(ref, "alias/") {
			return c.resolveAlias(c.scope(), ref, action)
		}
		if !isKeyID(ref) {
			return nil, fail(codeNotFound, "Invalid keyId '%s'", ref)
		}
		return c.resolveID(c.scope(), ref, action)
	}
	sc, part, resource, ok := arnParts(ref)
	if !ok || part != partition(sc.region) {
		return nil, fail(codeInvalidArn, "Invalid arn %s", ref)
	}
	if sc.region != c.region {
		return nil, fail(codeNotFound, "Invalid arn %s", sc.region)
	}
	if strings.HasPrefix(resource, "alias/") {
		return c.resolveAlias(sc, resource, action)
	}
	id, isKey := strings.CutPrefix(resource, "key/")
	if !isKey || !isKeyID(id) {
		return nil, fail(codeInvalidArn, "Invalid arn %s", ref)
	}
	return c.resolveID(sc, id, action)
}

func (c *call) resolveID(sc scope, id, action string) (*key, error) {
	if k := c.srv.store(sc).keys[id]; k != nil {
		return k, nil
	}
	arn := sc.arn("key/" + id)
	if sc.account != c.caller.account {
		return nil, deniedByResource(c.caller.arn, action, arn)
	}
	return nil, fail(codeNotFound, "Key '%s' does not exist", arn)
}

func (c *call) resolveAlias(sc scope, name, action string) (*key, error) {
	a := c.srv.store(sc).aliases[name]
	switch {
	case !c.op.aliases:
		return nil, fail(codeInvalidArn, "Key Aliases are not supported for this operation.")
	case a != nil && a.key != nil:
		return a.key, nil
	case sc.account != c.caller.account:
		return nil, deniedByResource(c.caller.arn, action, sc.arn(name))
	}
	return nil, fail(codeNotFound, "Alias %s is not found.", sc.arn(name))
}

// authorize tells whether the caller may do the action to the key. In its own
// account it may do everything to customer managed keys, since IAM policies are
// not modeled, and read AWS managed keys, as their key policies have it. In
// other accounts the operation must allow cross-account use and the key policy
// or a grant must allow it.
func (c *call) authorize(k *key, action string) error {
	own := k.store.account == c.caller.account
	switch {
	case own && k.manager != types.KeyManagerTypeAws:
		return nil
	case own && managedAllows(action):
		return nil
	case own:
		return fail(codeAccessDenied, "User: %s is not authorized to perform: kms:%s on resource: %s because no resource-based policy allows the kms:%s action", c.caller.arn, action, k.arn, action)
	case c.op.crossAccount && (k.trusts(c.caller, "kms:"+action) || k.granted(c.caller, action)):
		return nil
	}
	return deniedByResource(c.caller.arn, action, k.arn)
}

// managedAllows tells whether the policy of an AWS managed key lets principals
// of the account do the action directly.
func managedAllows(action string) bool {
	return action == "RevokeGrant" || strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "List")
}

// granted tells whether a grant on the key allows the principal the operation.
func (k *key) granted(who principal, action string) bool {
	return slices.ContainsFunc(k.grants, func(g *grant) bool {
		p := aws.ToString(g.entry.GranteePrincipal)
		return (p == who.arn || p == roleOf(who.arn) || p == rootARN(scope{who.account, k.store.region})) &&
			slices.Contains(g.entry.Operations, types.GrantOperation(action))
	})
}

// deniedByIdentity is AWS's text where no IAM policy of the caller allows a call.
func deniedByIdentity(caller, action, resource string) *apiError {
	return fail(codeAccessDenied, "User: %s is not authorized to perform: kms:%s on resource: %s because no identity-based policy allows the kms:%s action", caller, action, resource, action)
}

// deniedInTrail is the text of CloudTrail, whose operations name no resource.
func deniedInTrail(caller, action string) *apiError {
	return fail(codeAccessDenied, "User: %s is not authorized to perform: cloudtrail:%s because no identity-based policy allows the cloudtrail:%s action", caller, action, action)
}

// deniedByResource is AWS's text for keys of other accounts. It does not tell
// whether they exist.
func deniedByResource(caller, action, resource string) *apiError {
	return fail(codeAccessDenied, "User: %s is not authorized to perform: kms:%s on resource: %s because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access", caller, action, resource)
}
