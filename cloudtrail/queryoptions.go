package cloudtrail

import (
	"cmp"
	"time"
)

// QueryOptions change what [AthenaTable.Ask] and [LakeStore.Ask] ask for. The
// zero value is valid and asks for everything.
type QueryOptions struct {
	// Keys are the ARNs of the keys asked for. Nil: all, which costs the same. Of
	// other keys the history then says nothing, and claims no coverage. Long
	// lists do not fit into a statement: about 2,500 in Athena, 30 in CloudTrail Lake.
	Keys []string
	// Accounts and Regions whose events are read, for example "111122223333" and
	// "us-east-1". Nil: all. Changes of a trail are logged in its own account and home
	// Region: who leaves these out does not see them.
	Accounts []string
	Regions  []string
	// From and To limit the time of the events, UTC; From included, To not. Zero: no
	// limit. Partitions of other days are not read, and not paid for.
	From, To time.Time
	// FirstAndLastOnly leaves out what has to be counted: operations, errors and
	// services. What is counted must remember the ID of every event: if Athena says
	// that resources were exhausted, leave it out or ask for less time at once.
	FirstAndLastOnly bool
	// RefusedSince is from when on refusals are asked for, UTC. Zero: all.
	RefusedSince time.Time
	// Refusals is how many refusals of a key are kept, the newest; the rest is
	// counted. 1 to 1000; zero: 16.
	Refusals int
	// MaxKeys is how many keys are kept; what names others is a gap. Zero: 100,000.
	MaxKeys int
	// QuietDays is for how many days in a row an account may have no reading KMS
	// event in a Region, as in [ScanOptions].
	QuietDays int
	// Complete says that the caller vouches for the archive: nothing is filtered
	// out of the table or the event data store, no log file is missing, and reading
	// fails on a damaged one. Without it every coverage has a blind spot, and
	// proves no absence.
	Complete bool
	// PollEvery is how long to wait before asking for the second time whether a
	// statement is done; then it doubles up to ten seconds. Zero: half a second.
	PollEvery time.Duration
	// Now is the clock by which an event is of the future. Nil: the system's.
	Now func() time.Time

	now time.Time
}

const (
	maxQueryRefusals = 1000

	defaultPoll = 500 * time.Millisecond
	maxPoll     = 10 * time.Second
)

// latest is the last whole second that is not of the future.
func (o *QueryOptions) latest() time.Time { return o.now.Add(maxAhead).Truncate(time.Second) }

func queryOptions(optFns []func(*QueryOptions)) (QueryOptions, error) {
	var o QueryOptions
	for _, fn := range optFns {
		if fn != nil {
			fn(&o)
		}
	}
	switch {
	case o.Refusals < 0 || o.Refusals > maxQueryRefusals:
		return o, invalidOption("Refusals is %d; want 0 for the default or 1 to %d", o.Refusals, maxQueryRefusals)
	case o.MaxKeys < 0:
		return o, invalidOption("MaxKeys is %d; want 0 for the default or more", o.MaxKeys)
	case o.PollEvery < 0:
		return o, invalidOption("PollEvery is %s; want 0 for the default or more", o.PollEvery)
	case !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To):
		return o, invalidOption("From %s is not before To %s", o.From.UTC().Format(time.RFC3339), o.To.UTC().Format(time.RFC3339))
	}
	for _, t := range []time.Time{o.From, o.To, o.RefusedSince} {
		// Times are compared as texts.
		if y := t.UTC().Year(); !t.IsZero() && (y < 1970 || y > 9998) {
			return o, invalidOption("time %s; want one from 1970 to 9998", t)
		}
	}
	for _, k := range o.Keys {
		if !isKeyARN([]byte(k)) {
			return o, invalidOption("key %q; want the ARN of a key", k)
		}
	}
	for _, a := range o.Accounts {
		if !isAccount(a) {
			return o, invalidOption("account %q; want twelve digits", a)
		}
	}
	for _, r := range o.Regions {
		if !isRegion(r) {
			return o, invalidOption("Region %q; want names such as us-east-1", r)
		}
		if err := checkSQLName("Region", r); err != nil {
			return o, err
		}
	}
	if len(o.Keys) == 0 {
		o.Keys = nil
	}
	o.Keys, o.Accounts, o.Regions = sortedOnce(o.Keys), sortedOnce(o.Accounts), sortedOnce(o.Regions)
	o.Refusals = cmp.Or(o.Refusals, defaultRefusals)
	o.MaxKeys = cmp.Or(o.MaxKeys, defaultKeys)
	o.QuietDays = cmp.Or(o.QuietDays, defaultQuietDays)
	o.PollEvery = min(cmp.Or(o.PollEvery, defaultPoll), maxPoll)
	o.From, o.To, o.RefusedSince = o.From.UTC(), o.To.UTC(), o.RefusedSince.UTC()
	if o.Now == nil {
		o.Now = time.Now
	}
	o.now = o.Now()
	return o, nil
}
