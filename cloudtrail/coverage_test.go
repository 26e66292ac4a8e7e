package cloudtrail_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// span is a stretch of the account and Region of all tests, in March 2026.
func span(from, to string, spots ...string) usage.Coverage {
	return usage.Coverage{Account: "111122223333", Region: "us-west-2", From: at("2026-03-" + from + ":00Z"), To: at("2026-03-" + to + ":00Z"), BlindSpots: spots}
}

// busy has a use on each day.
func busy(int) bool { return false }

// under puts an archive below another folder.
func under(prefix string, fsys fstest.MapFS) fstest.MapFS {
	moved := fstest.MapFS{}
	for name, f := range fsys {
		moved[prefix+strings.TrimPrefix(name, "AWSLogs/")] = f
	}
	return moved
}

func together(all ...fstest.MapFS) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, f := range all {
		maps.Copy(fsys, f)
	}
	return fsys
}

// without leaves out the files of days.
func without(fsys fstest.MapFS, lost func(day int) bool) fstest.MapFS {
	left := maps.Clone(fsys)
	for day := 1; day <= 31; day++ {
		for hour := range 24 {
			if lost(day) {
				delete(left, delivered(day, hour))
			}
		}
	}
	return left
}

func TestATrailThatLeavesKMSOutFillsNoHoleOfOneThatDoesNot(t *testing.T) {
	fsys := together(
		under("a/AWSLogs/", without(wholeDays(24, busy), func(day int) bool { return day%8 > 1 })),
		under("b/AWSLogs/", wholeDays(24, func(int) bool { return true })))
	h := scan(t, fsys)
	const silent = "no KMS event that only reads for 24 days: the trail may have left KMS out"
	sameCoverage(t, h.Coverage(), []usage.Coverage{
		span("01T00:00", "01T22:45"),
		span("01T00:00", "24T22:45", silent),
		span("08T00:00", "09T22:45"),
		span("16T00:00", "17T22:45"),
		span("24T00:00", "24T22:45"),
	})
	d := h.Days()
	if len(d) != 2 || d[0].Tree != "a/AWSLogs" || len(d[0].Missing) != 3 || d[1].Tree != "b/AWSLogs" || len(d[1].Missing) != 0 {
		t.Errorf("days %+v", d)
	}
	f := usage.Finding{ARN: otherARN, LastUsage: &usage.LastUsage{ReadAt: now, TrackingStart: at("2026-03-23T00:00:00Z"), Created: at("2026-03-02T00:00:00Z")}}
	r, err := h.Look(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	f.History = []usage.Record{r}
	if v := usage.Classify(f, usage.Policy{}); v.Class != usage.Unrecorded {
		t.Errorf("the key is %v; nobody saw it for six days of each eight", v.Class)
	}
}

func TestAWholeTrailBesideADamagedCopyIsWhole(t *testing.T) {
	whole := wholeDays(4, busy)
	for name, tt := range map[string]struct{ whole, damaged string }{
		"the account's own is whole":              {"AWSLogs/", "AWSLogs/o-abcde12345/"},
		"the organization's is whole":             {"AWSLogs/o-abcde12345/", "AWSLogs/"},
		"under another prefix":                    {"a/AWSLogs/", "b/AWSLogs/"},
		"a copy made without the folders above":   {"a/AWSLogs/", ""},
		"what is damaged tells no day":            {"a/AWSLogs/", "b/AWSLogs/-"},
		"what is damaged tells no account either": {"AWSLogs/", "AWSLogs/o-abcde12345/--"},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := strings.TrimRight(tt.damaged, "-")
			fsys := together(under(tt.whole, whole), under(prefix, whole))
			opened := map[string]error{}
			switch strings.Count(tt.damaged[len(prefix):], "-") {
			case 0:
				fsys[prefix+strings.TrimPrefix(delivered(2, 5), "AWSLogs/")] = file([]byte("damaged"))
			case 1:
				fsys[prefix+"111122223333/CloudTrail/us-west-2/part.json.gz"] = file([]byte("damaged"))
			default:
				fsys[prefix+"secret/x"] = file(nil)
				opened[prefix+"secret"] = fs.ErrPermission
			}
			h, err := cloudtrail.Scan(t.Context(), failing{FS: fsys, open: opened})
			if err != nil || len(h.Gaps()) != 1 {
				t.Fatal(err, h.Gaps())
			}
			clean, blind := 0, 0
			for _, c := range h.Coverage() {
				switch {
				case len(c.BlindSpots) > 0:
					blind++
				case c.From.Equal(at("2026-03-01T00:00:00Z")) && c.To.Equal(at("2026-03-04T22:45:00Z")):
					clean++
				}
			}
			if clean != 1 || blind == 0 {
				t.Errorf("coverage %+v", h.Coverage())
			}
		})
	}
}

