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

// maxChanges is how many changes are kept of an account, the earliest.
const maxChanges = 1000

// changeLog collects changes, by account.
type changeLog map[string][]TrailChange

func (l changeLog) add(changes []TrailChange) {
	for _, c := range changes {
		l[c.Account] = append(l[c.Account], c)
		if len(l[c.Account]) >= 2*maxChanges {
			l[c.Account] = inOrder(l[c.Account])
		}
	}
}

// all returns the changes in order of time, each once.
func (l changeLog) all() []TrailChange {
	var all []TrailChange
	for _, cs := range l {
		all = append(all, inOrder(cs)...)
	}
	slices.SortFunc(all, compareChanges)
	return all
}

func inOrder(cs []TrailChange) []TrailChange {
	slices.SortFunc(cs, compareChanges)
	cs = slices.CompactFunc(cs, func(a, b TrailChange) bool { return a.EventID != "" && a.EventID == b.EventID })
	return cs[:min(len(cs), maxChanges)]
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
