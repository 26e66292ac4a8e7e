package cloudtrail_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// trailService answers AWS JSON 1.1 by operation and, where it has one, trail.
type trailService struct {
	mu       sync.Mutex
	answers  map[string][]string // the last one again and again; an error begins with its status
	requests []string
}

func (s *trailService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	op := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "CloudTrail_20131101.")
	s.requests = append(s.requests, op+" "+string(body))
	for name, answers := range s.answers {
		o, arn, _ := strings.Cut(name, " ")
		if o != op || !strings.Contains(string(body), arn) {
			continue
		}
		if len(answers) > 1 {
			s.answers[name] = answers[1:]
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		answer, failed := strings.CutPrefix(answers[0], "400 ")
		if failed {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, answer)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

// client is the SDK's client of the service.
func (s *trailService) client(t *testing.T) *trail.Client {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return trail.New(trail.Options{
		Region: "us-west-2", BaseEndpoint: &srv.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
	})
}

func TestTheClientOfTheSDKAsksAndUnderstandsWhatTravels(t *testing.T) {
	s := &trailService{answers: map[string][]string{
		"DescribeTrails": {
			`400 {"__type":"ThrottlingException","message":"Rate exceeded"}`, // the client's own retryer asks again
			`{"trailList":[
				{"IncludeGlobalServiceEvents":true,"IsOrganizationTrail":false,"HasInsightSelectors":false,"Name":"main","TrailARN":"` + mainTrail + `","LogFileValidationEnabled":true,"IsMultiRegionTrail":true,"HasCustomEventSelectors":true,"S3BucketName":"logs","S3KeyPrefix":"audit","HomeRegion":"us-west-2","KmsKeyId":"` + keyARN + `","RecursiveLogging":true},
				{"IncludeGlobalServiceEvents":true,"IsOrganizationTrail":true,"HasInsightSelectors":false,"Name":"org","TrailARN":"` + orgTrail + `","LogFileValidationEnabled":true,"IsMultiRegionTrail":true,"HasCustomEventSelectors":false,"S3BucketName":"central","HomeRegion":"us-east-1"}]}`,
		},
		"GetEventSelectors " + mainTrail: {`{"TrailARN":"` + mainTrail + `","AdvancedEventSelectors":[{"Name":"No KMS","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventSource","NotEquals":["kms.amazonaws.com"]}]}]}`},
		"GetEventSelectors " + orgTrail:  {`400 {"__type":"CloudTrailARNInvalidException","message":"AccountID in ARN is wrong, you can only access resources with AccountID 111122223333."}`},
		"GetTrailStatus " + mainTrail:    {`{"IsLogging":true,"LatestDeliveryTime":1604522848.468,"StartLoggingTime":1604521222.552,"LatestDeliveryError":"NoSuchBucket","LatestDeliveryAttemptTime":"2020-11-04T20:47:28Z","LatestNotificationAttemptTime":"","LatestNotificationAttemptSucceeded":"","LatestDeliveryAttemptSucceeded":"2020-11-04T20:47:28Z","TimeLoggingStarted":"2020-11-04T20:20:22Z","TimeLoggingStopped":""}`},
		"GetTrailStatus " + orgTrail:     {`{"IsLogging":true,"LatestDeliveryTime":1604522848.468,"StartLoggingTime":1604521222.552}`},
	}}
	asked := time.Date(2020, time.November, 4, 21, 0, 0, 0, time.UTC)
	got := mustRead(t, s.client(t), func(o *cloudtrail.TrailOptions) { o.Now = func() time.Time { return asked } })
	got = throughJSON(t, got)

	if len(got.Trails) != 2 || got.Trails[0].ARN != orgTrail || got.Trails[1].ARN != mainTrail || got.Trails[1].Prefix != "audit" || got.Trails[1].Key != keyARN {
		t.Fatalf("%+v", got.Trails)
	}
	if w := word(got.Trails[1].Records); w != "none" {
		t.Errorf("records %s", w)
	}
	delivered := time.Date(2020, time.November, 4, 20, 47, 28, 468e6, time.UTC)
	if st := got.Trails[1].Status; st == nil || !st.Logging || !st.Delivered.Equal(delivered) || !st.Stopped.IsZero() || st.DeliveryError != "NoSuchBucket" || st.Started.Format(time.DateTime) != "2020-11-04 20:20:22" {
		t.Errorf("status %+v", st)
	}
	if st := got.Trails[0].Status; st == nil || !st.Logging || got.Trails[0].Records != nil {
		t.Errorf("organization: %+v", got.Trails[0])
	}
	if len(got.Gaps) != 1 || got.Gaps[0].Op != "GetEventSelectors" || got.Gaps[0].Trail != orgTrail || got.Gaps[0].Reason != usage.Denied {
		t.Errorf("gaps %+v", got.Gaps)
	}
	want := []string{
		`DescribeTrails {"includeShadowTrails":true}`, `DescribeTrails {"includeShadowTrails":true}`,
		`GetEventSelectors {"TrailName":"` + orgTrail + `"}`, `GetTrailStatus {"Name":"` + orgTrail + `"}`,
		`GetEventSelectors {"TrailName":"` + mainTrail + `"}`, `GetTrailStatus {"Name":"` + mainTrail + `"}`,
	}
	if !slices.Equal(s.requests, want) {
		t.Errorf("requests\n%s\nwant\n%s", strings.Join(s.requests, "\n"), strings.Join(want, "\n"))
	}
}

func TestAnswersOverHTTPThatAreNoneAreGaps(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		is     error
	}{
		"empty":      {`{}`, usage.ErrMalformed},
		"cut":        {`{"trailList":[`, usage.ErrUnavailable},
		"a web page": {`<html>`, usage.ErrMalformed},
		"denied":     {`400 {"__type":"AccessDeniedException","Message":"User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: cloudtrail:DescribeTrails"}`, usage.ErrAccessDenied},
		"throttled":  {`400 {"__type":"ThrottlingException","message":"Rate exceeded"}`, usage.ErrThrottled},
	} {
		t.Run(name, func(t *testing.T) {
			s := &trailService{answers: map[string][]string{"DescribeTrails": {tt.answer}}}
			got, err := cloudtrail.ReadTrails(t.Context(), s.client(t), "111122223333", "us-west-2")
			if !errors.Is(err, tt.is) || got == nil || got.Trails != nil || len(got.Gaps) != 1 || len(got.BlindSpots()) != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
