package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

func status(code int) error {
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: errors.New("status")}
}

func TestOf(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		err  error
		want Code
	}{
		"nothing failed":                          {t.Context(), nil, Other},
		"the SDK's own type of a missing key":     {t.Context(), &types.NotFoundException{}, NotFound},
		"a code the SDK has no type for":          {t.Context(), &smithy.GenericAPIError{Code: "AccessDeniedException"}, Denied},
		"what CloudTrail does not permit":         {t.Context(), &smithy.GenericAPIError{Code: "OperationNotPermittedException"}, Denied},
		"an expired token is no denial":           {t.Context(), &smithy.GenericAPIError{Code: "ExpiredTokenException"}, Unauthenticated},
		"wrapped as the SDK wraps":                {t.Context(), &smithy.OperationError{Err: &types.KMSInternalException{}}, Unavailable},
		"an operation that is not in this Region": {t.Context(), &smithy.GenericAPIError{Code: "UnknownOperationException"}, Unsupported},
		"a code nobody knows":                     {t.Context(), &smithy.GenericAPIError{Code: "Novelty"}, Other},
		"503 without a code":                      {t.Context(), status(503), Unavailable},
		"429 without a code":                      {t.Context(), status(429), Throttled},
		"403 without a code":                      {t.Context(), status(403), Denied},
		"a body that is no JSON":                  {t.Context(), &smithy.DeserializationError{Err: errors.New("bad")}, Malformed},
		"a body that was cut off":                 {t.Context(), &smithy.DeserializationError{Err: io.ErrUnexpectedEOF}, Unavailable},
		"a connection that broke":                 {t.Context(), &smithyhttp.RequestSendError{Err: io.EOF}, Unavailable},
		"the HTTP client's own deadline":          {t.Context(), fmt.Errorf("call: %w", context.DeadlineExceeded), Unavailable},
		"the caller's context ended":              {ended, fmt.Errorf("call: %w", context.Canceled), Canceled},
		"a denial as the context ended":           {ended, &smithy.GenericAPIError{Code: "AccessDeniedException"}, Denied},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Of(tt.ctx, tt.err); got != tt.want {
				t.Errorf("Of(%v) = %d, want %d", tt.err, got, tt.want)
			}
		})
	}
}

// The SDK's list is the one AWS maintains; ours may leave out what KMS cannot
// mean by throttling when it reads, but each omission is a decision.
func TestEveryThrottleCodeOfTheSDKIsKnown(t *testing.T) {
	omitted := map[string]bool{
		"LimitExceededException":         true, // KMS: a resource quota, when creating
		"TransactionInProgressException": true, // DynamoDB
		"BandwidthLimitExceeded":         true, // S3
		"PriorRequestNotComplete":        true, // Route 53
		"EC2ThrottledException":          true, // EC2
	}
	for code := range retry.DefaultThrottleErrorCodes {
		if got := Throttle(&smithy.GenericAPIError{Code: code}); got == omitted[code] {
			t.Errorf("Throttle(%s) = %v", code, got)
		}
	}
}

func TestAnAnswerIsWhatTheServiceItselfSaysButAThrottle(t *testing.T) {
	sts := &smithy.OperationError{Err: fmt.Errorf("get identity: get credentials: %w", status(403))}
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"a success":                                       {nil, true},
		"a denial":                                        {status(403), true},
		"a failure of the service":                        {status(503), true},
		"an error without a response, of a mock":          {&types.NotFoundException{}, true},
		"a throttle":                                      {&smithy.GenericAPIError{Code: "ThrottlingException"}, false},
		"a throttle without a code":                       {status(429), false},
		"an answer that was cut off":                      {&smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusOK}}, Err: &smithy.DeserializationError{Err: io.ErrUnexpectedEOF}}, true},
		"the end of a context":                            {context.Canceled, false},
		"the end of a context while an answer is awaited": {&smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{}}, Err: context.DeadlineExceeded}, false},
		"a connection that broke":                         {&smithyhttp.RequestSendError{Err: io.EOF}, false},
		"what those say who give credentials":             {sts, false},
		"something else":                                  {errors.New("odd"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Answered(tt.err); got != tt.want {
				t.Errorf("Answered(%v) = %v, want %v", tt.err, got, tt.want)
			}
		})
	}
}
