package kmsfake

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a server. The zero value of every field is valid.
type Options struct {
	// Now drives every date that KMS reports and decides by: creation, last use,
	// lag, deletion. Nil: time.Now. It drives neither the HTTP Date header, which
	// would make the SDK correct its clock, nor the request quotas; those follow
	// time.Now, which in a testing/synctest bubble is the bubble's time.
	Now func() time.Time
	// TrackingStart is when KMS began to record the last use of keys: a use
	// before leaves no record. Zero: 2026-04-23T00:00:00Z, as AWS has it, or what
	// Now shows when the server is made, if that is earlier, as it is in a
	// testing/synctest bubble, where time begins with the year 2000. The
	// TrackingStartDate of a key is the later of this and its creation.
	TrackingStart time.Time
	// Lag is the time before a use shows in GetKeyLastUsage. Zero: none. AWS
	// says that it can take up to an hour.
	Lag time.Duration
	// Quotas are requests per second for each account, Region and operation.
	// Nil: [DefaultQuotas]. An operation that is missing, or whose quota is not
	// positive, is not limited.
	Quotas map[string]float64
	// Shape is how quotas are counted. Zero: TokenBucket.
	Shape Shape
	// Latency is called once for every call, concurrently, and says how long the
	// call takes before it is counted against its quota. Nil: no time.
	Latency func() time.Duration
	// DisabledWhenPending chooses between the two errors that AWS documents for
	// using a key that is pending deletion: DisabledException instead of
	// KMSInvalidStateException.
	DisabledWhenPending bool
	// Seed varies the identifiers and symmetric key material the server makes
	// up. Servers with the same seed make up the same in the same order.
	Seed uint64
	// Record is the number of latest calls that [Server.Events] returns. Zero:
	// none.
	Record int

	// LogDelay is the time before an event shows in LookupEvents and in
	// [Server.WriteArchive]. Zero: none. AWS says that it is about five minutes
	// on average, and not guaranteed.
	LogDelay time.Duration
	// LogSize is the number of events that CloudTrail's log holds, the newest by
	// their time. Zero: 100,000, which typically take about 100 MB. Nothing bounds
	// it by bytes: an event keeps its request but for blobs, of PutKeyPolicy up to
	// 32 KB. Events beyond LogSize are forgotten, of which
	// [Server.WriteArchive] reports those that trails delivered.
	LogSize int
	// Failures says what becomes of failed calls in the log. Zero: FailuresNamed.
	Failures Failures
	// PromisedNamesOnly limits lookups by ResourceName and ResourceType to
	// operations that change a key: AWS promises them for no others.
	PromisedNamesOnly bool
	// TokenLife is how long a NextToken of LookupEvents holds. Zero: one hour.
	// AWS does not say how long its own hold.
	TokenLife time.Duration
}

// defaultTrackingStart is the tracking start that AWS's published answers show.
var defaultTrackingStart = time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC)

// Server is an AWS KMS in memory. It is an [http.Handler] and safe for
// concurrent use. Make one with [New].
type Server struct {
	now                 func() time.Time
	trackingStart       time.Time
	lag                 time.Duration
	latency             func() time.Duration
	disabledWhenPending bool

	ids    *entropy
	quotas *quotas
	stats  stats
	events events
	log    *eventLog
	calls  atomic.Int64
	hooks  atomic.Pointer[hooks]
	hookMu sync.Mutex

	// mu guards what follows and all that hangs on it, the uses of keys and the
	// making of asymmetric key pairs apart.
	mu         sync.RWMutex
	stores     map[scope]*store
	principals map[string]principal
	retirable  map[retirer]*index // IDs of grants, each with the account of its key
	trails     map[string]*trailState
}

// hooks are the functions that a test puts into the way of calls.
type hooks struct {
	inject func(Call) *Fault
	deny   func(Call) bool
}

