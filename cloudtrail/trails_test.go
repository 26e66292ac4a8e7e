package cloudtrail_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/smithy-go"
	"go.uber.org/mock/gomock"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/cloudtrail/trailmock"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

const (
	mainTrail = "arn:aws:cloudtrail:us-west-2:111122223333:trail/main"
	farTrail  = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/far"
	orgTrail  = "arn:aws:cloudtrail:us-east-1:999988887777:trail/org"
)

// trailsFake answers from its maps, by ARN.
type trailsFake struct {
	list      []types.Trail
	selectors map[string]*trail.GetEventSelectorsOutput
	status    map[string]*trail.GetTrailStatusOutput
	fail      map[string]error // by operation, and ARN where it has one
	calls     []string
	called    func(op string)
}

func (f *trailsFake) call(op, name string) error {
	f.calls = append(f.calls, op+name)
	if f.called != nil {
		f.called(op + name)
	}
	return cmp.Or(f.fail[op+name], f.fail[op])
}

func (f *trailsFake) DescribeTrails(_ context.Context, in *trail.DescribeTrailsInput, _ ...func(*trail.Options)) (*trail.DescribeTrailsOutput, error) {
	if !aws.ToBool(in.IncludeShadowTrails) || in.TrailNameList != nil {
		return nil, errors.New("shadow trails were not asked for")
	}
	return &trail.DescribeTrailsOutput{TrailList: f.list}, f.call("DescribeTrails", "")
}

func (f *trailsFake) GetEventSelectors(_ context.Context, in *trail.GetEventSelectorsInput, _ ...func(*trail.Options)) (*trail.GetEventSelectorsOutput, error) {
	return f.selectors[*in.TrailName], f.call("GetEventSelectors", " "+*in.TrailName)
}

func (f *trailsFake) GetTrailStatus(_ context.Context, in *trail.GetTrailStatusInput, _ ...func(*trail.Options)) (*trail.GetTrailStatusOutput, error) {
	return f.status[*in.Name], f.call("GetTrailStatus", " "+*in.Name)
}

// add adds a trail that records everything and has always been logging.
func (f *trailsFake) add(arn string, edit func(*types.Trail)) {
	p := strings.Split(arn, ":")
	d := types.Trail{
		TrailARN: &arn, Name: aws.String(strings.TrimPrefix(p[5], "trail/")), HomeRegion: &p[3],
		IsMultiRegionTrail: aws.Bool(true), IsOrganizationTrail: aws.Bool(false), S3BucketName: aws.String("logs"),
	}
	edit(&d)
	f.list = append(f.list, d)
	f.selectors[arn], f.status[arn] = basic(basicSel(types.ReadWriteTypeAll)), logging()
}

func noTrail() *trailsFake {
	return &trailsFake{
		list: []types.Trail{}, fail: map[string]error{},
		selectors: map[string]*trail.GetEventSelectorsOutput{}, status: map[string]*trail.GetTrailStatusOutput{},
	}
}

func oneTrail(edit func(*types.Trail)) *trailsFake {
	f := noTrail()
	f.add(mainTrail, edit)
	return f
}

// began is when the trails of the tests began to log.
var began = at("2020-01-01T00:00:00Z")

func logging() *trail.GetTrailStatusOutput {
	return &trail.GetTrailStatusOutput{IsLogging: aws.Bool(true), StartLoggingTime: &began, LatestDeliveryTime: aws.Time(now.Add(-5 * time.Minute))}
}

func atNow(o *cloudtrail.TrailOptions) { o.Now = func() time.Time { return now } }

