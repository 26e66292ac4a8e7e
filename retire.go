package usage

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Hold is a reason not to retire a key now, or something to know before.
type Hold struct {
	Code HoldCode `json:"code"`
	Kind HoldKind `json:"kind"`
	// Text says what is in the way.
	Text string `json:"text"`
	// Clear says what would clear it, and who can.
	Clear string `json:"clear"`
}

// String returns kind, code and text.
func (h Hold) String() string { return fmt.Sprintf("%s %s: %s", h.Kind, h.Code, h.Text) }

// HoldKind is how firmly a hold holds. The zero value is Block.
type HoldKind int

// The kinds.
const (
	// Block: nothing but other evidence clears it.
	Block HoldKind = iota
	// Clearable: a complete probe or the owner's word would clear it. Nothing in
	// this version takes either.
	Clearable
	// Advice holds nothing: it is to be known.
	Advice
)

var holdKindNames = [...]string{"block", "clearable", "advice"}

// String returns block, clearable or advice; block for a value that is none.
func (k HoldKind) String() string {
	if k < 0 || int(k) >= len(holdKindNames) {
		return holdKindNames[Block]
	}
	return holdKindNames[k]
}

// MarshalText writes the name.
func (k HoldKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a name; one that it does not know reads as Block.
func (k *HoldKind) UnmarshalText(b []byte) error {
	*k = Block
	for i, n := range holdKindNames {
		if n == string(b) {
			*k = HoldKind(i)
		}
	}
	return nil
}

// HoldCode is the rule behind a [Hold].
type HoldCode string

// The rules on one key.
const (
	UsageUnknown   HoldCode = "usage-unknown"   // the last use is not known
	InUse          HoldCode = "in-use"          // used within the window
	TooNew         HoldCode = "too-new"         // younger than the window
	TrackingYoung  HoldCode = "tracking-young"  // tracking is younger than the window
	ManagedByAWS   HoldCode = "aws-managed"     // nobody but AWS can retire it
	BeingDeleted   HoldCode = "being-deleted"   // deletion is scheduled already
	InTransition   HoldCode = "in-transition"   // KMS is changing it
	SwitchedOff    HoldCode = "disabled"        // nobody can use it, so its silence means little
	StoreOffline   HoldCode = "store-offline"   // its custom key store is disconnected
	MaterialGone   HoldCode = "material-gone"   // imported material deleted, expired or not yet there
	UnknownState   HoldCode = "unknown-state"   // a key state this version does not know
	NotRead        HoldCode = "not-read"        // a reading is missing
	Refused        HoldCode = "refused"         // someone tried to use it while it was off
	NeededBy       HoldCode = "needed-by"       // a resource says that it needs the key
	RecentGrant    HoldCode = "recent-grant"    // a grant made within the window
	Granted        HoldCode = "granted"         // a grant
	PolicyNames    HoldCode = "policy-names"    // the key policy names someone
	PublicHalf     HoldCode = "public-half"     // its public key works outside KMS
	PolicyDelegate HoldCode = "policy-delegate" // the key policy names nobody but the account
	AliasPoints    HoldCode = "alias"           // an alias points at it
)

// Holds returns what stands against retiring one key, judged alone: block
// first, advice last, never nil. A multi-Region key is always held here, since
// its set decides: see [Assess].
func Holds(f Finding, v Verdict) []Hold {
	return inOrder(keyHolds(f, v), loneMember(f))
}

// keyHolds are the rules that need no other key.
func keyHolds(f Finding, v Verdict) []Hold {
	var hs []Hold
	for _, rule := range []func(Finding, Verdict) []Hold{
		holdUse, holdManaged, holdState, holdUnread, holdRefused, holdNeeded, holdGrants, holdPolicy, holdPublicHalf, holdAliases,
	} {
		hs = append(hs, rule(f, v)...)
	}
	return hs
}

// inOrder joins holds, the firmest first, and is never nil.
func inOrder(groups ...[]Hold) []Hold {
	out := []Hold{}
	for kind := Block; kind <= Advice; kind++ {
		for _, g := range groups {
			for _, h := range g {
				if h.Kind == kind {
					out = append(out, h)
				}
			}
		}
	}
	return out
}

// holdUse: a key is retired only on known silence that exceeds the window. The
// verdict may come from elsewhere, so it must bear that out.
func holdUse(f Finding, v Verdict) []Hold {
	code := UsageUnknown
	switch v.Class {
	case Unknown:
	case Active:
		code = InUse
	case New:
		code = TooNew
	case Idle, Unused, Unrecorded:
		switch {
		case f.LastUsage == nil || v.Until.IsZero() || v.WindowDays < 1:
		case v.TrailingDays > v.WindowDays:
			return nil
		case v.Class == Unrecorded:
			code = TrackingYoung
		}
	}
	h := Hold{Code: code, Text: "its last use is not known", Clear: reread.Text}
	if len(v.Reasons) > 0 {
		h.Text = v.Reasons[0].Text
	}
	if len(v.Changes) > 0 {
		h.Clear = v.Changes[0].Text
	}
	return []Hold{h}
}

// holdManaged: AWS managed keys can be viewed and audited by their account, but
// neither changed nor scheduled for deletion.
// https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key
func holdManaged(f Finding, _ Verdict) []Hold {
	if !f.AWSManaged() {
		if m := f.Metadata; m != nil && m.Manager != types.KeyManagerTypeCustomer {
			return []Hold{{Code: ManagedByAWS, Text: fmt.Sprintf("managed by %q, which is not the customer", m.Manager), Clear: reread.Text}}
		}
		return nil
	}
	return []Hold{{Code: ManagedByAWS, Text: "AWS manages this key", Clear: "nothing: AWS managed keys cannot be disabled or deleted, and have no monthly fee"}}
}

// holdState: only keys at rest can be retired.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func holdState(f Finding, _ Verdict) []Hold {
	if f.Metadata == nil {
		return nil // holdUnread
	}
	switch s := f.Metadata.State; s {
	case types.KeyStateEnabled:
		if f.Metadata.CustomKeyStoreID == "" {
			return nil
		}
		// "If the backing key is disabled or deleted, the KMS key state doesn't
		// change, but cryptographic operations using the KMS key fail."
		return []Hold{{
			Code: StoreOffline, Kind: Advice, Text: "its key material is in a custom key store, whose state KMS does not show",
			Clear: "nothing needed; whoever runs the key store can tell whether the key could be used",
		}}
	case types.KeyStateDisabled:
		return []Hold{{
			Code: SwitchedOff, Kind: Clearable, Text: "it is disabled: nobody can use it, so its silence since then means little",
			Clear: "the owner, or a complete probe, confirms that nothing waits for it; refusals in CloudTrail would show who tried",
		}}
	case types.KeyStatePendingDeletion, types.KeyStatePendingReplicaDeletion:
		return []Hold{{
			Code: BeingDeleted, Text: "its deletion is scheduled already" + on(f.Metadata.DeletionDate),
			Clear: "nothing to do, or CancelKeyDeletion, after which it is Disabled",
		}}
	case types.KeyStateCreating, types.KeyStateUpdating:
		return []Hold{{Code: InTransition, Text: fmt.Sprintf("KMS is changing it: %s", s), Clear: "inspect again in a few minutes"}}
	case types.KeyStateUnavailable:
		return []Hold{{
			Code: StoreOffline, Text: "its custom key store is disconnected: nobody can use the key, so its silence means little",
			Clear: "whoever runs the key store connects it (ConnectCustomKeyStore); then wait out the window",
		}}
	case types.KeyStatePendingImport:
		return []Hold{{
			Code: MaterialGone, Kind: Clearable, Text: "it has no key material: nobody can use it, so its silence means little",
			Clear: "the owner confirms that nothing encrypted under the material will be needed again",
		}}
	default:
		return []Hold{{Code: UnknownState, Text: fmt.Sprintf("unknown key state %q", s), Clear: "a version of this library that knows the state"}}
	}
}

