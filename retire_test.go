package usage_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

// holdsOf lists holds as "kind code".
func holdsOf(hs []usage.Hold) []string {
	out := []string{}
	for _, h := range hs {
		out = append(out, h.Kind.String()+" "+string(h.Code))
	}
	return out
}

func inState(s types.KeyState) edit { return func(f *usage.Finding) { f.Metadata.State = s } }

func ofKind(spec types.KeySpec, use types.KeyUsageType) edit {
	return func(f *usage.Finding) { f.Metadata.Spec, f.Metadata.Usage = spec, use }
}

func withGap(op string, reason usage.GapReason) edit {
	return func(f *usage.Finding) { f.Gaps = append(f.Gaps, usage.Gap{Op: op, Reason: reason}) }
}

func granted(at ...time.Time) edit {
	return func(f *usage.Finding) {
		for i, t := range at {
			f.Grants = append(f.Grants, usage.Grant{ID: fmt.Sprint(i), Created: t, Grantee: fmt.Sprintf("arn:aws:iam::111122223333:role/r%d", i)})
		}
	}
}

func refused(at ...time.Time) edit {
	r := usage.Record{Source: "trail"}
	for _, t := range at {
		r.Refusals = append(r.Refusals, usage.Event{At: t, Operation: "Decrypt", ErrorCode: "DisabledException"})
	}
	return recorded(r)
}

func neededBy(resources ...string) edit {
	r := usage.Record{Source: "trails"}
	for _, name := range resources {
		r.Dependents = append(r.Dependents, usage.Dependent{Service: "cloudtrail.amazonaws.com", Resource: name})
	}
	return recorded(r)
}

func withPolicy(doc string) edit { return func(f *usage.Finding) { f.Policy = doc } }

// allow is a policy of one statement for the principal given as JSON.
func allow(principal string) string {
	return `{"Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"kms:Decrypt","Resource":"*"}]}`
}

const namesRole = `{"AWS":"arn:aws:iam::111122223333:role/app"}`

func neverUsed(f *usage.Finding) {
	noRecord(f)
	bornAt(ago(200))(f)
}

