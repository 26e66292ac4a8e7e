package usage_test

import (
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

// alike compares plain data: whatever errors it holds are the very same.
func alike(a, b any) bool { return reflect.DeepEqual(a, b) }

func judge(f usage.Finding) usage.Assessment {
	return usage.Assess([]usage.Finding{f}, usage.Policy{})[0]
}

func TestAssessKeepsTheOrderAndTheFindings(t *testing.T) {
	findings := []usage.Finding{member(inSydney), quietKey(), {}, member(atHome)}
	got := usage.Assess(findings, usage.Policy{})
	if len(got) != len(findings) {
		t.Fatalf("%d assessments of %d findings", len(got), len(findings))
	}
	for i, a := range got {
		if !alike(a.Finding, findings[i]) {
			t.Errorf("assessment %d is of %q, want %q", i, a.Finding.ARN, findings[i].ARN)
		}
		if want := usage.Classify(findings[i], usage.Policy{}); !alike(a.Verdict, want) {
			t.Errorf("%s: verdict %v, Classify says %v", a.Finding.ARN, a.Verdict, want)
		}
	}
	if none := usage.Assess(nil, usage.Policy{}); none == nil || len(none) != 0 {
		t.Errorf("assessments of nothing: %#v", none)
	}
}

func TestAssessByAnInvalidPolicyHoldsAll(t *testing.T) {
	for _, a := range usage.Assess([]usage.Finding{quietKey(), member(atHome)}, usage.Policy{Window: 1}) {
		if a.Retirable() || a.Verdict.Class != usage.Unknown {
			t.Errorf("%s is %v, retirable: %v", a.Finding.ARN, a.Verdict.Class, a.Retirable())
		}
	}
}

func TestAssessmentRetirable(t *testing.T) {
	alone := func(f *usage.Finding) { f.Metadata.MultiRegion.Replicas = []string{} }
	for _, tt := range []struct {
		name string
		a    usage.Assessment
		want bool
	}{
		{"idle", judge(quietKey()), true},
		{"unused", judge(quietKey(neverUsed)), true},
		{"unrecorded in an old tracking", judge(quietKey(noRecord)), true},
		{"a lone primary with its set", judge(member(atHome, alone)), true},
		{"advised", judge(quietKey(func(f *usage.Finding) { f.Aliases = []string{"alias/a"} }, withGap("ListResourceTags", usage.Denied))), true},

		{"active", judge(quietKey(lastUsed(ago(1)))), false},
		{"new", judge(quietKey(noRecord, bornAt(ago(1)))), false},
		{"unrecorded in a young tracking", judge(quietKey(noRecord, trackingSince(ago(50)))), false},
		{"unknown", judge(quietKey(unread(usage.Denied))), false},
		{"disabled", judge(quietKey(inState(types.KeyStateDisabled))), false},
		{"granted long ago", judge(quietKey(granted(ago(400)))), false},
		{"blocked", judge(quietKey(inState(types.KeyStateUpdating))), false},
		{"the zero assessment", usage.Assessment{}, false},
		{"a zero finding", judge(usage.Finding{}), false},
		{"no ARN", judge(quietKey(func(f *usage.Finding) {
			f.ARN = ""
			f.Policy = `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"1"}}]}`
		})), false},
		{"no ARN, nor holds", bare(quietKey(func(f *usage.Finding) { f.ARN = "" })), false},
		{"an alias's ARN", bare(quietKey(func(f *usage.Finding) { f.ARN = "arn:aws:kms:us-east-2:111122223333:alias/a" })), false},
		{"holds that were never made", unjudged(quietKey()), false},
		{"no verdict", usage.Assessment{Finding: quietKey(), Holds: []usage.Hold{}}, false},
		{"a hold of no kind", heldBy(usage.Hold{Code: "x"}), false},
		{"a hold of an unknown kind", heldBy(usage.Hold{Code: "x", Kind: 9}), false},
		{"a clearable hold", heldBy(usage.Hold{Code: "x", Kind: usage.Clearable}), false},
		{"advice", heldBy(usage.Hold{Code: "x", Kind: usage.Advice}), true},
		{"holds that were lost, a key in use", bare(quietKey(lastUsed(ago(1)))), false},
		{"holds that were lost, a blocked key", bare(quietKey(inState(types.KeyStateUnavailable))), false},
		{"another key's verdict", mixed(quietKey(lastUsed(ago(100))), quietKey()), false},
		{"a later reading's verdict", mixed(quietKey(lastUsed(ago(200.5)), func(f *usage.Finding) { f.LastUsage.ReadAt = readThen.Add(-1) }), quietKey(lastUsed(ago(200.5)))), false},
		{"a verdict of another class, of as many days", mixed(quietKey(), quietKey(neverUsed)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Retirable(); got != tt.want {
				t.Errorf("retirable: %v, want %v\nclass %v, holds %v", got, tt.want, tt.a.Verdict.Class, tt.a.Holds)
			}
		})
	}
}

// bare is an assessment that lost its holds, but for an empty list.
func bare(f usage.Finding) usage.Assessment {
	return usage.Assessment{Finding: f, Verdict: usage.Classify(f, usage.Policy{}), Holds: []usage.Hold{}}
}

// unjudged is a finding with a verdict that nobody asked the rules about.
func unjudged(f usage.Finding) usage.Assessment {
	a := bare(f)
	a.Holds = nil
	return a
}

func heldBy(h usage.Hold) usage.Assessment {
	a := judge(quietKey())
	a.Holds = append(slices.Clone(a.Holds), h)
	return a
}

// mixed has the evidence of one key and the verdict on another.
func mixed(f, of usage.Finding) usage.Assessment {
	return usage.Assessment{Finding: f, Verdict: usage.Classify(of, usage.Policy{}), Holds: []usage.Hold{}}
}

// The window of a policy need not be whole days, and a verdict as of an earlier
// time is as good as any.
func TestAssessmentRetirableByAnyPolicy(t *testing.T) {
	for _, p := range []usage.Policy{
		{},
		{Window: days(1)},
		{Window: days(30) + 1},
		{Window: days(199)},
		{AsOf: ago(50)},
		{AsOf: ago(109), Window: days(90)},
		{AsOf: upTo.Add(days(400))},
	} {
		if a := usage.Assess([]usage.Finding{quietKey()}, p)[0]; !a.Retirable() {
			t.Errorf("by %+v: %v, held by %v", p, a.Verdict, a.Holds)
		}
	}
	for _, p := range []usage.Policy{{Window: days(200)}, {Window: days(36525)}, {AsOf: ago(110)}, {Window: -1}} {
		if a := usage.Assess([]usage.Finding{quietKey()}, p)[0]; a.Retirable() {
			t.Errorf("by %+v: retirable, %v", p, a.Verdict)
		}
	}
}

// events is a sequence of findings and errors, with a note of how far it was
// asked for.
func events(asked *int, all ...any) iter.Seq2[usage.Finding, error] {
	return func(yield func(usage.Finding, error) bool) {
		for i, e := range all {
			*asked = i + 1
			f, _ := e.(usage.Finding)
			err, _ := e.(error)
			if !yield(f, err) {
				return
			}
		}
	}
}

func TestAssessSeqPassesOnAtOnceWhatNeedsNoSet(t *testing.T) {
	asked, boom := 0, errors.New("boom")
	other := quietKey(func(f *usage.Finding) { f.ARN = strings.Replace(f.ARN, "us-east-2", "us-west-2", 1) })
	type step struct {
		arn   string
		err   error
		asked int
	}
	var got []step
	for a, err := range usage.AssessSeq(events(&asked, member(atHome), quietKey(), boom, member(inIreland), other, member(inSydney)), usage.Policy{}) {
		got = append(got, step{a.Finding.ARN, err, asked})
		if err == nil && !a.Retirable() {
			t.Errorf("%s is held by %v", a.Finding.ARN, a.Holds)
		}
	}
	want := []step{{oneARN, nil, 2}, {"", boom, 3}, {other.ARN, nil, 5}, {atHome, nil, 6}, {inIreland, nil, 6}, {inSydney, nil, 6}}
	if !alike(got, want) {
		t.Errorf("steps\n%v, want\n%v", got, want)
	}
}

func TestAssessSeqHoldsTheSetThatAnErrorLeftIncomplete(t *testing.T) {
	asked := 0
	for a, err := range usage.AssessSeq(events(&asked, member(atHome), errors.New("Sydney is down"), member(inIreland)), usage.Policy{}) {
		if err == nil && a.Retirable() {
			t.Errorf("%s is retirable", a.Finding.ARN)
		}
	}
}

func TestAssessSeqStopsWhereverItsReaderDoes(t *testing.T) {
	all := []any{quietKey(), errors.New("boom"), member(atHome), member(inIreland)}
	for stop := 1; stop <= 4; stop++ {
		asked, seen := 0, 0
		usage.AssessSeq(events(&asked, all...), usage.Policy{})(func(usage.Assessment, error) bool {
			seen++
			return seen < stop
		})
		// Members wait for the end, when all has been asked for.
		if want := map[int]int{1: 1, 2: 2, 3: 4, 4: 4}[stop]; seen != stop || asked != want {
			t.Errorf("stopped at %d: %d seen, %d asked for", stop, seen, asked)
		}
	}
}

func TestAssessSeqAsksForNothingByAnInvalidPolicy(t *testing.T) {
	asked, errs := 0, 0
	for a, err := range usage.AssessSeq(events(&asked, quietKey()), usage.Policy{Window: -1}) {
		if errs++; !errors.Is(err, usage.ErrInvalidOption) || !alike(a, usage.Assessment{}) {
			t.Errorf("yields %v, %v", a, err)
		}
	}
	if asked != 0 || errs != 1 {
		t.Errorf("%d asked for, %d yielded; want none and one", asked, errs)
	}
}

func TestAssessmentJSONIsFlat(t *testing.T) {
	b, err := json.MarshalIndent(judge(quietKey(func(f *usage.Finding) {
		f.Aliases, f.Rotations, f.Gaps = []string{"alias/app"}, nil, []usage.Gap{{Op: "ListKeyRotations", Reason: usage.Denied, Err: errors.New("denied")}}
		f.Tags = map[string]string{"team": "blue"}
	})), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "arn": "arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
  "class": "Idle",
  "retirable": true,
  "holds": [
    {
      "code": "not-read",
      "kind": "advice",
      "text": "TEXT",
      "clear": "TEXT"
    },
    {
      "code": "policy-delegate",
      "kind": "advice",
      "text": "TEXT",
      "clear": "TEXT"
    },
    {
      "code": "alias",
      "kind": "advice",
      "text": "TEXT",
      "clear": "TEXT"
    }
  ],
  "finding": {
    "arn": "arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "lastUsage": {
      "readAt": "2026-12-01T13:00:00Z",
      "use": {
        "at": "2026-05-15T12:00:00Z",
        "operation": "Decrypt"
      },
      "trackingStart": "2026-04-23T00:00:00Z",
      "created": "2024-03-29T00:00:00Z"
    },
    "metadata": {
      "created": "2024-03-29T00:00:00Z",
      "manager": "CUSTOMER",
      "state": "Enabled",
      "spec": "SYMMETRIC_DEFAULT",
      "usage": "ENCRYPT_DECRYPT",
      "origin": "AWS_KMS"
    },
    "aliases": [
      "alias/app"
    ],
    "grants": [],
    "policy": POLICY,
    "tags": {
      "team": "blue"
    },
    "rotations": null,
    "gaps": [
      {
        "op": "ListKeyRotations",
        "reason": "denied"
      }
    ]
  },
  "verdict": {
    "class": "Idle",
    "trailingDays": 200,
    "since": "last-use",
    "until": "2026-12-01T12:00:00Z",
    "windowDays": 90,
    "lastUse": {
      "at": "2026-05-15T12:00:00Z",
      "operation": "Decrypt"
    },
    "reasons": [
      {
        "code": "recorded-use",
        "text": "TEXT",
        "at": "2026-05-15T12:00:00Z"
      },
      {
        "code": "silence",
        "text": "TEXT"
      }
    ],
    "changes": [
      {
        "code": "used",
        "text": "TEXT"
      }
    ]
  }
}`
	got := regexp.MustCompile(`("text"|"clear"): "[^"]+"`).ReplaceAllString(string(b), `$1: "TEXT"`)
	if want := strings.Replace(want, "POLICY", strconv.Quote(delegating), 1); got != want {
		t.Errorf("JSON is\n%s\nwant\n%s", got, want)
	}
}

