package kmsfake_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// archive writes the log files into a file system.
func archive(t *testing.T, srv *kmsfake.Server, trails ...string) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	last := ""
	if err := srv.WriteArchive(func(name string, content []byte) error {
		if fsys[name] != nil || name <= last {
			t.Errorf("%s after %s", name, last)
		}
		last = name
		fsys[name] = &fstest.MapFile{Data: content}
		return nil
	}, trails...); err != nil {
		t.Fatal(err)
	}
	return fsys
}

// unpack reads the records of a log file.
func unpack(t *testing.T, content []byte) []record {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Records []record }
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil || bytes.ContainsRune(text, '\n') {
		t.Fatalf("%v in %s", err, text)
	}
	return file.Records
}

// delivered are the operations in the log files, in the order of the paths.
func delivered(t *testing.T, fsys fstest.MapFS) []string {
	t.Helper()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(fsys)) {
		for _, r := range unpack(t, fsys[name].Data) {
			out = append(out, r.str("eventName"))
		}
	}
	return out
}

// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
var logFile = regexp.MustCompile(`^AWSLogs/(\d{12})/CloudTrail/([a-z0-9-]+)/(\d{4}/\d\d/\d\d)/(\d{12})_CloudTrail_([a-z0-9-]+)_(\d{8}T\d{4}Z)_([A-Za-z0-9]{16})\.json\.gz$`)

func TestTheArchiveHasTheLayoutOfABucket(t *testing.T) {
	build := func() *kmsfake.Server {
		srv, clock := fake()
		for _, place := range [][2]string{{account, region}, {account, ireland}, {other, region}} {
			must(srv.Client(place[0], place[1]).ListKeys(t.Context(), &kms.ListKeysInput{}))
		}
		clock.Set(time.Date(2026, 8, 1, 23, 57, 0, 0, time.UTC))
		must(srv.Client(account, region).ListAliases(t.Context(), &kms.ListAliasesInput{}))
		must(srv.Client(account, region).CreateKey(t.Context(), &kms.CreateKeyInput{}))
		return srv
	}
	srv := build()
	fsys := archive(t, srv)
	files := map[string]int{}
	for name, file := range fsys {
		m := logFile.FindStringSubmatch(name)
		if len(m) == 0 || m[1] != m[4] || m[2] != m[5] {
			t.Fatalf("path %s", name)
		}
		stamp, err := time.Parse("20060102T1504Z", m[6])
		if err != nil || stamp.Format("2006/01/02") != m[3] {
			t.Errorf("%s: %v", name, err)
		}
		records := unpack(t, file.Data)
		files[m[1]+" "+m[2]+" "+m[6]] = len(records)
		for _, r := range records {
			at, err := time.Parse(time.RFC3339, r.str("eventTime"))
			if err != nil || r.str("recipientAccountId") != m[1] || r.str("awsRegion") != m[2] || at.After(stamp) || at.Before(stamp.Add(-5*time.Minute)) {
				t.Errorf("%s holds %v", name, r)
			}
		}
	}
	want := map[string]int{
		"111122223333 us-east-1 20260801T1205Z": 1, "111122223333 eu-west-1 20260801T1205Z": 1, "444455556666 us-east-1 20260801T1205Z": 1,
		"111122223333 us-east-1 20260802T0000Z": 2,
	}
	if !maps.Equal(files, want) {
		t.Errorf("%v", files)
	}
	again := archive(t, build())
	if !maps.EqualFunc(fsys, again, func(a, b *fstest.MapFile) bool { return bytes.Equal(a.Data, b.Data) }) {
		t.Error("the same calls leave another archive")
	}
	if path.Dir(slices.Min(slices.Collect(maps.Keys(fsys)))) != "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/08/01" {
		t.Error(slices.Sorted(maps.Keys(fsys)))
	}

	// The records are those that lookups find.
	var looked []string
	for _, r := range look(t, srv, account, region, "EventName", "CreateKey") {
		looked = append(looked, r.str("eventID"))
	}
	if len(looked) != 1 || !slices.ContainsFunc(slices.Collect(maps.Values(fsys)), func(f *fstest.MapFile) bool {
		return slices.ContainsFunc(unpack(t, f.Data), func(r record) bool { return r.str("eventID") == looked[0] })
	}) {
		t.Errorf("%v is not in the archive", looked)
	}
}

