package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
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
			{"account", "region", "day", "files", "first_stamp", "last_stamp", "organization", "reads", "unnamed", "untimed", "future", "unread", "example", "tree", "unnamed_day", "no_outcome", "crowded"},
			{"111122223333", "us-west-2", "2026/03/02", "9", "20260302T0005Z", "20260302T2355Z", "", "4", "0", "0", "0", "0", "", "s3://logs/AWSLogs", "", "0", "0"},
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

func (f *fake) run(ctx context.Context, argv ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	code = run(ctx, argv, &out, &errs, f.connect)
	return code, out.String(), errs.String()
}

func TestTheAnswersOfAthenaAreReported(t *testing.T) {
	f := newFake(t)
	code, out, errs := f.run(t.Context(), asked...)
	const want = arn + `
  first used 2026-03-01T12:00:00Z by arn:aws:sts::111122223333:assumed-role/app/s: Decrypt
  last used  2026-03-02T12:00:00Z by arn:aws:sts::111122223333:assumed-role/app/s: Decrypt
  off since  2026-03-02T13:00:00Z by arn:aws:sts::111122223333:assumed-role/app/s: DisableKey
  refused    2026-03-03T12:00:00Z to arn:aws:sts::111122223333:assumed-role/app/s: Decrypt, DisabledException
  refused    2 more
seen: account 111122223333 in us-west-2 from 2026-03-02T00:05:00Z to 2026-03-02T23:40:00Z, blind spots: Athena does not tell which log files its table leaves out; a row of the answer for use could not be read
gap: use: row 2: a row of the answer that cannot be read
`
	// The row that cannot be read makes it incomplete.
	if code != exitIncomplete || out != want || errs != "" {
		t.Errorf("%d, %q; it printed\n%s\nnot\n%s", code, errs, out, want)
	}
	if len(f.queries) != 3 || !strings.Contains(strings.Join(f.queries, "\n"), `FROM "logs"."cloudtrail_logs"`) || !strings.Contains(strings.Join(f.queries, "\n"), `"timestamp" >= '2026/03/01'`) {
		t.Errorf("ran %q", f.queries)
	}
	f = newFake(t)
	f.answers["key_arn"] = f.answers["key_arn"][:2]
	if code, out, errs := f.run(t.Context(), asked...); code != exitOK || strings.Contains(out, "gap:") || errs != "" {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
	f = newFake(t)
	f.answers["key_arn"], f.answers["class"] = f.answers["key_arn"][:1], f.answers["class"][:1]
	if code, out, _ := f.run(t.Context(), asked...); code != exitOK || !strings.HasPrefix(out, "No key was found.\nseen: ") {
		t.Errorf("%d\n%s", code, out)
	}
}

func TestTextOfRecordsCannotSteerATerminal(t *testing.T) {
	f := newFake(t)
	hostile := event("2026-03-02T12:00:00Z", "Decrypt", "")
	hostile[4] = "\x1b[2J\u009b\u202e\nall is well"
	f.answers["key_arn"][1] = slices.Concat([]any{arn, "Decrypt", "", "", "12"}, hostile, hostile)
	_, out, errs := f.run(t.Context(), asked...)
	for _, r := range out + errs {
		if r != '\n' && (r < ' ' || r >= 0x7f) {
			t.Errorf("%U is printed", r)
		}
	}
	if !strings.Contains(out, `\x1b[2J\u009b\u202e\nall is well`) {
		t.Errorf("%s", out)
	}
}

func TestAQueryThatFailsIsAnError(t *testing.T) {
	for state, want := range map[types.QueryExecutionState]string{
		types.QueryExecutionStateFailed:    "not answered: because",
		types.QueryExecutionStateCancelled: "canceled: because",
	} {
		f := newFake(t)
		f.fail = string(state)
		code, out, errs := f.run(t.Context(), asked...)
		if code != exitIncomplete || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "athena: the statements for use (query-") || !strings.HasSuffix(errs, ") were "+want+"\n") {
			t.Errorf("%s: %d\n%s\n%s", state, code, out, errs)
		}
	}
	const want = "athena: the statements for use, attempts and coverage were not answered: AccessDeniedException: not in this work group\n"
	if code, out, errs := newFake(t).run(t.Context(), "-run"); code != exitIncomplete || errs != want || out != "" {
		t.Errorf("%d: %s\n%s", code, errs, out)
	}
}

