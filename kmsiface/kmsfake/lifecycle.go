package kmsfake

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// day is the unit of waiting periods.
const day = 24 * time.Hour

// Waiting periods before deletion, in days.
const (
	leastWindow    = 7
	mostWindow     = 30
	standardWindow = 30
)

// disableKey and enableKey change what the state of a key in a custom key store
// will be once the store is connected; until then it stays Unavailable.
func disableKey(c *call, in *kms.DisableKeyInput) (*kms.DisableKeyOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	k.state = types.KeyStateDisabled
	return &kms.DisableKeyOutput{}, nil
}

func enableKey(c *call, in *kms.EnableKeyInput) (*kms.EnableKeyOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	k.state = types.KeyStateEnabled
	return &kms.EnableKeyOutput{}, nil
}

// scheduleKeyDeletion gives no date to a primary key with replicas: its waiting
// period begins when the last of them is deleted.
func scheduleKeyDeletion(c *call, in *kms.ScheduleKeyDeletionInput) (*kms.ScheduleKeyDeletionOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	window := int32(standardWindow)
	if in.PendingWindowInDays != nil {
		window = *in.PendingWindowInDays
	}
	out := &kms.ScheduleKeyDeletionOutput{KeyId: aws.String(k.arn), PendingWindowInDays: aws.Int32(window)}
	k.window = window
	if k.primary() && len(k.set.replicas) > 0 {
		k.state = types.KeyStatePendingReplicaDeletion
	} else {
		k.state = types.KeyStatePendingDeletion
		k.deletion = c.now.Add(time.Duration(window) * day)
		out.DeletionDate = aws.Time(k.deletion)
	}
	out.KeyState = k.state
	return out, nil
}

func cancelKeyDeletion(c *call, in *kms.CancelKeyDeletionInput) (*kms.CancelKeyDeletionOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	k.state, k.deletion, k.window = types.KeyStateDisabled, time.Time{}, 0
	return &kms.CancelKeyDeletionOutput{KeyId: aws.String(k.arn)}, nil
}

// deleteImportedKeyMaterial leaves a key that is pending deletion as it is.
func deleteImportedKeyMaterial(c *call, in *kms.DeleteImportedKeyMaterialInput) (*kms.DeleteImportedKeyMaterialOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if k.origin != types.OriginTypeExternal {
		return nil, fail(codeUnsupportedOperation, "%s origin is %s which is not valid for this operation.", k.arn, k.origin)
	}
	id := k.materials.currentID()
	if in.KeyMaterialId != nil {
		if id = *in.KeyMaterialId; k.materials.version(id) == nil {
			return nil, fail(codeNotFound, "Key material %s does not exist for %s", id, k.arn)
		}
	}
	if k.state == types.KeyStateDisabled {
		// Importing it again leaves the key enabled.
		k.state = types.KeyStateEnabled
	}
	k.imported, k.expires = false, time.Time{}
	return &kms.DeleteImportedKeyMaterialOutput{KeyId: aws.String(k.arn), KeyMaterialId: materialIDOf(k, id)}, nil
}

func updateKeyDescription(c *call, in *kms.UpdateKeyDescriptionInput) (*kms.UpdateKeyDescriptionOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	k.description = *in.Description
	return &kms.UpdateKeyDescriptionOutput{}, nil
}
