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
	// restartMargin is how much later than the oldest event seen a walk begins anew:
	// events may come slightly out of order, and those seen are known by their ID.
	restartMargin = 5 * time.Minute
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
	restarts int    // times that it began anew since its token failed
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
		s      = sighting{lookup: q, since: q.to}
		in     = q.input()
		oldest time.Time // event seen
		lost   time.Time // oldest when a token failed last
		ids    = map[string]struct{}{}
		tokens = map[string]struct{}{}
		page   eventPage
	)
	for {
		out, err := h.call(ctx, in)
		s.calls++
		stale := err != nil && in.NextToken != nil && badToken(err)
		if stale && s.calls >= q.pages {
			s.limited = true
			return s
		}
		if stale && s.restarts < maxRestarts {
			s.restarts++
			h.o.Logger.Debug("token refused, beginning anew near the last event seen",
				"account", h.account, "region", h.region, "attribute", string(q.key), "restarts", s.restarts)
			again := q
			switch {
			case oldest.IsZero():
			case oldest.Equal(lost): // tokens do not last as long as the margin
				again.to = oldest
			default:
				again.to = earliest(q.to, oldest.Add(restartMargin))
			}
			in, lost = again.input(), oldest
			clear(tokens) // the same pages may bear the same tokens
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
	if err := h.outage.lasting(); err != nil {
		return nil, err
	}
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
	if fault.Answered(err) {
		h.limiter.Answered()
	}
	if h.outage.learn(fault.Of(ctx, err), err) {
		h.o.Logger.Warn("CloudTrail cannot be reached, not asking for a while", "account", h.account, "region", h.region, "op", opLookupEvents, "pause", outagePause)
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
