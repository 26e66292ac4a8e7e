package main

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// describe tells what went wrong, each thing once: what stops one statement often
// stops all.
func describe(err error) []string {
	var told []string
	names := map[string][]string{} // of statements, by what went wrong with them
	for _, err := range split(err) {
		q, ok := errors.AsType[*cloudtrail.QueryError](err)
		if !ok {
			told = append(told, words(err))
			continue
		}
		why := ending(q)
		if names[why] == nil {
			told = append(told, why)
		}
		name := q.Statement
		if q.ID != "" {
			name += " (" + q.ID + ")"
		}
		names[why] = append(names[why], name)
	}
	for i, why := range told {
		switch of := names[why]; len(of) {
		case 0:
		case 1:
			told[i] = "the statement for " + of[0] + " was " + why
		default:
			told[i] = "the statements for " + strings.Join(of[:len(of)-1], ", ") + " and " + of[len(of)-1] + " were " + why
		}
	}
	return told
}

// ending is how a statement ended and why.
func ending(q *cloudtrail.QueryError) string {
	how, why := "not answered", q.Reason
	if q.State == cloudtrail.QueryCanceled {
		how = "canceled"
	}
	if q.Err != nil {
		why = strings.TrimPrefix(why+": "+cause(q.Err), ": ")
	}
	if why == "" {
		return how
	}
	return how + ": " + why
}

// cause is what lies at the bottom of an error of the SDK: what AWS answered, or
// why it did not.
func cause(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		return op.OperationName + ": " + op.Err.Error()
	}
	return err.Error()
}

// words are those of an error that is not of a statement. The flags were checked;
// what the library does not take all the same it says itself.
func words(err error) string {
	return strings.TrimPrefix(err.Error(), "cloudtrail: "+usage.ErrInvalidOption.Error()+": ")
}

// split is errors.Join undone.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