// mustRead reads the trails of the account and Region of the tests.
func mustRead(t *testing.T, c cloudtrail.TrailReader, opts ...func(*cloudtrail.TrailOptions)) *cloudtrail.Trails {
	t.Helper()
	got, err := cloudtrail.ReadTrails(t.Context(), c, "111122223333", "us-west-2", append([]func(*cloudtrail.TrailOptions){atNow}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantGap(t *testing.T, got *cloudtrail.Trails, op, arn, reason string) {
	t.Helper()
	if len(got.Gaps) != 1 || got.Gaps[0].Op != op || got.Gaps[0].Trail != arn || string(got.Gaps[0].Reason) != reason || got.Gaps[0].Err == nil {
		t.Errorf("gaps %+v, want one of %s %s: %s", got.Gaps, op, arn, reason)
	}
}

func apiError(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "no"}
}

func TestTrailsAreReadWithOneCallEachByTheirARN(t *testing.T) {
	c := trailmock.NewMockTrailReader(gomock.NewController(t))
	gomock.InOrder(
		c.EXPECT().DescribeTrails(gomock.Any(), &trail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(true)}, gomock.Any()).
			Return(&trail.DescribeTrailsOutput{TrailList: []types.Trail{{
				TrailARN: aws.String(mainTrail), Name: aws.String("main"), HomeRegion: aws.String("us-west-2"),
				IsMultiRegionTrail: aws.Bool(false), IsOrganizationTrail: aws.Bool(false),
				S3BucketName: aws.String("logs"), S3KeyPrefix: aws.String("audit"), KmsKeyId: aws.String(keyARN),
			}}}, nil),
		c.EXPECT().GetEventSelectors(gomock.Any(), &trail.GetEventSelectorsInput{TrailName: aws.String(mainTrail)}, gomock.Any()).
			Return(basic(basicSel(types.ReadWriteTypeAll)), nil),
		c.EXPECT().GetTrailStatus(gomock.Any(), &trail.GetTrailStatusInput{Name: aws.String(mainTrail)}, gomock.Any()).
			Return(logging(), nil),
	)
	got := mustRead(t, c)
	want := &cloudtrail.Trails{
		Account: "111122223333", Region: "us-west-2", ReadAt: now,
		Trails: []cloudtrail.Trail{{
			ARN: mainTrail, Name: "main", HomeRegion: "us-west-2", MultiRegion: aws.Bool(false), Organization: aws.Bool(false),
			Bucket: "logs", Prefix: "audit", Key: keyARN,
			Records: map[cloudtrail.EventKind]cloudtrail.Recorded{"uses": "all", "public-keys": "all", "grants": "all", "changes": "all"},
			Status:  &cloudtrail.TrailStatus{Logging: true, Started: began, Delivered: now.Add(-5 * time.Minute)},
			BlindSpots: []cloudtrail.BlindSpot{
				{Text: "trail main began to log at 2020-01-01T00:00:00Z: who delivered before is not known", To: began},
			},
		}},
	}
	if got, want := asJSON(t, got), asJSON(t, want); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if s := got.BlindSpots(); s == nil || len(s) != 0 {
		t.Errorf("blind spots %q, want an empty list", s)
	}
}

func TestWhatTheStatusSaysIsABlindSpotOfItsTime(t *testing.T) {
	monday, tuesday := at("2026-11-09T10:00:00Z"), at("2026-11-10T11:00:00Z")
	for name, tt := range map[string]struct {
		edit  func(*trail.GetTrailStatusOutput)
		opt   func(*cloudtrail.TrailOptions)
		want  []string // besides the one for the time before the start
		from  time.Time
		to    time.Time
		today bool // whether it is there as of now
		again bool // it was logging before its latest start
	}{
		"all is well": {},
		"stopped": {
			edit: func(s *trail.GetTrailStatusOutput) { s.IsLogging, s.StopLoggingTime = aws.Bool(false), &monday },
			want: []string{"trail main has not been logging since 2026-11-09T10:00:00Z"}, from: monday, today: true,
		},
		"stopped, nobody knows when": {
			edit: func(s *trail.GetTrailStatusOutput) { s.IsLogging = aws.Bool(false) },
			want: []string{"trail main is not logging"}, today: true,
		},
		"stopped a moment ago by a clock that is ahead": {
			edit: func(s *trail.GetTrailStatusOutput) {
				s.IsLogging, s.StopLoggingTime = aws.Bool(false), aws.Time(now.Add(time.Second))
			},
			want: []string{"trail main has not been logging since 2026-11-16T09:00:01Z"}, from: now, today: true,
		},
		"stopped and started again": {
			edit: func(s *trail.GetTrailStatusOutput) { s.StopLoggingTime, s.StartLoggingTime = &monday, &tuesday },
			want: []string{"trail main was not logging from 2026-11-09T10:00:00Z to 2026-11-10T11:00:00Z"}, from: monday, to: tuesday, again: true,
		},
		"stopped and started again, nobody knows when": {
			edit: func(s *trail.GetTrailStatusOutput) { s.StopLoggingTime, s.StartLoggingTime = &monday, nil },
			want: []string{"trail main was not logging from 2026-11-09T10:00:00Z"}, from: monday, today: true,
		},
		"delivery fails": {
			edit: func(s *trail.GetTrailStatusOutput) { s.LatestDeliveryError = aws.String("AccessDenied") },
			want: []string{`trail main cannot deliver: "AccessDenied"`}, today: true,
		},
		"an empty error is none": {
			edit: func(s *trail.GetTrailStatusOutput) { s.LatestDeliveryError = aws.String("") },
		},
		"nothing delivered for days": {
			edit: func(s *trail.GetTrailStatusOutput) { s.LatestDeliveryTime = &monday },
			want: []string{"trail main has delivered nothing since 2026-11-09T10:00:00Z"}, from: monday, today: true,
		},
		"nothing delivered for days, which is believed": {
			edit: func(s *trail.GetTrailStatusOutput) { s.LatestDeliveryTime = &monday },
			opt:  func(o *cloudtrail.TrailOptions) { o.Stale = -1 },
		},
		"nothing delivered for an hour, which is too long": {
			edit: func(s *trail.GetTrailStatusOutput) { s.LatestDeliveryTime = aws.Time(now.Add(-time.Hour)) },
			opt:  func(o *cloudtrail.TrailOptions) { o.Stale = time.Hour - 1 },
			want: []string{"trail main has delivered nothing since 2026-11-16T08:00:00Z"}, from: now.Add(-time.Hour), today: true,
		},
		"never delivered": {
			edit: func(s *trail.GetTrailStatusOutput) { s.LatestDeliveryTime = nil },
			want: []string{"trail main has delivered nothing"}, today: true,
		},
		"never delivered, nobody knows since when it logs": {
			edit: func(s *trail.GetTrailStatusOutput) { s.LatestDeliveryTime, s.StartLoggingTime = nil, nil },
			want: []string{"trail main has delivered nothing"}, today: true,
		},
		"started this minute": {
			edit: func(s *trail.GetTrailStatusOutput) {
				s.LatestDeliveryTime, s.StartLoggingTime = nil, aws.Time(now.Add(-time.Minute))
			},
		},
		"texts that are no longer in use say nothing": {
			edit: func(s *trail.GetTrailStatusOutput) {
				s.LatestDeliveryAttemptSucceeded, s.LatestDeliveryAttemptTime = aws.String(""), aws.String("2019-01-01T00:00:00Z")
				s.TimeLoggingStopped, s.TimeLoggingStarted = aws.String("2026-11-09T10:00:00Z"), aws.String("")
			},
		},
		"CloudWatch Logs, SNS and digests are another matter": {
			edit: func(s *trail.GetTrailStatusOutput) {
				s.LatestCloudWatchLogsDeliveryError, s.LatestDigestDeliveryError, s.LatestNotificationError = aws.String("a"), aws.String("b"), aws.String("c")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(*types.Trail) {})
			if tt.edit != nil {
				tt.edit(c.status[mainTrail])
			}
			got := mustRead(t, c, tt.opt)
			var (
				texts []string
				begun bool
			)
			for _, s := range got.Trails[0].BlindSpots {
				if strings.Contains(s.Text, "who delivered before") {
					begun = true
					if s.From.After(time.Time{}) || s.To.After(*c.status[mainTrail].StartLoggingTime) {
						t.Errorf("before the start: %+v", s)
					}
					continue
				}
				texts = append(texts, s.Text)
				if !s.From.Equal(tt.from) || !s.To.Equal(tt.to) || s.Kinds != nil {
					t.Errorf("%+v", s)
				}
			}
			if !slices.Equal(texts, tt.want) {
				t.Errorf("blind spots %q, want %q", texts, tt.want)
			}
			if started := c.status[mainTrail].StartLoggingTime != nil; begun != (started && !tt.again) {
				t.Errorf("that nothing is known of the time before its start is said: %v", begun)
			}
			if today := len(got.BlindSpots()) > 0; today != tt.today {
				t.Errorf("as of now: %q", got.BlindSpots())
			}
		})
	}
}

