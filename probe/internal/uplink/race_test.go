//go:build race

package uplink_test

import "runtime"

// singleThreaded keeps the race detector alive: with several processors it crashes now
// and then in a bubble in which two goroutines look at a timer that is due at the same
// time (golang/go#78156, go1.26).
func singleThreaded() { runtime.GOMAXPROCS(1) }
