package cloudtrail_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

const (
	eventAccount = "111122223333"
	eventRegion  = "us-west-2"
)

// eventNoon is when these tests take place, on the bubble's clock.
var eventNoon = time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)

// onEventNoon lets the bubble's time pass until then.
func onEventNoon() { time.Sleep(time.Until(eventNoon)) }

func eventAgo(d time.Duration) time.Time { return eventNoon.Add(-d) }

const eventDay = 24 * time.Hour

// loggedEvent is one event of an eventServer.
type loggedEvent struct {
	at        time.Time
	id        string
	op        string
	arn       string // empty: it names no key
	code      string
	message   string
	requestID string
	extra     string // more members of the record
	source    string // event source; empty: KMS

	name  string                // ResourceName that it is found by; empty: arn
	found []trailtypes.Resource // what LookupEvents says of it besides
	wire  string                // what is sent instead; %s: the event as it would be
}

func (e loggedEvent) record() string {
	m := map[string]any{
		"eventVersion": "1.11", "eventSource": cmp.Or(e.source, "kms.amazonaws.com"), "eventName": e.op,
		"eventTime": e.at.UTC().Format(time.RFC3339), "awsRegion": eventRegion, "eventID": e.id, "requestID": e.requestID,
		"sourceIPAddress": "192.0.2.7", "recipientAccountId": eventAccount, "eventType": "AwsApiCall", "managementEvent": true,
		"eventCategory": "Management",
		"userIdentity": map[string]any{
			"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/app/session",
			"sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": "arn:aws:iam::111122223333:role/app"}},
		},
	}
	if e.arn != "" {
		m["resources"] = []any{map[string]any{"accountId": eventAccount, "type": "AWS::KMS::Key", "ARN": e.arn}}
	}
	if e.code != "" {
		m["errorCode"], m["errorMessage"] = e.code, e.message
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	if e.extra != "" {
		b = append(b[:len(b)-1], ","+e.extra+"}"...)
	}
	return string(b)
}

func (e loggedEvent) json() string {
	m := map[string]any{
		"EventId": e.id, "EventName": e.op, "EventSource": "kms.amazonaws.com", "EventTime": e.at.Unix(),
		"CloudTrailEvent": e.record(),
	}
	if e.found != nil {
		m["Resources"] = e.found
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	if e.wire != "" {
		return strings.ReplaceAll(e.wire, "%s", string(b))
	}
	return string(b)
}

// askedEvents is one request to an eventServer.
type askedEvents struct {
	Attributes []struct{ AttributeKey, AttributeValue string } `json:"LookupAttributes"`
	StartTime  float64
	EndTime    float64
	MaxResults int
	NextToken  string
	Category   *string `json:"EventCategory"`

	at     time.Time
	status int
}

func (a askedEvents) key() string   { return a.Attributes[0].AttributeKey }
func (a askedEvents) value() string { return a.Attributes[0].AttributeValue }

// same is what must not change from one page to the next.
func (a askedEvents) same() string {
	return fmt.Sprint(a.Attributes, a.StartTime, a.EndTime, a.MaxResults, a.Category)
}

// eventServer is an event history as it is documented.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
type eventServer struct {
	mu     sync.Mutex
	events []loggedEvent // the newest first
	asked  []askedEvents
	tokens map[string]int // position, by token and what it belongs to

	quota     int // requests in any second; zero: no limit
	page      int // events on a page; zero: what is asked for, at most 50
	tokenLife int // how many pages a chain of tokens is good for; zero: for ever
	latency   time.Duration
	// fail answers the nth request, from 1, with an error code, or "" if it does not.
	fail func(n int, a askedEvents) (status int, code string)
	// reply changes an answer.
	reply func(n int, body string) string
}

func (s *eventServer) log(events ...loggedEvent) *eventServer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, events...)
	slices.SortStableFunc(s.events, func(a, b loggedEvent) int { return b.at.Compare(a.at) })
	return s
}

