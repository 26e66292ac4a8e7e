package kmsfake

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// Trail describes a trail of CloudTrail to put into the server without a call:
// see [Server.AddTrail]. The zero value of a field means what its comment says;
// only Account, HomeRegion and Name have no default.
type Trail struct {
	Account    string // twelve digits
	HomeRegion string
	Name       string

	// Bucket and Prefix are where log files go. Bucket empty: "logs-" and the
	// account.
	Bucket string
	Prefix string
	// KMSKeyID is the ARN of the key that log files are encrypted under. Empty:
	// none. Delivery does not use it: [Server.Use] does.
	KMSKeyID string

	// MultiRegion makes a trail of all Regions of the partition.
	MultiRegion bool
	// Organization is the ID of the organization whose trail it is, for example
	// o-exampleorgid. Empty: it is not. Members are the accounts of the
	// organization besides Account.
	Organization string
	Members      []string

	// EventSelectors or AdvancedEventSelectors choose what is recorded, not both.
	// Nil: all management events.
	EventSelectors         []trailtypes.EventSelector
	AdvancedEventSelectors []trailtypes.AdvancedEventSelector

	// Created is when it was made and began to log. Zero: before everything else.
	Created time.Time
	// Stopped says that logging is off: StartLogging switches it on.
	Stopped bool
	// DeliveryError is what S3 answers to deliveries, for example AccessDenied;
	// nothing is delivered then. Empty: nothing is wrong.
	DeliveryError string
}

// trailState is a trail as it is now.
type trailState struct {
	Trail
	arn              string
	started, stopped time.Time
	deleted          bool // kept for what it has delivered
}

// setting is how a trail is set from some time on.
type setting struct {
	trail string // ARN
	at    time.Time
	seq   int64
	trailSetting
}

// trailSetting is what decides what a trail delivers.
type trailSetting struct {
	logging, multiRegion bool
	basic                []trailtypes.EventSelector
	advanced             []trailtypes.AdvancedEventSelector
}

func (t *trailState) setting(at time.Time) setting {
	return setting{trail: t.arn, at: at, trailSetting: trailSetting{
		logging: !t.Stopped && !t.deleted && t.DeliveryError == "", multiRegion: t.MultiRegion, basic: t.EventSelectors, advanced: t.AdvancedEventSelectors,
	}}
}

var trailNamePattern = regexp.MustCompile(`^[A-Za-z0-9]([._-]?[A-Za-z0-9])*$`)

// checkTrailName refuses names that a trail cannot have.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
func checkTrailName(name string) *apiError {
	switch {
	case name == "":
		return fail(codeInvalidTrailName, "Trail name cannot be blank!")
	case len(name) < 3 || len(name) > 128 || !trailNamePattern.MatchString(name):
		return fail(codeInvalidTrailName, "Trail name %s has not 3 to 128 letters, digits and, between them, single periods, underscores and dashes.", name)
	}
	return nil
}

func trailARN(sc scope, name string) string {
	return "arn:" + partition(sc.region) + ":cloudtrail:" + sc.region + ":" + sc.account + ":trail/" + name
}

// AddTrail puts a trail into the server and returns its ARN. What calls of
// CloudTrail change later holds from then on: see [Server.WriteArchive].
func (s *Server) AddTrail(t Trail) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.addTrail(t)
	if err != nil {
		return "", fmt.Errorf("kmsfake: cannot add trail %s: %w", t.Name, err)
	}
	s.log.set([]setting{st.setting(t.Created)})
	return st.arn, nil
}

func (s *Server) addTrail(t Trail) (*trailState, error) {
	if _, err := s.place(t.Account, t.HomeRegion); err != nil {
		return nil, err
	}
	if err := checkTrailName(t.Name); err != nil {
		return nil, err
	}
	if err := checkSelectors(t.EventSelectors, t.AdvancedEventSelectors); err != nil {
		return nil, err
	}
	st := &trailState{Trail: t, arn: trailARN(scope{t.Account, t.HomeRegion}, t.Name)}
	st.Members = slices.Clone(t.Members)
	st.Bucket = cmp.Or(t.Bucket, "logs-"+t.Account)
	switch {
	case s.trails[st.arn] != nil && !s.trails[st.arn].deleted:
		return nil, fail(codeTrailAlreadyExists, "Trail %s already exists for customer: %s", t.Name, t.Account)
	case t.Organization == "" && len(t.Members) > 0:
		return nil, errors.New("only the trail of an organization has member accounts")
	}
	if st.started = cmp.Or(t.Created, s.now()); t.Stopped {
		st.stopped = st.started
	}
	s.trails[st.arn] = st
	return st, nil
}

// covers tells whether events of an account and Region are the trail's to record.
func (t *trailState) covers(sc scope, multiRegion bool) bool {
	return !t.deleted && t.mayCover(sc, multiRegion)
}

