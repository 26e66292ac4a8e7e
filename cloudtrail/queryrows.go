package cloudtrail

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/kmsusage/usage"
)

// BadRow is a row of an answer that is not of the form that was asked for; the
// error of its gap says what is wrong.
const BadRow GapReason = "a row of the answer that cannot be read"

// answers collects what the rows say. Statements run at once.
type answers struct {
	s *sqlSource
	o QueryOptions

	mu      sync.Mutex
	keys    map[string]*askedKey
	ledger  *ledger
	gaps    []Gap
	changes changeLog
	full    bool
	stats   QueryStats
}

// askedKey is what is known of one key.
type askedKey struct {
	record   usage.Record
	refusals []askedEvent
	refused  int
	switches []askedEvent
}

type askedEvent struct {
	usage.Event
	shared string
}

func newAnswers(s *sqlSource, o QueryOptions) *answers {
	a := &answers{s: s, o: o, keys: map[string]*askedKey{}}
	a.ledger = newLedger(ScanOptions{From: o.From, To: o.To, QuietDays: o.QuietDays})
	if !o.Complete {
		a.missing(s.unknown)
	}
	return a
}

// missing is a blind spot of all coverage.
func (a *answers) missing(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.ledger.everywhere, text) {
		a.ledger.everywhere = append(a.ledger.everywhere, text)
	}
}

// read takes in one row. take says what is wrong with it; empty: nothing.
func (a *answers) read(statement string, number int, cells []*string, columns []string, take func([]string) string) {
	wrong := ""
	texts := make([]string, len(cells))
	for i, c := range cells {
		switch {
		case c != nil:
			texts[i] = *c
		case i < len(columns):
			wrong = "column " + columns[i] + " is NULL"
		}
	}
	if len(cells) != len(columns) {
		wrong = fmt.Sprintf("it has %d columns, not %d", len(cells), len(columns))
	}
	a.mu.Lock()
	a.stats.Rows++
	if wrong == "" {
		wrong = take(texts)
	}
	if wrong != "" {
		a.gap(Gap{Path: fmt.Sprintf("%s: row %d", statement, number), Reason: BadRow, Count: 1, Err: errors.New(wrong)})
	}
	a.mu.Unlock()
	if wrong != "" {
		// It may have told of a use of any key.
		a.missing("a row of the answer for " + statement + " could not be read")
	}
}

func (a *answers) gap(g Gap) {
	if len(a.gaps) >= maxGaps {
		a.stats.GapsDropped++
		return
	}
	a.gaps = append(a.gaps, g)
}

// wanted tells whether a key was asked for.
func (a *answers) wanted(arn string) bool {
	_, ok := slices.BinarySearch(a.o.Keys, arn)
	return ok || len(a.o.Keys) == 0
}

// key returns the entry of a key; nil if there are too many.
func (a *answers) key(arn string) *askedKey {
	k := a.keys[arn]
	if k == nil {
		if len(a.keys) >= a.o.MaxKeys {
			if !a.full {
				a.full = true
				a.gap(Gap{Path: arn, Reason: TooManyKeys, Count: 1})
			}
			return nil
		}
		k = &askedKey{record: usage.Record{Source: a.s.name}}
		a.keys[arn] = k
	}
	return k
}

