package checks

import (
	"strconv"
	"testing"
	"time"
)

// TestChainsForgetTheOldestServer and never hold more than their bound.
func TestChainsForgetTheOldestServer(t *testing.T) {
	var c Chains
	now := time.Now()
	server := func(i int) believed { return believed{name: strconv.Itoa(i)} }
	for i := range 2*serversMax + 7 {
		c.remember(server(i), &verified{from: now, until: now})
		c.remember(server(i), &verified{from: now, until: now}) // again
	}
	if len(c.known) != serversMax || len(c.order) != serversMax {
		t.Errorf("holds %d servers in an order of %d, want %d", len(c.known), len(c.order), serversMax)
	}
	for i, want := range map[int]bool{serversMax + 6: false, serversMax + 7: true, 2*serversMax + 6: true} {
		if got := c.find(server(i), [32]byte{}, now) != nil; got != want {
			t.Errorf("server %d remembered: %v, want %v", i, got, want)
		}
	}
	if got := len(c.known[server(2*serversMax)]); got != 1 {
		t.Errorf("one chain stands there %d times", got)
	}
}
