package usage_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

// A set over three Regions, as in AWS's examples of multi-Region keys:
// https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
const (
	setID      = "mrk-1234abcd12ab34cd56ef1234567890ab"
	atHome     = "arn:aws:kms:us-east-1:111122223333:key/" + setID
	inIreland  = "arn:aws:kms:eu-west-1:111122223333:key/" + setID
	inSydney   = "arn:aws:kms:ap-southeast-2:111122223333:key/" + setID
	setAccount = "111122223333"
)

// member is a quiet member of the set whose primary is at home.
func member(arn string, edits ...edit) usage.Finding {
	f := quietKey(func(f *usage.Finding) {
		f.ARN = arn
		f.Metadata.MultiRegion = &usage.MultiRegion{
			Role: types.MultiRegionKeyTypeReplica, Primary: atHome, Replicas: []string{inSydney, inIreland},
		}
		if arn == atHome {
			f.Metadata.MultiRegion.Role = types.MultiRegionKeyTypePrimary
		}
	})
	for _, e := range edits {
		e(&f)
	}
	return f
}

func young(f *usage.Finding) { noRecord(f); bornAt(ago(5))(f) }

func youngTracking(f *usage.Finding) { noRecord(f); trackingSince(ago(50))(f) }

func noMetadata(f *usage.Finding) { f.Metadata = nil }

func promoted(f *usage.Finding) {
	f.Metadata.MultiRegion.Role = types.MultiRegionKeyTypePrimary
	f.Metadata.MultiRegion.Primary = f.ARN
	f.Metadata.MultiRegion.Replicas = []string{inSydney, atHome}
}

// allButAdvice lists the holds of each member, by ARN, without what is only to
// be known.
func allButAdvice(findings []usage.Finding, p usage.Policy) map[string][]string {
	out := map[string][]string{}
	for _, a := range usage.Assess(findings, p) {
		hs := slices.DeleteFunc(slices.Clone(a.Holds), func(h usage.Hold) bool { return h.Kind == usage.Advice })
		out[a.Finding.ARN] = holdsOf(hs)
	}
	return out
}

