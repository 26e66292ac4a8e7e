package kmsfake

import (
	"slices"
	"sync"
)

// index is a sorted set of strings that is read as a slice nobody changes.
// Changes are gathered and merged at the next reading, so that adding a hundred
// thousand keys does not sort a hundred thousand times.
type index struct {
	mu      sync.Mutex
	sorted  []string
	added   []string
	removed map[string]bool
}

func (x *index) add(s string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.merge(len(x.removed) > 0)
	x.added = append(x.added, s)
}

func (x *index) remove(s string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.merge(len(x.added) > 0)
	if x.removed == nil {
		x.removed = map[string]bool{}
	}
	x.removed[s] = true
}

// all returns the strings in order. The slice must not be changed.
func (x *index) all() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.merge(true)
	return x.sorted
}

func (x *index) merge(now bool) {
	if !now || len(x.added) == 0 && len(x.removed) == 0 {
		return
	}
	out := make([]string, 0, len(x.sorted)+len(x.added))
	slices.Sort(x.added)
	old, fresh := x.sorted, x.added
	for len(old) > 0 || len(fresh) > 0 {
		var s string
		if len(fresh) == 0 || len(old) > 0 && old[0] < fresh[0] {
			s, old = old[0], old[1:]
		} else {
			s, fresh = fresh[0], fresh[1:]
		}
		if !x.removed[s] {
			out = append(out, s)
		}
	}
	x.sorted, x.added, x.removed = out, nil, nil
}
