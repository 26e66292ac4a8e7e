package cloudtrail_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/internal/archive"
)

// opened notes which files are opened.
type opened struct {
	fstest.MapFS
	mu    *sync.Mutex
	names map[string]bool
}

func (o opened) Open(name string) (fs.File, error) {
	o.mu.Lock()
	o.names[name] = true
	o.mu.Unlock()
	return o.MapFS.Open(name)
}

// ReadDir notes which folders are listed.
func (o opened) ReadDir(name string) ([]fs.DirEntry, error) {
	o.mu.Lock()
	o.names[name] = true
	o.mu.Unlock()
	return o.MapFS.ReadDir(name)
}

func TestFilesThatThePathRulesOutAreNotOpened(t *testing.T) {
	log := func(prefix, account, kind, region, day string) string {
		return fmt.Sprintf("%sAWSLogs/%s/%s/%s/%s/%s_%s_%s_%sT1200Z_abc.json.gz", prefix, account, kind, region, day, account, kind, region, strings.ReplaceAll(day, "/", ""))
	}
	wanted := []string{
		log("", "111122223333", "CloudTrail", "us-west-2", "2026/03/02"),
		log("audit/logs/", "111122223333", "CloudTrail", "us-west-2", "2026/03/03"),
		log("", "o-abcde12345/111122223333", "CloudTrail", "us-west-2", "2026/03/02")[0:len("AWSLogs/o-abcde12345/111122223333/CloudTrail/us-west-2/2026/03/02/")] + "111122223333_CloudTrail_us-west-2_20260302T1200Z_org.json.gz",
		"flat/111122223333_CloudTrail_us-west-2_20260302T1200Z_flat.json.gz",
		"export.jsonl",
	}
	unwanted := []string{
		log("", "444455556666", "CloudTrail", "us-west-2", "2026/03/02"),         // account
		log("", "111122223333", "CloudTrail", "eu-west-1", "2026/03/02"),         // Region
		log("", "111122223333", "CloudTrail", "us-west-2", "2026/02/02"),         // month
		log("", "111122223333", "CloudTrail", "us-west-2", "2026/03/08"),         // day
		log("", "111122223333", "CloudTrail", "us-west-2", "2025/03/02"),         // year
		log("", "111122223333", "CloudTrail-Digest", "us-west-2", "2026/03/02"),  // kind
		log("", "111122223333", "CloudTrail-Insight", "us-west-2", "2026/03/02"), // kind
		log("", "111122223333", "CloudTrail-NetworkActivity", "us-west-2", "2026/03/02"),
		log("", "111122223333", "CloudTrail-Aggregated", "us-west-2", "2026/03/02"),
		"AWSLogs/111122223333/vpcflowlogs/us-west-2/2026/03/02/111122223333_vpcflowlogs_us-west-2_fl-1_20260302T1200Z_abc.log.gz",
		"AWSLogs/111122223333/Config/us-west-2/2026/3/2/ConfigHistory/111122223333_Config_us-west-2_ConfigHistory_x.json.gz",
		"flat/111122223333_CloudTrail-Digest_us-west-2_trail_us-west-2_20260302T1200Z.json.gz",
		"flat/111122223333_CloudTrail_eu-west-1_20260302T1200Z_flat.json.gz",
		"flat/README.md",
	}
	fsys := opened{fstest.MapFS{}, &sync.Mutex{}, map[string]bool{}}
	for _, name := range slices.Concat(wanted, unwanted) {
		fsys.MapFS[name] = file(packed(wrapped()))
	}
	h, err := cloudtrail.Scan(t.Context(), fsys, func(o *cloudtrail.ScanOptions) {
		o.Accounts, o.Regions = []string{"111122223333"}, []string{"us-west-2"}
		o.From, o.To = at("2026-03-02T00:00:00Z"), at("2026-03-04T00:00:00Z")
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range wanted {
		if !fsys.names[name] {
			t.Errorf("not opened: %s", name)
		}
	}
	for _, name := range unwanted {
		if fsys.names[name] {
			t.Errorf("opened: %s", name)
		}
		if dir := path.Dir(name); dir != "flat" && fsys.names[dir] {
			t.Errorf("listed: %s", dir)
		}
	}
	if s := h.Stats(); s.Files != len(wanted) || s.Skipped == 0 || s.Ignored != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestRecordsOutsideOfTheLimitsAreNotCounted(t *testing.T) {
	event := func(account, region, when string) string {
		return strings.NewReplacer("111122223333\",\"resources", account+`","resources`, `"awsRegion":"us-west-2"`, `"awsRegion":"`+region+`"`, "2026-03-01T12:00:00Z", when).Replace(use(when + account + region))
	}
	h := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(
		event("111122223333", "us-west-2", "2026-03-01T12:00:00Z"),
		event("444455556666", "us-west-2", "2026-03-01T12:00:00Z"),
		event("111122223333", "eu-west-1", "2026-03-01T12:00:00Z"),
		event("111122223333", "us-west-2", "2026-03-01T11:59:59Z"),
		event("111122223333", "us-west-2", "2026-03-01T13:00:00Z"))))},
		func(o *cloudtrail.ScanOptions) {
			o.Accounts, o.Regions = []string{"111122223333"}, []string{"us-west-2"}
			o.From, o.To = at("2026-03-01T12:00:00Z"), at("2026-03-01T13:00:00Z")
		})
	if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != 1 || h.Stats().OutOfRange != 4 {
		t.Errorf("%+v, stats %+v", r, h.Stats())
	}
}

