package kmsfake_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// What is expected here is the text of
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html.

// onceTrail stops the SDK from retrying.
func onceTrail(o *trail.Options) { o.Retryer = aws.NopRetryer{} }

func attribute(key trailtypes.LookupAttributeKey, value string) []trailtypes.LookupAttribute {
	return []trailtypes.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}
}

func eventNames(out *trail.LookupEventsOutput) []string {
	var list []string
	for _, e := range out.Events {
		list = append(list, *e.EventName)
	}
	return list
}

func TestWrongLookupsAreRefused(t *testing.T) {
	srv, clock := fake()
	now := clock.Now()
	ct := srv.CloudTrail(account, region, onceTrail)
	for _, tt := range []struct {
		name string
		in   trail.LookupEventsInput
		want string
	}{
		{"nothing wrong", trail.LookupEventsInput{LookupAttributes: attribute("EventId", "x"), MaxResults: aws.Int32(50)}, ""},
		{"two attributes", trail.LookupEventsInput{LookupAttributes: append(attribute("EventId", "x"), attribute("EventName", "y")...)}, "InvalidLookupAttributesException"},
		{"an attribute that is not known", trail.LookupEventsInput{LookupAttributes: attribute("Color", "red")}, "InvalidLookupAttributesException"},
		{"an attribute without a value", trail.LookupEventsInput{LookupAttributes: attribute("EventId", "")}, "InvalidLookupAttributesException"},
		{"a value of 2000 characters", trail.LookupEventsInput{LookupAttributes: attribute("EventId", strings.Repeat("x", 2000))}, ""},
		{"a value of more", trail.LookupEventsInput{LookupAttributes: attribute("EventId", strings.Repeat("x", 2001))}, "InvalidLookupAttributesException"},
		{"characters that count twice", trail.LookupEventsInput{LookupAttributes: attribute("EventId", strings.Repeat("_", 1001))}, "InvalidLookupAttributesException"},
		{"no results", trail.LookupEventsInput{MaxResults: aws.Int32(0)}, "InvalidMaxResultsException"},
		{"51 results", trail.LookupEventsInput{MaxResults: aws.Int32(51)}, "InvalidMaxResultsException"},
		{"a start after the end", trail.LookupEventsInput{StartTime: aws.Time(now), EndTime: aws.Time(now.Add(-time.Second))}, "InvalidTimeRangeException"},
		{"a start at the end", trail.LookupEventsInput{StartTime: aws.Time(now), EndTime: aws.Time(now)}, ""},
		{"an end more than 90 days ago", trail.LookupEventsInput{EndTime: aws.Time(now.AddDate(0, 0, -91))}, "InvalidTimeRangeException"},
		{"a start more than 90 days ago", trail.LookupEventsInput{StartTime: aws.Time(now.AddDate(-1, 0, 0))}, ""},
		{"Insights", trail.LookupEventsInput{EventCategory: trailtypes.EventCategoryInsight}, ""},
		{"another category", trail.LookupEventsInput{EventCategory: "Data"}, "InvalidEventCategoryException"},
		{"a token of somebody's", trail.LookupEventsInput{NextToken: aws.String("abc")}, "InvalidNextTokenException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := ct.LookupEvents(t.Context(), &tt.in)
			wantCode(t, err, tt.want)
			if err == nil && tt.in.EventCategory != "" && len(out.Events) > 0 {
				t.Errorf("%d Insights events", len(out.Events))
			}
		})
	}
}

// used makes n calls, a second apart.
func used(t *testing.T, srv *kmsfake.Server, clock *kmsfake.Clock, n int) {
	t.Helper()
	c := srv.Client(account, region)
	for i := range n {
		must(c.ListKeys(t.Context(), &kms.ListKeysInput{Limit: aws.Int32(int32(i + 1))})) //nolint:gosec // small
		clock.Advance(time.Second)
	}
}

func TestPagesFollowOneAnotherNewestFirst(t *testing.T) {
	srv, clock := fake()
	used(t, srv, clock, 120)
	ct := srv.CloudTrail(account, region, onceTrail)
	in := &trail.LookupEventsInput{LookupAttributes: attribute("EventName", "ListKeys")}
	var sizes []int
	var seen []string
	last := clock.Now()
	for {
		out := must(ct.LookupEvents(t.Context(), in))
		sizes = append(sizes, len(out.Events))
		for _, e := range out.Events {
			if e.EventTime.After(last) {
				t.Errorf("%v is later than the event before", e.EventTime)
			}
			last = *e.EventTime
			seen = append(seen, *e.EventId)
		}
		used(t, srv, clock, 1) // newer events do not disturb
		if out.NextToken == nil {
			break
		}
		in.NextToken = out.NextToken
	}
	slices.Sort(seen)
	if !slices.Equal(sizes, []int{50, 50, 20}) || len(slices.Compact(seen)) != 120 {
		t.Errorf("pages of %v", sizes)
	}
}

