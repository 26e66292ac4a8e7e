package main

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"github.com/kmsusage/usage/cloudtrail"
)

// querier runs statements in Athena. Copy it into your program.
//
// It needs the permissions athena:StartQueryExecution, athena:GetQueryExecution,
// athena:GetQueryResults and athena:StopQueryExecution, those of AWS Glue to read
// the table, and those of S3 to read the log files and to write results.
type querier struct {
	client    *athena.Client
	workGroup string // empty: primary
	output    string // s3://bucket/prefix/ for results; empty: that of the work group
}

var (
	_ cloudtrail.Querier      = querier{}
	_ cloudtrail.QueryStopper = querier{}
)

// Start starts a statement.
func (q querier) Start(ctx context.Context, statement string) (string, error) {
	in := &athena.StartQueryExecutionInput{QueryString: aws.String(statement)}
	if q.workGroup != "" {
		in.WorkGroup = aws.String(q.workGroup)
	}
	if q.output != "" {
		in.ResultConfiguration = &types.ResultConfiguration{OutputLocation: aws.String(q.output)}
	}
	out, err := q.client.StartQueryExecution(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.QueryExecutionId), nil
}

// Status tells how far a statement is.
func (q querier) Status(ctx context.Context, id string) (cloudtrail.QueryStatus, error) {
	out, err := q.client.GetQueryExecution(ctx, &athena.GetQueryExecutionInput{QueryExecutionId: aws.String(id)})
	if err != nil {
		return cloudtrail.QueryStatus{}, err
	}
	if out.QueryExecution == nil || out.QueryExecution.Status == nil {
		return cloudtrail.QueryStatus{}, errors.New("athena told no status")
	}
	status := cloudtrail.QueryStatus{Reason: aws.ToString(out.QueryExecution.Status.StateChangeReason)}
	switch out.QueryExecution.Status.State {
	case types.QueryExecutionStateQueued, types.QueryExecutionStateRunning:
		status.State = cloudtrail.QueryRunning
	case types.QueryExecutionStateSucceeded:
		status.State = cloudtrail.QuerySucceeded
	case types.QueryExecutionStateCancelled:
		status.State = cloudtrail.QueryCanceled
	default:
		status.State = cloudtrail.QueryFailed
	}
	return status, nil
}

// Rows returns a page of an answer. The columns are in the order of the statement,
// and the first row repeats their names.
func (q querier) Rows(ctx context.Context, id, token string, _ []string) (rows [][]*string, next string, err error) {
	in := &athena.GetQueryResultsInput{QueryExecutionId: aws.String(id), MaxResults: aws.Int32(1000)}
	if token != "" {
		in.NextToken = aws.String(token)
	}
	out, err := q.client.GetQueryResults(ctx, in)
	if err != nil {
		return nil, "", err
	}
	if out.ResultSet == nil {
		return nil, "", errors.New("athena returned no rows, not even the header")
	}
	for _, r := range out.ResultSet.Rows {
		cells := make([]*string, len(r.Data))
		for i, d := range r.Data {
			cells[i] = d.VarCharValue // nil: NULL
		}
		rows = append(rows, cells)
	}
	return rows, aws.ToString(out.NextToken), nil
}

// Stop stops a statement for whose answer nobody waits any more.
func (q querier) Stop(ctx context.Context, id string) error {
	_, err := q.client.StopQueryExecution(ctx, &athena.StopQueryExecutionInput{QueryExecutionId: aws.String(id)})
	return err
}