func TestAssessSets(t *testing.T) {
	const (
		inUse    = "block in-use"
		unseen   = "block member-unseen"
		others   = "block member-in-use"
		held     = "block member-held"
		yielding = "clearable member-held"
		disabled = "clearable disabled"
		handOver = "block hand-over"
		unclear  = "block set-unclear"
		twice    = "block found-twice"
		unknown  = "block usage-unknown"
		unread   = "block not-read"
	)
	quiet := []usage.Finding{member(atHome), member(inIreland), member(inSydney)}
	with := func(changed ...usage.Finding) []usage.Finding {
		out := slices.Clone(quiet)
		for _, c := range changed {
			out[slices.IndexFunc(out, func(f usage.Finding) bool { return f.ARN == c.ARN })] = c
		}
		return out
	}
	type holds map[string][]string
	free := []string{}
	for _, tt := range []struct {
		name     string
		findings []usage.Finding
		want     holds
	}{
		{"a quiet set may go", quiet, holds{atHome: free, inIreland: free, inSydney: free}},
		{
			"a quiet set of one may go",
			[]usage.Finding{member(atHome, func(f *usage.Finding) { f.Metadata.MultiRegion.Replicas = []string{} })},
			holds{atHome: free},
		},

		// "primary and replica keys track last usage independently":
		// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
		{"a used replica holds itself and makes the primary hand over", with(member(inIreland, lastUsed(ago(5)))), holds{atHome: {handOver}, inIreland: {inUse}, inSydney: free}},
		{"two used replicas each make the primary hand over", with(member(inIreland, lastUsed(ago(5))), member(inSydney, lastUsed(ago(9)))), holds{atHome: {handOver, handOver}, inIreland: {inUse}, inSydney: {inUse}}},
		{"a used primary does not hold idle replicas", with(member(atHome, lastUsed(ago(5)))), holds{atHome: {inUse}, inIreland: free, inSydney: free}},
		{"a new replica holds the primary", with(member(inIreland, young)), holds{atHome: {others}, inIreland: {"block too-new"}, inSydney: free}},
		{"a new primary does not hold idle replicas", with(member(atHome, young)), holds{atHome: {"block too-new"}, inIreland: free, inSydney: free}},
		{"a replica unrecorded in a young tracking holds the primary", with(member(inIreland, youngTracking)), holds{atHome: {others}, inIreland: {"block tracking-young"}, inSydney: free}},
		{"a contradictory replica holds the primary", with(member(inIreland, lastUsed(time.Time{}))), holds{atHome: {others}, inIreland: {unknown}, inSydney: free}},
		{"an unrecorded replica in an old tracking holds nobody", with(member(inIreland, noRecord)), holds{atHome: free, inIreland: free, inSydney: free}},

		// An idle replica comes back by ReplicateKey while its primary is Enabled, only then:
		// https://docs.aws.amazon.com/kms/latest/APIReference/API_ReplicateKey.html
		{
			"a disabled primary lets a used replica hold an idle one",
			with(member(atHome, inState(types.KeyStateDisabled)), member(inIreland, lastUsed(ago(5)))),
			holds{atHome: {handOver, disabled}, inIreland: {inUse, yielding}, inSydney: {others, yielding}},
		},
		{"a disabled primary in use holds its replicas", with(member(atHome, inState(types.KeyStateDisabled), lastUsed(ago(5)))), holds{atHome: {inUse, disabled}, inIreland: {others}, inSydney: {others}}},
		{"a disabled primary that is new holds its replicas", with(member(atHome, inState(types.KeyStateDisabled), young)), holds{atHome: {"block too-new", disabled}, inIreland: {others}, inSydney: {others}}},
		{"a disabled primary holds its replicas, which it cannot bring back", with(member(atHome, inState(types.KeyStateDisabled))), holds{atHome: {disabled}, inIreland: {yielding}, inSydney: {yielding}}},
		{
			"a primary about to be deleted lets a used replica hold an idle one",
			with(member(atHome, inState(types.KeyStatePendingReplicaDeletion)), member(inIreland, lastUsed(ago(5)))),
			holds{atHome: {"block being-deleted", handOver}, inIreland: {inUse}, inSydney: {others}},
		},
		{
			"a quiet primary about to be deleted lets its quiet replicas go",
			with(member(atHome, inState(types.KeyStatePendingReplicaDeletion))),
			holds{atHome: {"block being-deleted"}, inIreland: free, inSydney: free},
		},

		// What holds a replica holds its primary: with it goes the last of the material.
		{"someone refused by a replica holds the primary", with(member(inIreland, refused(ago(2)))), holds{atHome: {held}, inIreland: {"block refused"}, inSydney: free}},
		{
			"someone refused by a replica that is being deleted holds the primary",
			with(member(inIreland, inState(types.KeyStatePendingDeletion), refused(ago(2)))),
			holds{atHome: {held}, inIreland: {"block being-deleted", "block refused"}, inSydney: free},
		},
		{"a replica that is being deleted does not hold the primary", with(member(inIreland, inState(types.KeyStatePendingDeletion))), holds{atHome: free, inIreland: {"block being-deleted"}, inSydney: free}},
		{"a grant on a replica holds the primary", with(member(inIreland, granted(ago(1)))), holds{atHome: {held}, inIreland: {"block recent-grant"}, inSydney: free}},
		{"a gap of a replica holds the primary", with(member(inIreland, withGap("ListGrants", usage.Denied))), holds{atHome: {held}, inIreland: {unread}, inSydney: free}},
		{"a disabled replica holds the primary", with(member(inIreland, inState(types.KeyStateDisabled))), holds{atHome: {yielding}, inIreland: {disabled}, inSydney: free}},
		{"advice on a replica does not hold the primary", with(member(inIreland, withGap("ListAliases", usage.Denied))), holds{atHome: free, inIreland: free, inSydney: free}},
		{"a refusal of the primary does not hold idle replicas", with(member(atHome, refused(ago(2)))), holds{atHome: {"block refused"}, inIreland: free, inSydney: free}},

		// Members that were not seen.
		{"a Region that was not inspected holds the whole set", quiet[:2], holds{atHome: {unseen}, inIreland: {unseen}}},
		{"an unseen primary holds its replicas", quiet[1:], holds{inIreland: {unseen}, inSydney: {unseen}}},
		{"an unseen primary holds its replicas, and nothing else does", []usage.Finding{member(inIreland), member(inSydney, lastUsed(ago(5)))}, holds{inIreland: {unseen}, inSydney: {inUse, unseen}}},
		{"a member whose last use was denied holds the whole set", with(member(inSydney, func(f *usage.Finding) { f.LastUsage = nil })), holds{atHome: {unseen, others}, inIreland: {unseen}, inSydney: {unknown, unseen}}},
		{"a member whose metadata were denied holds the whole set", with(member(inSydney, noMetadata)), holds{atHome: {unseen, held}, inIreland: {unseen}, inSydney: {unread, unseen}}},
		{
			"a member that says it is none holds the whole set",
			with(member(inSydney, func(f *usage.Finding) { f.Metadata.MultiRegion = nil })),
			holds{atHome: {unseen}, inIreland: {unseen}, inSydney: {unseen}},
		},
		{"a member that only another names holds the whole set", []usage.Finding{
			member(atHome, func(f *usage.Finding) { f.Metadata.MultiRegion.Replicas = []string{inIreland} }), member(inIreland),
		}, holds{atHome: {unseen}, inIreland: {unseen}}},
		{"a set of which no metadata were read is held", []usage.Finding{member(atHome, noMetadata), member(inIreland, noMetadata)}, holds{
			atHome: {unread, unseen, unclear}, inIreland: {unread, unseen, unclear},
		}},

		// Members that disagree, as they do while UpdatePrimaryRegion is under way.
		// https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdatePrimaryRegion.html
		{"two primaries hold the whole set", with(member(inIreland, promoted)), holds{atHome: {unclear}, inIreland: {unclear}, inSydney: {unclear}}},
		{
			"a primary that calls itself a replica holds the whole set",
			with(member(atHome, func(f *usage.Finding) { f.Metadata.MultiRegion.Role = types.MultiRegionKeyTypeReplica })),
			holds{atHome: {unclear}, inIreland: {unclear}, inSydney: {unclear}},
		},
		{
			"a replica that calls itself the primary holds the whole set",
			with(member(inSydney, func(f *usage.Finding) { f.Metadata.MultiRegion.Role = types.MultiRegionKeyTypePrimary })),
			holds{atHome: {unclear}, inIreland: {unclear}, inSydney: {unclear}},
		},
		{
			"a member without a role holds the whole set",
			with(member(inSydney, func(f *usage.Finding) { f.Metadata.MultiRegion.Role = "" })),
			holds{atHome: {unclear}, inIreland: {unclear}, inSydney: {unclear}},
		},
		{
			"a member that does not name its replicas holds the whole set",
			with(member(atHome, func(f *usage.Finding) { f.Metadata.MultiRegion.Replicas = nil })),
			holds{atHome: {unclear}, inIreland: {unclear}, inSydney: {unclear}},
		},
		{
			"a lone primary that does not name its replicas is held",
			[]usage.Finding{member(atHome, func(f *usage.Finding) { f.Metadata.MultiRegion.Replicas = nil })},
			holds{atHome: {unclear}},
		},
		{
			"a member that does not name its primary holds the whole set",
			with(member(inSydney, func(f *usage.Finding) { f.Metadata.MultiRegion.Primary = "" })),
			holds{atHome: {unseen, unclear}, inIreland: {unseen, unclear}, inSydney: {unseen, unclear}},
		},
		{
			"a member that tells nothing of its set is held",
			[]usage.Finding{member(atHome, func(f *usage.Finding) { f.Metadata.MultiRegion = &usage.MultiRegion{} })},
			holds{atHome: {unseen, unclear}},
		},

		// What belongs together and what does not.
		{
			"a set ends at its account",
			[]usage.Finding{quiet[0], quiet[1], member(strings.Replace(inSydney, setAccount, "444455556666", 1))},
			holds{atHome: {unseen}, inIreland: {unseen}, strings.Replace(inSydney, setAccount, "444455556666", 1): {unseen, unclear, "clearable policy-names"}},
		},
		{
			"a set ends at its partition",
			[]usage.Finding{quiet[0], quiet[1], member(strings.Replace(inSydney, "arn:aws:", "arn:aws-cn:", 1))},
			holds{atHome: {unseen}, inIreland: {unseen}, strings.Replace(inSydney, "arn:aws:", "arn:aws-cn:", 1): {unseen, unclear}},
		},
		{
			"single-Region keys do not make a set, whatever their ID",
			[]usage.Finding{quietKey(), quietKey(func(f *usage.Finding) { f.ARN = strings.Replace(f.ARN, "us-east-2", "us-west-2", 1) }, lastUsed(ago(5)))},
			holds{oneARN: free, strings.Replace(oneARN, "us-east-2", "us-west-2", 1): {inUse}},
		},
		{
			"a multi-Region key that cannot be placed is held",
			[]usage.Finding{quietKey(func(f *usage.Finding) { f.ARN = "key"; f.Metadata.MultiRegion = &usage.MultiRegion{} })},
			holds{"key": {"block multi-region", "clearable policy-names"}},
		},

		// Two findings of one key.
		{"a key found twice is held", []usage.Finding{quietKey(), quietKey()}, holds{oneARN: {twice}}},
		{"a member found twice holds the whole set", append(slices.Clone(quiet), member(inSydney)), holds{atHome: {unseen}, inIreland: {unseen}, inSydney: {unseen, twice}}},
		{
			"a primary found enabled after it was found disabled brings no replica back",
			[]usage.Finding{member(atHome, inState(types.KeyStateDisabled)), member(inIreland, lastUsed(ago(5))), member(inSydney), member(atHome)},
			holds{atHome: {unseen, handOver, twice}, inIreland: {inUse, unseen}, inSydney: {unseen}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := allButAdvice(tt.findings, usage.Policy{})
			if !alike(holds(got), tt.want) {
				t.Errorf("holds\n%v, want\n%v", got, tt.want)
			}
			// The order of findings does not matter.
			reversed := slices.Clone(tt.findings)
			slices.Reverse(reversed)
			backward := usage.Assess(reversed, usage.Policy{})
			slices.Reverse(backward)
			if forward := usage.Assess(tt.findings, usage.Policy{}); !alike(backward, forward) {
				t.Errorf("in another order:\n%v, was\n%v", backward, forward)
			}
		})
	}
}