// Holds stand in the JSON always, null if the key was not judged.
func TestAssessmentJSONOfTheZeroValue(t *testing.T) {
	b, err := json.Marshal(usage.Assessment{})
	if err != nil || !strings.HasPrefix(string(b), `{"arn":"","class":"Unknown","retirable":false,"holds":null,"finding":{`) {
		t.Errorf("the zero value is %s, %v", b, err)
	}
}

// retirable are assessments of many kinds that may be retired.
func retirable(t *testing.T) map[string]usage.Assessment {
	t.Helper()
	completely := recorded(usage.Record{
		Source: "trail", Coverage: covering(ago(300), trackedFrom).Coverage,
		First: &usage.Event{At: ago(400), Operation: "Encrypt"}, Last: &usage.Event{At: ago(300), Operation: "Decrypt"},
	})
	kinds := map[string]usage.Assessment{
		"idle":                                  judge(quietKey(func(f *usage.Finding) { f.LastUsage.Use.EventID, f.LastUsage.Use.RequestID = "e", "r" })),
		"unused":                                judge(quietKey(neverUsed)),
		"unused by history":                     judge(quietKey(noRecord, recorded(covering(longAgo, trackedFrom)))),
		"unused by history in a young tracking": judge(quietKey(noRecord, trackingSince(ago(50)), recorded(covering(longAgo, ago(50))))),
		"idle by history":                       judge(quietKey(noRecord, completely)),
		"unrecorded":                            judge(quietKey(noRecord)),
		"with all that is to be known": judge(quietKey(
			func(f *usage.Finding) {
				f.Aliases, f.Tags = []string{"alias/a"}, map[string]string{"k": "v"}
				f.Rotations = []usage.Rotation{{At: ago(500), Type: types.RotationTypeAutomatic}}
				f.Metadata.Description, f.Metadata.CustomKeyStoreID = "secrets of 2024", "cks-1"
			},
			withGap("ListAliases", usage.Throttled), ofKind(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify))),
		"unused and named by its policy": judge(quietKey(neverUsed, withPolicy(allow(namesRole)))),
		"unused by history, asymmetric":  judge(quietKey(neverUsed, ofKind(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt), recorded(covering(ago(200), readThen)))),
		"as of an earlier time":          usage.Assess([]usage.Finding{quietKey(noRecord)}, usage.Policy{AsOf: ago(50), Window: days(30)})[0],
	}
	for _, a := range usage.Assess([]usage.Finding{member(atHome), member(inIreland), member(inSydney)}, usage.Policy{}) {
		kinds["member in "+a.Finding.Region()] = a
	}
	for name, a := range kinds {
		if !a.Retirable() {
			t.Fatalf("%s: held by %v", name, a.Holds)
		}
	}
	return kinds
}