func TestALogFileHoldsSoMuchOnly(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	for range 12_000 {
		if err := srv.Use(arn, "Decrypt", august); err != nil {
			t.Fatal(err)
		}
	}
	fsys := archive(t, srv)
	if n := len(delivered(t, fsys)); len(fsys) != 3 || n != 12_000 {
		t.Errorf("%d files with %d records", len(fsys), n)
	}
}

func TestTrailsDeliverWhatTheirSelectorsSelect(t *testing.T) {
	advanced := func(fields ...trailtypes.AdvancedFieldSelector) kmsfake.Trail {
		fields = append(fields, trailtypes.AdvancedFieldSelector{Field: aws.String("eventCategory"), Equals: []string{"Management"}})
		return kmsfake.Trail{AdvancedEventSelectors: []trailtypes.AdvancedEventSelector{{FieldSelectors: fields}}}
	}
	basic := func(e trailtypes.EventSelector) kmsfake.Trail {
		return kmsfake.Trail{EventSelectors: []trailtypes.EventSelector{e}}
	}
	all := []string{"CreateKey", "DescribeTrails", "ListKeys"}
	for _, tt := range []struct {
		name  string
		trail kmsfake.Trail
		want  []string // sorted
	}{
		{"no selectors", kmsfake.Trail{}, all},
		{"a stopped trail", kmsfake.Trail{Stopped: true}, nil},
		{"one that cannot deliver", kmsfake.Trail{DeliveryError: "NoSuchBucket"}, nil},
		{"everything", basic(trailtypes.EventSelector{}), all},
		{"write only", basic(trailtypes.EventSelector{ReadWriteType: trailtypes.ReadWriteTypeWriteOnly}), []string{"CreateKey"}},
		{"read only", basic(trailtypes.EventSelector{ReadWriteType: trailtypes.ReadWriteTypeReadOnly}), []string{"DescribeTrails", "ListKeys"}},
		{"without KMS", basic(trailtypes.EventSelector{ExcludeManagementEventSources: []string{"kms.amazonaws.com"}}), []string{"DescribeTrails"}},
		{"without RDS Data", basic(trailtypes.EventSelector{ExcludeManagementEventSources: []string{"rdsdata.amazonaws.com"}}), all},
		{"no management events", basic(trailtypes.EventSelector{IncludeManagementEvents: aws.Bool(false)}), nil},
		{"the one selector or the other", kmsfake.Trail{EventSelectors: []trailtypes.EventSelector{{IncludeManagementEvents: aws.Bool(false)}, {ReadWriteType: trailtypes.ReadWriteTypeWriteOnly}}}, []string{"CreateKey"}},
		{"advanced, everything", advanced(), all},
		{"advanced, without KMS", advanced(trailtypes.AdvancedFieldSelector{Field: aws.String("eventSource"), NotEquals: []string{"kms.amazonaws.com"}}), []string{"DescribeTrails"}},
		{"advanced, write only", advanced(trailtypes.AdvancedFieldSelector{Field: aws.String("readOnly"), Equals: []string{"false"}}), []string{"CreateKey"}},
		{"advanced, by name", advanced(trailtypes.AdvancedFieldSelector{Field: aws.String("eventName"), StartsWith: []string{"List", "Desc"}, NotEndsWith: []string{"Keys"}}), []string{"DescribeTrails"}},
		{"advanced, by the end of names", advanced(trailtypes.AdvancedFieldSelector{Field: aws.String("eventName"), EndsWith: []string{"s"}, NotStartsWith: []string{"D"}}), []string{"ListKeys"}},
		{"advanced, by the caller", advanced(trailtypes.AdvancedFieldSelector{Field: aws.String("userIdentity.arn"), EndsWith: []string{"/kmsfake"}}, trailtypes.AdvancedFieldSelector{Field: aws.String("eventType"), Equals: []string{"AwsApiCall"}}), all},
		{"advanced, data events", kmsfake.Trail{AdvancedEventSelectors: []trailtypes.AdvancedEventSelector{{FieldSelectors: []trailtypes.AdvancedFieldSelector{{Field: aws.String("eventCategory"), Equals: []string{"Data"}}}}}}, nil},
		{"advanced, a field that no event here has", advanced(trailtypes.AdvancedFieldSelector{Field: aws.String("sessionCredentialFromConsole"), Equals: []string{"true"}}), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, _ := fake()
			tt.trail.Account, tt.trail.HomeRegion, tt.trail.Name = account, region, "trail"
			arn := mustAddTrail(t, srv, tt.trail)
			c := srv.Client(account, region)
			must(c.ListKeys(t.Context(), &kms.ListKeysInput{}))
			must(c.CreateKey(t.Context(), &kms.CreateKeyInput{}))
			must(srv.CloudTrail(account, region).DescribeTrails(t.Context(), &trail.DescribeTrailsInput{}))
			for _, fsys := range []fstest.MapFS{archive(t, srv), archive(t, srv, arn)} {
				got := delivered(t, fsys)
				if slices.Sort(got); !slices.Equal(got, tt.want) {
					t.Errorf("delivered %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// The clock stands still all the while: what counts is the order of the calls.
func TestChangesOfATrailHoldFromThenOnAndAreDeliveredThemselves(t *testing.T) {
	ctx := t.Context()
	srv, _ := fake()
	arn := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "trail"})
	c, ct := srv.Client(account, region), srv.CloudTrail(account, region, onceTrail)
	must(c.ListKeys(ctx, &kms.ListKeysInput{}))
	must(ct.StopLogging(ctx, &trail.StopLoggingInput{Name: &arn}))
	must(c.ListAliases(ctx, &kms.ListAliasesInput{}))                // not seen
	must(ct.StartLogging(ctx, &trail.StartLoggingInput{Name: &arn})) // nor is this
	must(c.CreateKey(ctx, &kms.CreateKeyInput{}))
	must(ct.PutEventSelectors(ctx, &trail.PutEventSelectorsInput{TrailName: &arn, EventSelectors: []trailtypes.EventSelector{{ExcludeManagementEventSources: []string{"kms.amazonaws.com"}}}}))
	must(c.ListAliases(ctx, &kms.ListAliasesInput{})) // not seen
	must(ct.UpdateTrail(ctx, &trail.UpdateTrailInput{Name: &arn, S3BucketName: aws.String("logs-" + account)}))
	_, err := ct.StopLogging(ctx, &trail.StopLoggingInput{Name: aws.String("none")}) // changes nothing
	wantCode(t, err, "TrailNotFoundException")
	must(ct.DeleteTrail(ctx, &trail.DeleteTrailInput{Name: &arn}))
	must(ct.DescribeTrails(ctx, &trail.DescribeTrailsInput{})) // not seen
	want := []string{"ListKeys", "StopLogging", "CreateKey", "PutEventSelectors", "UpdateTrail", "StopLogging", "DeleteTrail"}
	fsys := archive(t, srv)
	if got := delivered(t, fsys); !slices.Equal(got, want) {
		t.Errorf("delivered %v", got)
	}
	for _, file := range fsys {
		r := unpack(t, file.Data)[3]
		selectors, _ := json.Marshal(r["requestParameters"])
		if r.str("eventSource") != "cloudtrail.amazonaws.com" || !strings.Contains(string(selectors), `"excludeManagementEventSources":["kms.amazonaws.com"]`) || r.str("requestParameters.trailName") != arn {
			t.Errorf("%v", r)
		}
	}
}

func TestTheTrailOfAnOrganizationDeliversItsMembersToo(t *testing.T) {
	srv, _ := fake()
	org := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "org", MultiRegion: true, Organization: "o-exampleorgid", Members: []string{other}, Prefix: "audit"})
	local := mustAddTrail(t, srv, kmsfake.Trail{Account: other, HomeRegion: ireland, Name: "local"})
	for _, place := range [][2]string{{account, region}, {other, ireland}, {other, region}, {"999988887777", region}} {
		must(srv.Client(place[0], place[1]).ListKeys(t.Context(), &kms.ListKeysInput{}))
	}
	dirs := func(trails ...string) []string {
		var out []string
		for name := range archive(t, srv, trails...) {
			out = append(out, path.Dir(path.Dir(path.Dir(path.Dir(name)))))
		}
		return slices.Sorted(slices.Values(out))
	}
	want := []string{
		"audit/AWSLogs/o-exampleorgid/111122223333/CloudTrail/us-east-1", "audit/AWSLogs/o-exampleorgid/444455556666/CloudTrail/eu-west-1",
		"audit/AWSLogs/o-exampleorgid/444455556666/CloudTrail/us-east-1",
	}
	if got := dirs(org); !slices.Equal(got, want) {
		t.Errorf("the organization's: %v", got)
	}
	mine := "AWSLogs/444455556666/CloudTrail/eu-west-1"
	if got := dirs(local); !slices.Equal(got, []string{mine}) {
		t.Errorf("the account's own: %v", got)
	}
	if got := dirs(); !slices.Equal(got, append([]string{mine}, want...)) {
		t.Errorf("both: %v", got)
	}
}

func TestTheArchiveLagsAsLookupsDo(t *testing.T) {
	srv, clock := fake(func(o *kmsfake.Options) { o.LogDelay = 5 * time.Minute })
	must(srv.Client(account, region).ListKeys(t.Context(), &kms.ListKeysInput{}))
	clock.Advance(5*time.Minute - 1)
	if fsys := archive(t, srv); len(fsys) != 0 {
		t.Errorf("%d files at once", len(fsys))
	}
	clock.Advance(1)
	if fsys := archive(t, srv); len(fsys) != 1 {
		t.Errorf("%d files after five minutes", len(fsys))
	}
}

func TestWritingAnArchiveStopsAtAnError(t *testing.T) {
	srv, _ := fake()
	must(srv.Client(account, region).ListKeys(t.Context(), &kms.ListKeysInput{}))
	must(srv.Client(account, ireland).ListKeys(t.Context(), &kms.ListKeysInput{}))
	full := errors.New("no space left")
	calls := 0
	if err := srv.WriteArchive(func(string, []byte) error { calls++; return full }); !errors.Is(err, full) || calls != 1 {
		t.Errorf("%v after %d files", err, calls)
	}
	if err := srv.WriteArchive(func(string, []byte) error { return nil }, "arn:aws:cloudtrail:us-east-1:111122223333:trail/none"); err == nil || !strings.Contains(err.Error(), "trail/none") {
		t.Errorf("an unknown trail: %v", err)
	}
}

func TestATrailDeliversNothingFromBeforeItWasMade(t *testing.T) {
	srv, clock := fake()
	c := srv.Client(account, region)
	must(c.ListKeys(t.Context(), &kms.ListKeysInput{}))
	clock.Advance(time.Hour)
	made := clock.Now()
	must(c.ListAliases(t.Context(), &kms.ListAliasesInput{}))
	clock.Advance(time.Hour)
	arn := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "trail", Created: made.Add(-time.Minute)})
	if got := delivered(t, archive(t, srv, arn)); !slices.Equal(got, []string{"ListAliases"}) {
		t.Errorf("delivered %v", got)
	}
}

