package cloudtrail_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

const lakeID = "1234abcd-12ab-34cd-56ef-1234567890ab"

var someTable = cloudtrail.AthenaTable{Database: "logs", Name: "trail"}

// service is a Querier whose answers are set, by what their statement is for.
type service struct {
	pages    map[string][][][]*string
	statuses map[string][]cloudtrail.QueryStatus // one after another; the last stays
	startErr map[string]error
	rowsErr  map[string]error // after all pages
	next     map[string]string
	mu       sync.Mutex
	asked    map[string][]time.Time
	stopped  []string
}

// kind tells what a statement is for.
func kind(statement string) string {
	switch {
	case strings.HasPrefix(statement, "SELECT key_arn"):
		return "use"
	case strings.HasPrefix(statement, "SELECT class"):
		return "attempts"
	case strings.HasPrefix(statement, "SELECT account"):
		return "coverage"
	}
	return "unknown"
}

func (s *service) Start(_ context.Context, statement string) (string, error) {
	k := kind(statement)
	return "query-" + k, s.startErr[k]
}

func (s *service) Status(_ context.Context, id string) (cloudtrail.QueryStatus, error) {
	k := strings.TrimPrefix(id, "query-")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[string][]time.Time{}
	}
	n := len(s.asked[k])
	s.asked[k] = append(s.asked[k], time.Now())
	if all := s.statuses[k]; len(all) > 0 {
		return all[min(n, len(all)-1)], nil
	}
	return cloudtrail.QueryStatus{State: cloudtrail.QuerySucceeded}, nil
}

func (s *service) Rows(_ context.Context, id, token string, _ []string) (rows [][]*string, next string, err error) {
	k := strings.TrimPrefix(id, "query-")
	page := 0
	if token != "" {
		if _, err := fmt.Sscan(token, &page); err != nil {
			return nil, "", err
		}
	}
	pages := s.pages[k]
	if page >= len(pages) {
		return nil, s.next[k], s.rowsErr[k]
	}
	if page+1 < len(pages) || s.rowsErr[k] != nil || s.next[k] != "" {
		next = fmt.Sprint(page + 1)
	}
	return pages[page], next, nil
}

func (s *service) Stop(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = append(s.stopped, id)
	return ctx.Err()
}

func row(cells ...string) []*string {
	r := make([]*string, len(cells))
	for i := range cells {
		r[i] = &cells[i]
	}
	return r
}

// eventCells are those of an event, as the statements select them.
func eventCells(at, op, id, code string) []string {
	return []string{at, op, id, "request " + id, "arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:iam::111122223333:role/r", "", "192.0.2.1", code, `{"app":"x"}`, ""}
}

func useRow(arn, op, code, calls, first, last string) []*string {
	return row(slices.Concat([]string{arn, op, code, "s3.amazonaws.com", calls}, eventCells(first, op, "first", code), eventCells(last, op, "last", code))...)
}

func attemptRow(class, arn, op, code, at string) []*string {
	return row(slices.Concat([]string{class, "111122223333", arn, "1"}, eventCells(at, op, "id "+at, code), []string{"us-west-2", "audit", ""})...)
}

func dayRow(day string, reads string) []*string {
	stamp := strings.ReplaceAll(day, "/", "")
	return row("111122223333", "us-west-2", day, "3", stamp+"T0005Z", stamp+"T2355Z", "", reads, "0", "0", "0", "0", "", "s3://logs/AWSLogs", "", "0", "0")
}

