//go:build !race

package cloudtrail

// raceEnabled: the race detector multiplies memory.
const raceEnabled = false
