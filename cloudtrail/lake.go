package cloudtrail

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// LakeSource is the name of an event data store of CloudTrail Lake as a source of
// events.
const LakeSource = "cloudtrail-lake"

// lakeLimit is how many characters a statement may have.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartQuery.html
const lakeLimit = 10000

// LakeStore is an event data store of CloudTrail Lake that holds CloudTrail events.
// Since 2026-05-31 CloudTrail Lake takes no new customers; those who have it go on.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-lake-service-availability-change.html
type LakeStore struct {
	// ID of the event data store, such as 1234abcd-12ab-34cd-56ef-1234567890ab: the
	// end of its ARN.
	ID string
}

// Statements writes the statements that [LakeStore.Ask] runs. What holds for
// [AthenaTable.Statements] holds for it too.
func (l LakeStore) Statements(optFns ...func(*QueryOptions)) (Statements, error) {
	o, err := queryOptions(optFns)
	if err != nil {
		return Statements{}, err
	}
	s, err := l.source(o)
	if err != nil {
		return Statements{}, err
	}
	return s.statements(o)
}

// Ask runs the statements. What holds for [AthenaTable.Ask] holds for it too.
// [NewLakeQuerier] makes a Querier of the SDK's client.
//
// An event data store has no files: a day is seen if there is an event of it.
func (l LakeStore) Ask(ctx context.Context, q Querier, optFns ...func(*QueryOptions)) (*QueryHistory, error) {
	o, err := queryOptions(optFns)
	if err != nil {
		return nil, err
	}
	s, err := l.source(o)
	if err != nil {
		return nil, err
	}
	return ask(ctx, q, s, o)
}

// source is what is particular to event data stores: times are timestamps, request
// and answer are maps of texts, in which objects are JSON, and the ID stands in the
// statement as it is.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-limitations.html
func (l LakeStore) source(o QueryOptions) (*sqlSource, error) {
	if !isUUID(l.ID) {
		return nil, invalidOption("event data store %q; want an ID such as 1234abcd-12ab-34cd-56ef-1234567890ab", l.ID)
	}
	const text = "date_format(eventtime, '%Y-%m-%dT%H:%i:%sZ')"
	s := &sqlSource{
		name: LakeSource, service: "CloudTrail Lake", limit: lakeLimit, from: l.ID,
		time:    text,
		request: func(member string) string { return lakeMember("requestparameters", member, "json_extract_scalar(") },
		answer:  func(member string) string { return lakeMember("responseelements", member, "json_extract_scalar(") },
		object: func(member string) string {
			text := lakeMember("requestparameters", member, "json_extract(")
			if strings.Contains(member, ".") {
				text = "json_format(" + text + ")"
			}
			return text
		},
		only:    "coalesce(managementevent, true)",
		reads:   "readonly",
		account: "coalesce(recipientaccountid, '')", region: "coalesce(awsregion, '')",
		day:  "coalesce(date_format(eventtime, '%Y/%m/%d'), '')",
		file: "1", stamp: "coalesce(" + text + ", '')", organization: "''", tree: "''",
		unknown: "CloudTrail Lake does not tell which events its event data store leaves out",
	}
	const stamp = "2006-01-02 15:04:05"
	if !o.From.IsZero() {
		s.where = append(s.where, "eventtime >= TIMESTAMP "+sqlText(o.From.Format(stamp)))
	}
	if !o.To.IsZero() {
		// Of the second that is begun sqlRange decides.
		s.where = append(s.where, "eventtime <= TIMESTAMP "+sqlText(o.To.Format(stamp)))
	}
	if len(o.Accounts) > 0 {
		s.where = append(s.where, "coalesce(recipientaccountid, '') IN ('', "+sqlList(o.Accounts)+")")
	}
	if len(o.Regions) > 0 {
		s.where = append(s.where, "coalesce(awsregion, '') IN ('', "+sqlList(o.Regions)+")")
	}
	return s, nil
}

