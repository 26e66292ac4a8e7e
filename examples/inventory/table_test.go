package main

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	testNow  = time.Date(2026, time.November, 16, 9, 0, 0, 0, time.UTC)
	tracking = time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC)
)

const (
	policyOfAccount = `{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]}`
	policyOfOthers  = `{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::777788889999:role/partner"}, "Action": "kms:*", "Resource": "*"}]}`
)

// key is a finding with all readings, of a symmetric key created and last used
// so many days ago; used < 0: never.
func key(id, alias string, created, used int, changes ...func(*usage.Finding)) usage.Finding {
	f := usage.Finding{
		ARN:     "arn:aws:kms:us-east-1:111122223333:key/" + id,
		Aliases: []string{}, Grants: []usage.Grant{}, Tags: map[string]string{}, Rotations: []usage.Rotation{},
		Policy: policyOfAccount,
	}
	if alias != "" {
		f.Aliases = []string{"alias/" + alias}
	}
	at := testNow.AddDate(0, 0, -created)
	f.Metadata = &usage.Metadata{
		Created: at, Manager: types.KeyManagerTypeCustomer, State: types.KeyStateEnabled,
		Spec: types.KeySpecSymmetricDefault, Usage: types.KeyUsageTypeEncryptDecrypt, Origin: types.OriginTypeAwsKms,
	}
	f.LastUsage = &usage.LastUsage{ReadAt: testNow, Created: at, TrackingStart: at}
	if at.Before(tracking) {
		f.LastUsage.TrackingStart = tracking
	}
	if used >= 0 {
		f.LastUsage.Use = &usage.Use{At: testNow.AddDate(0, 0, -used), Operation: types.KeyLastUsageTrackingOperationDecrypt}
	}
	for _, change := range changes {
		change(&f)
	}
	return f
}

func in(account, region string) func(*usage.Finding) {
	return func(f *usage.Finding) {
		f.ARN = strings.NewReplacer("us-east-1", region, "111122223333", account).Replace(f.ARN)
		f.Policy = strings.ReplaceAll(f.Policy, "111122223333", account)
	}
}

func describedAs(s string) func(*usage.Finding) {
	return func(f *usage.Finding) { f.Metadata.Description = s }
}

func granted(daysAgo int, grantees ...string) func(*usage.Finding) {
	return func(f *usage.Finding) {
		for _, g := range grantees {
			f.Grants = append(f.Grants, usage.Grant{Grantee: g, Created: testNow.AddDate(0, 0, -daysAgo)})
		}
	}
}

func unreadable(f *usage.Finding) {
	f.LastUsage, f.Grants = nil, nil
	f.Gaps = []usage.Gap{{Op: "GetKeyLastUsage", Reason: usage.Denied}, {Op: "ListGrants", Reason: usage.Denied}}
}

// memberOf makes a finding a member of a set of a primary and one replica.
func memberOf(primary, replica string) func(*usage.Finding) {
	return func(f *usage.Finding) {
		here := f.Region()
		m := &usage.MultiRegion{
			Role: types.MultiRegionKeyTypePrimary, Primary: strings.Replace(f.ARN, here, primary, 1),
			Replicas: []string{strings.Replace(f.ARN, here, replica, 1)},
		}
		if here == replica {
			m.Role = types.MultiRegionKeyTypeReplica
		}
		f.Metadata.MultiRegion = m
	}
}

func imported(f *usage.Finding) { f.Metadata.Origin = types.OriginTypeExternal }

const hostile = "\x1b[2J\x1b]0;gotcha\a\u202egnp.exe\u009b31m\u200b\r\nretirable 漢字漢字 \U0001f600\ufe0f e\u0301\u0301\u0301 \xff שלום"

