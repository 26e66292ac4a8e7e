// Package cloudtrail is where CloudTrail's answers to [usage.History] belong:
// who made the last use of a key, whether it was used before KMS began to track
// use, and whether anyone has tried since it was disabled.
//
// The contract stands in package usage, so that [usage.Inspect] takes any
// source of events and [usage.Classify] judges by it; no source is here yet.
// Until then pass your own implementation in [usage.InspectOptions], or none:
// keys older than the tracking of use are then [usage.Unrecorded].
package cloudtrail

import "github.com/kmsusage/usage"

// History is what a source of recorded events answers to.
type History = usage.History
