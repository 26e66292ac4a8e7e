package cloudtrail_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage/cloudtrail"
)

// lake is a CloudTrail Lake whose answers are set.
type lake struct {
	status  types.QueryStatus
	message string
	cells   []map[string]string // of the only row; nil: none
	stopped []string
}

func (l *lake) StartQuery(_ context.Context, _ *trail.StartQueryInput, _ ...func(*trail.Options)) (*trail.StartQueryOutput, error) {
	if l.status == "" {
		return nil, errors.New("AccessDenied")
	}
	return &trail.StartQueryOutput{QueryId: aws.String("q")}, nil
}

func (l *lake) DescribeQuery(context.Context, *trail.DescribeQueryInput, ...func(*trail.Options)) (*trail.DescribeQueryOutput, error) {
	return &trail.DescribeQueryOutput{QueryStatus: l.status, ErrorMessage: aws.String(l.message)}, nil
}

func (l *lake) GetQueryResults(_ context.Context, in *trail.GetQueryResultsInput, _ ...func(*trail.Options)) (*trail.GetQueryResultsOutput, error) {
	if aws.ToString(in.NextToken) == "" {
		return &trail.GetQueryResultsOutput{QueryStatus: l.status, ErrorMessage: aws.String(l.message), NextToken: aws.String("two")}, nil
	}
	return &trail.GetQueryResultsOutput{QueryStatus: l.status, QueryResultRows: [][]map[string]string{l.cells}}, nil
}

func (l *lake) CancelQuery(_ context.Context, in *trail.CancelQueryInput, _ ...func(*trail.Options)) (*trail.CancelQueryOutput, error) {
	l.stopped = append(l.stopped, *in.QueryId)
	return &trail.CancelQueryOutput{}, nil
}

func TestCellsOfCloudTrailLakeComeByName(t *testing.T) {
	l := &lake{status: types.QueryStatusFinished, cells: []map[string]string{{"B": "2"}, {"a": ""}}}
	q := cloudtrail.NewLakeQuerier(l)
	rows, next, err := q.Rows(t.Context(), "q", "", []string{"a", "b", "c"})
	if err != nil || len(rows) > 0 || next != "two" {
		t.Fatalf("%v, %q, %v", rows, next, err)
	}
	rows, next, err = q.Rows(t.Context(), "q", next, []string{"a", "b", "c"})
	if err != nil || next != "" || len(rows) != 1 || *rows[0][0] != "" || *rows[0][1] != "2" || rows[0][2] != nil {
		t.Errorf("%v, %q, %v", rows, next, err)
	}
	if _, _, err := q.Rows(t.Context(), "q", "two", []string{"a"}); err == nil || !strings.Contains(err.Error(), `"B" that was not asked for`) {
		t.Errorf("a column that was not asked for: %v", err)
	}
	l.status, l.message = types.QueryStatusFailed, "it broke"
	if _, _, err := q.Rows(t.Context(), "q", "", nil); err == nil || !strings.Contains(err.Error(), "FAILED: it broke") {
		t.Errorf("rows of a query that failed: %v", err)
	}
}

func TestStatesOfCloudTrailLakeAreTold(t *testing.T) {
	for status, want := range map[types.QueryStatus]cloudtrail.QueryStatus{
		types.QueryStatusQueued:    {State: cloudtrail.QueryRunning, Reason: "m"},
		types.QueryStatusRunning:   {State: cloudtrail.QueryRunning, Reason: "m"},
		types.QueryStatusFinished:  {State: cloudtrail.QuerySucceeded, Reason: "m"},
		types.QueryStatusFailed:    {State: cloudtrail.QueryFailed, Reason: "FAILED m"},
		types.QueryStatusTimedOut:  {State: cloudtrail.QueryFailed, Reason: "TIMED_OUT m"},
		types.QueryStatusCancelled: {State: cloudtrail.QueryCanceled, Reason: "m"},
		"NEW":                      {State: cloudtrail.QueryFailed, Reason: "NEW m"},
	} {
		got, err := cloudtrail.NewLakeQuerier(&lake{status: status, message: "m"}).Status(t.Context(), "q")
		if err != nil || got != want {
			t.Errorf("%s is %+v, %v", status, got, err)
		}
	}
}

func TestCloudTrailLakeDeniedIsAnError(t *testing.T) {
	l := &lake{}
	h, err := cloudtrail.LakeStore{ID: lakeID}.Ask(t.Context(), cloudtrail.NewLakeQuerier(l))
	var qe *cloudtrail.QueryError
	if !errors.As(err, &qe) || qe.ID != "" || len(h.Coverage()) > 0 {
		t.Errorf("%v, %v", err, h)
	}
	if s, ok := cloudtrail.NewLakeQuerier(l).(cloudtrail.QueryStopper); !ok || s.Stop(t.Context(), "q") != nil || len(l.stopped) != 1 {
		t.Errorf("stopped %v", l.stopped)
	}
}