func on(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", for " + stamp(t)
}

// holdUnread: what was not read may hold anything. Aliases, tags and rotations
// show no dependents by themselves; any other gap, also one that a later version
// made, blocks.
func holdUnread(f Finding, _ Verdict) []Hold {
	if f.AWSManaged() {
		return nil // not asked for, and held for good
	}
	var hs []Hold
	for _, r := range []struct {
		op   string
		read bool
	}{
		{opDescribeKey, f.Metadata != nil},
		{opListGrants, f.Grants != nil},
		{opGetKeyPolicy, f.Policy != ""},
	} {
		if _, gap := f.Gap(r.op); !gap && !r.read {
			hs = append(hs, Hold{Code: NotRead, Text: r.op + " was not read", Clear: reread.Text})
		}
	}
	for _, g := range f.Gaps {
		h := Hold{Code: NotRead, Text: fmt.Sprintf("%s was not read: %s", g.Op, g.Reason), Clear: remedy(g).Text}
		switch g.Op {
		case opListAliases, opListTags, opListRotations:
			h.Kind = Advice
		case opLastUsage:
			if f.LastUsage == nil {
				continue // holdUse
			}
		}
		hs = append(hs, h)
	}
	return hs
}

// holdRefused: "monitor AWS CloudTrail for DisabledException entries, which
// indicate attempts to use the key while disabled".
// https://docs.aws.amazon.com/kms/latest/developerguide/monitoring-keys-determining-usage.html
//
// A refusal from before the window is past: someone may have found another way,
// or the key was enabled again. That is to be confirmed.
func holdRefused(f Finding, v Verdict) []Hold {
	var latest *Event
	for _, r := range f.History {
		if r.Dropped.Refusals > 0 && len(r.Refusals) == 0 {
			return []Hold{{
				Code: Refused, Text: fmt.Sprintf("%s counts %d refusals and shows none", r.Source, r.Dropped.Refusals),
				Clear: "ask a source that shows them",
			}}
		}
		for i := range r.Refusals {
			// One without a time may be the latest of all.
			if e := &r.Refusals[i]; latest == nil || e.At.IsZero() || !latest.At.IsZero() && e.At.After(latest.At) {
				latest = e
			}
		}
	}
	if latest == nil {
		return nil
	}
	h := Hold{
		Code:  Refused,
		Text:  fmt.Sprintf("%s was refused at %s, asked for by %s", named(latest.Operation), stamp(latest.At), someone(latest.Principal)),
		Clear: "find who tried, enable the key for them or move them to another, then watch anew",
	}
	past := !v.Until.IsZero() && latest.At.Before(v.windowStart())
	if past && !latest.At.IsZero() {
		h.Kind, h.Clear = Clearable, "the owner confirms that whoever tried no longer needs the key"
	}
	return []Hold{h}
}