func (s *eventServer) requests() []askedEvents {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// count is how many requests were for an attribute of that name.
func (s *eventServer) count(key string) int {
	n := 0
	for _, a := range s.requests() {
		if a.key() == key {
			n++
		}
	}
	return n
}

func (s *eventServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := s.answer(r)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func (s *eventServer) answer(r *http.Request) (status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a askedEvents
	a.at, a.status = time.Now(), http.StatusOK
	refuse := func(status int, code string) (int, string) {
		a.status = status
		s.asked = append(s.asked, a)
		return status, fmt.Sprintf(`{"__type":%q,"message":"said the server"}`, code)
	}
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil || r.Header.Get("X-Amz-Target") != "CloudTrail_20131101.LookupEvents" {
		return refuse(http.StatusBadRequest, "SerializationException")
	}
	if s.quota > 0 {
		recent := 0
		for _, b := range s.asked {
			if a.at.Sub(b.at) < time.Second {
				recent++
			}
		}
		if recent >= s.quota {
			return refuse(http.StatusBadRequest, "ThrottlingException")
		}
	}
	n := len(s.asked) + 1
	if s.fail != nil {
		if status, code := s.fail(n, a); code != "" {
			return refuse(status, code)
		}
	}
	switch {
	case len(a.Attributes) != 1:
		return refuse(http.StatusBadRequest, "InvalidLookupAttributesException")
	case a.MaxResults < 1 || a.MaxResults > 50:
		return refuse(http.StatusBadRequest, "InvalidMaxResultsException")
	case a.EndTime < a.StartTime || a.StartTime < float64(time.Now().Add(-90*eventDay).Unix()):
		return refuse(http.StatusBadRequest, "InvalidTimeRangeException")
	}
	found := s.find(a)
	from := 0
	if a.NextToken != "" {
		at, ok := s.tokens[a.NextToken+a.same()]
		if !ok {
			return refuse(http.StatusBadRequest, "InvalidNextTokenException")
		}
		from = at
	}
	size := cmp.Or(s.page, a.MaxResults)
	page := found[from:min(len(found), from+size)]
	out := make([]string, len(page))
	for i, e := range page {
		out[i] = e.json()
	}
	body = `{"Events":[` + strings.Join(out, ",") + `]`
	if end := from + len(page); end < len(found) {
		token := strconv.Itoa(n)
		if s.tokens == nil {
			s.tokens = map[string]int{}
		}
		if s.tokenLife == 0 || end/size < s.tokenLife {
			s.tokens[token+a.same()] = end
		}
		body += `,"NextToken":"` + token + `"`
	}
	body += "}"
	s.asked = append(s.asked, a)
	if s.reply != nil {
		body = s.reply(n, body)
	}
	return http.StatusOK, body
}

func (s *eventServer) find(a askedEvents) []loggedEvent {
	start := time.Unix(0, int64(math.Round(a.StartTime*1e9)))
	end := time.Unix(0, int64(math.Round(a.EndTime*1e9)))
	var found []loggedEvent
	for _, e := range s.events {
		of := map[string]string{"EventId": e.id, "EventName": e.op, "ResourceName": cmp.Or(e.name, e.arn)}
		if of[a.key()] == a.value() && !e.at.Before(start) && !e.at.After(end) && !e.at.After(time.Now()) {
			found = append(found, e)
		}
	}
	return found
}

// client is the SDK's, without a network in between.
func (s *eventServer) client() *trail.Client {
	return trail.New(eventClientOptions(func(o *trail.Options) { o.HTTPClient = eventDoer{s} }))
}

func eventClientOptions(fns ...func(*trail.Options)) trail.Options {
	o := trail.Options{
		Region: eventRegion,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}
	for _, fn := range fns {
		fn(&o)
	}
	return o
}

type eventDoer struct{ s *eventServer }

func (d eventDoer) Do(r *http.Request) (*http.Response, error) {
	if d.s.latency > 0 {
		select {
		case <-time.After(d.s.latency):
		case <-r.Context().Done():
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.s.ServeHTTP(w, r)
	return w.Result(), nil
}

// history is the event history of the server's account and Region.
func (s *eventServer) history(t *testing.T, opts ...func(*cloudtrail.EventHistoryOptions)) *cloudtrail.EventHistory {
	t.Helper()
	h, err := cloudtrail.NewEventHistory(s.client(), eventAccount, eventRegion, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func look(t *testing.T, h *cloudtrail.EventHistory, f usage.Finding) usage.Record {
	t.Helper()
	r, err := h.Look(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if r.Source != cloudtrail.EventHistorySource {
		t.Errorf("source = %q", r.Source)
	}
	for _, c := range r.Coverage {
		if c.Account != eventAccount || c.Region != eventRegion || len(c.BlindSpots) < 2 || c.To.Before(c.From) {
			t.Errorf("coverage = %+v; it must have its blind spots", c)
		}
	}
	return r
}

// eventSpots are the blind eventSpots of all coverage, as one text.
func eventSpots(r usage.Record) string {
	var all []string
	for _, c := range r.Coverage {
		all = append(all, c.BlindSpots...)
	}
	return strings.Join(all, "\n")
}

// Findings to ask about. All are of keyARN, created two years eventAgo and tracked for
// 39 days.
var (
	eventMade    = eventNoon.Add(-730 * eventDay)
	eventTracked = eventNoon.Add(-39 * eventDay)
)

func eventFinding(state types.KeyState, use *usage.Use) usage.Finding {
	return usage.Finding{
		ARN:       keyARN,
		Metadata:  &usage.Metadata{State: state, Created: eventMade},
		LastUsage: &usage.LastUsage{ReadAt: eventNoon, TrackingStart: eventTracked, Created: eventMade, Use: use},
	}
}

// eventUsed is an enabled key with a use that KMS recorded.
func eventUsed(at time.Time, id, requestID string) usage.Finding {
	return eventFinding(types.KeyStateEnabled, &usage.Use{At: at, Operation: types.KeyLastUsageTrackingOperationDecrypt, EventID: id, RequestID: requestID})
}

// eventRefused is a call that was refused since the key was disabled.
func eventRefused(op, id string, at time.Time) loggedEvent {
	return loggedEvent{at: at, id: id, op: op, arn: keyARN, code: "DisabledException", message: keyARN + " is disabled.", requestID: "request-" + id}
}

func eventNoise(n int, from time.Time, step time.Duration) []loggedEvent {
	var all []loggedEvent
	for i := range n {
		all = append(all, loggedEvent{at: from.Add(-time.Duration(i) * step), id: fmt.Sprintf("noise-%d-%d", from.Unix(), i), op: "DescribeKey", arn: keyARN})
	}
	return all
}

func idOf(e *usage.Event) string {
	if e == nil {
		return ""
	}
	return e.EventID
}

func idsOf(es []usage.Event) string {
	var all []string
	for i := range es {
		all = append(all, es[i].EventID)
	}
	return strings.Join(all, " ")
}
