package cloudtrail

import (
	"cmp"
	"slices"
	"sync"

	"github.com/kmsusage/usage"
)

// How many different values of a key are counted one by one, besides those that
// the options set.
const (
	maxOperations = 64 // KMS has fewer that name a key
	maxErrors     = 32
	maxServices   = 16
)

// tally is what is known of all keys. It can be used by several goroutines.
type tally struct {
	o      ScanOptions
	ids    *dedupe
	shards [tallyShards]struct {
		mu   sync.Mutex
		keys map[uint64]*keyTally // by hash of the ARN
	}
	limit struct {
		mu   sync.Mutex
		keys int
	}
}

const tallyShards = 16

// keyTally is what is known of one key.
type keyTally struct {
	arn                    string
	next                   *keyTally // another key of the same hash
	first, last, publicKey kept
	refusals               []kept // the newest first
	refused                int    // all of them, those dropped included

	operations, errors, services, contexts sample
}

func newTally(o ScanOptions) *tally {
	t := &tally{o: o, ids: newDedupe(o.DedupeWindow)}
	for i := range t.shards {
		t.shards[i].keys = map[uint64]*keyTally{}
	}
	return t
}

// add takes in a call for every key that it names. It returns how many of them
// had this very event already, and false if there were too many keys.
func (t *tally) add(c *call) (duplicates int, ok bool) {
	ok = true
	if !t.o.FirstAndLastOnly {
		c.readPairs()
	}
	var id, shared uint64
	if len(c.id) > 0 {
		id = hash(hashSeed, c.id)
	}
	if len(c.shared) > 0 {
		shared = hash(hashSeed+1, c.shared)
	}
	for _, arn := range c.keys {
		h := hash(hashSeed, arn)
		isNew := true
		if !t.o.FirstAndLastOnly || c.refusal {
			// Both are remembered, whatever the answer to the first.
			if len(c.id) > 0 && t.ids.seen(fold(id^mulA, h)) {
				isNew = false
			}
			if len(c.shared) > 0 && t.ids.seen(fold(shared^mulB, h)) {
				isNew = false
			}
		}
		if !isNew {
			duplicates++
		}
		s := &t.shards[h%tallyShards]
		s.mu.Lock()
		k := s.keys[h]
		for k != nil && k.arn != string(arn) {
			k = k.next
		}
		if k == nil && t.room() {
			k = &keyTally{arn: string(arn), next: s.keys[h]}
			s.keys[h] = k
		}
		if k != nil {
			t.note(k, c, isNew)
		} else {
			ok = false
		}
		s.mu.Unlock()
	}
	return duplicates, ok
}

// room makes room for one more key.
func (t *tally) room() bool {
	t.limit.mu.Lock()
	defer t.limit.mu.Unlock()
	if t.limit.keys >= t.o.Keys {
		return false
	}
	t.limit.keys++
	return true
}

func (t *tally) note(k *keyTally, c *call, isNew bool) {
	if c.use {
		k.first.earlier(c)
		k.last.later(c)
	}
	if c.publicKey {
		k.publicKey.later(c)
	}
	if c.refusal && !c.at.Before(t.o.RefusedSince) {
		if isNew {
			k.refused++
		}
		k.refuse(c, t.o.Refusals)
	}
	if t.o.FirstAndLastOnly || !isNew {
		return
	}
	k.operations.add(maxOperations, nil, c.op)
	if len(c.errorCode) > 0 {
		k.errors.add(maxErrors, nil, c.errorCode)
	}
	if s := c.service(); s != nil {
		k.services.add(maxServices, nil, s)
	}
	for _, p := range c.pairs {
		k.contexts.add(t.o.Contexts, p[0], p[1])
	}
	k.contexts.dropped += c.morePairs
}

// refuse keeps c if it is among the newest limit refusals. Copies of one event
// stay one, however far apart they come.
func (k *keyTally) refuse(c *call, limit int) {
	for i := range k.refusals {
		if k.refusals[i].same(c) {
			k.refusals[i].later(c)
			slices.SortStableFunc(k.refusals, func(a, b kept) int { return b.at.Compare(a.at) })
			return
		}
	}
	at, _ := slices.BinarySearchFunc(k.refusals, c, func(r kept, c *call) int { return r.order(c) })
	if at == limit {
		return
	}
	var e kept
	if len(k.refusals) == limit {
		e = k.refusals[limit-1] // its memory
		k.refusals = k.refusals[:limit-1]
	}
	e.set(c)
	k.refusals = slices.Insert(k.refusals, at, e)
}

// record is the answer about one key, without coverage.
func (k *keyTally) record() usage.Record {
	r := usage.Record{
		Source: Source,
		First:  k.first.event(), Last: k.last.event(), PublicKey: k.publicKey.event(),
		Operations: k.operations.byValue(), Errors: k.errors.byValue(), Services: k.services.byValue(),
		Dropped: usage.Dropped{
			Operations: k.operations.dropped, Errors: k.errors.dropped, Services: k.services.dropped, Contexts: k.contexts.dropped,
			Refusals: max(0, k.refused-len(k.refusals)),
		},
	}
	for i := range k.refusals {
		r.Refusals = append(r.Refusals, *k.refusals[i].event())
	}
	for i, p := range k.contexts.texts {
		r.Contexts = append(r.Contexts, usage.ContextSeen{Key: p.key, Value: p.value, Count: k.contexts.slots[i].count})
	}
	slices.SortFunc(r.Contexts, func(a, b usage.ContextSeen) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
	})
	return r
}

// arns are the keys known, in order.
func (t *tally) arns() []string {
	var all []string
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, k := range s.keys {
			for ; k != nil; k = k.next {
				all = append(all, k.arn)
			}
		}
		s.mu.Unlock()
	}
	slices.Sort(all)
	return all
}

// of returns the record of a key; false if no event named it.
func (t *tally) of(arn string) (usage.Record, bool) {
	h := hash(hashSeed, []byte(arn))
	s := &t.shards[h%tallyShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[h]
	for k != nil && k.arn != arn {
		k = k.next
	}
	if k == nil {
		return usage.Record{Source: Source}, false
	}
	return k.record(), true
}
