package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/kmsusage/usage/cloudtrail"
)

const arn = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// fake is an Athena that speaks AWS JSON 1.1 and knows its answers beforehand.
type fake struct {
	t       *testing.T
	answers map[string][][]any // by the word that their statement's first column begins with; nil cells are NULL
	fail    string             // the state of every query, if it is not to succeed
	running bool               // for ever
	mu      sync.Mutex
	queries []string // by ID
	calls   []string
	polled  map[string]bool
	onPoll  func()
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	op := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonAthena.")
	f.calls = append(f.calls, op)
	var in struct {
		QueryString, WorkGroup, NextToken string
		ID                                string `json:"QueryExecutionId"`
		MaxResults                        int
		ResultConfiguration               struct{ OutputLocation string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		f.t.Errorf("%s: %v", op, err)
	}
	var out any
	switch op {
	case "StartQueryExecution":
		if in.WorkGroup != "audit" || in.ResultConfiguration.OutputLocation != "s3://amzn-s3-demo-bucket/results/" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"not in this work group"}`) // nobody else is to be told
			return
		}
		f.queries = append(f.queries, in.QueryString)
		out = map[string]any{"QueryExecutionId": fmt.Sprint("query-", len(f.queries))}
	case "GetQueryExecution":
		state := "SUCCEEDED"
		switch {
		case f.running || !f.polled[in.ID]:
			state = "RUNNING"
		case f.fail != "":
			state = f.fail
		}
		f.polled[in.ID] = true
		out = map[string]any{"QueryExecution": map[string]any{"Status": map[string]any{"State": state, "StateChangeReason": "because"}}}
		if f.onPoll != nil {
			f.onPoll()
		}
	case "GetQueryResults":
		out = f.results(in.ID, in.NextToken, in.MaxResults)
	case "StopQueryExecution":
		out = struct{}{}
	default:
		f.t.Errorf("called %s", op)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		f.t.Error(err)
	}
}

// results returns a page of at most two rows, though more are asked for.
func (f *fake) results(id, token string, most int) any {
	if most != 1000 {
		f.t.Errorf("asked for %d rows", most)
	}
	var n, from int
	if _, err := fmt.Sscanf(id, "query-%d", &n); err != nil {
		f.t.Error(err)
	}
	if token != "" {
		if _, err := fmt.Sscan(token, &from); err != nil {
			f.t.Error(err)
		}
	}
	word := strings.Trim(strings.Fields(f.queries[n-1])[1], ",")
	all := f.answers[word]
	rows := []any{}
	for _, cells := range all[from:min(from+2, len(all))] {
		data := []any{}
		for _, c := range cells {
			if c == nil {
				data = append(data, struct{}{})
				continue
			}
			data = append(data, map[string]any{"VarCharValue": c})
		}
		rows = append(rows, map[string]any{"Data": data})
	}
	out := map[string]any{"ResultSet": map[string]any{"Rows": rows}}
	if from+2 < len(all) {
		out["NextToken"] = fmt.Sprint(from + 2)
	}
	return out
}

func numbered(prefix string, n int) []any {
	var names []any
	for i := range n {
		names = append(names, fmt.Sprint(prefix, i+1))
	}
	return names
}

func event(at, op, code string) []any {
	return []any{at, op, "id", "request", "arn:aws:sts::111122223333:assumed-role/app/s", "", "", "192.0.2.1", code, "", ""}
}

func newFake(t *testing.T) *fake {
	t.Helper()
	return &fake{t: t, polled: map[string]bool{}, answers: map[string][][]any{
		"key_arn": {
			slices.Concat([]any{"key_arn", "event_name", "error_code", "service", "calls"}, numbered("first_", 11), numbered("last_", 11)),
			slices.Concat([]any{arn, "Decrypt", "", "", "12"}, event("2026-03-01T12:00:00Z", "Decrypt", ""), event("2026-03-02T12:00:00Z", "Decrypt", "")),
			slices.Concat([]any{arn, "Encrypt", "", nil, "1"}, event("2026-03-01T12:00:00Z", "Encrypt", ""), event("2026-03-02T12:00:00Z", "Encrypt", "")),
		},
		"class": {
			slices.Concat([]any{"class", "account", "key_arn", "calls"}, numbered("event_", 14)),
			slices.Concat([]any{"refusal", "", arn, "3"}, event("2026-03-03T12:00:00Z", "Decrypt", "DisabledException"), []any{"us-west-2", "", ""}),
			slices.Concat([]any{"switch", "", arn, "1"}, event("2026-03-02T13:00:00Z", "DisableKey", ""), []any{"us-west-2", "", ""}),
		},
		"account": {
			{"account", "region", "day", "files", "first_stamp", "last_stamp", "organization", "reads", "unnamed", "unnamed_before", "untimed", "future", "unread", "example"},
			{"111122223333", "us-west-2", "2026/03/02", "9", "20260302T0005Z", "20260302T2355Z", "", "4", "0", "0", "0", "0", "0", ""},
		},
	}}
}

func (f *fake) connect(context.Context) (*athena.Client, error) {
	server := httptest.NewServer(f)
	f.t.Cleanup(server.Close)
	return athena.New(athena.Options{
		Region: "us-west-2", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}), nil
}

var asked = []string{"-run", "-database", "logs", "-workgroup", "audit", "-output", "s3://amzn-s3-demo-bucket/results/", "-from", "2026-03-01", "-to", "2026-04-01"}

func TestTheAnswersOfAthenaAreReported(t *testing.T) {
	f := newFake(t)
	var out bytes.Buffer
	if err := run(t.Context(), asked, &out, f.connect); err != nil {
		t.Fatal(err)
	}
	const want = arn + `
  first used 2026-03-01T12:00:00Z by arn:aws:sts::111122223333:assumed-role/app/s: Decrypt
  last used  2026-03-02T12:00:00Z by arn:aws:sts::111122223333:assumed-role/app/s: Decrypt
  off since  2026-03-02T13:00:00Z by arn:aws:sts::111122223333:assumed-role/app/s: DisableKey
  refused    2026-03-03T12:00:00Z to arn:aws:sts::111122223333:assumed-role/app/s: Decrypt, DisabledException
  refused    2 times more
seen: account 111122223333 in us-west-2 from 2026-03-02T00:05:00Z to 2026-03-02T23:40:00Z, blind spots: ["Athena does not tell which log files its table leaves out" "a row of the answer for use could not be read"]
gap: use: row 2: a row of the answer that cannot be read
`
	if out.String() != want {
		t.Errorf("it printed\n%s\nnot\n%s", out.String(), want)
	}
	if len(f.queries) != 3 || !strings.Contains(f.queries[0], `FROM "logs"."cloudtrail_logs"`) || !strings.Contains(f.queries[0], `"timestamp" >= '2026/03/01'`) {
		t.Errorf("ran %q", f.queries)
	}
}

func TestAQueryThatFailsIsAnError(t *testing.T) {
	f := newFake(t)
	f.fail = "FAILED"
	var failed *cloudtrail.QueryError
	if err := run(t.Context(), asked, &bytes.Buffer{}, f.connect); !errors.As(err, &failed) || failed.State != cloudtrail.QueryFailed || failed.Reason != "because" {
		t.Errorf("%v", err)
	}
	f.fail = string(types.QueryExecutionStateCancelled)
	if err := run(t.Context(), asked, &bytes.Buffer{}, f.connect); !errors.As(err, &failed) || failed.State != cloudtrail.QueryCanceled {
		t.Errorf("%v", err)
	}
	if err := run(t.Context(), []string{"-run"}, &bytes.Buffer{}, f.connect); err == nil || !strings.Contains(err.Error(), "not in this work group") {
		t.Errorf("%v", err)
	}
}

func TestWhoGoesAwayStopsTheQueries(t *testing.T) {
	f := newFake(t)
	f.running = true
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.onPoll = func() {
		if len(f.polled) == 3 { // all are running, and known
			cancel()
		}
	}
	if err := run(ctx, asked, &bytes.Buffer{}, f.connect); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	stops := 0
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == "StopQueryExecution" {
			stops++
		}
	}
	if stops != 3 {
		t.Errorf("%d of 3 queries were stopped", stops)
	}
}

func TestStatementsArePrintedWithoutAnAccount(t *testing.T) {
	nobody := func(context.Context) (*athena.Client, error) { return nil, errors.New("no account") }
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"those that are run": {nil, []string{"-- Use\nSELECT key_arn", "-- Coverage\nSELECT account", `FROM "default"."cloudtrail_logs"`}},
		"those for few keys": {[]string{"-keys", arn, "-regions", "us-west-2,eu-west-1"}, []string{"key_arn IN ('" + arn + "')", ", awsregion, '') IN ('', 'eu-west-1', 'us-west-2')"}},
		"that which makes the table": {
			[]string{"-create", "s3://amzn-s3-demo-bucket/AWSLogs", "-accounts", "111122223333", "-regions", "us-west-2"},
			[]string{"CREATE EXTERNAL TABLE `default`.`cloudtrail_logs` (", "CloudTrail/us-west-2/${timestamp}"},
		},
	} {
		var out bytes.Buffer
		if err := run(t.Context(), tt.args, &out, nobody); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: it lacks %q:\n%s", name, want, out.String())
			}
		}
	}
	for _, args := range [][]string{{"x"}, {"-from", "yesterday"}, {"-table", "a b"}, {"-create", "http://x"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}, nobody); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
}
