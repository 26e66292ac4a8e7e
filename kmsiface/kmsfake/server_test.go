package kmsfake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// overHTTP serves on the loopback interface and returns an SDK client of it.
func overHTTP(t *testing.T, srv *kmsfake.Server, optFns ...func(*kms.Options)) *kms.Client {
	t.Helper()
	url, stop, err := srv.Start()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		stop() // a second time does no harm
	})
	return kms.New(kms.Options{
		Region: region, Credentials: kmsfake.Credentials(account), BaseEndpoint: &url, HTTPClient: &http.Client{Transport: transport},
	}, optFns...)
}

func TestTheSDKClientTalksToTheServerOverHTTP(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(0, -1, 0), LastUsed: august.Add(-1234 * time.Millisecond)})
	c := overHTTP(t, srv)
	out := lastUsage(t, c, arn)
	if !out.KeyLastUsage.Timestamp.Equal(august.Add(-1234 * time.Millisecond)) {
		t.Errorf("last use %v", out.KeyLastUsage.Timestamp)
	}
	in := must(srv.Client(account, region).GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &arn}))
	if *in.KeyLastUsage.CloudTrailEventId != *out.KeyLastUsage.CloudTrailEventId || *in.KeyId != *out.KeyId {
		t.Error("the in-process client sees something else")
	}
	_, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/none")})
	wantCode(t, err, "NotFoundException")
}