func TestHolds(t *testing.T) {
	const (
		delegates   = "advice policy-delegate"
		publicHalf  = "clearable public-half"
		namesPolicy = "clearable policy-names"
	)
	completely := recorded(covering(ago(200), readThen))
	for _, tt := range []struct {
		name string
		f    usage.Finding
		want []string
	}{
		{"a key silent for long is not held", quietKey(), []string{delegates}},
		{"nor is one that was never used", quietKey(neverUsed), []string{delegates}},
		{"nor is one unrecorded for longer than the window", quietKey(noRecord), []string{delegates}},

		// The use.
		{"a key in use is held", quietKey(lastUsed(ago(5))), []string{"block in-use", delegates}},
		{"a use by an event alone holds", quietKey(recorded(saw(usage.Record{}, ago(5)))), []string{"block in-use", delegates}},
		{"a new key is held", quietKey(noRecord, bornAt(ago(5))), []string{"block too-new", delegates}},
		{"an unrecorded key is held while tracking is young", quietKey(noRecord, trackingSince(ago(90))), []string{"block tracking-young", delegates}},
		{"an unrecorded key is let go when tracking is older than the window", quietKey(noRecord, trackingSince(ago(91))), []string{delegates}},
		{"a contradiction holds", quietKey(lastUsed(time.Time{})), []string{"block usage-unknown", delegates}},
		{"an unread last use holds once, however it was lost", quietKey(unread(usage.Denied)), []string{"block usage-unknown", delegates}},
		{"an unread last use holds without a gap too", quietKey(func(f *usage.Finding) { f.LastUsage = nil }), []string{"block usage-unknown", delegates}},

		// Who manages it.
		{
			"an AWS managed key is held, and by nothing that was not asked for",
			usage.Finding{ARN: oneARN, Metadata: &usage.Metadata{Manager: types.KeyManagerTypeAws, State: types.KeyStateEnabled, Spec: types.KeySpecSymmetricDefault}, Aliases: []string{"alias/aws/ebs"}},
			[]string{"block usage-unknown", "block aws-managed"},
		},
		{
			"an AWS managed key is told by its alias where metadata was not read",
			usage.Finding{ARN: oneARN, Aliases: []string{"alias/aws/ebs"}},
			[]string{"block usage-unknown", "block aws-managed"},
		},
		{"an AWS managed key is held though its silence is known", quietKey(func(f *usage.Finding) { f.Metadata.Manager = types.KeyManagerTypeAws }), []string{"block aws-managed", delegates}},
		{"metadata knows better than an alias", quietKey(func(f *usage.Finding) { f.Aliases = []string{"alias/aws/ebs"} }), []string{delegates, "advice alias"}},

		// The state.
		{"a key being created is held", quietKey(inState(types.KeyStateCreating)), []string{"block in-transition", delegates}},
		{"a key being updated is held", quietKey(inState(types.KeyStateUpdating)), []string{"block in-transition", delegates}},
		{"a key pending deletion is held", quietKey(inState(types.KeyStatePendingDeletion)), []string{"block being-deleted", delegates}},
		{"a primary pending its replicas' deletion is held", quietKey(inState(types.KeyStatePendingReplicaDeletion)), []string{"block being-deleted", delegates}},
		{"a disabled key waits for its owner: its silence means little", quietKey(inState(types.KeyStateDisabled)), []string{"clearable disabled", delegates}},
		{"so does a disabled key that was never used", quietKey(neverUsed, inState(types.KeyStateDisabled)), []string{"clearable disabled", delegates}},
		{
			// "If the backing key is disabled or deleted, the KMS key state doesn't change":
			// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
			"a custom key store does not show the state of its keys",
			quietKey(func(f *usage.Finding) { f.Metadata.CustomKeyStoreID = "cks-1" }),
			[]string{"advice store-offline", delegates},
		},
		{"a key in a disconnected store is held", quietKey(inState(types.KeyStateUnavailable)), []string{"block store-offline", delegates}},
		{"a key without its imported material waits for its owner", quietKey(inState(types.KeyStatePendingImport)), []string{"clearable material-gone", delegates}},
		{"a state that nobody knows holds", quietKey(inState("Hibernating")), []string{"block unknown-state", delegates}},
		{"no state holds", quietKey(inState("")), []string{"block unknown-state", delegates}},

		// What was not read.
		{"metadata that were not read hold", quietKey(func(f *usage.Finding) { f.Metadata = nil }), []string{"block not-read", delegates}},
		{"metadata that were denied hold once", quietKey(func(f *usage.Finding) { f.Metadata = nil }, withGap("DescribeKey", usage.Denied)), []string{"block not-read", delegates}},
		{"grants that were not read hold", quietKey(func(f *usage.Finding) { f.Grants = nil }), []string{"block not-read", delegates}},
		{"grants that were denied hold once", quietKey(func(f *usage.Finding) { f.Grants = nil }, withGap("ListGrants", usage.Denied)), []string{"block not-read", delegates}},
		{"a key policy that was not read holds", quietKey(withPolicy("")), []string{"block not-read"}},
		{"a key policy that was switched off holds once", quietKey(withPolicy(""), withGap("GetKeyPolicy", usage.Skipped)), []string{"block not-read"}},
		{"grants that were read in part hold", quietKey(granted(ago(100)), withGap("ListGrants", usage.Throttled)), []string{"block not-read", "clearable granted", delegates}},
		{"a last use that was read and yet has a gap holds", quietKey(withGap("GetKeyLastUsage", usage.Failed)), []string{"block not-read", delegates}},
		{"a gap of a listing holds", quietKey(withGap("ListKeys", usage.Failed)), []string{"block not-read", delegates}},
		{"a gap of a history holds", quietKey(withGap("History:trail", usage.Unavailable)), []string{"block not-read", delegates}},
		{"a gap that a later version made holds", quietKey(withGap("ProbeVolumes", "tired")), []string{"block not-read", delegates}},
		{"a gap without a name holds", quietKey(withGap("", "")), []string{"block not-read", delegates}},
		{"unread aliases are advice", quietKey(withGap("ListAliases", usage.Denied)), []string{"advice not-read", delegates}},
		{"unread tags are advice", quietKey(withGap("ListResourceTags", usage.Denied)), []string{"advice not-read", delegates}},
		{"unread rotations are advice", quietKey(withGap("ListKeyRotations", usage.Denied)), []string{"advice not-read", delegates}},
		{
			"every gap holds", quietKey(withGap("ListResourceTags", usage.Denied), withGap("ListGrants", usage.Denied), withGap("History:a", usage.Denied)),
			[]string{"block not-read", "block not-read", "advice not-read", delegates},
		},

		// Refusals: "monitor AWS CloudTrail for DisabledException entries, which
		// indicate attempts to use the key while disabled".
		// https://docs.aws.amazon.com/kms/latest/developerguide/monitoring-keys-determining-usage.html
		{"a refusal holds", quietKey(refused(ago(2))), []string{"block refused", delegates}},
		{"a refusal on the first day of the window holds", quietKey(refused(ago(90))), []string{"block refused", delegates}},
		{"a refusal from before the window waits for the owner", quietKey(refused(ago(90).Add(-1))), []string{"clearable refused", delegates}},
		{"a recent refusal holds whatever came before", quietKey(refused(ago(2), ago(700)), refused(ago(400))), []string{"block refused", delegates}},
		{"a recent refusal holds wherever it stands", quietKey(refused(ago(400)), refused(ago(700), ago(2))), []string{"block refused", delegates}},
		{"a refusal without a time holds", quietKey(refused(time.Time{})), []string{"block refused", delegates}},
		{"a refusal without a time holds beside an old one", quietKey(refused(ago(400), time.Time{})), []string{"block refused", delegates}},
		{"a refusal of a key whose use is unknown holds", quietKey(unread(usage.Denied), refused(ago(400))), []string{"block usage-unknown", "block refused", delegates}},
		{"refusals that were counted and are not shown hold", quietKey(recorded(usage.Record{Dropped: usage.Dropped{Refusals: 1}})), []string{"block refused", delegates}},

		// A trail cannot deliver without its key, however long it has been silent.
		// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/encrypting-cloudtrail-log-files-with-aws-kms.html
		{"a resource that says it needs the key holds", quietKey(neededBy("a trail")), []string{"block needed-by", delegates}},
		{"every resource that says it needs the key is named", quietKey(neededBy("a trail", "another"), neededBy("a third")), []string{"block needed-by", "block needed-by", "block needed-by", delegates}},
		{"a resource holds a key that was never used", quietKey(neverUsed, neededBy("a trail")), []string{"block needed-by", delegates}},

		// Grants.
		{"a grant older than the window waits for its owner", quietKey(granted(ago(90.1))), []string{"clearable granted", delegates}},
		{"a grant made within the window holds", quietKey(granted(ago(89.9))), []string{"block recent-grant", delegates}},
		{"a grant without a date counts as made within the window", quietKey(granted(time.Time{})), []string{"block recent-grant", delegates}},
		{"a grant made after the reading counts as made within the window", quietKey(granted(readThen.Add(time.Hour))), []string{"block recent-grant", delegates}},
		{"recent and old grants hold each in their way", quietKey(granted(ago(1), ago(400), ago(2))), []string{"block recent-grant", "clearable granted", delegates}},
		{"a grant of a key whose use is unknown counts as recent", quietKey(unread(usage.Denied), granted(ago(400))), []string{"block usage-unknown", "block recent-grant", delegates}},
		{"a grant of a key that was never used waits for its owner too", quietKey(neverUsed, granted(ago(150))), []string{"clearable granted", delegates}},

		// The key policy; see TestHoldsOfPolicies.
		{"a key policy that names someone waits for the owner", quietKey(withPolicy(allow(namesRole))), []string{namesPolicy}},
		{"a key policy that names someone is advice on a key that was never used", quietKey(neverUsed, withPolicy(allow(namesRole))), []string{"advice policy-names"}},
		{"a key policy that makes no sense holds", quietKey(withPolicy("{")), []string{"block policy-names"}},
		{"a key policy that makes no sense holds a key that was never used", quietKey(neverUsed, withPolicy("{")), []string{"block policy-names"}},
		{
			"a policy that names someone waits for the owner of an unused key with a public half",
			quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), completely, withPolicy(allow(namesRole))),
			[]string{namesPolicy},
		},
		{"a policy that names someone waits for the owner of an unrecorded key", quietKey(noRecord, withPolicy(allow(namesRole))), []string{namesPolicy}},

		// Kinds of keys, and the public half: neither KMS's record nor CloudTrail can
		// "detect the use of the public key of an asymmetric KMS key outside of AWS KMS".
		// https://docs.aws.amazon.com/kms/latest/developerguide/monitoring-keys-determining-usage.html
		{"a key that makes MACs has no public half", quietKey(ofKind(types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)), []string{delegates}},
		{"signatures are verified outside KMS", quietKey(ofKind(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)), []string{delegates, "advice public-half"}},
		{"signatures of lattices are verified outside KMS", quietKey(ofKind(types.KeySpecMlDsa65, types.KeyUsageTypeSignVerify)), []string{delegates, "advice public-half"}},
		{"RSA encrypts outside KMS", quietKey(ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)), []string{publicHalf, delegates}},
		{"SM2 encrypts outside KMS", quietKey(ofKind(types.KeySpecSm2, types.KeyUsageTypeEncryptDecrypt)), []string{publicHalf, delegates}},
		{"key agreement works outside KMS", quietKey(ofKind(types.KeySpecEccNistP384, types.KeyUsageTypeKeyAgreement)), []string{publicHalf, delegates}},
		{"ML-KEM encapsulates outside KMS", quietKey(ofKind(types.KeySpecMlKem768, types.KeyUsageTypeEncapsulateDecapsulate)), []string{publicHalf, delegates}},
		{"a usage that nobody knows may work outside KMS", quietKey(ofKind(types.KeySpecRsa4096, "DREAM")), []string{publicHalf, delegates}},
		{"a spec that nobody knows may have a public half", quietKey(ofKind("ROT13", types.KeyUsageTypeEncryptDecrypt)), []string{publicHalf, delegates}},
		{"no spec may have a public half", quietKey(ofKind("", "")), []string{publicHalf, delegates}},
		{"a public half holds a key that was never used", quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)), []string{publicHalf, delegates}},
		{
			"a complete history without GetPublicKey clears a key that was never used",
			quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), completely),
			[]string{delegates},
		},
		{
			"a history that ends before the reading does not",
			quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), recorded(covering(ago(200), readThen.Add(-1)))),
			[]string{publicHalf, delegates},
		},
		{
			"a history that begins after creation does not",
			quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), recorded(covering(ago(200).Add(1), readThen))),
			[]string{publicHalf, delegates},
		},
		{
			"a history with a blind spot does not",
			quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), recorded(blind(covering(ago(200), readThen)))),
			[]string{publicHalf, delegates},
		},
		{
			"a history that shows GetPublicKey does not",
			quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), completely, recorded(usage.Record{PublicKey: &usage.Event{At: ago(199)}})),
			[]string{publicHalf, delegates},
		},
		{
			"a complete history does not clear a key that was used",
			quietKey(ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), recorded(covering(longAgo, readThen))),
			[]string{publicHalf, delegates},
		},
		{
			"a complete history does not clear material of an origin that was not read",
			quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), completely, func(f *usage.Finding) { f.Metadata.Origin = "" }),
			[]string{publicHalf, delegates},
		},
		{
			"a complete history does not clear imported material, whose public half came from elsewhere",
			quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), completely, func(f *usage.Finding) { f.Metadata.Origin = types.OriginTypeExternal }),
			[]string{publicHalf, delegates},
		},

		// Aliases.
		{"an alias is advice", quietKey(func(f *usage.Finding) { f.Aliases = []string{"alias/app"} }), []string{delegates, "advice alias"}},

		// Multi-Region keys are judged with their set: see TestAssessSets.
		{"a multi-Region key is held", quietKey(multiRegion), []string{"block multi-region", delegates}},
		{"the ID of a multi-Region key suffices", quietKey(func(f *usage.Finding) { f.ARN = strings.Replace(f.ARN, "key/", "key/mrk-", 1) }), []string{"block multi-region", delegates}},
		{
			"metadata of a multi-Region key suffice",
			quietKey(func(f *usage.Finding) { f.Metadata.MultiRegion = &usage.MultiRegion{} }),
			[]string{"block multi-region", delegates},
		},
		{
			"a complete history of one Region does not clear the public half of a multi-Region key",
			quietKey(neverUsed, multiRegion, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), completely),
			[]string{"block multi-region", publicHalf, delegates},
		},
		{
			"a policy that names someone waits for the owner of an unused multi-Region key",
			quietKey(neverUsed, multiRegion, withPolicy(allow(namesRole))),
			[]string{"block multi-region", namesPolicy},
		},

		{
			"the firmest come first, each in the order of the rules",
			quietKey(lastUsed(ago(5)), inState(types.KeyStateUpdating), withGap("ListResourceTags", usage.Denied), withGap("History:x", usage.Denied), granted(ago(1), ago(500)),
				withPolicy(allow(namesRole)), ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), func(f *usage.Finding) { f.Aliases = []string{"alias/a"} }),
			[]string{
				"block in-use", "block in-transition", "block not-read", "block recent-grant",
				"clearable granted", namesPolicy, publicHalf, "advice not-read", "advice alias",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hs := usage.Holds(tt.f, usage.Classify(tt.f, usage.Policy{}))
			if got := holdsOf(hs); !slices.Equal(got, tt.want) {
				t.Errorf("holds\n%q, want\n%q", got, tt.want)
			}
			for _, h := range hs {
				if h.Text == "" || h.Clear == "" || !strings.Contains(h.String(), h.Text) {
					t.Errorf("%s has text %q, clears by %q, reads %q", h.Code, h.Text, h.Clear, h)
				}
			}
		})
	}
}

