package usage_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

// The properties below hold of random fleets, the same ones at every run. More
// of them, and a single one that failed:
//
//	USAGE_FLEETS=1000000 go test -run TestFleets -timeout 0 -v .
//	USAGE_FLEET=4711 go test -run TestFleets -v .
const fewFleets = 6000

// trial is one fleet's part of a test: what fails is said with its number.
type trial struct {
	*testing.T
	fleet uint64
}

func (t trial) Fatalf(format string, args ...any) {
	t.Helper()
	t.T.Fatalf("fleet %d: "+format, append([]any{t.fleet}, args...)...)
}

// trials runs check on n fleets, or as many as the environment asks for.
func trials(t *testing.T, n int, check func(trial, dice)) {
	t.Helper()
	first := uint64(0)
	if s := os.Getenv("USAGE_FLEET"); s != "" {
		var err error
		if first, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("USAGE_FLEET: %v", err)
		}
		n = 1
	} else if s := os.Getenv("USAGE_FLEETS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("USAGE_FLEETS: %v", err)
		}
	}
	for i := range uint64(n) {
		check(trial{t, first + i}, dice{rand.New(rand.NewPCG(20260423, first+i))})
	}
}

// A fleet is what an inspection of an account found, and a policy to judge it by.
type fleet struct {
	findings []usage.Finding
	policy   usage.Policy
}

func (fl fleet) assess() []usage.Assessment { return usage.Assess(fl.findings, fl.policy) }

// replace returns the fleet with one finding changed.
func (fl fleet) replace(i int, f usage.Finding) fleet {
	fl.findings = slices.Clone(fl.findings)
	fl.findings[i] = f
	return fl
}

func (fl fleet) plus(f usage.Finding) fleet {
	fl.findings = append(slices.Clone(fl.findings), f)
	return fl
}

func TestFleets(t *testing.T) {
	seen := census{}
	trials(t, fewFleets, func(t trial, d dice) {
		fl := d.fleet()
		judged := fl.assess()
		seen.count(fl, judged)

		neverUnsafe(t, fl, judged)
		pure(t, d, fl, judged)
		noSilenceAfterTheReading(t, fl, judged)
		sameInAnyOrder(t, fl, judged)
		sameAsStreamed(t, fl, judged)
		nothingLostMakesRetirable(t, d, fl, judged)
		moreEvidenceHolds(t, d, fl, judged)
		seeingAMemberClearsThatAlone(t, d, fl, judged)
	})
	seen.report(t)
}

// Unsafe is worse than anything: an oracle written from the design's words
// forbids most keys, and none of them may be retirable.
func neverUnsafe(t trial, fl fleet, judged []usage.Assessment) {
	for _, a := range judged {
		if why := forbidden(a.Finding, fl); why != "" && a.Retirable() {
			t.Fatalf("retirable, although %s:\n%s", why, show(a))
		}
	}
}

func pure(t trial, d dice, fl fleet, judged []usage.Assessment) {
	if !d.chance(2) {
		return // JSON takes its time
	}
	before := show(fl.findings)
	if again := fl.assess(); !alike(again, judged) {
		t.Fatalf("judged again: %s\nwas %s", show(again), show(judged))
	}
	for _, a := range judged {
		usage.Holds(a.Finding, a.Verdict)
		a.Retirable()
	}
	usage.Sets(fl.findings)
	if after := show(fl.findings); after != before {
		t.Fatalf("judging changed the findings to %s\nfrom %s", after, before)
	}
}

func noSilenceAfterTheReading(t trial, fl fleet, judged []usage.Assessment) {
	if !fl.policy.AsOf.IsZero() {
		return
	}
	fl.policy.AsOf = readThen.Add(days(1000))
	for k, later := range fl.assess() {
		v, was := later.Verdict, judged[k].Verdict
		if v.Class != was.Class || v.TrailingDays != was.TrailingDays || !v.Until.Equal(was.Until) || ladder(later) > ladder(judged[k]) {
			t.Fatalf("as of %v: %s\nwas %s", fl.policy.AsOf, show(later), show(judged[k]))
		}
	}
}

func sameInAnyOrder(t trial, fl fleet, judged []usage.Assessment) {
	fl.findings = slices.Clone(fl.findings)
	slices.Reverse(fl.findings)
	backward := fl.assess()
	slices.Reverse(backward)
	if !alike(backward, judged) {
		t.Fatalf("backward: %s\nforward: %s", show(backward), show(judged))
	}
}

func sameAsStreamed(t trial, fl fleet, judged []usage.Assessment) {
	want := map[string]usage.Assessment{}
	for _, a := range judged {
		want[a.Finding.ARN] = a
	}
	if len(want) < len(judged) || fl.policy.Validate() != nil {
		return // AssessSeq expects each key once, and a policy that can be meant
	}
	for a, err := range usage.AssessSeq(each(fl.findings), fl.policy) {
		if at, ok := want[a.Finding.ARN]; err != nil || !ok || !alike(a, at) {
			t.Fatalf("error %v, streamed: %s\nat once: %s", err, show(a), show(at))
		}
		delete(want, a.Finding.ARN)
	}
	if len(want) > 0 {
		t.Fatalf("not streamed: %s", show(want))
	}
}

