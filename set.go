package usage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/internal/keyarn"
)

// Set is a multi-Region primary with its replicas: keys of one account that
// share a key ID and key material. What one encrypts, each of them decrypts.
// https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
type Set struct {
	Account string `json:"account"`
	KeyID   string `json:"keyId"`
	// Primary is the primary's key ARN; empty if no member seen names one, or if
	// they name several.
	Primary string `json:"primary"`
	// Members are the key ARNs of all members known, seen or named by another.
	Members []string `json:"members"`
	// Unseen are the members without a finding that holds metadata and last usage.
	Unseen []string `json:"unseen,omitempty"`
}

// Sets assembles the multi-Region sets in the findings, in order of account and
// key ID. Keys of a single Region belong to none.
func Sets(findings []Finding) []Set {
	built := assemble(findings)
	out := make([]Set, 0, len(built))
	for _, s := range built {
		out = append(out, s.Set)
	}
	slices.SortFunc(out, func(a, b Set) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.KeyID, b.KeyID))
	})
	return out
}

// The rules on sets.
const (
	LoneMember   HoldCode = "multi-region"   // judged without its set
	MemberUnseen HoldCode = "member-unseen"  // a member of the set was not seen
	MemberInUse  HoldCode = "member-in-use"  // another member is in use, or may be
	MemberHeld   HoldCode = "member-held"    // another member is held
	FormerMember HoldCode = "former-replica" // a deleted replica has taken its record along
	Reimport     HoldCode = "reimport"       // a replica that does not come back by itself
	HandOver     HoldCode = "hand-over"      // a primary with a replica in use
	SetUnclear   HoldCode = "set-unclear"    // members disagree about the set
	Twice        HoldCode = "found-twice"    // two findings of one key
)

// setID is what members share. Regions differ, the partition cannot.
type setID struct{ partition, account, id string }

func setOf(f Finding) (setID, bool) {
	p, ok := keyarn.Parse(f.ARN)
	if !ok || !f.MultiRegion() {
		return setID{}, false
	}
	return setID{p.Partition, p.Account, p.ID}, true
}

// builtSet is a Set with the findings of its members.
type builtSet struct {
	Set
	found map[string]Finding // by ARN
}

func assemble(findings []Finding) map[setID]*builtSet {
	sets := map[setID]*builtSet{}
	primaries := map[setID]map[string]bool{}
	members := map[setID]map[string]bool{}
	times := map[string]int{}
	for _, f := range findings {
		times[f.ARN]++
	}
	for _, f := range findings {
		id, ok := setOf(f)
		if !ok {
			continue
		}
		s := sets[id]
		if s == nil {
			s = &builtSet{Set: Set{Account: id.account, KeyID: id.id}, found: map[string]Finding{}}
			sets[id], primaries[id], members[id] = s, map[string]bool{}, map[string]bool{}
		}
		if members[id][f.ARN] = true; times[f.ARN] == 1 {
			s.found[f.ARN] = f // of two findings of one key neither counts
		}
		if f.Metadata == nil || f.Metadata.MultiRegion == nil {
			continue
		}
		m := f.Metadata.MultiRegion
		primaries[id][m.Primary] = true
		for _, arn := range append([]string{m.Primary}, m.Replicas...) {
			members[id][arn] = true
		}
		if !placed(f) {
			primaries[id][""] = true // it contradicts itself, or lost a part
		}
	}
	for id, s := range sets {
		s.Members = slices.Sorted(maps.Keys(members[id]))
		if p := primaries[id]; len(p) == 1 {
			for arn := range p {
				s.Primary = arn
			}
		}
		for _, arn := range s.Members {
			if f, ok := s.found[arn]; !ok || f.Metadata == nil || f.Metadata.MultiRegion == nil || f.LastUsage == nil {
				s.Unseen = append(s.Unseen, arn)
			}
		}
	}
	return sets
}

