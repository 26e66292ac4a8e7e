package kmsfake

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unique"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

const (
	mostResults = 50
	// history is how far event history goes back.
	history = 90 * day
	// mostAttribute is how long the value of a lookup attribute can be.
	mostAttribute = 2000
)

// lookupEvents answers from the event history of the caller's account in the
// Region, the newest first.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func lookupEvents(c *call, in *trail.LookupEventsInput) (*trail.LookupEventsOutput, error) {
	q, err := c.query(in)
	if err != nil {
		return nil, err
	}
	found := c.srv.log.find(q)
	out := &trail.LookupEventsOutput{Events: []trailtypes.Event{}}
	if len(found) > q.size {
		found = found[:q.size]
		last := found[q.size-1]
		out.NextToken = aws.String(sealMarker(fmt.Sprintf("%d %d %d", c.now.UnixNano(), last.at.UnixNano(), last.seq), q.scope))
	}
	for i := range found {
		out.Events = append(out.Events, found[i].event(c.srv.log.promised))
	}
	return out, nil
}

// query is what LookupEvents asks for.
type query struct {
	scope    string // of its tokens
	place    scope
	from, to time.Time // whole seconds, both included; to zero: no end; see find
	now      time.Time
	key      trailtypes.LookupAttributeKey
	value    string
	size     int
	none     bool // Insights events, of which there are none

	afterAt  int64 // the last event of the page before, in nanoseconds since 1970
	afterSeq int64 // 0: there was none
}

// query checks a request.
func (c *call) query(in *trail.LookupEventsInput) (q query, err error) {
	q = query{place: c.scope(), now: c.now, size: mostResults}
	switch n := len(in.LookupAttributes); {
	case n > 1:
		return q, fail(codeInvalidLookup, "You can only specify 1 lookup attribute, and %d were specified.", n)
	case n == 1:
		a := in.LookupAttributes[0]
		q.key, q.value = a.AttributeKey, aws.ToString(a.AttributeValue)
		if !slices.Contains(a.AttributeKey.Values(), a.AttributeKey) {
			return q, fail(codeInvalidLookup, "Invalid lookup attribute key: %s", a.AttributeKey)
		}
		if n := attributeLength(q.value); n == 0 || n > mostAttribute {
			return q, fail(codeInvalidLookup, "The value of the lookup attribute %s must have 1 to %d characters.", a.AttributeKey, mostAttribute)
		}
	}
	switch in.EventCategory {
	case "":
	case trailtypes.EventCategoryInsight:
		q.none = true
	default:
		return q, fail(codeInvalidCategory, "Invalid event category: %s", in.EventCategory)
	}
	if in.MaxResults != nil {
		if q.size = int(*in.MaxResults); q.size < 1 || q.size > mostResults {
			return q, fail(codeInvalidMaxResults, "Specify a value between 1 and %d for MaxResults.", mostResults)
		}
	}
	oldest := c.now.Add(-history)
	q.from = oldest
	if in.StartTime != nil && in.StartTime.After(oldest) {
		q.from = *in.StartTime
	}
	if in.EndTime != nil {
		q.to = in.EndTime.Truncate(time.Second)
		if in.StartTime != nil && in.EndTime.Before(*in.StartTime) {
			return q, fail(codeInvalidTimeRange, "The end time is before the start time.")
		}
		if in.EndTime.Before(oldest) {
			return q, fail(codeInvalidTimeRange, "The time range ends more than 90 days ago.")
		}
	}
	q.scope = c.markerScope(fmt.Sprintf("%s\x00%s\x00%s\x00%d\x00%d\x00%d", q.key, q.value, in.EventCategory, q.size, unixMilli(in.StartTime), unixMilli(in.EndTime)))
	err = q.proceed(in.NextToken, c.srv.log.life)
	return q, err
}

// attributeLength counts some characters twice, as AWS does.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupAttribute.html
func attributeLength(s string) int {
	n := utf8.RuneCountInString(s)
	for _, twice := range []string{"_", " ", ",", "\n"} {
		n += strings.Count(s, twice)
	}
	return n
}

func unixMilli(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMilli()
}

