package cloudtrail_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

func TestAFileCutAnywhereIsAGapAndWhatIsWholeCounts(t *testing.T) {
	content := `{"before":[{"a":"}]\\\""},1.5e3,true],"Records":[` + use("1", `"x":{"y":["z\u0041",null]}`) + `, ` + use("2") + `],"behind":{"a":[1,"]"]},"Events":[` + use("3") + `],"z":"\\"}`
	before := 0
	for n := 1; n <= len(content); n++ {
		h := scan(t, fstest.MapFS{"a.json": file([]byte(content[:n]))}, func(o *cloudtrail.ScanOptions) { o.Workers = 1 })
		r, _ := h.Key(keyARN)
		uses := r.Operations["Decrypt"]
		if uses < before {
			t.Fatalf("%d uses in %d bytes, %d in fewer", uses, n, before)
		}
		before = uses
		switch gaps := h.Gaps(); {
		case n < len(content) && (len(gaps) != 1 || gaps[0].Reason != cloudtrail.Truncated):
			t.Fatalf("%d bytes: gaps %v, want that it is truncated: %s", n, gaps, content[:n])
		case n == len(content) && (len(gaps) != 0 || uses != 3):
			t.Fatalf("the whole: %d uses, gaps %v", uses, gaps)
		}
	}
}

func TestAFileWithAnyByteMissingOrWrongNeitherPanicsNorMakesUsesUp(t *testing.T) {
	content := `{"before":[{"a":"}]\\\""},1.5e3,true],"Records":[` + use("1", `"x":{"y":["z\u0041",null]}`) + `, ` + use("2") + `],"behind":{"a":[1,"]"]}}`
	for n := range len(content) {
		for _, damaged := range []string{content[:n] + content[n+1:], content[:n] + "\x00" + content[n+1:], content[:n] + `"` + content[n:], content[:n] + "}" + content[n:]} {
			h := scan(t, fstest.MapFS{"a.json": file([]byte(damaged))}, func(o *cloudtrail.ScanOptions) { o.Workers = 1 })
			if r, _ := h.Key(keyARN); r.Operations["Decrypt"] > 2 {
				t.Errorf("%d uses: %s", r.Operations["Decrypt"], damaged)
			}
		}
	}
}

func TestOfLongTextsTheBeginningIsKept(t *testing.T) {
	long := strings.Repeat("é", 3000) // two bytes each: the limit falls into one
	r, _ := scanRecords(t, use("1", `"userIdentity":{"x":"`+strings.Repeat("y", 5000)+`","arn":"`+long+`","invokedBy":"s.amazonaws.com","sessionContext":{"sessionIssuer":{"arn":"role"}}}`, `"sourceIPAddress":"x`+long+`"`)).Key(keyARN)
	for name, s := range map[string]string{"principal": r.Last.Principal, "address": r.Last.SourceIP} {
		if len(s) > 4096 || len(s) < 4000 || !utf8.ValidString(s) {
			t.Errorf("%s of %d bytes, valid: %v", name, len(s), utf8.ValidString(s))
		}
	}
	if r.Last.Role != "role" || r.Last.InvokedBy != "s.amazonaws.com" || r.Services["s.amazonaws.com"] != 1 {
		t.Errorf("%+v", r)
	}
}

func TestOfAnEncryptionContextWithManyPairsTheRestIsCounted(t *testing.T) {
	pairs := map[string]string{}
	for i := range 100 {
		pairs[fmt.Sprint("name", i)] = "value"
	}
	b, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := scanRecords(t, use("1", `"requestParameters":{"encryptionContext":`+string(b)+`}`)).Key(keyARN)
	if n := len(r.Contexts) + r.Dropped.Contexts; n != 100 || len(r.Last.Context) != 100 {
		t.Errorf("%d kept, %d dropped; the last use has %d", len(r.Contexts), r.Dropped.Contexts, len(r.Last.Context))
	}
}

func TestASymbolicLinkToAFolderIsAGapAndOneToAFileIsRead(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "a.json"), []byte(use("1")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(other, filepath.Join(dir, "folder")), os.Symlink(filepath.Join(other, "a.json"), filepath.Join(dir, "file.json"))); err != nil {
		t.Skip(err)
	}
	h, err := cloudtrail.Scan(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if gaps := h.Gaps(); len(gaps) != 1 || gaps[0].Reason != cloudtrail.NotFollowed || gaps[0].Path != "folder" {
		t.Errorf("gaps %v", gaps)
	}
	if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != 1 {
		t.Errorf("%+v", r)
	}
}

func TestAFolderBelowADayThatCannotBeListedBlindsTheDay(t *testing.T) {
	fsys := wholeDays(2, func(int) bool { return false })
	below := filepath.Dir(delivered(1, 1)) + "/more"
	fsys[below+"/a.json"] = file([]byte(use("1")))
	h, err := cloudtrail.Scan(t.Context(), failing{FS: fsys, open: map[string]error{below: fs.ErrPermission}})
	if err != nil {
		t.Fatal(err)
	}
	c := h.Coverage()
	if len(c) != 2 || len(c[0].BlindSpots) != 1 || !c[0].To.Equal(at("2026-03-02T00:00:00Z")) || len(c[1].BlindSpots) != 0 {
		t.Errorf("coverage %+v", c)
	}
}