func TestCopiesCountOnce(t *testing.T) {
	shared := func(id, account string) string {
		return strings.Replace(use(id, `"sharedEventID":"s"`), `"recipientAccountId":"111122223333"`, `"recipientAccountId":"`+account+`"`, 1)
	}
	other := func(id string) string { return strings.ReplaceAll(use(id, `"sharedEventID":"s"`), keyARN, otherARN) }
	days := fstest.MapFS{}
	for day := 1; day <= 9; day++ {
		content := file(packed(wrapped(use(fmt.Sprint(day, "a")), use(fmt.Sprint(day, "b")))))
		days[delivered(day, 3)] = content
		days["copy/"+delivered(day, 3)] = content
		days["o/"+strings.Replace(delivered(day, 3), "AWSLogs/", "AWSLogs/o-abcde12345/", 1)] = content
	}
	for name, tt := range map[string]struct {
		fsys             fstest.MapFS
		uses, duplicates int
	}{
		"in one file":                      {fstest.MapFS{"a.json": file([]byte(wrapped(use("1"), use("1"), use("2"))))}, 2, 1},
		"in another file":                  {fstest.MapFS{"a.json": file([]byte(use("1"))), "b.json": file([]byte(use("1")))}, 1, 1},
		"whole days, in three folders":     {days, 18, 36},
		"of another account":               {fstest.MapFS{"a.json": file([]byte(wrapped(shared("1", "111122223333"), shared("2", "444455556666"))))}, 1, 1},
		"of another account, of other key": {fstest.MapFS{"a.json": file([]byte(wrapped(shared("1", "111122223333"), other("2"))))}, 1, 0},
		"without an event ID nobody knows": {fstest.MapFS{"a.json": file([]byte(wrapped(use(""), use(""))))}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := scan(t, tt.fsys)
			r, _ := h.Key(keyARN)
			if r.Operations["Decrypt"] != tt.uses || h.Stats().Duplicates != tt.duplicates || h.Stats().Forgotten != 0 {
				t.Errorf("%d uses, stats %+v; want %d and %d duplicates", r.Operations["Decrypt"], h.Stats(), tt.uses, tt.duplicates)
			}
		})
	}
}

func TestOfACallInTwoAccountsTheRecordThatNamesThePrincipalIsKept(t *testing.T) {
	const who = "arn:aws:sts::444455556666:assumed-role/r/s"
	owner := use("1", `"sharedEventID":"s","userIdentity":{"type":"AWSAccount"}`)
	caller := use("0", `"sharedEventID":"s","userIdentity":{"arn":"`+who+`"}`)
	for _, records := range [][]string{{owner, caller}, {caller, owner}} {
		r, _ := scanRecords(t, records...).Key(keyARN)
		if r.Last.Principal != who || r.First.Principal != who {
			t.Errorf("last %+v", r.Last)
		}
	}
}