// The SDK corrects its clock by the Date header, so that a fake clock must not
// show there.
func TestTheDateHeaderIsRealTime(t *testing.T) {
	clock := kmsfake.NewClock(time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC))
	srv := kmsfake.New(func(o *kmsfake.Options) { o.Now = clock.Now })
	url, stop, err := srv.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	request := func() *http.Request {
		return must(http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}")))
	}
	for name, do := range map[string]kms.HTTPClient{"HTTP": &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "in process": srv.HTTPClient()} {
		resp, err := do.Do(request())
		if err != nil {
			t.Fatal(err)
		}
		date := must(http.ParseTime(resp.Header.Get("Date")))
		if d := time.Since(date).Abs(); d > time.Minute {
			t.Errorf("%s: the Date header is off by %v", name, d)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// raw sends a request without the SDK.
func raw(t *testing.T, srv http.Handler, target, authorization, body string) (int, map[string]string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	if w.Header().Get("X-Amzn-Requestid") == "" || w.Header().Get("Content-Type") != "application/x-amz-json-1.1" {
		t.Errorf("headers %v", w.Header())
	}
	got := map[string]string{}
	var all map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	for k, v := range all {
		got[k] = fmt.Sprint(v)
	}
	return w.Code, got
}

const signed = "AWS4-HMAC-SHA256 Credential=AKIA0000111122223333/20260801/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=00"

func TestAnUnknownOperationFailsLoudlyNamingItself(t *testing.T) {
	srv, _ := fake()
	status, body := raw(t, srv, "TrentService.Foo", signed, "{}")
	if status != http.StatusBadRequest || body["__type"] != "UnknownOperationException" || !strings.Contains(body["message"], "kmsfake does not implement") || !strings.Contains(body["message"], "TrentService.Foo") {
		t.Errorf("%d %v", status, body)
	}
	if c := srv.Total("Foo"); c.Attempts != 1 || c.Failed != 1 {
		t.Errorf("counted %+v", c)
	}
	_, err := srv.Client(account, region, once).GetParametersForImport(t.Context(), &kms.GetParametersForImportInput{
		KeyId: aws.String("x"), WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	wantCode(t, err, "UnknownOperationException")
	if _, body := raw(t, srv, "OtherService.ListKeys", signed, "{}"); body["__type"] != "UnknownOperationException" {
		t.Errorf("%v", body)
	}
}

func TestTheCallerIsReadFromTheCredentialScope(t *testing.T) {
	srv, _ := fake()
	for _, tt := range []struct{ name, authorization, code string }{
		{"none", "", "MissingAuthenticationTokenException"},
		{"unknown", strings.Replace(signed, "AKIA0000111122223333", "AKIAIOSFODNN7EXAMPLE", 1), "UnrecognizedClientException"},
		{"no account", strings.Replace(signed, "AKIA0000111122223333", "AKIA000011112222333X", 1), "UnrecognizedClientException"},
		{"another service", strings.Replace(signed, "/kms/", "/s3/", 1), "InvalidSignatureException"},
		{"no scope", "AWS4-HMAC-SHA256 Credential=AKIA0000111122223333", "InvalidSignatureException"},
		{"good", signed, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, body := raw(t, srv, "TrentService.ListKeys", tt.authorization, "{}"); body["__type"] != tt.code {
				t.Errorf("%v, want %s", body, tt.code)
			}
		})
	}
	if err := srv.AddPrincipal("AKIAX", "nobody"); err == nil {
		t.Error("a principal without an ARN")
	}
	var principals []string
	srv.Deny(func(c kmsfake.Call) bool { principals = append(principals, c.Principal); return false })
	for _, r := range []string{"us-east-1", "cn-north-1", "us-gov-west-1"} {
		must(srv.Client(account, r).ListKeys(t.Context(), &kms.ListKeysInput{}))
	}
	want := []string{"arn:aws:sts::111122223333:assumed-role/Admin/kmsfake", "arn:aws-cn:sts::111122223333:assumed-role/Admin/kmsfake", "arn:aws-us-gov:sts::111122223333:assumed-role/Admin/kmsfake"}
	if !slices.Equal(principals, want) {
		t.Errorf("%v", principals)
	}
}

func TestInvalidRequestsAreRefusedAsAWSDoes(t *testing.T) {
	srv, _ := fake()
	for _, tt := range []struct{ op, body, code, message string }{
		{"DescribeKey", `{}`, "ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"},
		{"DescribeKey", ``, "ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"},
		{"DescribeKey", `{"KeyId":""}`, "ValidationException", "1 validation error detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"ListKeys", `{"Limit":1001}`, "ValidationException", "1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000"},
		{"Sign", `{"KeyId":"k","Message":"","SigningAlgorithm":"ROT13"}`, "ValidationException", ""},
		{"ListKeys", `{"Limit":"many"}`, "SerializationException", ""},
		{"ListKeys", `not JSON`, "SerializationException", ""},
		{"ListKeys", `{"Unknown":[1]}`, "", ""},
		{"CreateKey", `{"Description":"` + strings.Repeat("鍵", 8192) + `"}`, "", ""}, // characters, not bytes
		{"CreateKey", `{"Description":"` + strings.Repeat("鍵", 8193) + `"}`, "ValidationException", ""},
	} {
		_, body := raw(t, srv, "TrentService."+tt.op, signed, tt.body)
		if body["__type"] != tt.code || tt.message != "" && body["message"] != tt.message {
			t.Errorf("%s %s: %v", tt.op, tt.body, body)
		}
	}
}

func TestEachQuotaShapeAllowsWhatItSays(t *testing.T) {
	// Bursts of ten at 0, 500 and 1100 ms after a full second, against five a second.
	for shape, want := range map[kmsfake.Shape][]int{
		kmsfake.TokenBucket:   {5, 7, 10}, // five at once, then one for every 200 ms
		kmsfake.FixedWindow:   {5, 5, 10},
		kmsfake.SlidingWindow: {5, 5, 10},
	} {
		t.Run(shape.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := kmsfake.New(func(o *kmsfake.Options) { o.Shape, o.Quotas = shape, map[string]float64{"ListKeys": 5} })
				c := srv.Client(account, region, once)
				burst := func() {
					for range 10 {
						_, err := c.ListKeys(t.Context(), &kms.ListKeysInput{})
						if err != nil {
							wantError(t, err, "ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
						}
					}
				}
				var served []int
				for _, wait := range []time.Duration{0, 500 * time.Millisecond, 600 * time.Millisecond} {
					time.Sleep(wait)
					burst()
					served = append(served, srv.Total("ListKeys").Served)
				}
				if !slices.Equal(served, want) {
					t.Errorf("served %v, want %v", served, want)
				}
			})
		})
	}
}

// On the wall clock, from many goroutines at once: the times that they read may
// reach the quota out of order.
func TestNoQuotaIsExceededUnderConcurrency(t *testing.T) {
	const rate, span = 300, 1500 * time.Millisecond
	for shape, most := range map[kmsfake.Shape]int{kmsfake.TokenBucket: 1, kmsfake.FixedWindow: 2, kmsfake.SlidingWindow: 1} {
		t.Run(shape.String(), func(t *testing.T) {
			srv := kmsfake.New(func(o *kmsfake.Options) { o.Shape, o.Quotas = shape, map[string]float64{"ListKeys": rate} })
			start := time.Now()
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					for time.Since(start) < span {
						raw(t, srv, "TrentService.ListKeys", signed, "{}")
					}
				})
			}
			wg.Wait()
			// What the shape lets through at its edges, besides the rate.
			if got, most := srv.Total("ListKeys").Served, int(rate*time.Since(start).Seconds())+1+most*rate; got > most {
				t.Errorf("served %d of at most %d", got, most)
			}
		})
	}
}

