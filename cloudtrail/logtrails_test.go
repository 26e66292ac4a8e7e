package cloudtrail_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// march is an archive of the whole of March with a file every six hours; on the
// days before quiet each holds a use.
func march(t *testing.T, quiet int, opts ...func(*cloudtrail.ScanOptions)) *cloudtrail.LogHistory {
	t.Helper()
	fsys := fstest.MapFS{}
	for day := 1; day <= 31; day++ {
		for hour := 0; hour < 24; hour += 6 {
			content := wrapped()
			if day < quiet {
				content = wrapped(strings.Replace(use(delivered(day, hour)), "2026-03-01", "2026-03-"+delivered(day, hour)[50:52], 1))
			}
			fsys[delivered(day, hour)] = file(packed(content))
		}
	}
	h := scan(t, fsys, opts...)
	if c := h.Coverage(); quiet == 32 && (len(c) != 1 || len(c[0].BlindSpots) != 0) {
		t.Fatalf("coverage %+v", c)
	}
	return h
}

// spotless are the stretches of us-west-2 without a blind spot, in days of March.
func spotless(h *cloudtrail.LogHistory) string {
	var s []string
	for _, c := range h.Coverage() {
		if c.Region == "us-west-2" && c.BlindSpots != nil && len(c.BlindSpots) == 0 {
			s = append(s, c.From.Format("02T15:04")+" to "+c.To.Format("02T15:04"))
		}
	}
	return strings.Join(s, ", ")
}

