package kmsfake_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "111122223333"
	other   = "444455556666"
	region  = "us-east-1"
)

// august is the present of most tests, well after tracking began.
var august = time.Date(2026, time.August, 1, 12, 0, 0, 0, time.UTC)

// fake returns a server whose clock stands at august, and its clock. Quotas are
// off unless the options say otherwise.
func fake(optFns ...func(*kmsfake.Options)) (*kmsfake.Server, *kmsfake.Clock) {
	clock := kmsfake.NewClock(august)
	base := func(o *kmsfake.Options) {
		o.Now = clock.Now
		o.Quotas = map[string]float64{}
	}
	return kmsfake.New(append([]func(*kmsfake.Options){base}, optFns...)...), clock
}

// once stops the SDK from retrying.
func once(o *kms.Options) { o.Retryer = aws.NopRetryer{} }

// wantCode checks the error code of an answer; empty means success.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	switch {
	case code == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case code == "":
	case !errors.As(err, &api):
		t.Errorf("error %v, want %s", err, code)
	case api.ErrorCode() != code:
		t.Errorf("error %s, want %s", err, code)
	}
}

// wantError checks code and message of an error answer.
func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	wantCode(t, err, code)
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorMessage() != message {
		t.Errorf("message\n%s\nwant\n%s", api.ErrorMessage(), message)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