func TestAnArchiveFromWhichEventsAreMissingSaysSo(t *testing.T) {
	lacks := func(t *testing.T, srv *kmsfake.Server, want string, from ...string) {
		t.Helper()
		n := 0
		err := srv.WriteArchive(func(_ string, content []byte) error { n += len(unpack(t, content)); return nil }, from...)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if want != "" {
			want = "kmsfake: the archive lacks " + want + " records that were delivered: the log remembers the newest 50 events (Options.LogSize)"
		}
		if text != want {
			t.Errorf("%v, want %s", err, want)
		}
		if n > 50 || want == "" && n != 50 {
			t.Errorf("%d records", n)
		}
	}
	small := func(o *kmsfake.Options) { o.LogSize = 50 }
	ctx := t.Context()
	call := func(srv *kmsfake.Server, clock *kmsfake.Clock, n int) {
		for range n {
			clock.Advance(time.Minute)
			must(srv.Client(account, region).ListKeys(ctx, &kms.ListKeysInput{}))
		}
	}
	for _, n := range []int{51, 60, 200} { // of which some are dropped at once and some now and then
		t.Run("without trails", func(t *testing.T) {
			srv, clock := fake(small)
			call(srv, clock, 50)
			lacks(t, srv, "")
			call(srv, clock, n-50)
			lacks(t, srv, map[int]string{51: "1", 60: "10", 200: "150"}[n])
		})
		t.Run("with a trail", func(t *testing.T) {
			srv, clock := fake(small)
			arn := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "trail"})
			writes := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "writes", Bucket: "writes", EventSelectors: []trailtypes.EventSelector{{ReadWriteType: trailtypes.ReadWriteTypeWriteOnly}}})
			call(srv, clock, n)
			want := map[int]string{51: "1", 60: "10", 200: "150"}[n]
			lacks(t, srv, want)
			lacks(t, srv, want, arn)
			lacks(t, srv, want, "arn:aws:s3:::logs-"+account)
			for _, from := range []string{writes, "arn:aws:s3:::writes"} { // which would have delivered none of them
				if fsys := archive(t, srv, from); len(fsys) != 0 {
					t.Errorf("%d files", len(fsys))
				}
			}
		})
	}
	t.Run("with a trail that came later", func(t *testing.T) {
		srv, clock := fake(small)
		call(srv, clock, 200)
		late := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "late", Created: clock.Now().Add(-10 * time.Minute)})
		if fsys := archive(t, srv, late); len(delivered(t, fsys)) != 10 {
			t.Errorf("%v", delivered(t, fsys))
		}
		mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "ever"})
		if err := srv.WriteArchive(func(string, []byte) error { return nil }); err == nil {
			t.Error("the archive seems complete")
		}
	})
}