// "This token must be passed in with the same parameters that were specified in
// the original call."
func TestATokenHoldsForTheSameParametersAndForATime(t *testing.T) {
	srv, clock := fake(func(o *kmsfake.Options) { o.TokenLife = time.Minute })
	used(t, srv, clock, 10)
	ct := srv.CloudTrail(account, region, onceTrail)
	first := func() trail.LookupEventsInput {
		return trail.LookupEventsInput{
			LookupAttributes: attribute("EventSource", "kms.amazonaws.com"), MaxResults: aws.Int32(3),
			StartTime: aws.Time(august), EndTime: aws.Time(august.Add(time.Hour)),
		}
	}
	in := first()
	token := must(ct.LookupEvents(t.Context(), &in)).NextToken
	for _, tt := range []struct {
		name   string
		change func(in *trail.LookupEventsInput)
		ct     *trail.Client
		after  time.Duration
		want   string
	}{
		{"the same", func(*trail.LookupEventsInput) {}, ct, 0, ""},
		{"used again", func(*trail.LookupEventsInput) {}, ct, time.Minute, ""},
		{"another value", func(in *trail.LookupEventsInput) {
			in.LookupAttributes = attribute("EventSource", "cloudtrail.amazonaws.com")
		}, ct, 0, "InvalidNextTokenException"},
		{"another attribute", func(in *trail.LookupEventsInput) { in.LookupAttributes = attribute("EventName", "ListKeys") }, ct, 0, "InvalidNextTokenException"},
		{"another start", func(in *trail.LookupEventsInput) { in.StartTime = nil }, ct, 0, "InvalidNextTokenException"},
		{"another end", func(in *trail.LookupEventsInput) { in.EndTime = aws.Time(in.EndTime.Add(time.Second)) }, ct, 0, "InvalidNextTokenException"},
		{"another size", func(in *trail.LookupEventsInput) { in.MaxResults = nil }, ct, 0, "InvalidNextTokenException"},
		{"another Region", func(*trail.LookupEventsInput) {}, srv.CloudTrail(account, "eu-west-1", onceTrail), 0, "InvalidNextTokenException"},
		{"expired", func(*trail.LookupEventsInput) {}, ct, time.Minute + 1, "InvalidNextTokenException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			was := clock.Now()
			defer clock.Set(was)
			clock.Advance(tt.after)
			in := first()
			in.NextToken = token
			tt.change(&in)
			out, err := tt.ct.LookupEvents(t.Context(), &in)
			wantCode(t, err, tt.want)
			if err == nil && (len(out.Events) != 3 || !out.Events[0].EventTime.Equal(august.Add(6*time.Second))) {
				t.Errorf("%v", out.Events)
			}
		})
	}
}

// Both ends of the range are included; events have whole seconds.
func TestARangeOfTimeIncludesBothEnds(t *testing.T) {
	srv, clock := fake()
	clock.Advance(700 * time.Millisecond)
	used(t, srv, clock, 5)
	ct := srv.CloudTrail(account, region)
	for _, tt := range []struct {
		name     string
		from, to time.Duration // after august, negative for none
		want     int
	}{
		{"all", -1, -1, 5},
		{"from", 2 * time.Second, -1, 3},
		{"until", -1, 2 * time.Second, 3},
		{"one second", 2 * time.Second, 2 * time.Second, 1},
		{"a part of one", 2*time.Second + 900*time.Millisecond, 2*time.Second + 950*time.Millisecond, 1},
		{"none", time.Minute, time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &trail.LookupEventsInput{LookupAttributes: attribute("EventName", "ListKeys")}
			if tt.from >= 0 {
				in.StartTime = aws.Time(august.Add(tt.from))
			}
			if tt.to >= 0 {
				in.EndTime = aws.Time(august.Add(tt.to))
			}
			if n := len(must(ct.LookupEvents(t.Context(), in)).Events); n != tt.want {
				t.Errorf("%d events, want %d", n, tt.want)
			}
		})
	}
}

