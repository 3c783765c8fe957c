//go:build race

package spool

import (
	"os"
	"runtime"
	"testing"
)

// share of three days that is kept in a test: here each takes twenty times as
// long.
const share = 70

// TestMain keeps the race detector alive in bubbles (golang/go#78156, go1.26).
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	os.Exit(m.Run())
}