func TestFilesGoWhereTheTrailPutThemAtTheTime(t *testing.T) {
	srv, clock := fake()
	arn := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "moved", Prefix: "old", Bucket: "first"})
	list := func() {
		must(srv.Client(account, region).ListKeys(t.Context(), &kms.ListKeysInput{}))
		clock.Advance(time.Minute)
	}
	update := func(in trail.UpdateTrailInput) {
		in.Name = &arn
		must(srv.CloudTrail(account, region).UpdateTrail(t.Context(), &in))
	}
	list()
	update(trail.UpdateTrailInput{S3KeyPrefix: aws.String("new")})
	list()
	update(trail.UpdateTrailInput{S3BucketName: aws.String("second")})
	list()
	must(srv.CloudTrail(account, region).DeleteTrail(t.Context(), &trail.DeleteTrailInput{Name: &arn}))
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "moved", Created: clock.Now(), Bucket: "third"})
	list()
	for from, want := range map[string]map[string]int{
		"":                    {"old": 2, "new": 4, "AWSLogs": 1},
		arn:                   {"old": 2, "new": 4, "AWSLogs": 1},
		"arn:aws:s3:::first":  {"old": 2, "new": 2},
		"arn:aws:s3:::second": {"new": 2},
		"arn:aws:s3:::third":  {"AWSLogs": 1},
	} {
		var trails []string
		if from != "" {
			trails = []string{from}
		}
		got := map[string]int{}
		for name, file := range archive(t, srv, trails...) {
			root, _, _ := strings.Cut(name, "/")
			got[root] += len(unpack(t, file.Data))
		}
		if !maps.Equal(got, want) {
			t.Errorf("%q: %v, want %v", from, got, want)
		}
	}
	if err := srv.WriteArchive(func(string, []byte) error { return nil }, "arn:aws:s3:::fourth"); err == nil || !strings.Contains(err.Error(), "fourth") {
		t.Errorf("an unknown bucket: %v", err)
	}
}