func goodAnswers() *service {
	return &service{
		pages: map[string][][][]*string{
			"use":      {{useRow(keyARN, "Decrypt", "", "5", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z")}, {useRow(keyARN, "Encrypt", "AccessDenied", "2", "2026-03-01T13:00:00Z", "2026-03-03T12:00:00Z")}},
			"attempts": {{attemptRow("refusal", keyARN, "Decrypt", "DisabledException", "2026-03-03T12:00:00Z"), attemptRow("switch", keyARN, "DisableKey", "", "2026-03-02T13:00:00Z")}},
			"coverage": {{dayRow("2026/03/01", "7"), dayRow("2026/03/02", "7"), dayRow("2026/03/03", "7")}},
		},
		statuses: map[string][]cloudtrail.QueryStatus{}, startErr: map[string]error{}, rowsErr: map[string]error{}, next: map[string]string{},
	}
}

func complete(o *cloudtrail.QueryOptions) {
	o.Complete = true
	o.Now = func() time.Time { return at("2026-04-01T00:00:00Z") }
}

func TestRowsBecomeAHistory(t *testing.T) {
	h, err := someTable.Ask(t.Context(), goodAnswers(), complete)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Look(t.Context(), usage.Finding{ARN: keyARN})
	if err != nil {
		t.Fatal(err)
	}
	event := func(when, op, id, code string) usage.Event {
		return usage.Event{
			At: at(when), Operation: op, EventID: id, RequestID: "request " + id, Principal: "arn:aws:sts::111122223333:assumed-role/r/s",
			Role: "arn:aws:iam::111122223333:role/r", SourceIP: "192.0.2.1", ErrorCode: code, Context: map[string]string{"app": "x"},
		}
	}
	first, last := event("2026-03-01T12:00:00Z", "Decrypt", "first", ""), event("2026-03-02T12:00:00Z", "Decrypt", "last", "")
	switchedOff := event("2026-03-02T13:00:00Z", "DisableKey", "id 2026-03-02T13:00:00Z", "")
	want := usage.Record{
		Source: "cloudtrail-athena", First: &first, Last: &last, Off: &switchedOff,
		Refusals:   []usage.Event{event("2026-03-03T12:00:00Z", "Decrypt", "id 2026-03-03T12:00:00Z", "DisabledException")},
		Coverage:   []usage.Coverage{{Account: "111122223333", Region: "us-west-2", From: at("2026-03-01T00:05:00Z"), To: at("2026-03-03T23:40:00Z"), BlindSpots: []string{}}},
		Operations: map[string]int{"Decrypt": 5, "Encrypt": 2}, Errors: map[string]int{"AccessDenied": 2}, Services: map[string]int{"s3.amazonaws.com": 7},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("it is\n%+v, not\n%+v", r, want)
	}
	if r, ok := h.Key(otherARN); ok || r.Source != cloudtrail.AthenaSource || r.Last != nil {
		t.Errorf("of a key that no row names it says %+v", r)
	}
	if s := h.Stats(); s.Rows != 7 || s.Keys != 1 || len(h.Gaps()) > 0 {
		t.Errorf("%+v, gaps %v", s, h.Gaps())
	}
}

func TestWhoChangesARecordChangesNoOther(t *testing.T) {
	h, err := someTable.Ask(t.Context(), goodAnswers(), complete)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := h.Key(keyARN)
	r, _ := h.Key(keyARN)
	r.Last.Operation, r.Last.Context["app"], r.Off.EventID, r.Refusals[0].EventID, r.Operations["Decrypt"] = "x", "x", "x", "x", 0
	h.Coverage()[0].To = time.Time{}
	if after, _ := h.Key(keyARN); !reflect.DeepEqual(before, after) || h.Coverage()[0].To.IsZero() {
		t.Errorf("%+v", after)
	}
}

func TestNoCoverageIsCompleteUnlessTheCallerVouches(t *testing.T) {
	for name, ask := range map[string]func() (*cloudtrail.QueryHistory, error){
		"Athena": func() (*cloudtrail.QueryHistory, error) { return someTable.Ask(t.Context(), goodAnswers()) },
		"CloudTrail Lake": func() (*cloudtrail.QueryHistory, error) {
			return cloudtrail.LakeStore{ID: lakeID}.Ask(t.Context(), goodAnswers())
		},
	} {
		h, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		cs := h.Coverage()
		if len(cs) != 1 || len(cs[0].BlindSpots) != 1 || !strings.HasPrefix(cs[0].BlindSpots[0], name+" does not tell") {
			t.Errorf("%s: %+v", name, cs)
		}
	}
}

func TestRowsThatCannotBeReadAreGaps(t *testing.T) {
	short := useRow(keyARN, "Decrypt", "", "5", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z")[:20]
	null := useRow(keyARN, "Decrypt", "", "5", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z")
	null[7] = nil
	noDay := dayRow("2026/03/04", "7")
	*noDay[4] = "yesterday"
	for name, tt := range map[string]struct {
		kind string
		row  []*string
		want string
	}{
		"too few columns":                {"use", short, "it has 20 columns, not 27"},
		"none":                           {"use", nil, "it has 0 columns, not 27"},
		"NULL":                           {"use", null, "column first_3 is NULL"},
		"no ARN":                         {"use", useRow("1234abcd", "Decrypt", "", "5", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"), `"1234abcd" is no ARN of a key`},
		"the ARN of an alias":            {"use", useRow("arn:aws:kms:us-west-2:111122223333:alias/a", "Decrypt", "", "5", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"), "is no ARN of a key"},
		"no time":                        {"use", useRow(keyARN, "Decrypt", "", "5", "", "2026-03-02T12:00:00Z"), "the events are of"},
		"a time of another kind":         {"use", useRow(keyARN, "Decrypt", "", "5", "2026-03-01T12:00:00Z", "2026-03-02 12:00:00.000"), "the events are of"},
		"a last event before the first":  {"use", useRow(keyARN, "Decrypt", "", "5", "2026-03-01T12:00:00Z", "2026-02-02T12:00:00Z"), "the events are of"},
		"no operation":                   {"use", useRow(keyARN, "", "", "5", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"), "the events are of"},
		"calls that are no number":       {"use", useRow(keyARN, "Decrypt", "", "5.0E0", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"), `calls are "5.0E0"`},
		"no calls":                       {"use", useRow(keyARN, "Decrypt", "", "0", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"), `calls are "0"`},
		"an event of another operation":  {"use", row(slices.Concat([]string{keyARN, "Decrypt", "", "", "1"}, eventCells("2026-03-01T12:00:00Z", "Encrypt", "1", ""), eventCells("2026-03-01T12:00:00Z", "Decrypt", "1", ""))...), `it is of "Decrypt"`},
		"a failed event of a success":    {"use", row(slices.Concat([]string{keyARN, "Decrypt", "", "", "1"}, eventCells("2026-03-01T12:00:00Z", "Decrypt", "1", ""), eventCells("2026-03-01T12:00:00Z", "Decrypt", "1", "AccessDenied"))...), `it is of "Decrypt"`},
		"an attempt of no class":         {"attempts", attemptRow("x", keyARN, "Decrypt", "DisabledException", "2026-03-03T12:00:00Z"), `it is of class "x"`},
		"a refusal that succeeded":       {"attempts", attemptRow("refusal", keyARN, "Decrypt", "", "2026-03-03T12:00:00Z"), "is no refusal"},
		"a refusal of DescribeKey":       {"attempts", attemptRow("refusal", keyARN, "DescribeKey", "DisabledException", "2026-03-03T12:00:00Z"), "is no refusal"},
		"a refusal of no key":            {"attempts", attemptRow("refusal", "", "Decrypt", "DisabledException", "2026-03-03T12:00:00Z"), "is no ARN of a key"},
		"a switch that is none":          {"attempts", attemptRow("switch", keyARN, "TagResource", "", "2026-03-03T12:00:00Z"), "switches no key"},
		"a switch that failed":           {"attempts", attemptRow("switch", keyARN, "DisableKey", "AccessDenied", "2026-03-03T12:00:00Z"), "switches no key"},
		"a replica by another call":      {"attempts", attemptRow("replica", keyARN, "CreateKey", "", "2026-03-03T12:00:00Z"), "makes no replica"},
		"a replica that was refused":     {"attempts", attemptRow("replica", keyARN, "ReplicateKey", "AccessDenied", "2026-03-03T12:00:00Z"), "makes no replica"},
		"a change of no trail":           {"attempts", attemptRow("trail", "", "DisableKey", "", "2026-03-03T12:00:00Z"), "changes no trail"},
		"an attempt without time":        {"attempts", attemptRow("refusal", keyARN, "Decrypt", "DisabledException", "x"), "the event is of"},
		"a day whose files have no time": {"coverage", noDay, "files are of"},
		"a day with a count below zero":  {"coverage", dayRow("2026/03/04", "-1"), `column reads is "-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := goodAnswers()
			s.pages[tt.kind] = append(s.pages[tt.kind], [][]*string{tt.row})
			number := 0
			for _, p := range s.pages[tt.kind] {
				number += len(p)
			}
			h, err := someTable.Ask(t.Context(), s, complete)
			if err != nil {
				t.Fatal(err)
			}
			gaps := h.Gaps()
			if len(gaps) != 1 || gaps[0].Path != fmt.Sprintf("%s: row %d", tt.kind, number) || gaps[0].Reason != cloudtrail.BadRow || !strings.Contains(gaps[0].Err.Error(), tt.want) {
				t.Fatalf("gaps %v, want row %d of %s: %s", gaps, number, tt.kind, tt.want)
			}
			if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != 5 || len(r.Refusals) != 1 {
				t.Errorf("the good rows are lost: %+v", r)
			}
			for _, c := range h.Coverage() {
				if !slices.Contains(c.BlindSpots, "a row of the answer for "+tt.kind+" could not be read") {
					t.Errorf("no blind spot: %+v", c)
				}
			}
		})
	}
}

func TestAHeaderIsPassedOverOnceAndNotInTheMiddle(t *testing.T) {
	header := row("account", "region", "day", "files", "first_stamp", "last_stamp", "organization", "reads", "unnamed", "untimed", "future", "unread", "example", "tree", "unnamed_day", "no_outcome", "crowded")
	s := goodAnswers()
	s.pages["coverage"][0] = slices.Concat([][]*string{header}, s.pages["coverage"][0])
	h, err := someTable.Ask(t.Context(), s, complete)
	if err != nil || len(h.Gaps()) > 0 || h.Stats().Rows != 7 || len(h.Coverage()) != 1 {
		t.Errorf("%v, gaps %v, %+v", err, h.Gaps(), h.Stats())
	}
	s.pages["coverage"] = append(s.pages["coverage"], [][]*string{header})
	if h, err = someTable.Ask(t.Context(), s, complete); err != nil || len(h.Gaps()) != 1 {
		t.Errorf("%v, gaps %v", err, h.Gaps())
	}
}

func TestAStatementThatFailsIsAnErrorAndTheRestIsKept(t *testing.T) {
	denied := errors.New("AccessDeniedException: not authorized to perform: athena:StartQueryExecution")
	for name, tt := range map[string]struct {
		spoil func(*service)
		want  cloudtrail.QueryError
		kept  bool // the uses
	}{
		"denied": {func(s *service) { s.startErr["attempts"] = denied }, cloudtrail.QueryError{Statement: "attempts", ID: "query-attempts", Err: denied}, true},
		"failed": {func(s *service) {
			s.statuses["attempts"] = []cloudtrail.QueryStatus{{State: cloudtrail.QueryFailed, Reason: "HIVE_CURSOR_ERROR: Unexpected end of input stream"}}
		}, cloudtrail.QueryError{Statement: "attempts", ID: "query-attempts", State: cloudtrail.QueryFailed, Reason: "HIVE_CURSOR_ERROR: Unexpected end of input stream"}, true},
		"canceled":        {func(s *service) { s.statuses["use"] = []cloudtrail.QueryStatus{{State: cloudtrail.QueryCanceled}} }, cloudtrail.QueryError{Statement: "use", ID: "query-use", State: cloudtrail.QueryCanceled}, false},
		"cut short":       {func(s *service) { s.rowsErr["use"] = denied }, cloudtrail.QueryError{Statement: "use", ID: "query-use", State: cloudtrail.QuerySucceeded, Err: denied}, true},
		"of another kind": {func(s *service) { s.statuses["use"] = []cloudtrail.QueryStatus{{State: "PAUSED"}} }, cloudtrail.QueryError{Statement: "use", ID: "query-use"}, false},
		"endless":         {func(s *service) { s.next["use"] = "1" }, cloudtrail.QueryError{Statement: "use", ID: "query-use", State: cloudtrail.QuerySucceeded}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := goodAnswers()
			tt.spoil(s)
			h, err := someTable.Ask(t.Context(), s, complete)
			var qe *cloudtrail.QueryError
			if !errors.As(err, &qe) || qe.Statement != tt.want.Statement || qe.State != tt.want.State || qe.Reason != tt.want.Reason || tt.want.Err != nil && !errors.Is(err, tt.want.Err) {
				t.Fatalf("%v, want %v", err, &tt.want)
			}
			if !strings.Contains(err.Error(), "the statement for "+qe.Statement) || !strings.Contains(err.Error(), qe.Reason) {
				t.Errorf("it says %q", err)
			}
			if r, ok := h.Key(keyARN); !ok || (r.Last != nil) != tt.kept {
				t.Errorf("%+v", r)
			}
			cs := h.Coverage()
			if len(cs) != 1 || !slices.Contains(cs[0].BlindSpots, "the statement for "+tt.want.Statement+" was not answered to its end") {
				t.Errorf("coverage %+v", cs)
			}
		})
	}
	t.Run("for coverage", func(t *testing.T) {
		s := goodAnswers()
		s.startErr["coverage"] = denied
		h, err := someTable.Ask(t.Context(), s, complete)
		if r, _ := h.Key(keyARN); !errors.Is(err, denied) || r.Last == nil || len(h.Coverage()) > 0 {
			t.Errorf("%v: %+v, coverage %v", err, r, h.Coverage())
		}
	})
}

func TestStatementsAreWaitedForWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := goodAnswers()
		running := cloudtrail.QueryStatus{State: cloudtrail.QueryRunning}
		s.statuses["use"] = []cloudtrail.QueryStatus{running, running, running, running, running, running, running, {State: cloudtrail.QuerySucceeded}}
		start := time.Now()
		if _, err := someTable.Ask(t.Context(), s, complete); err != nil {
			t.Fatal(err)
		}
		var pauses []time.Duration
		for _, when := range s.asked["use"] {
			pauses = append(pauses, when.Sub(start))
			start = when
		}
		want := []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second}
		if !slices.Equal(pauses, want) || len(s.asked["coverage"]) != 1 {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
	})
}

func TestWhenTheContextEndsStatementsAreStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := goodAnswers()
		s.statuses["use"] = []cloudtrail.QueryStatus{{State: cloudtrail.QueryRunning}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		h, err := someTable.Ask(ctx, s, complete)
		if !errors.Is(err, context.DeadlineExceeded) || !slices.Equal(s.stopped, []string{"query-use"}) {
			t.Errorf("%v, stopped %v", err, s.stopped)
		}
		if r, _ := h.Key(keyARN); len(r.Refusals) != 1 {
			t.Errorf("what was answered is lost: %+v", r)
		}
	})
}

func TestMoreKeysThanAreKeptAreAGap(t *testing.T) {
	s := goodAnswers()
	s.pages["use"][0] = append(s.pages["use"][0], useRow(otherARN, "Decrypt", "", "5", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"))
	h, err := someTable.Ask(t.Context(), s, complete, func(o *cloudtrail.QueryOptions) { o.MaxKeys = 1 })
	if err != nil {
		t.Fatal(err)
	}
	if g := h.Gaps(); len(g) != 1 || g[0].Reason != cloudtrail.TooManyKeys || h.Stats().Keys != 1 || len(h.Coverage()[0].BlindSpots) != 1 {
		t.Errorf("gaps %v, %+v, coverage %v", g, h.Stats(), h.Coverage())
	}
}

func TestOfAKeyThatWasNotAskedForNothingIsClaimed(t *testing.T) {
	only := func(arn string) func(*cloudtrail.QueryOptions) {
		return func(o *cloudtrail.QueryOptions) { o.Keys = []string{arn} }
	}
	h, err := someTable.Ask(t.Context(), goodAnswers(), complete, only(keyARN))
	if err != nil {
		t.Fatal(err)
	}
	asked, _ := h.Look(t.Context(), usage.Finding{ARN: keyARN})
	other, _ := h.Look(t.Context(), usage.Finding{ARN: otherARN})
	if len(asked.Coverage) != 1 || len(other.Coverage) > 0 {
		t.Errorf("covered: %v, and of the other key %v", asked.Coverage, other.Coverage)
	}
	// Rows of another key than asked for are of another statement.
	if h, err = someTable.Ask(t.Context(), goodAnswers(), complete, only(otherARN)); err != nil || len(h.Gaps()) != 4 || h.Stats().Keys != 0 {
		t.Errorf("%v, gaps %v", err, h.Gaps())
	}
}

func TestAnArchiveWithAChangedTrailIsCoveredUntilThen(t *testing.T) {
	s := goodAnswers()
	s.pages["attempts"][0] = append(s.pages["attempts"][0], attemptRow("trail", "", "StopLogging", "", "2026-03-02T10:00:00Z"))
	h, err := someTable.Ask(t.Context(), s, complete)
	if err != nil {
		t.Fatal(err)
	}
	cs := h.Coverage()
	if len(cs) != 2 || !cs[0].To.Equal(at("2026-03-02T10:00:00Z")) || len(cs[0].BlindSpots) != 0 || len(cs[1].BlindSpots) != 1 {
		t.Errorf("coverage %+v", cs)
	}
	if c := h.TrailChanges(); len(c) != 1 || c[0].Trail != "audit" || c[0].Account != "111122223333" {
		t.Errorf("changes %+v", c)
	}
}

func TestATrailOfAnOrganizationThatIsChangedConcernsAllItsAccounts(t *testing.T) {
	for name, organization := range map[string]string{"an account's own": "", "an organization's": "1"} {
		s := goodAnswers()
		change := attemptRow("trail", "", "StopLogging", "", "2026-03-02T10:00:00Z")
		*change[1], *change[len(change)-1] = "444455556666", organization
		s.pages["attempts"][0] = append(s.pages["attempts"][0], change)
		for _, d := range s.pages["coverage"][0] {
			*d[6] = organization
		}
		h, err := someTable.Ask(t.Context(), s, complete)
		if err != nil {
			t.Fatal(err)
		}
		want := 1 + len(organization)
		if cs := h.Coverage(); len(cs) != want || h.TrailChanges()[0].Organization != (organization != "") {
			t.Errorf("%s: coverage %+v", name, cs)
		}
	}
}

func TestAReplicaWasMadeByTheEarlierOfTwoCalls(t *testing.T) {
	s := goodAnswers()
	s.pages["use"][0] = append(s.pages["use"][0], useRow(keyARN, "CreateKey", "", "1", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"))
	s.pages["attempts"][0] = append(s.pages["attempts"][0],
		attemptRow("replica", keyARN, "ReplicateKey", "", "2026-03-01T09:00:02Z"), attemptRow("replica", keyARN, "ReplicateKey", "", "2026-03-01T09:00:01Z"))
	h, err := someTable.Ask(t.Context(), s, complete)
	if err != nil || len(h.Gaps()) > 0 {
		t.Fatal(err, h.Gaps())
	}
	if r, _ := h.Key(keyARN); r.Created == nil || r.Created.Operation != "ReplicateKey" || !r.Created.At.Equal(at("2026-03-01T09:00:01Z")) || r.Operations["ReplicateKey"] != 0 {
		t.Errorf("created by %+v, calls %v", r.Created, r.Operations)
	}
}

// One statement may run long after another: what came in meanwhile it has seen and
// the other has not.
func TestNothingIsClaimedOfTheTimeAfterTheQuestion(t *testing.T) {
	for now, want := range map[string]string{
		"2026-03-04T00:10:00Z": "2026-03-03T23:40:00Z", // the last file minus a quarter of an hour
		"2026-03-03T10:00:00Z": "2026-03-03T09:45:00Z",
		"2026-03-02T23:59:00Z": "2026-03-02T23:44:00Z", // in the middle of what was seen
		"2026-03-01T00:10:00Z": "",
	} {
		h, err := someTable.Ask(t.Context(), goodAnswers(), complete, func(o *cloudtrail.QueryOptions) { o.Now = func() time.Time { return at(now) } })
		if err != nil {
			t.Fatal(err)
		}
		cs := h.Coverage()
		if want == "" && len(cs) > 0 || want != "" && (len(cs) != 1 || !cs[0].To.Equal(at(want))) {
			t.Errorf("asked at %s: coverage %+v, want it to end at %s", now, cs, want)
		}
	}
}

func TestOfTooManyValuesTheSameAreCountedInWhateverOrderRowsCome(t *testing.T) {
	var rows [][]*string
	for i := range 100 {
		rows = append(rows, useRow(keyARN, "Decrypt", fmt.Sprintf("Error%dException", i), fmt.Sprint(1+i), "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"),
			useRow(keyARN, "Encrypt", fmt.Sprintf("Error%dException", i), "1", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"))
	}
	var records [2]usage.Record
	for i := range records {
		s := goodAnswers()
		s.pages["use"] = [][][]*string{slices.Clone(rows)}
		h, err := someTable.Ask(t.Context(), s, complete)
		if err != nil || len(h.Gaps()) > 0 {
			t.Fatal(err, h.Gaps())
		}
		records[i], _ = h.Key(keyARN)
		slices.Reverse(rows)
	}
	sum := records[0].Dropped.Errors
	for _, n := range records[0].Errors {
		sum += n
	}
	if !reflect.DeepEqual(records[0], records[1]) || len(records[0].Errors) != 32 || sum != 5050+100 {
		t.Errorf("%d of %v\nand\n%v", sum, records[0].Errors, records[1].Errors)
	}
}

func TestAUseThatNamesNoKeyIsABlindSpotOfItsOwnDay(t *testing.T) {
	s := goodAnswers()
	second := s.pages["coverage"][0][1] // of whose files the first hold the end of the first day
	*second[8], *second[14] = "2", "2026-03-01"
	h, err := someTable.Ask(t.Context(), s, complete)
	if err != nil {
		t.Fatal(err)
	}
	cs := h.Coverage()
	if len(cs) != 2 || !slices.Equal(cs[0].BlindSpots, []string{"2 calls do not name all their keys"}) || len(cs[1].BlindSpots) != 0 {
		t.Errorf("coverage %+v", cs)
	}
}

func TestWhoChangesTheDaysChangesNoOther(t *testing.T) {
	h, err := someTable.Ask(t.Context(), goodAnswers(), complete)
	if err != nil {
		t.Fatal(err)
	}
	h.Days()[0].Seen[0] = cloudtrail.DayRange{}
	if days := h.Days(); days[0].Seen[0].Count() != 3 {
		t.Errorf("%+v", days)
	}
}