func TestSets(t *testing.T) {
	other := strings.ReplaceAll(atHome, setID, "mrk-0000")
	elsewhere := strings.Replace(atHome, setAccount, "000000000000", 1)
	alone := func(arn string) edit {
		return func(f *usage.Finding) {
			f.Metadata.MultiRegion = &usage.MultiRegion{Role: types.MultiRegionKeyTypePrimary, Primary: arn, Replicas: []string{}}
		}
	}
	got := usage.Sets([]usage.Finding{
		quietKey(), {}, member(inIreland), member(other, alone(other)), member(inSydney, noMetadata), member(elsewhere, alone(elsewhere)), {ARN: "mrk-1"},
	})
	want := []usage.Set{
		{Account: "000000000000", KeyID: setID, Primary: elsewhere, Members: []string{elsewhere}},
		{Account: setAccount, KeyID: "mrk-0000", Primary: other, Members: []string{other}},
		{Account: setAccount, KeyID: setID, Primary: atHome, Members: []string{inSydney, inIreland, atHome}, Unseen: []string{inSydney, atHome}},
	}
	if !alike(got, want) {
		t.Errorf("sets\n%+v, want\n%+v", got, want)
	}
	if none := usage.Sets(nil); none == nil || len(none) != 0 {
		t.Errorf("sets of nothing: %#v", none)
	}
}

