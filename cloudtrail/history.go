package cloudtrail

import (
	"context"
	"iter"
	"slices"

	"github.com/kmsusage/usage"
)

// Source is the name of log files as a source of events.
const Source = "cloudtrail-log-files"

// LogHistory is what the log files of an archive say of all keys. It does not
// change, and can be used by several goroutines. It is a [usage.History].
type LogHistory struct {
	tally    *tally
	coverage []usage.Coverage
	days     []Days
	several  map[area]bool // more than one trail delivered
	gaps     []Gap
	changes  []TrailChange
	stats    Stats
}

var _ usage.History = (*LogHistory)(nil)

// Stats counts what a scan came across. The zero value is that of an empty
// archive.
type Stats struct {
	Files   int // log files opened
	Skipped int // files and folders left out by their path: account, Region, day, kind
	// Earlier are those of Skipped that lie before From. Changes of trails in them
	// were not seen: see [ScanOptions.From].
	Earlier     int
	Ignored     int   // files whose name is not one of a log file
	PackedBytes int64 // read
	Bytes       int64 // the same, unpacked
	Records     int   // of all services
	KMS         int   // of KMS, duplicates included
	Keys        int   // that were named
	// Duplicates are KMS records that were there before, or in another account's
	// log. They are not counted where calls are counted.
	Duplicates int
	// Forgotten tells how many events were forgotten to keep memory bounded. Zero:
	// every copy was found. Else copies further apart than the window of the
	// options count as calls of their own.
	Forgotten int
	// Unattributed are tracked operations that do not name all their keys by ARN,
	// which ReEncrypt has two of, and GetPublicKey that names none. A success or a
	// refusal among them is a blind spot.
	Unattributed  int
	NotManagement int // KMS records of network activity, of insights or of data
	OutOfRange    int // KMS records that the options leave out
	GapsDropped   int // gaps that are not listed, to keep memory bounded
}

// Source is [Source].
func (*LogHistory) Source() string { return Source }

// Look returns what the archive says of the key of f, with the coverage of its
// account and Region. It asks nobody, and never fails.
func (h *LogHistory) Look(_ context.Context, f usage.Finding) (usage.Record, error) {
	r, _ := h.Key(f.ARN)
	for _, c := range h.coverage {
		if c.Account == f.Account() && c.Region == f.Region() {
			r.Coverage = append(r.Coverage, clone(c))
		}
	}
	return r, nil
}

// Key returns what the archive says of a key, without coverage; false if no
// record names it. A key of which only failed calls are known has no First and
// no Last. The texts of the records are as they were written: they may hold
// anything.
func (h *LogHistory) Key(arn string) (usage.Record, bool) { return h.tally.of(arn) }

// Keys returns all keys that are named, in order of ARN, as [LogHistory.Key]
// does. Keys of other accounts and Regions can be among them.
func (h *LogHistory) Keys() iter.Seq2[string, usage.Record] {
	return func(yield func(string, usage.Record) bool) {
		for _, arn := range h.tally.arns() {
			if r, _ := h.tally.of(arn); !yield(arn, r) {
				return
			}
		}
	}
}

// Coverage tells for which times all events of an account and Region were seen,
// in order of account, Region and time. Stretches overlap where several trails
// delivered: each is a claim of its own. See the package's comment for what it
// claims.
func (h *LogHistory) Coverage() []usage.Coverage {
	out := make([]usage.Coverage, 0, len(h.coverage))
	for _, c := range h.coverage {
		out = append(out, clone(c))
	}
	return out
}

func clone(c usage.Coverage) usage.Coverage {
	c.BlindSpots = slices.Clone(c.BlindSpots)
	return c
}

// Days tells which days were seen and which are missing, per account, Region and
// trail.
func (h *LogHistory) Days() []Days {
	out := slices.Clone(h.days)
	for i := range out {
		out[i].Seen, out[i].Missing = slices.Clone(out[i].Seen), slices.Clone(out[i].Missing)
	}
	return out
}

// Gaps are the files, folders and records that could not be read, in order of
// path.
func (h *LogHistory) Gaps() []Gap { return slices.Clone(h.gaps) }

// TrailChanges are the changes of trails found in the archive, in order of time.
func (h *LogHistory) TrailChanges() []TrailChange { return slices.Clone(h.changes) }

// Stats counts what the scan came across.
func (h *LogHistory) Stats() Stats { return h.stats }