func each(findings []usage.Finding) func(func(usage.Finding, error) bool) {
	return func(yield func(usage.Finding, error) bool) {
		for _, f := range findings {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// moreEvidenceHolds: what speaks for a key never makes it, or any other, more
// retirable.
func moreEvidenceHolds(t trial, d dice, fl fleet, judged []usage.Assessment) {
	if len(fl.findings) == 0 {
		return
	}
	i := d.n(len(fl.findings))
	changed, what := d.moreEvidence(fl, i)
	if what == "" {
		return
	}
	after := changed.assess()
	for k, a := range judged {
		if ladder(after[k]) > ladder(a) {
			t.Fatalf("%s of %s made a key more retirable:\n%s\nit was\n%s\nthe evidence is now\n%s",
				what, fl.findings[i].ARN, show(after[k]), show(a), show(changed.findings[i]))
		}
	}
	neverUnsafe(t, changed, after)
}

// ladder is how near a key is to being retired: held, to be cleared, free.
func ladder(a usage.Assessment) int {
	switch {
	case a.Retirable():
		return 2
	case a.Finding.Account() == "", slices.ContainsFunc(a.Holds, func(h usage.Hold) bool { return h.Kind == usage.Block }):
		return 0
	default:
		return 1
	}
}

// seeingAMemberClearsThatAlone: of a member that was not seen, the finding clears
// the hold that says so and no other.
func seeingAMemberClearsThatAlone(t trial, d dice, fl fleet, judged []usage.Assessment) {
	var set usage.Set
	var unseen []string
	for _, s := range usage.Sets(fl.findings) {
		for _, arn := range s.Unseen {
			if !slices.ContainsFunc(fl.findings, func(f usage.Finding) bool { return f.ARN == arn }) && strings.Contains(arn, "mrk-") {
				set, unseen = s, append(unseen, arn)
			}
		}
	}
	if len(unseen) == 0 {
		return
	}
	arn := unseen[len(unseen)-1]
	f := d.key(arn, fl.policy)
	if f.Metadata != nil {
		f.Metadata.MultiRegion = placeIn(arn, set.Primary, set.Members)
	}
	after := fl.plus(f).assess()
	for k, a := range judged {
		for code, n := range codes(a.Holds) {
			if code != usage.MemberUnseen && codes(after[k].Holds)[code] < n {
				t.Fatalf("seeing %s cleared %q:\n%s\nit was\n%s", arn, code, show(after[k]), show(a))
			}
		}
	}
	neverUnsafe(t, fl.plus(f), after)
}

// codes counts the holds that are more than advice.
func codes(hs []usage.Hold) map[usage.HoldCode]int {
	n := map[usage.HoldCode]int{}
	for _, h := range hs {
		if h.Kind != usage.Advice {
			n[h.Code]++
		}
	}
	return n
}

// bearable are the members of a finding's JSON that encoding/json leaves out when
// they are empty: that one was lost cannot be told.
var bearable = []string{
	"history", "history[].refusals", "history[].publicKey", "history[].dependents", "gaps",
	"history[].operations", "history[].operations.Decrypt", "history[].dropped", "history[].dropped.refusals",
	"arn", // without it the finding is of no key, and no twin of another
}

// nothingLostMakesRetirable: a finding that lost any member of its JSON makes no
// key more retirable.
func nothingLostMakesRetirable(t trial, d dice, fl fleet, judged []usage.Assessment) {
	if len(fl.findings) == 0 || !d.chance(7) {
		return
	}
	i := d.n(len(fl.findings))
	b, err := json.Marshal(fl.findings[i])
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	all := members("", root, nil)
	lost := all[d.n(len(all))]
	if slices.Contains(bearable, lost.pattern) {
		return
	}
	delete(lost.of, lost.name)
	if b, err = json.Marshal(root); err != nil {
		t.Fatal(err)
	}
	var f usage.Finding
	if err := json.Unmarshal(b, &f); err != nil {
		return
	}
	after := fl.replace(i, f).assess()
	for k, a := range judged {
		if ladder(after[k]) > ladder(a) {
			t.Fatalf("%s without %s made a key more retirable:\n%s\nit was\n%s\nthe evidence was\n%s",
				fl.findings[i].ARN, lost.pattern, show(after[k]), show(a), show(fl.findings[i]))
		}
	}
}

// place is a member of a JSON object.
type place struct {
	pattern string // its path, "[]" for an element of a list
	of      map[string]any
	name    string
}

func members(path string, at any, out []place) []place {
	switch v := at.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			pattern := strings.TrimPrefix(path+"."+name, ".")
			out = members(pattern, v[name], append(out, place{pattern, v, name}))
		}
	case []any:
		for _, e := range v {
			out = members(path+"[]", e, out)
		}
	}
	return out
}

// Nothing zero is retirable, alone or among others.
func TestFleetsOfNothing(t *testing.T) {
	for _, fl := range []fleet{
		{findings: []usage.Finding{{}}},
		{findings: []usage.Finding{{}, {}}},
		{findings: []usage.Finding{{ARN: oneARN}}},
		{findings: []usage.Finding{{ARN: oneARN, LastUsage: &usage.LastUsage{}, Metadata: &usage.Metadata{}, Grants: []usage.Grant{}}}},
	} {
		for _, a := range fl.assess() {
			if a.Retirable() {
				t.Errorf("retirable: %s", show(a))
			}
		}
	}
}

func show(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// ---- the oracle

// forbidden says why a key must not be retired, or nothing. It is written from
// the words of the design and of AWS's documentation and shares no code with the
// package, which may hold more.
func forbidden(f usage.Finding, fl fleet) string {
	part := strings.Split(f.ARN, ":")
	if len(part) != 6 || part[0] != "arn" || part[2] != "kms" || part[4] == "" || !strings.HasPrefix(part[5], "key/") {
		return "it has no key ARN"
	}
	var twins int
	for _, other := range fl.findings {
		if other.ARN == f.ARN {
			twins++
		}
	}
	if twins != 1 {
		return "it was found twice"
	}
	if why := forbiddenAlone(f, fl.policy); why != "" {
		return why
	}
	if m := f.Metadata.State; m != "Enabled" {
		return "it is in state " + string(m)
	}
	if isMember(f) {
		return forbiddenBySet(f, fl)
	}
	return ""
}

func isMember(f usage.Finding) bool {
	return strings.Contains(f.ARN, ":key/mrk-") || f.Metadata != nil && f.Metadata.MultiRegion != nil
}

// forbiddenAlone is what speaks against one key, but for its state, and may speak
// for the others of its set.
func forbiddenAlone(f usage.Finding, p usage.Policy) string {
	if why := notSilent(f, p); why != "" {
		return why
	}
	m := f.Metadata
	switch {
	case m == nil:
		return "its metadata were not read"
	case m.Manager != "CUSTOMER":
		return "it is not the customer's"
	case m.State == "Disabled":
		return "nobody could use it"
	case f.Grants == nil || len(f.Grants) > 0:
		return "there are grants, or they were not read"
	case f.Policy == "":
		return "its policy was not read"
	}
	for _, g := range f.Gaps {
		if g.Op != "ListAliases" && g.Op != "ListResourceTags" && g.Op != "ListKeyRotations" {
			return "there is a gap: " + g.Op
		}
	}
	for _, r := range f.History {
		if len(r.Refusals) > 0 || r.Dropped.Refusals > 0 {
			return "someone was refused"
		}
		if len(r.Dependents) > 0 {
			return "a resource needs it"
		}
	}
	untouched := neverUsedAtAll(f)
	switch names, ok := policyOf(f.Policy, strings.Split(f.ARN, ":")[4]); {
	case !ok:
		return "its policy makes no sense"
	case names && (!untouched || m.Spec != "SYMMETRIC_DEFAULT" || isMember(f)):
		return "its policy names someone, and there may be data under it"
	}
	if m.Spec != "SYMMETRIC_DEFAULT" && m.Usage != "SIGN_VERIFY" && m.Usage != "GENERATE_VERIFY_MAC" {
		if !untouched || isMember(f) || m.Origin != "AWS_KMS" || !unbroken(f, f.LastUsage.Created, f.LastUsage.ReadAt) {
			return "its public half may be in use"
		}
		for _, r := range f.History {
			if r.PublicKey != nil {
				return "its public half was handed out"
			}
		}
	}
	return ""
}

func forbiddenBySet(f usage.Finding, fl fleet) string {
	if f.Metadata.MultiRegion == nil {
		return "its place in its set was not read"
	}
	found := map[string][]usage.Finding{}
	for _, g := range fl.findings {
		found[g.ARN] = append(found[g.ARN], g)
	}
	id := f.ARN[strings.LastIndex(f.ARN, ":"):]
	named := map[string]bool{}
	for _, g := range fl.findings {
		if !strings.HasSuffix(g.ARN, id) || strings.Split(g.ARN, ":")[4] != strings.Split(f.ARN, ":")[4] {
			continue
		}
		named[g.ARN] = true
		if g.Metadata == nil || g.Metadata.MultiRegion == nil || g.Metadata.MultiRegion.Replicas == nil {
			return "a member was not read: " + g.ARN
		}
		mr := g.Metadata.MultiRegion
		if mr.Primary != f.Metadata.MultiRegion.Primary || mr.Primary == "" {
			return "members disagree on the primary"
		}
		if (mr.Role == "PRIMARY") != (mr.Primary == g.ARN) || (mr.Role == "REPLICA") != slices.Contains(mr.Replicas, g.ARN) {
			return "a member is not what it says it is: " + g.ARN
		}
		named[mr.Primary] = true
		for _, arn := range mr.Replicas {
			named[arn] = true
		}
	}
	for arn := range named {
		if len(found[arn]) != 1 || found[arn][0].LastUsage == nil {
			return "a member was not seen: " + arn
		}
	}
	primary := f.Metadata.MultiRegion.Primary
	if f.ARN != primary && found[primary][0].Metadata.State == "Enabled" {
		return "" // ReplicateKey brings it back
	}
	for arn := range named {
		if why := forbiddenAlone(found[arn][0], fl.policy); why != "" && arn != f.ARN {
			return "of another member, " + arn + ": " + why
		}
	}
	return ""
}

// notSilent says why a key is not known to have been silent for longer than the
// window, up to an hour before it was read.
func notSilent(f usage.Finding, p usage.Policy) string {
	window := 90
	if p.Window != 0 {
		window = int(p.Window.Hours() / 24)
	}
	if window < 1 || window > 36525 || p.Window < 0 {
		return "the policy cannot be meant"
	}
	u := f.LastUsage
	if u == nil || u.ReadAt.IsZero() || u.Created.IsZero() || u.TrackingStart.IsZero() {
		return "its last use was not read, or half"
	}
	if m := f.Metadata; m != nil && (m.Created.Sub(u.Created) >= time.Second || u.Created.Sub(m.Created) >= time.Second) {
		return "two dates of creation"
	}
	if u.Created.Year() < 2014 || u.TrackingStart.Year() < 2014 {
		return "older than KMS"
	}
	soon := u.ReadAt.Add(5 * time.Minute)
	if u.Created.After(soon) || u.TrackingStart.After(soon) {
		return "created or tracked in the future"
	}
	// known: nothing happened after it, as far as KMS and events tell.
	known := u.TrackingStart
	switch {
	case u.Use != nil:
		known = u.Use.At
		for _, r := range f.History { // the same use by another clock
			for _, e := range []*usage.Event{r.First, r.Last} {
				if e != nil && e.EventID != "" && e.EventID == u.Use.EventID && e.At.After(known) && e.At.Sub(u.Use.At) < time.Hour {
					known = e.At
				}
			}
		}
		if known.Unix() < u.Created.Unix() || known.Unix() < u.TrackingStart.Unix() || known.After(soon) {
			return "a use that cannot be"
		}
	case !u.Created.Before(u.TrackingStart):
		known = u.Created
	default:
		from := u.Created
		for _, at := range usesSeen(f) {
			if at.After(from) && at.Before(u.TrackingStart) {
				from = at
			}
		}
		if unbroken(f, from, u.TrackingStart) {
			known = from
		}
	}
	for _, at := range usesSeen(f) {
		switch {
		case at.Unix() < u.Created.Unix():
			return "used before it was created"
		case at.After(known), u.Use == nil && !at.Before(u.TrackingStart):
			return "an event shows a use that KMS does not"
		}
	}
	upTo := u.ReadAt.Add(-time.Hour)
	if !p.AsOf.IsZero() && p.AsOf.Before(upTo) {
		upTo = p.AsOf
	}
	if silence := upTo.Sub(known); silence < time.Duration(window+1)*24*time.Hour {
		return fmt.Sprintf("silent for %v", silence)
	}
	return ""
}

func usesSeen(f usage.Finding) []time.Time {
	var at []time.Time
	for _, r := range f.History {
		for _, e := range []*usage.Event{r.First, r.Last} {
			if e != nil {
				at = append(at, e.At) // a failed one says nothing that can be relied on
			}
		}
	}
	return at
}

func neverUsedAtAll(f usage.Finding) bool {
	u := f.LastUsage
	return u.Use == nil && len(usesSeen(f)) == 0 && (!u.Created.Before(u.TrackingStart) || unbroken(f, u.Created, u.TrackingStart))
}

// unbroken hops from stretch to stretch.
func unbroken(f usage.Finding, from, to time.Time) bool {
	part := strings.Split(f.ARN, ":")
	for from.Before(to) {
		if len(part) < 6 {
			return false
		}
		next := from
		for _, r := range f.History {
			for _, c := range r.Coverage {
				if c.Account == part[4] && c.Region == part[3] && c.BlindSpots != nil && len(c.BlindSpots) == 0 && !c.From.IsZero() && !c.From.After(from) && c.To.After(next) {
					next = c.To
				}
			}
		}
		if next.Equal(from) {
			return false
		}
		from = next
	}
	return true
}

// policyOf tells whether a key policy lets anyone but the account's root in.
func policyOf(doc, account string) (names, ok bool) {
	var p struct{ Statement any }
	if json.Unmarshal([]byte(doc), &p) != nil || p.Statement == nil {
		return false, false
	}
	list, isList := p.Statement.([]any)
	if !isList {
		list = []any{p.Statement}
	}
	for _, s := range list {
		m, isMap := s.(map[string]any)
		if !isMap || m["Effect"] != "Allow" && m["Effect"] != "Deny" {
			return false, false
		}
		if m["Effect"] == "Deny" {
			continue
		}
		principal, _ := m["Principal"].(map[string]any)
		aws, isMany := principal["AWS"].([]any)
		if !isMany {
			aws = []any{principal["AWS"]}
		}
		stranger := func(who any) bool {
			return who != account && who != "arn:aws:iam::"+account+":root" && who != "arn:aws-cn:iam::"+account+":root"
		}
		if len(principal) != 1 || len(aws) == 0 || slices.ContainsFunc(aws, stranger) || m["Condition"] != nil || m["NotPrincipal"] != nil {
			names = true
		}
	}
	return names, len(list) > 0
}

// ---- the generators

// dice draws evidence. Low numbers are the usual case.
type dice struct{ r *rand.Rand }

// n draws from 0 to n-1, each as often.
func (d dice) n(n int) int { return d.r.IntN(n) }

// chance is so many in 20.
func (d dice) chance(of20 int) bool { return d.n(20) >= 20-of20 }

func oneOf[T any](d dice, of ...T) T { return of[d.n(len(of))] }

func (d dice) policy() usage.Policy {
	p := usage.Policy{Window: oneOf(d, 0, days(90), days(30), days(1), days(120), days(45)+time.Hour, days(400))}
	if d.chance(1) && d.chance(8) {
		p.Window = oneOf(d, -days(1), time.Hour, days(40000))
	}
	switch d.n(10) {
	case 8:
		p.AsOf = ago(float64(d.n(300)))
	case 9:
		p.AsOf = upTo.Add(days(d.n(300)))
	}
	return p
}

// windowDays of a policy, 90 if it has none that makes sense.
func windowDays(p usage.Policy) int {
	if n := int(p.Window / wholeDay); n > 0 {
		return n
	}
	return 90
}

// age is how long before the reading something was: around the window, where
// rules turn, or anywhere.
func (d dice) age(p usage.Policy) time.Duration {
	w := windowDays(p)
	switch d.n(8) {
	case 0, 1:
		return days(w+30) + time.Duration(d.n(500))*time.Hour
	case 2:
		return days(w+1) + oneOf(d, 0, time.Nanosecond, -time.Nanosecond, time.Hour, -time.Hour)
	case 3:
		return days(w) + oneOf(d, 0, time.Nanosecond, -time.Nanosecond, time.Hour)
	case 4:
		return time.Duration(d.n(w*24)) * time.Hour
	case 5:
		return time.Duration(d.n(180)-60) * time.Minute // the lag, and what lies after the reading
	default:
		return days(d.n(900))
	}
}

const fleetAccount = "111122223333"

var fleetRegions = []string{"us-east-1", "eu-west-1", "ap-southeast-2", "us-west-2"}

func (d dice) fleet() fleet {
	fl := fleet{policy: d.policy()}
	for i := range d.n(4) {
		arn := fmt.Sprintf("arn:aws:kms:%s:%s:key/k%d", oneOf(d, fleetRegions...), fleetAccount, i)
		if d.chance(1) {
			arn = oneOf(d, "", "arn:aws:kms:us-east-1:111122223333:alias/a", "k", "arn:aws-cn:kms:cn-north-1:111122223333:key/k9")
		}
		f := d.key(arn, fl.policy)
		if d.chance(1) {
			f = usage.Finding{ARN: arn}
		}
		if arn == "k" && f.Metadata != nil {
			f.Metadata.MultiRegion = &usage.MultiRegion{}
		}
		fl.findings = append(fl.findings, f)
	}
	for i := range d.n(3) {
		fl.findings = append(fl.findings, d.set(i, fl.policy)...)
	}
	if len(fl.findings) > 0 && d.chance(1) {
		twin := fl.findings[d.n(len(fl.findings))]
		fl.findings = append(fl.findings, oneOf(d, twin, d.key(twin.ARN, fl.policy)))
	}
	return fl
}

func (d dice) set(i int, p usage.Policy) []usage.Finding {
	var arns []string
	for _, r := range fleetRegions[:1+d.n(3)] {
		arns = append(arns, fmt.Sprintf("arn:aws:kms:%s:%s:key/mrk-%d", r, fleetAccount, i))
	}
	primary := arns[d.n(len(arns))]
	var out []usage.Finding
	for _, arn := range arns {
		f := d.key(arn, p)
		if m := f.Metadata; m != nil {
			m.MultiRegion = placeIn(arn, primary, arns)
			if d.chance(1) {
				switch mr := m.MultiRegion; d.n(6) {
				case 0:
					mr.Replicas = nil
				case 1:
					mr.Primary = arns[0]
				case 2:
					mr.Role = oneOf(d, "", types.MultiRegionKeyTypePrimary, types.MultiRegionKeyTypeReplica)
				case 3:
					m.MultiRegion = nil
				case 4:
					mr.Replicas = slices.Clone(mr.Replicas[:len(mr.Replicas)/2])
				case 5:
					m.MultiRegion = &usage.MultiRegion{}
				}
			}
		}
		if !d.chance(2) {
			out = append(out, f)
		}
	}
	return out
}

// placeIn is where a member stands in its set.
func placeIn(arn, primary string, arns []string) *usage.MultiRegion {
	mr := &usage.MultiRegion{Role: types.MultiRegionKeyTypeReplica, Primary: primary, Replicas: []string{}}
	if arn == primary {
		mr.Role = types.MultiRegionKeyTypePrimary
	}
	for _, a := range arns {
		if a != primary {
			mr.Replicas = append(mr.Replicas, a)
		}
	}
	slices.Sort(mr.Replicas)
	return mr
}

// key draws a key with its evidence, most of it whole and true.
func (d dice) key(arn string, p usage.Policy) usage.Finding {
	f := usage.Finding{ARN: arn, Aliases: []string{}, Grants: []usage.Grant{}, Policy: delegating, Tags: map[string]string{}, Rotations: []usage.Rotation{}}
	read := readThen.Add(-time.Duration(d.n(3)) * time.Minute)
	lag := read.Add(-time.Hour)
	created := lag.Add(-max(days(2)*time.Duration(d.n(2)), d.age(p)) - days(oneOf(d, 600, 0)))
	tracking := lag.Add(-d.age(p))
	if tracking.Before(created) {
		tracking = created
	}
	lu := &usage.LastUsage{ReadAt: read, Created: created, TrackingStart: tracking}
	if !d.chance(9) {
		at := lag.Add(-d.age(p))
		if at.Before(tracking) {
			at = tracking.Add(time.Duration(d.n(3)) * time.Hour)
		}
		lu.Use = &usage.Use{At: at, Operation: oneOf(d, types.KeyLastUsageTrackingOperationDecrypt, "Conjure")}
	}
	m := &usage.Metadata{
		Created: created, Manager: types.KeyManagerTypeCustomer, State: types.KeyStateEnabled,
		Spec: types.KeySpecSymmetricDefault, Usage: types.KeyUsageTypeEncryptDecrypt, Origin: types.OriginTypeAwsKms,
	}
	switch d.n(20) {
	case 12:
		m.Manager = types.KeyManagerTypeAws
		if f.Aliases = []string{"alias/aws/ebs"}; d.chance(14) {
			return usage.Finding{ARN: arn, Metadata: m, Aliases: f.Aliases} // not asked for more
		}
	case 13:
		m.Spec, m.Usage = types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac
	case 14:
		m.Spec, m.Usage = types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify
	case 15, 16:
		m.Spec = types.KeySpecRsa2048
	case 17:
		m.Spec, m.Usage = types.KeySpecEccNistP384, types.KeyUsageTypeKeyAgreement
	case 18:
		m.Spec, m.Usage = types.KeySpecMlKem768, types.KeyUsageTypeEncapsulateDecapsulate
	case 19:
		m.Spec, m.Usage, m.Manager = oneOf[types.KeySpec](d, "", "ROT13"), oneOf[types.KeyUsageType](d, "", "DREAM"), oneOf[types.KeyManagerType](d, "CUSTOMER", "")
	}
	switch d.n(20) {
	case 18:
		if m.Origin = oneOf(d, types.OriginTypeExternal, types.OriginTypeAwsCloudhsm, types.OriginTypeExternalKeyStore, ""); m.Origin != types.OriginTypeExternal {
			m.CustomKeyStoreID = "cks-1"
		}
	case 19:
		m.State = oneOf[types.KeyState](d, "PendingDeletion", "PendingReplicaDeletion", "Creating", "Updating", "Unavailable", "PendingImport", "Hibernating", "")
	case 16, 17:
		m.State = types.KeyStateDisabled
	}
	f.LastUsage, f.Metadata = lu, m
	if d.chance(6) {
		f.Aliases = append(f.Aliases, "alias/app")
	}
	if d.chance(3) {
		f.Policy = oneOf(d,
			allow(namesRole), allow(`"*"`), allow(`{"Service":"logs.us-east-1.amazonaws.com"}`), allow(`{"AWS":["111122223333","444455556666"]}`),
			allow(`{"AWS":["111122223333"]}`), `{`, `{"Statement":[]}`, allow(`{}`), `{"Statement":{"Effect":"Deny","Principal":"*"}}`,
			`{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"444455556666"}}]}`,
			`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}}]}`)
	}
	for range d.n(20) / 18 * (1 + d.n(2)) {
		f.Grants = append(f.Grants, usage.Grant{ID: "g", Created: oneOf(d, lag.Add(-d.age(p)), time.Time{}), Grantee: "arn:aws:iam::111122223333:role/app"})
	}
	if d.chance(7) {
		f.History = append(f.History, d.record(f, p))
	}
	if d.chance(1) {
		f.History = append(f.History, d.record(f, p))
	}
	if d.chance(3) {
		d.lose(&f)
	}
	if d.chance(1) {
		d.contradict(&f)
	}
	return f
}

// record draws what a source of events says of a key: the time before tracking,
// complete or not, and sometimes an event.
func (d dice) record(f usage.Finding, p usage.Policy) usage.Record {
	lu, part := f.LastUsage, append(strings.Split(f.ARN, ":"), "", "", "", "", "")
	c := usage.Coverage{Account: part[4], Region: part[3], From: lu.Created, To: lu.TrackingStart, BlindSpots: []string{}}
	if d.chance(10) {
		c.To = lu.ReadAt
	}
	r := usage.Record{Source: "trail", Coverage: []usage.Coverage{c}}
	span := c.To.Sub(c.From)
	switch d.n(12) {
	case 5:
		r.Coverage[0].From = c.From.Add(span / 2)
	case 6:
		r.Coverage[0].To = c.To.Add(-span / 3)
	case 7:
		r.Coverage[0].To = c.From.Add(span / 2)
		c.From = r.Coverage[0].To.Add(oneOf(d, 0, time.Nanosecond, -time.Hour))
		r.Coverage = append(r.Coverage, c)
	case 8:
		r.Coverage[0].BlindSpots = []string{"read events left out"}
	case 9:
		r.Coverage[0].Account = "444455556666"
	case 10:
		r.Coverage[0].Region = "mars-north-1"
	case 11:
		r.Coverage = nil
	}
	if d.chance(7) {
		last := &usage.Event{At: lu.ReadAt.Add(-time.Hour - d.age(p)), Operation: "Decrypt"}
		if d.chance(12) { // some time before tracking began
			last.At = lu.Created.Add(time.Duration(d.n(40)) * lu.TrackingStart.Sub(lu.Created) / 40)
		}
		if d.chance(2) {
			last.ErrorCode = "AccessDenied"
		}
		if lu.Use != nil && d.chance(4) {
			lu.Use.EventID, last.EventID = "e", "e"
			if d.chance(12) {
				last.At = lu.Use.At.Add(oneOf(d, 0, time.Second, time.Hour-1, time.Hour, days(d.n(100))))
			}
		}
		first := *last
		if before := last.At.Add(-time.Hour); d.chance(10) && before.After(lu.Created) {
			first.At = before
		}
		r.First, r.Last = &first, last
	}
	if d.chance(1) {
		r.Operations, r.Errors = map[string]int{"Decrypt": d.n(3), "DescribeKey": d.n(3)}, map[string]int{"AccessDenied": d.n(3)}
		r.Dropped.Refusals = d.n(20) / 19
	}
	if d.chance(2) {
		r.Refusals = []usage.Event{{At: lu.ReadAt.Add(-d.age(p)), Operation: "Decrypt", ErrorCode: "DisabledException"}}
	}
	if d.chance(1) {
		r.Dependents = []usage.Dependent{{Service: "cloudtrail.amazonaws.com", Resource: "a trail"}}
	}
	if d.chance(3) {
		r.PublicKey = &usage.Event{At: lu.ReadAt.Add(-days(d.n(400))), Operation: "GetPublicKey"}
	}
	return r
}

// lose takes a reading away and leaves its gap, mostly.
func (d dice) lose(f *usage.Finding) {
	op := oneOf(d, "ListAliases", "ListResourceTags", "ListKeyRotations", "GetKeyLastUsage", "DescribeKey", "ListGrants", "GetKeyPolicy", "History:trail", "ProbeVolumes")
	switch op {
	case "ListAliases":
		f.Aliases = nil
	case "ListResourceTags":
		f.Tags = nil
	case "ListKeyRotations":
		f.Rotations = nil
	case "GetKeyLastUsage":
		f.LastUsage = nil
	case "DescribeKey":
		f.Metadata = nil
	case "ListGrants":
		f.Grants = nil
	case "GetKeyPolicy":
		f.Policy = ""
	}
	if !d.chance(3) {
		f.Gaps = append(f.Gaps, usage.Gap{Op: op, Reason: oneOf(d, usage.Denied, usage.Skipped, usage.Throttled, usage.Unsupported)})
	}
}

// contradict spoils what was read.
func (d dice) contradict(f *usage.Finding) {
	lu := f.LastUsage
	if lu == nil {
		return
	}
	lu.Use = &usage.Use{At: lu.TrackingStart.Add(time.Hour)}
	switch d.n(9) {
	case 0:
		lu.Use.At = lu.ReadAt.Add(time.Hour)
	case 1:
		lu.Use.At = lu.Created.Add(-days(d.n(100)))
	case 2:
		lu.Use.At = lu.TrackingStart.Add(-days(1 + d.n(100)))
	case 3:
		lu.Use.At = time.Time{}
	case 4:
		lu.ReadAt = time.Time{}
	case 5:
		lu.Created = time.Time{}
	case 6:
		lu.TrackingStart = time.Time{}
	case 7:
		lu.Created = lu.Created.Add(-days(1 + d.n(300)))
	case 8:
		if len(f.History) > 0 {
			f.History[0].Last = &usage.Event{At: oneOf(d, time.Time{}, lu.Created.Add(-days(d.n(300)))), Operation: "Decrypt"}
			f.History[0].First = oneOf(d, f.History[0].Last, &usage.Event{At: lu.Created})
		}
	}
}

// moreEvidence returns the fleet with something added to the evidence of one key
// that can only speak for it, or for one that it knows; and what that was.
func (d dice) moreEvidence(fl fleet, i int) (fleet, string) {
	f := fl.findings[i]
	record := func(r usage.Record) fleet {
		f.History = append(slices.Clone(f.History), r)
		return fl.replace(i, f)
	}
	switch d.n(18) {
	case 17:
		return record(usage.Record{Dependents: []usage.Dependent{{Resource: "a trail"}}}), "a dependent"
	case 0:
		op := oneOf(d, "ListAliases", "GetKeyLastUsage", "DescribeKey", "ListGrants", "GetKeyPolicy", "ListResourceTags", "History:trail", "ListKeys", "ProbeVolumes", "")
		f.Gaps = append(slices.Clone(f.Gaps), usage.Gap{Op: op, Reason: oneOf(d, usage.Denied, usage.Skipped, "tired")})
		return fl.replace(i, f), "a gap of " + op
	case 1:
		if f.Grants == nil {
			return fl, "" // one that was not read says less than one that was
		}
		f.Grants = append(slices.Clone(f.Grants), usage.Grant{ID: "more", Created: oneOf(d, upTo.Add(-d.age(fl.policy)), time.Time{})})
		return fl.replace(i, f), "a grant"
	case 2:
		statement := oneOf(d, `{"Effect":"Allow","Principal":`+namesRole+`}`, `{"Effect":"Allow","NotPrincipal":{"AWS":"*"}}`, `{"Effect":"Deny","Principal":"*"}`, `{"Effect":"Sometimes"}`)
		old := f.Policy
		if f.Policy = strings.Replace(old, `"Statement":[{`, `"Statement":[`+statement+`,{`, 1); f.Policy == old {
			return fl, ""
		}
		return fl.replace(i, f), "a policy statement"
	case 3:
		f.Aliases = append(slices.Clone(f.Aliases), oneOf(d, "alias/more", "alias/aws/s3"))
		return fl.replace(i, f), "an alias"
	case 4:
		return record(usage.Record{Refusals: []usage.Event{{At: upTo.Add(-d.age(fl.policy)), ErrorCode: "DisabledException"}}}), "a refusal"
	case 5, 6, 7:
		at := upTo.Add(-d.age(fl.policy))
		if lu := f.LastUsage; lu != nil && d.chance(10) {
			at = lu.Created.Add(time.Duration(d.n(40)) * lu.TrackingStart.Sub(lu.Created) / 40)
		}
		if lu := f.LastUsage; lu != nil && at.Before(lu.TrackingStart) && unbroken(f, at, lu.TrackingStart) {
			// With the events from it until tracking began complete, it is the last use:
			// evidence of absence, that only needed a day to count from.
			return fl, ""
		}
		return record(usage.Record{First: &usage.Event{At: at}, Last: &usage.Event{At: at}}), "a use at " + at.String()
	case 8:
		return record(usage.Record{PublicKey: &usage.Event{At: upTo.Add(-d.age(fl.policy))}}), "a public key handed out"
	case 9, 10:
		if f.LastUsage == nil || f.LastUsage.Use == nil || usage.Classify(f, fl.policy).LastUse == nil {
			return fl, "" // no last use is known
		}
		lu := *f.LastUsage
		lu.Use = &usage.Use{At: lu.Use.At.Add(oneOf(d, time.Nanosecond, time.Hour, days(1), days(d.n(300))))}
		f.LastUsage = &lu
		return fl.replace(i, f), "a later last use"
	case 11:
		return fl.plus(f), "another finding"
	case 12:
		d.lose(&f)
		return fl.replace(i, f), "a loss"
	case 13:
		for r := range f.History {
			if len(f.History[r].Coverage) > 0 {
				f.History = slices.Clone(f.History)
				f.History[r].Coverage = slices.Clone(f.History[r].Coverage)
				f.History[r].Coverage[0].BlindSpots = []string{"one more"}
				return fl.replace(i, f), "a blind spot"
			}
		}
		return fl, ""
	case 14:
		at := ago(float64(d.n(400)))
		if !fl.policy.AsOf.IsZero() && fl.policy.AsOf.Before(at) {
			at = fl.policy.AsOf.Add(-time.Hour)
		}
		fl.policy.AsOf = at
		return fl, "an earlier time to judge at"
	case 15:
		if fl.policy.Validate() != nil {
			return fl, "" // any other policy makes more sense
		}
		fl.policy.Window = days(windowDays(fl.policy) + d.n(100))
		return fl, "a longer window"
	default:
		return d.unknownMember(fl, f)
	}
}

// unknownMember adds a member to the set of f that nobody named.
func (d dice) unknownMember(fl fleet, f usage.Finding) (fleet, string) {
	if !strings.Contains(f.ARN, "mrk-") {
		return fl, ""
	}
	arn := strings.Replace(f.ARN, f.Region(), "il-central-1", 1)
	g := d.key(arn, fl.policy)
	if g.Metadata != nil {
		primary := arn
		if f.Metadata != nil && f.Metadata.MultiRegion != nil && d.chance(14) {
			primary = f.Metadata.MultiRegion.Primary
		}
		g.Metadata.MultiRegion = placeIn(arn, primary, oneOf(d, []string{arn, f.ARN}, []string{arn}))
	}
	return fl.plus(g), "a set member not known before"
}

// ---- the census

// census counts what occurred, by kind and name.
type census map[string]int

func (c census) count(fl fleet, judged []usage.Assessment) {
	c["fleet"]++
	for _, a := range judged {
		c["key"]++
		c["class "+a.Verdict.Class.String()]++
		if a.Retirable() {
			c["retirable "+a.Verdict.Class.String()]++
		}
		for _, r := range a.Verdict.Reasons {
			c["reason "+string(r.Code)]++
		}
		for _, h := range a.Holds {
			c["hold "+string(h.Code)]++
		}
		if a.Finding.MultiRegion() {
			for code, n := range codes(usage.Holds(a.Finding, a.Verdict)) {
				if code == usage.LoneMember {
					c["hold "+string(code)] += n
				}
			}
		}
	}
	c["set"] += len(usage.Sets(fl.findings))
}

// report prints how often each class, reason and hold occurred, and fails if one
// that the source names never did: the generators would prove little.
func (c census) report(t *testing.T) {
	t.Helper()
	var want []string
	for _, class := range usage.Classes() {
		want = append(want, "class "+class.String())
	}
	for _, class := range []usage.Class{usage.Idle, usage.Unused, usage.Unrecorded} {
		want = append(want, "retirable "+class.String())
	}
	named := regexp.MustCompile(`(?m)^\s+\w+\s+(Hold|Reason)Code\s+= "([a-z-]+)"`)
	sources, err := filepath.Glob("*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no source: %v", err)
	}
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			want = append(want, strings.ToLower(m[1])+" "+m[2])
		}
	}
	for _, w := range want {
		if c[w] == 0 {
			t.Errorf("no %s among %d keys", w, c["key"])
		}
	}
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, "\n%9d %5.1f%%  %s", c[what], 100*float64(c[what])/float64(max(1, c["key"])), what)
	}
	t.Log(b.String())
}
