//go:build race

package peer_test

import (
	"os"
	"runtime"
	"testing"
)

// TestMain keeps the race detector alive: with several processors it crashes now
// and then in a bubble in which two goroutines look at a timer that is due at
// the same time (golang/go#78156, go1.26).
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	os.Exit(m.Run())
}