func TestCopiesOfATrailClaimTheSameOnce(t *testing.T) {
	fsys := together(wholeDays(3, busy), under("copy/AWSLogs/", wholeDays(3, busy)))
	sameCoverage(t, scan(t, fsys).Coverage(), []usage.Coverage{span("01T00:00", "03T22:45")})
}

// Which of two trails delivered the uses in the archive is not known.
func TestOfSeveralTrailsNoneIsDisprovedByWhatTheArchiveHolds(t *testing.T) {
	for name, prefix := range map[string]string{"one trail": "", "two trails": "o/AWSLogs/"} {
		fsys := wholeDays(31, busy)
		if prefix != "" {
			fsys = together(fsys, under(prefix, without(wholeDays(31, busy), func(day int) bool { return day > 3 })))
		}
		c := oneTrail(func(*types.Trail) {})
		c.selectors[mainTrail] = basic(basicSel(types.ReadWriteTypeWriteOnly))
		clean := spotless(scan(t, fsys).With("logs", "", mustRead(t, c)))
		if (clean == "") != (prefix != "") {
			t.Errorf("%s: without a blind spot %q", name, clean)
		}
	}
}

func TestFilesKnownByNameAloneAreTogetherWhereFoldersDivideThemByTime(t *testing.T) {
	for name, folder := range map[string]string{
		"in one folder":        "logs/",
		"in a folder of days":  "logs/R/2006/01/02/",
		"in partitions":        "logs/account=A/year=2006/month=01/day=02/",
		"in folders by date":   "logs/2006-01-02/",
		"in the folder of all": "",
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, f := range wholeDays(3, busy) {
				day := at("2026-03-01T00:00:00Z")
				for !strings.Contains(name, day.Format("/2006/01/02/")) {
					day = day.AddDate(0, 0, 1)
				}
				fsys[strings.NewReplacer("A", "111122223333", "R", "us-west-2").Replace(day.Format(folder))+path.Base(name)] = f
			}
			sameCoverage(t, scan(t, fsys).Coverage(), []usage.Coverage{span("01T00:00", "03T22:45")})
		})
	}
	// Folders that are no dates of the files hold one trail each.
	fsys := fstest.MapFS{}
	for day := 1; day <= 4; day++ {
		for hour := range 24 {
			fsys[fmt.Sprintf("%02d/%s", 1+day%2, path.Base(delivered(day, hour)))] = file(packed(wrapped(use(fmt.Sprint(day)))))
		}
	}
	if c := scan(t, fsys).Coverage(); len(c) != 4 {
		t.Errorf("coverage %+v", c)
	}
}

// A file moved aside may be missing where it was.
func TestADamagedFileKnownByNameAloneIsMissingInAnyTree(t *testing.T) {
	fsys := wholeDays(4, busy)
	aside := "aside/" + path.Base(delivered(3, 5))
	fsys[aside] = file([]byte("damaged"))
	sameCoverage(t, scan(t, fsys).Coverage(), []usage.Coverage{
		span("01T00:00", "03T00:00"), span("03T00:00", "04T00:00", aside+": is neither gzip nor JSON"), span("04T00:00", "04T22:45"),
	})
}

func TestAFileMadeOutsideOfTheDayOfItsFolderSaysNothingOfTheTimeBetween(t *testing.T) {
	name := func(day int, stamp string) string {
		return path.Dir(delivered(day, 1)) + "/111122223333_CloudTrail_us-west-2_" + stamp + "_x.json.gz"
	}
	fsys := wholeDays(3, busy)
	fsys[name(3, "20990101T0000Z")] = file(packed(wrapped(use("z"))))
	fsys[name(1, "20150101T0000Z")] = file(packed(wrapped(use("y"))))
	sameCoverage(t, scan(t, fsys).Coverage(), []usage.Coverage{span("01T00:00", "03T22:45")})
	for _, date := range []string{"2026/13/45", "2026/02/30", "2026/00/01"} {
		h := scan(t, fstest.MapFS{
			"AWSLogs/111122223333/CloudTrail/us-west-2/" + date + "/x.json":      file([]byte(use("1"))),
			"AWSLogs/111122223333/CloudTrail/us-west-2/" + date + "/broken.json": file([]byte("x")),
		})
		if r, _ := h.Key(keyARN); r.Last == nil || len(h.Days()) != 0 || len(h.Coverage()) != 0 || !h.Gaps()[0].Day.IsZero() {
			t.Errorf("%s: %+v, days %v, coverage %v, gaps %v", date, r, h.Days(), h.Coverage(), h.Gaps())
		}
	}
}