func TestQuotasThatAreNoWholeNumbersAreKept(t *testing.T) {
	for _, shape := range []kmsfake.Shape{kmsfake.TokenBucket, kmsfake.FixedWindow, kmsfake.SlidingWindow} {
		synctest.Test(t, func(t *testing.T) {
			srv := kmsfake.New(func(o *kmsfake.Options) { o.Shape, o.Quotas = shape, map[string]float64{"ListKeys": 1.9} })
			c := srv.Client(account, region, once)
			for range 2000 {
				_, _ = c.ListKeys(t.Context(), &kms.ListKeysInput{})
				time.Sleep(50 * time.Millisecond)
			}
			if got := srv.Total("ListKeys").Served; got < 180 || got > 194 {
				t.Errorf("%s: served %d in 100 seconds at 1.9 a second", shape, got)
			}
		})
	}
}

func TestASlidingWindowRefusesWhatAFixedOneAllows(t *testing.T) {
	for shape, want := range map[kmsfake.Shape]int{kmsfake.FixedWindow: 10, kmsfake.SlidingWindow: 5} {
		synctest.Test(t, func(t *testing.T) {
			srv := kmsfake.New(func(o *kmsfake.Options) { o.Shape, o.Quotas = shape, map[string]float64{"ListKeys": 5} })
			c := srv.Client(account, region, once)
			time.Sleep(900 * time.Millisecond)
			for range 2 { // five before and five after a full second
				for range 5 {
					_, _ = c.ListKeys(t.Context(), &kms.ListKeysInput{})
				}
				time.Sleep(200 * time.Millisecond)
			}
			if got := srv.Total("ListKeys").Served; got != want {
				t.Errorf("%s: served %d, want %d", shape, got, want)
			}
		})
	}
}

func TestQuotasAreForEachAccountRegionAndOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := kmsfake.New(func(o *kmsfake.Options) {
			o.Quotas = map[string]float64{"ListKeys": 1, "ListAliases": 1, "GenerateRandom": 0.5, "UpdatePrimaryRegion": 1}
		})
		calls := func(c *kms.Client) (served int) {
			for range 3 {
				if _, err := c.ListKeys(t.Context(), &kms.ListKeysInput{}); err == nil {
					served++
				}
			}
			return served
		}
		for _, c := range []*kms.Client{srv.Client(account, region, once), srv.Client(account, "eu-west-1", once), srv.Client(other, region, once)} {
			if got := calls(c); got != 1 {
				t.Errorf("served %d of three", got)
			}
		}
		c := srv.Client(account, region, once)
		wantCode(t, second(c.ListAliases(t.Context(), &kms.ListAliasesInput{})), "")
		for range 20 { // not limited
			wantCode(t, second(c.DescribeCustomKeyStores(t.Context(), &kms.DescribeCustomKeyStoresInput{})), "")
		}
		one := aws.Int32(1)
		random := func() error {
			return second(c.GenerateRandom(t.Context(), &kms.GenerateRandomInput{NumberOfBytes: one}))
		}
		wantCode(t, random(), "")
		time.Sleep(1900 * time.Millisecond)
		wantCode(t, random(), "ThrottlingException")
		time.Sleep(200 * time.Millisecond)
		wantCode(t, random(), "")

		// "one request in each of the two affected Regions"
		// https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
		arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, MultiRegion: true, ReplicaRegions: []string{"eu-west-1"}})
		wantCode(t, second(c.UpdatePrimaryRegion(t.Context(), &kms.UpdatePrimaryRegionInput{KeyId: &arn, PrimaryRegion: aws.String("eu-west-1")})), "")
		there := kmsfake.InRegion(arn, "eu-west-1")
		back := &kms.UpdatePrimaryRegionInput{KeyId: &there, PrimaryRegion: aws.String(region)}
		wantCode(t, second(srv.Client(account, "eu-west-1", once).UpdatePrimaryRegion(t.Context(), back)), "ThrottlingException")
	})
}

