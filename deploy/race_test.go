//go:build race

package deploy

import (
	"runtime"
	"testing"
	"time"
)

// singleThreaded keeps the bubbles on one thread: with more, the race detector
// of Go 1.26 crashes in them now and then (golang/go#78156).
func singleThreaded() { runtime.GOMAXPROCS(1) }

// playable is how much virtual time a scenario may take that is played here: the
// race detector takes ten times as long.
func playable() time.Duration { return 20 * time.Minute }

// playedOutages is how many outages are measured.
func playedOutages() int { return 5 }

// needCalm skips what measures real processes by the clock of the wall: they are
// built without the race detector, and beside it their servers, which are parts of
// the test, answer too late. .ci/run plays them by themselves.
func needCalm(t *testing.T) {
	t.Helper()
	t.Skip("real processes are not played under the race detector: run without -race")
}
