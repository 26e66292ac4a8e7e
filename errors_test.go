package usage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestErrorsUnwrapToTheSentinelAndTheCause(t *testing.T) {
	apiError := func(code string) error {
		return &smithy.OperationError{ServiceID: "KMS", OperationName: "X", Err: &smithy.GenericAPIError{Code: code, Message: "said so"}}
	}
	for name, tt := range map[string]struct {
		cause    error
		sentinel error // nil: none
	}{
		"a denial":               {apiError("AccessDeniedException"), usage.ErrAccessDenied},
		"expired credentials":    {apiError("ExpiredTokenException"), usage.ErrAccessDenied},
		"a throttle":             {apiError("ThrottlingException"), usage.ErrThrottled},
		"a missing key":          {&types.NotFoundException{}, usage.ErrKeyNotFound},
		"an unknown operation":   {apiError("UnknownOperationException"), usage.ErrUnsupported},
		"a failure of KMS":       {&types.KMSInternalException{}, usage.ErrUnavailable},
		"an undecodable answer":  {&smithy.DeserializationError{Err: errors.New("no JSON")}, usage.ErrMalformed},
		"a code unheard of":      {apiError("NoveltyException"), nil},
		"an error of the caller": {io.ErrNoProgress, nil},
		"the end of a context":   {fmt.Errorf("call: %w", context.Canceled), nil},
	} {
		for kind, err := range map[string]error{
			"KeyError":    &usage.KeyError{ARN: oneARN, Op: "DescribeKey", Err: tt.cause},
			"TargetError": &usage.TargetError{Account: home, Region: ohio, Op: "ListKeys", Err: tt.cause},
		} {
			t.Run(kind+" of "+name, func(t *testing.T) {
				if !errors.Is(err, tt.cause) {
					t.Error("the cause is not found")
				}
				for _, s := range sentinels {
					if got := errors.Is(err, s); got != errors.Is(s, tt.sentinel) {
						t.Errorf("is %v: %v", s, got)
					}
				}
			})
		}
	}
}

func TestErrorsLeadToTheSDKsOwnTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 1)
		srv.Inject(faultAt("GetKeyPolicy", kmsfake.Fail(400, "NotFoundException", "it is gone")))
		g, _ := mustInspectOne(t, srv.Client(home, ohio)).Gap("GetKeyPolicy")
		if e, ok := errors.AsType[*types.NotFoundException](g.Err); !ok || e.ErrorMessage() != "it is gone" {
			t.Errorf("no *types.NotFoundException in %v", g.Err)
		}

		srv.Inject(faultAt("ListKeys", kmsfake.Deny()))
		_, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(home, ohio)))
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "AccessDeniedException" {
			t.Errorf("no smithy.APIError of a denial in %v", err)
		}
		if e, ok := errors.AsType[*usage.TargetError](err); !ok || e.Op != "ListKeys" {
			t.Errorf("no *TargetError in %v", err)
		}
	})
}

func TestErrorsSayWhatFailedWhere(t *testing.T) {
	cause := errors.New("because")
	for want, err := range map[string]error{
		"DescribeKey " + oneARN + ": because": &usage.KeyError{ARN: oneARN, Op: "DescribeKey", Err: cause},
		"target 111122223333 us-east-2 ListKeys: read 3 of 5 keys listed: because": &usage.TargetError{
			Account: home, Region: ohio, Op: "ListKeys", Listed: 5, Read: 3, Err: cause,
		},
		"target 111122223333 us-east-2: read 3 of 5 keys listed: because": &usage.TargetError{
			Account: home, Region: ohio, Listed: 5, Read: 3, Err: cause,
		},
		"target ListKeys: read 0 of 0 keys listed: because": &usage.TargetError{Op: "ListKeys", Err: cause},
		"target: read 0 of 0 keys listed: because":          &usage.TargetError{Err: cause},
	} {
		if got := err.Error(); got != want {
			t.Errorf("text = %q, want %q", got, want)
		}
	}
}
