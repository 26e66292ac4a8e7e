package cloudtrail

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
)

// logFile is a file to be read.
type logFile struct {
	path string
	place
}

// packedBuffer is what a worker reads at once from a file.
const packedBuffer = 64 << 10

// worker reads files, one after another, in memory of its own.
type worker struct {
	s      *scan
	packed *bufio.Reader
	zip    gzip.Reader
	p      parser
	call   call

	inner record // out of a LookupEvents answer

	file logFile
	now  time.Time // of when the file was opened, or later
	seen fileResult
}

// fileResult is what one file adds to the whole.
type fileResult struct {
	packed      int64
	stats       Stats
	kmsReads    int             // KMS events that only read, as uses do
	unnamed     map[areaDay]int // uses, refusals and GetPublicKey that do not name all their keys
	gaps        []Gap
	changes     []TrailChange
	interrupted bool
}

func newWorker(s *scan) *worker {
	w := &worker{s: s, packed: bufio.NewReaderSize(nil, packedBuffer)}
	w.p.found, w.p.odd = w.found, w.odd
	return w
}

// read reads one file.
func (w *worker) read(ctx context.Context, f logFile) fileResult {
	w.file, w.seen, w.now = f, fileResult{}, w.s.o.Now()
	w.p.records, w.p.complete = 0, false
	w.p.lo, w.p.hi, w.p.base = 0, 0, 0
	err := w.open(ctx)
	switch {
	case ctx.Err() != nil && err != nil:
		w.seen.interrupted = true
	case err != nil:
		w.gap(Gap{Reason: reasonOf(err), Offset: w.p.offset(), Err: err})
		if n := len(w.seen.gaps); w.p.records > 0 || w.p.offset() > 0 {
			w.seen.gaps[n-1].Record = w.p.records + 1
		}
	}
	w.seen.stats.Files = 1
	w.seen.stats.PackedBytes = w.seen.packed
	w.seen.stats.Bytes = w.p.base + int64(w.p.hi)
	w.seen.stats.Records = w.p.records
	return w.seen
}

// open opens the file and parses it, whether it is packed or not: of some copies
// the name is wrong.
func (w *worker) open(ctx context.Context) (err error) {
	file, err := w.s.fsys.Open(w.file.path)
	if err != nil {
		return err
	}
	defer func() {
		// A file system may notice only now that it did not read well.
		if e := file.Close(); e != nil && err == nil {
			err = e
		}
	}()
	w.packed.Reset(&countingReader{file, &w.seen.packed})
	head, err := w.packed.Peek(2)
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		return errTruncated
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	var r io.Reader = w.packed
	switch {
	case len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b:
		if err := w.unpack(); err != nil {
			return err
		}
		r = (*unpacker)(w)
	case kinds[head[0]] != space && head[0] != '{' && head[0] != '[' && head[0] != 0xef:
		return errNotGzip
	}
	w.p.begin(ctx, r, &w.s.o)
	return w.p.run()
}

// unpack begins with one of the gzip members that a file can have.
func (w *worker) unpack() error {
	err := w.zip.Reset(w.packed)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	w.zip.Multistream(false)
	return err
}

// unpacker reads the gzip members of a file one after another. It tells what
// follows the last of them apart from a member that is damaged.
type unpacker worker

func (u *unpacker) Read(p []byte) (int, error) {
	w := (*worker)(u)
	n, err := w.zip.Read(p)
	if err != io.EOF { //nolint:errorlint // as io.Reader gives it
		return n, err
	}
	head, err := w.packed.Peek(2)
	switch {
	case len(head) == 0:
		return n, err
	case len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b:
		return n, errTrailing
	}
	return n, w.unpack()
}