func TestWhoCannotConnectIsToldSo(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONFIG_FILE": t.TempDir() + "/none", "AWS_SHARED_CREDENTIALS_FILE": t.TempDir() + "/none",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"-run"}, &out, &errs, connect); code != exitIncomplete || !strings.HasPrefix(errs.String(), "athena: no Region: ") {
		t.Errorf("%d: %s", code, errs.String())
	}
	t.Setenv("AWS_REGION", "us-east-1")
	errs.Reset()
	if code := run(t.Context(), []string{"-run"}, &out, &errs, connect); code != exitIncomplete || !strings.HasPrefix(errs.String(), "athena: no AWS credentials: sign in") || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("%d: %s", code, errs.String())
	}
	if out.String() != "" {
		t.Errorf("it printed %s", out.String())
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
	if code, _, errs := f.run(ctx, asked...); code != exitIncomplete || strings.Count(errs, "interrupted") != 1 || strings.Contains(errs, "context") {
		t.Errorf("%d: %s", code, errs)
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
	for name, tt := range map[string]struct {
		argv  []string
		first string
		want  []string
	}{
		"those that are run": {nil, "-- Nothing was run; -run runs these.", []string{"-- Use\nSELECT key_arn", "-- Coverage\nSELECT account", `FROM "default"."cloudtrail_logs"`}},
		"those for few keys": {
			[]string{"-keys", arn, "-regions", "us-west-2,eu-west-1", "-regions", "ap-south-1"},
			"-- Nothing was run; -run runs these.",
			[]string{"key_arn IN ('" + arn + "')", ", awsregion, '') IN ('', 'ap-south-1', 'eu-west-1', 'us-west-2')"},
		},
		"that which makes the table": {
			[]string{"-create", "s3://amzn-s3-demo-bucket/AWSLogs", "-accounts", "111122223333", "-regions", "us-west-2"},
			"CREATE EXTERNAL TABLE `default`.`cloudtrail_logs` (",
			[]string{"CloudTrail/us-west-2/${timestamp}"},
		},
		"that which makes a table of several Regions": {
			[]string{"-create", "s3://amzn-s3-demo-bucket/AWSLogs", "-accounts", "111122223333", "-regions", "us-west-2,eu-west-1", "-region-column", "region"},
			"CREATE EXTERNAL TABLE `default`.`cloudtrail_logs` (",
			[]string{"CloudTrail/${region}/${timestamp}"},
		},
	} {
		code, out, errs := nobody(t, tt.argv...)
		if first, _, _ := strings.Cut(out, "\n"); code != exitOK || first != tt.first || errs != "" {
			t.Errorf("%s: %d, %q\n%s", name, code, first, errs)
		}
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: it lacks %q:\n%s", name, want, out)
			}
		}
	}
}

// nobody runs the program where there is no account to connect to.
func nobody(t *testing.T, argv ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), argv, &out, &errs, func(context.Context) (*athena.Client, error) {
		t.Errorf("%q connects", argv)
		return nil, errors.New("no account")
	})
	return code, out.String(), errs.String()
}

func TestFlagsThatMakeNoSenseSayWhatIsWrong(t *testing.T) {
	const create = "-create s3://b/AWSLogs -accounts 111122223333 -regions us-east-1 "
	many := make([]string, 5000) // more than fit into a statement
	for i := range many {
		many[i] = fmt.Sprint(arn, i)
	}
	for line, says := range map[string]string{
		"nonsense":                          `unexpected argument "nonsense"`,
		"-x":                                "-x",
		"-run=perhaps":                      "-run",
		"-from yesterday":                   "-from: want a day such as 2025-01-01",
		"-from 0001-01-01":                  "-from: want a day such as 2025-01-01",
		"-to 2026-13-01":                    "-to: want a day such as 2025-01-01",
		"-from 2026-03-01 -to 2026-03-01":   "-from is not before -to",
		"-from 2026-03-01 -from 2026-03-02": "-from: given twice",
		"-table a;b":                        "-table: want letters, digits, _ and -",
		"-database=":                        "-database: want letters",
		"-day a.b":                          "-day: want the name of a column",
		"-account-column a.b":               "-account-column: want",
		"-region-column a.b":                "-region-column: want",
		"-workgroup=":                       "-workgroup: want",
		"-output http://x":                  "-output: want a folder such as s3://",
		"-keys alias/x":                     "-keys: want ARNs of keys, separated by commas",
		"-accounts prod":                    "-accounts: want accounts of twelve digits",
		"-regions us-east":                  "-regions: want names such as us-east-1",
		"-regions us-east-1,":               "-regions: want names such as us-east-1",
		"-create http://x":                  "-create: want a folder such as s3://",
		"-create=":                          "-create: want a folder",
		"-create s3://b/A":                  "-create needs -accounts",
		"-create s3://b/A -accounts 111122223333":                     "-create needs -regions",
		create + "-regions eu-west-1":                                 "-create with several -regions needs -region-column",
		create + "-run":                                               "-create and -run exclude each other",
		create + "-to 2026-03-01":                                     "-create and -to exclude each other",
		create + "-complete":                                          "-create and -complete exclude each other",
		"-create s3://b/$x -accounts 111122223333 -regions us-east-1": `folder "s3://b/$x"; want`,
		"-keys " + strings.Join(many, ","):                            "bytes",
	} {
		code, out, errs := nobody(t, strings.Fields(line)...)
		first, rest, _ := strings.Cut(errs, "\n")
		if code != exitUsage || out != "" || !strings.HasPrefix(first, "athena: ") || !strings.Contains(first, says) || rest != "Run it with -h for help.\n" {
			t.Errorf("%.80q: %d %q\n%.300s; want %q", line, code, out, errs, says)
		}
		for _, never := range []string{"parsing time", "parse error", "invalid option"} {
			if strings.Contains(errs, never) {
				t.Errorf("%.80q: %.300s", line, errs)
			}
		}
	}
}

func TestHelpSaysWhatItIsForAndHasEveryFlag(t *testing.T) {
	code, out, errs := nobody(t, "-h")
	if code != exitOK || out != help || errs != "" || !strings.HasPrefix(out, "Athena asks an archive of CloudTrail log files") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	for name := range strings.FieldsSeq("run workgroup output database table day account-column region-column from to keys accounts regions complete create h") {
		if !regexp.MustCompile(`(?m)^  (-account-column NAME, )?-` + name + `\b`).MatchString(help) {
			t.Errorf("-%s is not explained", name)
		}
	}
	for line := range strings.Lines(help) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
