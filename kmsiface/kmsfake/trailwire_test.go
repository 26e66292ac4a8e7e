package kmsfake

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// The SDK's module for CloudTrail ships no requests and answers as that for KMS
// does. Its serializers and deserializers are asked instead: what they write is
// read here, and what is written here is read by them, for every member.

// sample fills a value so that no member is like another.
func sample(v reflect.Value, n *int) {
	*n++
	switch {
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(time.Unix(1_780_000_000+int64(*n), 123_000_000).UTC()))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		sample(v.Elem(), n)
	case v.Kind() == reflect.String:
		v.SetString("text " + strings.Repeat("x", *n%7) + string(rune('a'+*n%26)) + `"\/é`)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Int32:
		v.SetInt(int64(*n))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			sample(v.Index(i), n)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "ResultMetadata" {
				sample(v.Field(i), n)
			}
		}
	default:
		panic("no sample of " + v.Type().String())
	}
}

// trailCall has the real client call an operation; do sees the request.
func trailCall(t *testing.T, name string, in any, do func(*http.Request) (*http.Response, error)) (any, error) {
	t.Helper()
	client := trail.New(trail.Options{Region: "us-east-1", Credentials: Credentials("111122223333"), HTTPClient: doFunc(do), RetryMaxAttempts: 1})
	out := reflect.ValueOf(client).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(in)})
	err, _ := reflect.TypeAssert[error](out[1])
	return out[0].Interface(), err
}

func trailNames() []string {
	var names []string
	for name := range trailOperations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestEveryRequestOfTheSDKToCloudTrailIsReadWithoutLoss(t *testing.T) {
	for _, name := range trailNames() {
		t.Run(name, func(t *testing.T) {
			op := trailOperations[name]
			in := op.newInput()
			n := 0
			sample(reflect.ValueOf(in).Elem(), &n)
			sent := errors.New("seen")
			_, err := trailCall(t, name, in, func(r *http.Request) (*http.Response, error) {
				svc, operation, ok := serviceOf(r.Header.Get("X-Amz-Target"))
				if svc != trailService || operation != name || !ok || r.Header.Get("Content-Type") != contentType {
					t.Errorf("the SDK sends other headers: %v", r.Header)
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				read, err := op.decode(body)
				if err != nil {
					t.Fatalf("%v in %s", err, body)
				}
				if !reflect.DeepEqual(read, in) {
					t.Errorf("read\n%+v\nfrom\n%s", read, body)
				}
				return nil, sent
			})
			if !errors.Is(err, sent) {
				t.Errorf("the request was not sent: %v", err)
			}
		})
	}
}

func TestTheSDKReadsEveryAnswerOfCloudTrailWithoutLoss(t *testing.T) {
	for _, name := range trailNames() {
		t.Run(name, func(t *testing.T) {
			method, ok := reflect.TypeFor[*trail.Client]().MethodByName(name)
			if !ok {
				t.Fatal("the SDK's client has no such operation")
			}
			want := reflect.New(method.Type.Out(0).Elem()).Interface()
			n := 0
			sample(reflect.ValueOf(want).Elem(), &n)
			in := trailOperations[name].newInput()
			sample(reflect.ValueOf(in).Elem(), &n)
			body := encode(want)
			got, err := trailCall(t, name, in, func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
			})
			if err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			reflect.ValueOf(got).Elem().FieldByName("ResultMetadata").Set(reflect.ValueOf(middleware.Metadata{}))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the SDK reads\n%+v\nfrom\n%s", got, body)
			}
		})
	}
}

func TestTheSDKKnowsTheErrorsOfCloudTrail(t *testing.T) {
	for name, codes := range map[string][]string{
		"LookupEvents":      {codeInvalidLookup, codeInvalidTimeRange, codeInvalidMaxResults, codeInvalidNextToken, codeInvalidCategory},
		"GetTrailStatus":    {codeTrailNotFound, codeInvalidTrailName, codeInvalidTrailARN},
		"GetEventSelectors": {codeTrailNotFound, codeInvalidTrailName, codeInvalidTrailARN},
		"DescribeTrails":    {codeInvalidTrailName, codeInvalidTrailARN},
		"StopLogging":       {codeInvalidHome, codeTrailNotFound},
		"PutEventSelectors": {codeInvalidSelectors},
		"CreateTrail":       {codeTrailAlreadyExists, codeTrailKeyNotFound, codeInvalidBucketName, codeInvalidPrefix, codeTooManyTrails},
	} {
		for _, code := range codes {
			t.Run(name+" "+code, func(t *testing.T) {
				e := fail(code, "why")
				in := trailOperations[name].newInput()
				n := 0
				sample(reflect.ValueOf(in).Elem(), &n)
				_, err := trailCall(t, name, in, func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: e.status(), Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(encodeError(e))), Request: r}, nil
				})
				var api smithy.APIError
				var generic *smithy.GenericAPIError
				if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() != "why" || errors.As(err, &generic) {
					t.Errorf("the SDK reads %v", err)
				}
			})
		}
	}
}

func TestADateThatIsNoNumberIsRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{"StartTime":"yesterday"}`: "class string can not be converted to float64 at 'StartTime'",
		`{"starttime":"yesterday"}`: "class string can not be converted to float64 at 'starttime'",
		`{"EndTime":1e300}`:         "Could not parse the request: the date 1e300 is not within 10,000 years at 'EndTime'",
		`{"MaxResults":"ten"}`:      "class string can not be converted to int32 at 'MaxResults'",
		`[]`:                        "class array can not be converted to an object",
	} {
		if _, err := trailOperations["LookupEvents"].decode([]byte(body)); err == nil || err.Error() != codeSerialization+": "+want {
			t.Errorf("%s: %v", body, err)
		}
	}
	in, err := trailOperations["LookupEvents"].decode([]byte(`{"StartTime":null,"EndTime":1.5e9}`))
	if q := as[*trail.LookupEventsInput](in); err != nil || q.StartTime != nil || !q.EndTime.Equal(time.Unix(1_500_000_000, 0)) {
		t.Errorf("%+v, %v", q, err)
	}
}

// What CloudTrail logs is decided by the tables of operations: every one of
// them, whatever becomes of the call.
func TestEveryOperationLeavesAnEvent(t *testing.T) {
	call := func(t *testing.T, srv *Server, svc *service, name string, body []byte) {
		t.Helper()
		h := http.Header{}
		h.Set("X-Amz-Target", svc.target+name)
		h.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA0000111122223333/20260801/us-east-1/"+svc.name+"/aws4_request, SignedHeaders=host, Signature=0")
		h.Set("User-Agent", "agent of "+name)
		if _, err := srv.serve(t.Context(), http.MethodPost, h, body); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, time.August, 1, 12, 0, 0, 999, time.UTC)
	for svc, names := range map[*service][]string{kmsService: Operations(), trailService: trailNames()} {
		for _, name := range names {
			t.Run(svc.name+" "+name, func(t *testing.T) {
				srv := New(func(o *Options) { o.Now, o.Record = func() time.Time { return at }, 1 })
				body := []byte("{}")
				if svc == kmsService {
					_, request := snapshot(t, "request_snapshot", name+".request.snap")
					body = []byte(request)
				}
				call(t, srv, svc, name, body)
				events, _ := srv.log.all()
				if len(events) != 1 {
					t.Fatalf("%d events", len(events))
				}
				var r struct {
					EventVersion, EventTime, EventSource, EventName, AWSRegion, UserAgent, ErrorCode, RequestID, EventID, RecipientAccountID string
					ReadOnly                                                                                                                 bool
					UserIdentity                                                                                                             struct{ ARN, AccessKeyID string }
				}
				record := events[0].record()
				if err := json.Unmarshal(record, &r); err != nil {
					t.Fatalf("%v in %s", err, record)
				}
				told := srv.Events()[0]
				switch {
				case r.EventName != name, r.EventSource != svc.source, r.EventTime != "2026-08-01T12:00:00Z", r.AWSRegion != "us-east-1",
					r.RecipientAccountID != "111122223333", r.UserAgent != "agent of "+name, r.EventID != told.EventID, r.RequestID != told.RequestID,
					r.ErrorCode != told.Code && (r.ErrorCode != "AccessDenied" || told.Code != codeAccessDenied),
					r.UserIdentity.ARN != "arn:aws:sts::111122223333:assumed-role/Admin/kmsfake", r.UserIdentity.AccessKeyID != "AKIA0000111122223333":
					t.Errorf("%s", record)
				case r.ReadOnly == svc.operation(name).changes:
					t.Errorf("read only: %t", r.ReadOnly)
				}
			})
		}
	}
}

func TestTheMemoryOfTheLogIsBounded(t *testing.T) {
	srv := New(func(o *Options) { o.LogSize = 100 })
	arn := srv.MustAddKey(Key{Account: "111122223333", Region: "us-east-1", Created: time.Unix(0, 0)})
	for i := range 10_000 {
		if err := srv.Use(arn, "Decrypt", time.Unix(int64(i), 0)); err != nil {
			t.Fatal(err)
		}
		if n := len(srv.log.events); n > 150 || cap(srv.log.events) > 500 {
			t.Fatalf("%d events, room for %d", n, cap(srv.log.events))
		}
	}
}

// The log keeps no plaintext: an event is written from what is left.
func TestTheLogKeepsNoSecrets(t *testing.T) {
	srv := New()
	arn := srv.MustAddKey(Key{Account: "111122223333", Region: "us-east-1"})
	if _, err := srv.Client("111122223333", "us-east-1").Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("secret")}); err != nil {
		t.Fatal(err)
	}
	events, _ := srv.log.all()
	if in := as[*kms.EncryptInput](events[0].request); in.Plaintext != nil || *in.KeyId != arn {
		t.Errorf("kept %+v", in)
	}
	for _, name := range Operations() {
		_, request := snapshot(t, "request_snapshot", name+".request.snap")
		op := operations[name]
		in, err := op.decode([]byte(request))
		if err != nil {
			t.Fatal(err)
		}
		op.strip(in)
		v := reflect.ValueOf(in).Elem()
		for i := range v.NumField() {
			if v.Field(i).Type() == bytesType && !v.Field(i).IsNil() {
				t.Errorf("%s keeps %s", name, v.Type().Field(i).Name)
			}
		}
		l := logged{service: kmsService, name: name, request: in}
		if text := string(l.parameters()); strings.Contains(text, "rantToken") || strings.Contains(text, "ecipient") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
