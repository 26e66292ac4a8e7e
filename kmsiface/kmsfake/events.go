package kmsfake

import "sync"

// Event is a call that came to its end: see [Options].Record.
type Event struct {
	Call
	// RequestID is the request ID of the answer.
	RequestID string
	// EventID is the ID of the CloudTrail event in the caller's account, unique to
	// the call. That of a tracked use is what GetKeyLastUsage reports, unless the
	// key is another account's, which has an event of its own.
	EventID string
	// Code is the error code of the answer, empty for success. A call that was
	// cut has the code "Cut".
	Code string
	// Status is the HTTP status; zero for a call that was cut.
	Status int
}

// events keeps the latest events in a ring.
type events struct {
	mu   sync.Mutex
	ring []Event
	n    int // events ever recorded
}

func (e *events) record(ev Event) {
	if len(e.ring) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ring[e.n%len(e.ring)] = ev
	e.n++
}

func (e *events) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n = 0
}

// Events returns the latest calls, oldest first, at most as many as
// [Options].Record.
func (s *Server) Events() []Event {
	e := &s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []Event
	for i := max(0, e.n-len(e.ring)); i < e.n; i++ {
		out = append(out, e.ring[i%len(e.ring)])
	}
	return out
}