// While the clock stands still the order of the log is that of the numbers that
// its events have drawn; else it is that of the times that they have read.
func TestTheOrderOfTheLogIsThatOfTheChanges(t *testing.T) {
	ctx := t.Context()
	for i := range 100 {
		srv, _ := fake(func(o *kmsfake.Options) {
			if i%2 == 1 {
				var ticks atomic.Int64
				o.Now = func() time.Time {
					at := august.Add(time.Duration(ticks.Add(1)))
					runtime.Gosched()
					return at
				}
			}
		})
		tr := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "all"})
		key := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
		c, ct := srv.Client(account, region), srv.CloudTrail(account, region)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				var err error
				switch i % 4 {
				case 0:
					_, err = ct.StopLogging(ctx, &trail.StopLoggingInput{Name: &tr})
				case 1:
					_, err = ct.StartLogging(ctx, &trail.StartLoggingInput{Name: &tr})
				case 2:
					_, err = c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &key})
				case 3:
					_, err = c.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &key})
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		last := func(names ...string) string {
			for _, r := range look(t, srv, account, region, trailtypes.LookupAttributeKeyReadOnly, "false") {
				if name := r.str("eventName"); slices.Contains(names, name) {
					return name
				}
			}
			return ""
		}
		state := must(c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})).KeyMetadata.Enabled
		if name := last("DisableKey", "EnableKey"); state != (name == "EnableKey") {
			t.Fatalf("enabled is %t after %s", state, name)
		}
		logs := *must(ct.GetTrailStatus(ctx, &trail.GetTrailStatusInput{Name: &tr})).IsLogging
		if name := last("StopLogging", "StartLogging"); logs != (name == "StartLogging") {
			t.Fatalf("logging is %t after %s", logs, name)
		}
		must(c.ListKeys(ctx, &kms.ListKeysInput{}))
		if seen := slices.Contains(delivered(t, archive(t, srv, tr)), "ListKeys"); seen != logs {
			t.Fatalf("delivered is %t while logging is %t", seen, logs)
		}
	}
}