// holdNeeded: a resource that is configured with the key needs it, however long
// it has been silent; a trail cannot deliver log files without it.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/encrypting-cloudtrail-log-files-with-aws-kms.html
func holdNeeded(f Finding, _ Verdict) []Hold {
	var hs []Hold
	for _, r := range f.History {
		for _, d := range r.Dependents {
			h := Hold{
				Code: NeededBy, Text: fmt.Sprintf("%s %s needs it", d.Service, d.Resource),
				Clear: "give it another key, or retire it first; then read anew",
			}
			if d.Text != "" {
				h.Text += ": " + d.Text
			}
			hs = append(hs, h)
		}
	}
	return hs
}

func someone(principal string) string {
	if principal == "" {
		return "someone"
	}
	return principal
}

// holdGrants: services and people hold grants for what they mean to do; EBS
// keeps one for as long as a volume is attached and calls KMS only then.
// https://docs.aws.amazon.com/kms/latest/developerguide/grants.html
func holdGrants(f Finding, v Verdict) []Hold {
	if len(f.Grants) == 0 {
		return nil
	}
	since := v.windowStart()
	var recent, old int
	for _, g := range f.Grants {
		if v.Until.IsZero() || g.Created.IsZero() || g.Created.After(since) {
			recent++
		} else {
			old++
		}
	}
	var hs []Hold
	if recent > 0 {
		hs = append(hs, Hold{
			Code:  RecentGrant,
			Text:  fmt.Sprintf("%d of %d grants made within the window, for %s", recent, len(f.Grants), grantee(f.Grants)),
			Clear: "the grantee retires the grant (RetireGrant) or it grows older than the window",
		})
	}
	if old > 0 {
		hs = append(hs, Hold{
			Code: Granted, Kind: Clearable,
			Text:  fmt.Sprintf("%d of %d grants older than the window, for %s", old, len(f.Grants), grantee(f.Grants)),
			Clear: "a complete probe of what they are for, or the owner; RevokeGrant if they are stale",
		})
	}
	return hs
}

