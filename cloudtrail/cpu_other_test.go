//go:build !unix

package cloudtrail

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