// lakeMember is the member of a map of texts, or what the function given takes out
// of the JSON that it holds.
func lakeMember(column, member, function string) string {
	member, inner, nested := strings.Cut(member, ".")
	text := "element_at(" + column + ", '" + member + "')"
	if nested {
		text = function + text + ", '$." + inner + "')"
	}
	return text
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// LakeReader runs statements in CloudTrail Lake. *cloudtrail.Client of the SDK is
// the implementation everybody uses.
type LakeReader interface {
	StartQuery(context.Context, *trail.StartQueryInput, ...func(*trail.Options)) (*trail.StartQueryOutput, error)
	DescribeQuery(context.Context, *trail.DescribeQueryInput, ...func(*trail.Options)) (*trail.DescribeQueryOutput, error)
	GetQueryResults(context.Context, *trail.GetQueryResultsInput, ...func(*trail.Options)) (*trail.GetQueryResultsOutput, error)
	CancelQuery(context.Context, *trail.CancelQueryInput, ...func(*trail.Options)) (*trail.CancelQueryOutput, error)
}

var (
	_ LakeReader   = (*trail.Client)(nil)
	_ Querier      = lakeQuerier{}
	_ QueryStopper = lakeQuerier{}
)

// NewLakeQuerier makes a [Querier] of the SDK's client. It needs the permissions
// cloudtrail:StartQuery, cloudtrail:DescribeQuery, cloudtrail:GetQueryResults and,
// to stop what nobody waits for any more, cloudtrail:CancelQuery.
func NewLakeQuerier(c LakeReader) Querier { return lakeQuerier{c} }

type lakeQuerier struct{ c LakeReader }

func (q lakeQuerier) Start(ctx context.Context, statement string) (string, error) {
	out, err := q.c.StartQuery(ctx, &trail.StartQueryInput{QueryStatement: aws.String(statement)})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.QueryId), nil
}

func (q lakeQuerier) Status(ctx context.Context, id string) (QueryStatus, error) {
	out, err := q.c.DescribeQuery(ctx, &trail.DescribeQueryInput{QueryId: aws.String(id)})
	if err != nil {
		return QueryStatus{}, err
	}
	status := QueryStatus{Reason: aws.ToString(out.ErrorMessage)}
	switch out.QueryStatus {
	case types.QueryStatusQueued, types.QueryStatusRunning:
		status.State = QueryRunning
	case types.QueryStatusFinished:
		status.State = QuerySucceeded
	case types.QueryStatusCancelled:
		status.State = QueryCanceled
	default: // failed, timed out
		status.State = QueryFailed
		status.Reason = strings.TrimSpace(string(out.QueryStatus) + " " + status.Reason)
	}
	return status, nil
}

// Rows puts the columns, which come by name, one map a column, into the order in
// which they were asked for. A column that is not there was NULL.
func (q lakeQuerier) Rows(ctx context.Context, id, token string, columns []string) ([][]*string, string, error) {
	in := &trail.GetQueryResultsInput{QueryId: aws.String(id), MaxQueryResults: aws.Int32(1000)}
	if token != "" {
		in.NextToken = aws.String(token)
	}
	out, err := q.c.GetQueryResults(ctx, in)
	if err != nil {
		return nil, "", err
	}
	if out.QueryStatus != types.QueryStatusFinished {
		return nil, "", errors.New(strings.TrimSpace("the query is " + string(out.QueryStatus) + ": " + aws.ToString(out.ErrorMessage)))
	}
	place := make(map[string]int, len(columns))
	for i, name := range columns {
		place[name] = i
	}
	rows := make([][]*string, 0, len(out.QueryResultRows))
	for _, cells := range out.QueryResultRows {
		row := make([]*string, len(columns))
		for _, cell := range cells {
			for name, value := range cell {
				i, ok := place[strings.ToLower(name)]
				if !ok {
					return rows, "", fmt.Errorf("the answer has a column %q that was not asked for", name)
				}
				row[i] = aws.String(value)
			}
		}
		rows = append(rows, row)
	}
	return rows, aws.ToString(out.NextToken), nil
}

func (q lakeQuerier) Stop(ctx context.Context, id string) error {
	_, err := q.c.CancelQuery(ctx, &trail.CancelQueryInput{QueryId: aws.String(id)})
	return err
}
