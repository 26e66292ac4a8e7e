package cloudtrail

import "sync"

// dedupe remembers events, so that copies count once, in memory that does not
// grow with the archive.
//
// Each event is remembered as a 64-bit hash of its ID and the key it names, in
// two tables of which the older is emptied when the newer is full: it is known
// until at least window others have come. Files are read in order of time, so
// the copies of an event, in whichever folders and accounts they lie, come soon
// after one another: within the events of a few minutes of the whole archive, or
// of as many files as are read at once. What comes later than that is counted
// again. The first and the last use and the refusals kept do not depend on it.
//
// Two different events of a window are taken for one with a chance of about
// window²/2⁶⁵: one in thirty million for the default.
type dedupe struct {
	pairs  sync.Mutex // rare: of events that were logged in two accounts
	shards [dedupeShards]dedupeShard
}

const dedupeShards = 16

type dedupeShard struct {
	mu        sync.Mutex
	newer     hashSet
	older     hashSet
	window    int
	forgotten int
	_         [64]byte // shards do not share cache lines
}

func newDedupe(window int) *dedupe {
	d := &dedupe{}
	for i := range d.shards {
		d.shards[i].window = max(1, (window+dedupeShards-1)/dedupeShards)
	}
	return d
}

// seen tells whether h has been seen within the window, and remembers it.
func (d *dedupe) seen(h uint64) bool {
	s := &d.shards[h>>60]
	s.mu.Lock()
	defer s.mu.Unlock()
	h = max(h, 1)
	if s.newer.has(h) || s.older.has(h) {
		return true
	}
	if s.newer.n >= s.window {
		s.forgotten += s.older.n
		s.newer, s.older = s.older, s.newer
		if s.newer.clear(); s.newer.slots == nil {
			s.newer.slots = make([]uint64, len(s.older.slots))
		}
	}
	s.newer.add(h)
	return false
}

// seenEither tells whether one of two hashes of the same event has been seen, and
// remembers both. Two copies of an event, each with the hash of the other, are
// asked about one after the other: else each could take the other for the first.
func (d *dedupe) seenEither(a, b uint64) bool {
	d.pairs.Lock()
	defer d.pairs.Unlock()
	seenA := d.seen(a)
	return d.seen(b) || seenA
}

// forgot is how many events came to be forgotten; zero: every copy was found.
func (d *dedupe) forgot() int {
	n := 0
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		n += s.forgotten
		s.mu.Unlock()
	}
	return n
}

// hashSet is a set of hashes other than zero, which stands for an empty slot.
type hashSet struct {
	slots []uint64 // a power of two
	n     int
}

func (s *hashSet) find(h uint64) (slot int, found bool) {
	mask := uint64(len(s.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case h:
			return int(i), true //nolint:gosec // below len(s.slots)
		case 0:
			return int(i), false //nolint:gosec // below len(s.slots)
		}
	}
}

func (s *hashSet) has(h uint64) bool {
	if s.n == 0 {
		return false
	}
	_, found := s.find(h)
	return found
}

// add puts in h, which is not there.
func (s *hashSet) add(h uint64) {
	if (s.n+1)*4 > len(s.slots)*3 {
		old := s.slots
		s.slots = make([]uint64, max(64, 2*len(old)))
		for _, o := range old {
			if o != 0 {
				i, _ := s.find(o)
				s.slots[i] = o
			}
		}
	}
	i, _ := s.find(h)
	s.slots[i] = h
	s.n++
}

func (s *hashSet) clear() {
	clear(s.slots)
	s.n = 0
}
