package kmsfake

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"
)

// Failures says what becomes of failed calls in CloudTrail's log: AWS promises
// to log them in some scenarios only.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
type Failures int

const (
	// FailuresNamed are logged with the key they are about, as far as it is known.
	FailuresNamed Failures = iota
	// FailuresUnnamed are logged without resources: no lookup by ResourceName
	// finds them.
	FailuresUnnamed
	// FailuresUnlogged are not logged.
	FailuresUnlogged
)

// String returns the name of the value.
func (f Failures) String() string {
	switch f {
	case FailuresNamed:
		return "named"
	case FailuresUnnamed:
		return "unnamed"
	case FailuresUnlogged:
		return "unlogged"
	}
	return "unknown"
}

// logged is what CloudTrail remembers of a call. The record is written from it
// only when somebody looks.
type logged struct {
	at       time.Time
	seq      int64 // in the order in which things happened; the same for all events of a call
	service  *service
	name     string
	readOnly bool
	who      unique.Handle[principal]
	agent    unique.Handle[string]
	scope    unique.Handle[scope] // the account that gets the event, and its Region

	requestID, eventID, sharedID string

	// keys are ARNs of keys and aliases, in the order of the record.
	keys          []string
	code, message string
	request       any // one of the SDK's inputs, or nil
	// params are the request parameters where there is no request.
	params, response, additional json.RawMessage
}

// noted is what a call under way leaves for CloudTrail.
type noted struct {
	seq                  int64    // 0: the call did not come as far as the operation
	keys                 []string // as those of logged
	others               []recipient
	response, additional json.RawMessage
	echoes               []echo
	changes              []setting
}

// recipient is another account that gets an event of the call, its own.
type recipient struct{ account, eventID string }

// echo is an event of another Region that the call leads to.
type echo struct {
	name, region string
	key          string // ARN
	request      any
	response     json.RawMessage
}

// note remembers that the call is about a key or an alias.
func (c *call) note(arn string) {
	if !slices.Contains(c.keys, arn) {
		c.keys = append(c.keys, arn)
	}
}

// eventFor returns the ID of the event that an account gets of the call: a call
// on a key of another account is logged in both.
func (c *call) eventFor(account string) string {
	if account == c.account {
		return c.eventID
	}
	for _, o := range c.others {
		if o.account == account {
			return o.eventID
		}
	}
	o := recipient{account, c.srv.ids.uuid()}
	c.others = append(c.others, o)
	return o.eventID
}

// noteAnswer keeps what the record of a successful call says of its answer. It
// is done under the lock, since the answer may share what others change.
func (c *call) noteAnswer(out any) {
	if c.op.changes {
		c.response = responseElements(c.op, out, c.keys)
	}
	if len(c.op.materials) == 0 {
		return
	}
	v := reflect.ValueOf(out).Elem()
	var members []member
	for _, name := range c.op.materials {
		if id, ok := reflect.TypeAssert[*string](v.FieldByName(name)); ok && id != nil {
			members = append(members, member{lowerFirst(name), *id})
		}
	}
	if len(members) > 0 {
		c.additional = object(members)
	}
}

// defaultLogSize is how many events are kept unless the options say otherwise.
const defaultLogSize = 100_000

// eventLog is CloudTrail's memory of the server. Its lock is taken while the
// server's is held, never the other way round.
type eventLog struct {
	size     int
	delay    time.Duration
	failures Failures
	promised bool
	life     time.Duration // of tokens

	mu       sync.Mutex
	seq      int64
	events   []logged
	sorted   bool
	settings map[string][]setting // by the ARN of a trail, in order
	lost     lost
}

// lost counts the events that were dropped because the log is full.
type lost struct {
	all        int
	until      time.Time // of the newest one
	deliveries map[delivery]int
}

// delivery is who delivers a record, and where to.
type delivery struct{ trail, bucket string }

func newEventLog(o Options) *eventLog {
	return &eventLog{
		size: cmp.Or(max(0, o.LogSize), defaultLogSize), delay: o.LogDelay, failures: o.Failures, promised: o.PromisedNamesOnly,
		life: cmp.Or(o.TokenLife, time.Hour), sorted: true, settings: map[string][]setting{},
		lost: lost{deliveries: map[delivery]int{}},
	}
}

// happened draws the number that puts a call after all that happened before, and
// records how trails are set from then on. The call holds the server's lock, so
// that the log tells of changes in the order in which they were made.
func (g *eventLog) happened(changes []setting) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seq++
	seq := g.seq
	for _, c := range changes {
		g.set(c)
	}
	return seq
}

// set records how a trail is set from now on. The caller holds the lock.
func (g *eventLog) set(c setting) {
	g.seq++
	c.seq = g.seq
	g.settings[c.trail] = append(g.settings[c.trail], c)
}

// begin records how a trail is set that was put in without a call.
func (g *eventLog) begin(c setting) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set(c)
	if g.lost.all > 0 && !c.at.After(g.lost.until) {
		// It would have delivered some of what is gone; nobody can say how many.
		g.lost.deliveries[delivery{c.trail, c.Bucket}] += g.lost.all
	}
}