func multiRegion(f *usage.Finding) {
	f.ARN = strings.Replace(f.ARN, "key/", "key/mrk-", 1)
	f.Metadata.MultiRegion = &usage.MultiRegion{Role: types.MultiRegionKeyTypePrimary, Primary: f.ARN, Replicas: []string{}}
}

// A grant's age is measured by the verdict's window.
func TestHoldsMeasuresGrantsByTheWindow(t *testing.T) {
	f := quietKey(granted(ago(40)))
	for days, want := range map[int]string{30: "clearable granted", 90: "block recent-grant"} {
		p := usage.Policy{Window: time.Duration(days) * wholeDay}
		if got := holdsOf(usage.Holds(f, usage.Classify(f, p))); !slices.Contains(got, want) {
			t.Errorf("window of %d days: %v, want %s", days, got, want)
		}
	}
}

// A verdict may come from elsewhere; it must bear out that the key may go.
func TestHoldsDoesNotTrustAVerdictThatLacksItsNumbers(t *testing.T) {
	f := quietKey()
	good := usage.Classify(f, usage.Policy{})
	for name, spoil := range map[string]func(*usage.Verdict){
		"no class":              func(v *usage.Verdict) { v.Class = usage.Unknown },
		"a class that is none":  func(v *usage.Verdict) { v.Class = 17 },
		"no trailing days":      func(v *usage.Verdict) { v.TrailingDays = 0 },
		"too few trailing days": func(v *usage.Verdict) { v.TrailingDays = v.WindowDays },
		"no window":             func(v *usage.Verdict) { v.WindowDays = 0 },
		"a negative window":     func(v *usage.Verdict) { v.WindowDays = -1 },
		"no time":               func(v *usage.Verdict) { v.Until = time.Time{} },
		"everything":            func(v *usage.Verdict) { *v = usage.Verdict{} },
		"all but the class":     func(v *usage.Verdict) { *v = usage.Verdict{Class: v.Class} },
	} {
		t.Run(name, func(t *testing.T) {
			v := good
			spoil(&v)
			if hs := usage.Holds(f, v); len(hs) == 0 || hs[0].Kind != usage.Block || hs[0].Code != usage.UsageUnknown {
				t.Errorf("holds %v, want %q first", hs, usage.UsageUnknown)
			}
		})
	}
	f.LastUsage = nil
	if hs := usage.Holds(f, good); len(hs) == 0 || hs[0].Code != usage.UsageUnknown {
		t.Errorf("a verdict without its evidence: %v, want %q first", hs, usage.UsageUnknown)
	}
}