func TestAssessmentRoundTrip(t *testing.T) {
	all := retirable(t)
	all["held by much"] = judge(quietKey(lastUsed(ago(1)), granted(ago(1), ago(300)), inState("Hibernating")))
	all["unknown"] = judge(quietKey(unread(usage.Denied)))
	all["zero finding"] = judge(usage.Finding{})
	all["zero"] = usage.Assessment{}
	for name, a := range all {
		t.Run(name, func(t *testing.T) {
			b, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			var back usage.Assessment
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			if !alike(back, a) {
				t.Errorf("reads back as\n%+v, was\n%+v", back, a)
			}
			if back.Retirable() != a.Retirable() {
				t.Errorf("retirable: %v, was %v", back.Retirable(), a.Retirable())
			}
		})
	}
}

// unaffecting are the members of an assessment's JSON without which it is as
// retirable as before: nothing is decided by them, or not any more. "[]" stands
// for any element of a list.
var unaffecting = []string{
	// Derived from the rest, for readers.
	"arn", "class", "retirable",
	// Texts and names, for readers.
	"holds[].code", "holds[].text", "holds[].clear",
	"verdict.since", "verdict.lastUse", "verdict.lastUse.*", "verdict.reasons", "verdict.reasons[].*", "verdict.changes", "verdict.changes[].*",
	"finding.metadata.description", "finding.metadata.customKeyStoreId",
	"finding.lastUsage.use.operation", "finding.lastUsage.use.eventId", "finding.lastUsage.use.requestId",
	"finding.history[].source", "finding.history[].first.operation", "finding.history[].last.operation",
	// Advice alone comes of them.
	"finding.aliases", "finding.tags", "finding.tags.*", "finding.rotations", "finding.rotations[].*",
	"finding.gaps", "finding.gaps[].reason",
	// The kind of key decides what may be cleared; that was judged when the holds
	// were made, and less of it holds more.
	"finding.metadata.spec", "finding.metadata.usage", "finding.metadata.origin",
}

