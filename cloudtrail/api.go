package cloudtrail

import (
	"context"

	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
)

// *cloudtrail.Client of the SDK is the implementation everybody uses.
var (
	_ EventReader = (*trail.Client)(nil)
	_ TrailReader = (*trail.Client)(nil)
)

// EventReader reads the event history of one account and Region. It changes
// nothing in AWS. Implementations must be safe for concurrent use, as the SDK's
// client is, and a decorator must hand the option functions of every call on to
// the client it wraps: pacing to the request quota travels in them.
//
// Mocks are in package trailmock, a CloudTrail to test against in kmsfake.
type EventReader interface {
	trail.LookupEventsAPIClient
}

// TrailReader reads how the trails of an account and Region are set up. It
// changes nothing in AWS. What holds for an [EventReader] holds for it too.
//
// Each of its calls may be denied: what that leaves unknown is said, never
// taken for fine.
type TrailReader interface {
	TrailDescriber
	EventSelectorsGetter
	TrailStatusGetter
}

// TrailDescriber lists the trails of a Region.
type TrailDescriber interface {
	DescribeTrails(context.Context, *trail.DescribeTrailsInput, ...func(*trail.Options)) (*trail.DescribeTrailsOutput, error)
}

// EventSelectorsGetter reads which events a trail records.
type EventSelectorsGetter interface {
	GetEventSelectors(context.Context, *trail.GetEventSelectorsInput, ...func(*trail.Options)) (*trail.GetEventSelectorsOutput, error)
}

// TrailStatusGetter reads whether a trail is logging and delivering.
type TrailStatusGetter interface {
	GetTrailStatus(context.Context, *trail.GetTrailStatusInput, ...func(*trail.Options)) (*trail.GetTrailStatusOutput, error)
}