// placed tells whether a member says what it is in its set, without
// contradicting itself.
func placed(f Finding) bool {
	if f.Metadata == nil || f.Metadata.MultiRegion == nil {
		return false
	}
	m := f.Metadata.MultiRegion
	return m.Primary != "" && m.Role != "" && m.Role == role(f.ARN, m) && m.Replicas != nil
}

// role is what a key must be by the ARNs of its own set.
func role(arn string, m *MultiRegion) types.MultiRegionKeyType {
	switch {
	case arn == m.Primary:
		return types.MultiRegionKeyTypePrimary
	case slices.Contains(m.Replicas, arn):
		return types.MultiRegionKeyTypeReplica
	default:
		return ""
	}
}

// loneMember holds a multi-Region key that is judged without its set.
func loneMember(f Finding) []Hold {
	if !f.MultiRegion() {
		return nil
	}
	return []Hold{{
		Code: LoneMember, Text: "it is a multi-Region key: the other members of its set decide too",
		Clear: "assess it together with the findings of all its Regions (Assess)",
	}}
}

// firstHolding is the firmest of a member's own holds that concerns the others
// too: that it is being deleted is no reason to keep them.
func firstHolding(member Finding, v Verdict) *Hold {
	for _, h := range inOrder(keyHolds(member, v)) {
		if h.Kind != Advice && h.Code != BeingDeleted {
			return &h
		}
	}
	return nil
}

// holds are the rules on the member f of a set.
//
// Members track their use independently, and ciphertext is interchangeable
// among them: silence of one says nothing of the others. An idle replica comes
// back by ReplicateKey for as long as its primary is Enabled, so what holds
// others does not hold it then.
// https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-delete.html
func (s *builtSet) holds(f Finding, verdicts map[string]Verdict) []Hold {
	var hs []Hold
	if len(s.Unseen) > 0 {
		hs = append(hs, Hold{
			Code: MemberUnseen, Text: "members of its set were not seen: " + summary(s.Unseen),
			Clear: "inspect their Regions too, with a role that may read them",
		})
	}
	if s.Primary == "" {
		return append(hs, Hold{
			Code: SetUnclear, Text: "the members of its set disagree on which is the primary",
			Clear: "inspect again; a change of the primary Region may be under way",
		})
	}
	if f.ARN != s.Primary {
		primary, ok := s.found[s.Primary]
		if !ok || primary.Metadata != nil && primary.Metadata.State == types.KeyStateEnabled {
			// Not seen, which holds it, or alive: the replica can be had again.
			if f.Metadata != nil && f.Metadata.Origin == types.OriginTypeExternal {
				hs = append(hs, Hold{
					Code: Reimport, Kind: Advice, Text: "its key material is imported: ReplicateKey alone does not bring it back",
					Clear: "nothing needed; keep the key material, which must be imported again",
				})
			}
			return hs
		}
	}
	hs = append(hs, Hold{
		Code: FormerMember, Kind: Advice, Text: "a replica that is deleted by now has left no record, but may have encrypted",
		Clear: "nothing needed; the owner knows in which Regions the set has been",
	})
	for _, arn := range s.Members {
		member, seen := s.found[arn]
		if arn == f.ARN || !seen {
			continue
		}
		v := verdicts[arn]
		switch other := firstHolding(member, v); {
		case v.Class == Active && f.ARN == s.Primary:
			hs = append(hs, Hold{
				Code: HandOver, Text: "it is the primary of a set in use: " + arn,
				Clear: "hand over first: UpdatePrimaryRegion to a member in use, both Enabled",
			})
		case len(holdUse(member, v)) > 0:
			hs = append(hs, Hold{
				Code: MemberInUse, Text: "another member of its set is " + v.Class.String() + ": " + arn,
				Clear: "wait until that member is known to be silent for longer than the window too",
			})
		case other != nil:
			hs = append(hs, Hold{
				Code: MemberHeld, Kind: other.Kind, Text: fmt.Sprintf("another member of its set is held: %s: %s", arn, other.Text),
				Clear: "what clears it for that member: " + other.Clear,
			})
		}
	}
	return hs
}