func TestGapsBeyondTheLimitAreCountedAndBlindAllTheSame(t *testing.T) {
	fsys := wholeDays(4, func(int) bool { return false })
	for i := range 10_004 {
		fsys[fmt.Sprintf("%d.json", i)] = file([]byte("x")) // they are read first
	}
	fsys[delivered(4, 12)] = file([]byte("x"))
	h := scan(t, fsys, func(o *cloudtrail.ScanOptions) { o.Workers = 1 })
	if n := len(h.Gaps()); n != 10_000 || h.Stats().GapsDropped != 5 {
		t.Errorf("%d gaps, %d dropped", n, h.Stats().GapsDropped)
	}
	if slices.ContainsFunc(h.Gaps(), func(g cloudtrail.Gap) bool { return g.Path == delivered(4, 12) }) {
		t.Error("the last file is listed: the test tests nothing")
	}
	sameCoverage(t, h.Coverage(), []usage.Coverage{
		{Account: "111122223333", Region: "us-west-2", From: at("2026-03-01T00:00:00Z"), To: at("2026-03-04T00:00:00Z")},
		{Account: "111122223333", Region: "us-west-2", From: at("2026-03-04T00:00:00Z"), To: at("2026-03-04T22:45:00Z"), BlindSpots: []string{delivered(4, 12) + ": is neither gzip nor JSON"}},
	})
}

func TestAGapTellsWhereAndHowOften(t *testing.T) {
	h := scanRecords(t, use("1"), "null", "1", `"x"`)
	if gaps := h.Gaps(); len(gaps) != 1 || gaps[0].Count != 3 || gaps[0].Record != 2 || !strings.HasPrefix(gaps[0].String(), "a.json: record 2, byte ") || !strings.HasSuffix(gaps[0].String(), "(and 2 more)") {
		t.Errorf("gaps %v", gaps)
	}
}

func TestCoverageEndsWhereTheScanWasToldToEnd(t *testing.T) {
	h := scan(t, wholeDays(3, func(int) bool { return false }), func(o *cloudtrail.ScanOptions) {
		o.From, o.To = at("2026-03-01T06:00:00Z"), at("2026-03-02T18:00:00Z")
	})
	sameCoverage(t, h.Coverage(), []usage.Coverage{{Account: "111122223333", Region: "us-west-2", From: at("2026-03-01T06:00:00Z"), To: at("2026-03-02T18:00:00Z")}})
}

func TestFilesWhoseNamesTellNoTimeCoverOnlyWhatLiesBetweenTheirDays(t *testing.T) {
	fsys := fstest.MapFS{}
	for day := 1; day <= 4; day++ {
		fsys[filepath.Dir(delivered(day, 1))+"/x.json"] = file([]byte(use(fmt.Sprint(day))))
	}
	sameCoverage(t, scan(t, fsys).Coverage(), []usage.Coverage{{Account: "111122223333", Region: "us-west-2", From: at("2026-03-02T00:00:00Z"), To: at("2026-03-03T23:45:00Z")}})
}

// The last quarter of an hour before the last file may still be on its way, also
// where that was made at midnight.
func TestALastFileOfMidnightCutsTheDayBefore(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, f := range []string{delivered(1, 5), delivered(1, 23), delivered(2, 0)} {
		fsys[f] = file(packed(wrapped(use(f))))
	}
	sameCoverage(t, scan(t, fsys).Coverage(), []usage.Coverage{{Account: "111122223333", Region: "us-west-2", From: at("2026-03-01T05:00:00Z"), To: at("2026-03-01T23:45:00Z")}})
}

func TestChangesOfTrailsAreInOrderOfTimeEachOnce(t *testing.T) {
	change := func(id string, minute int) string {
		return fmt.Sprintf(`{"eventTime":"2026-03-02T10:%02d:%02dZ","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","recipientAccountId":"111122223333","eventID":%q,"userIdentity":{"arn":"a"}}`, minute/60, minute%60, id)
	}
	h := scanRecords(t, change("b", 2), change("c", 3), change("a", 1), change("b", 2), change("", 3))
	var ids []string
	for _, c := range h.TrailChanges() {
		ids = append(ids, c.EventID)
	}
	if !slices.Equal(ids, []string{"a", "b", "", "c"}) || h.TrailChanges()[0].String() != "StopLogging of a trail at 2026-03-02T10:00:01Z" {
		t.Errorf("changes %+v", h.TrailChanges())
	}
	var many []string
	for i := range 2500 {
		many = append(many, change(fmt.Sprint(i), 3599-i))
	}
	if c := scanRecords(t, many...).TrailChanges(); len(c) != 1000 || c[0].EventID != "2499" {
		t.Errorf("%d changes, the first %+v; want the earliest thousand", len(c), c[0])
	}
}

func TestAskingForKeysCanEndEarly(t *testing.T) {
	h := scanRecords(t, use("1"), strings.ReplaceAll(use("2"), keyARN, otherARN))
	n := 0
	for range h.Keys() {
		n++
		break
	}
	if n != 1 || h.Source() != cloudtrail.Source {
		t.Errorf("%d keys from %s", n, h.Source())
	}
	days := h.Days()
	if len(days) != 0 {
		t.Errorf("days %v", days)
	}
}

func TestWhatIsAskedOfAHistoryCanBeChangedWithoutChangingIt(t *testing.T) {
	h := scan(t, wholeDays(2, func(int) bool { return true }))
	h.Days()[0].Seen[0].From = now
	h.Coverage()[0].BlindSpots[0] = "changed"
	if d := h.Days()[0]; !d.Seen[0].From.Equal(at("2026-03-01T00:00:00Z")) || h.Coverage()[0].BlindSpots[0] == "changed" {
		t.Errorf("%+v, %+v", d, h.Coverage())
	}
}