// mayCover is covers for what a trail has delivered before it was deleted.
func (t *trailState) mayCover(sc scope, multiRegion bool) bool {
	return (sc.account == t.Account || t.Organization != "" && slices.Contains(t.Members, sc.account)) &&
		(sc.region == t.HomeRegion || multiRegion && partition(sc.region) == partition(t.HomeRegion))
}

// trail finds the trail that a request names, by its name in the caller's account
// and Region, or by its ARN wherever it is.
func (c *call) trail(ref *string) (*trailState, error) {
	name := aws.ToString(ref)
	arn := name
	if !strings.HasPrefix(name, "arn:") {
		if err := checkTrailName(name); err != nil {
			return nil, err
		}
		arn = trailARN(c.scope(), name)
	} else if p := strings.Split(name, ":"); len(p) != 6 || p[2] != "cloudtrail" || !isAccount(p[4]) || !strings.HasPrefix(p[5], "trail/") {
		return nil, fail(codeInvalidTrailARN, "Invalid trail ARN: %s", name)
	}
	t := c.srv.trails[arn]
	if t == nil || !t.covers(c.scope(), t.MultiRegion) {
		return nil, fail(codeTrailNotFound, "Unknown trail: %s for the user: %s", arn, c.account)
	}
	return t, nil
}

// describeTrails leaves trails out that are not found.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
func describeTrails(c *call, in *trail.DescribeTrailsInput) (*trail.DescribeTrailsOutput, error) {
	out := &trail.DescribeTrailsOutput{TrailList: []trailtypes.Trail{}}
	shadows := in.IncludeShadowTrails == nil || *in.IncludeShadowTrails
	wanted := map[string]bool{}
	for _, name := range in.TrailNameList {
		t, err := c.trail(&name)
		var e *apiError
		switch {
		case err == nil:
			wanted[t.arn] = true
		case errors.As(err, &e) && e.code != codeTrailNotFound:
			return nil, err
		}
	}
	for _, arn := range slices.Sorted(maps.Keys(c.srv.trails)) {
		t := c.srv.trails[arn]
		shadow := t.Account != c.account || t.HomeRegion != c.region
		if !t.covers(c.scope(), t.MultiRegion) || shadow && !shadows || len(in.TrailNameList) > 0 && !wanted[arn] {
			continue
		}
		out.TrailList = append(out.TrailList, t.describe())
	}
	return out, nil
}

func (t *trailState) describe() trailtypes.Trail {
	return trailtypes.Trail{
		Name:                       aws.String(t.Name),
		TrailARN:                   aws.String(t.arn),
		HomeRegion:                 aws.String(t.HomeRegion),
		S3BucketName:               aws.String(t.Bucket),
		S3KeyPrefix:                orNil(t.Prefix),
		KmsKeyId:                   orNil(t.KMSKeyID),
		IsMultiRegionTrail:         aws.Bool(t.MultiRegion),
		IsOrganizationTrail:        aws.Bool(t.Organization != ""),
		IncludeGlobalServiceEvents: aws.Bool(true),
		LogFileValidationEnabled:   aws.Bool(false),
		HasCustomEventSelectors:    aws.Bool(len(t.EventSelectors) > 0 || len(t.AdvancedEventSelectors) > 0),
		HasInsightSelectors:        aws.Bool(false),
	}
}

func getEventSelectors(c *call, in *trail.GetEventSelectorsInput) (*trail.GetEventSelectorsOutput, error) {
	t, err := c.trail(in.TrailName)
	if err != nil {
		return nil, err
	}
	out := &trail.GetEventSelectorsOutput{TrailARN: aws.String(t.arn), EventSelectors: t.EventSelectors, AdvancedEventSelectors: t.AdvancedEventSelectors}
	if len(t.AdvancedEventSelectors) == 0 && len(t.EventSelectors) == 0 {
		out.EventSelectors = []trailtypes.EventSelector{completeSelector(trailtypes.EventSelector{})}
	}
	return out, nil
}

// getTrailStatus reports a delivery at this time, if the trail delivers at all.
func getTrailStatus(c *call, in *trail.GetTrailStatusInput) (*trail.GetTrailStatusOutput, error) {
	t, err := c.trail(in.Name)
	if err != nil {
		return nil, err
	}
	out := &trail.GetTrailStatusOutput{IsLogging: aws.Bool(!t.Stopped), LatestDeliveryError: orNil(t.DeliveryError)}
	if !t.started.IsZero() {
		out.StartLoggingTime = aws.Time(t.started)
	}
	last := c.now
	if t.Stopped {
		last = t.stopped
	}
	if !t.stopped.IsZero() {
		out.StopLoggingTime = aws.Time(t.stopped)
	}
	if t.DeliveryError == "" && !t.started.IsZero() {
		out.LatestDeliveryTime = aws.Time(last)
	}
	return out, nil
}
