package cloudtrail

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/kmsusage/usage"
)

// eventPage is one page of LookupEvents, taken apart.
type eventPage struct {
	calls          []call    // management events of KMS, the newest first
	oldest, newest time.Time // of all events that have a time
	shuffled       bool      // they were not in that order
	odd            int
	firstOdd       string
}

// read takes in the events of a page that are not among ids, by event ID, and
// adds them to those.
func (p *eventPage) read(events []types.Event, ids map[string]struct{}) {
	*p = eventPage{calls: p.calls[:0]}
	var before time.Time
	for i := range events {
		e := &events[i]
		if at := e.EventTime; at != nil && !at.IsZero() {
			if p.oldest.IsZero() || at.Before(p.oldest) {
				p.oldest = at.UTC()
			}
			if at.After(p.newest) {
				p.newest = at.UTC()
			}
			if !before.IsZero() && at.After(before) {
				p.shuffled = true
			}
			before = *at
		}
		if id := aws.ToString(e.EventId); id != "" {
			if _, again := ids[id]; again {
				continue
			}
			ids[id] = struct{}{}
		}
		p.event(e)
	}
	slices.SortStableFunc(p.calls, func(a, b call) int { return b.at.Compare(a.at) })
}

// event takes in one event: the record that it holds as a string, by the rules
// by which log files are read.
func (p *eventPage) event(e *types.Event) {
	if e.CloudTrailEvent == nil {
		p.oddity("an event holds no record")
		return
	}
	b := []byte(*e.CloudTrailEvent)
	start := skipSpace(b, 0)
	var r record
	if start == len(b) || b[start] != '{' || !json.Valid(b) || r.scan(b[start:]) < 0 {
		p.oddity("the record of an event is no JSON object")
		return
	}
	switch string(r.text(mEventSource)) {
	case kmsSource, kmsSourceChina:
	case "":
		p.oddity("the record of an event does not name its service")
		return
	default:
		return // other services may name the key too
	}
	if !management(&r) {
		return
	}
	var c call
	if dated := c.read(&r); !dated {
		if e.EventTime == nil || e.EventTime.IsZero() {
			p.oddity("an event has no time")
			return
		}
		c.at = e.EventTime.UTC()
	}
	p.calls = append(p.calls, c)
}

func (p *eventPage) oddity(what string) {
	p.odd++
	if p.firstOdd == "" {
		p.firstOdd = what
	}
}

// names tells whether the call is about a key; unnamed, that it is about none
// that it names.
func (c *call) names(arn string) (yes, unnamed bool) {
	for _, k := range c.keys {
		if string(k) == arn {
			return true, false
		}
	}
	return false, len(c.keys) == 0
}

// asEvent is the call as it goes into a record.
func (c *call) asEvent() *usage.Event {
	var k kept
	k.set(c)
	return k.event()
}
