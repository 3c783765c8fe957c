package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/verdict"
)

// A check has the figures that are set for it, and else those of the fleet.
func TestRulesOfAConfiguration(t *testing.T) {
	figures := verdict.Parameters{Failures: 6, SlowOver: 2 * time.Second}
	c := &Config{MinProbes: 2, Checks: []Check{
		{ID: "plain", Every: time.Minute},
		{ID: "set", Every: 30 * time.Second, MinProbes: 3, Limited: true, Verdict: figures},
	}}
	want := verdict.Rules{
		"plain": {Interval: time.Minute, MinProbes: 2},
		"set":   {Interval: 30 * time.Second, MinProbes: 3, Limited: true, Parameters: figures},
	}
	if diff := cmp.Diff(want, c.Rules()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := (&Config{Checks: c.Checks}).Rules()["plain"].MinProbes; got != 1 {
		t.Errorf("nothing given: got a quorum of %d, want 1", got)
	}
}