// New returns a server without keys.
func New(optFns ...func(*Options)) *Server {
	var o Options
	for _, fn := range optFns {
		fn(&o)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TrackingStart.IsZero() {
		o.TrackingStart = defaultTrackingStart
		if now := o.Now(); now.Before(o.TrackingStart) {
			o.TrackingStart = now
		}
	}
	if o.Quotas == nil {
		o.Quotas = DefaultQuotas()
	}
	rates := make(map[string]float64, len(o.Quotas))
	maps.Copy(rates, o.Quotas)
	s := &Server{
		now:                 o.Now,
		trackingStart:       o.TrackingStart,
		lag:                 o.Lag,
		latency:             o.Latency,
		disabledWhenPending: o.DisabledWhenPending,
		ids:                 newEntropy(o.Seed),
		quotas:              newQuotas(o.Shape, rates),
		stores:              map[scope]*store{},
		principals:          map[string]principal{},
		retirable:           map[retirer]*index{},
		trails:              map[string]*trailState{},
		log:                 newEventLog(o),
	}
	s.events.ring = make([]Event, max(0, o.Record))
	s.hooks.Store(&hooks{})
	return s
}

// Inject lets fn choose a fault for every call; nil means none. It replaces the
// function set before, and a nil fn removes it. fn is called concurrently, and
// before the call has any effect.
//
// A call passes, in this order: its latency, its request quota, the injected
// fault, [Server.Deny], and the operation itself. A call refused for its quota
// takes nothing out of it.
func (s *Server) Inject(fn func(Call) *Fault) {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	h := *s.hooks.Load()
	h.inject = fn
	s.hooks.Store(&h)
}

// Deny makes the calls for which fn returns true fail with
// AccessDeniedException, as when no identity-based policy allows them. It
// replaces the function set before, and a nil fn removes it. fn is called
// concurrently.
func (s *Server) Deny(fn func(Call) bool) {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	h := *s.hooks.Load()
	h.deny = fn
	s.hooks.Store(&h)
}

// Call is a call as the functions given to [Server.Inject] and [Server.Deny]
// see it.
type Call struct {
	Account   string // of the caller
	Region    string
	Operation string
	// KeyID is the key as the request names it: an ID, ARN or alias; empty if
	// it names none. Of ReEncrypt it is the destination key.
	KeyID string
	// KeyARN is the ARN of that key, or of the one that the ciphertext was
	// encrypted under; empty if there is none such.
	KeyARN    string
	Principal string    // ARN of the caller
	Time      time.Time // by the clock of KMS
	N         int       // counts the calls of the server from 1
}

// call is a call under way.
type call struct {
	srv       *Server
	op        *operation
	in        any // the request, once it could be read
	agent     string
	caller    principal
	account   string // of the caller
	region    string
	requestID string
	eventID   string
	now       time.Time
	exclusive bool     // holds the lock for writing
	rsa       *rsaPair // for a data key pair, made before the lock is taken
	noted              // for CloudTrail
}

func (c *call) scope() scope { return scope{c.account, c.region} }

// used records a successful cryptographic operation on the key.
func (c *call) used(k *key) {
	c.srv.recordUse(k, c.op.name, c.now, c.eventFor(k.store.account), c.requestID)
	if k.keyStore != nil {
		c.additional = k.keyStoreData()
	}
}

// answer is what goes back to the caller.
type answer struct {
	status    int
	body      []byte
	cut       bool
	code      string // error code
	message   string // of the error
	nowhere   bool   // the call never reached the service: CloudTrail does not know it
	requestID string
}

const (
	contentType = "application/x-amz-json-1.1"
	maxBody     = 1 << 20
)

// ServeHTTP answers one AWS JSON 1.1 request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return
	}
	a, err := s.serve(r.Context(), r.Method, r.Header, body)
	if err != nil || a.cut {
		panic(http.ErrAbortHandler) // the way to close the connection without an answer
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Amzn-Requestid", a.requestID)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// serve is the one way into the server. The error is the context's.
func (s *Server) serve(ctx context.Context, method string, h http.Header, body []byte) (answer, error) {
	c := &call{srv: s, requestID: s.ids.uuid(), eventID: s.ids.uuid(), agent: h.Get("User-Agent")}
	info := Call{N: int(s.calls.Add(1))}
	svc, name, known := serviceOf(h.Get("X-Amz-Target"))
	info.Operation = name
	if known && method == http.MethodPost {
		c.op = svc.operation(name)
	}
	caller, region, authErr := s.identify(h.Get("Authorization"), svc)
	c.caller, c.account, c.region = caller, caller.account, region
	info.Account, info.Region, info.Principal = caller.account, region, caller.arn
	count := s.stats.of(quotaKey{info.Account, info.Region, info.Operation})
	count.attempts.Add(1)

	a, faulted, err := s.run(ctx, c, &info, method, h, body, authErr)
	if err != nil {
		count.faulted.Add(1)
		return answer{}, err
	}
	switch {
	case a.code == codeThrottling:
		count.throttled.Add(1)
	case a.code == codeAccessDenied:
		count.denied.Add(1)
	case faulted:
		count.faulted.Add(1)
	case a.code != "":
		count.failed.Add(1)
	default:
		count.served.Add(1)
	}
	a.requestID = c.requestID
	s.logCall(c, info, a)
	s.events.record(Event{Call: info, RequestID: c.requestID, EventID: c.eventID, Code: a.code, Status: a.status})
	return a, nil
}

// run carries a call through all that stands before the operation. faulted tells
// whether an injected fault answered.
func (s *Server) run(ctx context.Context, c *call, info *Call, method string, h http.Header, body []byte, authErr *apiError) (a answer, faulted bool, err error) {
	c.now = s.now()
	info.Time = c.now
	if authErr != nil {
		return errorAnswer(authErr), false, nil
	}
	op := c.op
	if op == nil {
		return errorAnswer(fail(codeUnknownOperation, "kmsfake does not implement %s %s", method, h.Get("X-Amz-Target"))), false, nil
	}
	in, err := op.decode(body)
	if err != nil {
		return errorAnswer(err), false, nil
	}
	c.in = in
	s.mu.RLock()
	info.KeyID, info.KeyARN = c.subject(in)
	s.mu.RUnlock()

	if s.latency != nil {
		if err := sleep(ctx, s.latency()); err != nil {
			return answer{}, false, err
		}
	}
	if !s.quotas.allow(op.draws(c, in)...) {
		return errorAnswer(op.service.throttled()), false, nil
	}
	hooks := s.hooks.Load()
	var fault *Fault
	if hooks.inject != nil {
		fault = hooks.inject(*info)
	}
	if fault != nil {
		if err := sleep(ctx, fault.delay); err != nil {
			return answer{}, true, err
		}
		if a, done := fault.answer(c, *info); done {
			return a, true, nil
		}
	}
	if hooks.deny != nil && hooks.deny(*info) {
		return errorAnswer(c.denied(*info)), false, nil
	}
	a = c.do(in)
	info.Time = c.now
	if fault != nil && fault.edit != nil {
		a.body = fault.edit(a.body)
		return a, true, nil
	}
	return a, false, nil
}

// again is what an operation answers that needs something done without the lock,
// which may take long, or the lock for writing: it is run again afterwards.
type again struct{ prepare func() }

func (again) Error() string { return "kmsfake: the operation is to be run again" }

// do carries the operation out.
func (c *call) do(in any) answer {
	if err := c.op.validate(in); err != nil {
		return errorAnswer(err)
	}
	c.exclusive = c.op.changes
	for {
		out, err := c.locked(in)
		if a, ok := errors.AsType[again](err); ok {
			a.prepare()
			continue
		}
		if err != nil {
			return errorAnswer(err)
		}
		return answer{status: http.StatusOK, body: out}
	}
}

// locked runs the operation under the lock and encodes its answer there, since
// that may share what others change.
func (c *call) locked(in any) ([]byte, error) {
	if c.exclusive {
		c.srv.mu.Lock()
		defer c.srv.mu.Unlock()
	} else {
		c.srv.mu.RLock()
		defer c.srv.mu.RUnlock()
	}
	// The clock is read again: the call may have waited, and what happened before
	// is not later.
	c.now = c.srv.now()
	out, err := c.op.run(c, in)
	if _, unfinished := errors.AsType[again](err); !unfinished {
		c.seq = c.srv.log.happened(c.changes)
	}
	if err != nil {
		return nil, err
	}
	c.noteAnswer(out)
	return encode(out), nil
}

// denied is the error of a call that no IAM policy of the caller allows.
func (c *call) denied(info Call) *apiError {
	if c.op.service == trailService {
		return deniedInTrail(c.caller.arn, c.op.name)
	}
	return deniedByIdentity(c.caller.arn, c.op.action(), c.resource(info))
}

// resource is what an AccessDeniedException names.
func (c *call) resource(info Call) string {
	switch {
	case info.KeyARN != "":
		return info.KeyARN
	case info.KeyID != "":
		return info.KeyID
	}
	return "*"
}

func errorAnswer(err error) answer {
	var e *apiError
	if !errors.As(err, &e) {
		e = fail(codeInternal, "%s", err)
	}
	return answer{status: e.status(), body: encodeError(e), code: e.code, message: e.message}
}

// answer returns what the fault answers; done is false if the call goes on.
func (f *Fault) answer(c *call, info Call) (a answer, done bool) {
	switch {
	case f.cut:
		return answer{cut: true, code: "Cut", nowhere: true}, true
	case f.deny:
		return errorAnswer(c.denied(info)), true
	case f.internal:
		return errorAnswer(c.op.service.failed()), true
	case f.throttle:
		return errorAnswer(c.op.service.throttled()), true
	case f.err != nil:
		return answer{status: f.status, body: encodeError(f.err), code: f.err.code, message: f.err.message}, true
	case f.status != 0:
		return answer{status: f.status, code: http.StatusText(f.status), nowhere: true}, true
	}
	return answer{}, false
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
