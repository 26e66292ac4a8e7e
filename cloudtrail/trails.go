package cloudtrail

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/internal/fault"
	"github.com/kmsusage/usage/internal/pace"
)

// Trails are the trails that record, or may record, the events of one account
// and Region, as they were set up when they were asked. They are plain data and
// survive JSON, except for [TrailGap.Err]. Nothing changes them, so that several
// goroutines can use them.
//
// They are a [usage.History] that knows of dependents alone: the key that a
// trail encrypts its log files with. That key lies in the Region of the bucket, not
// of the trail, and may be of another account. So pass the Trails of every Region,
// and those of the organization's management account, where its trails are made,
// for all keys: in [usage.InspectOptions], not in a [usage.Target].
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/encrypting-cloudtrail-log-files-with-aws-kms.html
//
// They claim no coverage: how a trail is set up today does not tell what it
// recorded before. See [LogHistory.With].
type Trails struct {
	Account string    `json:"account"`
	Region  string    `json:"region"`
	ReadAt  time.Time `json:"readAt"` // UTC, before the first call
	// Bucket and Prefix are where the archive is, if these are only the trails
	// that deliver to it: see [Trails.Delivering]. No bucket: these are all.
	Bucket string `json:"bucket,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	// Trails in order of ARN. Nil: they could not be listed; empty: there is none.
	Trails []Trail `json:"trails"`
	// Gaps are the readings that should have been made and were not.
	Gaps []TrailGap `json:"gaps,omitempty"`
}

// Trail is what was read of one trail.
type Trail struct {
	ARN        string `json:"arn"` // empty: AWS gave none, and nothing more was asked
	Name       string `json:"name,omitempty"`
	HomeRegion string `json:"homeRegion,omitempty"` // where it was made
	// MultiRegion tells whether it records in all Regions, Organization whether all
	// accounts of an organization. Nil: AWS did not say.
	MultiRegion  *bool  `json:"multiRegion,omitempty"`
	Organization *bool  `json:"organization,omitempty"`
	Bucket       string `json:"bucket,omitempty"`
	Prefix       string `json:"prefix,omitempty"` // in front of AWSLogs/
	// Key is what its log files are encrypted with, as AWS gives it: a key ARN.
	// Empty: no key of KMS.
	Key string `json:"key,omitempty"`
	// Records tells how much of each kind of KMS events it lets through. Nil: not
	// read.
	Records map[EventKind]Recorded `json:"records,omitempty"`
	// Status is whether it is logging and delivering. Nil: not read.
	Status *TrailStatus `json:"status,omitempty"`
	// BlindSpots are what its archive may lack of the account and Region. Empty:
	// there is none; nil: nobody said that there is none.
	BlindSpots []BlindSpot `json:"blindSpots"`
}

// TrailOptions change what [ReadTrails] makes of the answers. The zero value is
// valid.
type TrailOptions struct {
	// Stale is how long ago a trail may have delivered a log file last. A longer
	// silence is a blind spot from the last delivery on. Zero: 24 hours. Negative:
	// any silence is believed.
	Stale time.Duration
	// Logger is told of every gap. Nil: silence.
	Logger *slog.Logger
	// Now is the clock. Nil: the system's.
	Now func() time.Time
}

const (
	defaultStale = oneDay
	// trailTimeout bounds each attempt of a call.
	trailTimeout = 30 * time.Second
)

// The operations, as they stand in [TrailGap.Op].
const (
	opDescribeTrails    = "DescribeTrails"
	opGetEventSelectors = "GetEventSelectors"
	opGetTrailStatus    = "GetTrailStatus"
)

// ReadTrails asks which trails record the events of an account and Region, and
// how they are set up: one call of DescribeTrails, then one of GetEventSelectors
// and one of GetTrailStatus for each trail, one after another. A Region has at
// most five trails of its own and the quotas are ten calls a second, so that
// nothing needs pacing; throttles are left to the client's retryer.
// https://docs.aws.amazon.com/general/latest/gr/ct.html#limits_cloudtrail
//
// What cannot be read is a gap, and what hangs on it counts as unknown, never as
// fine: most often the selectors of an organization's trail that a member
// account asks for. An error says that the trails could not be listed, that the
// context ended, or that an argument cannot be meant ([usage.ErrInvalidOption]);
// in the last case alone the answer is nil. errors.Is finds the sentinels of
// package usage.
func ReadTrails(ctx context.Context, c TrailReader, account, region string, optFns ...func(*TrailOptions)) (*Trails, error) {
	var o TrailOptions
	for _, fn := range optFns {
		if fn != nil {
			fn(&o)
		}
	}
	if err := checkClient(c, account, region); err != nil {
		return nil, err
	}
	o.Stale = cmp.Or(o.Stale, defaultStale)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &trailsRun{o: o, c: c, Trails: &Trails{Account: account, Region: region, ReadAt: o.Now().UTC().Round(0)}}
	return r.Trails, r.run(ctx)
}

// trailsRun is one reading.
type trailsRun struct {
	*Trails
	o TrailOptions
	c TrailReader
}

func (r *trailsRun) run(ctx context.Context) error {
	list, err := r.list(ctx)
	if err != nil {
		return r.gap(ctx, opDescribeTrails, "", err)
	}
	r.Trails.Trails = []Trail{}
	for _, d := range list {
		r.Trails.Trails = append(r.Trails.Trails, r.read(ctx, d))
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cloudtrail: reading the trails was interrupted: %w", interrupted(ctx))
	}
	return nil
}

// list returns the trails in order of ARN, each once. Trails of other Regions
// that record here too, and of the organization, are shadow trails.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
func (r *trailsRun) list(ctx context.Context) ([]types.Trail, error) {
	out, err := askTrail(ctx, r.c.DescribeTrails, &trail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	if out.TrailList == nil {
		return nil, malformedAnswerError("no trailList, not even an empty list")
	}
	list := slices.Clone(out.TrailList)
	for _, d := range list {
		// Only the trail of an organization shows in another account than its own.
		// Credentials of the wrong account are a mistake to stop at.
		if p, ok := parseTrailARN(aws.ToString(d.TrailARN)); ok && p.account != r.Account && d.IsOrganizationTrail != nil && !*d.IsOrganizationTrail {
			return nil, malformedAnswerError(fmt.Sprintf("the client lists trails of account %s; want account %s", p.account, r.Account))
		}
	}
	slices.SortStableFunc(list, func(a, b types.Trail) int {
		return cmp.Compare(aws.ToString(a.TrailARN), aws.ToString(b.TrailARN))
	})
	return slices.CompactFunc(list, func(a, b types.Trail) bool {
		return aws.ToString(a.TrailARN) != "" && aws.ToString(a.TrailARN) == aws.ToString(b.TrailARN)
	}), nil
}

// read asks for the rest of a trail.
func (r *trailsRun) read(ctx context.Context, d types.Trail) Trail {
	t := Trail{
		ARN: aws.ToString(d.TrailARN), Name: aws.ToString(d.Name), HomeRegion: aws.ToString(d.HomeRegion),
		MultiRegion: d.IsMultiRegionTrail, Organization: d.IsOrganizationTrail,
		Bucket: aws.ToString(d.S3BucketName), Prefix: aws.ToString(d.S3KeyPrefix), Key: aws.ToString(d.KmsKeyId),
		BlindSpots: []BlindSpot{},
	}
	p, ok := parseTrailARN(t.ARN)
	if !ok {
		err := r.gap(ctx, opDescribeTrails, cmp.Or(t.ARN, t.Name), malformedAnswerError(fmt.Sprintf("%q is not the ARN of a trail", t.ARN)))
		t.BlindSpots = append(t.BlindSpots, BlindSpot{Text: t.label(r.Account) + " cannot be asked: " + err.Err.Error()})
		return t
	}
	t.HomeRegion = cmp.Or(t.HomeRegion, p.region)
	label := t.label(r.Account)
	t.BlindSpots = append(t.BlindSpots, r.placeSpots(&t, p, label)...)
	t.BlindSpots = append(t.BlindSpots, r.selectors(ctx, &t, p, label)...)
	t.BlindSpots = append(t.BlindSpots, r.status(ctx, &t, label)...)
	return t
}

// placeSpots says whether the trail records in the account and Region at all.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-multi-region-trails.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html
func (r *trailsRun) placeSpots(t *Trail, p trailARN, label string) []BlindSpot {
	var spots []BlindSpot
	switch {
	case t.HomeRegion == r.Region || t.MultiRegion != nil && *t.MultiRegion:
	case t.MultiRegion == nil:
		spots = append(spots, BlindSpot{Text: fmt.Sprintf("whether %s of %s records %s is not known", label, t.HomeRegion, r.Region)})
	default:
		spots = append(spots, BlindSpot{Text: fmt.Sprintf("%s records %s only", label, t.HomeRegion)})
	}
	if p.account != r.Account && t.Organization == nil {
		spots = append(spots, BlindSpot{Text: fmt.Sprintf("whether %s records account %s is not known", label, r.Account)})
	}
	return spots
}

// selectors asks which events the trail records. A shadow trail and the trail of
// an organization are known by their ARN alone.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html
func (r *trailsRun) selectors(ctx context.Context, t *Trail, p trailARN, label string) []BlindSpot {
	out, err := askTrail(ctx, r.c.GetEventSelectors, &trail.GetEventSelectorsInput{TrailName: &t.ARN})
	if err == nil && out.TrailARN != nil && *out.TrailARN != t.ARN {
		err = malformedAnswerError("the answer is for " + *out.TrailARN)
	}
	if err == nil {
		t.Records, err = recordedBy(out, p.partition)
	}
	if err == nil {
		return selectorSpots(label, t.Records, selectDivides(out.AdvancedEventSelectors))
	}
	e := r.gap(ctx, opGetEventSelectors, t.ARN, err)
	// Two, since the archive can disprove them one by one.
	var spots []BlindSpot
	for _, readOnly := range []bool{true, false} {
		s := BlindSpot{Text: fmt.Sprintf("whether %s records KMS events that write is not known: %s", label, e.reason()), AllOrNone: true}
		if readOnly {
			s.Text = fmt.Sprintf("whether %s records KMS events that only read is not known: %s", label, e.reason())
		}
		for _, k := range kmsKinds {
			if k.readOnly == readOnly {
				s.Kinds = append(s.Kinds, k.kind)
			}
		}
		spots = append(spots, s)
	}
	return spots
}

// status asks whether the trail is logging and delivering: "To get the status of
// a shadow trail […], you must specify its ARN."
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
func (r *trailsRun) status(ctx context.Context, t *Trail, label string) []BlindSpot {
	out, err := askTrail(ctx, r.c.GetTrailStatus, &trail.GetTrailStatusInput{Name: &t.ARN})
	if err == nil {
		t.Status, err = trailStatus(out)
	}
	if err != nil {
		e := r.gap(ctx, opGetTrailStatus, t.ARN, err)
		return []BlindSpot{{Text: fmt.Sprintf("whether %s is logging and delivering is not known: %s", label, e.reason())}}
	}
	return t.Status.spots(label, r.ReadAt, r.o.Stale)
}

// gap enters a failure and returns its error.
func (r *trailsRun) gap(ctx context.Context, op, arn string, err error) *TrailError {
	e := &TrailError{Op: op, Trail: arn, Err: err, code: trailFault(ctx, err)}
	r.Gaps = append(r.Gaps, TrailGap{Op: op, Trail: arn, Reason: trailFaults[e.code].reason, Err: e})
	r.o.Logger.Warn("trail not read", "account", r.Account, "region", r.Region, "op", op, "trail", arn, "reason", string(trailFaults[e.code].reason))
	return e
}

// askTrail makes one call.
func askTrail[In, Out any](ctx context.Context, method func(context.Context, *In, ...func(*trail.Options)) (*Out, error), in *In) (*Out, error) {
	if ctx.Err() != nil {
		return nil, interrupted(ctx)
	}
	out, err := method(ctx, in, func(o *trail.Options) { o.APIOptions = append(o.APIOptions, pace.Timeout(trailTimeout)) })
	switch {
	case err == nil && out == nil:
		return nil, malformedAnswerError("neither an answer nor an error")
	case err != nil && ctx.Err() != nil && trailFault(ctx, err) == fault.Canceled:
		return nil, interrupted(ctx)
	}
	return out, err
}

// label names the trail in texts for an account.
func (t *Trail) label(account string) string {
	name := cmp.Or(t.Name, t.ARN)
	if name == "" {
		return "a trail without a name"
	}
	label := "trail " + name
	if p, ok := parseTrailARN(t.ARN); ok && p.account != account {
		label += " of account " + p.account
	}
	return label
}

// trailARN is a trail's ARN taken apart:
// arn:aws:cloudtrail:us-east-2:123456789012:trail/MyTrail.
type trailARN struct{ partition, region, account string }

func parseTrailARN(arn string) (trailARN, bool) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[1] == "" || f[2] != "cloudtrail" || f[3] == "" || !isAccount(f[4]) {
		return trailARN{}, false
	}
	name, ok := strings.CutPrefix(f[5], "trail/")
	return trailARN{f[1], f[3], f[4]}, ok && name != ""
}

// notListed is why there is no list of trails.
func (t *Trails) notListed() *TrailError {
	for _, g := range t.Gaps {
		if g.Op == opDescribeTrails {
			return g.error()
		}
	}
	return &TrailError{Op: opDescribeTrails, Err: malformedAnswerError("the trails were not listed"), code: fault.Malformed}
}

var _ usage.History = (*Trails)(nil)