func TestEventHistoryGoesBackNinetyDays(t *testing.T) {
	srv, clock := fake()
	used(t, srv, clock, 2)
	clock.Set(august.AddDate(0, 0, 90).Add(time.Second))
	if n := len(look(t, srv, account, region, "EventName", "ListKeys")); n != 1 {
		t.Errorf("after 90 days %d events", n)
	}
	if n := len(look(t, srv, account, region, "", "")); n < 1 {
		t.Errorf("%d events", n)
	}
}

// "Lookup supports the following attributes for management events."
func TestEveryAttributeFindsItsEvents(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Aliases: []string{"a"}})
	id := arn[strings.LastIndex(arn, "/")+1:]
	if err := srv.AddPrincipal("AKIAALICE", "arn:aws:iam::111122223333:user/Alice"); err != nil {
		t.Fatal(err)
	}
	c := srv.Client(account, region, func(o *kms.Options) { o.Credentials = kmsfake.CredentialsFor("AKIAALICE") })
	must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/a"), Plaintext: []byte("x")}))
	must(c.ListKeys(t.Context(), &kms.ListKeysInput{}))
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &id}))
	eventID := lastEvent(t, srv, account, region, "Encrypt").str("eventID")
	ct := srv.CloudTrail(account, region)
	for _, tt := range []struct {
		key   trailtypes.LookupAttributeKey
		value string
		want  []string // of KMS
	}{
		{"EventId", eventID, []string{"Encrypt"}},
		{"EventId", "none", nil},
		{"EventName", "DisableKey", []string{"DisableKey"}},
		{"EventName", "disablekey", nil},
		{"ReadOnly", "false", []string{"DisableKey"}},
		{"Username", "Alice", []string{"DisableKey", "ListKeys", "Encrypt"}},
		{"AccessKeyId", "AKIAALICE", []string{"DisableKey", "ListKeys", "Encrypt"}},
		{"EventSource", "kms.amazonaws.com", []string{"DisableKey", "ListKeys", "Encrypt"}},
		{"ResourceType", "AWS::KMS::Key", []string{"DisableKey", "Encrypt"}},
		{"ResourceName", arn, []string{"DisableKey", "Encrypt"}},
		{"ResourceName", id, []string{"DisableKey"}}, // "Key ARN (or key ID and key ARN)"
		{"ResourceName", "alias/a", nil},
	} {
		t.Run(string(tt.key)+" "+tt.value, func(t *testing.T) {
			if got := eventNames(must(ct.LookupEvents(t.Context(), &trail.LookupEventsInput{LookupAttributes: attribute(tt.key, tt.value)}))); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	e := must(ct.LookupEvents(t.Context(), &trail.LookupEventsInput{LookupAttributes: attribute("EventName", "DisableKey")})).Events[0]
	if *e.ReadOnly != "false" || *e.AccessKeyId != "AKIAALICE" || !e.EventTime.Equal(august) || *e.EventSource != "kms.amazonaws.com" || *e.Username != "Alice" ||
		len(e.Resources) != 2 || *e.Resources[0].ResourceName != id || *e.Resources[1].ResourceName != arn || *e.Resources[1].ResourceType != "AWS::KMS::Key" {
		t.Errorf("%+v", e)
	}
	if r := parseRecord(t, *e.CloudTrailEvent); r.str("eventID") != *e.EventId {
		t.Errorf("%v", r)
	}
}

func TestHistoryIsOfOneAccountAndRegion(t *testing.T) {
	srv, _ := fake()
	must(srv.Client(account, region).ListKeys(t.Context(), &kms.ListKeysInput{}))
	for _, place := range [][2]string{{account, "eu-west-1"}, {other, region}} {
		if found := look(t, srv, place[0], place[1], "EventName", "ListKeys"); len(found) != 0 {
			t.Errorf("%v: %v", place, found)
		}
	}
}

// "The rate of lookup requests is limited to two per second, per account, per
// Region."
func TestTwoLookupsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := kmsfake.New()
		ct := srv.CloudTrail(account, region, onceTrail)
		codes := func(ct *trail.Client) (refused int) {
			for range 4 {
				if _, err := ct.LookupEvents(t.Context(), &trail.LookupEventsInput{}); err != nil {
					wantError(t, err, "ThrottlingException", "Rate exceeded")
					refused++
				}
			}
			return refused
		}
		if n := codes(ct); n != 2 {
			t.Errorf("%d of 4 refused", n)
		}
		if n := codes(srv.CloudTrail(account, "eu-west-1", onceTrail)); n != 2 {
			t.Errorf("in another Region %d of 4 refused", n)
		}
		time.Sleep(time.Second)
		if n := codes(ct); n != 2 {
			t.Errorf("a second later %d of 4 refused", n)
		}
		if n := srv.Total("LookupEvents"); n.Throttled != 6 || n.Served != 6 {
			t.Errorf("%+v", n)
		}
	})
}