// proceed begins where the page before ended. A token holds for the same
// parameters and for a time.
func (q *query) proceed(token *string, life time.Duration) error {
	if token == nil {
		return nil
	}
	text, ok := openMarker(*token, q.scope)
	var made, at, seq int64
	if ok {
		var numbers [3]int64
		parts := strings.Fields(text)
		ok = len(parts) == len(numbers)
		for i := range parts {
			if n, err := strconv.ParseInt(parts[i], 10, 64); err == nil && i < len(numbers) {
				numbers[i] = n
			}
		}
		made, at, seq = numbers[0], numbers[1], numbers[2]
	}
	if !ok || q.now.Sub(time.Unix(0, made)) > life {
		return fail(codeInvalidNextToken, "Invalid token.")
	}
	q.afterAt, q.afterSeq = at, seq
	return nil
}

// find returns the events of a page, the newest first, and one more if there is
// one.
func (g *eventLog) find(q query) []logged {
	if q.none {
		return nil
	}
	// Events count by their whole second: what is before the first one whole, and
	// what is not before the second after the last one, is outside.
	place, from := unique.Make(q.place), q.from.Truncate(time.Second)
	until := q.now.Add(-g.delay)
	if end := q.to.Add(time.Second - 1); !q.to.IsZero() && end.Before(until) {
		until = end
	}
	var found []logged
	g.mu.Lock()
	defer g.mu.Unlock()
	events, _ := g.all()
	for i := len(events) - 1; i >= 0; i-- {
		l := &events[i]
		if l.at.Before(from) {
			break // all others are older
		}
		if l.scope != place || l.at.After(until) {
			continue
		}
		if q.afterSeq > 0 && (l.at.UnixNano() > q.afterAt || l.at.UnixNano() == q.afterAt && l.seq >= q.afterSeq) {
			continue
		}
		if !l.matches(q.key, q.value, g.promised) {
			continue
		}
		if found = append(found, *l); len(found) > q.size {
			break
		}
	}
	return found
}

// matches tells whether a lookup attribute finds the event.
func (l *logged) matches(key trailtypes.LookupAttributeKey, value string, promised bool) bool {
	switch key {
	case trailtypes.LookupAttributeKeyEventId:
		return l.eventID == value
	case trailtypes.LookupAttributeKeyEventName:
		return l.name == value
	case trailtypes.LookupAttributeKeyReadOnly:
		return strconv.FormatBool(l.readOnly) == value
	case trailtypes.LookupAttributeKeyEventSource:
		return l.service.source == value
	case trailtypes.LookupAttributeKeyUsername:
		who := l.who.Value()
		return l.own(who) && who.username() == value
	case trailtypes.LookupAttributeKeyAccessKeyId:
		who := l.who.Value()
		return l.own(who) && who.accessKey == value
	case trailtypes.LookupAttributeKeyResourceName:
		for _, name := range l.names(promised) {
			if name == value {
				return true
			}
		}
		return false
	case trailtypes.LookupAttributeKeyResourceType:
		for kind := range l.names(promised) {
			if kind == value {
				return true
			}
		}
		return false
	}
	return true
}

// own tells whether the account of the event is the caller's, who is not made
// known to others.
func (l *logged) own(who principal) bool { return l.scope.Value().account == who.account }

// event is the event as LookupEvents answers it.
func (l *logged) event(promised bool) trailtypes.Event {
	who := l.who.Value()
	e := trailtypes.Event{
		CloudTrailEvent: aws.String(string(l.record())),
		EventId:         aws.String(l.eventID),
		EventName:       aws.String(l.name),
		EventSource:     aws.String(l.service.source),
		EventTime:       aws.Time(l.at.Truncate(time.Second)),
		ReadOnly:        aws.String(strconv.FormatBool(l.readOnly)),
		Resources:       []trailtypes.Resource{},
	}
	for kind, name := range l.names(promised) {
		e.Resources = append(e.Resources, trailtypes.Resource{ResourceType: aws.String(kind), ResourceName: aws.String(name)})
	}
	if l.own(who) {
		e.AccessKeyId, e.Username = orNil(who.accessKey), orNil(who.username())
	}
	return e
}
