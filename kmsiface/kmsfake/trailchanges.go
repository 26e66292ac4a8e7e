package kmsfake

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
)

// changed remembers how the trail is set from now on. The event of the change
// itself is still delivered as the trail was set before: the last that a stopped
// trail tells is who stopped it.
func (c *call) changed(t *trailState) { c.changes = append(c.changes, t.setting(c.now)) }

// trailNamed returns the trail that a request to change or read one names.
func trailNamed(request any) string {
	var name *string
	switch in := request.(type) {
	case *trail.CreateTrailInput:
		name = in.Name
	case *trail.UpdateTrailInput:
		name = in.Name
	case *trail.DeleteTrailInput:
		name = in.Name
	case *trail.StartLoggingInput:
		name = in.Name
	case *trail.StopLoggingInput:
		name = in.Name
	case *trail.GetTrailStatusInput:
		name = in.Name
	case *trail.PutEventSelectorsInput:
		name = in.TrailName
	case *trail.GetEventSelectorsInput:
		name = in.TrailName
	}
	return aws.ToString(name)
}

// ownTrail finds a trail to change: from its home Region, by its own account.
func (c *call) ownTrail(ref *string) (*trailState, error) {
	t, err := c.trail(ref)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Account != c.account:
		return nil, deniedInTrail(c.caller.arn, c.op.name)
	case t.HomeRegion != c.region:
		return nil, fail(codeInvalidHome, "Trail %s must be updated from its home Region: %s", t.arn, t.HomeRegion)
	}
	return t, nil
}

// createTrail makes a trail that does not log yet. Trails of organizations are
// made by [Server.AddTrail].
func createTrail(c *call, in *trail.CreateTrailInput) (*trail.CreateTrailOutput, error) {
	if err := checkTrailName(aws.ToString(in.Name)); err != nil {
		return nil, err
	}
	if aws.ToString(in.S3BucketName) == "" { // which AddTrail completes
		return nil, fail(codeInvalidBucketName, "Bucket name cannot be blank!")
	}
	if aws.ToBool(in.IsOrganizationTrail) {
		return nil, fail(codeUnsupportedOperation, "kmsfake does not implement the member IsOrganizationTrail")
	}
	key, err := c.trailKey(in.KmsKeyId)
	if err != nil {
		return nil, err
	}
	t, err := c.srv.addTrail(Trail{
		Account: c.account, HomeRegion: c.region, Name: *in.Name, Bucket: *in.S3BucketName, Prefix: aws.ToString(in.S3KeyPrefix),
		KMSKeyID: key, MultiRegion: aws.ToBool(in.IsMultiRegionTrail), Created: c.now, Stopped: true,
	})
	if err != nil {
		return nil, err
	}
	t.started, t.stopped = time.Time{}, time.Time{} // it has never logged
	c.changed(t)
	d := t.describe()
	return &trail.CreateTrailOutput{
		Name: d.Name, TrailARN: d.TrailARN, S3BucketName: d.S3BucketName, S3KeyPrefix: d.S3KeyPrefix, KmsKeyId: d.KmsKeyId,
		IsMultiRegionTrail: d.IsMultiRegionTrail, IsOrganizationTrail: d.IsOrganizationTrail,
		IncludeGlobalServiceEvents: d.IncludeGlobalServiceEvents, LogFileValidationEnabled: d.LogFileValidationEnabled,
	}, nil
}

// trailKey resolves the key that a trail is to encrypt under.
func (c *call) trailKey(ref *string) (string, error) {
	if aws.ToString(ref) == "" {
		return "", nil
	}
	arn := c.srv.arnOf(c.scope(), *ref)
	if arn == "" || !strings.Contains(arn, ":"+c.region+":") {
		return "", fail(codeTrailKeyNotFound, "Unable to find KMS key: %s", *ref)
	}
	return arn, nil
}

// updateTrail changes what the request has, and nothing else.
func updateTrail(c *call, in *trail.UpdateTrailInput) (*trail.UpdateTrailOutput, error) {
	t, err := c.ownTrail(in.Name)
	if err != nil {
		return nil, err
	}
	if in.IsOrganizationTrail != nil && *in.IsOrganizationTrail != (t.Organization != "") {
		return nil, fail(codeUnsupportedOperation, "kmsfake does not implement the member IsOrganizationTrail")
	}
	key, err := c.trailKey(in.KmsKeyId)
	if err != nil {
		return nil, err
	}
	bucket, prefix := t.Bucket, t.Prefix
	if in.S3BucketName != nil {
		bucket = *in.S3BucketName
	}
	if in.S3KeyPrefix != nil {
		prefix = *in.S3KeyPrefix
	}
	if err := checkPlace(bucket, prefix); err != nil {
		return nil, err
	}
	t.Bucket, t.Prefix = bucket, prefix
	if in.KmsKeyId != nil {
		t.KMSKeyID = key
	}
	if in.IsMultiRegionTrail != nil {
		t.MultiRegion = *in.IsMultiRegionTrail
	}
	c.changed(t)
	d := t.describe()
	return &trail.UpdateTrailOutput{
		Name: d.Name, TrailARN: d.TrailARN, S3BucketName: d.S3BucketName, S3KeyPrefix: d.S3KeyPrefix, KmsKeyId: d.KmsKeyId,
		IsMultiRegionTrail: d.IsMultiRegionTrail, IsOrganizationTrail: d.IsOrganizationTrail,
		IncludeGlobalServiceEvents: d.IncludeGlobalServiceEvents, LogFileValidationEnabled: d.LogFileValidationEnabled,
	}, nil
}

func deleteTrail(c *call, in *trail.DeleteTrailInput) (*trail.DeleteTrailOutput, error) {
	t, err := c.ownTrail(in.Name)
	if err != nil {
		return nil, err
	}
	t.deleted = true
	c.changed(t)
	return &trail.DeleteTrailOutput{}, nil
}

func startLogging(c *call, in *trail.StartLoggingInput) (*trail.StartLoggingOutput, error) {
	t, err := c.ownTrail(in.Name)
	if err != nil {
		return nil, err
	}
	t.Stopped, t.started = false, c.now
	c.changed(t)
	return &trail.StartLoggingOutput{}, nil
}

func stopLogging(c *call, in *trail.StopLoggingInput) (*trail.StopLoggingOutput, error) {
	t, err := c.ownTrail(in.Name)
	if err != nil {
		return nil, err
	}
	if !t.Stopped {
		t.delivered = c.now
	}
	t.Stopped, t.stopped = true, c.now
	c.changed(t)
	return &trail.StopLoggingOutput{}, nil
}

func putEventSelectors(c *call, in *trail.PutEventSelectorsInput) (*trail.PutEventSelectorsOutput, error) {
	t, err := c.ownTrail(in.TrailName)
	if err != nil {
		return nil, err
	}
	if len(in.EventSelectors)+len(in.AdvancedEventSelectors) == 0 {
		return nil, fail(codeInvalidSelectors, "Specify event selectors or advanced event selectors.")
	}
	if err := checkSelectors(in.EventSelectors, in.AdvancedEventSelectors); err != nil {
		return nil, err
	}
	t.EventSelectors, t.AdvancedEventSelectors = ownSelectors(in.EventSelectors, in.AdvancedEventSelectors)
	c.changed(t)
	return &trail.PutEventSelectorsOutput{TrailARN: aws.String(t.arn), EventSelectors: t.EventSelectors, AdvancedEventSelectors: t.AdvancedEventSelectors}, nil
}
