package kmsfake

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// replicateKey makes a replica that is usable at once: the transient state
// Creating is left out. A replica of imported key material begins without any.
func replicateKey(c *call, in *kms.ReplicateKeyInput) (*kms.ReplicateKeyOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	region := *in.ReplicaRegion
	switch {
	case !k.primary():
		return nil, fail(codeUnsupportedOperation, "%s is not a multi-Region primary key.", k.arn)
	case !regionPattern.MatchString(region), partition(region) != partition(c.region):
		return nil, invalid("ReplicaRegion %s is not a Region of this partition", region)
	case !regionAllows(k.spec, region):
		return nil, fail(codeUnsupportedOperation, "KeySpec %s is not supported in Region %s.", k.spec, region)
	case c.srv.store(scope{k.store.account, region}).keys[k.id] != nil:
		return nil, fail(codeAlreadyExists, "%s already exists.", InRegion(k.arn, region))
	}
	r := &key{
		store:       c.srv.makeStore(scope{k.store.account, region}),
		id:          k.id,
		created:     c.now,
		description: aws.ToString(in.Description),
		spec:        k.spec,
		usage:       k.usage,
		origin:      k.origin,
		manager:     k.manager,
		lifeState:   lifeState{state: types.KeyStateEnabled},
		set:         k.set,
		materials:   k.materials,
		rotation:    k.rotation,
	}
	r.arn = r.store.arn("key/" + r.id)
	tags, err := putTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	r.tags = tags
	if err := c.putPolicy(r, aws.ToString(in.Policy), in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	k.set.add(r)
	r.store.insert(r)
	// It is logged as CreateKey in the Region of the replica.
	// Source: https://docs.aws.amazon.com/kms/latest/developerguide/ct-replicate-key.html
	request := &kms.CreateKeyInput{
		Description: in.Description, KeySpec: r.spec, KeyUsage: r.usage, Origin: r.origin, MultiRegion: aws.Bool(true),
		BypassPolicyLockoutSafetyCheck: in.BypassPolicyLockoutSafetyCheck,
	}
	c.echoes = []echo{{"CreateKey", region, r.arn, request, responseElements(c.op, &kms.CreateKeyOutput{KeyMetadata: r.metadata()}, nil)}}
	return &kms.ReplicateKeyOutput{ReplicaKeyMetadata: r.metadata(), ReplicaPolicy: aws.String(r.policy), ReplicaTags: slices.Clone(tags)}, nil
}

// replicateDraws: a ReplicateKey request also counts as two CreateKey requests
// in the Region of the replica.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
func replicateDraws(c *call, in any) []quotaKey {
	q := quotaKey{c.account, aws.ToString(as[*kms.ReplicateKeyInput](in).ReplicaRegion), "CreateKey"}
	return []quotaKey{q, q}
}

// updatePrimaryRegion changes the primary key at once: the transient state
// Updating is left out.
func updatePrimaryRegion(c *call, in *kms.UpdatePrimaryRegionInput) (*kms.UpdatePrimaryRegionOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if !k.primary() {
		return nil, fail(codeUnsupportedOperation, "%s is not a multi-Region primary key.", k.arn)
	}
	next := k.set.in(*in.PrimaryRegion)
	switch next {
	case nil:
		return nil, fail(codeNotFound, "Key '%s' does not exist", InRegion(k.arn, *in.PrimaryRegion))
	case k:
		return nil, fail(codeUnsupportedOperation, "%s is the primary key already.", k.arn)
	}
	if err := c.checkState(next); err != nil {
		return nil, err
	}
	k.set.remove(next)
	k.set.primary = next
	k.set.add(k)
	// It is logged in both Regions.
	// Source: https://docs.aws.amazon.com/kms/latest/developerguide/ct-update-primary-region.html
	request := &kms.UpdatePrimaryRegionInput{KeyId: aws.String(next.arn), PrimaryRegion: in.PrimaryRegion}
	c.echoes = []echo{{c.op.name, next.store.region, next.arn, request, object([]member{{"keyId", next.arn}})}}
	return &kms.UpdatePrimaryRegionOutput{}, nil
}

// primaryDraws: an UpdatePrimaryRegion request counts in both Regions.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
func primaryDraws(c *call, in any) []quotaKey {
	region := aws.ToString(as[*kms.UpdatePrimaryRegionInput](in).PrimaryRegion)
	if region == c.region {
		return nil
	}
	return []quotaKey{{c.account, region, c.op.name}}
}
