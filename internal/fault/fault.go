// Package fault is the one table that sorts what an AWS call can fail with.
//
// It returns codes; package usage maps them to its sentinels and gap reasons.
package fault

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/aws/smithy-go"
)

// Code is the kind of a failure.
type Code int

const (
	// Other is a failure that no row below knows. It is also the code of nil.
	Other Code = iota
	// Denied: the caller lacks the permission.
	Denied
	// Unauthenticated: no credentials, or expired or invalid ones.
	Unauthenticated
	// Throttled: over the request quota.
	Throttled
	// NotFound: the key does not exist (any more).
	NotFound
	// Unsupported: the operation does not exist here or not for this kind of key.
	Unsupported
	// Malformed: an answer came that cannot be read or contradicts itself.
	Malformed
	// Unavailable: 5xx, timeouts, broken connections; trying again may help.
	Unavailable
	// Canceled: the caller's context ended.
	Canceled
)

// codes maps error codes as they stand on the wire. Names and meaning:
// https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html and the
// error sections of each operation; throttling codes as in the SDK's
// retry.DefaultThrottleErrorCodes.
var codes = map[string]Code{
	"AccessDeniedException": Denied,
	"AccessDenied":          Denied,
	"NotAuthorized":         Denied,
	"OptInRequired":         Denied, // the account is not signed up for this Region
	// CloudTrail: "the requested operation is not permitted"
	"OperationNotPermittedException": Denied,

	"ExpiredTokenException":               Unauthenticated,
	"ExpiredToken":                        Unauthenticated,
	"IncompleteSignature":                 Unauthenticated,
	"IncompleteSignatureException":        Unauthenticated,
	"InvalidClientTokenId":                Unauthenticated,
	"InvalidSignatureException":           Unauthenticated,
	"MissingAuthenticationToken":          Unauthenticated,
	"MissingAuthenticationTokenException": Unauthenticated,
	"RequestExpired":                      Unauthenticated,
	"UnrecognizedClientException":         Unauthenticated,

	"Throttling":                             Throttled,
	"ThrottlingException":                    Throttled,
	"ThrottledException":                     Throttled,
	"RequestThrottledException":              Throttled,
	"RequestThrottled":                       Throttled,
	"TooManyRequestsException":               Throttled,
	"RequestLimitExceeded":                   Throttled,
	"ProvisionedThroughputExceededException": Throttled,
	"SlowDown":                               Throttled,

	"NotFoundException": NotFound,

	"InvalidAction":                 Unsupported,
	"UnknownOperation":              Unsupported,
	"UnknownOperationException":     Unsupported,
	"UnsupportedOperation":          Unsupported,
	"UnsupportedOperationException": Unsupported,

	"DependencyTimeoutException":  Unavailable,
	"InternalFailure":             Unavailable,
	"InternalServerError":         Unavailable,
	"KMSInternalException":        Unavailable,
	"KeyUnavailableException":     Unavailable,
	"RequestTimeout":              Unavailable,
	"RequestTimeoutException":     Unavailable,
	"ServiceUnavailable":          Unavailable,
	"ServiceUnavailableException": Unavailable,
}

// Marked is implemented by this module's own errors that know their code.
type Marked interface {
	error
	Fault() Code
}

// Of sorts err by the most specific thing known about it. A context error is
// Canceled only if ctx itself has ended; otherwise somebody else's deadline
// (an HTTP client's timeout) passed and the service was not reached.
func Of(ctx context.Context, err error) Code {
	if err == nil {
		return Other
	}
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || isCanceled(err)) {
		return Canceled
	}
	if m, ok := errors.AsType[Marked](err); ok {
		return m.Fault()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if c, known := codes[api.ErrorCode()]; known {
			return c
		}
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		if errors.Is(err, io.ErrUnexpectedEOF) || isConnection(err) {
			return Unavailable // cut off in the middle of the answer
		}
		return Malformed
	}
	if st, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		switch c := st.HTTPStatusCode(); {
		case c == 429:
			return Throttled
		case c >= 500:
			return Unavailable
		case c == 401 || c == 403:
			return Denied
		}
	}
	if strings.Contains(err.Error(), noIdentity) {
		return Unauthenticated
	}
	if isConnection(err) {
		return Unavailable
	}
	return Other
}

// noIdentity begins what the SDK says when no credentials could be had, for
// which it has no type. It comes before the look at connections: a provider that
// waited for an instance's metadata in vain timed out too.
const noIdentity = "get identity: "

// Answered tells whether a call that ended with err, or nil, was answered by the
// service, and not with a throttle: its request was let through by the quota. The
// end of a context and a broken connection are no answers, nor is what those say
// who were asked for credentials.
func Answered(err error) bool {
	if err == nil {
		return true
	}
	if Throttle(err) || strings.Contains(err.Error(), noIdentity) {
		return false
	}
	if st, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		return st.HTTPStatusCode() > 0 // zero: of a response that never came
	}
	_, ok := errors.AsType[smithy.APIError](err) // as mocks have it
	return ok
}

// Throttle tells whether err is a refusal for exceeding a request quota.
func Throttle(err error) bool { return Of(context.Background(), err) == Throttled }

func isCanceled(err error) bool {
	c, ok := errors.AsType[interface {
		error
		CanceledError() bool
	}](err)
	return ok && c.CanceledError() || errors.Is(err, context.Canceled)
}

func isConnection(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if c, ok := errors.AsType[interface {
		error
		ConnectionError() bool
	}](err); ok && c.ConnectionError() {
		return true
	}
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}
