package main

// mutants are the rules of judgment, each broken in one way. A rule that changes
// its words must change them here too, and one that is new wants a mutant. What
// is guarded twice has none: without ReadAt a key is read before its creation too,
// and without a date of creation it is older than KMS.
var mutants = []mutant{
	// classify.go: the window and the count of days.
	{"a window of nanoseconds is valid", "classify.go", `(p.Window < day || p.Window > maxWindow)`, `(p.Window < 0 || p.Window > maxWindow)`},
	{"an unknown class name reads as Idle", "classify.go", `	*c = Unknown
	for i, n := range classNames {`, `	*c = Idle
	for i, n := range classNames {`},
	{"an event-less count begins at tracking for keys created with it", "classify.go", `case !u.Created.Before(u.TrackingStart):`, `case u.Created.After(u.TrackingStart):`},
	{"days are rounded up", "classify.go", `int(to.Sub(from)/day))`, `int((to.Sub(from)+day-1)/day))`},

	// classify.go: the time up to which silence counts.
	{"silence counts up to the reading", "classify.go", `until := lu.ReadAt.Add(-Lag)`, `until := lu.ReadAt`},
	{"a later time to judge at adds silence", "classify.go", `if !e.p.AsOf.IsZero() && e.p.AsOf.Before(until) {`, `if !e.p.AsOf.IsZero() {`},

	// classify.go: uses.
	{"a last use that was not read is none", "classify.go", `	if lu == nil {
		return e.unread()
	}`, `	if lu == nil {
		lu = &LastUsage{ReadAt: time.Now(), Created: time.Now().Add(-maxWindow), TrackingStart: time.Now().Add(-maxWindow)}
		e.f.LastUsage = lu
	}`},
	{"a newer event is ignored", "classify.go", `case lu.Use != nil && (seen == nil || !seen.At.After(lu.Use.At)):`, `case lu.Use != nil:`},
	{"events before tracking are ignored", "classify.go", `		v = e.usedBeforeTracking(*seen, until)`, `		v = e.unused(until)`},
	{"as many days as the window are idle", "classify.go", `	if v.TrailingDays > e.p.days() {
		v.Class = Idle`, `	if v.TrailingDays >= e.p.days() {
		v.Class = Idle`},
	{"a use that KMS lacks is silence", "classify.go", `	if v.Class == Idle {
		return contradictory(`, `	if v.Class == Unused {
		return contradictory(`},
	{"an event without an ID is the recorded use", "classify.go", `r.EventID != "" && r.EventID == u.EventID`, `r.EventID == u.EventID`},
	{"an event of the recorded use may be much later", "classify.go", ` && u.At.Sub(r.At) < Lag`, ``},
	{"of a use and its event KMS's time counts", "classify.go", `v = e.used(*seen, until, recordedUse(*seen))`, `v = e.used(*lu.Use, until, recordedUse(*seen))`},
	{"a hole after a use before tracking is ignored", "classify.go", `	if covered(e.f, u.At, start) {`, `	if covered(e.f, u.At, u.At) {`},
	{"a use with a hole since is the last, whatever came after", "classify.go", `	v := e.used(Use{At: start}, until, why)
	v.LastUse`, `	v := e.used(u, until, why)
	v.LastUse`},
	{"a use before a young tracking makes it idle", "classify.go", `		v.Class = Unrecorded
		v.Changes = []Change{e.after(start`, `		v.Class = Idle
		v.Changes = []Change{e.after(start`},
	{"a key from before tracking is unused without any history", "classify.go", `		if !covered(e.f, lu.Created, lu.TrackingStart) {`, `		if lu.Created.After(lu.TrackingStart) {`},
	{"as many days as the window are enough for unused", "classify.go", `	if v.TrailingDays > e.p.days() {
		v.Class = Unused`, `	if v.TrailingDays >= e.p.days() {
		v.Class = Unused`},
	{"a new key is unused", "classify.go", `	v.Class = New
`, `	v.Class = Unused
`},

	// classify.go: contradictions.
	{"two dates of creation are no contradiction", "classify.go", `case f.Metadata != nil && disagree(lu.Created, f.Metadata.Created):`, `case f.Metadata != nil && f.Metadata.Created.IsZero():`},
	{"dates from before KMS are believed", "classify.go", `case lu.Created.Before(launch) || lu.TrackingStart.Before(launch):`, `case lu.Created.Before(launch):`},
	{"half a record is whole", "classify.go", `case (r.First == nil) != (r.Last == nil):`, `case r.First != nil && r.Last == nil && r.First.ErrorCode == "x":`},
	{"uses that were counted and are not shown are ignored", "classify.go", `case r.Last == nil && r.succeeded() > 0:`, `case r.Last == nil && r.succeeded() > 1e6:`},
	{"a failed call is a use", "classify.go", `			case ev.ErrorCode != "":
				return`, `			case ev.ErrorCode == "x":
				return`},
	{"an event before creation is no contradiction", "classify.go", `case ev.At.Before(lu.Created.Truncate(time.Second)):`, `case ev.At.Before(lu.Created.Add(-maxWindow)):`},
	{"a use without a time is no contradiction", "classify.go", `	case at.IsZero():
		return "a use without a time"`, `	case at.IsZero():
		return ""`},
	{"a use after the reading is no contradiction", "classify.go", `	case at.After(now):
`, `	case at.After(now.Add(maxWindow)):
`},
	{"a use before creation is no contradiction", "classify.go", `	case at.Before(lu.Created.Truncate(time.Second)):`, `	case at.Before(lu.Created.Add(-maxWindow)):`},
	{"a use before tracking is no contradiction", "classify.go", `	case at.Before(lu.TrackingStart.Truncate(time.Second)):`, `	case at.Before(lu.TrackingStart.Add(-maxWindow)):`},

	// reason.go: when time alone changes a class.
	{"a change comes a day early", "reason.go", `time.Duration(e.p.days()+1)*day + Lag)`, `time.Duration(e.p.days())*day + Lag)`},

	// history.go: what events cover.
	{"another account's events cover a key's", "history.go", `c.Account == f.Account() && c.Region`, `c.Region`},
	{"another Region's events cover a key's", "history.go", `c.Region == f.Region() && `, ``},
	{"a blind spot is ignored", "history.go", `c.BlindSpots != nil && len(c.BlindSpots) == 0 && `, `c.BlindSpots != nil && `},
	{"who says nothing of blind spots has none", "history.go", `c.BlindSpots != nil && len(c.BlindSpots) == 0 && `, `len(c.BlindSpots) == 0 && `},
	{"a stretch that lost its beginning covers all before its end", "history.go", `!c.From.IsZero() && `, ``},
	{"a hole in the coverage is ignored", "history.go", `		if s.From.After(start) {
			break
		}
`, ``},

	// retire.go: kinds of holds.
	{"a hold of an unknown kind is advice", "retire.go", `	*k = Block
	for i`, `	*k = Advice
	for i`},
	{"a hold of no kind is advice", "retire.go", `	Block HoldKind = iota`, `	Block HoldKind = 2 - iota`},

	// retire.go: the rules.
	{"no hold for a key in use", "retire.go", `		holdUse, holdManaged,`, `		holdManaged,`},
	{"no hold for an AWS managed key", "retire.go", `holdUse, holdManaged, holdState`, `holdUse, holdState`},
	{"no hold for what was not read", "retire.go", `holdState, holdUnread, holdRefused`, `holdState, holdRefused`},
	{"no hold for a refusal", "retire.go", `holdUnread, holdRefused, holdNeeded`, `holdUnread, holdNeeded`},
	{"no hold for what a resource needs", "retire.go", `holdRefused, holdNeeded, holdGrants`, `holdRefused, holdGrants`},
	{"a verdict without its evidence is believed", "retire.go", `case f.LastUsage == nil || v.Until`, `case v.Until`},
	{"as many days as the window let a key go", "retire.go", `case v.TrailingDays > v.WindowDays:`, `case v.TrailingDays >= v.WindowDays:`},
	{"a young tracking holds nothing", "retire.go", `		case v.TrailingDays > v.WindowDays:
			return nil`, `		case v.TrailingDays > v.WindowDays || v.Class == Unrecorded:
			return nil`},
	{"a manager that nobody knows is the customer", "retire.go", `m != nil && m.Manager != types.KeyManagerTypeCustomer {`, `m != nil && m.Manager == types.KeyManagerTypeAws {`},
	{"a key pending deletion may be retired", "retire.go", `	case types.KeyStatePendingDeletion, types.KeyStatePendingReplicaDeletion:
		return []Hold`, `	case types.KeyStatePendingDeletion:
		return nil
	case types.KeyStatePendingReplicaDeletion:
		return []Hold`},
	{"the silence of a disabled key means as much as any", "retire.go", `Code: SwitchedOff, Kind: Clearable,`, `Code: SwitchedOff, Kind: Advice,`},
	{"a key in a disconnected store may be retired", "retire.go", `	case types.KeyStateUnavailable:
		return []Hold`, `	case types.KeyStateUnavailable:
		return nil
	case "x":
		return []Hold`},
	{"a state that nobody knows may be retired", "retire.go", `	default:
		return []Hold{{Code: UnknownState`, `	default:
		return nil
	case "x":
		return []Hold{{Code: UnknownState`},
	{"a gap that nobody knows is advice", "retire.go", `		switch g.Op {
		case opListAliases, opListTags, opListRotations:
			h.Kind = Advice
`, `		h.Kind = Advice
		switch g.Op {
		case opListGrants, opDescribeKey, opGetKeyPolicy, opListKeys:
			h.Kind = Block
`},
	{"refusals that are not shown are ignored", "retire.go", `if r.Dropped.Refusals > 0 && len(r.Refusals) == 0 {`, `if r.Dropped.Refusals > 1e6 {`},
	{"a resource that needs the key is advice", "retire.go", `Code: NeededBy, Text:`, `Kind: Advice, Code: NeededBy, Text:`},
	{"only the first record names what needs the key", "retire.go", `for _, r := range f.History {
		for _, d := range r.Dependents {`, `for _, r := range f.History[:min(1, len(f.History))] {
		for _, d := range r.Dependents {`},
	{"a refusal without a time is past", "retire.go", `	if past && !latest.At.IsZero() {`, `	if past {`},
	{"every refusal is past", "retire.go", `latest.At.Before(v.windowStart())`, `latest.At.Before(v.Until)`},
	{"a recent grant is clearable", "retire.go", `Code:  RecentGrant,`, `Kind: Clearable, Code: RecentGrant,`},
	{"an old grant is advice", "retire.go", `Code: Granted, Kind: Clearable,`, `Code: Granted, Kind: Advice,`},
	{"every grant is old", "retire.go", `g.Created.After(since) {`, `g.Created.After(since.Add(maxWindow)) {`},
	{"a grant without a date is old", "retire.go", `v.Until.IsZero() || g.Created.IsZero() || g.Created`, `v.Until.IsZero() || g.Created`},
	{"a policy that names someone is advice", "retire.go", `Code: PolicyNames, Kind: Clearable,`, `Code: PolicyNames, Kind: Advice,`},
	{"an idle key has nothing encrypted under it", "retire.go", `return v.Class == Unused && !f.MultiRegion() && f.Metadata`, `return v.Class != Unrecorded && !f.MultiRegion() && f.Metadata`},
	{"a multi-Region key that was never used has nothing encrypted under it", "retire.go", `return v.Class == Unused && !f.MultiRegion() && f.Metadata`, `return v.Class == Unused && f.Metadata`},
	{"a public half that someone may hold is advice", "retire.go", `Code: PublicHalf, Kind: Clearable,`, `Code: PublicHalf, Kind: Advice,`},
	{"complete history clears the public half of a key that was used", "retire.go", `if v.Class == Unused && !f.MultiRegion() && m.Origin`, `if !f.MultiRegion() && m.Origin`},
	{"complete history of one Region clears the public half of a set", "retire.go", `if v.Class == Unused && !f.MultiRegion() && m.Origin`, `if v.Class == Unused && m.Origin`},
	{"an origin that was not read is KMS", "retire.go", `m.Origin == types.OriginTypeAwsKms &&`, `m.Origin != types.OriginTypeExternal &&`},
	{"GetPublicKey is ignored", "retire.go", `		if r.PublicKey != nil {`, `		if r.PublicKey != nil && r.PublicKey.ErrorCode != "" {`},

	// set.go: members of multi-Region sets.
	// policydoc.go: whom a policy names.
	{"of an element that stands twice the last counts", "policydoc.go", `			if seen[n] {`, `			if seen[n] && n == "" {`},
	{"elements in other letters are ignored", "policydoc.go", `if member != n && strings.EqualFold(member, n) {`, `if member != n && n == "" {`},
	{"everyone but some is nobody", "policydoc.go", `		return []string{"everyone but some"}, nil`, `		return nil, nil`},
	{"a condition on the root is ignored", "policydoc.go", ` || s["Condition"] != nil {`, ` {`},
	{"a service of the account's name is its root", "policydoc.go", `kind != "AWS" || !isRoot(n, account)`, `!isRoot(n, account)`},
	{"no principal is nobody", "policydoc.go", `	if !some {`, `	if !some && len(who) > 0 {`},
	{"a principal without a name is nobody", "policydoc.go", `				return nil, fmt.Errorf("a principal of kind %s has no name", kind)`, `				some = true
				continue`},
	{"any account's root is the root", "policydoc.go", `f[2] == "iam" && f[4] == account && f[5]`, `f[2] == "iam" && f[5]`},

	{"a set reaches over accounts", "set.go", `return setID{p.Partition, p.Account, p.ID}, true`, `return setID{p.Partition, "", p.ID}, true`},
	{"a member need not be what it says", "set.go", ` && m.Role == role(f.ARN, m) && `, ` && `},
	{"a member that lost its replicas has none", "set.go", ` && m.Replicas != nil
`, `
`},
	{"of two findings of one member the last counts", "set.go", `; times[f.ARN] == 1 {`, `; times[f.ARN] > 0 {`},
	{"replicas that others name are not members", "set.go", `append([]string{m.Primary}, m.Replicas...) {`, `[]string{m.Primary} {`},
	{"a member whose last use was not read was seen", "set.go", `f.Metadata.MultiRegion == nil || f.LastUsage == nil {`, `f.Metadata.MultiRegion == nil {`},
	{"a multi-Region key may be judged alone", "set.go", `	if !f.MultiRegion() {
		return nil
	}
	return []Hold`, `	if f.ARN != "" {
		return nil
	}
	return []Hold`},
	{"an unseen member is ignored", "set.go", `	if len(s.Unseen) > 0 {`, `	if len(s.Unseen) > 3 {`},
	{"members may disagree", "set.go", `Code: SetUnclear,`, `Code: SetUnclear, Kind: Advice,`},
	{"a disabled primary brings replicas back", "set.go", `primary.Metadata.State == types.KeyStateEnabled {`, `primary.Metadata.State != "" {`},
	{"a primary may go while its replica is used", "set.go", `case v.Class == Active && f.ARN == s.Primary:
			hs`, `case v.Class == Active && f.ARN == s.Primary:
		case v.Class == Active && f.ARN == "":
			hs`},
	{"what holds a member holds no other", "set.go", `h.Kind != Advice && h.Code != BeingDeleted`, `h.Kind != Advice && h.Code == UsageUnknown`},
	{"what blocks a member is clearable for the others", "set.go", `Kind: other.Kind,`, `Kind: Clearable,`},
	{"a new member is ignored", "set.go", `case len(holdUse(member, v)) > 0:`, `case v.Class != New && len(holdUse(member, v)) > 0:`},
	{"a member unrecorded in a young tracking is ignored", "set.go", `case len(holdUse(member, v)) > 0:`, `case v.Class != Unrecorded && len(holdUse(member, v)) > 0:`},

	// assess.go: the one answer to act upon.
	{"an assessment of no key is retirable", "assess.go", `f.Account() == "" || a.Holds`, `a.Holds`},
	{"a verdict of another class is believed", "assess.go", `again.Class != v.Class || again.TrailingDays`, `again.TrailingDays`},
	{"a clearable hold is ignored", "assess.go", `holding := func(h Hold) bool { return h.Kind != Advice }`, `holding := func(h Hold) bool { return h.Kind == Block }`},
	{"a member that lost its place is retirable", "assess.go", `f.MultiRegion() && !placed(f) {`, `f.MultiRegion() && f.Metadata == nil {`},
	{"rules are not asked again", "assess.go", `return !slices.ContainsFunc(a.Holds, holding) && `, `return !slices.ContainsFunc(a.Holds, holding) || `},
	{"JSON without holds has none", "assess.go", `	*a = Assessment{Finding: j.Finding, Verdict: j.Verdict, Holds: j.Holds}`, `	*a = Assessment{Finding: j.Finding, Verdict: j.Verdict, Holds: append([]Hold{}, j.Holds...)}`},
	{"a key found twice is judged as two", "assess.go", `		if times[a.Finding.ARN] > 1 {`, `		if times[a.Finding.ARN] > 2 {`},
	{"members are judged one by one as they come", "assess.go", `			case f.MultiRegion():
				members = append(members, f)
`, ``},
	{"a stream is judged by an invalid policy", "assess.go", `		if err := p.Validate(); err != nil {`, `		if err := p.Validate(); err != nil && p.Window > 0 {`},

	// finding.go: what a finding says of itself, and how it is read back.
	{"a finding keeps what was decoded into it before", "finding.go", `	var fresh plain
`, `	fresh := plain(*f)
`},
	{"a use that was lost in JSON is none", "finding.go", `err != nil || j.Use == nil {
		return err
	}`, `err != nil {
		return err
	}
	if j.Use == nil {
		j.Use = json.RawMessage("null")
	}`},
}
