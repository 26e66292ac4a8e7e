package usage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kmsusage/usage/internal/fault"
)

// What a reading can fail with. Errors of this package wrap one of these and
// the cause, so errors.Is finds the first and errors.As the SDK's own types.
var (
	// ErrAccessDenied: the caller may not do this, or has no valid credentials.
	ErrAccessDenied = errors.New("access denied")
	// ErrThrottled: still over the request quota when patience ran out.
	ErrThrottled = errors.New("throttled")
	// ErrKeyNotFound: the key does not exist, most often deleted since it was listed.
	ErrKeyNotFound = errors.New("key not found")
	// ErrUnsupported: the operation does not exist in this Region.
	ErrUnsupported = errors.New("operation not supported")
	// ErrMalformed: the answer lacks what it must hold, or cannot be decoded.
	ErrMalformed = errors.New("malformed answer")
	// ErrUnavailable: the service failed or could not be reached, attempts spent.
	ErrUnavailable = errors.New("service unavailable")
	// ErrInvalidOption: an argument or option that cannot be meant. No request was made.
	ErrInvalidOption = errors.New("invalid option")
)

// KeyError is why one reading of one key failed. Findings carry it in
// [Gap.Err]; no function of this package returns it by itself.
type KeyError struct {
	ARN string // the key
	Op  string // the AWS operation, for example "GetKeyLastUsage"
	Err error  // the cause, never nil
}

// Error names the operation, the key and the cause.
func (e *KeyError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.ARN, e.Err) }

// Unwrap returns the cause and, where it is known, the sentinel for it.
func (e *KeyError) Unwrap() []error { return withSentinel(e.Err) }

// TargetError says that the keys of one account and Region were not read to
// their end: listing them failed or the context ended. What had been read by
// then has been yielded.
type TargetError struct {
	Account string // empty if not known before the first key was listed
	Region  string // empty if not known before the first key was listed
	Op      string // the AWS operation that failed, or "" where the context ended between operations
	Listed  int    // keys listed
	Read    int    // keys yielded as findings
	Err     error  // the cause, never nil
}

// Error names the target, the operation, how far it came and the cause.
func (e *TargetError) Error() string {
	var b strings.Builder
	b.WriteString("target")
	for _, s := range []string{e.Account, e.Region, e.Op} {
		if s != "" {
			b.WriteString(" " + s)
		}
	}
	return fmt.Sprintf("%s: read %d of %d keys listed: %v", b.String(), e.Read, e.Listed, e.Err)
}

// Unwrap returns the cause and, where it is known, the sentinel for it.
func (e *TargetError) Unwrap() []error { return withSentinel(e.Err) }

// meaning is how each failure code of package fault shows outside.
var meaning = map[fault.Code]struct {
	reason   GapReason
	sentinel error
}{
	fault.Other:           {Failed, nil},
	fault.Denied:          {Denied, ErrAccessDenied},
	fault.Unauthenticated: {Unauthenticated, ErrAccessDenied},
	fault.Throttled:       {Throttled, ErrThrottled},
	fault.NotFound:        {NotFound, ErrKeyNotFound},
	fault.Unsupported:     {Unsupported, ErrUnsupported},
	fault.Malformed:       {Malformed, ErrMalformed},
	fault.Unavailable:     {Unavailable, ErrUnavailable},
	fault.Canceled:        {Failed, nil},
}

func withSentinel(err error) []error {
	if s := meaning[fault.Of(context.Background(), err)].sentinel; s != nil {
		return []error{s, err}
	}
	return []error{err}
}

// malformedError is an answer whose parts do not make sense.
type malformedError string

func (e malformedError) Error() string   { return string(e) }
func (malformedError) Fault() fault.Code { return fault.Malformed }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalidOption, fmt.Sprintf(format, args...))
}
