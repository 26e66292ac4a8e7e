package cloudtrail

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
)

// TrailStatus is whether a trail is logging and delivering in a Region. Times
// are UTC and zero where AWS gave none.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
type TrailStatus struct {
	Logging   bool      `json:"logging"`
	Started   time.Time `json:"started,omitzero"`   // when it began to log last
	Stopped   time.Time `json:"stopped,omitzero"`   // when it ceased to log last
	Delivered time.Time `json:"delivered,omitzero"` // when it delivered log files to its bucket last
	// DeliveryError is what S3 says against its last delivery. Empty: nothing.
	DeliveryError string `json:"deliveryError,omitempty"`
}

// trailStatus reads an answer. LatestDeliveryAttemptTime and
// LatestDeliveryAttemptSucceeded, TimeLoggingStarted and TimeLoggingStopped, all
// of them texts, are "no longer in use": AWS still fills them with what the
// times say. CloudWatch Logs, SNS and digests are no matter of the archive.
func trailStatus(out *trail.GetTrailStatusOutput) (*TrailStatus, error) {
	if out.IsLogging == nil {
		return nil, malformedAnswerError("no IsLogging")
	}
	s := &TrailStatus{
		Logging: *out.IsLogging, Started: trailTime(out.StartLoggingTime), Stopped: trailTime(out.StopLoggingTime),
		Delivered: trailTime(out.LatestDeliveryTime), DeliveryError: string(clip([]byte(aws.ToString(out.LatestDeliveryError)))),
	}
	switch both := !s.Started.IsZero() && !s.Stopped.IsZero(); {
	case both && s.Logging && s.Stopped.After(s.Started):
		return nil, malformedAnswerError("it is logging, but was stopped after it was started")
	case both && !s.Logging && s.Started.After(s.Stopped):
		return nil, malformedAnswerError("it is not logging, but was started after it was stopped")
	}
	return s, nil
}

func trailTime(t *time.Time) time.Time { return aws.ToTime(t).UTC() }

// spots says when the archive of the trail can have nothing.
func (s *TrailStatus) spots(label string, now time.Time, stale time.Duration) []BlindSpot {
	// The clock of AWS may be ahead of ours: what has happened is not of the future.
	past := func(t time.Time) time.Time {
		if t.After(now) {
			return now
		}
		return t
	}
	var spots []BlindSpot
	switch {
	case !s.Logging && s.Stopped.IsZero():
		spots = append(spots, BlindSpot{Text: label + " is not logging"})
	case !s.Logging:
		spots = append(spots, BlindSpot{Text: label + " has not been logging since " + trailStamp(s.Stopped), From: past(s.Stopped)})
	case !s.Stopped.IsZero():
		// Without a start it is logging again since nobody knows when.
		text := label + " was not logging from " + trailStamp(s.Stopped)
		if !s.Started.IsZero() {
			text += " to " + trailStamp(s.Started)
		}
		spots = append(spots, BlindSpot{Text: text, From: past(s.Stopped), To: past(s.Started)})
	}
	if !s.Started.IsZero() && (!s.Logging || s.Stopped.IsZero()) {
		// The start is the most recent one: just before it the trail was not logging.
		spots = append(spots, BlindSpot{Text: fmt.Sprintf("%s began to log at %s: who delivered before is not known", label, trailStamp(s.Started)), To: past(s.Started)})
	}
	if s.DeliveryError != "" {
		// It may have failed now and then before it failed for good.
		spots = append(spots, BlindSpot{Text: fmt.Sprintf("%s cannot deliver: %q", label, s.DeliveryError)})
	}
	switch {
	case stale < 0 || !s.Logging:
	case !s.Delivered.IsZero():
		if now.Sub(s.Delivered) > stale {
			spots = append(spots, BlindSpot{Text: label + " has delivered nothing since " + trailStamp(s.Delivered), From: s.Delivered})
		}
	case s.Started.IsZero() || now.Sub(s.Started) > stale:
		spots = append(spots, BlindSpot{Text: label + " has delivered nothing"})
	}
	return spots
}

func trailStamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
