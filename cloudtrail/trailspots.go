package cloudtrail

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// BlindSpot is what an archive may lack because of how a trail is, or was, set
// up.
type BlindSpot struct {
	Text string `json:"text"`
	// From and To, UTC, From included and To not. Zero: nobody knows since when,
	// and for good.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Kinds of events that may be missing. Nil: all.
	Kinds []EventKind `json:"kinds,omitempty"`
	// AllOrNone tells that the trail takes or leaves as a whole the events that
	// only read, and those that write: one of the first in the archive shows that it
	// did take those then, so that a blind spot of nothing else began later.
	AllOrNone bool `json:"allOrNone,omitempty"`
}

// at tells whether the blind spot is there at a time.
func (b BlindSpot) at(t time.Time) bool {
	return !t.Before(b.From) && (b.To.IsZero() || t.Before(b.To))
}

// onlyReads tells whether nothing but events that only read may be missing.
func (b BlindSpot) onlyReads() bool {
	return !slices.ContainsFunc(kmsKinds, func(k kmsKind) bool { return !k.readOnly && b.of(k.kind) })
}

func (b BlindSpot) of(k EventKind) bool { return b.Kinds == nil || slices.Contains(b.Kinds, k) }

// BlindSpots say what of the account and Region the trails miss as of ReadAt:
// empty, and not nil, if at one place everything of KMS arrives. A place is a
// bucket and a prefix; there the trails make up for one another.
//
// It says nothing of the time before ReadAt. See [LogHistory.With].
func (t *Trails) BlindSpots() []string {
	var texts []string
	for _, place := range t.places() {
		spots := t.missing(place)
		spots = slices.DeleteFunc(spots, func(b BlindSpot) bool { return !b.at(t.ReadAt) })
		if len(spots) == 0 {
			return []string{}
		}
		for _, s := range spots {
			if !slices.Contains(texts, s.Text) {
				texts = append(texts, s.Text)
			}
		}
	}
	return texts
}

// places are the trails by where they deliver. There is one at least.
func (t *Trails) places() [][]Trail {
	if t.Bucket != "" || len(t.Trails) == 0 {
		return [][]Trail{t.Trails}
	}
	var (
		order  []string
		places = map[string][]Trail{}
	)
	for _, tr := range t.Trails {
		at := tr.Bucket + "/" + strings.Trim(tr.Prefix, "/")
		if places[at] == nil {
			order = append(order, at)
		}
		places[at] = append(places[at], tr)
	}
	all := make([][]Trail, 0, len(order))
	for _, at := range order {
		all = append(all, places[at])
	}
	return all
}

// missing is what an archive may lack that the trails given deliver to.
func (t *Trails) missing(place []Trail) []BlindSpot {
	switch {
	case t.Trails == nil:
		return []BlindSpot{{Text: "the trails are not known: " + t.notListed().reason()}}
	case len(place) > 0:
		return blindTogether(place)
	case t.Bucket != "":
		return []BlindSpot{{Text: fmt.Sprintf("no trail delivers to s3://%s/%s from account %s in %s", t.Bucket, t.Prefix, t.Account, t.Region)}}
	default:
		// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
		return []BlindSpot{{Text: fmt.Sprintf("no trail records account %s in %s: the event history of the last 90 days is all there is", t.Account, t.Region)}}
	}
}

// Delivering returns the report with those trails alone that deliver to an
// archive: into the folder of the bucket with this name, or below it. A name
// within AWSLogs stands for the folder that holds AWSLogs. Name the bucket that
// the trails deliver to, also if the archive is a copy.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
func (t *Trails) Delivering(bucket, prefix string) *Trails {
	folder, _, _ := strings.Cut("/"+strings.Trim(prefix, "/")+"/", "/AWSLogs/")
	folder = strings.Trim(folder, "/")
	d := *t
	d.Bucket, d.Prefix = bucket, folder
	d.Trails = slices.DeleteFunc(slices.Clone(t.Trails), func(tr Trail) bool {
		p := strings.Trim(tr.Prefix, "/")
		return tr.Bucket != bucket || folder != "" && p != folder && !strings.HasPrefix(p, folder+"/")
	})
	return &d
}

// blindTogether is what is left of the blind spots of trails that deliver to one
// place: something is missing when every one of them misses it. Between two
// times at which a blind spot begins or ends, nothing changes.
func blindTogether(trails []Trail) []BlindSpot {
	var (
		spots  [][]BlindSpot
		limits []time.Time
	)
	for _, t := range trails {
		of := t.BlindSpots
		if of == nil {
			of = []BlindSpot{{Text: "nobody said what " + t.label("") + " misses"}}
		}
		spots = append(spots, of)
		for _, s := range of {
			limits = append(limits, s.From, s.To)
		}
	}
	slices.SortFunc(limits, time.Time.Compare)
	limits = slices.CompactFunc(limits, time.Time.Equal)
	if len(limits) == 0 || !limits[0].IsZero() {
		limits = slices.Insert(limits, 0, time.Time{}) // from ever
	}

	var out []BlindSpot
	for i := range spots {
		for _, s := range spots[i] {
			var parts []BlindSpot // of s, with what no other trail has
			for n, from := range limits {
				if !s.at(from) {
					continue
				}
				var kinds []EventKind
				for _, k := range kmsKinds {
					if s.of(k.kind) && !slices.ContainsFunc(spots, func(of []BlindSpot) bool { return sees(of, from, k.kind) }) {
						kinds = append(kinds, k.kind)
					}
				}
				if kinds == nil {
					continue
				}
				var to time.Time
				if n+1 < len(limits) {
					to = limits[n+1]
				}
				if l := len(parts); l > 0 && parts[l-1].To.Equal(from) && slices.Equal(parts[l-1].Kinds, kinds) {
					parts[l-1].To = to
					continue
				}
				parts = append(parts, BlindSpot{Text: s.Text, From: from, To: to, Kinds: kinds, AllOrNone: s.AllOrNone})
			}
			out = append(out, parts...)
		}
	}
	return out
}

// sees tells whether a trail with these blind spots has none for a kind.
func sees(spots []BlindSpot, at time.Time, k EventKind) bool {
	return !slices.ContainsFunc(spots, func(s BlindSpot) bool { return s.at(at) && s.of(k) })
}
