package kmsfake

import (
	"fmt"
	"time"
)

// Fault is something that goes wrong with a call: see the functions that make
// one. A Fault is not changed by its use and may serve many calls.
type Fault struct {
	delay    time.Duration
	cut      bool
	deny     bool
	throttle bool
	internal bool
	edit     func([]byte) []byte
	status   int
	err      *apiError
}

// InternalFailure answers as the service does when something breaks inside it,
// with HTTP status 500, which the SDK retries: KMS with KMSInternalException,
// CloudTrail with InternalFailure.
func InternalFailure() *Fault { return &Fault{internal: true} }

// Status answers with the HTTP status and an empty body, as a load balancer
// before KMS might. It panics unless the status is between 200 and 599.
func Status(status int) *Fault {
	if status < 200 || status > 599 {
		panic(fmt.Sprintf("kmsfake: %d is not the HTTP status of an answer", status))
	}
	return &Fault{status: status}
}

// Fail answers with the HTTP status, error code and message given. It panics
// unless the status is between 200 and 599.
func Fail(status int, code, message string) *Fault {
	f := Status(status)
	f.err = &apiError{code: code, message: message}
	return f
}

// Throttle answers as the service does when a request quota is used up. It is counted
// as throttled but takes nothing out of a quota.
func Throttle() *Fault { return &Fault{throttle: true} }

// Cut breaks the connection without an answer. The call has no effect.
func Cut() *Fault { return &Fault{cut: true} }

// Slow answers rightly, but later by d.
func Slow(d time.Duration) *Fault { return &Fault{delay: d} }

// Malformed carries the call out and answers with half of the right body.
func Malformed() *Fault {
	return Edit(func(body []byte) []byte { return body[:len(body)/2] })
}

// Edit carries the call out and answers with what fn makes of the right body,
// which is JSON: for answers that contradict themselves, lack members, or have
// values that the SDK does not know yet. fn may be called concurrently. The
// status stays as it is. It panics if fn is nil.
func Edit(fn func(body []byte) []byte) *Fault {
	if fn == nil {
		panic("kmsfake: Edit of nil")
	}
	return &Fault{edit: fn}
}

// Deny answers with AccessDeniedException, as if no identity-based policy
// allowed the call.
func Deny() *Fault { return &Fault{deny: true} }

// After returns a fault that does the same, later by d.
func (f *Fault) After(d time.Duration) *Fault {
	g := *f
	g.delay += d
	return &g
}

// failed is what the service answers when something breaks inside it.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/CommonErrors.html
func (svc *service) failed() *apiError {
	if svc == trailService {
		return fail(codeTrailInternal, "The request processing has failed because of an unknown error, exception or failure.")
	}
	return fail(codeInternal, "The request was rejected because an internal exception occurred. The request can be retried.")
}

func (svc *service) throttled() *apiError {
	if svc == trailService {
		return fail(codeThrottling, "Rate exceeded")
	}
	return fail(codeThrottling, "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
}