func TestFailedCallsCanBeMadeHardToFind(t *testing.T) {
	for _, tt := range []struct {
		failures             kmsfake.Failures
		text                 string
		byResource, byName   int
		resources, unchanged bool
	}{
		{kmsfake.FailuresNamed, "named", 2, 1, true, true},
		{kmsfake.FailuresUnnamed, "unnamed", 1, 1, false, true},
		{kmsfake.FailuresUnlogged, "unlogged", 1, 0, false, true},
	} {
		t.Run(tt.text, func(t *testing.T) {
			srv, _ := fake(func(o *kmsfake.Options) { o.Failures = tt.failures })
			arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
			c := srv.Client(account, region, once)
			must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn}))
			_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})
			wantCode(t, err, "DisabledException")
			if n := len(look(t, srv, account, region, "ResourceName", arn)); n != tt.byResource {
				t.Errorf("%d found by the key", n)
			}
			found := look(t, srv, account, region, "EventName", "Encrypt")
			if len(found) != tt.byName {
				t.Fatalf("%d found by the operation", len(found))
			}
			if len(found) > 0 && (len(found[0].arns()) == 1) != tt.resources {
				t.Errorf("resources %v", found[0]["resources"])
			}
			if len(found) > 0 && found[0].str("errorMessage") != arn+" is disabled." {
				t.Errorf("%v", found[0])
			}
			if tt.failures.String() != tt.text {
				t.Errorf("is called %s", tt.failures)
			}
		})
	}
	if s := kmsfake.Failures(9).String(); s != "unknown" {
		t.Error(s)
	}
}

func TestOnlyChangesHaveTheNamesThatAWSPromises(t *testing.T) {
	srv, _ := fake(func(o *kmsfake.Options) { o.PromisedNamesOnly = true })
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	c := srv.Client(account, region)
	must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")}))
	must(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn}))
	if found := look(t, srv, account, region, "ResourceName", arn); len(found) != 1 || found[0].str("eventName") != "DisableKey" {
		t.Errorf("%v", found)
	}
	if found := look(t, srv, account, region, "EventName", "Encrypt"); len(found) != 1 || found[0].arns()[0] != arn {
		t.Errorf("%v", found)
	}
}

func TestTheLogKeepsTheNewest(t *testing.T) {
	srv, clock := fake(func(o *kmsfake.Options) { o.LogSize = 10 })
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(-1, 0, 0)})
	used(t, srv, clock, 100)
	if err := srv.Use(arn, "Decrypt", august); err != nil { // older than all that are kept
		t.Fatal(err)
	}
	if err := srv.Use(arn, "Sign", august.Add(95*time.Second)); err != nil { // among them
		t.Fatal(err)
	}
	found := look(t, srv, account, region, "", "")
	var list []string
	for _, r := range found {
		list = append(list, r.str("eventName")+" "+r.str("eventTime")[14:19])
	}
	want := []string{"ListKeys 01:39", "ListKeys 01:38", "ListKeys 01:37", "ListKeys 01:36", "Sign 01:35", "ListKeys 01:35", "ListKeys 01:34", "ListKeys 01:33", "ListKeys 01:32", "ListKeys 01:31"}
	if !slices.Equal(list, want) {
		t.Errorf("%v", list)
	}
}