func TestTheDefaultQuotasAreAWSsOwn(t *testing.T) {
	// https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html and
	// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
	want := map[string]float64{
		"GetKeyLastUsage": 5, "DescribeKey": 2000, "ListKeys": 500, "ListAliases": 500, "ListGrants": 100, "GetKeyPolicy": 1000,
		"ListResourceTags": 2000, "ListKeyRotations": 100, "DisableKey": 5, "EnableKey": 5, "ScheduleKeyDeletion": 15,
		"CancelKeyDeletion": 5, "TagResource": 10, "PutKeyPolicy": 15, "UpdatePrimaryRegion": 5, "LookupEvents": 2,
	}
	got := kmsfake.DefaultQuotas()
	for op, rate := range want {
		if got[op] != rate {
			t.Errorf("%s: %v, want %v", op, got[op], rate)
		}
	}
	known := append(kmsfake.Operations(), "LookupEvents")
	for op := range got {
		if want[op] == 0 || !slices.Contains(known, op) {
			t.Errorf("%s is not among them", op)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		srv := kmsfake.New()
		c := srv.Client(account, region, once)
		for range 7 {
			_, _ = c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: aws.String("x")})
		}
		if n := srv.Total("GetKeyLastUsage"); n.Throttled != 2 || n.Failed != 5 {
			t.Errorf("%+v", n)
		}
	})
}

// faults are all of them, with the error the SDK reports for one attempt.
var faults = []struct {
	name  string
	fault func() *kmsfake.Fault
	code  string // of the API error; empty: another error
	count func(kmsfake.Count) int
}{
	{"internal failure", kmsfake.InternalFailure, "KMSInternalException", func(c kmsfake.Count) int { return c.Faulted }},
	{"a status", func() *kmsfake.Fault { return kmsfake.Status(http.StatusServiceUnavailable) }, "-", func(c kmsfake.Count) int { return c.Faulted }},
	{"an error of choice", func() *kmsfake.Fault { return kmsfake.Fail(500, "DependencyTimeoutException", "m") }, "DependencyTimeoutException", func(c kmsfake.Count) int { return c.Faulted }},
	{"throttle", kmsfake.Throttle, "ThrottlingException", func(c kmsfake.Count) int { return c.Throttled }},
	{"cut", kmsfake.Cut, "", func(c kmsfake.Count) int { return c.Faulted }},
	{"malformed", kmsfake.Malformed, "", func(c kmsfake.Count) int { return c.Faulted }},
	{"deny", kmsfake.Deny, "AccessDeniedException", func(c kmsfake.Count) int { return c.Denied }},
}

func TestInjectedFaultsReachTheClientBothWays(t *testing.T) {
	for _, tt := range faults {
		for _, way := range []string{"in process", "over HTTP"} {
			t.Run(tt.name+" "+way, func(t *testing.T) {
				srv, _ := fake()
				arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
				c := srv.Client(account, region, once)
				if way == "over HTTP" {
					c = overHTTP(t, srv, once)
				}
				calls := make(chan kmsfake.Call, 1)
				srv.Inject(func(c kmsfake.Call) *kmsfake.Fault { calls <- c; return tt.fault() })
				_, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(arn[len(arn)-36:])})
				var api smithy.APIError
				switch {
				case err == nil:
					t.Fatal("no error")
				case tt.code == "" && errors.As(err, &api):
					t.Errorf("error %v", err)
				case tt.code != "" && tt.code != "-":
					wantCode(t, err, tt.code)
				}
				if seen := <-calls; seen.Operation != "DescribeKey" || seen.KeyARN != arn || seen.KeyID != arn[len(arn)-36:] || seen.Account != account || seen.Region != region || seen.N != 1 || !seen.Time.Equal(august) {
					t.Errorf("the fault saw %+v", seen)
				}
				if n := srv.Total("DescribeKey"); n.Attempts != 1 || tt.count(n) != 1 {
					t.Errorf("counted %+v", n)
				}
				srv.Inject(nil)
				if _, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn}); err != nil {
					t.Errorf("the fault stays: %v", err)
				}
			})
		}
	}
}