func TestAStatusThatIsNoAnswerIsAGapAndUnknown(t *testing.T) {
	for name, out := range map[string]*trail.GetTrailStatusOutput{
		"nothing at all":     nil,
		"no word on logging": {StartLoggingTime: &began},
		"it logs, and was stopped after it was started":      {IsLogging: aws.Bool(true), StartLoggingTime: &began, StopLoggingTime: aws.Time(began.Add(1))},
		"it does not, and was started after it was stopped ": {IsLogging: aws.Bool(false), StartLoggingTime: aws.Time(began.Add(1)), StopLoggingTime: &began},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(*types.Trail) {})
			c.status[mainTrail] = out
			got := mustRead(t, c)
			wantGap(t, got, "GetTrailStatus", mainTrail, "malformed")
			if got.Trails[0].Status != nil {
				t.Errorf("status %+v", got.Trails[0].Status)
			}
			if s := got.BlindSpots(); !slices.Equal(s, []string{"whether trail main is logging and delivering is not known: GetTrailStatus: malformed"}) {
				t.Errorf("blind spots %q", s)
			}
		})
	}
}

func TestATrailOfAnotherPlaceRecordsHereOnlyIfItSaysSo(t *testing.T) {
	for name, tt := range map[string]struct {
		arn  string
		edit func(*types.Trail)
		want []string
	}{
		"of this Region alone":                {mainTrail, func(d *types.Trail) { d.IsMultiRegionTrail = aws.Bool(false) }, nil},
		"of this Region, nobody says more":    {mainTrail, func(d *types.Trail) { d.IsMultiRegionTrail = nil }, nil},
		"of this Region, by its ARN alone":    {mainTrail, func(d *types.Trail) { d.IsMultiRegionTrail, d.HomeRegion = nil, nil }, nil},
		"of another Region, for all":          {farTrail, func(*types.Trail) {}, nil},
		"of another Region alone":             {farTrail, func(d *types.Trail) { d.IsMultiRegionTrail = aws.Bool(false) }, []string{"trail far records eu-west-1 only"}},
		"of another Region, nobody says more": {farTrail, func(d *types.Trail) { d.IsMultiRegionTrail = nil }, []string{"whether trail far of eu-west-1 records us-west-2 is not known"}},
		"of the organization":                 {orgTrail, func(d *types.Trail) { d.IsOrganizationTrail = aws.Bool(true) }, nil},
		"of another account, nobody says why": {orgTrail, func(d *types.Trail) { d.IsOrganizationTrail = nil }, []string{"whether trail org of account 999988887777 records account 111122223333 is not known"}},
		"of the organization, of another Region alone": {orgTrail, func(d *types.Trail) {
			d.IsOrganizationTrail, d.IsMultiRegionTrail = aws.Bool(true), aws.Bool(false)
		}, []string{"trail org of account 999988887777 records us-east-1 only"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := noTrail()
			c.add(tt.arn, tt.edit)
			got := mustRead(t, c)
			if s := got.BlindSpots(); !slices.Equal(s, tt.want) {
				t.Errorf("blind spots %q, want %q", s, tt.want)
			}
			if want := []string{"DescribeTrails", "GetEventSelectors " + tt.arn, "GetTrailStatus " + tt.arn}; !slices.Equal(c.calls, want) {
				t.Errorf("calls %q, want %q", c.calls, want)
			}
		})
	}
}

