package cloudtrail

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/kmsusage/usage"
)

// QueryHistory is what an archive that was asked where it lies says of all keys.
// It does not change, and can be used by several goroutines. It is a
// [usage.History].
//
// It says of a key what a [LogHistory] says, by the same rules, but for encryption
// contexts, which are shown with events and not counted. Copies of an event count
// once if they are of the same operation, error code and service. Where several
// events of a second could be the first or the last, the one whose event ID is
// largest is shown, among those that name their principal. Times that are not
// written as CloudTrail writes them, 2026-03-01T12:00:00Z, are gaps.
//
// What it claims: a day of an account and Region is seen if the table has a row of
// a log file that is filed under it, for each tree of folders on its own, as a table
// can span those of several trails; between the first and the last file of days
// without a hole, everything was seen, until a quarter of an hour before the
// question was asked. That nothing but these files should be there, and that each
// of them was read to its end, nobody can tell but the owner of the archive: unless
// [QueryOptions].Complete says so, every coverage has a blind spot. Athena is known
// to fail on a file that is damaged (HIVE_CURSOR_ERROR), unless the table is set to
// ignore malformed records.
// https://repost.aws/knowledge-center/athena-hive-cursor-error
type QueryHistory struct {
	source   string
	asked    []string // in order; nil: all
	keys     map[string]usage.Record
	coverage []usage.Coverage
	days     []Days
	gaps     []Gap
	changes  []TrailChange
	stats    QueryStats
}

var _ usage.History = (*QueryHistory)(nil)

// QueryStats counts what the statements answered.
type QueryStats struct {
	Rows        int // of all answers
	Keys        int // that were named
	GapsDropped int // gaps that are not listed, to keep memory bounded
}

// Source is [AthenaSource] or [LakeSource].
func (h *QueryHistory) Source() string { return h.source }

// Look returns what the archive says of the key of f, with the coverage of its
// account and Region; of a key that was not asked for nothing, and none. It asks
// nobody, and never fails.
func (h *QueryHistory) Look(_ context.Context, f usage.Finding) (usage.Record, error) {
	r, _ := h.Key(f.ARN)
	if _, ok := slices.BinarySearch(h.asked, f.ARN); !ok && h.asked != nil {
		return r, nil
	}
	for _, c := range h.coverage {
		if c.Account == f.Account() && c.Region == f.Region() {
			r.Coverage = append(r.Coverage, clone(c))
		}
	}
	return r, nil
}

// Key returns what the archive says of a key, without coverage; false if no event
// names it, or it was not asked for. What holds for [LogHistory.Key] holds for it
// too.
func (h *QueryHistory) Key(arn string) (usage.Record, bool) {
	r, ok := h.keys[arn]
	if !ok {
		return usage.Record{Source: h.source}, false
	}
	r.First, r.Last, r.PublicKey, r.Off, r.Created = eventCopy(r.First), eventCopy(r.Last), eventCopy(r.PublicKey), eventCopy(r.Off), eventCopy(r.Created)
	r.Refusals = slices.Clone(r.Refusals)
	for i := range r.Refusals {
		r.Refusals[i].Context = maps.Clone(r.Refusals[i].Context)
	}
	r.Operations, r.Errors, r.Services = maps.Clone(r.Operations), maps.Clone(r.Errors), maps.Clone(r.Services)
	return r, true
}

func eventCopy(e *usage.Event) *usage.Event {
	if e == nil {
		return nil
	}
	c := *e
	c.Context = maps.Clone(e.Context)
	return &c
}

// Keys returns all keys that are named, in order of ARN, as [QueryHistory.Key]
// does.
func (h *QueryHistory) Keys() iter.Seq2[string, usage.Record] {
	return func(yield func(string, usage.Record) bool) {
		for _, arn := range slices.Sorted(maps.Keys(h.keys)) {
			if r, _ := h.Key(arn); !yield(arn, r) {
				return
			}
		}
	}
}

// Coverage tells for which times all events of an account and Region were seen,
// in order of account, Region and time.
func (h *QueryHistory) Coverage() []usage.Coverage {
	out := make([]usage.Coverage, 0, len(h.coverage))
	for _, c := range h.coverage {
		out = append(out, clone(c))
	}
	return out
}

// Days tells which days were seen and which are missing, per account, Region and
// trail.
func (h *QueryHistory) Days() []Days {
	out := slices.Clone(h.days)
	for i := range out {
		out[i].Seen, out[i].Missing = slices.Clone(out[i].Seen), slices.Clone(out[i].Missing)
	}
	return out
}

// Gaps are the rows of answers that could not be read, and the records that the
// archive itself could not make sense of. Their path names the statement and the
// row, or the account, Region and day.
func (h *QueryHistory) Gaps() []Gap { return slices.Clone(h.gaps) }

// TrailChanges are the changes of trails found in the archive, the earliest of
// each account, in order of time.
func (h *QueryHistory) TrailChanges() []TrailChange { return slices.Clone(h.changes) }

// Stats counts what the statements answered.
func (h *QueryHistory) Stats() QueryStats { return h.stats }
