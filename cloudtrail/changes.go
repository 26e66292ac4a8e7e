package cloudtrail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// TrailChange is a change of a trail that was found in the archive itself. What
// was delivered after it may lack KMS events.
type TrailChange struct {
	At        time.Time `json:"at"` // UTC
	Account   string    `json:"account,omitempty"`
	Region    string    `json:"region,omitempty"` // where the call was made; the trail may be one of all Regions
	Operation string    `json:"operation"`        // PutEventSelectors, StopLogging, UpdateTrail or DeleteTrail
	Trail     string    `json:"trail,omitempty"`  // name or ARN, as the call gave it
	Principal string    `json:"principal,omitempty"`
	EventID   string    `json:"eventId,omitempty"`
	// Organization tells that the record was delivered by the trail of an
	// organization: the change may concern all its accounts.
	Organization bool `json:"organization,omitempty"`
}

// String says what was changed and when.
func (c TrailChange) String() string {
	trail := c.Trail
	if trail == "" {
		trail = "a trail"
	}
	return fmt.Sprintf("%s of %s at %s", c.Operation, trail, c.At.UTC().Format("2006-01-02T15:04:05Z"))
}

// concerns tells whether the change may have touched what is delivered of an
// account.
func (c TrailChange) concerns(account string, organization bool) bool {
	return c.Account == account || c.Organization && organization ||
		strings.HasPrefix(c.Trail, "arn:") && strings.Contains(c.Trail, ":"+account+":") || c.Account == ""
}

// clipChange keeps what is kept of the texts of a change: an archive can tell of any
// number of them.
func clipChange(c TrailChange) TrailChange {
	for _, t := range []struct {
		text *string
		most int
	}{{&c.Account, 64}, {&c.Region, 64}, {&c.Operation, 64}, {&c.EventID, 128}, {&c.Trail, 512}, {&c.Principal, 512}} {
		if len(*t.text) > t.most {
			*t.text = strings.ToValidUTF8((*t.text)[:t.most], "")
		}
		*t.text = strings.Clone(*t.text)
	}
	return c
}

// maxChanges is how many changes are kept of an account, the earliest, and
// maxAllChanges of all accounts together.
const (
	maxChanges    = 1000
	maxAllChanges = 20_000
)

// changeLog collects changes, by account. The zero value is empty.
type changeLog struct {
	byAccount map[string][]TrailChange
	count     int  // of all accounts
	full      bool // changes were not kept
}

func (l *changeLog) add(changes []TrailChange) {
	for _, c := range changes {
		c = clipChange(c)
		if l.byAccount == nil {
			l.byAccount = map[string][]TrailChange{}
		}
		l.byAccount[c.Account] = append(l.byAccount[c.Account], c)
		l.count++
		if n := len(l.byAccount[c.Account]); n >= 2*maxChanges {
			l.byAccount[c.Account] = l.earliest(l.byAccount[c.Account], maxChanges)
			l.count -= n - len(l.byAccount[c.Account])
		}
		if l.count >= 2*maxAllChanges {
			all := l.all()
			l.byAccount, l.count = map[string][]TrailChange{}, len(all)
			for _, c := range all {
				l.byAccount[c.Account] = append(l.byAccount[c.Account], c)
			}
		}
	}
}

// all returns the changes in order of time, each once.
func (l *changeLog) all() []TrailChange {
	var all []TrailChange
	for _, cs := range l.byAccount {
		all = append(all, l.earliest(cs, maxChanges)...)
	}
	slices.SortFunc(all, compareChanges)
	if len(all) > maxAllChanges {
		l.full = true
		all = slices.Clone(all[:maxAllChanges])
	}
	return all
}

// earliest returns the earliest changes, each once, in order, at most so many.
func (l *changeLog) earliest(cs []TrailChange, most int) []TrailChange {
	cs = inOrder(cs)
	if len(cs) > most {
		l.full = true
		clear(cs[most:])
		cs = cs[:most]
	}
	return cs
}

// blindSpot says that changes were not kept; empty if all were. A change can
// concern any account, so it is one of all.
func (l *changeLog) blindSpot() []string {
	if l.full {
		return []string{"the archive tells of more changes of trails than were kept"}
	}
	return nil
}

func inOrder(cs []TrailChange) []TrailChange {
	slices.SortFunc(cs, compareChanges)
	return slices.CompactFunc(cs, func(a, b TrailChange) bool { return a.EventID != "" && a.EventID == b.EventID })
}

func compareChanges(a, b TrailChange) int {
	organization := func(c TrailChange) int {
		if c.Organization {
			return 0 // before its copy in the account's own trail
		}
		return 1
	}
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.EventID, b.EventID), organization(a)-organization(b),
		cmp.Compare(a.Account, b.Account), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Trail, b.Trail), cmp.Compare(a.Region, b.Region))
}
