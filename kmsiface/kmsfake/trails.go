package kmsfake

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
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
	// account. Prefix has at most 200 bytes and no slash at its ends.
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
	// Nil: all management events. They are copied, and completed as
	// PutEventSelectors completes them: IncludeManagementEvents nil means true.
	EventSelectors         []trailtypes.EventSelector
	AdvancedEventSelectors []trailtypes.AdvancedEventSelector

	// Created is when it was made and began to log, not in the future. Zero:
	// before everything else; GetTrailStatus says that it was on 2013-11-13, when
	// CloudTrail began, or now, if the server's clock shows an earlier time.
	Created time.Time
	// Stopped says that logging is off, and has been since Created: nothing was
	// delivered. StartLogging switches it on.
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
	delivered        time.Time // when it last was while logging is off; zero: never
	deleted          bool      // the ARN is kept for what was delivered
}

// setting is how a trail is set from some time on.
type setting struct {
	trail string // ARN
	at    time.Time
	seq   int64
	trailSetting
}

// trailSetting is what decides what a trail delivers, and where to.
type trailSetting struct {
	Trail
	logging bool
}

func (t *trailState) setting(at time.Time) setting {
	return setting{trail: t.arn, at: at, trailSetting: trailSetting{Trail: t.Trail, logging: !t.Stopped && !t.deleted && t.DeliveryError == ""}}
}

// delivers tells whether a trail so set delivers the record of an event.
func (s trailSetting) delivers(l *logged) bool {
	return s.logging && s.covers(l.scope.Value()) && s.selects(l)
}

// launched is when AWS announced CloudTrail.
//
// Source: https://aws.amazon.com/blogs/aws/aws-cloudtrail-capture-aws-api-activity/
var launched = time.Date(2013, time.November, 13, 0, 0, 0, 0, time.UTC)

// mostTrails is how many trails an account can have in a Region.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
const mostTrails = 5