func TestFailuresAreGapsWithAReasonAndNeverFine(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		reason string
		is     error
	}{
		"denied":                             {apiError("AccessDeniedException"), "denied", usage.ErrAccessDenied},
		"denied, in other words":             {apiError("OperationNotPermittedException"), "denied", usage.ErrAccessDenied},
		"of the organization's account":      {&types.CloudTrailARNInvalidException{Message: aws.String("AccountID in ARN is wrong")}, "denied", usage.ErrAccessDenied},
		"credentials expired":                {apiError("ExpiredTokenException"), "unauthenticated", usage.ErrAccessDenied},
		"throttled":                          {apiError("ThrottlingException"), "throttled", usage.ErrThrottled},
		"deleted meanwhile":                  {&types.TrailNotFoundException{}, "not-found", nil},
		"not supported":                      {&types.UnsupportedOperationException{}, "unsupported", usage.ErrUnsupported},
		"out of order":                       {apiError("InternalFailure"), "unavailable", usage.ErrUnavailable},
		"an answer that cannot be decoded":   {&smithy.DeserializationError{Err: errors.New("x")}, "malformed", usage.ErrMalformed},
		"no role in the management account":  {&types.NoManagementAccountSLRExistsException{}, "failed", nil},
		"something that nobody has heard of": {errors.New("moon"), "failed", nil},
	} {
		for _, op := range []string{"DescribeTrails", "GetEventSelectors", "GetTrailStatus"} {
			t.Run(op+": "+name, func(t *testing.T) {
				c := oneTrail(func(d *types.Trail) { d.KmsKeyId = aws.String(keyARN) })
				c.add(farTrail, func(d *types.Trail) { d.S3BucketName = aws.String("elsewhere") })
				arn := mainTrail
				if op == "DescribeTrails" {
					arn, c.fail[op] = "", tt.err
				} else {
					c.fail[op+" "+arn] = tt.err
				}
				got, err := cloudtrail.ReadTrails(t.Context(), c, "111122223333", "us-west-2", atNow)
				if got == nil {
					t.Fatal(err)
				}
				wantGap(t, got, op, arn, tt.reason)
				var e *cloudtrail.TrailError
				gap := got.Gaps[0].Err
				if !errors.As(gap, &e) || e.Op != op || e.Trail != arn || !errors.Is(gap, tt.err) || !strings.Contains(gap.Error(), op) {
					t.Errorf("error %v", gap)
				}
				for _, s := range []error{usage.ErrAccessDenied, usage.ErrThrottled, usage.ErrUnsupported, usage.ErrUnavailable, usage.ErrMalformed, usage.ErrKeyNotFound} {
					if want := errors.Is(tt.is, s); errors.Is(gap, s) != want {
						t.Errorf("errors.Is(%v, %v) is not %v", gap, s, want)
					}
				}
				if op == "DescribeTrails" {
					if !errors.Is(err, gap) || got.Trails != nil {
						t.Errorf("error %v beside %v", err, got.Trails)
					}
					if s := got.BlindSpots(); !slices.Equal(s, []string{"the trails are not known: DescribeTrails: " + tt.reason}) {
						t.Errorf("blind spots %q", s)
					}
					return
				}
				// One bad trail hides no other.
				if err != nil || len(got.Trails) != 2 || len(got.BlindSpots()) != 0 {
					t.Errorf("error %v, trails %v, blind spots %q", err, got.Trails, got.BlindSpots())
				}
				if s := got.Delivering("logs", "").BlindSpots(); len(s) == 0 || !strings.HasSuffix(s[0], "is not known: "+op+": "+tt.reason) {
					t.Errorf("blind spots %q", s)
				}
				if r, err := got.Look(t.Context(), usage.Finding{ARN: keyARN}); err != nil || len(r.Dependents) != 1 {
					t.Errorf("dependents %v, %v", r.Dependents, err)
				}
			})
		}
	}
}

func TestAListThatIsNoAnswerIsAnError(t *testing.T) {
	foreign := oneTrail(func(*types.Trail) {})
	foreign.add(orgTrail, func(*types.Trail) {})
	for name, tt := range map[string]struct {
		c    *trailsFake
		text string
	}{
		"no list, not even an empty one": {&trailsFake{}, "no trailList"},
		"a trail of another account":     {foreign, "the client lists trails of account 999988887777; want account 111122223333"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloudtrail.ReadTrails(t.Context(), tt.c, "111122223333", "us-west-2", atNow)
			if !errors.Is(err, usage.ErrMalformed) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v", err)
			}
			wantGap(t, got, "DescribeTrails", "", "malformed")
			if got.Trails != nil || len(got.BlindSpots()) != 1 {
				t.Errorf("%+v", got)
			}
			if len(tt.c.calls) != 1 {
				t.Errorf("calls %q", tt.c.calls)
			}
		})
	}
	c := trailmock.NewMockTrailReader(gomock.NewController(t))
	c.EXPECT().DescribeTrails(gomock.Any(), gomock.Any(), gomock.Any()).Return(nil, nil)
	if got, err := cloudtrail.ReadTrails(t.Context(), c, "111122223333", "us-west-2"); !errors.Is(err, usage.ErrMalformed) || got == nil {
		t.Errorf("neither an answer nor an error: %v, %v", got, err)
	}
}

