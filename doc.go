// Package usage tells which AWS KMS keys are unused, what still depends on them,
// and whether they may be retired. Deleting a key destroys every byte encrypted
// under it, so the package's first duty is never to call a key unused that is
// not; its second is to be useful in spite of that.
//
// # Evidence
//
// [Inspect] reads the keys of one account and Region, [InspectFleet] those of
// many at once. Both stream: each [Finding] holds the facts about one key and
// nothing else, no judgment. What could not be read is a [Gap] in the finding,
// with the reason; a denied answer is never mistaken for silence. Every call is
// paced to AWS's request quotas, of which GetKeyLastUsage's 5 a second is the
// one that matters: reading N keys takes N/5 seconds and a twentieth more.
//
//	findings, err := usage.Collect(usage.Inspect(ctx, kms.NewFromConfig(cfg)))
//	// Use the findings first: they are good whatever the error says is missing.
//
// A [History] adds what KMS does not keep: who made the last use, what was before
// tracking began, whether anyone was refused since. Package cloudtrail has several.
//
// # Verdict
//
// [Classify] says what the evidence means for the use of a key: a [Class] with
// reasons, and what would change it. It is a pure function of a finding and a
// [Policy]; it knows no clock. The class alone is not a permission to delete:
//
//   - Active: used within the window (90 days unless told otherwise).
//   - Idle: last used longer ago. There may be data under the key all the same.
//   - Unused: never used since it was created. For a symmetric single-Region key
//     this proves that nothing was ever encrypted under it.
//   - New: not used yet, and too young to judge.
//   - Unrecorded: older than KMS's tracking of use, which began in spring 2026, and
//     silent since. Only CloudTrail knows what was before.
//   - Unknown: not readable, or contradictory. Always held. So are AWS managed
//     keys, which are not asked for their last use: nobody can retire them.
//
// [Holds] lists what stands against retiring a key: blocking, clearable by a
// probe or the owner, or merely good to know. Nothing in this version takes the
// owner's word: a key with a clearable hold is not retirable. [Assess] does both
// for many keys and adds what only the whole shows: members of a multi-Region set
// decrypt each other's data, so a set is judged together, and a member that was
// not seen holds all of it. [Assessment.Retirable] is the one answer to act upon.
//
//	for _, a := range usage.Assess(findings, usage.Policy{}) {
//		if a.Retirable() { … }
//	}
//
// # Plan
//
// Retirement itself (disable, watch, schedule deletion, in which order and when)
// is to be the business of package retire, which plans and never calls AWS. Even
// the best evidence is not proof, says AWS: "Do not solely rely on last usage
// information when deleting unused keys. Instead, disable the key first and
// monitor AWS CloudTrail for DisabledException entries, which indicate attempts to
// use the key while disabled."
// https://docs.aws.amazon.com/kms/latest/developerguide/monitoring-keys-determining-usage.html
//
// # Testing
//
// Package kmsiface has the interfaces, kmsiface/kmsmock mocks of them, and
// kmsiface/kmsfake a whole KMS and its CloudTrail in memory, behind HTTP or in
// process, with quotas, faults and a clock.
package usage