func TestTrailsSetUpBadlyTodayAreBlindSpotsOfTheArchiveUnlessItDisprovesThem(t *testing.T) {
	const all = "01T00:00 to 31T17:45"
	without, writes := basic(basicSel(types.ReadWriteTypeAll, "kms.amazonaws.com")), basic(basicSel(types.ReadWriteTypeWriteOnly))
	days := func(d, h int) *time.Time {
		return aws.Time(time.Date(2026, time.March, d, h, 0, 0, 0, time.UTC))
	}
	for name, tt := range map[string]struct {
		edit   func(*trailsFake)
		opt    func(*cloudtrail.ScanOptions)
		quiet  int // from this day on there are no uses; 0: none
		bucket string
		want   string
	}{
		"a trail that records everything changes nothing": {want: all},
		// Reads are in the archive until 24 March at least: the last 7 days may be silent.
		// What it did with events that write before is not known: it may have recorded reads only.
		"without KMS":                   {edit: func(f *trailsFake) { f.selectors[mainTrail] = without }, want: ""},
		"writes only":                   {edit: func(f *trailsFake) { f.selectors[mainTrail] = writes }, want: "01T00:00 to 23T23:00"},
		"writes only, and it shows":     {edit: func(f *trailsFake) { f.selectors[mainTrail] = writes }, quiet: 20, want: "01T00:00 to 11T23:00"},
		"writes only, seen to the day":  {edit: func(f *trailsFake) { f.selectors[mainTrail] = writes }, opt: func(o *cloudtrail.ScanOptions) { o.QuietDays = 1 }, want: "01T00:00 to 29T23:00"},
		"writes only, silence believed": {edit: func(f *trailsFake) { f.selectors[mainTrail] = writes }, opt: func(o *cloudtrail.ScanOptions) { o.QuietDays = -1 }, want: ""},
		"writes only, too short":        {edit: func(f *trailsFake) { f.selectors[mainTrail] = writes }, opt: func(o *cloudtrail.ScanOptions) { o.QuietDays = 31 }, want: ""},
		"reads only":                    {edit: func(f *trailsFake) { f.selectors[mainTrail] = basic(basicSel(types.ReadWriteTypeReadOnly)) }, want: ""},
		"in part":                       {edit: func(f *trailsFake) { f.selectors[mainTrail] = advanced(management(notEqual("userIdentity.arn", "x"))) }, want: ""},
		"without uses by name": {edit: func(f *trailsFake) {
			f.selectors[mainTrail] = advanced(management(startsWith("eventName", "Describe")))
		}, want: ""},
		"selectors denied":          {edit: func(f *trailsFake) { f.fail["GetEventSelectors"] = apiError("AccessDeniedException") }, want: ""},
		"status denied":             {edit: func(f *trailsFake) { f.fail["GetTrailStatus"] = apiError("AccessDeniedException") }, want: ""},
		"trails not listed":         {edit: func(f *trailsFake) { f.fail["DescribeTrails"] = apiError("AccessDeniedException") }, want: ""},
		"no trail":                  {edit: func(f *trailsFake) { f.list = []types.Trail{} }, want: ""},
		"a trail of another bucket": {bucket: "copy", want: ""},
		"delivery fails":            {edit: func(f *trailsFake) { f.status[mainTrail].LatestDeliveryError = aws.String("AccessDenied") }, want: ""},
		"stopped": {edit: func(f *trailsFake) {
			f.status[mainTrail].IsLogging, f.status[mainTrail].StopLoggingTime = aws.Bool(false), days(20, 3)
		}, want: "01T00:00 to 20T03:00"},
		"stopped for a while": {edit: func(f *trailsFake) {
			f.status[mainTrail].StopLoggingTime, f.status[mainTrail].StartLoggingTime = days(10, 3), days(10, 5)
		}, want: "01T00:00 to 10T03:00, 10T05:00 to 31T17:45"},
		"begun in its midst":    {edit: func(f *trailsFake) { f.status[mainTrail].StartLoggingTime = days(12, 0) }, want: "12T00:00 to 31T17:45"},
		"delivered up to then":  {edit: func(f *trailsFake) { f.status[mainTrail].LatestDeliveryTime = days(25, 0) }, want: "01T00:00 to 25T00:00"},
		"stopped after its end": {edit: func(f *trailsFake) { f.status[mainTrail] = stoppedAt(now.Add(-time.Hour)) }, want: all},
		"writes only, stopped for a while": {edit: func(f *trailsFake) {
			f.selectors[mainTrail] = writes
			f.status[mainTrail].StopLoggingTime, f.status[mainTrail].StartLoggingTime = days(10, 3), days(10, 5)
		}, want: "01T00:00 to 10T03:00, 10T05:00 to 23T23:00"},
		"without KMS beside one that records everything": {edit: func(f *trailsFake) {
			f.selectors[mainTrail] = without
			f.add(farTrail, func(*types.Trail) {})
		}, want: all},
		"without KMS beside one that did, until it was stopped": {edit: func(f *trailsFake) {
			f.selectors[mainTrail] = without
			f.add(farTrail, func(*types.Trail) {})
			f.status[farTrail] = stoppedAt(*days(15, 0))
		}, want: "01T00:00 to 15T00:00"},
		// Which of the two delivered the uses that the archive shows is not known.
		"without KMS both": {edit: func(f *trailsFake) {
			f.selectors[mainTrail] = without
			f.add(farTrail, func(*types.Trail) {})
			f.selectors[farTrail] = without
		}, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(*types.Trail) {})
			if tt.edit != nil {
				tt.edit(c)
			}
			report, err := cloudtrail.ReadTrails(t.Context(), c, "111122223333", "us-west-2", atNow)
			if report == nil {
				t.Fatal(err)
			}
			quiet, bucket := 32, "logs"
			if tt.quiet != 0 {
				quiet = tt.quiet
			}
			if tt.bucket != "" {
				bucket = tt.bucket
			}
			h := march(t, quiet, tt.opt)
			before := h.Coverage()
			with := h.With(bucket, "", report, nil)
			if got := spotless(with); got != tt.want {
				t.Errorf("without a blind spot: %q, want %q", got, tt.want)
			}
			// The stretches lie end to end as the one before, and say who says so.
			after := with.Coverage()
			if from, to := after[0].From, after[len(after)-1].To; !from.Equal(before[0].From) || !to.Equal(before[len(before)-1].To) {
				t.Errorf("%v to %v", from, to)
			}
			for i, s := range after {
				if i > 0 && !s.From.Equal(after[i-1].To) || !s.From.Before(s.To) {
					t.Errorf("a hole or an overlap at %v", s.From)
				}
				if tt.quiet == 0 && len(s.BlindSpots) > 0 && !strings.HasSuffix(s.BlindSpots[0], " (as of 2026-11-16T09:00:00Z)") {
					t.Errorf("%q", s.BlindSpots)
				}
			}
			if !reflect.DeepEqual(h.Coverage(), before) {
				t.Error("the receiver has changed")
			}
		})
	}
}

func stoppedAt(at time.Time) *trail.GetTrailStatusOutput {
	return &trail.GetTrailStatusOutput{IsLogging: aws.Bool(false), StartLoggingTime: &began, StopLoggingTime: &at, LatestDeliveryTime: &at}
}