func TestATrailWithoutAnARNIsUnknownAndItsKeyIsNamedAllTheSame(t *testing.T) {
	for name, tt := range map[string]struct {
		edit  func(*types.Trail)
		label string
		trail string
	}{
		"none":           {func(d *types.Trail) { d.TrailARN = nil }, "trail main", "main"},
		"neither a name": {func(d *types.Trail) { d.TrailARN, d.Name = nil, nil }, "a trail without a name", ""},
		"of a channel":   {func(d *types.Trail) { d.TrailARN = aws.String("arn:aws:cloudtrail:us-west-2:111122223333:channel/1") }, "trail main", "arn:aws:cloudtrail:us-west-2:111122223333:channel/1"},
		"of KMS":         {func(d *types.Trail) { d.TrailARN = aws.String(keyARN) }, "trail main", keyARN},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(d *types.Trail) { d.KmsKeyId = aws.String(keyARN); tt.edit(d) })
			c.add(farTrail, func(d *types.Trail) { d.S3BucketName = aws.String("elsewhere") })
			got := mustRead(t, c)
			wantGap(t, got, "DescribeTrails", tt.trail, "malformed")
			if s := got.Delivering("logs", "").BlindSpots(); len(s) != 1 || !strings.HasPrefix(s[0], tt.label+" cannot be asked") {
				t.Errorf("blind spots %q", s)
			}
			if want := []string{"DescribeTrails", "GetEventSelectors " + farTrail, "GetTrailStatus " + farTrail}; !slices.Equal(c.calls, want) {
				t.Errorf("calls %q, want %q", c.calls, want)
			}
			if r, err := got.Look(t.Context(), usage.Finding{ARN: keyARN}); err != nil || len(r.Dependents) != 1 || !strings.HasPrefix(r.Dependents[0].Text, tt.label) {
				t.Errorf("dependents %+v, %v", r.Dependents, err)
			}
		})
	}
}

func TestATrailThatIsListedTwiceIsReadOnce(t *testing.T) {
	c := noTrail()
	c.add(farTrail, func(*types.Trail) {})
	c.add(mainTrail, func(*types.Trail) {})
	c.add(farTrail, func(*types.Trail) {})
	got := mustRead(t, c)
	if len(got.Trails) != 2 || got.Trails[0].ARN != farTrail || got.Trails[1].ARN != mainTrail || len(c.calls) != 5 {
		t.Errorf("trails %v, calls %q", got.Trails, c.calls)
	}
}

func TestWithoutATrailThereIsTheEventHistoryAlone(t *testing.T) {
	got := mustRead(t, noTrail())
	if want := []string{"no trail records account 111122223333 in us-west-2: the event history of the last 90 days is all there is"}; !slices.Equal(got.BlindSpots(), want) {
		t.Errorf("blind spots %q, want %q", got.BlindSpots(), want)
	}
	if got.Trails == nil || got.Gaps != nil {
		t.Errorf("%+v", got)
	}
	if r, err := got.Look(t.Context(), usage.Finding{ARN: keyARN}); err != nil || r.Dependents != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTrailsOfOnePlaceMakeUpForOneAnother(t *testing.T) {
	readOnly, writeOnly := basic(basicSel(types.ReadWriteTypeReadOnly)), basic(basicSel(types.ReadWriteTypeWriteOnly))
	without := basic(basicSel(types.ReadWriteTypeAll, "kms.amazonaws.com"))
	stopped := &trail.GetTrailStatusOutput{IsLogging: aws.Bool(false), StartLoggingTime: &began, StopLoggingTime: aws.Time(now.Add(-time.Hour))}
	for name, tt := range map[string]struct {
		main, far *trail.GetEventSelectorsOutput // nil: everything
		farStatus *trail.GetTrailStatusOutput
		apart     bool // at two places
		want      int
	}{
		"one has everything":                               {main: without, want: 0},
		"one has everything at another place":              {main: without, apart: true, want: 0},
		"one reads and one writes":                         {main: readOnly, far: writeOnly, want: 0},
		"one reads and one writes, at another place":       {main: readOnly, far: writeOnly, apart: true, want: 2},
		"one reads and the other, which writes, stopped":   {main: readOnly, far: writeOnly, farStatus: stopped, want: 2}, // its kinds of selectors are missing in main, and far stopped
		"one without KMS and one that reads":               {main: without, far: readOnly, want: 2},
		"one without KMS and the other, of all, stopped":   {main: without, farStatus: stopped, want: 3},
		"both without KMS":                                 {main: without, far: without, want: 4},
		"both without KMS at two places":                   {main: without, far: without, apart: true, want: 4},
		"one has everything and the other, of all, halted": {farStatus: stopped, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(*types.Trail) {})
			c.add(farTrail, func(d *types.Trail) {
				if tt.apart {
					d.S3KeyPrefix = aws.String("far")
				}
			})
			for arn, s := range map[string]*trail.GetEventSelectorsOutput{mainTrail: tt.main, farTrail: tt.far} {
				if s != nil {
					c.selectors[arn] = s
				}
			}
			if tt.farStatus != nil {
				c.status[farTrail] = tt.farStatus
			}
			if s := mustRead(t, c).BlindSpots(); len(s) != tt.want {
				t.Errorf("blind spots %q, want %d", s, tt.want)
			}
		})
	}
}

