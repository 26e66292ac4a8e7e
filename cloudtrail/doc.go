// Package cloudtrail answers from CloudTrail what KMS does not keep: who made the
// last use of a key, whether it was used before KMS began to track use, and
// whether anyone has tried since it was disabled. What it knows is a
// [usage.History]: pass it in [usage.InspectOptions] or a [usage.Target], and
// [usage.Classify] judges by it.
//
// # Log files
//
// [Scan] reads an archive of log files as CloudTrail delivers them to S3, from any
// [io/fs.FS], and answers for all keys at once. It learns from paths what it need
// not open: other accounts, Regions and days than were asked for, digests,
// insights, network activity, aggregated events, and the logs of other services
// in the same bucket.
//
//	prefix/AWSLogs/[o-organization/]account/CloudTrail/region/2026/03/01/*.json.gz
//
// Files may also lie anywhere else, be packed or plain, and hold records in any
// mixture of: an object around an array named Records, an array, records one after
// another (JSON lines), what LookupEvents answers. Memory does not depend on the
// size of a file. What cannot be read, be it a folder, a file or a record, is a
// [Gap] that names it, and all the rest counts. Of a member of a record that is
// there twice the last counts, as in encoding/json; of arrays of records all do.
//
// A record is about the keys whose ARNs stand in its resources; where there are
// none, in its request or its answer; where there are none, in its error message.
// A bare key ID never counts, since the members of a multi-Region set share it, nor
// does an alias, which moves. The Region is that of the ARN. Records of one event
// count once, in whichever folders and accounts they lie, except beyond
// [ScanOptions.DedupeWindow].
//
//   - Use is a tracked operation that succeeded, and nothing else: not what was
//     denied, not DescribeKey or GetKeyLastUsage, with which keys are inspected.
//   - A refusal is a tracked operation or CreateGrant that failed since the key was
//     disabled, pending deletion, pending import or unavailable.
//   - A refusal that names several keys is of those that its message names, of all if
//     it names none.
//   - A record that does not tell whether its call failed, and one of more than 16
//     keys, is a gap.
//   - A key is off since the call that made it unusable for the last time, as
//     DisableKey, ScheduleKeyDeletion, DeleteImportedKeyMaterial and their opposites
//     tell when they are replayed in order of time.
//   - It was created by CreateKey or, a replica, by ReplicateKey.
//
// Only management events are read: network activity and insights tell of calls
// that have a record of their own.
//
// # What coverage claims
//
// That no use was seen says something only where [LogHistory.Coverage] reaches: for
// an account and Region, from the first of its log files to a quarter of an hour
// before the last, with a hole for every day without a file, since CloudTrail
// delivers nothing for a time in which nothing happened and the archive does not
// tell that from files that were lost. Only files that lie where CloudTrail puts
// them cover anything, or whose names are those that it gives.
//
// Each tree of folders is a claim of its own: prefix/AWSLogs of a trail,
// prefix/AWSLogs/o-abcde12345 of an organization's. A trail that leaves KMS out
// fills no hole of one that does not, and a file that is damaged in one tree is not
// missing in another. What two trails deliver into one bucket under one prefix
// cannot be told apart: give each its own. Within coverage these are blind spots,
// and prove no absence:
//
//   - days with a gap, or with a use, a refusal or a GetPublicKey that does not name
//     all its keys (a ReEncrypt has two); the day before too where the first files
//     of a day are concerned, which hold its end;
//   - more than a week in a row without a single KMS event that reads, as uses do: the
//     trail may leave KMS out ([ScanOptions.QuietDays]);
//   - everything after PutEventSelectors, StopLogging, UpdateTrail or DeleteTrail
//     ([TrailChange]). They are logged in the account and home Region of the trail,
//     so a scan that leaves those out does not see them, nor does one that begins
//     later ([ScanOptions.From]);
//   - everything, if the scan was interrupted, or the archive names more keys or tells
//     of more changes of trails than are kept.
//
// What nobody can tell from log files is how the trail was set up before the first
// of them, and whether files were taken out of a day that has others.
// [LogHistory.With] adds what the trails leave out today.
//
// # Event history
//
// [EventHistory] asks LookupEvents, which holds the last 90 days of every account
// and Region, trail or not, at two requests a second. It asks what answers in a
// call or two: by the event ID that KMS gave, who made the last use; since when
// keys are off; who was refused since, newest first. It corroborates and never
// proves absence, since AWS does not promise to show failed calls:
// [EventHistory.Control] tells whether it showed one that was made on purpose.
// [EventHistory.Estimate] tells the cost before.
//
// # Trails
//
// [ReadTrails] asks what the trails of a Region record, where they deliver it and
// whether they do. What they leave out is a blind spot; what could not be read is
// unknown, never fine. The key that a trail encrypts with is a dependent.
//
// # Archives too large for one machine
//
// [AthenaTable] and [LakeStore] write the statements that ask an archive where it
// lies, one for all keys, and read the answers into a [QueryHistory] through a
// [Querier]. They decide by the rules by which log files are read.
package cloudtrail

import "github.com/kmsusage/usage"

// History is what a source of recorded events answers to.
type History = usage.History