// use takes in a row of the first statement.
func (a *answers) use(row []string) string {
	arn, op, code, service := row[0], row[1], row[2], row[3]
	if !isKeyARN([]byte(arn)) {
		return fmt.Sprintf("%q is no ARN of a key", arn)
	}
	calls, err := strconv.Atoi(row[4])
	if err != nil || calls < 0 || calls == 0 && !a.o.FirstAndLastOnly {
		return fmt.Sprintf("calls are %q", row[4])
	}
	n := len(eventColumns)
	first, ok1 := askedEventOf(row[5 : 5+n])
	last, ok2 := askedEventOf(row[5+n : 5+2*n])
	if !ok1 || !ok2 || last.At.Before(first.At) || op == "" {
		return fmt.Sprintf("the events are of %q and %q", row[5], row[5+n])
	}
	if first.Operation != last.Operation || string(clip([]byte(op))) != first.Operation || string(clip([]byte(code))) != first.ErrorCode || code == "" && last.ErrorCode != "" {
		return fmt.Sprintf("it is of %q and its events are of %q and %q", op, first.Operation, last.Operation)
	}
	if !a.wanted(arn) {
		return fmt.Sprintf("%q was not asked for", arn)
	}
	k := a.key(arn)
	if k == nil {
		return ""
	}
	r := &k.record
	if code == "" {
		switch {
		case tracked[op]:
			r.First, r.Last = earlierEvent(r.First, &first.Event), laterEvent(r.Last, &last.Event)
		case op == opGetPublicKey:
			r.PublicKey = laterEvent(r.PublicKey, &last.Event)
		case op == opCreateKey:
			r.Created = earlierEvent(r.Created, &first.Event)
		}
	}
	if a.o.FirstAndLastOnly {
		return ""
	}
	addCalls(&r.Operations, &r.Dropped.Operations, maxOperations, op, calls)
	if code != "" {
		addCalls(&r.Errors, &r.Dropped.Errors, maxErrors, code, calls)
	}
	if service != "" {
		addCalls(&r.Services, &r.Dropped.Services, maxServices, service, calls)
	}
	return ""
}

// addCalls counts calls of a value. Of more values than may be kept it keeps those
// that [sample] does, whatever the order of the rows, which no statement promises.
func addCalls(counts *map[string]int, dropped *int, limit int, value string, calls int) {
	value = string(clip([]byte(value)))
	if *counts == nil {
		*counts = map[string]int{}
	}
	_, known := (*counts)[value]
	(*counts)[value] += calls
	if known || len(*counts) <= limit {
		return
	}
	var (
		last    string
		largest uint64
	)
	for v := range *counts {
		if h := hash(hashSeed, []byte(v)); h >= largest {
			last, largest = v, h
		}
	}
	*dropped += (*counts)[last]
	delete(*counts, last)
}

// attempt takes in a row of the second statement.
func (a *answers) attempt(row []string) string {
	class, account, arn := row[0], row[1], row[2]
	calls, err := strconv.Atoi(row[3])
	if err != nil || calls <= 0 {
		return fmt.Sprintf("calls are %q", row[3])
	}
	cells := row[4:]
	e, ok := askedEventOf(cells[:len(eventColumns)])
	if !ok {
		return fmt.Sprintf("the event is of %q", cells[0])
	}
	region, trail, organization := cells[len(eventColumns)], cells[len(eventColumns)+1], cells[len(eventColumns)+2]
	switch class {
	case "trail":
		if !trailChanges[e.Operation] || e.ErrorCode != "" {
			return fmt.Sprintf("%q changes no trail", e.Operation)
		}
		a.changes.add([]TrailChange{{
			At: e.At, Account: account, Region: region, Operation: e.Operation, Trail: string(clip([]byte(trail))),
			Principal: e.Principal, EventID: e.EventID, Organization: organization != "",
		}})
		return ""
	case "refusal":
		if !tracked[e.Operation] && e.Operation != opCreateGrant || e.ErrorCode == "" {
			return fmt.Sprintf("%q with the error %q is no refusal", e.Operation, e.ErrorCode)
		}
	case "switch":
		if !slices.Contains(switchOps[:], e.Operation) || e.ErrorCode != "" {
			return fmt.Sprintf("%q with the error %q switches no key", e.Operation, e.ErrorCode)
		}
	case "replica":
		if e.Operation != opReplicateKey || e.ErrorCode != "" {
			return fmt.Sprintf("%q with the error %q makes no replica", e.Operation, e.ErrorCode)
		}
	default:
		return fmt.Sprintf("it is of class %q", class)
	}
	if !isKeyARN([]byte(arn)) {
		return fmt.Sprintf("%q is no ARN of a key", arn)
	}
	if !a.wanted(arn) {
		return fmt.Sprintf("%q was not asked for", arn)
	}
	k := a.key(arn)
	switch {
	case k == nil:
	case class == "refusal":
		k.refused = max(k.refused, calls)
		if k.refusals = addOnce(k.refusals, e); len(k.refusals) >= 2*a.o.Refusals {
			k.refusals = newest(k.refusals, a.o.Refusals)
		}
	case class == "replica":
		k.record.Created = earlierEvent(k.record.Created, &e.Event)
	default:
		k.switches = addOnce(k.switches, e)
	}
	return ""
}