func TestNothingIsClaimedOfWhatMayStillBeDelivered(t *testing.T) {
	clock := func(o *cloudtrail.ScanOptions) {
		o.Now = func() time.Time { return at("2026-03-02T10:00:00Z") }
	}
	records := strings.Replace(use("1"), "2026-03-01T12", "2026-03-01T01", 1)
	fsys := fstest.MapFS{}
	for day := 1; day <= 4; day++ {
		for hour := range 24 {
			fsys[delivered(day, hour)] = file(packed(wrapped(records)))
		}
	}
	sameCoverage(t, scan(t, fsys, clock).Coverage(), []usage.Coverage{span("01T00:00", "02T09:45")})
}

func TestWhatLiesAmongLogFilesAndIsNotReadIsAGap(t *testing.T) {
	for name, tt := range map[string]struct {
		file   string
		mode   fs.FileMode
		reason cloudtrail.GapReason // empty: no gap
		blind  bool
	}{
		"a copy that was not finished":     {delivered(2, 3) + ".6eF21b3A", 0, cloudtrail.OddName, true},
		"packed in another way":            {strings.TrimSuffix(delivered(2, 4), ".gz") + ".zst", 0, cloudtrail.OddName, true},
		"anything in the folder of a day":  {path.Dir(delivered(2, 3)) + "/notes", 0, cloudtrail.OddName, true},
		"called so elsewhere":              {"flat/" + path.Base(delivered(2, 3)) + ".part", 0, cloudtrail.OddName, true},
		"called nearly so elsewhere":       {"flat/111122223333_CloudTrail_us-west-2_x", 0, cloudtrail.OddName, false},
		"a device":                         {path.Dir(delivered(2, 3)) + "/x.json", fs.ModeDevice, cloudtrail.NoFile, true},
		"nobody knows what":                {path.Dir(delivered(2, 3)) + "/x.json", fs.ModeIrregular, cloudtrail.NoFile, true},
		"a socket that is called so":       {"x.json", fs.ModeSocket, cloudtrail.NoFile, false},
		"a socket":                         {"x", fs.ModeSocket, "", false},
		"another file elsewhere":           {"notes", 0, "", false},
		"a digest elsewhere":               {"flat/111122223333_CloudTrail-Digest_us-west-2_trail_us-west-2_20260302T1200Z.json.gz.part", 0, "", false},
		"a copy of what was not asked for": {strings.ReplaceAll(delivered(2, 3), "us-west-2", "eu-west-1") + ".part", 0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := wholeDays(4, busy)
			fsys[tt.file] = &fstest.MapFile{Mode: tt.mode | 0o644}
			h := scan(t, fsys, func(o *cloudtrail.ScanOptions) { o.Regions = []string{"us-west-2"} })
			gaps := h.Gaps()
			if tt.reason == "" && len(gaps) > 0 || tt.reason != "" && (len(gaps) != 1 || gaps[0].Reason != tt.reason || gaps[0].Path != tt.file) {
				t.Errorf("gaps %v", gaps)
			}
			blind := slices.ContainsFunc(h.Coverage(), func(c usage.Coverage) bool {
				return len(c.BlindSpots) == 1 && !c.From.After(at("2026-03-02T00:00:00Z")) && c.To.Equal(at("2026-03-03T00:00:00Z"))
			})
			more := slices.ContainsFunc(h.Coverage(), func(c usage.Coverage) bool { return len(c.BlindSpots) > 0 })
			if blind != tt.blind || more != tt.blind {
				t.Errorf("coverage %+v", h.Coverage())
			}
		})
	}
}

