package agent

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// garbagePercent is how much garbage there may be beside what is in use, before
	// it is collected: Go allows 100. A probe shares its machine, and of 10,000
	// checks this saves 10 MB for a hundredth of a core.
	garbagePercent = 60
	// leastProcs is how many threads of Go may run at once, also on one core. A
	// single one looks at no clock while it collects garbage with nothing else to
	// do, or while the disk takes its time: a run can be 10 ms late by either. With
	// a second one it is the system that shares the core, and it is quick.
	leastProcs = 2
)

// Economize fits the process to a probe: small, and on time on one core. What the
// operator has set in GOGC or GOMAXPROCS stands; GOMEMLIMIT holds beside it.
func Economize() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < leastProcs {
		runtime.GOMAXPROCS(leastProcs)
	}
}
