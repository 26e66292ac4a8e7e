// Package staleness is an example of a service of one's own on top of package
// kmsiface: small, and unit-tested with the mocks of package kmsmock.
//
// It answers one question about one key. To judge the keys of whole accounts,
// with what depends on them, use package usage.
package staleness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage/kmsiface"
)

// Answer says whether a key was quiet.
type Answer int

const (
	// Unknown is the zero value: nobody can tell. Treat the key as used.
	Unknown Answer = iota
	// InUse means that the key was used at or after the time asked about.
	InUse
	// Quiet means that KMS was recording, and recorded no use since then.
	Quiet
)

// ErrIncomplete is returned for an answer of KMS that lacks what it must have.
var ErrIncomplete = errors.New("incomplete answer")

// Service asks KMS when keys were last used.
type Service struct {
	keys kmsiface.LastUsageGetter
}

// New makes a Service. A *kms.Client is a LastUsageGetter.
func New(keys kmsiface.LastUsageGetter) *Service {
	return &Service{keys: keys}
}

// QuietSince tells whether a key, given by ID or ARN, was quiet since a time.
// An error always comes with Unknown: a key that could not be read is never
// quiet. Unknown without an error means that KMS was not recording yet.
//
// Use shows up after about an hour, so Quiet does not speak for the last one.
// Members of a multi-Region set are recorded apart: ask about each.
func (s *Service) QuietSince(ctx context.Context, key string, since time.Time) (Answer, error) {
	out, err := s.keys.GetKeyLastUsage(ctx, &kms.GetKeyLastUsageInput{KeyId: aws.String(key)})
	if err != nil {
		return Unknown, fmt.Errorf("last usage of %s: %w", key, err)
	}
	if out == nil || out.KeyLastUsage == nil || out.TrackingStartDate == nil || out.KeyCreationDate == nil {
		return Unknown, fmt.Errorf("last usage of %s: %w", key, ErrIncomplete)
	}

	// A key without a record has an empty KeyLastUsage, not a nil one.
	if last := out.KeyLastUsage.Timestamp; last != nil {
		if last.Before(since) {
			return Quiet, nil
		}
		return InUse, nil
	}

	wholeLife := !out.KeyCreationDate.Before(*out.TrackingStartDate)
	if wholeLife || !out.TrackingStartDate.After(since) {
		return Quiet, nil
	}
	return Unknown, nil
}