func TestASymbolicLinkThatLeadsNowhereIsAGap(t *testing.T) {
	for name, tt := range map[string]struct {
		link   string
		reason cloudtrail.GapReason
	}{
		"in a day":                   {path.Dir(delivered(2, 1)) + "/more", cloudtrail.Vanished},
		"called like a log file":     {delivered(2, 1) + ".json", cloudtrail.Vanished},
		"where nobody knows of what": {"more", cloudtrail.Vanished},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for n, f := range without(wholeDays(3, busy), func(int) bool { return false }) {
				if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(n)), 0o750), os.WriteFile(filepath.Join(dir, n), f.Data, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, tt.link)); err != nil {
				t.Skip(err)
			}
			h, err := cloudtrail.Scan(t.Context(), os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			if gaps := h.Gaps(); len(gaps) != 1 || gaps[0].Reason != tt.reason || gaps[0].Path != tt.link {
				t.Errorf("gaps %v", gaps)
			}
			for _, c := range h.Coverage() {
				if c.From.Before(at("2026-03-03T00:00:00Z")) && c.To.After(at("2026-03-02T00:00:00Z")) && len(c.BlindSpots) == 0 {
					t.Errorf("coverage %+v", c)
				}
			}
		})
	}
}

func TestADamagedFileIsABlindSpotAsFarAsItsPathTells(t *testing.T) {
	const what = ": is neither gzip nor JSON"
	all := func(spot string) []usage.Coverage { return []usage.Coverage{span("01T00:00", "04T22:45", spot)} }
	for name, tt := range map[string]struct {
		file string
		want []usage.Coverage // nil: no blind spot
	}{
		"in a folder of no day":          {"AWSLogs/111122223333/CloudTrail/us-west-2/part.json.gz", all("AWSLogs/111122223333/CloudTrail/us-west-2/part.json.gz" + what)},
		"in a folder of no Region":       {"AWSLogs/111122223333/CloudTrail/part.json.gz", all("AWSLogs/111122223333/CloudTrail/part.json.gz" + what)},
		"of another account":             {"AWSLogs/444455556666/part.json.gz", nil},
		"of another Region":              {"AWSLogs/111122223333/CloudTrail/eu-west-1/part.json.gz", nil},
		"of another service":             {"AWSLogs/111122223333/route53/part.json.gz", nil},
		"of nobody":                      {"inventory/part.csv.gz", nil},
		"without a time, of its day":     {path.Dir(delivered(3, 1)) + "/x.json.gz", []usage.Coverage{span("01T00:00", "02T00:00"), span("02T00:00", "04T00:00", path.Dir(delivered(3, 1))+"/x.json.gz"+what), span("04T00:00", "04T22:45")}},
		"the first of a day, of two":     {delivered(3, 0), []usage.Coverage{span("01T00:00", "02T00:00"), span("02T00:00", "04T00:00", delivered(3, 0)+what), span("04T00:00", "04T22:45")}},
		"another of a day, of that only": {delivered(3, 1), []usage.Coverage{span("01T00:00", "03T00:00"), span("03T00:00", "04T00:00", delivered(3, 1)+what), span("04T00:00", "04T22:45")}},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := wholeDays(4, busy)
			if tt.want == nil {
				tt.want = []usage.Coverage{span("01T00:00", "04T22:45")}
			}
			fsys[tt.file] = file([]byte("damaged"))
			h := scan(t, fsys)
			sameCoverage(t, h.Coverage(), tt.want)
			if len(h.Gaps()) != 1 {
				t.Errorf("gaps %v", h.Gaps())
			}
		})
	}
}

func TestAFolderThatCannotBeListedIsABlindSpotOfItsRegionOnly(t *testing.T) {
	fsys := wholeDays(2, busy)
	for name, f := range wholeDays(2, busy) {
		fsys[strings.ReplaceAll(name, "us-west-2", "eu-west-1")] = f
	}
	const folder = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/04"
	fsys[folder+"/01/x.json"] = file(nil)
	h, err := cloudtrail.Scan(t.Context(), failing{FS: fsys, open: map[string]error{folder: fs.ErrPermission}})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := span("01T00:00", "02T22:45", folder+": no permission to read it")
	elsewhere.Region = "eu-west-1"
	sameCoverage(t, h.Coverage(), []usage.Coverage{elsewhere, span("01T00:00", "02T22:45")})
}