func TestARefusalToldOfInTwoAccountsIsOne(t *testing.T) {
	refusal := func(id string) string {
		return use(id, `"sharedEventID":"s","errorCode":"DisabledException"`)
	}
	for _, little := range []bool{false, true} {
		h := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(refusal("1"), refusal("2"))))}, func(o *cloudtrail.ScanOptions) { o.FirstAndLastOnly = little })
		if r, _ := h.Key(keyARN); len(r.Refusals) != 1 || r.Dropped.Refusals != 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestCopiesBeyondTheWindowAreCountedAgainAndSaid(t *testing.T) {
	var records []string
	for i := range 1000 {
		records = append(records, use(fmt.Sprint(i)))
	}
	h := scanRecords(t, append(records, records...)...)
	if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != 1000 || h.Stats().Forgotten != 0 {
		t.Errorf("%v, forgotten %d", r.Operations, h.Stats().Forgotten)
	}
	h = scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(append(records, records...)...)))}, func(o *cloudtrail.ScanOptions) { o.DedupeWindow = 100 })
	if r, _ := h.Key(keyARN); r.Operations["Decrypt"] <= 1000 || h.Stats().Forgotten == 0 {
		t.Errorf("%v, forgotten %d", r.Operations, h.Stats().Forgotten)
	}
}

func TestCoverageReachesFromFirstToLastFileAndHasHolesWhereDaysAreMissing(t *testing.T) {
	h := scan(t, fstest.MapFS{
		delivered(1, 6): file(packed(wrapped(use("1")))),
		delivered(2, 6): file(packed(wrapped(use("2")))),
		delivered(3, 6): file(packed(wrapped(use("3")))),
		delivered(3, 9): file(packed(wrapped(use("4")))),
		delivered(6, 1): file(packed(wrapped(use("5")))),
		delivered(6, 2): file(packed(wrapped(use("6")))),
	})
	want := []usage.Coverage{
		{Account: "111122223333", Region: "us-west-2", From: at("2026-03-01T06:00:00Z"), To: at("2026-03-03T08:45:00Z")},
		{Account: "111122223333", Region: "us-west-2", From: at("2026-03-06T01:00:00Z"), To: at("2026-03-06T01:45:00Z")},
	}
	sameCoverage(t, h.Coverage(), want)
	days := h.Days()
	if len(days) != 1 || len(days[0].Seen) != 2 || days[0].Seen[0].Count() != 3 || len(days[0].Missing) != 1 || days[0].Missing[0].Count() != 2 {
		t.Errorf("days %+v", days)
	}
	rec, err := h.Look(t.Context(), usage.Finding{ARN: keyARN})
	if err != nil || rec.Source != cloudtrail.Source || rec.Last == nil {
		t.Errorf("%+v, %v", rec, err)
	}
	sameCoverage(t, rec.Coverage, want)
	rec, err = h.Look(t.Context(), usage.Finding{ARN: strings.Replace(keyARN, "us-west-2", "eu-west-1", 1)})
	if err != nil || rec.Last != nil || len(rec.Coverage) != 0 {
		t.Errorf("of a key in another Region: %+v, %v", rec, err)
	}
}

func sameCoverage(t *testing.T, got, want []usage.Coverage) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b usage.Coverage) bool {
		return a.Account == b.Account && a.Region == b.Region && a.From.Equal(b.From) && a.To.Equal(b.To) && slices.Equal(a.BlindSpots, b.BlindSpots)
	}) {
		t.Errorf("coverage\n%+v, want\n%+v", got, want)
	}
}

