package cloudtrail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kmsusage/usage"
)

// Querier runs statements where an archive lies. Its methods are those of
// Athena's StartQueryExecution, GetQueryExecution and GetQueryResults, and of
// CloudTrail Lake's StartQuery, DescribeQuery and GetQueryResults, for which
// [NewLakeQuerier] makes one. The example under examples/athena makes one of
// Athena's client.
//
// Implementations must be safe for concurrent use. They do not wait: that is done
// by the caller.
type Querier interface {
	// Start starts a statement and returns its ID.
	Start(ctx context.Context, statement string) (id string, err error)
	// Status tells how far it is. An error says that this could not be told.
	Status(ctx context.Context, id string) (QueryStatus, error)
	// Rows returns a page of the answer to a statement that has succeeded, its cells
	// in the order of the columns, which are those of the statement, nil for NULL,
	// and the token of the next page. The first token is empty, and so is the one
	// behind the last page. A first row that repeats the names of the columns, as
	// Athena's does, is passed over.
	Rows(ctx context.Context, id, token string, columns []string) (rows [][]*string, next string, err error)
}

// QueryStopper is a [Querier] that can stop a statement for whose answer nobody
// waits any more.
type QueryStopper interface {
	Stop(ctx context.Context, id string) error
}

// QueryStatus is how far a statement is.
type QueryStatus struct {
	State QueryState
	// Reason is what the service says of a statement that failed or was canceled.
	Reason string
}

// QueryState is the state of a statement. The zero value is none.
type QueryState string

// The states of statements.
const (
	QueryRunning   QueryState = "running" // or waiting
	QuerySucceeded QueryState = "succeeded"
	QueryFailed    QueryState = "failed"
	QueryCanceled  QueryState = "canceled"
)

// QueryError is a statement that was not answered, or not to its end.
type QueryError struct {
	Statement string     // "use", "attempts" or "coverage"
	ID        string     // empty: it was not started
	State     QueryState // empty: not known
	Reason    string     // what the service says
	Err       error      // nil if the service itself says that it failed
}

// Error says which statement ended how.
func (e *QueryError) Error() string {
	text := "cloudtrail: the statement for " + e.Statement
	if e.ID != "" {
		text += " (" + e.ID + ")"
	}
	if e.State == QueryFailed || e.State == QueryCanceled {
		text += " " + string(e.State)
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *QueryError) Unwrap() error { return e.Err }

var (
	errTokenTwice  = errors.New("the same page was announced twice")
	errNoQueryID   = errors.New("it was started without an ID")
	errQueryState  = errors.New("its state is not known")
	errNotAnswered = errors.New("the querier is nil")
)

// ask runs the statements and reads their answers.
func ask(ctx context.Context, q Querier, s *sqlSource, o QueryOptions) (*QueryHistory, error) {
	statements, err := s.statements(o)
	if err != nil {
		return nil, err
	}
	if q == nil {
		return nil, fmt.Errorf("cloudtrail: %w: %w", usage.ErrInvalidOption, errNotAnswered)
	}
	a := newAnswers(s, o)
	questions := []struct {
		name, text string
		columns    []string
		row        func([]string) string
	}{
		{"use", statements.Use, useColumns, a.use},
		{"attempts", statements.Attempts, attemptsColumns, a.attempt},
		{"coverage", statements.Coverage, coverageColumns, a.day},
	}
	failed := make([]error, len(questions))
	var running sync.WaitGroup
	for i, question := range questions {
		running.Go(func() {
			r := statementRun{q: q, name: question.name, columns: question.columns, poll: o.PollEvery}
			if err := r.run(ctx, question.text, func(number int, row []*string) { a.read(r.name, number, row, r.columns, question.row) }); err != nil {
				failed[i] = err
				a.missing("the statement for " + r.name + " was not answered to its end")
			}
		})
	}
	running.Wait()
	return a.history(), errors.Join(failed...)
}

// statementRun is one statement.
type statementRun struct {
	q       Querier
	name    string
	columns []string
	poll    time.Duration
	id      string
}

func (r *statementRun) run(ctx context.Context, text string, row func(number int, cells []*string)) error {
	var err error
	if r.id, err = r.q.Start(ctx, text); err != nil {
		return r.failed("", "", err)
	}
	if r.id == "" {
		return r.failed("", "", errNoQueryID)
	}
	if err := r.wait(ctx); err != nil {
		return err
	}
	token, number, seen := "", 0, map[string]bool{}
	for {
		rows, next, err := r.q.Rows(ctx, r.id, token, r.columns)
		for _, cells := range rows {
			if number == 0 && r.isHeader(cells) {
				continue
			}
			number++
			row(number, cells)
		}
		switch {
		case err != nil:
			return r.failed(QuerySucceeded, "", err)
		case next == "":
			return nil
		case seen[next]:
			return r.failed(QuerySucceeded, "", errTokenTwice)
		}
		token, seen[next] = next, true
	}
}

// wait asks until the statement is done.
func (r *statementRun) wait(ctx context.Context) error {
	for pause := r.poll; ; pause = min(2*pause, maxPoll) {
		status, err := r.q.Status(ctx, r.id)
		if err != nil {
			r.stop(ctx)
			return r.failed("", "", err)
		}
		switch status.State {
		case QuerySucceeded:
			return nil
		case QueryFailed, QueryCanceled:
			return r.failed(status.State, status.Reason, nil)
		case QueryRunning:
		default:
			r.stop(ctx)
			return r.failed("", status.Reason, fmt.Errorf("%w: %q", errQueryState, status.State))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			r.stop(ctx)
			return r.failed(QueryRunning, "", ctx.Err())
		}
	}
}

// stopTime is how long to try to stop a statement after the context has ended.
const stopTime = 10 * time.Second

func (r *statementRun) stop(ctx context.Context) {
	if s, ok := r.q.(QueryStopper); ok {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		_ = s.Stop(ctx, r.id) // the error that led here is the one to tell of
	}
}

func (r *statementRun) failed(state QueryState, reason string, err error) error {
	return &QueryError{Statement: r.name, ID: r.id, State: state, Reason: reason, Err: err}
}

func (r *statementRun) isHeader(cells []*string) bool {
	return slices.EqualFunc(cells, r.columns, func(cell *string, name string) bool { return cell != nil && strings.EqualFold(*cell, name) })
}