func TestHoldsIsNeverNil(t *testing.T) {
	f := quietKey()
	for name, hs := range map[string][]usage.Hold{
		"of nothing":     usage.Holds(usage.Finding{}, usage.Verdict{}),
		"of a quiet key": usage.Holds(f, usage.Classify(f, usage.Policy{})),
		"of a key that nothing speaks of": usage.Assess([]usage.Finding{quietKey(withPolicy(
			`{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"}}}`))}, usage.Policy{})[0].Holds,
	} {
		if hs == nil {
			t.Errorf("holds %s are nil", name)
		}
	}
	if got := holdsOf(usage.Holds(usage.Finding{}, usage.Verdict{})); !slices.Equal(got, []string{
		"block usage-unknown", "block not-read", "block not-read", "block not-read",
	}) {
		t.Errorf("holds of nothing: %v", got)
	}
}

// Policies by the grammar of IAM:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func TestHoldsOfPolicies(t *testing.T) {
	const (
		arn       = "arn:aws:kms:us-east-2:111122223333:key/1234abcd"
		inChina   = "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd"
		inGov     = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1234abcd"
		nobody    = ""
		senseless = "!"
	)
	statements := func(s ...string) string { return `{"Version":"2012-10-17","Statement":[` + strings.Join(s, ",") + `]}` }
	root := `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`
	for _, tt := range []struct {
		name, arn, doc string
		names          string // whom the policy names; "!" if it makes no sense
	}{
		// "Enable IAM User Permissions", as KMS makes it by default:
		// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
		{"the default policy names nobody", arn, delegating, nobody},
		{"the default policy in China names nobody", inChina, strings.ReplaceAll(delegating, "arn:aws:", "arn:aws-cn:"), nobody},
		{"the default policy in GovCloud names nobody", inGov, strings.ReplaceAll(delegating, "arn:aws:", "arn:aws-us-gov:"), nobody},
		{"the account by its number is its root", arn, allow(`{"AWS":"111122223333"}`), nobody},
		{"a list of the root in both its forms names nobody", arn, allow(`{"AWS":["111122223333","arn:aws:iam::111122223333:root"]}`), nobody},
		{"one statement need not stand in a list", arn, `{"Statement":` + root + `}`, nobody},
		{"space around it changes nothing", arn, " \n" + delegating + "\n ", nobody},

		{"a role is named", arn, allow(namesRole), "arn:aws:iam::111122223333:role/app"},
		{"a role beside the root is named", arn, statements(root, `{"Effect":"Allow","Principal":`+namesRole+`}`), "arn:aws:iam::111122223333:role/app"},
		{"a role in a list with the root is named", arn, allow(`{"AWS":["arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:role/app"]}`), "arn:aws:iam::111122223333:role/app"},
		{"whoever is named twice is named once", arn, statements(`{"Effect":"Allow","Principal":`+namesRole+`}`, `{"Effect":"Allow","Principal":`+namesRole+`}`), "arn:aws:iam::111122223333:role/app"},
		{"those named stand in order", arn, allow(`{"Service":["s3.amazonaws.com","logs.amazonaws.com"],"AWS":"arn:aws:iam::111122223333:user/u"}`), "arn:aws:iam::111122223333:user/u, logs.amazonaws.com, s3.amazonaws.com"},
		{"more than three are counted", arn, allow(`{"Service":["a","b","c","d","e"]}`), "a, b, c and 2 more"},
		{"another account is named", arn, allow(`{"AWS":"arn:aws:iam::444455556666:root"}`), "arn:aws:iam::444455556666:root"},
		{"another account by its number is named", arn, allow(`{"AWS":"444455556666"}`), "444455556666"},
		{"a user called root is named", arn, allow(`{"AWS":"arn:aws:iam::111122223333:user/root"}`), "arn:aws:iam::111122223333:user/root"},
		{"a session of STS is not the root", arn, allow(`{"AWS":"arn:aws:sts::111122223333:root"}`), "arn:aws:sts::111122223333:root"},
		{"everyone is named", arn, allow(`"*"`), "*"},
		{"everyone of AWS is named", arn, allow(`{"AWS":"*"}`), "*"},
		{"a service is named", arn, allow(`{"Service":"logs.us-east-2.amazonaws.com"}`), "logs.us-east-2.amazonaws.com"},
		{"a federated user is named", arn, allow(`{"Federated":"cognito-identity.amazonaws.com"}`), "cognito-identity.amazonaws.com"},
		{"a service is no account, whatever its name", arn, allow(`{"Service":"111122223333"}`), "111122223333"},
		{"nor is a canonical user", arn, allow(`{"CanonicalUser":"111122223333"}`), "111122223333"},
		{"a principal of a kind that nobody knows is named", arn, allow(`{"Planet":"mars"}`), "mars"},
		{"everyone but some is named", arn, statements(root, `{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/u"}}`), "everyone but some"},
		{
			// A condition such as kms:ViaService says which service the root's delegation is for.
			"the root with a condition is named", arn,
			statements(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Condition":{"StringEquals":{"kms:ViaService":"ec2.us-east-2.amazonaws.com"}}}`),
			"arn:aws:iam::111122223333:root",
		},
		{"a statement that denies names nobody", arn, statements(root, `{"Effect":"Deny","Principal":"*","Action":"kms:DisableKey"}`), nobody},
		{"a statement that denies everyone but some names nobody", arn, statements(root, `{"Effect":"Deny","NotPrincipal":`+namesRole+`}`), nobody},
		{"a policy that only denies names nobody", arn, statements(`{"Effect":"Deny","Principal":"*"}`), nobody},

		// "Individual elements must not contain multiple instances of the same key":
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
		{"an element that stands twice makes no sense", arn, `{"Statement":[{"Effect":"Allow","Principal":"*","Effect":"Deny"}]}`, senseless},
		{"statements that stand twice make no sense", arn, `{"Statement":[{"Effect":"Allow","Principal":"*"}],"Statement":` + root + `}`, senseless},
		{"principals that stand twice make no sense", arn, allow(`{"AWS":"*","AWS":"111122223333"}`), senseless},
		{"an element in other letters makes no sense", arn, `{"Statement":[{"Effect":"Allow","Principal":"*","effect":"Deny"}]}`, senseless},
		{"statements in other letters make no sense", arn, `{"Statement":` + root + `,"statement":{"Effect":"Allow","Principal":"*"}}`, senseless},
		{"a principal in other letters makes no sense", arn, `{"Statement":{"Effect":"Allow","principal":"*"}}`, senseless},
		{"a principal that is null makes no sense", arn, allow(`null`), senseless},
		{"a principal without a name makes no sense", arn, allow(`{"AWS":["111122223333",""]}`), senseless},
		{"a name that is null makes no sense", arn, allow(`{"AWS":null}`), senseless},
		{"a document larger than any makes no sense", arn, delegating + strings.Repeat(" ", 1<<20), senseless},
		{"half a document makes no sense", arn, delegating[:len(delegating)-1], senseless},
		{"no JSON makes no sense", arn, "allow all", senseless},
		{"what follows the document makes no sense", arn, delegating + "{}", senseless},
		{"a bracket after the document makes no sense", arn, delegating + "]", senseless},
		{"a list makes no sense", arn, "[" + delegating + "]", senseless},
		{"null makes no sense", arn, "null", senseless},
		{"a document without statements makes no sense", arn, `{"Version":"2012-10-17"}`, senseless},
		{"an empty list of statements makes no sense", arn, statements(), senseless},
		{"a statement that is text makes no sense", arn, statements(`"Allow"`), senseless},
		{"a statement without an effect makes no sense", arn, statements(`{"Principal":{"AWS":"111122223333"}}`), senseless},
		{"an effect that nobody knows makes no sense", arn, statements(`{"Effect":"Maybe","Principal":{"AWS":"111122223333"}}`), senseless},
		{"no principal makes no sense", arn, statements(`{"Effect":"Allow","Action":"kms:*"}`), senseless},
		{"an empty principal makes no sense", arn, allow(`{}`), senseless},
		{"an empty list of principals makes no sense", arn, allow(`{"AWS":[]}`), senseless},
		{"a principal that is a number makes no sense", arn, allow(`7`), senseless},
		{"a principal that is a list makes no sense", arn, allow(`["*"]`), senseless},
		{"principals that are numbers make no sense", arn, allow(`{"AWS":[111122223333]}`), senseless},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := quietKey(withPolicy(tt.doc))
			f.ARN = tt.arn
			hs := usage.Holds(f, usage.Classify(f, usage.Policy{}))
			if len(hs) != 1 {
				t.Fatalf("holds %v, want one", hs)
			}
			h, want := hs[0], usage.Hold{Code: usage.PolicyNames, Kind: usage.Clearable, Text: "its key policy names " + tt.names}
			switch tt.names {
			case nobody:
				want = usage.Hold{Code: usage.PolicyDelegate, Kind: usage.Advice, Text: h.Text}
			case senseless:
				want = usage.Hold{Code: usage.PolicyNames, Kind: usage.Block, Text: h.Text}
			}
			if h.Code != want.Code || h.Kind != want.Kind || h.Text != want.Text {
				t.Errorf("hold %v, want %v", h, want)
			}
		})
	}
}

