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
		r := NewRetryer(retry.NewStandard(), NewLimiter(5), Options{Attempts: 3, Patience: time.Minute})
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
		r := NewRetryer(retry.NewStandard(), NewLimiter(5), Options{Attempts: 3, Patience: time.Hour})
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
	r := NewRetryer(retry.NewStandard(), NewLimiter(5), Options{Attempts: 3, Patience: time.Hour})
	if r.IsErrorRetryable(denied) {
		t.Error("AccessDeniedException would be tried again")
	}
}

func TestAnAnswerThatCannotBeDecodedIsAskedForAgain(t *testing.T) {
	r := NewRetryer(retry.NewStandard(), NewLimiter(5), Options{Attempts: 3, Patience: time.Hour})
	if !r.IsErrorRetryable(&smithy.DeserializationError{Err: errors.New("half a body")}) {
		t.Error("a malformed answer would not be tried again; it was a read")
	}
}

func TestAHostThatDoesNotExistIsNotTriedAgain(t *testing.T) {
	r := NewRetryer(retry.NewStandard(), NewLimiter(5), Options{Attempts: 9, Patience: time.Hour, First: true})
	if r.IsErrorRetryable(&smithyhttp.RequestSendError{Err: &net.DNSError{IsNotFound: true}}) {
		t.Error("NXDOMAIN would be tried again by a target's first call")
	}
	later := NewRetryer(retry.NewStandard(), NewLimiter(5), Options{Attempts: 9, Patience: time.Hour})
	if !later.IsErrorRetryable(&smithyhttp.RequestSendError{Err: &net.DNSError{IsNotFound: true}}) {
		t.Error("NXDOMAIN in the middle of a run would cost a key")
	}
	if !r.IsErrorRetryable(&smithyhttp.RequestSendError{Err: &net.DNSError{IsTimeout: true}}) {
		t.Error("a name server that timed out would not be asked again")
	}
}

func TestDelaysAreBounded(t *testing.T) {
	r := NewRetryer(retry.NewStandard(), NewLimiter(5), Options{Attempts: 100, Patience: time.Hour})
	for attempt := 1; attempt < 50; attempt++ {
		d, err := r.RetryDelay(attempt, internal)
		if err != nil || d > longestDelay {
			t.Fatalf("RetryDelay after attempt %d = %v, %v; want at most %v", attempt, d, err, longestDelay)
		}
	}
}

func TestARetryerThatHasNoDelayGetsOne(t *testing.T) {
	r := NewRetryer(aws.NopRetryer{}, NewLimiter(5), Options{Attempts: 3, Patience: time.Hour})
	if !r.IsErrorRetryable(internal) {
		t.Fatal("a KMSInternalException would not be tried again")
	}
	if d, err := r.RetryDelay(1, internal); err != nil || d <= 0 {
		t.Errorf("RetryDelay = %v, %v; want some delay", d, err)
	}
}

func TestPatienceIsLostOnlyWhenNobodyGetsThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(5)
		r := NewRetryer(retry.NewStandard(), l, Options{Attempts: 3, Patience: time.Minute})
		for range 10 {
			if !r.IsErrorRetryable(throttle) {
				t.Fatal("a call was given up though others get through")
			}
			time.Sleep(30 * time.Second)
			l.Answered()
		}
		r.IsErrorRetryable(throttle)
		time.Sleep(time.Minute)
		if r.IsErrorRetryable(throttle) {
			t.Error("a call goes on though nobody has got through for longer than its patience")
		}
	})
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
		r := NewRetryer(inner, NewLimiter(5), Options{Attempts: 3, Patience: time.Hour})
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
		if !errors.Is(inner.released[0], errPaced) || !errors.Is(inner.released[1], internal) || inner.released[2] != nil {
			t.Errorf("inner retryer was told %v; want neither a throttle nor a success of the first", inner.released)
		}
	})
}

func TestATokenIsGivenBackWhenTheWaitIsCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &countingRetryer{}
		r := NewRetryer(inner, NewLimiter(0.001), Options{Attempts: 3, Patience: time.Hour})
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