// addOnce adds an event unless a copy of it is there, perhaps of another account.
// Of two copies the one that names its principal stays.
func addOnce(events []askedEvent, e askedEvent) []askedEvent {
	for i, was := range events {
		if e.EventID != "" && e.EventID == was.EventID || e.shared != "" && e.shared == was.shared {
			if compareEvents(&e.Event, &was.Event) > 0 {
				events[i] = e
			}
			return events
		}
	}
	return append(events, e)
}

// newest returns the newest of events, the newest first, at most so many.
func newest(events []askedEvent, most int) []askedEvent {
	slices.SortFunc(events, func(x, y askedEvent) int { return compareEvents(&y.Event, &x.Event) })
	return events[:min(len(events), most)]
}

// day takes in a row of the third statement.
func (a *answers) day(row []string) string {
	account, region := row[0], row[1]
	var n [5]int // reads, unnamed, untimed, future, unread
	for i := range n {
		v, err := strconv.Atoi(row[7+i])
		if err != nil || v < 0 {
			return fmt.Sprintf("column %s is %q", coverageColumns[7+i], row[7+i])
		}
		n[i] = v
	}
	reads, unnamed, untimed, future, unread := n[0], n[1], n[2], n[3], n[4]
	var odd [2]int // no outcome, crowded
	for i := range odd {
		v, err := strconv.Atoi(row[15+i])
		if err != nil || v < 0 {
			return fmt.Sprintf("column %s is %q", coverageColumns[15+i], row[15+i])
		}
		odd[i] = v
	}
	files, err := strconv.Atoi(row[3])
	if err != nil || files <= 0 {
		return fmt.Sprintf("files are %q", row[3])
	}
	day, dayErr := time.Parse("2006/01/02", row[2])
	on, err := time.Parse(time.DateOnly, row[14])
	if (err != nil || unnamed == 0) != (row[14] == "") {
		return fmt.Sprintf("uses that name no key are of %q", row[14])
	}
	placed := isAccount(account) && isRegion(region) && dayErr == nil

	where := fmt.Sprintf("coverage: %s %s %s", cmp.Or(account, "no account"), cmp.Or(region, "no Region"), cmp.Or(row[2], "no day"))
	var gaps []Gap
	for _, g := range []struct {
		reason GapReason
		count  int
	}{{NoTime, untimed}, {FutureTime, future}, {NoRecord, unread}, {NoOutcome, odd[0]}, {CrowdedCall, odd[1]}} {
		if g.count > 0 {
			gap := Gap{Path: where, Reason: g.reason, Count: g.count}
			if g.reason == NoTime && row[12] != "" {
				gap.Err = fmt.Errorf("for example the event %s", clip([]byte(row[12])))
			}
			if placed {
				gap.Account, gap.Region, gap.Day = account, region, day
			}
			gaps = append(gaps, gap)
		}
	}
	for _, g := range gaps {
		a.gap(g)
	}
	if !placed {
		// Nothing is claimed of them, but what they hold may be of any key.
		for _, g := range gaps {
			a.ledger.gap(place{}, g)
		}
		if unnamed > 0 {
			a.ledger.gap(place{}, Gap{Path: where, Reason: "calls do not name all their keys"})
		}
		return ""
	}
	first, ok1 := parseStamp(row[4])
	last, ok2 := parseStamp(row[5])
	if !ok1 || !ok2 {
		return fmt.Sprintf("files are of %q to %q", row[4], row[5])
	}
	p := place{account: account, region: region, year: day.Year(), month: int(day.Month()), day: day.Day(), organization: row[6] != "", tree: row[13]}
	// A time outside of the folder's day is believed of neither.
	inside := func(t time.Time) time.Time {
		if !t.Truncate(oneDay).Equal(day) {
			return time.Time{}
		}
		return t
	}
	a.ledger.seenFile(p, files, inside(first), inside(last), reads)
	if unnamed > 0 {
		a.ledger.unnamed(areaDay{area{account, region}, on}, unnamed)
	}
	for _, g := range gaps {
		a.ledger.gap(p, g)
	}
	return ""
}

