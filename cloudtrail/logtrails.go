package cloudtrail

import (
	"slices"
	"time"

	"github.com/kmsusage/usage"
)

// With returns the history with what the trails that deliver to its archive say
// of its coverage, each report of its own account and Region: see [ReadTrails],
// and [Trails.Delivering] for the bucket and the prefix.
//
// How trails are set up today does not speak for the past. An answer that is
// good changes nothing. One that is bad, or unknown, is a blind spot of all
// coverage, since nobody knows since when; where AWS tells since when, as of
// logging that was stopped, of that time alone. The archive itself can disprove
// a bad answer: if one trail alone delivers to it and takes or leaves events as
// a whole ([BlindSpot.AllOrNone]), it had another setup when it delivered KMS
// events that only read: one that took those, whatever it did with those that
// write. Changes of trails that the archive shows do not help:
// they do not tell what was set up before.
//
// The receiver does not change. Reports that are nil are passed over.
func (h *LogHistory) With(bucket, prefix string, reports ...*Trails) *LogHistory {
	with := *h
	for _, t := range reports {
		if t == nil {
			continue
		}
		d := t.Delivering(bucket, prefix)
		spots := d.missing(d.Trails)
		if len(d.Trails) == 1 {
			since := with.lastRead(t.Account, t.Region)
			for i, s := range spots {
				if s.AllOrNone && s.onlyReads() {
					spots[i].From = later(s.From, since)
				}
			}
		}
		var coverage []usage.Coverage
		for _, c := range with.coverage {
			if c.Account != t.Account || c.Region != t.Region {
				coverage = append(coverage, c)
				continue
			}
			coverage = append(coverage, divided(c, spots, " (as of "+trailStamp(t.ReadAt)+")")...)
		}
		with.coverage = coverage
	}
	return &with
}

// lastRead is a time at which, or after which, the archive still received KMS
// events that only read; zero if that is not certain. A stretch without blind
// spots has no more than QuietDays without them: see quiet.
func (h *LogHistory) lastRead(account, region string) time.Time {
	var last time.Time
	if h.tally == nil || h.tally.o.QuietDays < 0 || h.several[area{account, region}] {
		return last // or of which of several trails that in the archive is not known
	}
	for _, c := range h.coverage {
		if c.Account != account || c.Region != region || c.BlindSpots == nil || len(c.BlindSpots) > 0 {
			continue
		}
		day := c.To.Add(-1).Truncate(oneDay).Add(-time.Duration(h.tally.o.QuietDays) * oneDay)
		if !day.Before(c.From.Truncate(oneDay)) {
			// The first files of a day hold the last events of the day before.
			last = later(last, day.Add(-time.Hour))
		}
	}
	return last
}

// divided cuts a stretch where blind spots begin and end, and enters them.
func divided(c usage.Coverage, spots []BlindSpot, suffix string) []usage.Coverage {
	limits := []time.Time{c.From, c.To}
	for _, s := range spots {
		for _, t := range []time.Time{s.From, s.To} {
			if t.After(c.From) && t.Before(c.To) {
				limits = append(limits, t)
			}
		}
	}
	slices.SortFunc(limits, time.Time.Compare)
	limits = slices.CompactFunc(limits, time.Time.Equal)
	var parts []usage.Coverage
	for i, from := range limits[:len(limits)-1] {
		part := clone(c)
		part.From, part.To = from, limits[i+1]
		for _, s := range spots {
			if text := s.Text + suffix; s.at(from) && !slices.Contains(part.BlindSpots, text) {
				part.BlindSpots = append(part.BlindSpots, text)
			}
		}
		if n := len(parts); n > 0 && slices.Equal(parts[n-1].BlindSpots, part.BlindSpots) {
			parts[n-1].To = part.To
			continue
		}
		parts = append(parts, part)
	}
	return parts
}