func TestHoldsOfAnAccountThatIsNotKnown(t *testing.T) {
	f := quietKey(withPolicy(`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam:::root"}}]}`))
	f.ARN = ""
	if got := holdsOf(usage.Holds(f, usage.Classify(f, usage.Policy{}))); !slices.Equal(got, []string{"clearable policy-names"}) {
		t.Errorf("holds %v: the root of no account is nobody's", got)
	}
}

// What DescribeKey must say of who manages the key: only CUSTOMER lets it go.
func TestHoldsAManagerThatNobodyKnows(t *testing.T) {
	for _, manager := range []types.KeyManagerType{"", "PARTNER", "customer"} {
		f := quietKey(func(f *usage.Finding) { f.Metadata.Manager = manager })
		hs := usage.Holds(f, usage.Classify(f, usage.Policy{}))
		if len(hs) == 0 || hs[0].Kind != usage.Block {
			t.Errorf("manager %q: holds %v, want one that blocks", manager, hs)
		}
	}
}

func TestHoldKindNames(t *testing.T) {
	want := map[usage.HoldKind]string{usage.Block: "block", usage.Clearable: "clearable", usage.Advice: "advice"}
	for k, name := range want {
		b, err := json.Marshal(k)
		if err != nil || string(b) != `"`+name+`"` {
			t.Errorf("%v as JSON is %s, %v", k, b, err)
		}
		back := usage.HoldKind(99)
		if err := json.Unmarshal(b, &back); err != nil || back != k {
			t.Errorf("%s reads as %v, %v", b, back, err)
		}
	}
	var zero usage.HoldKind
	if zero != usage.Block {
		t.Errorf("the zero kind is %v", zero)
	}
	for _, name := range []string{"", "Advice", "hint", "advice ", "2"} {
		k := usage.Advice
		if err := k.UnmarshalText([]byte(name)); err != nil || k != usage.Block {
			t.Errorf("kind %q reads as %v, %v; want block and no error", name, k, err)
		}
	}
	for _, k := range []usage.HoldKind{-1, 3, 1000} {
		if k.String() != "block" {
			t.Errorf("HoldKind(%d) is called %q", int(k), k)
		}
	}
	hs := []usage.Hold{{Code: usage.Granted, Kind: usage.Clearable, Text: "t", Clear: "c"}}
	b, err := json.Marshal(hs)
	if err != nil || string(b) != `[{"code":"granted","kind":"clearable","text":"t","clear":"c"}]` {
		t.Errorf("holds as JSON: %s, %v", b, err)
	}
	var back []usage.Hold
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, hs) {
		t.Errorf("holds read back as %v, %v", back, err)
	}
}