func TestAUseThatNamesNoKeyInALooseFileIsABlindSpotOfWhatItTells(t *testing.T) {
	unnamed := kmsRecord("Decrypt", `"eventTime":"2026-03-02T12:00:00Z"`, `"resources":null,"readOnly":true`)
	const text = "1 calls do not name all their keys"
	day := []usage.Coverage{span("01T00:00", "02T00:00"), span("02T00:00", "03T00:00", text), span("03T00:00", "03T22:45")}
	for name, tt := range map[string]struct {
		record string
		want   []usage.Coverage
	}{
		"all":                    {unnamed, day},
		"no account":             {strings.Replace(unnamed, `"recipientAccountId"`, `"x"`, 1), day},
		"no Region":              {strings.Replace(unnamed, `"awsRegion"`, `"x"`, 1), day},
		"neither":                {strings.NewReplacer(`"awsRegion"`, `"x"`, `"recipientAccountId"`, `"y"`).Replace(unnamed), day},
		"another account":        {strings.Replace(unnamed, "111122223333", "444455556666", 1), []usage.Coverage{span("01T00:00", "03T22:45")}},
		"another Region":         {strings.Replace(unnamed, "us-west-2", "eu-west-1", 1), []usage.Coverage{span("01T00:00", "03T22:45")}},
		"what it is of is a lie": {strings.Replace(unnamed, "us-west-2", "anywhere", 1), day},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := wholeDays(3, busy)
			fsys["moved/x.json"] = file([]byte(tt.record))
			sameCoverage(t, scan(t, fsys).Coverage(), tt.want)
		})
	}
	// More than can be kept apart are of all.
	var b strings.Builder
	for i := range 10_002 {
		b.WriteString(strings.Replace(unnamed, "111122223333", fmt.Sprintf("4444%08d", i), 1) + "\n")
	}
	fsys := wholeDays(3, busy)
	fsys["moved/x.json"] = file([]byte(b.String()))
	sameCoverage(t, scan(t, fsys).Coverage(), []usage.Coverage{span("01T00:00", "03T22:45", "calls do not name all their keys")})
}

func TestAnArchiveScannedPartByPartIsCoveredAsAWhole(t *testing.T) {
	fsys := fstest.MapFS{}
	for day := 1; day <= 4; day++ {
		for hour := range 24 {
			name := strings.Replace(delivered(day, hour), "00Z_abc", "05Z_abc", 1)
			record := file(packed(wrapped(use(fmt.Sprint(day, hour)))))
			fsys[name] = record
			fsys["flat/"+path.Base(name)] = record
			// The first of March follows February.
			fsys[strings.NewReplacer("2026/03/04", "2026/02/28", "20260304", "20260228").Replace(name)] = record
		}
	}
	quiet := func(from, to string) func(*cloudtrail.ScanOptions) {
		return func(o *cloudtrail.ScanOptions) {
			o.QuietDays = -1
			if from != "" {
				o.From = at(from)
			}
			if to != "" {
				o.To = at(to)
			}
		}
	}
	const first, middle = "2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z"
	begin := scan(t, fsys, quiet("", middle))
	for _, d := range begin.Days() {
		if to := d.Seen[len(d.Seen)-1].To; !to.Equal(at(middle)) {
			t.Errorf("seen until %v, behind the end", to)
		}
	}
	sameCoverage(t, begin.Coverage()[len(begin.Coverage())-1:], []usage.Coverage{span("01T00:05", "03T00:00")}) // of the flat files
	sameCoverage(t, scan(t, fsys, quiet(first, middle)).Coverage(), []usage.Coverage{span("01T00:00", "03T00:00"), span("01T00:05", "03T00:00")})
	end := scan(t, fsys, quiet(middle, ""))
	sameCoverage(t, end.Coverage(), []usage.Coverage{span("03T00:00", "04T22:50")})
	// A scan that begins behind a day without files does not know when they began.
	sameCoverage(t, scan(t, without(wholeDays(4, busy), func(day int) bool { return day == 2 }), quiet(middle, ""), func(o *cloudtrail.ScanOptions) {
		o.From = o.From.Add(-time.Hour)
	}).Coverage(), []usage.Coverage{span("03T00:00", "04T22:45")})
}

func TestEventsBeforeTheEndAreFoundInTheFolderOfTheNextDay(t *testing.T) {
	fsys := wholeDays(3, func(int) bool { return true })
	fsys[delivered(3, 0)] = file(packed(wrapped(strings.Replace(use("late"), "2026-03-01T12:00", "2026-03-02T23:58", 1))))
	h := scan(t, fsys, func(o *cloudtrail.ScanOptions) { o.To = at("2026-03-03T00:00:00Z") })
	if r, _ := h.Key(keyARN); r.Last == nil || r.Last.EventID != "late" {
		t.Errorf("%+v", r)
	}
}

