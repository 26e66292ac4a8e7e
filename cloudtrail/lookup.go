package cloudtrail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/smithy-go"

	"github.com/kmsusage/usage/internal/fault"
	"github.com/kmsusage/usage/internal/pace"
)

const opLookupEvents = "LookupEvents"

const (
	// lookupPage is the most that LookupEvents gives at once.
	lookupPage = 50
	// maxRestarts is how often one walk may begin anew where its token failed.
	maxRestarts = 5
	// lookupTimeout bounds each attempt.
	lookupTimeout = 30 * time.Second
)

// lookup is one question to LookupEvents: events with one attribute, of a time.
type lookup struct {
	key      types.LookupAttributeKey
	value    string
	from, to time.Time // whole seconds, both included
	pages    int       // at most
}

// sighting is what came of a [lookup].
type sighting struct {
	lookup
	since    time.Time // from when on, until the lookup's to, all events were seen
	calls    int
	odd      int    // events that could not be read
	firstOdd string // what is wrong with the first of them
	limited  bool   // there were more pages than it may read
	shuffled bool   // events were not in order of time
	err      error  // why it ended early
}

// lookUp walks from the newest event to the oldest until visit returns true, or
// there are no more events, or pages, or an error. visit gets every management
// event of KMS, each once; it may keep the call only until it returns.
//
// LookupEvents answers newest first, and its token is good only with the very
// parameters of the call before.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func (h *EventHistory) lookUp(ctx context.Context, q lookup, visit func(*call) (done bool)) sighting {
	var (
		s        = sighting{lookup: q, since: q.to}
		in       = q.input()
		oldest   time.Time // event seen
		ids      = map[string]struct{}{}
		tokens   = map[string]struct{}{}
		restarts int
		page     eventPage
	)
	for {
		out, err := h.call(ctx, in)
		s.calls++
		stale := err != nil && in.NextToken != nil && badToken(err)
		if stale && s.calls >= q.pages {
			s.limited = true
			return s
		}
		if stale && restarts < maxRestarts {
			restarts++
			h.o.Logger.Debug("token refused, beginning anew at the last event seen",
				"account", h.account, "region", h.region, "attribute", string(q.key), "restarts", restarts)
			// Events of that second may come again, and are known by their ID.
			if again := q; !oldest.IsZero() {
				again.to = oldest
				in = again.input()
			} else {
				in = q.input()
			}
			clear(tokens)
			continue
		}
		if err != nil {
			s.err = err
			return s
		}
		page.read(out.Events, ids)
		s.odd += page.odd
		if s.firstOdd == "" {
			s.firstOdd = page.firstOdd
		}
		if !oldest.IsZero() && page.newest.After(oldest) || page.shuffled {
			s.shuffled = true
		}
		for i := range page.calls {
			if visit(&page.calls[i]) {
				s.since = page.calls[i].at
				return s
			}
		}
		if !page.oldest.IsZero() && (oldest.IsZero() || page.oldest.Before(oldest)) {
			oldest = page.oldest
			// Of its second there may be more to come.
			s.since = earliest(s.since, oldest.Add(time.Second))
		}
		switch next := aws.ToString(out.NextToken); {
		case next == "":
			s.since = q.from
			return s
		case s.calls >= q.pages:
			s.limited = true
			return s
		default:
			if _, again := tokens[next]; again {
				s.err = malformedAnswerError("the pages go round in a circle: a token came back a second time")
				return s
			}
			tokens[next] = struct{}{}
			following := *in
			following.NextToken = &next
			in = &following
		}
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// input is the first request of a walk. It has no EventCategory: that would be
// for insights instead of management events.
func (q lookup) input() *trail.LookupEventsInput {
	return &trail.LookupEventsInput{
		LookupAttributes: []types.LookupAttribute{{AttributeKey: q.key, AttributeValue: aws.String(q.value)}},
		StartTime:        aws.Time(q.from), EndTime: aws.Time(q.to),
		MaxResults: aws.Int32(lookupPage),
	}
}

// badToken tells whether a page failed because of its token, not of the caller's
// credentials. An expired one is no longer valid.
func badToken(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{
		"InvalidNextTokenException", "InvalidNextToken", "ExpiredNextTokenException", "ExpiredNextToken",
	}, api.ErrorCode())
}

// call makes one paced call. Each of its attempts waits for its turn.
func (h *EventHistory) call(ctx context.Context, in *trail.LookupEventsInput) (*trail.LookupEventsOutput, error) {
	var retryer *pace.Retryer
	throttled := func() {
		h.o.Logger.Debug("throttled", "account", h.account, "region", h.region, "op", opLookupEvents, "rate", h.limiter.State().Rate)
	}
	out, err := h.client.LookupEvents(ctx, in, func(o *trail.Options) {
		retryer = pace.NewRetryer(o.Retryer, h.limiter, pace.Options{
			Attempts: h.o.Attempts, Patience: h.o.Patience, First: !h.answered.Load(), Throttled: throttled,
		})
		o.Retryer = retryer
		o.APIOptions = append(o.APIOptions, pace.Timeout(lookupTimeout))
	})
	if fault.Of(ctx, err) != fault.Throttled {
		h.limiter.Answered()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, interrupted(ctx)
	case err != nil:
		return nil, err
	}
	h.answered.Store(true)
	if retryer == nil || retryer.Sent().IsZero() {
		h.unpaced.Do(func() {
			h.o.Logger.Warn("the client drops the option functions of its calls: nothing is paced, events may be lost to throttling",
				"account", h.account, "region", h.region, "op", opLookupEvents)
		})
	}
	// An empty list is written as []: an answer without one, as a proxy may give
	// it, must not read as "no events".
	if out == nil || out.Events == nil {
		return nil, malformedAnswerError("no Events, not even an empty list")
	}
	return out, nil
}

// malformedAnswerError is an answer whose parts do not make sense.
type malformedAnswerError string

func (e malformedAnswerError) Error() string   { return string(e) }
func (malformedAnswerError) Fault() fault.Code { return fault.Malformed }

// interruptedError is the end of the caller's context: nothing that AWS did.
type interruptedError struct{ cause error }

func (e interruptedError) Error() string   { return e.cause.Error() }
func (e interruptedError) Unwrap() error   { return e.cause }
func (interruptedError) Fault() fault.Code { return fault.Canceled }

func interrupted(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return interruptedError{fmt.Errorf("%w: %w", ctx.Err(), cause)}
	}
	return interruptedError{ctx.Err()}
}