func TestDaysBetweenTheLimitsOfTheScanThatHaveNoFilesAreMissing(t *testing.T) {
	h := scan(t, fstest.MapFS{delivered(3, 6): file(packed(wrapped(use("1"))))}, func(o *cloudtrail.ScanOptions) {
		o.From, o.To = at("2026-03-01T00:00:00Z"), at("2026-03-05T12:00:00Z")
	})
	d := h.Days()[0]
	if len(d.Missing) != 2 || d.Missing[0].Count() != 2 || d.Missing[1].Count() != 2 {
		t.Errorf("missing %+v", d.Missing)
	}
}

// wholeDays is an archive of a day of files each, with a use a day unless quiet.
func wholeDays(days int, quiet func(day int) bool) fstest.MapFS {
	fsys := fstest.MapFS{}
	for day := 1; day <= days; day++ {
		records := []string{}
		if !quiet(day) {
			records = append(records, use(fmt.Sprint(day)))
		}
		for hour := range 24 {
			fsys[delivered(day, hour)] = file(packed(wrapped(records...)))
			records = nil
		}
	}
	return fsys
}

func TestALongSilenceOfKMSIsABlindSpot(t *testing.T) {
	blind := func(h *cloudtrail.LogHistory) (days int) {
		for _, c := range h.Coverage() {
			if len(c.BlindSpots) > 0 {
				days += int(c.To.Sub(c.From).Hours()+23) / 24
			}
		}
		return days
	}
	short := wholeDays(20, func(day int) bool { return day > 5 && day <= 12 })
	long := wholeDays(20, func(day int) bool { return day > 5 && day <= 13 })
	never := wholeDays(3, func(int) bool { return true })
	if n := blind(scan(t, short)); n != 0 {
		t.Errorf("seven days without KMS: %d are blind", n)
	}
	if n := blind(scan(t, long)); n != 8 {
		t.Errorf("eight days without KMS: %d are blind", n)
	}
	if n := blind(scan(t, never)); n != 3 {
		t.Errorf("never an event of KMS: %d are blind", n)
	}
	if n := blind(scan(t, long, func(o *cloudtrail.ScanOptions) { o.QuietDays = -1 })); n != 0 {
		t.Errorf("any silence believed: %d are blind", n)
	}
}

func TestAUseOrARefusalThatNamesNoKeyIsABlindSpotOfItsDay(t *testing.T) {
	day := usage.Coverage{Account: "111122223333", Region: "us-west-2", From: at("2026-03-02T00:00:00Z"), To: at("2026-03-03T00:00:00Z"), BlindSpots: []string{"1 calls do not name all their keys"}}
	before := day
	before.From, before.To = at("2026-03-01T00:00:00Z"), day.From
	noon, late := `"eventTime":"2026-03-02T12:00:00Z"`, `"eventTime":"2026-03-01T23:40:00Z"`
	for name, tt := range map[string]struct {
		hour   int
		record string
		want   []usage.Coverage
	}{
		"a use":                    {12, kmsRecord("Decrypt", noon, `"resources":null,"readOnly":true`), []usage.Coverage{day}},
		"a refusal":                {12, kmsRecord("Decrypt", noon, `"resources":null,"readOnly":true,"errorCode":"DisabledException"`), []usage.Coverage{day}},
		"at the end of the day":    {0, kmsRecord("Decrypt", late, `"resources":null,"readOnly":true`), []usage.Coverage{before}},
		"that came late":           {5, kmsRecord("Decrypt", late, `"resources":null,"readOnly":true`), []usage.Coverage{before}},
		"another failure is none":  {12, kmsRecord("Decrypt", `"resources":null,"readOnly":true,"errorCode":"AccessDenied"`), nil},
		"what needs no key either": {12, kmsRecord("GenerateRandom", `"readOnly":true`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := wholeDays(3, func(int) bool { return false })
			fsys[delivered(2, tt.hour)] = file(packed(wrapped(use("2"), tt.record)))
			var blind []usage.Coverage
			for _, c := range scan(t, fsys).Coverage() {
				if len(c.BlindSpots) > 0 {
					blind = append(blind, c)
				}
			}
			sameCoverage(t, blind, tt.want)
		})
	}
}

