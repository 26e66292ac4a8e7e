// Package kmsiface holds the interfaces through which this module talks to
// AWS KMS, small enough to mock or to decorate.
//
// Reading and changing are separate types. [Inspector] is all that package
// usage asks of a client, and none of its methods changes anything in AWS.
// [Changer] is what carrying out a plan needs, and no package of this module
// that inspects, judges or plans accepts one. *kms.Client satisfies both.
//
// Interfaces that the SDK declares for its paginators are used as they are;
// the others are named for the one operation they hold. Mocks of all of them
// are in package kmsmock, a whole KMS to test against in package kmsfake.
//
// A decorator must hand the option functions of every call on to the client it
// wraps: pacing to the request quota travels in them.
package kmsiface

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// *kms.Client is the implementation everybody uses; it must satisfy both sides.
var (
	_ Inspector = (*kms.Client)(nil)
	_ Changer   = (*kms.Client)(nil)
)

// Inspector reads what AWS KMS knows of the keys of one account and Region.
// Implementations must be safe for concurrent use, as *kms.Client is.
//
// Only ListKeys is indispensable. Of the others each may be denied: the reading
// becomes a gap in the finding.
type Inspector interface {
	kms.ListKeysAPIClient
	kms.ListAliasesAPIClient
	KeyDescriber
	LastUsageGetter
	kms.ListGrantsAPIClient
	KeyPolicyGetter
	kms.ListResourceTagsAPIClient
	kms.ListKeyRotationsAPIClient
}

// KeyDescriber reads the metadata of a key: state, origin, multi-Region set.
type KeyDescriber interface {
	DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error)
}

// LastUsageGetter reads the last successful cryptographic operation of a key.
// The operation takes a key ID or key ARN, no alias, and works only in the
// account that owns the key.
type LastUsageGetter interface {
	GetKeyLastUsage(context.Context, *kms.GetKeyLastUsageInput, ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error)
}

// KeyPolicyGetter reads the key policy.
type KeyPolicyGetter interface {
	GetKeyPolicy(context.Context, *kms.GetKeyPolicyInput, ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error)
}

// Changer changes keys: everything that carrying out a retirement plan calls,
// and what undoes it. Implementations must be safe for concurrent use.
type Changer interface {
	KeyDisabler
	KeyEnabler
	DeletionScheduler
	DeletionCanceler
	PrimaryRegionUpdater
	Tagger
	KeyPolicyPutter
}

// KeyDisabler makes a key unusable until it is enabled again.
type KeyDisabler interface {
	DisableKey(context.Context, *kms.DisableKeyInput, ...func(*kms.Options)) (*kms.DisableKeyOutput, error)
}

// KeyEnabler makes a disabled key usable again.
type KeyEnabler interface {
	EnableKey(context.Context, *kms.EnableKeyInput, ...func(*kms.Options)) (*kms.EnableKeyOutput, error)
}

// DeletionScheduler starts the waiting period after which KMS deletes a key.
type DeletionScheduler interface {
	ScheduleKeyDeletion(context.Context, *kms.ScheduleKeyDeletionInput, ...func(*kms.Options)) (*kms.ScheduleKeyDeletionOutput, error)
}

// DeletionCanceler ends the waiting period; the key stays disabled.
type DeletionCanceler interface {
	CancelKeyDeletion(context.Context, *kms.CancelKeyDeletionInput, ...func(*kms.Options)) (*kms.CancelKeyDeletionOutput, error)
}

// PrimaryRegionUpdater makes a replica the primary of its multi-Region set.
type PrimaryRegionUpdater interface {
	UpdatePrimaryRegion(context.Context, *kms.UpdatePrimaryRegionInput, ...func(*kms.Options)) (*kms.UpdatePrimaryRegionOutput, error)
}

// Tagger adds tags to a key or overwrites them.
type Tagger interface {
	TagResource(context.Context, *kms.TagResourceInput, ...func(*kms.Options)) (*kms.TagResourceOutput, error)
}

// KeyPolicyPutter replaces the key policy.
type KeyPolicyPutter interface {
	PutKeyPolicy(context.Context, *kms.PutKeyPolicyInput, ...func(*kms.Options)) (*kms.PutKeyPolicyOutput, error)
}