func TestFaultsThatCannotBePanicWhereTheyAreMade(t *testing.T) {
	for name, build := range map[string]func(){
		"status 0":    func() { kmsfake.Status(0) },
		"status 99":   func() { kmsfake.Status(99) },
		"failing 100": func() { kmsfake.Fail(100, "X", "") },
		"status 600":  func() { kmsfake.Status(600) },
		"no edit":     func() { kmsfake.Edit(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			build()
		}()
	}
	srv, _ := fake()
	srv.Inject(func(kmsfake.Call) *kmsfake.Fault { return kmsfake.Fail(403, "AccessDeniedException", "") })
	if status, body := raw(t, srv, "TrentService.ListKeys", signed, "{}"); status != http.StatusForbidden || body["message"] != "" {
		t.Errorf("a fault of choice became another: %d %v", status, body)
	}
}

func TestTheSDKRetriesWhatPasses(t *testing.T) {
	for _, fault := range []func() *kmsfake.Fault{kmsfake.InternalFailure, kmsfake.Cut, kmsfake.Throttle} {
		synctest.Test(t, func(t *testing.T) {
			srv := kmsfake.New()
			srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
				if c.N <= 2 {
					return fault()
				}
				return nil
			})
			if _, err := srv.Client(account, region).ListKeys(t.Context(), &kms.ListKeysInput{}); err != nil {
				t.Error(err)
			}
			if n := srv.Total("").Attempts; n != 3 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

func TestSlowAnswersTakeTheirTimeAndEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := kmsfake.New(func(o *kmsfake.Options) { o.Latency = func() time.Duration { return 40 * time.Millisecond } })
		c := srv.Client(account, region, once)
		took := func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			_, err := c.ListKeys(ctx, &kms.ListKeysInput{})
			return time.Since(start), err
		}
		if d, err := took(t.Context()); err != nil || d != 40*time.Millisecond {
			t.Errorf("%v after %v", err, d)
		}
		srv.Inject(func(kmsfake.Call) *kmsfake.Fault { return kmsfake.Slow(3 * time.Second) })
		if d, err := took(t.Context()); err != nil || d != 3040*time.Millisecond {
			t.Errorf("%v after %v", err, d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d, err := took(ctx); !errors.Is(err, context.DeadlineExceeded) || d != time.Second {
			t.Errorf("%v after %v", err, d)
		}
		if n := srv.Total(""); n.Faulted != 1 || n.Served != 2 { // Slow is no answer of its own
			t.Errorf("counted %+v", n)
		}
		srv.Inject(func(kmsfake.Call) *kmsfake.Fault { return kmsfake.InternalFailure().After(time.Second) })
		if d, err := took(t.Context()); d != 1040*time.Millisecond {
			t.Errorf("%v after %v", err, d)
		}
	})
}

func TestAnswersCanBeEdited(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	srv.Inject(func(kmsfake.Call) *kmsfake.Fault {
		return kmsfake.Edit(func(body []byte) []byte { return []byte(strings.Replace(string(body), `"Enabled",`, `"Melted",`, 1)) })
	})
	if m := describe(t, srv.Client(account, region), arn); m.KeyState != "Melted" {
		t.Errorf("%s", m.KeyState)
	}
}

func TestDeniedCallsNameCallerActionAndKey(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Aliases: []string{"a"}})
	c := srv.Client(account, region, once)
	srv.Deny(func(c kmsfake.Call) bool { return c.Operation != "ListAliases" })
	const who = "User: arn:aws:sts::111122223333:assumed-role/Admin/kmsfake is not authorized to perform: "
	_, err := c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &arn})
	wantError(t, err, "AccessDeniedException", who+"kms:GetKeyLastUsage on resource: "+arn+" because no identity-based policy allows the kms:GetKeyLastUsage action")
	_, err = c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/a")})
	wantError(t, err, "AccessDeniedException", who+"kms:DescribeKey on resource: "+arn+" because no identity-based policy allows the kms:DescribeKey action")
	_, err = c.ListKeys(t.Context(), &kms.ListKeysInput{})
	wantError(t, err, "AccessDeniedException", who+"kms:ListKeys on resource: * because no identity-based policy allows the kms:ListKeys action")
	wantCode(t, second(c.ListAliases(t.Context(), &kms.ListAliasesInput{})), "")
	if n := srv.Total(""); n.Denied != 3 || n.Served != 1 {
		t.Errorf("%+v", n)
	}
	srv.Deny(nil)
	wantCode(t, second(c.ListKeys(t.Context(), &kms.ListKeysInput{})), "")
}

