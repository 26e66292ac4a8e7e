package usage

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/internal/keyarn"
)

// Finding is what was read about one key: facts, never a judgment. It is plain
// data and survives JSON, except for [Gap.Err].
//
// Absent and empty are different: a nil pointer, nil slice, nil map or empty
// Policy was not read, an empty slice or map was read and holds nothing. Every
// reading that was called for and is absent has a [Gap] that says why.
type Finding struct {
	// ARN is the key's, as ListKeys gave it.
	ARN string `json:"arn"`
	// LastUsage is KMS's record of the last use. Nil: not read, nothing is known.
	LastUsage *LastUsage `json:"lastUsage"`
	// Metadata is the answer of DescribeKey. Nil: not read.
	Metadata *Metadata `json:"metadata"`
	// Aliases that point at the key, with their "alias/" prefix, in order of name.
	Aliases []string `json:"aliases"`
	// Grants on the key, as ListGrants gave them.
	Grants []Grant `json:"grants"`
	// Policy is the key policy, a JSON document as KMS keeps it.
	Policy string `json:"policy"`
	// Tags of the key.
	Tags map[string]string `json:"tags"`
	// Rotations that have taken place. Nil also where the kind of key has none
	// (asymmetric, HMAC, custom key stores); that is no gap.
	Rotations []Rotation `json:"rotations"`
	// History is what recorded events say, one record a source.
	History []Record `json:"history,omitempty"`
	// Gaps are the readings that should have been made and were not.
	Gaps []Gap `json:"gaps,omitempty"`
}

// UnmarshalJSON decodes into a fresh value. Without it a variable that is decoded
// into twice would share the evidence of two keys between them.
func (f *Finding) UnmarshalJSON(b []byte) error {
	type plain Finding
	var fresh plain
	if err := json.Unmarshal(b, &fresh); err != nil {
		return err
	}
	*f = Finding(fresh)
	return nil
}

// Account is the twelve-digit account of the key, empty without an ARN.
func (f Finding) Account() string { p, _ := keyarn.Parse(f.ARN); return p.Account }

// Region is the Region of the key, empty without an ARN.
func (f Finding) Region() string { p, _ := keyarn.Parse(f.ARN); return p.Region }

// KeyID is the last part of the ARN. Members of a multi-Region set share it.
func (f Finding) KeyID() string { p, _ := keyarn.Parse(f.ARN); return p.ID }

// MultiRegion tells whether the key is, or may be, a member of a multi-Region set.
func (f Finding) MultiRegion() bool {
	return keyarn.MultiRegion(f.KeyID()) || f.Metadata != nil && f.Metadata.MultiRegion != nil
}

// AWSManaged tells whether the key is known to be managed by AWS: nobody but
// AWS can disable or delete it. Without metadata an alias that begins with
// alias/aws/ shows it: that prefix is reserved.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
func (f Finding) AWSManaged() bool {
	if f.Metadata != nil {
		return f.Metadata.Manager == types.KeyManagerTypeAws
	}
	return hasAWSAlias(f.Aliases)
}

func hasAWSAlias(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, awsAlias) })
}

const awsAlias = "alias/aws/"

// Gap returns the gap of an operation, if there is one.
func (f Finding) Gap(op string) (Gap, bool) {
	for _, g := range f.Gaps {
		if g.Op == op {
			return g, true
		}
	}
	return Gap{}, false
}

// LastUsage is the answer of GetKeyLastUsage.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
type LastUsage struct {
	// ReadAt is when the question was asked, UTC; the earlier of the local clock
	// and the service's. KMS may lag behind it by up to an hour.
	ReadAt time.Time `json:"readAt"`
	// Use is the last recorded successful cryptographic operation. Nil: KMS has
	// no record since TrackingStart.
	Use *Use `json:"use"`
	// TrackingStart is since when KMS records the use of this key, UTC: the later
	// of the start of tracking and the key's creation.
	TrackingStart time.Time `json:"trackingStart"`
	// Created is when the key was created, UTC.
	Created time.Time `json:"created"`
}

// UnmarshalJSON reads what encoding/json writes of it. One that lacks the member
// "use" stays zero, which is no reading at all: null means that there is no
// record, absent means that it was lost.
func (u *LastUsage) UnmarshalJSON(b []byte) error {
	type plain LastUsage
	var j struct {
		plain
		Use json.RawMessage `json:"use"`
	}
	*u = LastUsage{}
	if err := json.Unmarshal(b, &j); err != nil || j.Use == nil {
		return err
	}
	*u = LastUsage(j.plain)
	return json.Unmarshal(j.Use, &u.Use)
}

// Use is one successful cryptographic operation.
type Use struct {
	// At is when, UTC.
	At time.Time `json:"at"`
	// Operation as KMS names it; names that the SDK does not know are kept.
	Operation types.KeyLastUsageTrackingOperation `json:"operation,omitempty"`
	// EventID is the CloudTrail event's, in the key's own account and Region.
	EventID string `json:"eventId,omitempty"`
	// RequestID is KMS's.
	RequestID string `json:"requestId,omitempty"`
}