func TestAnArchiveIsOfTheTrailsThatDeliverIntoItsFolder(t *testing.T) {
	c := noTrail()
	for i, where := range []string{"logs/", "logs/audit", "logs/audit/west/", "logs/auditors", "other/audit"} {
		bucket, prefix, _ := strings.Cut(where, "/")
		c.add(fmt.Sprintf("arn:aws:cloudtrail:us-west-2:111122223333:trail/t%d", i), func(d *types.Trail) {
			d.S3BucketName, d.S3KeyPrefix = &bucket, &prefix
		})
	}
	all := mustRead(t, c)
	for name, tt := range map[string]struct {
		bucket, prefix string
		want           []string
	}{
		"the whole bucket":            {"logs", "", []string{"t0", "t1", "t2", "t3"}},
		"a folder and those below it": {"logs", "audit", []string{"t1", "t2"}},
		"a folder with a slash":       {"logs", "/audit/", []string{"t1", "t2"}},
		"a folder within AWSLogs":     {"logs", "audit/west/AWSLogs/111122223333/CloudTrail", []string{"t2"}},
		"AWSLogs itself":              {"logs", "AWSLogs", []string{"t0", "t1", "t2", "t3"}},
		"another bucket":              {"other", "", []string{"t4"}},
		"a folder that nobody has":    {"other", "else", nil},
		"a bucket that nobody has":    {"copy", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := all.Delivering(tt.bucket, tt.prefix)
			var names []string
			for _, tr := range d.Trails {
				names = append(names, tr.Name)
			}
			if !slices.Equal(names, tt.want) || len(all.Trails) != 5 {
				t.Errorf("%q, want %q", names, tt.want)
			}
			s := d.BlindSpots()
			if tt.want != nil && len(s) != 0 || tt.want == nil && (len(s) != 1 || !strings.HasPrefix(s[0], "no trail delivers to s3://"+tt.bucket)) {
				t.Errorf("blind spots %q", s)
			}
		})
	}
	if d := (&cloudtrail.Trails{}).Delivering("logs", ""); d.Trails != nil || len(d.BlindSpots()) != 1 {
		t.Errorf("trails that were not listed: %+v, %q", d, d.BlindSpots())
	}
}

func TestTheKeyOfATrailNamesTheTrailAsItsDependent(t *testing.T) {
	const (
		id      = "1234abcd-12ab-34cd-56ef-1234567890ab"
		replica = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
		primary = "arn:aws:kms:us-west-2:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	)
	named := usage.Finding{ARN: keyARN, Aliases: []string{"alias/logs"}}
	unread := usage.Finding{ARN: keyARN}
	short := usage.Finding{ARN: keyARN, Aliases: []string{"alias/app"}, Gaps: []usage.Gap{{Op: "ListAliases", Reason: usage.Throttled}}}
	for name, tt := range map[string]struct {
		trail string
		key   string
		f     usage.Finding
		want  bool
		open  bool
	}{
		"its ARN":                                  {mainTrail, keyARN, unread, true, false},
		"the ARN of another key":                   {mainTrail, otherARN, named, false, false},
		"none":                                     {mainTrail, "", named, false, false},
		"the key of another account's trail":       {orgTrail, keyARN, named, true, false},
		"the primary's ARN, for the primary":       {mainTrail, primary, usage.Finding{ARN: primary}, true, false},
		"the primary's ARN, for the replica":       {mainTrail, primary, usage.Finding{ARN: replica}, false, false},
		"its ID":                                   {mainTrail, id, unread, true, false},
		"its ID, in another Region":                {farTrail, id, unread, false, false},
		"its ID, in another account":               {"arn:aws:cloudtrail:us-west-2:999988887777:trail/org", id, unread, false, false},
		"its alias, in another account":            {"arn:aws:cloudtrail:us-west-2:999988887777:trail/org", "alias/logs", named, false, false},
		"the ID of a set, for the member there":    {farTrail, "mrk-1234abcd12ab34cd56ef1234567890ab", usage.Finding{ARN: replica}, true, false},
		"the ID of a set, for another member":      {farTrail, "mrk-1234abcd12ab34cd56ef1234567890ab", usage.Finding{ARN: primary}, false, false},
		"its alias":                                {mainTrail, "alias/logs", named, true, false},
		"another alias":                            {mainTrail, "alias/app", named, false, false},
		"its alias, in another Region":             {farTrail, "alias/logs", named, false, false},
		"the ARN of its alias":                     {farTrail, "arn:aws:kms:us-west-2:111122223333:alias/logs", named, true, false},
		"the ARN of another alias":                 {mainTrail, "arn:aws:kms:us-west-2:111122223333:alias/app", named, false, false},
		"the ARN of an alias of another Region":    {mainTrail, "arn:aws:kms:eu-west-1:111122223333:alias/logs", named, false, false},
		"an alias, and aliases were not read":      {mainTrail, "alias/logs", unread, false, true},
		"an alias, and some aliases were not read": {mainTrail, "alias/logs", short, false, true},
		"an alias that was read among some":        {mainTrail, "alias/app", short, true, false},
		"an ARN that is none of KMS":               {mainTrail, "arn:aws:s3:::logs", named, false, false},
		"no more than the beginning of an ARN":     {mainTrail, "arn:aws:kms", named, false, false},
		"its ID, for a key that has no ARN":        {mainTrail, id, usage.Finding{}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := noTrail()
			c.add(tt.trail, func(d *types.Trail) { d.IsOrganizationTrail, d.KmsKeyId = aws.Bool(true), &tt.key })
			r, err := mustRead(t, c).Look(t.Context(), tt.f)
			if (err != nil) != tt.open {
				t.Errorf("error %v", err)
			}
			if r.Source != "cloudtrail-trails" || r.Coverage != nil {
				t.Errorf("%+v", r)
			}
			if !tt.want {
				if r.Dependents != nil {
					t.Errorf("%+v", r.Dependents)
				}
				return
			}
			if len(r.Dependents) != 1 || r.Dependents[0].Resource != tt.trail || r.Dependents[0].Service != "cloudtrail.amazonaws.com" {
				t.Errorf("%+v", r.Dependents)
			}
		})
	}
}

