package staleness_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"go.uber.org/mock/gomock"

	"github.com/kmsusage/usage/examples/staleness"
	"github.com/kmsusage/usage/kmsiface/kmsmock"
)

const key = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

var (
	created  = time.Date(2024, time.March, 1, 12, 0, 0, 0, time.UTC)
	tracking = time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC)
	since    = time.Date(2026, time.August, 1, 0, 0, 0, 0, time.UTC)
)

// answer is what KMS says of a key; a zero last means that it has no record.
func answer(created, tracking, last time.Time) *kms.GetKeyLastUsageOutput {
	out := &kms.GetKeyLastUsageOutput{
		KeyId:             aws.String(key),
		KeyCreationDate:   aws.Time(created),
		TrackingStartDate: aws.Time(tracking),
		KeyLastUsage:      &types.KeyLastUsageData{},
	}
	if !last.IsZero() {
		out.KeyLastUsage.Timestamp = aws.Time(last)
		out.KeyLastUsage.Operation = types.KeyLastUsageTrackingOperationDecrypt
	}
	return out
}

func TestQuietSince(t *testing.T) {
	none := time.Time{}
	tests := []struct {
		name  string
		out   *kms.GetKeyLastUsageOutput
		since time.Time
		want  staleness.Answer
	}{
		{"a key used after the time is in use", answer(created, tracking, since.Add(time.Hour)), since, staleness.InUse},
		{"a key used at the very time is in use", answer(created, tracking, since), since, staleness.InUse},
		{"a key last used before the time is quiet", answer(created, tracking, since.Add(-time.Hour)), since, staleness.Quiet},
		{"an empty record is quiet if KMS was recording by then", answer(created, tracking, none), since, staleness.Quiet},
		{"an empty record is unknown if KMS began recording later", answer(created, tracking, none), tracking.Add(-time.Second), staleness.Unknown},
		{"an empty record is quiet if KMS recorded the key's whole life", answer(since, since, none), tracking, staleness.Quiet},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := kmsmock.NewMockLastUsageGetter(gomock.NewController(t))
			client.EXPECT().
				GetKeyLastUsage(gomock.Any(), &kms.GetKeyLastUsageInput{KeyId: aws.String(key)}).
				Return(tt.out, nil)

			got, err := staleness.New(client).QuietSince(t.Context(), key, tt.since)
			if err != nil {
				t.Fatalf("unexpected error: %v", err)
			}
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAKeyThatCannotBeReadIsNeverQuiet(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform kms:GetKeyLastUsage"}
	throttled := &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	tests := []struct {
		name string
		out  *kms.GetKeyLastUsageOutput
		err  error
		want error
	}{
		{"when access is denied", nil, denied, denied},
		{"when the request is throttled", nil, throttled, throttled},
		{"when the context has ended", nil, context.Canceled, context.Canceled},
		{"when a failed call brings an answer all the same", answer(created, tracking, time.Time{}), throttled, throttled},
		{"when the answer lacks the usage element", &kms.GetKeyLastUsageOutput{KeyCreationDate: &created, TrackingStartDate: &tracking}, nil, staleness.ErrIncomplete},
		{"when the answer lacks the start of tracking", &kms.GetKeyLastUsageOutput{KeyCreationDate: &created, KeyLastUsage: &types.KeyLastUsageData{}}, nil, staleness.ErrIncomplete},
		{"when the answer lacks the creation date", &kms.GetKeyLastUsageOutput{TrackingStartDate: &tracking, KeyLastUsage: &types.KeyLastUsageData{}}, nil, staleness.ErrIncomplete},
		{"when there is no answer", nil, nil, staleness.ErrIncomplete},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := kmsmock.NewMockLastUsageGetter(gomock.NewController(t))
			client.EXPECT().GetKeyLastUsage(gomock.Any(), gomock.Any()).Return(tt.out, tt.err)

			got, err := staleness.New(client).QuietSince(t.Context(), key, since)
			if got != staleness.Unknown {
				t.Errorf("got %v, want Unknown", got)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want one that wraps %v", err, tt.want)
			}
		})
	}
}