type countingReader struct {
	r fs.File
	n *int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

// gap notes a gap of the present file: one for each reason, and how often.
func (w *worker) gap(g Gap) {
	for i := range w.seen.gaps {
		if w.seen.gaps[i].Reason == g.Reason {
			w.seen.gaps[i].Count++
			return
		}
	}
	g.Path, g.Account, g.Region, g.Day, g.Count = w.file.path, w.file.account, w.file.region, w.file.date(), 1
	w.seen.gaps = append(w.seen.gaps, g)
}

// odd notes what is wrong with the present record.
func (w *worker) odd(reason GapReason) {
	w.gap(Gap{Reason: reason, Offset: w.p.offset(), Record: w.p.records})
}

// found takes in a record.
func (w *worker) found(r *record) {
	source := r.text(mEventSource)
	if len(source) == 0 {
		w.wrapped(r)
		return
	}
	switch string(source) {
	case kmsSource, kmsSourceChina:
		w.kms(r)
	case trailSource, trailSourceCN:
		if trailChanges[string(r.text(mEventName))] {
			w.change(r)
		}
	}
}

// wrapped takes in the record that an element of a LookupEvents answer holds as
// a string.
func (w *worker) wrapped(r *record) {
	in, ok := text(r.raw(mCloudTrailEvent))
	if r == &w.inner || !ok {
		w.odd(NoRecord)
		return
	}
	if start := skipSpace(in, 0); start < len(in) && in[start] == '{' {
		if n := w.inner.scan(in[start:]); n >= 0 && skipSpace(in, start+n) == len(in) {
			w.found(&w.inner)
			return
		}
	}
	w.odd(InvalidJSON)
}

// management tells whether a record is of a management event. Network activity
// and insights tell of a call that has a record of its own.
func management(r *record) bool {
	if category := r.raw(mEventCategory); category != nil && string(category) != `"Management"` {
		if s := textOr(category); len(s) > 0 && string(s) != "Management" {
			return false
		}
	}
	switch string(r.text(mEventType)) {
	case "AwsCloudTrailInsight", "AwsVpceEvent":
		return false
	}
	return !r.is(mManagementEvent, "false")
}

// maxAhead is how far the clocks of KMS and of the reader may be apart.
const maxAhead = 5 * time.Minute

// kms takes in a record of KMS.
func (w *worker) kms(r *record) {
	st := &w.seen.stats
	if !management(r) {
		st.NotManagement++
		return
	}
	st.KMS++
	c := &w.call
	switch dated := c.read(r); {
	case !dated:
		w.odd(NoTime)
		return
	case !w.wanted(r, c.at):
		st.OutOfRange++
		return
	case w.future(c.at):
		w.odd(FutureTime)
		return
	}
	if r.is(mReadOnly, "true") {
		w.seen.kmsReads++
	}
	if c.odd != "" {
		w.odd(c.odd)
		if c.odd == NoOutcome {
			return
		}
	}
	if c.partly {
		if c.use || c.refusal || c.publicKey {
			w.unnamed(r, c.at)
		}
		if c.publicKey || c.refusal || tracked[string(c.op)] {
			st.Unattributed++
		}
	}
	if len(c.keys) == 0 && len(c.replica) == 0 {
		return
	}
	duplicates, ok := w.s.tally.add(c)
	if duplicates > 0 && duplicates == len(c.keys) {
		st.Duplicates++
	}
	if !ok {
		w.odd(TooManyKeys)
	}
}

// future tells whether a time is of the future. The clock is asked again before it
// is said to be, since a scan goes on for long.
func (w *worker) future(at time.Time) bool {
	if !at.After(w.now.Add(maxAhead)) {
		return false
	}
	w.now = w.s.o.Now()
	return at.After(w.now.Add(maxAhead))
}

// maxUnnamedInFile is for how many days of areas a file's are kept apart.
const maxUnnamedInFile = 10_000

// unnamed notes a use or refusal that names no key, on its own day: of the account
// and Region of the file, or of its own where the path does not tell.
func (w *worker) unnamed(r *record, at time.Time) {
	on := areaDay{area{w.file.account, w.file.region}, at.UTC().Truncate(oneDay)}
	if on.account == "" {
		if s := string(clip(r.text(mRecipientAccountID))); isAccount(s) {
			on.account = s
		}
	}
	if on.region == "" {
		if s := string(clip(r.text(mAWSRegion))); isRegion(s) {
			on.region = s
		}
	}
	if w.seen.unnamed == nil {
		w.seen.unnamed = map[areaDay]int{}
	}
	if _, ok := w.seen.unnamed[on]; !ok && len(w.seen.unnamed) >= maxUnnamedInFile {
		on = areaDay{} // of any
	}
	w.seen.unnamed[on]++
}

// wanted tells whether a record is within what the options ask for.
func (w *worker) wanted(r *record, at time.Time) bool {
	o := &w.s.o
	if !o.From.IsZero() && at.Before(o.From) || !o.To.IsZero() && !at.Before(o.To) {
		return false
	}
	// What tells neither may be of those that are asked for.
	if account := r.text(mRecipientAccountID); w.file.account == "" && len(account) > 0 && !within(o.Accounts, account) {
		return false
	}
	region := r.text(mAWSRegion)
	return w.file.region != "" || len(region) == 0 || within(o.Regions, region)
}

// within tells whether list is empty or has s.
func within(list []string, s []byte) bool {
	return len(list) == 0 || slices.Contains(list, string(s))
}

// change takes in a change of a trail.
func (w *worker) change(r *record) {
	if len(r.text(mErrorCode)) > 0 || !management(r) {
		return
	}
	at, ok := parseTime(r.text(mEventTime))
	if !ok {
		w.odd(NoTime)
		return
	}
	trail := textOr(child(r.raw(mRequestParameters), "name"))
	if len(trail) == 0 {
		trail = textOr(child(r.raw(mRequestParameters), "trailName"))
	}
	var who identity
	who.read(r.raw(mUserIdentity))
	w.seen.changes = append(w.seen.changes, TrailChange{
		At: at, Account: string(clip(r.text(mRecipientAccountID))), Region: string(clip(r.text(mAWSRegion))),
		Operation: string(clip(r.text(mEventName))), Trail: string(clip(trail)), Principal: string(who.principal),
		EventID: string(clip(r.text(mEventID))), Organization: w.file.organization,
	})
}
