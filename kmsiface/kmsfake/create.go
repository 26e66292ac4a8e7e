package kmsfake

import (
	"cmp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func createKey(c *call, in *kms.CreateKeyInput) (*kms.CreateKeyOutput, error) {
	old := types.KeySpec(in.CustomerMasterKeySpec) //nolint:staticcheck // deprecated, but KMS still takes it
	if in.KeySpec != "" && old != "" {
		return nil, invalid("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	}
	k := &key{
		store:       c.srv.makeStore(c.scope()),
		created:     c.now,
		description: aws.ToString(in.Description),
		spec:        cmp.Or(in.KeySpec, old, types.KeySpecSymmetricDefault),
		usage:       cmp.Or(in.KeyUsage, types.KeyUsageTypeEncryptDecrypt),
		origin:      cmp.Or(in.Origin, types.OriginTypeAwsKms),
		manager:     types.KeyManagerTypeCustomer,
		lifeState:   lifeState{state: types.KeyStateEnabled},
		xksKeyID:    aws.ToString(in.XksKeyId),
	}
	switch {
	case !slices.Contains(usages[k.spec], k.usage):
		return nil, invalid("KeyUsage %s is not compatible with KeySpec %s", k.usage, k.spec)
	case !regionAllows(k.spec, c.region):
		return nil, fail(codeUnsupportedOperation, "KeySpec %s is not supported in this Region.", k.spec)
	}
	if err := c.placeKey(k, in); err != nil {
		return nil, err
	}
	tags, err := putTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	k.tags = tags
	if err := c.putPolicy(k, aws.ToString(in.Policy), in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	k.id = c.srv.newKeyID(aws.ToBool(in.MultiRegion))
	k.arn = k.store.arn("key/" + k.id)
	if aws.ToBool(in.MultiRegion) {
		k.set = &set{primary: k}
	}
	k.materials = newMaterials(c.srv.ids)
	k.rotation = &rotation{period: standardPeriod}
	k.store.insert(k)
	c.note(k.arn)
	return &kms.CreateKeyOutput{KeyMetadata: k.metadata()}, nil
}

// placeKey checks where the key material of a new key comes from.
func (c *call) placeKey(k *key, in *kms.CreateKeyInput) error {
	custom := k.origin == types.OriginTypeAwsCloudhsm || k.origin == types.OriginTypeExternalKeyStore
	switch {
	case custom != (in.CustomKeyStoreId != nil):
		return invalid("Origin %s and CustomKeyStoreId do not go together", k.origin)
	case (k.origin == types.OriginTypeExternalKeyStore) != (in.XksKeyId != nil):
		return invalid("XksKeyId is required for, and only valid with, Origin EXTERNAL_KEY_STORE")
	case !custom:
		return nil
	}
	ks, err := c.connected(*in.CustomKeyStoreId)
	switch {
	case err != nil:
		return err
	case originOf(ks.kind) != k.origin:
		return invalid("Origin %s is not valid for a custom key store of type %s", k.origin, ks.kind)
	case aws.ToBool(in.MultiRegion), !isSymmetric(k.spec):
		return fail(codeUnsupportedOperation, "A custom key store holds single-Region symmetric encryption KMS keys only.")
	}
	if k.xksKeyID != "" {
		for _, other := range k.store.keys {
			if other.keyStore == ks && other.xksKeyID == k.xksKeyID {
				return fail(codeXksKeyInUse, "")
			}
		}
	}
	k.keyStore = ks
	return nil
}