// Metadata is what DescribeKey says of a key.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html
type Metadata struct {
	Created     time.Time            `json:"created"` // UTC
	Description string               `json:"description,omitempty"`
	Manager     types.KeyManagerType `json:"manager"`
	State       types.KeyState       `json:"state"` // may be one the SDK does not know
	Spec        types.KeySpec        `json:"spec"`
	Usage       types.KeyUsageType   `json:"usage"`
	Origin      types.OriginType     `json:"origin"`
	// DeletionDate is when KMS will delete the key, UTC; zero if none is set.
	DeletionDate time.Time `json:"deletionDate,omitzero"`
	// PendingWindowDays is a scheduled primary's waiting period, which starts
	// when its last replica is gone; zero unless PendingReplicaDeletion.
	PendingWindowDays int `json:"pendingWindowDays,omitempty"`
	// ValidTo is when imported key material expires, UTC; zero if it does not.
	ValidTo time.Time `json:"validTo,omitzero"`
	// CustomKeyStoreID is set for keys in a CloudHSM or external key store.
	CustomKeyStoreID string `json:"customKeyStoreId,omitempty"`
	CloudHSMCluster  string `json:"cloudHsmCluster,omitempty"`
	ExternalKeyID    string `json:"externalKeyId,omitempty"` // the ID in an external key store
	// MultiRegion is nil for a single-Region key.
	MultiRegion *MultiRegion `json:"multiRegion,omitempty"`
}

// MultiRegion is a key's place among its related multi-Region keys.
type MultiRegion struct {
	Role     types.MultiRegionKeyType `json:"role"`     // this key's own
	Primary  string                   `json:"primary"`  // key ARN
	Replicas []string                 `json:"replicas"` // key ARNs, in order; includes this key if it is one
}

// Grant is one grant on a key.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantListEntry.html
type Grant struct {
	ID              string                 `json:"id"`
	Name            string                 `json:"name,omitempty"`
	Created         time.Time              `json:"created,omitzero"`          // UTC; zero: KMS did not say
	Grantee         string                 `json:"grantee,omitempty"`         // principal ARN or service principal
	GranteeService  string                 `json:"granteeService,omitempty"`  // service principal
	Retiring        string                 `json:"retiring,omitempty"`        // principal that may retire it
	RetiringService string                 `json:"retiringService,omitempty"` // service principal that may retire it
	IssuingAccount  string                 `json:"issuingAccount,omitempty"`  // as KMS gives it
	Operations      []types.GrantOperation `json:"operations,omitempty"`
	SourceARN       string                 `json:"sourceArn,omitempty"`     // constraint: on behalf of this resource
	ContextSubset   map[string]string      `json:"contextSubset,omitempty"` // constraint: EncryptionContextSubset
	ContextEquals   map[string]string      `json:"contextEquals,omitempty"` // constraint: EncryptionContextEquals
}

// Rotation is one completed rotation of the key material.
type Rotation struct {
	At         time.Time          `json:"at,omitzero"` // UTC
	Type       types.RotationType `json:"type,omitempty"`
	MaterialID string             `json:"materialId,omitempty"`
}

// Gap is a reading that should have been made and was not.
type Gap struct {
	// Op is the AWS operation, for example "GetKeyLastUsage", or "History:" and a
	// source.
	Op string `json:"op"`
	// Reason is data: it survives a snapshot.
	Reason GapReason `json:"reason"`
	// Err is the *[KeyError]; nil when the reading was switched off, and after JSON.
	Err error `json:"-"`
}

// GapReason is why a reading is missing. Values not listed here come from a
// later version and mean no less.
type GapReason string

// The reasons.
const (
	Denied          GapReason = "denied"          // no permission
	Unauthenticated GapReason = "unauthenticated" // no valid credentials, or expired during the run
	Throttled       GapReason = "throttled"       // over the quota until patience ran out
	NotFound        GapReason = "not-found"       // deleted since it was listed
	Unsupported     GapReason = "unsupported"     // no such operation in this Region
	Malformed       GapReason = "malformed"       // the answer made no sense
	Unavailable     GapReason = "unavailable"     // the service failed or was out of reach
	Failed          GapReason = "failed"          // anything else
	Skipped         GapReason = "skipped"         // switched off in the options
)

// The operations that a reading calls, as they stand in [Gap.Op].
const (
	opListKeys      = "ListKeys"
	opListAliases   = "ListAliases"
	opDescribeKey   = "DescribeKey"
	opLastUsage     = "GetKeyLastUsage"
	opListGrants    = "ListGrants"
	opGetKeyPolicy  = "GetKeyPolicy"
	opListTags      = "ListResourceTags"
	opListRotations = "ListKeyRotations"
	opHistory       = "History:" // and the source's name
)
