//go:build race

package archive

import "runtime"

// singleThreaded keeps the bubbles on one thread: with more, the race detector
// of Go 1.26 crashes in them now and then (golang/go#78156).
func singleThreaded() { runtime.GOMAXPROCS(1) }
