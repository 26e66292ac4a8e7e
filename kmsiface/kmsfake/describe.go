package kmsfake

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func listKeys(c *call, in *kms.ListKeysInput) (*kms.ListKeysOutput, error) {
	st := c.srv.store(c.scope())
	ids, next, truncated, err := page(c, st.keyIDs.all(), self, in.Limit, in.Marker, "")
	if err != nil {
		return nil, err
	}
	out := &kms.ListKeysOutput{Keys: make([]types.KeyListEntry, len(ids)), NextMarker: next, Truncated: truncated}
	for i, id := range ids {
		out.Keys[i] = types.KeyListEntry{KeyId: aws.String(id), KeyArn: aws.String(st.keys[id].arn)}
	}
	return out, nil
}

// describeKey gives a predefined alias of AWS, which has no key yet, its AWS
// managed key.
func describeKey(c *call, in *kms.DescribeKeyInput) (*kms.DescribeKeyOutput, error) {
	if name, ok := c.predefined(*in.KeyId); ok {
		if !c.exclusive {
			return nil, again{func() { c.exclusive = true }}
		}
		if _, err := c.srv.addKey(Key{
			Account: c.account, Region: c.region, Manager: types.KeyManagerTypeAws,
			Description: managedDescription(name), Aliases: []string{name},
		}); err != nil {
			return nil, err
		}
	}
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	return &kms.DescribeKeyOutput{KeyMetadata: k.metadata()}, nil
}

// predefined tells whether the caller names an alias without a key.
func (c *call) predefined(ref string) (name string, ok bool) {
	name, ok = strings.CutPrefix(ref, c.scope().arn(""))
	if !ok {
		name = ref
	}
	a := c.srv.store(c.scope()).aliases[name]
	return name, a != nil && a.key == nil
}

// metadata describes the key as DescribeKey, CreateKey and ReplicateKey do.
func (k *key) metadata() *types.KeyMetadata {
	state := k.keyState()
	m := &types.KeyMetadata{
		AWSAccountId:            aws.String(k.store.account),
		KeyId:                   aws.String(k.id),
		Arn:                     aws.String(k.arn),
		CreationDate:            aws.Time(k.created),
		Enabled:                 state == types.KeyStateEnabled,
		Description:             aws.String(k.description),
		KeyUsage:                k.usage,
		KeyState:                state,
		Origin:                  k.origin,
		KeyManager:              k.manager,
		CustomerMasterKeySpec:   types.CustomerMasterKeySpec(k.spec), //nolint:staticcheck // deprecated, but KMS still answers it
		KeySpec:                 k.spec,
		EncryptionAlgorithms:    encryptionAlgorithms(k),
		SigningAlgorithms:       signingAlgorithms(k),
		MacAlgorithms:           macAlgorithms(k),
		KeyAgreementAlgorithms:  agreementAlgorithms(k),
		EncapsulationAlgorithms: encapsulationAlgorithms(k),
		MultiRegion:             aws.Bool(k.multiRegion()),
	}
	switch k.state {
	case types.KeyStatePendingDeletion:
		m.DeletionDate = aws.Time(k.deletion)
	case types.KeyStatePendingReplicaDeletion:
		m.PendingDeletionWindowInDays = aws.Int32(k.window)
	}
	if k.origin == types.OriginTypeExternal && k.imported {
		m.ExpirationModel = types.ExpirationModelTypeKeyMaterialDoesNotExpire
		if !k.expires.IsZero() {
			m.ExpirationModel = types.ExpirationModelTypeKeyMaterialExpires
			m.ValidTo = aws.Time(k.expires)
		}
	}
	if rotatable(k) {
		m.CurrentKeyMaterialId = orNil(k.materials.currentID())
	}
	if k.keyStore != nil {
		m.CustomKeyStoreId = aws.String(k.keyStore.id)
		m.CloudHsmClusterId = orNil(k.keyStore.clusterID)
		if k.xksKeyID != "" {
			m.XksKeyConfiguration = &types.XksKeyConfigurationType{Id: aws.String(k.xksKeyID)}
		}
	}
	if k.multiRegion() {
		m.MultiRegionConfiguration = k.multiRegionConfiguration()
	}
	return m
}

func (k *key) multiRegionConfiguration() *types.MultiRegionConfiguration {
	member := func(k *key) types.MultiRegionKey {
		return types.MultiRegionKey{Arn: aws.String(k.arn), Region: aws.String(k.store.region)}
	}
	primary := member(k.set.primary)
	cfg := &types.MultiRegionConfiguration{
		MultiRegionKeyType: types.MultiRegionKeyTypeReplica,
		PrimaryKey:         &primary,
		ReplicaKeys:        []types.MultiRegionKey{},
	}
	if k.primary() {
		cfg.MultiRegionKeyType = types.MultiRegionKeyTypePrimary
	}
	for _, r := range k.set.replicas {
		cfg.ReplicaKeys = append(cfg.ReplicaKeys, member(r))
	}
	return cfg
}