func TestTrailsSpeakOfTheirOwnAccountAndRegionAlone(t *testing.T) {
	c := oneTrail(func(*types.Trail) {})
	c.selectors[mainTrail] = basic(basicSel(types.ReadWriteTypeReadOnly))
	elsewhere, err := cloudtrail.ReadTrails(t.Context(), c, "111122223333", "eu-west-1", atNow)
	if err != nil {
		t.Fatal(err)
	}
	h := march(t, 32)
	if got := h.With("logs", "", elsewhere).Coverage(); !reflect.DeepEqual(got, h.Coverage()) {
		t.Errorf("%+v", got)
	}
	with := h.With("logs", "", elsewhere, mustRead(t, c))
	if got := spotless(with); got != "" {
		t.Errorf("without a blind spot: %q", got)
	}
	// What is known of keys stays, and Look gives the new coverage.
	r, err := with.Look(t.Context(), usage.Finding{ARN: keyARN})
	if err != nil || r.Operations["Decrypt"] != 124 || len(r.Coverage) != 1 || len(r.Coverage[0].BlindSpots) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOfWhatATrailTakesOrLeavesAsAWholeTheArchiveDisprovesTheReadingHalf(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*trailsFake)
		want string // what is left before
	}{
		"selectors that are not known": {
			func(f *trailsFake) { f.fail["GetEventSelectors"] = apiError("AccessDeniedException") },
			"whether trail main records KMS events that write is not known: GetEventSelectors: denied",
		},
		"selectors without KMS": {
			func(f *trailsFake) {
				f.selectors[mainTrail] = basic(basicSel(types.ReadWriteTypeAll, "kms.amazonaws.com"))
			},
			"trail main does not record calls of CreateGrant, calls that create keys or switch them on or off",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(*types.Trail) {})
			tt.edit(c)
			got := march(t, 32).With("logs", "", mustRead(t, c)).Coverage()
			if len(got) != 2 || !got[1].From.Equal(at("2026-03-23T23:00:00Z")) || len(got[0].BlindSpots) != 1 || len(got[1].BlindSpots) != 2 ||
				!strings.HasPrefix(got[0].BlindSpots[0], tt.want) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Blind spots are plain data, which anybody can write down.
func TestTheArchiveMovesTheBeginningOfABlindSpotOnlyLaterAndOnlyOfReads(t *testing.T) {
	reads := []cloudtrail.EventKind{cloudtrail.KindUses, cloudtrail.KindPublicKey}
	for name, tt := range map[string]struct {
		spot cloudtrail.BlindSpot
		want string
	}{
		"it began before the last read":     {cloudtrail.BlindSpot{From: at("2026-03-10T00:00:00Z"), Kinds: reads, AllOrNone: true}, "01T00:00 to 23T23:00"},
		"it began after the last read":      {cloudtrail.BlindSpot{From: at("2026-03-28T00:00:00Z"), Kinds: reads, AllOrNone: true}, "01T00:00 to 28T00:00"},
		"it leaves out some":                {cloudtrail.BlindSpot{From: at("2026-03-10T00:00:00Z"), Kinds: reads}, "01T00:00 to 10T00:00"},
		"it is of writes too":               {cloudtrail.BlindSpot{From: at("2026-03-10T00:00:00Z"), Kinds: append([]cloudtrail.EventKind{cloudtrail.KindGrants}, reads...), AllOrNone: true}, "01T00:00 to 10T00:00"},
		"it is of everything that there is": {cloudtrail.BlindSpot{From: at("2026-03-10T00:00:00Z"), AllOrNone: true}, "01T00:00 to 10T00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.spot.Text = "written down"
			report := &cloudtrail.Trails{Account: "111122223333", Region: "us-west-2", ReadAt: now, Trails: []cloudtrail.Trail{
				{ARN: mainTrail, Bucket: "logs", BlindSpots: []cloudtrail.BlindSpot{tt.spot}},
			}}
			if got := spotless(march(t, 32).With("logs", "", report)); got != tt.want {
				t.Errorf("without a blind spot: %q, want %q", got, tt.want)
			}
		})
	}
}

// Seven silent days, with one between them of which there are no files, are not
// too many: the last use is of the 6th. A stretch of three days proves none of
// its own.
func TestAShortStretchDoesNotShowThatUsesWereStillDelivered(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, day := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14} {
		for hour := 0; hour < 24; hour += 6 {
			fsys[delivered(day, hour)] = file(packed(wrapped()))
			if day <= 6 {
				fsys[delivered(day, hour)] = file(packed(wrapped(use(delivered(day, hour)))))
			}
		}
	}
	h := scan(t, fsys)
	if got := spotless(h); got != "01T00:00 to 10T17:45, 12T00:00 to 14T17:45" {
		t.Fatal(got)
	}
	c := oneTrail(func(*types.Trail) {})
	c.selectors[mainTrail] = basic(basicSel(types.ReadWriteTypeWriteOnly))
	if got := spotless(h.With("logs", "", mustRead(t, c))); got != "01T00:00 to 02T23:00" {
		t.Errorf("without a blind spot: %q", got)
	}
}
