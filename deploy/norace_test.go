//go:build !race

package deploy

import "time"

func singleThreaded() {}

// playable is how much virtual time a scenario may take that is played here.
func playable() time.Duration { return longest }

// playedOutages is how many outages are measured.
func playedOutages() int { return 100 }