func TestAssessmentJSONThatLacksAMemberIsNotRetirable(t *testing.T) {
	used := map[string]bool{}
	for name, a := range retirable(t) {
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		lacking(t, b, func(path string, rest []byte) {
			pattern := regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "[]")
			var back usage.Assessment
			if err := json.Unmarshal(rest, &back); err != nil || !back.Retirable() {
				return
			}
			i := slices.IndexFunc(unaffecting, func(u string) bool {
				prefix, wild := strings.CutSuffix(u, "*")
				return u == pattern || wild && strings.HasPrefix(pattern, prefix)
			})
			if i < 0 {
				t.Errorf("%s: retirable without %s", name, path)
				return
			}
			used[unaffecting[i]] = true
		})
	}
	for _, u := range unaffecting {
		if !used[u] {
			t.Errorf("nothing is retirable without %s: take it off the list", u)
		}
	}
}

// Nor is one retirable of which any stretch is missing at the end.
func TestAssessmentJSONThatIsCutShortIsNotRetirable(t *testing.T) {
	b, err := json.Marshal(judge(quietKey()))
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		var a usage.Assessment
		if err := json.Unmarshal(b[:n], &a); err == nil || a.Retirable() {
			t.Fatalf("%s: error %v, retirable: %v", b[:n], err, a.Retirable())
		}
	}
	for _, s := range []string{`{}`, `null`, `{"holds":[]}`, `{"class":"Idle","retirable":true,"holds":[]}`} {
		var a usage.Assessment
		if err := json.Unmarshal([]byte(s), &a); err != nil || a.Retirable() {
			t.Errorf("%s: error %v, retirable: %v", s, err, a.Retirable())
		}
	}
}