// grantee names the first grantee and how many more there are.
func grantee(gs []Grant) string {
	var names []string
	for _, g := range gs {
		n := g.Grantee
		if n == "" {
			n = g.GranteeService
		}
		if n != "" && (len(names) == 0 || names[0] != n) {
			names = append(names, n)
		}
	}
	switch len(names) {
	case 0:
		return "unnamed grantees"
	case 1:
		return names[0]
	default:
		return names[0] + " and others"
	}
}

// holdPolicy: a key policy shows who is capable of use. Where it only hands the
// decision to the account's IAM policies it names nobody.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
func holdPolicy(f Finding, v Verdict) []Hold {
	if f.Policy == "" {
		return nil // holdUnread
	}
	who, err := policyNames(f.Policy, f.Account())
	switch {
	case err != nil:
		return []Hold{{Code: PolicyNames, Text: fmt.Sprintf("its key policy cannot be read: %v", err), Clear: "correct the key policy, then inspect again"}}
	case len(who) == 0:
		return []Hold{{
			Code: PolicyDelegate, Kind: Advice, Text: "its key policy names nobody but the account: whom IAM policies let in, this inspection does not see",
			Clear: "nothing needed; IAM's policies show who could use it",
		}}
	}
	h := Hold{
		Code: PolicyNames, Kind: Clearable, Text: "its key policy names " + summary(who),
		Clear: "the owner or a complete probe of the services named confirms that nothing needs it",
	}
	if provesNoCiphertext(f, v) {
		h.Kind, h.Clear = Advice, "nothing needed: it was never used, so there is nothing encrypted under it"
	}
	return []Hold{h}
}

func summary(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

// provesNoCiphertext: a symmetric key that was never used has nothing encrypted
// under it. The public half of an asymmetric key works without KMS, and of a
// multi-Region key a former replica's record is gone.
func provesNoCiphertext(f Finding, v Verdict) bool {
	return v.Class == Unused && !f.MultiRegion() && f.Metadata != nil && f.Metadata.Spec == types.KeySpecSymmetricDefault
}

// holdPublicHalf: neither KMS's record nor CloudTrail can "detect the use of the
// public key of an asymmetric KMS key outside of AWS KMS"; what is encrypted with
// it needs the private half.
// Signing keys only lose the ability to sign: what they signed verifies with the
// public key. HMAC and symmetric keys have no public half.
// https://docs.aws.amazon.com/kms/latest/developerguide/monitoring-keys-determining-usage.html
// https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html#deleting-asymmetric-cmks
func holdPublicHalf(f Finding, v Verdict) []Hold {
	m := f.Metadata
	if m == nil || m.Spec == types.KeySpecSymmetricDefault {
		return nil
	}
	switch m.Usage {
	case types.KeyUsageTypeGenerateVerifyMac:
		return nil
	case types.KeyUsageTypeSignVerify:
		return []Hold{{
			Code: PublicHalf, Kind: Advice, Text: "signatures made with it are verified outside KMS by its public key",
			Clear: "save the public key first (GetPublicKey): afterwards nobody can ask for it",
		}}
	}
	// The public half is the same in all Regions of a set, whose events are not
	// here, and of imported material it was known before KMS saw any of it.
	if v.Class == Unused && !f.MultiRegion() && m.Origin == types.OriginTypeAwsKms && publicKeyNeverRead(f) {
		return nil
	}
	return []Hold{{
		Code: PublicHalf, Kind: Clearable, Text: "whoever has its public key can go on encrypting outside KMS, unseen",
		Clear: "the owner confirms that nobody uses the public key, or a complete history from its creation shows no GetPublicKey",
	}}
}

// publicKeyNeverRead needs events without a hole from creation to the reading.
func publicKeyNeverRead(f Finding) bool {
	if f.LastUsage == nil {
		return false
	}
	for _, r := range f.History {
		if r.PublicKey != nil {
			return false
		}
	}
	return covered(f, f.LastUsage.Created, f.LastUsage.ReadAt)
}

// holdAliases: an alias is a name that code may know.
func holdAliases(f Finding, _ Verdict) []Hold {
	if len(f.Aliases) == 0 || f.AWSManaged() {
		return nil
	}
	return []Hold{{
		Code: AliasPoints, Kind: Advice, Text: summary(f.Aliases) + " points at it",
		Clear: "nothing needed; UpdateAlias points it at another key",
	}}
}