var (
	trailNamePattern = regexp.MustCompile(`^[A-Za-z0-9]([._-]?[A-Za-z0-9])*$`)
	addressPattern   = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$`)
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	bucketPattern = regexp.MustCompile(`^[a-z0-9]([.]?[a-z0-9-]*[a-z0-9])*$`)
	// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
	organizationPattern = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
)

// checkTrailName refuses names that a trail cannot have.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
func checkTrailName(name string) *apiError {
	switch {
	case name == "":
		return fail(codeInvalidTrailName, "Trail name cannot be blank!")
	case len(name) < 3 || len(name) > 128 || !trailNamePattern.MatchString(name):
		return fail(codeInvalidTrailName, "Trail name %s has not 3 to 128 letters, digits and, between them, single periods, underscores and dashes.", name)
	case addressPattern.MatchString(name):
		return fail(codeInvalidTrailName, "Trail name %s has the form of an IP address.", name)
	}
	return nil
}

// checkPlace refuses names that a bucket cannot have, and prefixes with which log
// files would have paths that are none of io/fs: AWS does not say whether it takes
// a slash at the ends of one.
func checkPlace(bucket, prefix string) *apiError {
	switch {
	case len(bucket) < 3 || len(bucket) > 63 || !bucketPattern.MatchString(bucket) || addressPattern.MatchString(bucket):
		return fail(codeInvalidBucketName, "%q is not the name of a bucket.", bucket)
	case prefix != "" && (len(prefix) > 200 || !fs.ValidPath(prefix)):
		return fail(codeInvalidPrefix, "%q is not a prefix: it has at most 200 bytes and no slash at its ends.", prefix)
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
	err := s.checkTrail(t)
	var st *trailState
	if err == nil {
		st, err = s.addTrail(t)
	}
	if err != nil {
		return "", fmt.Errorf("kmsfake: cannot add trail %s: %w", t.Name, err)
	}
	s.log.begin(st.setting(t.Created))
	return st.arn, nil
}

// checkTrail refuses what no call can ask for.
func (s *Server) checkTrail(t Trail) error {
	if t.Created.After(s.now()) {
		return fmt.Errorf("it would be created at %s only", t.Created.UTC().Format(time.RFC3339Nano))
	}
	if t.KMSKeyID != "" {
		if _, _, resource, ok := arnParts(t.KMSKeyID); !ok || !strings.HasPrefix(resource, "key/") {
			return fmt.Errorf("%q is not the ARN of a key", t.KMSKeyID)
		}
	}
	switch {
	case t.Organization == "" && len(t.Members) > 0:
		return errors.New("only the trail of an organization has member accounts")
	case t.Organization != "" && !organizationPattern.MatchString(t.Organization):
		return fmt.Errorf("%q is not the ID of an organization", t.Organization)
	}
	for _, account := range t.Members {
		if !isAccount(account) {
			return fmt.Errorf("the member %q is not twelve digits", account)
		}
	}
	return nil
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
	t.Bucket = cmp.Or(t.Bucket, "logs-"+t.Account)
	if err := checkPlace(t.Bucket, t.Prefix); err != nil {
		return nil, err
	}
	home := scope{t.Account, t.HomeRegion}
	arn := trailARN(home, t.Name)
	if old := s.trails[arn]; old != nil && !old.deleted {
		return nil, fail(codeTrailAlreadyExists, "Trail %s already exists for customer: %s", t.Name, t.Account)
	}
	n := 0 // with the shadows of trails of all Regions
	for _, other := range s.trails {
		if other.Account == t.Account && !other.deleted && other.covers(home) {
			n++
		}
	}
	if n >= mostTrails {
		return nil, fail(codeTooManyTrails, "User: %s already has %d trails in %s.", t.Account, n, t.HomeRegion)
	}
	t.Members = slices.Clone(t.Members)
	t.EventSelectors, t.AdvancedEventSelectors = ownSelectors(t.EventSelectors, t.AdvancedEventSelectors)
	st := &trailState{Trail: t, arn: arn, started: t.Created}
	if st.started.IsZero() {
		if st.started = launched; s.now().Before(launched) {
			st.started = s.now()
		}
	}
	if t.Stopped {
		st.stopped = st.started
	}
	s.trails[arn] = st
	return st, nil
}

// covers tells whether events of an account and Region are the trail's to record.
func (t *Trail) covers(sc scope) bool {
	return t.belongs(sc.account) && (sc.region == t.HomeRegion || t.MultiRegion && partition(sc.region) == partition(t.HomeRegion))
}

// belongs tells whether the trail is the account's own or its organization's.
func (t *Trail) belongs(account string) bool {
	return account == t.Account || t.Organization != "" && slices.Contains(t.Members, account)
}

// trail finds the trail that a request names, by its name in the caller's account
// and Region, or by its ARN if it records events of that Region.
func (c *call) trail(ref *string) (*trailState, error) {
	t, err := c.trailAnywhere(ref)
	if err == nil && !t.covers(c.scope()) {
		return nil, c.unknownTrail(t.arn)
	}
	return t, err
}

// trailAnywhere finds a trail by its ARN in whichever Region it is.
func (c *call) trailAnywhere(ref *string) (*trailState, error) {
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
	if t == nil || t.deleted || !t.belongs(c.account) || partition(t.HomeRegion) != partition(c.region) {
		return nil, c.unknownTrail(arn)
	}
	return t, nil
}

func (c *call) unknownTrail(arn string) *apiError {
	return fail(codeTrailNotFound, "Unknown trail: %s for the user: %s", arn, c.account)
}

// describeTrails leaves trails out that are not found. A trail of another Region
// only is answered if its ARN asks for it.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
func describeTrails(c *call, in *trail.DescribeTrailsInput) (*trail.DescribeTrailsOutput, error) {
	out := &trail.DescribeTrailsOutput{TrailList: []trailtypes.Trail{}}
	shadows := in.IncludeShadowTrails == nil || *in.IncludeShadowTrails
	wanted := map[string]bool{}
	for _, name := range in.TrailNameList {
		t, err := c.trailAnywhere(&name)
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
		asked := wanted[arn] || len(in.TrailNameList) == 0 && !t.deleted && t.covers(c.scope())
		if !asked || shadow && !shadows {
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
		last = t.delivered
	}
	if !t.stopped.IsZero() {
		out.StopLoggingTime = aws.Time(t.stopped)
	}
	if t.DeliveryError == "" && !last.IsZero() {
		out.LatestDeliveryTime = aws.Time(last)
	}
	return out, nil
}