// What a member's finding cannot show is to be known.
func TestAssessSetsAdvises(t *testing.T) {
	imported := func(f *usage.Finding) { f.Metadata.Origin = types.OriginTypeExternal }
	for name, tt := range map[string]struct {
		findings []usage.Finding
		want     map[string][]string
	}{
		"of replicas that were deleted, on what does not come back": {
			[]usage.Finding{member(atHome), member(inIreland), member(inSydney)},
			map[string][]string{atHome: {"advice former-replica"}, inIreland: {}, inSydney: {}},
		},
		// "you must import the same key material …":
		// https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
		"of material to import again": {
			[]usage.Finding{member(atHome, imported), member(inIreland, imported), member(inSydney, imported)},
			map[string][]string{atHome: {"advice former-replica"}, inIreland: {"advice reimport"}, inSydney: {"advice reimport"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, a := range usage.Assess(tt.findings, usage.Policy{}) {
				got := slices.DeleteFunc(holdsOf(a.Holds), func(h string) bool { return h == "advice policy-delegate" })
				if !slices.Equal(got, tt.want[a.Finding.ARN]) || !a.Retirable() {
					t.Errorf("%s: holds %v, want %v; retirable: %v", a.Finding.ARN, got, tt.want[a.Finding.ARN], a.Retirable())
				}
			}
		})
	}
}