func TestCloudTrailIsReachedOverHTTPToo(t *testing.T) {
	srv, _ := fake()
	url, stop, err := srv.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := kms.New(kms.Options{Region: region, Credentials: kmsfake.Credentials(account), BaseEndpoint: &url})
	ct := trail.New(trail.Options{Region: region, Credentials: kmsfake.Credentials(account), BaseEndpoint: &url, Retryer: aws.NopRetryer{}})
	id := must(c.CreateKey(t.Context(), &kms.CreateKeyInput{})).KeyMetadata.KeyId
	must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: id, Plaintext: []byte("x")}))
	u := must(c.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: id})).KeyLastUsage
	out := must(ct.LookupEvents(t.Context(), &trail.LookupEventsInput{LookupAttributes: attribute("EventId", *u.CloudTrailEventId)}))
	if got := eventNames(out); !slices.Equal(got, []string{"Encrypt"}) {
		t.Errorf("%v", got)
	}
	if r := parseRecord(t, *out.Events[0].CloudTrailEvent); !strings.Contains(r.str("userAgent"), "aws-sdk-go-v2") {
		t.Errorf("user agent %s", r.str("userAgent"))
	}

	// Faults and denials are as for KMS.
	srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "LookupEvents" })
	_, err = ct.LookupEvents(t.Context(), &trail.LookupEventsInput{})
	wantError(t, err, "AccessDeniedException", "User: arn:aws:sts::111122223333:assumed-role/Admin/kmsfake is not authorized to perform: cloudtrail:LookupEvents because no identity-based policy allows the cloudtrail:LookupEvents action")
	srv.Deny(nil)
	for _, tt := range []struct {
		fault *kmsfake.Fault
		want  string
	}{{kmsfake.Throttle(), "ThrottlingException"}, {kmsfake.Fail(400, "InvalidNextTokenException", "expired"), "InvalidNextTokenException"}, {kmsfake.Deny(), "AccessDeniedException"}} {
		srv.Inject(func(kmsfake.Call) *kmsfake.Fault { return tt.fault })
		_, err := ct.LookupEvents(t.Context(), &trail.LookupEventsInput{})
		wantCode(t, err, tt.want)
	}
	srv.Inject(nil)
	// What is not served says so.
	_, err = ct.ListTrails(t.Context(), &trail.ListTrailsInput{})
	wantCode(t, err, "UnknownOperationException")
	// Credentials for one service do not do for the other.
	_, err = ct.LookupEvents(t.Context(), &trail.LookupEventsInput{}, func(o *trail.Options) {
		o.HTTPClient = retarget{o.HTTPClient}
	})
	wantCode(t, err, "InvalidSignatureException")
}

// retarget sends what was signed for CloudTrail to KMS.
type retarget struct{ inner trail.HTTPClient }

func (h retarget) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Amz-Target", "TrentService.ListKeys")
	return h.inner.Do(r)
}

func TestLookingUpIsLoggedItself(t *testing.T) {
	srv, clock := fake()
	ct := srv.CloudTrail(account, region)
	must(ct.LookupEvents(t.Context(), &trail.LookupEventsInput{LookupAttributes: attribute("EventId", "x"), StartTime: aws.Time(august)}))
	clock.Advance(time.Second)
	found := look(t, srv, account, region, "EventSource", "cloudtrail.amazonaws.com")
	if len(found) != 1 || found[0].str("eventName") != "LookupEvents" || found[0].str("requestParameters.startTime") != "Aug 1, 2026, 12:00:00 PM" {
		t.Fatalf("%v", found)
	}
	if _, there := found[0]["resources"]; there {
		t.Errorf("%v", found[0])
	}
}

func BenchmarkLookupByResourceNameInAHundredThousandEvents(b *testing.B) {
	srv, clock := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(-1, 0, 0)})
	for i := range 100_000 {
		if err := srv.Use(arn, "Decrypt", august.Add(-time.Duration(i)*time.Second)); err != nil {
			b.Fatal(err)
		}
	}
	clock.Advance(time.Second)
	ct := srv.CloudTrail(account, region)
	for b.Loop() {
		if _, err := ct.LookupEvents(b.Context(), &trail.LookupEventsInput{LookupAttributes: attribute("ResourceName", fmt.Sprint(arn, "0"))}); err != nil {
			b.Fatal(err)
		}
	}
}

// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/CommonErrors.html
func TestAnInternalFailureOfCloudTrailIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _ := fake()
		srv.Inject(func(kmsfake.Call) *kmsfake.Fault { return kmsfake.InternalFailure() })
		_, err := srv.CloudTrail(account, region, onceTrail).LookupEvents(t.Context(), &trail.LookupEventsInput{})
		wantCode(t, err, "InternalFailure")
		var answer *awshttp.ResponseError
		if !errors.As(err, &answer) || answer.HTTPStatusCode() != http.StatusInternalServerError {
			t.Errorf("%v", err)
		}
		_, err = srv.CloudTrail(account, region).LookupEvents(t.Context(), &trail.LookupEventsInput{}) // which retries
		wantCode(t, err, "InternalFailure")
		if n := srv.Total("LookupEvents"); n.Faulted != 4 {
			t.Errorf("%+v", n)
		}
		_, err = srv.Client(account, region, once).ListKeys(t.Context(), &kms.ListKeysInput{})
		wantCode(t, err, "KMSInternalException")
	})
}
