// Package kmsfake is an AWS KMS and a CloudTrail in memory, for tests, examples and
// benchmarks of code that inspects and retires keys.
//
// A [Server] is an [net/http.Handler] that speaks AWS JSON 1.1, so that the real
// SDK clients talk to it: over loopback HTTP, or in process by [Server.Client] and
// [Server.CloudTrail], which open no socket and start no goroutine and so work in
// a testing/synctest bubble. Keys are put in by [Server.AddKey] or by CreateKey,
// thousands at once by [Populate]. Everything they are used for through the API,
// or by [Server.Use], shows in GetKeyLastUsage: for each member of a multi-Region
// set separately, after a settable lag, from a settable tracking start.
//
//	clock := kmsfake.NewClock(time.Date(2026, time.August, 1, 12, 0, 0, 0, time.UTC))
//	srv := kmsfake.New(func(o *kmsfake.Options) { o.Now = clock.Now })
//	arn := srv.MustAddKey(kmsfake.Key{Account: "111122223333", Region: "us-east-1"})
//	client := srv.Client("111122223333", "us-east-1") // a *kms.Client
//	_, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})
//	clock.Advance(90 * 24 * time.Hour) // and GetKeyLastUsage tells of a use 90 days ago
//
//	url, stop, err := srv.Start() // over HTTP, for clients with this BaseEndpoint
//	defer stop()
//
// Who reads the server must see the same clock: give clock.Now to everything that
// takes one, such as InspectOptions of package usage and EventHistoryOptions,
// ScanOptions, TrailOptions and QueryOptions of package cloudtrail.
//
//	for finding, err := range usage.Inspect(ctx, client, func(o *usage.InspectOptions) { o.Now = clock.Now }) {
//
// Without [Options].Now the server goes by time.Now, which in a testing/synctest
// bubble begins with the year 2000. KMS did not exist then, and for package usage
// every key whose dates are so early is Unknown: move the bubble to a date of
// today first, before the server is made.
//
//	synctest.Test(t, func(t *testing.T) {
//		time.Sleep(time.Until(time.Date(2026, time.August, 1, 0, 0, 0, 0, time.UTC))) // takes no time
//		srv := kmsfake.New()
//
// What was used before [Options].TrackingStart leaves no record; by default that
// is 2026-04-23, as in AWS, or the time at which the server was made, if its clock
// showed an earlier one.
//
// # Who calls
//
// The caller's account and Region come from the credential scope of the
// Signature Version 4 header; the signature is not checked. [Credentials] are
// those of an account's administrator, whose access key ID is AKIA0000 and the
// account. [Server.AddPrincipal] makes others known, such as a role for which an
// AWS service calls.
//
// # What CloudTrail knows
//
// Every call of either service leaves an event, refused ones too, in the form of
// AWS's examples, and so do [Server.Use], which can be long ago, and
// [Server.Delete]. [Server.AddKey], [Server.SetState] and what else puts things
// into the server without a call leave none, but for the uses of Key.LastUsed: who
// needs an event of CreateKey or DisableKey calls them. The event ID
// that GetKeyLastUsage answers is that of the event of the use. LookupEvents finds
// events with the limits that AWS documents. Trails, which [Server.AddTrail] or
// CreateTrail makes, are read by DescribeTrails, GetEventSelectors and
// GetTrailStatus and changed by UpdateTrail, DeleteTrail, StartLogging,
// StopLogging and PutEventSelectors. [Server.WriteArchive] writes the log files
// that they delivered. That failed calls are hard to find, which AWS reserves to
// itself, is an option: [Options].Failures and [Options].PromisedNamesOnly.
//
// # What goes wrong
//
// Request quotas throttle, by default at AWS's own rates and counted in one of
// three ways ([Shape]). [Server.Inject] puts faults in the way of calls: errors,
// cut connections, slow and malformed answers. [Server.Deny] denies them. Key
// states answer with the errors that AWS documents, operation by operation. An
// operation that is not served fails with UnknownOperationException and its own
// name; [Operations] lists those that are.
//
// # What is real and what is not
//
// Wire form, paging, key states, error codes and the record of use follow AWS's
// documentation and are tested against it and against the snapshots in the SDK
// module. The HTTP status of errors is 400, 500 of KMSInternalException, as the live
// service has it, not the 404, 409 and 412 of the SDK's model. Message texts are
// AWS's where they are known. These things differ from AWS:
//
//   - Symmetric encryption, RSA, NIST curves, Ed25519, ML-KEM-768, ML-KEM-1024 and
//     HMAC are real, and what they make is understood outside. secp256k1, SM2,
//     ML-DSA and ML-KEM-512 are not in Go's standard library: their signatures,
//     ciphertexts, secrets and public keys have the right form and mean something
//     to the same key only. Data key pairs of these specs are refused. Nothing is
//     secret: key material follows from [Options].Seed.
//   - IAM policies are not modeled: within its account a principal may do
//     everything to customer managed keys, and read AWS managed keys. Of a key
//     policy only Allow statements without conditions count, for other accounts.
//     Grants count for other accounts, without their constraints.
//   - Time passes without consequences: no key is deleted when its waiting period
//     ends ([Server.Delete] does that), no imported material expires, nothing is
//     rotated automatically. ReplicateKey and UpdatePrimaryRegion are done at once,
//     without the states Creating and Updating, which [Server.SetState] sets.
//   - Key material cannot be imported, custom key stores are managed by
//     [Server.AddKeyStore] and [Server.SetKeyStoreState] only, and nothing is
//     answered to Nitro enclaves.
//   - Calls that were cut, or answered by something before the service, or that
//     could not be read, leave no event. AWS logs failed calls "in some scenarios"
//     only and does not list them. Events of calls that were denied have neither
//     request parameters nor resources, and the error code AccessDenied.
//   - CloudTrail has management events only, no data and Insights events, no digest
//     files, no event data stores. Events have no tlsDetails. The texts of its
//     errors are the fake's own, but for throttling and unknown trails.
//   - Log files are written when asked for, with their events in order of time and
//     each event once for every trail.
//   - CloudTrail takes what AWS refuses: any event source in advanced selectors of
//     management events, and the fields there that only event data stores can have;
//     selectors of data events without a resource type; a bucket that does not
//     exist, or whose policy does not let CloudTrail write; a key in another Region
//     than the bucket. Of five trails in a Region only those of the account are
//     counted, in the home Region of the new one. On the other hand a prefix with
//     a slash at its ends is refused; what AWS does with one is not documented.
//   - Changes are visible at once: there is no eventual consistency.
//   - The names of members are read without regard to case; AWS ignores a member
//     whose case is wrong. The SDK writes them right.
package kmsfake
