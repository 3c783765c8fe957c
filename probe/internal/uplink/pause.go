package uplink

import "time"

const (
	// firstPause and longestPause bound the pauses between attempts: the first
	// is short against the 30 s of a check, the longest costs a coordinator of
	// 100 probes three handshakes a second.
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

// pause is how long to wait after the n-th round in a row that failed, n from
// 1: a random part ("full jitter") of a bound that doubles each time. r is
// random in [0, 1).
func pause(n int, r float64) time.Duration {
	bound := longestPause
	if n < 8 {
		bound = min(firstPause<<(n-1), longestPause)
	}
	return time.Duration(r * float64(bound))
}
