package cloudtrail

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// maxGaps is how many gaps are listed; all of them are in the coverage.
const maxGaps = 10_000

// Scan reads an archive of CloudTrail log files: from any file system, a folder
// ([os.DirFS]), a zip file, a bucket. See the package's comment for what it reads
// and what it makes of it.
//
// What cannot be read is a [Gap], and the rest goes on. An error says that
// nothing could be listed, that the options cannot be meant
// ([usage.ErrInvalidOption]), or that the context ended; in that case the history
// holds what was read until then and claims no coverage without a blind spot.
// Otherwise the history is nil beside an error.
//
// fsys must be safe for concurrent use, as those of the standard library are.
// Memory does not depend on the size of the files: it is some 0.5 MB for each
// worker plus what long records need, the dedupe window, the names of the files of
// a day and of all that lie outside of the folders of days, half a kilobyte for
// each day of an account and Region, and a few kilobytes for each key.
func Scan(ctx context.Context, fsys fs.FS, optFns ...func(*ScanOptions)) (*LogHistory, error) {
	var o ScanOptions
	for _, fn := range optFns {
		if fn != nil {
			fn(&o)
		}
	}
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	if fsys == nil {
		return nil, invalidOption("the file system is nil")
	}
	s := &scan{o: o, fsys: fsys, tally: newTally(o), ledger: newLedger(o)}
	err = s.run(ctx)
	switch {
	case err == nil:
		return s.history(), nil
	case ctx.Err() != nil:
		s.ledger.everywhere = append(s.ledger.everywhere, "the scan was interrupted")
		return s.history(), fmt.Errorf("cloudtrail: the scan was interrupted: %w", ctx.Err())
	default:
		return nil, fmt.Errorf("cloudtrail: cannot list the archive: %w", err)
	}
}

// scan is one run over an archive.
type scan struct {
	o     ScanOptions
	fsys  fs.FS
	tally *tally

	mu       sync.Mutex // guards what follows, and serializes Progress
	ledger   *ledger
	gaps     []Gap
	changes  changeLog
	stats    Stats
	progress ScanProgress
	full     bool // there were too many keys
}

func (s *scan) run(ctx context.Context) error {
	w := &walk{fsys: s.fsys, o: s.o}
	if err := w.folders(ctx, "."); err != nil {
		return err
	}
	s.update(func(p *ScanProgress) { p.Days = w.dates() })

	files := make(chan logFile)
	var workers sync.WaitGroup
	for range s.o.Workers {
		workers.Go(func() {
			var wk *worker // its memory is taken when there is something to read
			for f := range files {
				if wk == nil {
					wk = newWorker(s)
				}
				s.merge(f, wk.read(ctx, f))
			}
		})
	}
	err := w.each(ctx, func(day []logFile) error {
		s.update(func(p *ScanProgress) { p.Files += len(day) })
		for _, f := range day {
			select {
			case files <- f:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		s.update(func(p *ScanProgress) { p.DaysDone++ })
		return nil
	})
	close(files)
	workers.Wait()

	s.stats.Skipped, s.stats.Earlier, s.stats.Ignored = w.skipped, w.earlier, w.ignored
	s.ledger.before = w.before
	for _, g := range w.gaps {
		if !g.file || g.place.known() {
			s.ledger.gap(g.place, g.Gap)
		}
		s.gap(g.Gap)
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// update changes the progress and tells of it.
func (s *scan) update(change func(*ScanProgress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.progress)
	if s.o.Progress != nil {
		s.o.Progress(s.progress)
	}
}

// merge takes in what a file brought.
func (s *scan) merge(f logFile, r fileResult) {
	s.update(func(p *ScanProgress) {
		s.stats.add(&r.stats)
		for _, g := range r.gaps {
			s.gap(g)
		}
		s.ledger.file(f, &r)
		s.changes.add(r.changes)
		p.FilesDone++
		p.PackedBytes, p.Bytes, p.Records, p.KMS = s.stats.PackedBytes, s.stats.Bytes, s.stats.Records, s.stats.KMS
		p.Gaps = len(s.gaps) + s.stats.GapsDropped
	})
}

func (s *scan) gap(g Gap) {
	s.o.Logger.Warn("gap", "path", g.Path, "reason", string(g.Reason), "offset", g.Offset, "record", g.Record)
	s.full = s.full || g.Reason == TooManyKeys
	if len(s.gaps) >= maxGaps {
		s.stats.GapsDropped++
		return
	}
	s.gaps = append(s.gaps, g)
}

func (s *Stats) add(o *Stats) {
	s.Files += o.Files
	s.PackedBytes += o.PackedBytes
	s.Bytes += o.Bytes
	s.Records += o.Records
	s.KMS += o.KMS
	s.Duplicates += o.Duplicates
	s.Unattributed += o.Unattributed
	s.NotManagement += o.NotManagement
	s.OutOfRange += o.OutOfRange
}

// history makes the history out of all that was read.
func (s *scan) history() *LogHistory {
	if s.full {
		s.ledger.everywhere = append(s.ledger.everywhere, "the archive names more keys than were kept")
	}
	slices.SortFunc(s.gaps, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason)) })
	s.stats.Forgotten = s.tally.ids.forgot()
	s.stats.Keys = s.tally.limit.keys
	changes := s.changes.all()
	s.ledger.everywhere = append(s.ledger.everywhere, s.changes.blindSpot()...)
	return &LogHistory{
		tally: s.tally, coverage: s.ledger.coverage(changes, s.o.Now()), days: s.ledger.days(), several: s.ledger.several(),
		gaps: s.gaps, changes: changes, stats: s.stats,
	}
}