func TestAssessmentJSONWithAnUnknownClassOrKind(t *testing.T) {
	b, err := json.Marshal(judge(quietKey()))
	if err != nil {
		t.Fatal(err)
	}
	for old, changed := range map[string]string{
		`"verdict":{"class":"Idle"`: `"verdict":{"class":"Dormant"`,
		`"kind":"advice"`:           `"kind":"hint"`,
	} {
		text := strings.Replace(string(b), old, changed, 1)
		var a usage.Assessment
		if err := json.Unmarshal([]byte(text), &a); err != nil || text == string(b) || a.Retirable() {
			t.Errorf("%s: error %v, retirable: %v", changed, err, a.Retirable())
		}
	}
}

// lacking calls back with a document once for each of its members, at every
// depth, that member left out.
func lacking(t *testing.T, doc []byte, with func(path string, rest []byte)) {
	t.Helper()
	var root any
	if err := json.Unmarshal(doc, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, at any)
	walk = func(path string, at any) {
		switch v := at.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				value := v[name]
				member := strings.TrimPrefix(path+"."+name, ".")
				delete(v, name)
				rest, err := json.Marshal(root)
				if err != nil {
					t.Fatal(err)
				}
				with(member, rest)
				v[name] = value
				walk(member, value)
			}
		case []any:
			for i, value := range v {
				walk(path+"["+strconv.Itoa(i)+"]", value)
			}
		}
	}
	walk("", root)
}

// A variable that is decoded into again and again keeps nothing of the key before:
// neither its evidence nor what only it had.
func TestFindingsDecodedIntoOneVariableShareNothing(t *testing.T) {
	inUse := quietKey(lastUsed(ago(2)), func(f *usage.Finding) {
		f.Tags["team"], f.Aliases = "blue", []string{"alias/a", "alias/b"}
	}, recorded(saw(covering(longAgo, trackedFrom), ago(300))), withGap("ListResourceTags", usage.Denied))
	want := []usage.Finding{inUse, quietKey(), {}, member(atHome), quietKey(func(f *usage.Finding) { f.Metadata = nil })}
	var text strings.Builder
	for _, f := range want {
		if err := json.NewEncoder(&text).Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	var f usage.Finding
	var got []usage.Finding
	for d := json.NewDecoder(strings.NewReader(text.String())); d.More(); got = append(got, f) {
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
	}
	if !alike(got, want) {
		t.Errorf("decoded\n%+v, want\n%+v", got, want)
	}
}
