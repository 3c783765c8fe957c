//go:build !race

package deploy

import (
	"testing"
	"time"
)

func singleThreaded() {}

// playable is how much virtual time a scenario may take that is played here.
func playable() time.Duration { return longest }

// playedOutages is how many outages are measured.
func playedOutages() int { return 100 }

// needCalm skips what cannot be played beside the race detector.
func needCalm(*testing.T) {}