func TestWhatWasLeftOutBeforeTheBeginningIsSaid(t *testing.T) {
	fsys := wholeDays(4, busy)
	for n, want := range map[string]int{"2026-03-01T00:00:00Z": 0, "2026-03-03T00:00:00Z": 2, "2026-04-02T00:00:00Z": 1} {
		h := scan(t, fsys, func(o *cloudtrail.ScanOptions) { o.From = at(n) })
		if s := h.Stats(); s.Earlier != want || s.Skipped != want {
			t.Errorf("from %s: %+v", n, s)
		}
	}
	if s := scan(t, fsys, func(o *cloudtrail.ScanOptions) { o.To = at("2026-03-02T00:00:00Z") }).Stats(); s.Earlier != 0 || s.Skipped == 0 {
		t.Errorf("%+v", s)
	}
}

func TestAChangeOfATrailOfNobodyKnowsWhomConcernsAll(t *testing.T) {
	fsys := wholeDays(2, busy)
	fsys["x.json"] = file([]byte(`{"eventTime":"2026-03-01T10:00:00Z","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging"}`))
	sameCoverage(t, scan(t, fsys).Coverage(), []usage.Coverage{
		span("01T00:00", "01T10:00"), span("01T10:00", "02T22:45", "after StopLogging of a trail at 2026-03-01T10:00:00Z events may be missing"),
	})
}

func TestChangesOfTrailsNeedBoundedMemory(t *testing.T) {
	change := func(account, second int, long string) string {
		return fmt.Sprintf(`{"eventTime":%q,"eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","awsRegion":"%[3]s","recipientAccountId":"4444%08[2]d","eventID":"%[2]d%[3]s","userIdentity":{"arn":"%[3]s"},"requestParameters":{"name":"%[3]s"}}`+"\n",
			at("2026-03-01T00:00:00Z").Add(time.Duration(second)*time.Second).Format(time.RFC3339), account, long)
	}
	h := scanRecords(t, change(1, 0, strings.Repeat("é", 5000)))
	c := h.TrailChanges()[0]
	for _, s := range []string{c.Account, c.Region, c.Principal, c.EventID, c.Trail} {
		if len(s) > 512 || strings.ContainsRune(s, '\uFFFD') {
			t.Errorf("%d bytes: %q", len(s), s)
		}
	}
	var b strings.Builder
	for i := range 50_000 {
		b.WriteString(change(i, 50_000-i, "x"))
	}
	fsys := wholeDays(2, busy)
	fsys["x.json"] = file([]byte(b.String()))
	h = scan(t, fsys)
	if cs := h.TrailChanges(); len(cs) != 20_000 || cs[0].Account != "444400049999" || !cs[19_999].At.Equal(at("2026-03-01T05:33:20Z")) {
		t.Errorf("%d changes, from %v", len(cs), cs[0])
	}
	sameCoverage(t, h.Coverage(), []usage.Coverage{span("01T00:00", "02T22:45", "the archive tells of more changes of trails than were kept")})
}

func TestWhatIsOfTheFutureIsJudgedWhenItIsRead(t *testing.T) {
	var mu sync.Mutex
	clock := at("2026-03-01T06:00:00Z")
	h := scan(t, fstest.MapFS{delivered(1, 12): file(packed(wrapped(use("1"))))}, func(o *cloudtrail.ScanOptions) {
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			clock = clock.Add(4 * time.Hour)
			return clock
		}
	})
	if r, _ := h.Key(keyARN); r.Last == nil || len(h.Gaps()) != 0 {
		t.Errorf("%+v, gaps %v", r, h.Gaps())
	}
}

func TestANameOverTheLimitBehindTheRecordsIsToldAsSuch(t *testing.T) {
	h := scan(t, fstest.MapFS{"a.json": file([]byte(`{"Records":[` + use("1") + `],"` + strings.Repeat("k", 70_000) + `":1}`))}, func(o *cloudtrail.ScanOptions) { o.MaxRecord = 1 << 16 })
	if g := h.Gaps(); len(g) != 1 || g[0].Reason != cloudtrail.RecordTooLong {
		t.Errorf("gaps %v", g)
	}
}
