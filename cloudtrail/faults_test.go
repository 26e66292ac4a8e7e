package cloudtrail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// use is a record of a successful Decrypt with the key, at noon.
func use(id string, extra ...string) string {
	return fmt.Sprintf(`{"eventTime":"2026-03-01T12:00:00Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","awsRegion":"us-west-2",`+
		`"eventID":%q,"readOnly":true,"recipientAccountId":"111122223333","resources":[{"ARN":%q}]%s}`, id, keyARN, strings.Join(append([]string{""}, extra...), ","))
}

func wrapped(records ...string) string { return `{"Records":[` + strings.Join(records, ",") + `]}` }

func packed(s string) []byte {
	var b bytes.Buffer
	z, _ := packers.Get().(*gzip.Writer)
	defer packers.Put(z)
	z.Reset(&b)
	_, err := io.WriteString(z, s)
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// packers are used again: each takes a megabyte.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// delivered is the path of a log file of a day in March 2026.
func delivered(day, hour int) string {
	return fmt.Sprintf("AWSLogs/111122223333/CloudTrail/us-west-2/2026/03/%02d/111122223333_CloudTrail_us-west-2_202603%02dT%02d00Z_abc.json.gz", day, day, hour)
}

func file(content []byte) *fstest.MapFile { return &fstest.MapFile{Data: content} }

// Two records are whole in front of each damage.
func TestADamagedFileIsAGapThatNamesItAndWhatStandsBeforeTheDamageCounts(t *testing.T) {
	good := wrapped(use("1"), use("2"))
	zip := packed(good)
	long := packed(wrapped(use("1"), use("2"), use("3", `"x":"`+strings.Repeat("padding that does not pack so well 0123456789", 2000)+`"`)))
	sum := bytes.Clone(zip)
	sum[len(sum)-8] ^= 1
	limits := func(file int64, record int) func(*cloudtrail.ScanOptions) {
		return func(o *cloudtrail.ScanOptions) { o.MaxFile, o.MaxRecord = file, record }
	}
	for name, tt := range map[string]struct {
		content []byte
		opt     func(*cloudtrail.ScanOptions)
		reason  cloudtrail.GapReason
		record  int // that the gap names
		uses    int
	}{
		"a gzip file that ends too early":                      {content: long[:len(long)-20], reason: cloudtrail.Truncated, record: 3, uses: 2},
		"a gzip file that ends in its trailer":                 {content: zip[:len(zip)-3], reason: cloudtrail.Truncated, record: 3, uses: 2},
		"a gzip file that ends in its header":                  {content: zip[:5], reason: cloudtrail.Truncated},
		"a gzip file with a wrong checksum":                    {content: sum, reason: cloudtrail.Corrupt, record: 3, uses: 2},
		"a gzip file damaged in the middle":                    {content: append(bytes.Clone(zip[:10]), bytes.Repeat([]byte{7}, 40)...), reason: cloudtrail.Corrupt},
		"a file with the wrong magic":                          {content: []byte("PK\x03\x04 a zip file"), reason: cloudtrail.NotGzip},
		"garbage behind a gzip file":                           {content: append(bytes.Clone(zip), "garbage behind it"...), reason: cloudtrail.Trailing, record: 3, uses: 2},
		"a single byte behind a gzip file":                     {content: append(bytes.Clone(zip), 0), reason: cloudtrail.Trailing, record: 3, uses: 2},
		"garbage behind plain JSON":                            {content: []byte(good + "garbage"), reason: cloudtrail.Trailing, record: 3, uses: 2},
		"a bomb":                                               {content: packed(good + strings.Repeat(" ", 1<<20)), opt: limits(1<<16, 0), reason: cloudtrail.TooLarge, record: 3, uses: 2},
		"a bomb in a single string":                            {content: packed(wrapped(use("1"), use("2"), `{"x":"`+strings.Repeat("x", 1<<22)+`"}`)), opt: limits(1<<20, 1<<16), reason: cloudtrail.TooLarge, uses: 2},
		"invalid JSON in the middle":                           {content: []byte(wrapped(use("1"), use("2"), `{"eventSource": oops}`, use("3"))), reason: cloudtrail.InvalidJSON, record: 3, uses: 2},
		"a record without its first brace":                     {content: []byte(wrapped(use("1"), use("2"), `"eventSource":"x"}`, use("3"))), reason: cloudtrail.InvalidJSON, uses: 2},
		"a missing quote":                                      {content: []byte(wrapped(use("1"), use("2"), `{"a":{"b":"c,"d":"e"}}`, use("3"))), uses: 2},
		"a closing bracket of the wrong kind":                  {content: []byte(wrapped(use("1"), use("2"), `{"a":"b"]`, use("3"))), reason: cloudtrail.InvalidJSON, record: 3, uses: 2},
		"a plain file that ends within a record":               {content: []byte(good[:len(good)-10]), reason: cloudtrail.Truncated, record: 2, uses: 1},
		"an empty file":                                        {content: []byte{}, reason: cloudtrail.Truncated},
		"a file of spaces":                                     {content: []byte(" \n "), reason: cloudtrail.NoRecords},
		"a packed file of nothing":                             {content: packed(""), reason: cloudtrail.NoRecords},
		"text":                                                 {content: []byte("hello"), reason: cloudtrail.NotGzip},
		"JSON that is no record":                               {content: []byte(`{"digestStartTime":"2026-03-01T12:00:00Z"}`), reason: cloudtrail.NoRecord, record: 1},
		"an element that is no record, and the rest goes on":   {content: []byte(wrapped(use("1"), "null", use("2"))), reason: cloudtrail.NoRecord, record: 2, uses: 2},
		"a record over the limit, and the rest goes on":        {content: []byte(wrapped(use("1"), use("3", `"x":"`+strings.Repeat(`\"}`, 1<<16)+`"`), use("2"))), opt: limits(0, 1<<16), reason: cloudtrail.RecordTooLong, record: 2, uses: 2},
		"a record without a time, and the rest goes on":        {content: []byte(wrapped(use("1"), strings.Replace(use("3"), "eventTime", "x", 1), use("2"))), reason: cloudtrail.NoTime, record: 2, uses: 2},
		"a record whose time is none":                          {content: []byte(wrapped(use("1"), strings.Replace(use("3"), "2026-03-01T", "yesterday ", 1), use("2"))), reason: cloudtrail.NoTime, record: 2, uses: 2},
		"a record of the future, and the rest goes on":         {content: []byte(wrapped(use("1"), strings.Replace(use("3"), "2026-03-01", "2036-03-01", 1), use("2"))), reason: cloudtrail.FutureTime, record: 2, uses: 2},
		"a LookupEvents answer whose event is cut, and so on":  {content: []byte(`{"Events":[{"CloudTrailEvent":"{\"eventSource\":"},` + use("1") + `,` + use("2") + `]}`), reason: cloudtrail.InvalidJSON, record: 1, uses: 2},
		"a packed file whose name says that it is plain JSON":  {content: zip, uses: 2},
		"gzip members one after another, an event across them": {content: append(packed(good[:200]), packed(good[200:])...), uses: 2},
		"a byte order mark":                                    {content: []byte("\ufeff" + good), uses: 2},
	} {
		t.Run(name, func(t *testing.T) {
			var opts []func(*cloudtrail.ScanOptions)
			if tt.opt != nil {
				opts = append(opts, tt.opt)
			}
			name := delivered(1, 12)
			if tt.uses > 0 && tt.reason == "" {
				name = strings.TrimSuffix(name, ".gz")
			}
			h := scan(t, fstest.MapFS{name: file(tt.content), delivered(2, 12): file(packed(wrapped(use("other"))))}, opts...)
			r, _ := h.Key(keyARN)
			if got := r.Operations["Decrypt"] - 1; got != tt.uses {
				t.Errorf("%d uses, want %d", got, tt.uses)
			}
			gaps := h.Gaps()
			if strings.Contains(t.Name(), "missing_quote") {
				if len(gaps) == 0 {
					t.Error("no gap")
				}
				return
			}
			if tt.reason == "" {
				if len(gaps) != 0 {
					t.Errorf("gaps %v", gaps)
				}
				return
			}
			// One thing can lead to another: a record that is none, to what follows it.
			i := slices.IndexFunc(gaps, func(g cloudtrail.Gap) bool { return g.Reason == tt.reason })
			if i < 0 {
				t.Fatalf("gaps %v, want %q", gaps, tt.reason)
			}
			g := gaps[i]
			if g.Reason != tt.reason || g.Path != name || tt.record != 0 && g.Record != tt.record || g.Count != 1 || g.Account != "111122223333" || g.Region != "us-west-2" || !g.Day.Equal(at("2026-03-01T00:00:00Z")) {
				t.Errorf("gap %+v (%v)", g, g)
			}
			if g.Record > 1 && g.Offset == 0 {
				t.Errorf("gap without an offset: %+v", g)
			}
			// The day is no longer good for "none seen".
			for _, c := range h.Coverage() {
				if len(c.BlindSpots) == 0 && c.From.Before(at("2026-03-02T00:00:00Z")) {
					t.Errorf("no blind spot in %+v", c)
				}
			}
		})
	}
}

// failing is a file system that fails for some files.
type failing struct {
	fs.FS
	open map[string]error
	read map[string]error
}

func (f failing) Open(name string) (fs.File, error) {
	if err := f.open[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file, err := f.FS.Open(name)
	if err != nil || f.read[name] == nil {
		return file, err
	}
	return failingFile{file, iotest.TimeoutReader(file), f.read[name]}, nil
}

type failingFile struct {
	fs.File
	r   io.Reader
	err error
}

func (f failingFile) Read(p []byte) (int, error) {
	n, err := f.r.Read(p[:min(len(p), 100)])
	if errors.Is(err, iotest.ErrTimeout) {
		return n, f.err
	}
	return n, err
}

func TestAFileThatVanishesOrIsDeniedIsAGapAndTheRestGoesOn(t *testing.T) {
	broken := errors.New("connection reset")
	for name, tt := range map[string]struct {
		open, read error
		reason     cloudtrail.GapReason
	}{
		"vanished":                 {open: fs.ErrNotExist, reason: cloudtrail.Vanished},
		"denied":                   {open: fs.ErrPermission, reason: cloudtrail.Denied},
		"failing while it opens":   {open: broken, reason: cloudtrail.Unreadable},
		"failing while it is read": {read: broken, reason: cloudtrail.Unreadable},
	} {
		t.Run(name, func(t *testing.T) {
			bad := delivered(2, 1)
			h, err := cloudtrail.Scan(t.Context(), failing{
				FS: fstest.MapFS{
					delivered(1, 1): file(packed(wrapped(use("1")))),
					bad:             file(packed(wrapped(use("2")))),
					delivered(3, 1): file(packed(wrapped(use("3")))),
				},
				open: map[string]error{bad: tt.open}, read: map[string]error{bad: tt.read},
			})
			if err != nil {
				t.Fatal(err)
			}
			if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != 2 {
				t.Errorf("%+v", r)
			}
			gaps := h.Gaps()
			if len(gaps) != 1 || gaps[0].Reason != tt.reason || gaps[0].Path != bad || gaps[0].Err == nil {
				t.Fatalf("gaps %v", gaps)
			}
			if d := h.Days()[0]; len(d.Missing) != 1 || !d.Missing[0].From.Equal(at("2026-03-02T00:00:00Z")) || d.Missing[0].Count() != 1 {
				t.Errorf("days %+v", d)
			}
		})
	}
}

func TestAFolderThatCannotBeListedIsAGapAndABlindSpotOfAllThatItMayHold(t *testing.T) {
	for name, tt := range map[string]struct {
		folder string
		blind  bool // of the days that were seen
	}{
		"of the next day":    {"AWSLogs/111122223333/CloudTrail/us-west-2/2026/03/02", true}, // its first files hold the end of the day
		"of another day":     {"AWSLogs/111122223333/CloudTrail/us-west-2/2026/03/03", false},
		"of a month":         {"AWSLogs/111122223333/CloudTrail/us-west-2/2026/04", true},
		"of another account": {"AWSLogs/444455556666", false},
		"of nobody knows":    {"more", true},
	} {
		t.Run(name, func(t *testing.T) {
			archive := fstest.MapFS{tt.folder + "/x.json": file([]byte(wrapped(use("2"))))}
			for hour := range 24 {
				archive[delivered(1, hour)] = file(packed(wrapped(use("1"))))
			}
			h, err := cloudtrail.Scan(t.Context(), failing{FS: archive, open: map[string]error{tt.folder: fs.ErrPermission}})
			if err != nil {
				t.Fatal(err)
			}
			if gaps := h.Gaps(); len(gaps) != 1 || gaps[0].Reason != cloudtrail.Denied || gaps[0].Path != tt.folder {
				t.Fatalf("gaps %v", gaps)
			}
			c := h.Coverage()
			if len(c) != 1 || (len(c[0].BlindSpots) > 0) != tt.blind {
				t.Errorf("coverage %+v", c)
			}
		})
	}
}

func TestAnArchiveThatCannotBeListedIsAnError(t *testing.T) {
	h, err := cloudtrail.Scan(t.Context(), failing{FS: fstest.MapFS{}, open: map[string]error{".": fs.ErrPermission}})
	if h != nil || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, %v", h, err)
	}
}

func TestOptionsThatCannotBeMeantAreAnErrorBeforeAnythingIsRead(t *testing.T) {
	for name, opt := range map[string]func(*cloudtrail.ScanOptions){
		"a negative limit":        func(o *cloudtrail.ScanOptions) { o.MaxFile = -1 },
		"too many workers":        func(o *cloudtrail.ScanOptions) { o.Workers = 5000 },
		"an account that is none": func(o *cloudtrail.ScanOptions) { o.Accounts = []string{"1234"} },
		"a Region that is none":   func(o *cloudtrail.ScanOptions) { o.Regions = []string{"Ireland"} },
		"an end before its begin": func(o *cloudtrail.ScanOptions) { o.From, o.To = now, now },
	} {
		t.Run(name, func(t *testing.T) {
			h, err := cloudtrail.Scan(t.Context(), failing{FS: fstest.MapFS{}, open: map[string]error{".": errors.New("listed")}}, opt)
			if h != nil || !errors.Is(err, usage.ErrInvalidOption) {
				t.Errorf("%v, %v", h, err)
			}
		})
	}
	if _, err := cloudtrail.Scan(t.Context(), nil, nil); !errors.Is(err, usage.ErrInvalidOption) {
		t.Errorf("without a file system: %v", err)
	}
}

func TestWhatWasReadBeforeTheContextEndedIsKeptAndProvesNoAbsence(t *testing.T) {
	archive := fstest.MapFS{}
	for hour := range 24 {
		archive[delivered(1, hour)] = file(packed(wrapped(use(fmt.Sprint(hour)))))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var done atomic.Int64
	h, err := cloudtrail.Scan(ctx, archive, func(o *cloudtrail.ScanOptions) {
		o.Workers = 1
		o.Progress = func(p cloudtrail.ScanProgress) {
			done.Store(int64(p.FilesDone))
			if p.FilesDone == 5 {
				cancel()
			}
		}
	})
	if !errors.Is(err, context.Canceled) || h == nil {
		t.Fatalf("%v, %v", h, err)
	}
	r, _ := h.Key(keyARN)
	if n := r.Operations["Decrypt"]; n < 5 || n > 6 {
		t.Errorf("%d uses, want those of the five files, or of one more that had been opened", n)
	}
	for _, c := range h.Coverage() {
		if !slices.Contains(c.BlindSpots, "the scan was interrupted") {
			t.Errorf("coverage %+v", c)
		}
	}
	for _, g := range h.Gaps() {
		t.Errorf("a gap: %v", g)
	}
}

func TestAScanWithAContextThatHasEndedReadsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h, err := cloudtrail.Scan(ctx, fstest.MapFS{delivered(1, 1): file(packed(wrapped(use("1"))))})
	if !errors.Is(err, context.Canceled) || h == nil || h.Stats().Files != 0 {
		t.Errorf("%v, %v", h, err)
	}
}

func TestTooManyKeysAreAGapAndABlindSpotOfEverything(t *testing.T) {
	h := scan(t, fstest.MapFS{
		delivered(1, 1): file(packed(wrapped(use("1"), strings.ReplaceAll(use("2"), keyARN, otherARN)))),
		delivered(2, 1): file(packed(wrapped(use("3")))),
		delivered(3, 1): file(packed(wrapped(use("4")))),
	}, func(o *cloudtrail.ScanOptions) { o.Keys, o.Workers = 1, 1 })
	if gaps := h.Gaps(); len(gaps) != 1 || gaps[0].Reason != cloudtrail.TooManyKeys || gaps[0].Record != 2 {
		t.Errorf("gaps %v", gaps)
	}
	for _, c := range h.Coverage() {
		if len(c.BlindSpots) == 0 {
			t.Errorf("coverage %+v", c)
		}
	}
}

func TestGapsSurviveJSON(t *testing.T) {
	h := scan(t, fstest.MapFS{delivered(1, 1): file([]byte("x"))})
	b, err := json.Marshal(h.Gaps())
	if err != nil {
		t.Fatal(err)
	}
	var back []cloudtrail.Gap
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	want := h.Gaps()[0]
	if want.Err = nil; len(back) != 1 || back[0] != want {
		t.Errorf("%+v, want %+v", back, want)
	}
	if s := want.String(); !strings.Contains(s, delivered(1, 1)) || !strings.Contains(s, string(cloudtrail.NotGzip)) {
		t.Errorf("text %q", s)
	}
}
