package usage

import "time"

// Progress is how far one target has come.
type Progress struct {
	Account string // empty until known
	Region  string // empty until known
	// Listed is the number of keys found so far, Total once Complete is true.
	Listed int
	// Complete tells that the listing has ended.
	Complete bool
	// Done is the number of keys read.
	Done int
	// Throttled is how many attempts at the last-usage quota were refused so far;
	// with a shared pacer, those of all who share it.
	Throttled int
	// Rate is the present pace of last-usage calls, per second.
	Rate float64
	// Left is how long the rest will take at that pace; zero until Complete, and
	// where last usage is not read.
	Left time.Duration
	// Unpaced tells that the client drops the option functions of its calls, as
	// mocks do and a decorator must not: nothing is paced.
	Unpaced bool
}
