package pace

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

var (
	throttle = &smithy.GenericAPIError{Code: "ThrottlingException"}
	internal = &smithy.GenericAPIError{Code: "KMSInternalException"}
	denied   = &smithy.GenericAPIError{Code: "AccessDeniedException"}
)

func TestThrottlesAreRetriedUntilPatienceRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRetryer(retry.NewStandard(), NewLimiter(5), 3, time.Minute, nil)
		tries := 0
		for {
			release, err := r.GetAttemptToken(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tries++
			_ = release(throttle)
			if !r.IsErrorRetryable(throttle) {
				break
			}
			d, err := r.RetryDelay(tries, throttle)
			if err != nil || d <= 0 || d > 2*longestDelay {
				t.Fatalf("RetryDelay after throttle %d = %v, %v", tries, d, err)
			}
			time.Sleep(d)
			if _, err := r.GetRetryToken(t.Context(), throttle); err != nil {
				t.Fatalf("GetRetryToken after a throttle: %v", err)
			}
		}
		if tries < 10 || tries > 30 {
			t.Errorf("%d attempts within a minute of throttling, want more than the SDK's 3 and not many more than one in 5 seconds", tries)
		}
	})
}

func TestOtherFailuresAreCountedApartFromThrottles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRetryer(retry.NewStandard(), NewLimiter(5), 3, time.Hour, nil)
		var got []bool
		for _, err := range []error{throttle, internal, throttle, throttle, internal, throttle, internal} {
			if _, e := r.GetAttemptToken(t.Context()); e != nil {
				t.Fatal(e)
			}
			got = append(got, r.IsErrorRetryable(err))
		}
		want := []bool{true, true, true, true, true, true, false}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("retryable = %v, want %v: three failures in all, throttles apart", got, want)
			}
		}
	})
}

func TestADenialIsFinal(t *testing.T) {
	r := NewRetryer(retry.NewStandard(), NewLimiter(5), 3, time.Hour, nil)
	if r.IsErrorRetryable(denied) {
		t.Error("AccessDeniedException would be tried again")
	}
}

func TestAnAnswerThatCannotBeDecodedIsAskedForAgain(t *testing.T) {
	r := NewRetryer(retry.NewStandard(), NewLimiter(5), 3, time.Hour, nil)
	if !r.IsErrorRetryable(&smithy.DeserializationError{Err: errors.New("half a body")}) {
		t.Error("a malformed answer would not be tried again; it was a read")
	}
}

func TestAHostThatDoesNotExistIsNotTriedAgain(t *testing.T) {
	r := NewRetryer(retry.NewStandard(), NewLimiter(5), 3, time.Hour, nil)
	if r.IsErrorRetryable(&smithyhttp.RequestSendError{Err: &net.DNSError{IsNotFound: true}}) {
		t.Error("NXDOMAIN would be tried again")
	}
	if !r.IsErrorRetryable(&smithyhttp.RequestSendError{Err: &net.DNSError{IsTimeout: true}}) {
		t.Error("a name server that timed out would not be asked again")
	}
}

func TestDelaysAreBounded(t *testing.T) {
	r := NewRetryer(retry.NewStandard(), NewLimiter(5), 100, time.Hour, nil)
	for attempt := 1; attempt < 50; attempt++ {
		d, err := r.RetryDelay(attempt, internal)
		if err != nil || d > longestDelay {
			t.Fatalf("RetryDelay after attempt %d = %v, %v; want at most %v", attempt, d, err, longestDelay)
		}
	}
}

// countingRetryer is a RetryerV2 that counts the tokens it gives and takes back.
type countingRetryer struct {
	aws.NopRetryer
	given    int
	released []error
}

func (c *countingRetryer) GetAttemptToken(context.Context) (func(error) error, error) {
	c.given++
	return func(err error) error { c.released = append(c.released, err); return nil }, nil
}

func TestTheInnerRetryerGetsItsTokensBackAndIsToldOfNoThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &countingRetryer{}
		r := NewRetryer(inner, NewLimiter(5), 3, time.Hour, nil)
		for _, err := range []error{throttle, internal, nil} {
			release, e := r.GetAttemptToken(t.Context())
			if e != nil {
				t.Fatal(e)
			}
			_ = release(err)
		}
		if inner.given != 3 || len(inner.released) != 3 {
			t.Fatalf("inner retryer gave %d tokens and got %d back, want 3 and 3", inner.given, len(inner.released))
		}
		if inner.released[0] != nil || inner.released[1] == nil || inner.released[2] != nil {
			t.Errorf("inner retryer was told %v; want only the KMSInternalException", inner.released)
		}
	})
}

func TestATokenIsGivenBackWhenTheWaitIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &countingRetryer{}
		r := NewRetryer(inner, NewLimiter(0.001), 3, time.Hour, nil)
		if _, err := r.GetAttemptToken(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.GetAttemptToken(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("GetAttemptToken = %v, want the deadline", err)
		}
		if inner.given-len(inner.released) != 1 {
			t.Errorf("inner retryer gave %d tokens and got %d back; only the first attempt is under way", inner.given, len(inner.released))
		}
	})
}
