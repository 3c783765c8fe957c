package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/verdict"
)

// TestFiguresOfAVerdict reads every figure, and leaves the check as probes know it
// alone.
func TestFiguresOfAVerdict(t *testing.T) {
	c, err := Parse("c.yaml", []byte(minimal+`    verdict: {failures: 5, good: 2, min_probes: 3, share: 10%, share_ends: 2.5%, share_over: 20m, share_runs: 120,
      falls: 4, falls_within: 2h, calm: 45m, slow_times: 2.5, slow_more: 300ms, slow_over: 2s}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := verdict.Parameters{
		Failures: 5, Good: 2, ShareOver: 20 * time.Minute, ShareRuns: 120, ShareBegins: 0.1, ShareEnds: 0.025,
		Falls: 4, FallsWithin: 2 * time.Hour, Calm: 45 * time.Minute,
		SlowTimes: 2.5, SlowMore: 300 * time.Millisecond, SlowOver: 2 * time.Second,
	}
	if diff := cmp.Diff(want, c.Checks[0].Verdict.Parameters()); diff != "" || c.Checks[0].Verdict.MinProbes != 3 {
		t.Errorf("min_probes %d; (-want +got):\n%s", c.Checks[0].Verdict.MinProbes, diff)
	}
	plain, err := Parse("c.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain.Targets(), c.Targets()); diff != "" {
		t.Errorf("what probes are told (-plain +with figures):\n%s", diff)
	}
}

// TestFiguresOfTheExample: the defaults that the example tells are those of the rule.
func TestFiguresOfTheExample(t *testing.T) {
	d := verdict.Parameters{}.WithDefaults()
	for _, want := range []string{
		"failures: 4, good: 3", "share: 5%, share_ends: 2%, share_over: 10m, share_runs: 60", "falls: 3, falls_within: 1h, calm: 30m",
		"slow_times: 3, slow_more: 500ms",
	} {
		if !strings.Contains(example, want) {
			t.Errorf("the example does not say %q", want)
		}
	}
	c, err := Parse("c.yaml", []byte(minimal+`    verdict: {failures: 4, good: 3, share: 5%, share_ends: 2%, share_over: 10m, share_runs: 60, falls: 3, falls_within: 1h,
      calm: 30m, slow_times: 3, slow_more: 500ms}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, c.Checks[0].Verdict.Parameters()); diff != "" {
		t.Errorf("(-default +example):\n%s", diff)
	}
}