// add records an event.
func (g *eventLog) add(l logged) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.seq == 0 {
		g.seq++
		l.seq = g.seq
	}
	if n := len(g.events); n > 0 && order(g.events[n-1], l) > 0 {
		g.sorted = false
	}
	g.events = append(g.events, l)
	if len(g.events) > g.size+g.size/4+16 {
		kept, dropped := g.all()
		for i := range dropped {
			g.lose(&g.lost, &dropped[i])
		}
		g.events = append(make([]logged, 0, len(g.events)), kept...)
	}
}

// order is that of time, and of what happened at the same time.
func order(a, b logged) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.seq, b.seq)) }

// all returns the newest events, oldest first, and the older ones for which the
// log has no room. The caller holds the lock.
func (g *eventLog) all() (kept, dropped []logged) {
	if !g.sorted {
		slices.SortStableFunc(g.events, order)
		g.sorted = true
	}
	n := max(0, len(g.events)-g.size)
	return g.events[n:], g.events[:n]
}

// lose counts an event that is dropped, and the records that trails delivered
// of it. The caller holds the lock.
func (g *eventLog) lose(n *lost, l *logged) {
	n.all++
	if l.at.After(n.until) {
		n.until = l.at
	}
	for arn, settings := range g.settings {
		if s := inEffect(settings, l); s.delivers(l) {
			n.deliveries[delivery{arn, s.Bucket}]++
		}
	}
}

// visible tells whether an event shows at a time.
func (g *eventLog) visible(l *logged, now time.Time) bool {
	return !l.at.Add(g.delay).After(now)
}

// logCall records the events of a call that came to its end: one for the caller's
// account and, if the call was not denied, one for each other account whose key
// it was about.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
func (s *Server) logCall(c *call, info Call, a answer) {
	if c.op == nil || c.in == nil || a.nowhere {
		return
	}
	failed := a.code != ""
	if failed {
		switch {
		case s.log.failures == FailuresUnlogged:
			return
		case s.log.failures == FailuresUnnamed, a.code == codeAccessDenied:
			c.keys = nil
		case len(c.keys) == 0 && keyAccount(info.KeyARN) == c.account:
			c.keys = []string{info.KeyARN} // refused before the operation found it
		}
		c.response, c.additional, c.echoes = nil, nil, nil
	}
	c.op.strip(c.in)
	l := logged{
		at: c.now, seq: c.seq, service: c.op.service, name: c.op.name, readOnly: !c.op.changes,
		who: unique.Make(c.caller), agent: unique.Make(c.agent), scope: unique.Make(c.scope()),
		requestID: c.requestID, eventID: c.eventID, keys: c.keys, code: a.code, message: a.message,
		request: c.in, response: c.response, additional: c.additional,
	}
	for _, arn := range c.keys {
		if account := keyAccount(arn); account != c.account {
			c.eventFor(account)
			l.sharedID = cmp.Or(l.sharedID, s.ids.uuid())
		}
	}
	s.log.add(l)
	if l.sharedID != "" {
		for _, o := range c.others {
			l.eventID, l.scope = o.eventID, unique.Make(scope{o.account, c.region})
			s.log.add(l)
		}
	}
	for _, e := range c.echoes {
		by := c.caller
		by.SourceIP, by.InvokedBy = by.address(), kmsService.source
		s.log.add(logged{
			at: c.now, seq: c.seq, service: kmsService, name: e.name, who: unique.Make(by), agent: l.agent, scope: unique.Make(scope{c.account, e.region}),
			requestID: c.requestID, eventID: s.ids.uuid(), keys: []string{e.key}, request: e.request, response: e.response,
		})
	}
}

// keyAccount returns the account of an ARN, empty if it is none.
func keyAccount(arn string) string {
	if arn == "" {
		return ""
	}
	account, _ := accountOf(arn)
	return account
}

// logUse records the events of a use without a call.
func (s *Server) logUse(k *key, operation string, at time.Time, eventID, requestID string, who principal, context map[string]string) {
	l := logged{
		at: at, service: kmsService, name: operation, readOnly: true,
		who: unique.Make(who), agent: unique.Make("kmsfake"), scope: unique.Make(k.store.scope),
		requestID: requestID, eventID: eventID, keys: []string{k.arn}, params: useParameters(k, operation, context),
	}
	if who.account != k.store.account {
		l.sharedID = s.ids.uuid()
		other := l
		other.eventID, other.scope = s.ids.uuid(), unique.Make(scope{who.account, k.store.region})
		s.log.add(other)
	}
	s.log.add(l)
}

// logDeletion records the event of KMS deleting a key.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/ct-delete-key.html
func (s *Server) logDeletion(k *key) {
	s.log.add(logged{
		at: s.now(), service: kmsService, name: "DeleteKey",
		who:   unique.Make(principal{account: k.store.account, Caller: Caller{InvokedBy: "AWS Internal"}}),
		agent: unique.Make(""), scope: unique.Make(k.store.scope), eventID: s.ids.uuid(), keys: []string{k.arn},
		response: object([]member{{"keyId", k.arn}}),
	})
}

// isKey tells whether the ARN is that of a key, not of an alias.
func isKey(arn string) bool { return strings.Contains(arn, ":key/") }
