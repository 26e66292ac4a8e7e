package kmsfake

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

const (
	standardPeriod = 365 // days between automatic rotations
	leastPeriod    = 90
	mostPeriod     = 2560
	mostOnDemand   = 25 // on-demand rotations of a key
)

// rotatable tells whether a key can have several key materials: symmetric
// encryption keys of the origins AWS_KMS and EXTERNAL.
func rotatable(k *key) bool {
	return isSymmetric(k.spec) && (k.origin == types.OriginTypeAwsKms || k.origin == types.OriginTypeExternal)
}

// rotates is nil for a key whose rotation can be asked for.
func rotates(k *key) error {
	if rotatable(k) {
		return nil
	}
	return fail(codeUnsupportedOperation, "%s key spec is %s which is not valid for this operation.", k.arn, k.spec)
}

// getKeyRotationStatus: AWS managed keys are always rotated, and a key that is
// pending deletion is not.
func getKeyRotationStatus(c *call, in *kms.GetKeyRotationStatusInput) (*kms.GetKeyRotationStatusOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := rotates(k); err != nil {
		return nil, err
	}
	out := &kms.GetKeyRotationStatusOutput{KeyId: aws.String(k.id)}
	pending := k.state == types.KeyStatePendingDeletion || k.state == types.KeyStatePendingReplicaDeletion
	switch {
	case k.manager == types.KeyManagerTypeAws:
		out.KeyRotationEnabled = true
	case k.rotation.enabled && !pending:
		out.KeyRotationEnabled = true
		out.RotationPeriodInDays = aws.Int32(k.rotation.period)
		out.NextRotationDate = aws.Time(k.rotation.next(c.now))
	}
	return out, nil
}

// next is the date of the next automatic rotation after now.
func (r *rotation) next(now time.Time) time.Time {
	at := r.since
	for _, d := range r.done {
		if d.kind == types.RotationTypeAutomatic && d.at.After(at) {
			at = d.at
		}
	}
	for {
		if at = at.AddDate(0, 0, int(r.period)); at.After(now) {
			return at
		}
	}
}

func listKeyRotations(c *call, in *kms.ListKeyRotationsInput) (*kms.ListKeyRotationsOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := rotates(k); err != nil {
		return nil, err
	}
	var all []types.RotationsListEntry
	if in.IncludeKeyMaterial == types.IncludeKeyMaterialAllKeyMaterial {
		all = append(all, k.rotationEntry(rotated{materialID: k.materials.firstID()}))
	}
	for _, d := range k.rotation.done {
		all = append(all, k.rotationEntry(d))
	}
	slices.SortFunc(all, func(a, b types.RotationsListEntry) int { return strings.Compare(rotationKey(a), rotationKey(b)) })
	entries, next, truncated, err := page(c, all, rotationKey, in.Limit, in.Marker, k.arn+string(in.IncludeKeyMaterial))
	if err != nil {
		return nil, err
	}
	if entries == nil {
		entries = []types.RotationsListEntry{}
	}
	return &kms.ListKeyRotationsOutput{Rotations: entries, NextMarker: next, Truncated: truncated}, nil
}

// rotationKey sorts rotations by date; the first key material has none.
func rotationKey(e types.RotationsListEntry) string {
	if e.RotationDate == nil {
		return ""
	}
	return e.RotationDate.UTC().Format("2006-01-02T15:04:05.000000000 ") + *e.KeyMaterialId
}

func (k *key) rotationEntry(r rotated) types.RotationsListEntry {
	e := types.RotationsListEntry{
		KeyId:            aws.String(k.id),
		KeyMaterialId:    aws.String(r.materialID),
		KeyMaterialState: types.KeyMaterialStateNonCurrent,
		RotationType:     r.kind,
	}
	if r.materialID == k.materials.currentID() {
		e.KeyMaterialState = types.KeyMaterialStateCurrent
	}
	if !r.at.IsZero() {
		e.RotationDate = aws.Time(r.at)
	}
	if k.origin == types.OriginTypeExternal {
		e.ImportState = types.ImportStateImported
		if !k.imported {
			e.ImportState = types.ImportStatePendingImport
			return e
		}
		e.ExpirationModel = types.ExpirationModelTypeKeyMaterialDoesNotExpire
		if !k.expires.IsZero() {
			e.ExpirationModel = types.ExpirationModelTypeKeyMaterialExpires
			e.ValidTo = aws.Time(k.expires)
		}
	}
	return e
}

// enableKeyRotation and its opposite are for a primary key, for the whole set.
func enableKeyRotation(c *call, in *kms.EnableKeyRotationInput) (*kms.EnableKeyRotationOutput, error) {
	k, err := c.rotated(in.KeyId)
	if err != nil {
		return nil, err
	}
	if in.RotationPeriodInDays != nil {
		k.rotation.period = *in.RotationPeriodInDays
	} else if !k.rotation.enabled {
		k.rotation.period = standardPeriod
	}
	if !k.rotation.enabled {
		k.rotation.enabled, k.rotation.since = true, c.now
	}
	return &kms.EnableKeyRotationOutput{}, nil
}

func disableKeyRotation(c *call, in *kms.DisableKeyRotationInput) (*kms.DisableKeyRotationOutput, error) {
	k, err := c.rotated(in.KeyId)
	if err != nil {
		return nil, err
	}
	k.rotation.enabled, k.rotation.since = false, time.Time{}
	return &kms.DisableKeyRotationOutput{}, nil
}

// rotateKeyOnDemand is done at once. For imported key material KMS wants new
// material imported first, which is not served here.
func rotateKeyOnDemand(c *call, in *kms.RotateKeyOnDemandInput) (*kms.RotateKeyOnDemandOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := setRotatable(k); err != nil {
		return nil, err
	}
	switch {
	case k.origin == types.OriginTypeExternal:
		return nil, fail(codeInvalidState, "%s has no key material in state PENDING_ROTATION.", k.arn)
	case k.rotation.onDemand() >= mostOnDemand:
		return nil, fail(codeLimitExceeded, "%s was rotated on demand %d times.", k.arn, mostOnDemand)
	}
	k.rotation.done = append(k.rotation.done, rotated{at: c.now, kind: types.RotationTypeOnDemand, materialID: k.materials.rotate(c.srv.ids)})
	return &kms.RotateKeyOnDemandOutput{KeyId: aws.String(k.arn)}, nil
}

// rotated finds a key whose automatic rotation can be set.
func (c *call) rotated(ref *string) (*key, error) {
	k, err := c.key(ref)
	if err != nil {
		return nil, err
	}
	if err := setRotatable(k); err != nil {
		return nil, err
	}
	if k.origin == types.OriginTypeExternal {
		return nil, fail(codeUnsupportedOperation, "%s origin is EXTERNAL which is not valid for this operation.", k.arn)
	}
	return k, nil
}

// setRotatable is nil for a key whose rotation can be changed.
func setRotatable(k *key) error {
	if err := rotates(k); err != nil {
		return err
	}
	if k.multiRegion() && !k.primary() {
		return fail(codeUnsupportedOperation, "%s is a replica key, which is not valid for this operation.", k.arn)
	}
	return nil
}

func (r *rotation) onDemand() int {
	n := 0
	for _, d := range r.done {
		if d.kind == types.RotationTypeOnDemand {
			n++
		}
	}
	return n
}
