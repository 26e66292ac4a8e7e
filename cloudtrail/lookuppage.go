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
	calls    []call    // management events of KMS, the newest first
	oldest   time.Time // of all events that have a time
	newest   time.Time // of those that have not been seen before
	shuffled bool      // those were not in that order
	odd      int
	firstOdd string
}

// read takes in the events of a page that are not among ids, by event ID, and
// adds them to those.
func (p *eventPage) read(events []types.Event, ids map[string]struct{}) {
	*p = eventPage{calls: p.calls[:0]}
	var before time.Time
	for i := range events {
		e := &events[i]
		at := aws.ToTime(e.EventTime).UTC()
		if !at.IsZero() && (p.oldest.IsZero() || at.Before(p.oldest)) {
			p.oldest = at
		}
		if id := aws.ToString(e.EventId); id != "" {
			if _, again := ids[id]; again {
				continue
			}
			ids[id] = struct{}{}
		}
		if !at.IsZero() {
			p.newest = later(p.newest, at)
			p.shuffled = p.shuffled || !before.IsZero() && at.After(before)
			before = at
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
	if c.odd != "" {
		p.oddity(string(c.odd))
		if c.odd == NoOutcome {
			return
		}
	}
	if len(c.keys) == 0 {
		c.fromLookup(e.Resources)
	}
	p.calls = append(p.calls, c)
}

func (p *eventPage) oddity(what string) {
	p.odd++
	if p.firstOdd == "" {
		p.firstOdd = what
	}
}

// fromLookup takes the keys by which LookupEvents finds an event whose record
// names none. Only full ARNs count, as everywhere.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Resource.html
func (c *call) fromLookup(resources []types.Resource) {
	for _, r := range resources {
		if arn := []byte(aws.ToString(r.ResourceName)); aws.ToString(r.ResourceType) == "AWS::KMS::Key" && isKeyARN(arn) {
			c.keys = addKey(c.keys, arn)
		}
	}
	c.keys = c.keys[:min(len(c.keys), maxNamed)]
	c.partly = len(c.keys) == 0 || string(c.op) == opReEncrypt && len(c.keys) < 2
	if len(c.keys) > 1 {
		c.request = nil // which of them its encryption contexts are for is not said
	}
}

// names tells whether the call is about a key, whose encryption context it then
// has; unnamed, that it does not name it, and not all that it is about either.
func (c *call) names(arn string) (yes, unnamed bool) {
	for i, k := range c.keys {
		if string(k) == arn {
			c.of(i)
			return true, false
		}
	}
	return false, c.partly
}

// refusesKey tells whether the call is a refusal of a key.
func (c *call) refusesKey(arn string) bool {
	i := slices.IndexFunc(c.keys, func(k []byte) bool { return string(k) == arn })
	return i >= 0 && c.refuses(i)
}

// asEvent is the call as it goes into a record.
func (c *call) asEvent() *usage.Event {
	var k kept
	k.set(c)
	return k.event()
}
