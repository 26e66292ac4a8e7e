package cloudtrail

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/internal/fault"
)

// TrailGap is a reading of trails that should have been made and was not. What
// it would have said is unknown.
type TrailGap struct {
	// Op is the AWS operation, for example "GetEventSelectors".
	Op string `json:"op"`
	// Trail is the ARN of the trail concerned; empty for the list of them.
	Trail string `json:"trail,omitempty"`
	// Reason is data: it survives JSON.
	Reason usage.GapReason `json:"reason"`
	// Err is the *[TrailError]; nil after JSON.
	Err error `json:"-"`
}

// error returns the error of the gap, made anew where JSON lost it.
func (g TrailGap) error() *TrailError {
	if e, ok := errors.AsType[*TrailError](g.Err); ok {
		return e
	}
	e := &TrailError{Op: g.Op, Trail: g.Trail, Err: errors.New(string(g.Reason)), code: fault.Other}
	for code, f := range trailFaults {
		if f.reason == g.Reason && (f.sentinel != nil || code == fault.NotFound) {
			e.code = code
		}
	}
	return e
}

// TrailError is why a reading of trails failed.
type TrailError struct {
	Op    string // the AWS operation
	Trail string // ARN of the trail; empty for the list of them
	Err   error  // the cause, never nil

	code fault.Code
}

// Error names the operation, the trail and the cause.
func (e *TrailError) Error() string {
	if e.Trail == "" {
		return fmt.Sprintf("cloudtrail: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("cloudtrail: %s %s: %v", e.Op, e.Trail, e.Err)
}

// Unwrap returns the cause and, where it is known, the sentinel for it.
func (e *TrailError) Unwrap() []error {
	cause := trailCauseError{e.Err, e.code}
	if s := trailFaults[e.code].sentinel; s != nil {
		return []error{s, cause}
	}
	return []error{cause}
}

// trailCauseError tells package usage what kind of failure a cause is.
type trailCauseError struct {
	error
	code fault.Code
}

func (c trailCauseError) Unwrap() error     { return c.error }
func (c trailCauseError) Fault() fault.Code { return c.code }

// reason is the failure in a few words: causes can be long.
func (e *TrailError) reason() string { return e.Op + ": " + string(trailFaults[e.code].reason) }

// trailFaults is how each failure shows outside. A trail that is not found is no
// key that is not found, so that code has no sentinel.
var trailFaults = map[fault.Code]struct {
	reason   usage.GapReason
	sentinel error
}{
	fault.Other:           {usage.Failed, nil},
	fault.Denied:          {usage.Denied, usage.ErrAccessDenied},
	fault.Unauthenticated: {usage.Unauthenticated, usage.ErrAccessDenied},
	fault.Throttled:       {usage.Throttled, usage.ErrThrottled},
	fault.NotFound:        {usage.NotFound, nil},
	fault.Unsupported:     {usage.Unsupported, usage.ErrUnsupported},
	fault.Malformed:       {usage.Malformed, usage.ErrMalformed},
	fault.Unavailable:     {usage.Unavailable, usage.ErrUnavailable},
	fault.Canceled:        {usage.Failed, nil},
}

// trailCodes are the errors of CloudTrail that other services do not have.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html#API_GetEventSelectors_Errors
//
// CloudTrailARNInvalidException is what a member account is told that asks for
// the trail of its organization: "AccountID in ARN is wrong, you can only access
// resources with AccountID …". Only well-formed ARNs that AWS gave are asked for.
// https://github.com/turbot/steampipe-plugin-aws/issues/577
var trailCodes = map[string]fault.Code{
	"CloudTrailARNInvalidException": fault.Denied,
	"TrailNotFoundException":        fault.NotFound,
}

func trailFault(ctx context.Context, err error) fault.Code {
	code := fault.Of(ctx, err)
	if api, ok := errors.AsType[smithy.APIError](err); ok && code != fault.Canceled {
		if c, known := trailCodes[api.ErrorCode()]; known {
			return c
		}
	}
	return code
}
