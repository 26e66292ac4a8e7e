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
	life                   *life  // nil: nothing known

	operations, errors, services, contexts sample
}

// life is what is known of how a key was made, and switched off and on.
type life struct {
	created  kept
	switches []kept // the newest first
}

// maxSwitches is how many calls that switch a key off or on are kept, the newest.
// Of a key that has been off for longer than all of these it is not known since
// when, which shortens the time that it is said to be off.
const maxSwitches = 8

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
	var id, shared uint64
	if len(c.id) > 0 {
		id = hash(hashSeed, c.id)
	}
	if len(c.shared) > 0 {
		shared = hash(hashSeed+1, c.shared)
	}
	for i, arn := range c.keys {
		c.of(i)
		h := hash(hashSeed, arn)
		isNew := true
		if !t.o.FirstAndLastOnly || c.refusal {
			switch {
			case len(c.shared) == 0:
				isNew = len(c.id) == 0 || !t.ids.seen(fold(id^mulA, h))
			case len(c.id) == 0:
				isNew = !t.ids.seen(fold(shared^mulB, h))
			default:
				isNew = !t.ids.seenEither(fold(id^mulA, h), fold(shared^mulB, h))
			}
		}
		if !isNew {
			duplicates++
		}
		if isNew && !t.o.FirstAndLastOnly {
			c.readPairs() // while nobody waits for the key
		}
		s := &t.shards[h%tallyShards]
		s.mu.Lock()
		if k := t.find(s.keys, h, arn); k != nil {
			t.note(k, c, isNew)
		} else {
			ok = false
		}
		s.mu.Unlock()
	}
	if len(c.replica) > 0 {
		h := hash(hashSeed, c.replica)
		s := &t.shards[h%tallyShards]
		s.mu.Lock()
		if k := t.find(s.keys, h, c.replica); k != nil {
			k.made(c)
		} else {
			ok = false
		}
		s.mu.Unlock()
	}
	return duplicates, ok
}

// find returns what is known of the key among those of its shard, which is
// locked; nil if there are too many keys to know another.
func (t *tally) find(keys map[uint64]*keyTally, h uint64, arn []byte) *keyTally {
	k := keys[h]
	for k != nil && k.arn != string(arn) {
		k = k.next
	}
	if k == nil && t.room() {
		k = &keyTally{arn: string(arn), next: keys[h]}
		keys[h] = k
	}
	return k
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
	if c.creates {
		k.made(c)
	}
	if c.switches {
		l := k.lifeOf()
		l.switches = keepNewest(l.switches, c, maxSwitches)
	}
	if c.refuses(c.key) && !c.at.Before(t.o.RefusedSince) {
		if isNew {
			k.refused++
		}
		k.refusals = keepNewest(k.refusals, c, t.o.Refusals)
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

// made notes the call that made the key: the first, of those in two Regions that
// tell of one replica.
func (k *keyTally) made(c *call) { k.lifeOf().created.earlier(c) }

func (k *keyTally) lifeOf() *life {
	if k.life == nil {
		k.life = &life{}
	}
	return k.life
}

// keepNewest keeps c if it is among the newest limit events, of which list has
// the newest first. Copies of one event stay one, however far apart they come.
func keepNewest(list []kept, c *call, limit int) []kept {
	for i := range list {
		if list[i].same(c) {
			list[i].later(c)
			slices.SortStableFunc(list, func(a, b kept) int { return b.at.Compare(a.at) })
			return list
		}
	}
	at, _ := slices.BinarySearchFunc(list, c, func(r kept, c *call) int { return r.order(c) })
	if at == limit {
		return list
	}
	var e kept
	if len(list) == limit {
		e = list[limit-1] // its memory
		list = list[:limit-1]
	}
	e.set(c)
	return slices.Insert(list, at, e)
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
	if k.life != nil {
		r.Created = k.life.created.event()
		switches := make([]usage.Event, len(k.life.switches))
		for i := range switches {
			switches[i] = *k.life.switches[i].event()
		}
		r.Off = off(switches)
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
