//go:build unix

package cloudtrail

import (
	"syscall"
	"time"
)

// cpuTime is what this process and those that it waited for have used of the
// processors: on a machine that others use too it says more than the clock.
func cpuTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}