// sample has a key or more of every kind, in the order in which they are shown.
func sample() []usage.Finding {
	return []usage.Finding{
		key("00000001-0000-4000-8000-000000000000", "sandbox/never-used", 150, -1),
		key("00000002-0000-4000-8000-000000000000", "jwt", 160, 120, func(f *usage.Finding) {
			f.Metadata.Spec, f.Metadata.Usage = types.KeySpecRsa2048, types.KeyUsageTypeSignVerify
		}),
		key("00000003-0000-4000-8000-000000000000", "", 1200, 100, describedAs("CMK of the old billing exports, see the wiki")),
		key("00000015-0000-4000-8000-000000000000", "hsm", 1200, 99, func(f *usage.Finding) {
			f.Metadata.Origin, f.Metadata.CustomKeyStoreID = types.OriginTypeAwsCloudhsm, "cks-0123456789abcdef0"
		}),
		key("mrk-00000000000000000000000000000016", "set", 1200, 98, memberOf("us-east-1", "eu-west-1"), imported),
		key("mrk-00000000000000000000000000000016", "set", 1200, 97, in("111122223333", "eu-west-1"), memberOf("us-east-1", "eu-west-1"), imported),
		key("00000004-0000-4000-8000-000000000000", "before/tracking", 2000, -1, in("444455556666", "eu-west-1")),
		key("00000005-0000-4000-8000-000000000000", hostile, 1200, 180, granted(170, "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0123456789abcdef0")),
		key("00000006-0000-4000-8000-000000000000", "a/very/long/alias/whose/two/ends/tell/it/apart/from/others", 1200, 140,
			func(f *usage.Finding) { f.Policy = policyOfOthers }, granted(170, "rds.us-east-1.amazonaws.com", "x")),
		key("00000017-0000-4000-8000-000000000000", "switched-off", 1200, 125, func(f *usage.Finding) { f.Metadata.State = types.KeyStateDisabled }),
		key("mrk-00000000000000000000000000000018", "granted-set", 1200, 120, memberOf("us-east-1", "eu-west-1")),
		key("mrk-00000000000000000000000000000018", "granted-set", 1200, 110, in("111122223333", "eu-west-1"), memberOf("us-east-1", "eu-west-1"), granted(109, "x")),
		key("mrk-00000000000000000000000000000007", "global", 1200, 130, memberOf("us-east-1", "eu-central-1")),
		key("00000008-0000-4000-8000-000000000000", "locked-out", 1200, 100, unreadable),
		key("00000009-0000-4000-8000-000000000000", "volume", 1200, 150, granted(5, "ec2.us-east-1.amazonaws.com")),
		key("00000010-0000-4000-8000-000000000000", "going", 1200, 145, func(f *usage.Finding) {
			f.Metadata.State, f.Metadata.DeletionDate = types.KeyStatePendingDeletion, testNow.AddDate(0, 0, 12)
		}),
		key("00000011-0000-4000-8000-000000000000", "young", 20, -1),
		key("00000012-0000-4000-8000-000000000000", "quiet", 1200, 80),
		key("00000013-0000-4000-8000-000000000000", "busy", 1200, 1, func(f *usage.Finding) { f.Aliases = append(f.Aliases, "alias/busy-too") }),
		key("00000014-0000-4000-8000-000000000000", "aws/ebs", 1200, -1, func(f *usage.Finding) {
			f.Metadata.Manager, f.LastUsage, f.Grants, f.Policy = types.KeyManagerTypeAws, nil, nil, ""
		}),
	}
}

func reportOf(fs []usage.Finding, a args) string {
	return report(usage.Assess(fs, a.policy), a, 0, tableWidth)
}

var byDefault = args{policy: usage.Policy{Window: 90 * day}}

func TestTheReportIsAsRecorded(t *testing.T) {
	a := args{policy: byDefault.policy, all: true}
	got := report(usage.Assess(sample(), a.policy), a, 1, tableWidth)
	golden := filepath.Join("testdata", "report.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the report has changed (go test ./inventory -update records it):\n%s\nwant\n%s", got, want)
	}
	mustFit(t, got, tableWidth)
}

func mustFit(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := cells(strings.TrimSuffix(line, "\n")); n > width {
			t.Errorf("%d cells, more than %d: %s", n, width, line)
		}
	}
}

func TestWhatToLookAtFirstComesFirst(t *testing.T) {
	want := usage.Assess(sample(), byDefault.policy)
	got := slices.Clone(want)
	for range 20 {
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, inOrder)
		for i := range want {
			if got[i].Finding.ARN != want[i].Finding.ARN {
				t.Fatalf("place %d has %s, want %s", i, got[i].Finding.ARN, want[i].Finding.ARN)
			}
		}
	}
	// Groups and classes as the sample is made to have them.
	for i, w := range []struct {
		g group
		c usage.Class
	}{
		{ready, usage.Unused},
		{ready, usage.Idle},
		{ready, usage.Idle},
		{ready, usage.Idle},
		{ready, usage.Idle},
		{ready, usage.Idle},
		{ready, usage.Unrecorded},
		{toClear, usage.Idle},
		{toClear, usage.Idle},
		{toClear, usage.Idle},
		{toClear, usage.Idle},
		{toClear, usage.Idle},
		{unread, usage.Idle},
		{unread, usage.Unknown},
		{held, usage.Idle},
		{held, usage.Idle},
		{held, usage.New},
		{inUse, usage.Active},
		{inUse, usage.Active},
		{awsManaged, usage.Unknown},
	} {
		if g, c := groupOf(want[i]), want[i].Verdict.Class; g != w.g || c != w.c {
			t.Errorf("%s: group %d, class %v; want %d, %v", want[i].Finding.ARN, g, c, w.g, w.c)
		}
	}
}