func TestADependentSaysWhetherTheTrailIsLogging(t *testing.T) {
	for name, tt := range map[string]struct {
		status *trail.GetTrailStatusOutput
		want   string
	}{
		"it is":       {logging(), "trail main encrypts its log files in s3://logs/audit with it; it is logging"},
		"it stopped":  {&trail.GetTrailStatusOutput{IsLogging: aws.Bool(false), StopLoggingTime: &began}, "trail main encrypts its log files in s3://logs/audit with it; it is not logging since 2020-01-01T00:00:00Z, but what it delivered before can be read with the key only"},
		"it is not":   {&trail.GetTrailStatusOutput{IsLogging: aws.Bool(false)}, "trail main encrypts its log files in s3://logs/audit with it; it is not logging, but what it delivered before can be read with the key only"},
		"nobody says": {nil, "trail main encrypts its log files in s3://logs/audit with it; whether it is logging is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(d *types.Trail) { d.KmsKeyId, d.S3KeyPrefix = aws.String(keyARN), aws.String("audit") })
			c.status[mainTrail] = tt.status
			r, err := mustRead(t, c).Look(t.Context(), usage.Finding{ARN: keyARN})
			if err != nil || len(r.Dependents) != 1 || r.Dependents[0].Text != tt.want {
				t.Errorf("%+v, %v; want %q", r.Dependents, err, tt.want)
			}
		})
	}
}