func TestCallsAreCountedAndRecorded(t *testing.T) {
	srv, _ := fake(func(o *kmsfake.Options) { o.Record = 3 })
	for i := range 5 {
		_, _ = srv.Client(account, region, once).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(fmt.Sprint("k", i))})
	}
	must(srv.Client(other, "eu-west-1").ListKeys(t.Context(), &kms.ListKeysInput{}))
	want := []kmsfake.Count{
		{Account: account, Region: region, Operation: "DescribeKey", Attempts: 5, Failed: 5},
		{Account: other, Region: "eu-west-1", Operation: "ListKeys", Attempts: 1, Served: 1},
	}
	if got := srv.Calls(); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	events := srv.Events()
	if len(events) != 3 || events[0].KeyID != "k3" || events[0].Code != "NotFoundException" || events[0].Status != http.StatusBadRequest || events[2].Operation != "ListKeys" || events[2].Code != "" {
		t.Errorf("%+v", events)
	}
	srv.Reset()
	if len(srv.Calls()) != 0 || len(srv.Events()) != 0 {
		t.Error("not reset")
	}
}

func TestTheServerIsSafeForConcurrentUse(t *testing.T) {
	srv, clock := fake(func(o *kmsfake.Options) { o.Record, o.Lag = 10, time.Second })
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, MultiRegion: true, ReplicaRegions: []string{"eu-west-1"}, Aliases: []string{"a"}})
	c := srv.Client(account, region)
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 50 {
				name := aws.String(fmt.Sprintf("alias/%d/%d", i, n))
				key := must(c.CreateKey(ctx, &kms.CreateKeyInput{})).KeyMetadata.Arn
				must(c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: name, TargetKeyId: key}))
				must(c.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String("alias/a"), Plaintext: []byte("x")}))
				must(c.ListKeys(ctx, &kms.ListKeysInput{Limit: aws.Int32(10)}))
				must(c.ListAliases(ctx, &kms.ListAliasesInput{}))
				must(c.TagResource(ctx, &kms.TagResourceInput{KeyId: &arn, Tags: []types.Tag{{TagKey: aws.String("t"), TagValue: name}}}))
				must(c.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &arn}))
				must(c.GetKeyLastUsage(ctx, &kms.GetKeyLastUsageInput{KeyId: &arn}))
				clock.Advance(time.Millisecond)
				srv.Inject(nil)
				srv.Keys()
				srv.Calls()
				if err := srv.Delete(*key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(srv.Keys()); n != 2 {
		t.Errorf("%d keys are left", n)
	}
}

func TestARequestThatIsTooLargeIsRefused(t *testing.T) {
	srv, _ := fake()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.LimitReader(zeros{}, 2<<20))
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", w.Code)
	}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", iotest.ErrReader(io.ErrUnexpectedEOF))
	w = httptest.NewRecorder()
	if srv.ServeHTTP(w, r); w.Code != http.StatusBadRequest {
		t.Errorf("a broken body: status %d", w.Code)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkGetKeyLastUsageInProcess(b *testing.B) {
	srv, _ := fake()
	arns := kmsfake.Populate(srv, kmsfake.Company{Keys: 2000, Regions: []string{region}})
	c := srv.Client(account, region)
	for i := 0; b.Loop(); i++ {
		if _, err := c.GetKeyLastUsage(b.Context(), &kms.GetKeyLastUsageInput{KeyId: &arns[i%len(arns)]}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListKeysOfAHundredThousand(b *testing.B) {
	srv, _ := fake()
	for range 100_000 {
		srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	}
	c := srv.Client(account, region)
	for b.Loop() {
		p := kms.NewListKeysPaginator(c, &kms.ListKeysInput{Limit: aws.Int32(1000)})
		for p.HasMorePages() {
			if _, err := p.NextPage(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