// The retirable group is the one that people act upon.
func TestOnlyWhatIsRetirableIsInTheFirstGroup(t *testing.T) {
	for _, a := range append(usage.Assess(sample(), byDefault.policy), usage.Assessment{}) {
		if (groupOf(a) == ready) != a.Retirable() {
			t.Errorf("%s: group %d, but retirable is %v", a.Finding.ARN, groupOf(a), a.Retirable())
		}
	}
}

func TestLongGroupsAreCutUnlessAllIsGiven(t *testing.T) {
	var fs []usage.Finding
	for range 40 {
		fs = append(fs, key("00000012-0000-4000-8000-0000000000"+string(rune('0'+len(fs)/10))+string(rune('0'+len(fs)%10)), "", 1200, 3))
	}
	rows := func(s string) int { return strings.Count(s, "  Active ") }
	if got := reportOf(fs, byDefault); rows(got) != 3 || !strings.Contains(got, "… 37 more, use -all\n") {
		t.Errorf("want 3 rows and word of 37 more:\n%s", got)
	}
	if got := reportOf(fs[:4], byDefault); rows(got) != 4 || strings.Contains(got, "more, use") {
		t.Errorf("a single row must not be hidden behind a line of its own:\n%s", got)
	}
	if got := reportOf(fs, args{policy: byDefault.policy, all: true}); rows(got) != 40 || strings.Contains(got, "more, use") {
		t.Errorf("-all does not show all:\n%s", got)
	}
}

func TestColumnsThatWouldSayTheSameEverywhereAreLeftOut(t *testing.T) {
	got := reportOf(sample()[:3], byDefault)
	for _, column := range []string{"ACCT", "REGION"} {
		if strings.Contains(got, column) {
			t.Errorf("one account and Region, and a column %s:\n%s", column, got)
		}
	}
	if !strings.Contains(got, "1 account (111122223333), 1 Region (us-east-1)") {
		t.Errorf("account and Region are not said above the table:\n%s", got)
	}
}

func TestTheTableFitsOtherWidthsToo(t *testing.T) {
	as := usage.Assess(sample(), byDefault.policy)
	slices.SortFunc(as, inOrder)
	for _, width := range []int{60, 72, 80, 120, 160} {
		var b strings.Builder
		newTable(as, width, true).print(&b, as)
		printClasses(&b, as, width)
		mustFit(t, b.String(), width)
	}
}

func TestNothingHostileReachesTheTerminal(t *testing.T) {
	evil := func(f *usage.Finding) {
		f.Metadata.Description = hostile
		f.Policy = strings.ReplaceAll(policyOfOthers, "role/partner", strings.NewReplacer("\x1b", `\u001b`, "\a", "", "\r\n", "").Replace(hostile))
		f.Gaps = append(f.Gaps, usage.Gap{Op: hostile, Reason: usage.GapReason(hostile)})
	}
	fs := append(sample(),
		key("00000020-0000-4000-8000-000000000000", hostile, 1200, 100, evil),
		key("00000021-0000-4000-8000-000000000000", "", 1200, 100, evil),
		key("00000022-0000-4000-8000-000000000000", "", 1200, 100, granted(100, hostile), evil),
		key("00000023-0000-4000-8000-000000000000", "", 1200, 2, func(f *usage.Finding) { f.LastUsage.Use.Operation = hostile }),
		key("00000024-0000-4000-8000-000000000000", "", 1200, 100, func(f *usage.Finding) { f.Metadata.State = hostile }),
	)
	got := reportOf(fs, args{policy: byDefault.policy, all: true})
	for i, r := range got {
		if r != '\n' && !harmless(r) {
			t.Fatalf("%U at byte %d: %q", r, i, got[max(0, i-40):min(len(got), i+40)])
		}
	}
	if n := strings.Count(got, `\x1b[2J`); n == 0 {
		t.Error("the escape sequence is not shown as what it is")
	}
	for line := range strings.Lines(got) {
		if !strings.HasPrefix(line, "Not seen") && !strings.HasPrefix(line, " ") && cells(line)-1 > tableWidth {
			t.Errorf("the table has a line of %d cells: %s", cells(line), line)
		}
	}
}

func TestNoKeysAreNoTable(t *testing.T) {
	if got := reportOf(nil, byDefault); got != "No keys were read.\n" {
		t.Errorf("got %q", got)
	}
}