func TestChangesOfTrailsAreBlindSpotsFromThenOn(t *testing.T) {
	change := func(op, account, extra string) string {
		return fmt.Sprintf(`{"eventTime":"2026-03-02T10:00:00Z","eventSource":"cloudtrail.amazonaws.com","eventName":%q,"awsRegion":"us-east-1","recipientAccountId":%q,"eventID":"c","requestParameters":{%s}}`, op, account, extra)
	}
	const after = "after StopLogging of main at 2026-03-02T10:00:00Z events may be missing"
	for name, tt := range map[string]struct {
		record string
		blind  string // from then on; empty: nothing is
	}{
		"logging stopped":             {change("StopLogging", "111122223333", `"name":"main"`), after},
		"selectors changed":           {change("PutEventSelectors", "111122223333", `"trailName":"main"`), strings.Replace(after, "StopLogging", "PutEventSelectors", 1)},
		"trail updated":               {change("UpdateTrail", "111122223333", `"name":"main"`), strings.Replace(after, "StopLogging", "UpdateTrail", 1)},
		"trail deleted":               {change("DeleteTrail", "111122223333", `"name":"main"`), strings.Replace(after, "StopLogging", "DeleteTrail", 1)},
		"a change that failed":        {strings.Replace(change("StopLogging", "111122223333", `"name":"main"`), "{", `{"errorCode":"AccessDenied",`, 1), ""},
		"in another account":          {change("StopLogging", "444455556666", `"name":"main"`), ""},
		"of a trail of this account":  {change("StopLogging", "444455556666", `"name":"arn:aws:cloudtrail:us-east-1:111122223333:trail/main"`), strings.Replace(after, "main", "arn:aws:cloudtrail:us-east-1:111122223333:trail/main", 1)},
		"a call that changes nothing": {change("DescribeTrails", "111122223333", ``), ""},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := wholeDays(3, func(int) bool { return false })
			fsys["change.json"] = file([]byte(tt.record))
			h := scan(t, fsys)
			whole := usage.Coverage{Account: "111122223333", Region: "us-west-2", From: at("2026-03-01T00:00:00Z"), To: at("2026-03-03T22:45:00Z")}
			if tt.blind == "" {
				sameCoverage(t, h.Coverage(), []usage.Coverage{whole})
				return
			}
			before, behind := whole, whole
			before.To, behind.From = at("2026-03-02T10:00:00Z"), at("2026-03-02T10:00:00Z")
			behind.BlindSpots = []string{tt.blind}
			sameCoverage(t, h.Coverage(), []usage.Coverage{before, behind})
			if c := h.TrailChanges(); len(c) != 1 || c[0].EventID != "c" {
				t.Errorf("changes %+v", c)
			}
		})
	}
}

func TestAChangeOfAnOrganizationsTrailConcernsAllItsAccounts(t *testing.T) {
	fsys := fstest.MapFS{}
	for name, f := range wholeDays(3, func(int) bool { return false }) {
		fsys[strings.Replace(name, "AWSLogs/", "AWSLogs/o-abcde12345/", 1)] = f
	}
	fsys["AWSLogs/o-abcde12345/444455556666/CloudTrail/us-east-1/2026/03/02/444455556666_CloudTrail_us-east-1_20260302T1005Z_x.json.gz"] = file(packed(
		wrapped(`{"eventTime":"2026-03-02T10:00:00Z","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","recipientAccountId":"444455556666","requestParameters":{"name":"org"}}`)))
	for _, c := range scan(t, fsys).Coverage() {
		if c.Account == "111122223333" && c.To.After(at("2026-03-02T10:00:00Z")) && len(c.BlindSpots) == 0 {
			t.Errorf("coverage %+v", c)
		}
	}
}

