package cloudtrail

// sample counts values in bounded memory. Of more values than it may keep it
// keeps those with the smallest hashes: which ones these are, and their counts,
// do not depend on the order in which they come.
type sample struct {
	slots   []slot // apart from the texts, since most calls need no more than these
	texts   []pair // of the slots
	largest int    // the slot with the largest hash
	dropped int    // calls whose value is not kept
	few     [6]slot
}

type slot struct {
	hash  uint64
	count int
}

// pair is a value, and a key if it is of an encryption context.
type pair struct{ key, value string }

// add counts a value, keeping at most limit of them.
func (s *sample) add(limit int, key, value []byte) {
	h := hash(hashSeed, value)
	if len(key) > 0 {
		h = hash(h, key)
	}
	full := len(s.slots) >= limit
	if full && h > s.slots[s.largest].hash {
		s.dropped++
		return
	}
	for i := range s.slots {
		if s.slots[i].hash == h {
			s.slots[i].count++
			return
		}
	}
	if full {
		s.dropped += s.slots[s.largest].count
		s.slots[s.largest], s.texts[s.largest] = slot{h, 1}, pair{string(key), string(value)}
	} else {
		if s.slots == nil {
			s.slots = s.few[:0] // where the rest of the key is, as long as they suffice
		}
		s.slots, s.texts = append(s.slots, slot{h, 1}), append(s.texts, pair{string(key), string(value)})
	}
	s.largest = 0
	for i := range s.slots {
		if s.slots[i].hash > s.slots[s.largest].hash {
			s.largest = i
		}
	}
}

// byValue returns the counts, nil if there are none.
func (s *sample) byValue() map[string]int {
	if len(s.slots) == 0 {
		return nil
	}
	m := make(map[string]int, len(s.slots))
	for i, t := range s.texts {
		m[t.value] += s.slots[i].count
	}
	return m
}