func TestWithoutAListEveryKeyHasAGapThatSurvivesJSON(t *testing.T) {
	c := noTrail()
	c.fail["DescribeTrails"] = apiError("AccessDeniedException")
	got, err := cloudtrail.ReadTrails(t.Context(), c, "111122223333", "us-west-2", atNow)
	if !errors.Is(err, usage.ErrAccessDenied) {
		t.Fatal(err)
	}
	for name, h := range map[string]*cloudtrail.Trails{"as read": got, "after JSON": throughJSON(t, got)} {
		if r, err := h.Look(t.Context(), usage.Finding{ARN: keyARN}); !errors.Is(err, usage.ErrAccessDenied) || r.Dependents != nil {
			t.Errorf("%s: %v, %v", name, r.Dependents, err)
		}
	}
	// The zero value was not listed either.
	if _, err := new(cloudtrail.Trails).Look(t.Context(), usage.Finding{ARN: keyARN}); !errors.Is(err, usage.ErrMalformed) {
		t.Errorf("%v", err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func throughJSON(t *testing.T, in *cloudtrail.Trails) *cloudtrail.Trails {
	t.Helper()
	out := new(cloudtrail.Trails)
	if err := json.Unmarshal([]byte(asJSON(t, in)), out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTrailsSurviveJSON(t *testing.T) {
	c := oneTrail(func(d *types.Trail) { d.KmsKeyId, d.S3KeyPrefix = aws.String(keyARN), aws.String("audit") })
	c.add(orgTrail, func(d *types.Trail) { d.IsOrganizationTrail = aws.Bool(true) })
	c.add(farTrail, func(d *types.Trail) { d.IsMultiRegionTrail = nil })
	c.selectors[mainTrail] = basic(basicSel(types.ReadWriteTypeWriteOnly))
	c.status[farTrail] = &trail.GetTrailStatusOutput{IsLogging: aws.Bool(false), StopLoggingTime: aws.Time(now.Add(-time.Hour)), LatestDeliveryError: aws.String("NoSuchBucket")}
	c.fail["GetEventSelectors "+orgTrail] = &types.CloudTrailARNInvalidException{}
	got := mustRead(t, c)
	back := throughJSON(t, got)
	if len(back.Gaps) != 1 || back.Gaps[0].Err != nil || back.Gaps[0].Reason != usage.Denied {
		t.Errorf("gaps %+v", back.Gaps)
	}
	if back.ReadAt != got.ReadAt || !reflect.DeepEqual(got.Trails, back.Trails) || asJSON(t, got) != asJSON(t, back) {
		t.Errorf("\n got %+v\nwant %+v", back, got)
	}
	if len(back.BlindSpots()) == 0 || !slices.Equal(back.BlindSpots(), got.BlindSpots()) {
		t.Errorf("blind spots %q", back.BlindSpots())
	}
}

func TestBlindSpotsThatWereLostAreNotNone(t *testing.T) {
	got := mustRead(t, oneTrail(func(*types.Trail) {}))
	got.Trails[0].BlindSpots = nil
	if s := got.BlindSpots(); len(s) != 1 || !strings.HasPrefix(s[0], "nobody said what trail main") {
		t.Errorf("%q", s)
	}
}

func TestTheEndOfTheContextKeepsWhatWasReadAndTheRestIsUnknown(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c := oneTrail(func(*types.Trail) {})
	c.add(farTrail, func(*types.Trail) {})
	tired := errors.New("tired")
	c.called = func(op string) {
		if op == "GetTrailStatus "+farTrail {
			cancel(tired)
		}
	}
	got, err := cloudtrail.ReadTrails(ctx, c, "111122223333", "us-west-2", atNow)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, tired) || got == nil {
		t.Fatalf("%v, %v", got, err)
	}
	if len(got.Trails) != 2 || got.Trails[0].Status == nil || got.Trails[1].Records != nil || got.Trails[1].Status != nil || len(c.calls) != 3 {
		t.Errorf("%+v, calls %q", got.Trails, c.calls)
	}
	if len(got.Gaps) != 2 || got.Gaps[0].Reason != usage.Failed || !errors.Is(got.Gaps[1].Err, context.Canceled) {
		t.Errorf("gaps %+v", got.Gaps)
	}
	ctx, canceled := context.WithCancel(t.Context())
	canceled()
	got, err = cloudtrail.ReadTrails(ctx, c, "111122223333", "us-west-2", atNow)
	if !errors.Is(err, context.Canceled) || errors.Is(err, tired) || got.Trails != nil || len(c.calls) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestArgumentsThatCannotBeMeantAreAnErrorBeforeAnyCall(t *testing.T) {
	c := oneTrail(func(*types.Trail) {})
	for name, tt := range map[string]struct {
		c               cloudtrail.TrailReader
		account, region string
	}{
		"no client":             {nil, "111122223333", "us-west-2"},
		"a nil client":          {(*trail.Client)(nil), "111122223333", "us-west-2"},
		"no account":            {c, "", "us-west-2"},
		"a Region that is none": {c, "111122223333", "Oregon"},
	} {
		if got, err := cloudtrail.ReadTrails(t.Context(), tt.c, tt.account, tt.region, nil); got != nil || !errors.Is(err, usage.ErrInvalidOption) || c.calls != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestAnInspectionTakesTrailsAsAHistory(t *testing.T) {
	srv := kmsfake.New()
	arn, err := srv.AddKey(kmsfake.Key{Account: "111122223333", Region: "us-west-2", Created: time.Now().AddDate(-1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	inspect := func(h usage.History) usage.Finding {
		t.Helper()
		fs, err := usage.Collect(usage.Inspect(t.Context(), srv.Client("111122223333", "us-west-2"), func(o *usage.InspectOptions) { o.History = []usage.History{h} }))
		if err != nil || len(fs) != 1 {
			t.Fatal(fs, err)
		}
		return fs[0]
	}
	c := oneTrail(func(d *types.Trail) { d.KmsKeyId = &arn })
	f := inspect(mustRead(t, c))
	if len(f.History) != 1 || len(f.History[0].Dependents) != 1 || f.History[0].Dependents[0].Resource != mainTrail || len(f.Gaps) != 0 {
		t.Errorf("%+v, gaps %v", f.History, f.Gaps)
	}
	if v := usage.Classify(f, usage.Policy{}); len(usage.Holds(f, v)) == len(usage.Holds(inspect(mustRead(t, noTrail())), v)) {
		t.Error("the trail holds the key by nothing")
	}
	c.fail["DescribeTrails"] = &types.OperationNotPermittedException{}
	denied, err := cloudtrail.ReadTrails(t.Context(), c, "111122223333", "us-west-2", atNow)
	if err == nil {
		t.Fatal("no error")
	}
	for name, h := range map[string]usage.History{"as read": denied, "after JSON": throughJSON(t, denied)} {
		if g, ok := inspect(h).Gap("History:cloudtrail-trails"); !ok || g.Reason != usage.Denied {
			t.Errorf("%s: gap %+v", name, g)
		}
	}
}

func TestGapsOfTrailsAreLogged(t *testing.T) {
	var b bytes.Buffer
	c := oneTrail(func(*types.Trail) {})
	c.fail["GetTrailStatus"] = apiError("AccessDeniedException")
	mustRead(t, c, func(o *cloudtrail.TrailOptions) { o.Logger = slog.New(slog.NewTextHandler(&b, nil)) })
	for _, want := range []string{"op=GetTrailStatus", "trail=" + mainTrail, "reason=denied", "account=111122223333", "region=us-west-2"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q lacks %q", b.String(), want)
		}
	}
}