func TestCompleteLogsDecideWhatTrackingLeavesOpen(t *testing.T) {
	created, tracking := at("2026-03-02T00:00:00Z"), at("2026-03-28T00:00:00Z")
	finding := func(h usage.History, arn string) usage.Finding {
		f := usage.Finding{ARN: arn, LastUsage: &usage.LastUsage{ReadAt: now, TrackingStart: tracking, Created: created}}
		r, err := h.Look(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		f.History = []usage.Record{r}
		return f
	}
	fsys := wholeDays(31, func(int) bool { return false })
	for name, tt := range map[string]struct {
		arn  string
		lose bool
		want usage.Class
	}{
		"used before tracking began":               {keyARN, false, usage.Idle},
		"never used":                               {otherARN, false, usage.Unused},
		"not seen used, but a day is missing":      {otherARN, true, usage.Unrecorded},
		"seen used, but the days behind are holes": {keyARN, true, usage.Idle},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := maps.Clone(fsys)
			if tt.lose {
				for hour := range 24 {
					delete(fsys, delivered(10, hour))
				}
			}
			// The key of use is older than its first use.
			f := finding(scan(t, fsys), tt.arn)
			if tt.arn == keyARN {
				f.LastUsage.Created = at("2026-02-01T00:00:00Z")
			}
			if v := usage.Classify(f, usage.Policy{}); v.Class != tt.want {
				t.Errorf("%v, want %v: %+v", v.Class, tt.want, v.Reasons)
			}
		})
	}
}

func TestAZipFileIsAnArchiveToo(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for hour := range 30 {
		f, err := w.Create(delivered(1+hour/24, hour%24))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(packed(wrapped(use(fmt.Sprint(hour))))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	h, err := cloudtrail.Scan(t.Context(), r, func(o *cloudtrail.ScanOptions) { o.Workers = 4 })
	if err != nil || len(h.Gaps()) > 0 {
		t.Fatal(err, h.Gaps())
	}
	if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != 30 {
		t.Errorf("%+v", r)
	}
}

func TestProgressGoesForwardToTheEnd(t *testing.T) {
	fsys, truth := archive.Spec{}.FS()
	var last cloudtrail.ScanProgress
	h, err := cloudtrail.Scan(t.Context(), fsys, func(o *cloudtrail.ScanOptions) {
		o.Progress = func(p cloudtrail.ScanProgress) {
			if p.FilesDone < last.FilesDone || p.Files < last.Files || p.DaysDone < last.DaysDone || p.Bytes < last.Bytes || p.Records < last.Records || p.FilesDone > p.Files || p.DaysDone > p.Days {
				t.Errorf("%+v after %+v", p, last)
			}
			last = p
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if last.FilesDone != 12 || last.Files != 12 || last.Records != truth.Records || last.KMS != truth.KMS || last.Bytes != truth.Bytes || last.DaysDone != last.Days || last.PackedBytes != h.Stats().PackedBytes {
		t.Errorf("at the end %+v", last)
	}
}

func TestGapsAreLoggedWithoutWhatStandsInRecords(t *testing.T) {
	var b bytes.Buffer
	scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(use("1"), kmsRecord("Decrypt", `"requestParameters":{"encryptionContext":{"secret":"tell nobody"}}`), "oops")))},
		func(o *cloudtrail.ScanOptions) { o.Logger = slog.New(slog.NewTextHandler(&b, nil)) })
	if s := b.String(); !strings.Contains(s, "a.json") || !strings.Contains(s, "invalid JSON") || strings.Contains(s, "tell nobody") {
		t.Errorf("log %s", s)
	}
}

func TestAHistoryCanBeAskedByManyAtOnce(t *testing.T) {
	fsys, _ := archive.Spec{}.FS()
	h, err := cloudtrail.Scan(t.Context(), fsys)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for arn := range h.Keys() {
				if _, err := h.Look(t.Context(), usage.Finding{ARN: arn}); err != nil {
					t.Error(err)
				}
			}
			_, _, _ = h.Coverage(), h.Gaps(), h.Days()
		})
	}
	wg.Wait()
}

func TestAnEmptyArchiveIsNoErrorAndProvesNothing(t *testing.T) {
	h := scan(t, fstest.MapFS{})
	if len(h.Coverage()) != 0 || h.Stats() != (cloudtrail.Stats{}) {
		t.Errorf("%+v", h.Stats())
	}
}
