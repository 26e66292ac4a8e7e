// Package kmsfake is an AWS KMS in memory, for tests, examples and benchmarks of
// code that inspects and retires keys.
//
// A [Server] is an [net/http.Handler] that speaks AWS JSON 1.1, so that the real
// SDK client talks to it: over loopback HTTP, or in process by [Server.Client],
// which opens no socket and starts no goroutine and so works in a
// testing/synctest bubble. Keys are put in by [Server.AddKey] or by CreateKey,
// thousands at once by [Populate]. Everything they are used for through the API,
// or by [Server.Use], shows in GetKeyLastUsage: for each member of a multi-Region
// set separately, after a settable lag, from a settable tracking start.
//
// # Who calls
//
// The caller's account and Region come from the credential scope of the
// Signature Version 4 header; the signature is not checked. [Credentials] are
// those of an account's administrator, whose access key ID is AKIA0000 and the
// account. [Server.AddPrincipal] makes others known.
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
// module. HTTP status codes are those of the SDK's model (404, 409, 412); AWS's
// API reference has 400 in their place. Message texts are AWS's where they are
// known. These things differ from AWS:
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
//   - Changes are visible at once: there is no eventual consistency.
package kmsfake