// parseStamp reads when a file was made, or an event happened; nothing is no time.
func parseStamp(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	if t, err := time.Parse("20060102T1504Z", s); err == nil {
		return t, true
	}
	return parseTime([]byte(s))
}

// askedEventOf reads the texts of [eventColumns].
func askedEventOf(cells []string) (askedEvent, bool) {
	at, ok := parseTime([]byte(cells[0]))
	if !ok || cells[1] == "" {
		return askedEvent{}, false
	}
	text := func(i int) string { return string(clip([]byte(cells[i]))) }
	e := askedEvent{shared: text(10), Event: usage.Event{
		At: at, Operation: text(1), EventID: text(2), RequestID: text(3), Principal: text(4), Role: text(5),
		InvokedBy: text(6), SourceIP: text(7), ErrorCode: text(8),
	}}
	context := []byte(cells[9])
	if i := skipSpace(context, 0); i < len(context) && context[i] == '{' && len(context) <= maxKeptContext && json.Valid(context) {
		eachPair(context[i:], func(key, value []byte, ok bool) {
			switch {
			case !ok:
				delete(e.Context, string(key))
			case e.Context == nil:
				e.Context = map[string]string{string(key): string(value)}
			default:
				e.Context[string(key)] = string(value)
			}
		})
	}
	return e, true
}

// compareEvents puts events in order of time; of two at the same time the one is
// larger that the statement would take, see sqlTie.
func compareEvents(a, b *usage.Event) int {
	return cmp.Or(a.At.Compare(b.At), compareTies(a, b))
}

func compareTies(a, b *usage.Event) int {
	named := func(e *usage.Event) int { return min(len(e.Principal), 1) }
	return cmp.Or(named(a)-named(b), cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.RequestID, b.RequestID))
}

func laterEvent(was, e *usage.Event) *usage.Event {
	if was == nil || compareEvents(e, was) > 0 {
		return e
	}
	return was
}

func earlierEvent(was, e *usage.Event) *usage.Event {
	if was == nil || e.At.Before(was.At) || e.At.Equal(was.At) && compareTies(e, was) > 0 {
		return e
	}
	return was
}

// history makes the history out of all answers.
func (a *answers) history() *QueryHistory {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full {
		a.ledger.everywhere = append(a.ledger.everywhere, "the archive names more keys than were kept")
	}
	changes := a.changes.all()
	a.ledger.everywhere = append(a.ledger.everywhere, a.changes.blindSpot()...)
	slices.Sort(a.ledger.everywhere) // statements end in any order
	h := &QueryHistory{source: a.s.name, asked: a.o.Keys, keys: make(map[string]usage.Record, len(a.keys)), gaps: a.gaps, changes: changes, stats: a.stats}
	for arn, k := range a.keys {
		kept := newest(k.refusals, a.o.Refusals)
		for _, e := range kept {
			k.record.Refusals = append(k.record.Refusals, e.Event)
		}
		k.record.Dropped.Refusals = max(0, k.refused-len(kept))
		var calls []usage.Event
		for _, e := range k.switches {
			calls = append(calls, e.Event)
		}
		k.record.Off = off(calls)
		h.keys[arn] = k.record
	}
	slices.SortStableFunc(h.gaps, func(x, y Gap) int { return cmp.Compare(x.Path, y.Path) })
	h.coverage, h.days = a.ledger.coverage(changes, a.o.now), a.ledger.days()
	h.stats.Keys = len(h.keys)
	return h
}
