package history

import (
	"context"
	"testing"
	"time"
)

// Of the three probes of us-east one cannot tell for the first of two hours. A check that
// needs all three is not covered there for that hour, whatever is enough for the others,
// in minutes and in hours, while they are open and when they are sealed; and one that
// needs a single probe is, where the others need three.
func TestCoverageByTheQuorumOfACheck(t *testing.T) {
	for _, tt := range []struct {
		name            string
		fleet, own      int
		eu, us, oceania float64
	}{
		{"that of the fleet", 2, 0, 1, 1, 1},
		{"a check that needs more", 2, 3, 1, 0.5, 1},
		{"a check that needs less", 3, 1, 1, 1, 1},
		{"more than there are", 2, 4, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scene(t, func(f *fleet, m *machine, begin time.Time) {
				config := *f.config
				check := config.Checks[0]
				config.MinProbes, check.MinProbes = tt.fleet, tt.own
				config.Checks = []Check{check}
				f.config = &config
				want := map[string]float64{"eu-north": tt.eu, "us-east": tt.us, "oceania": tt.oceania}
				covered(t, m, "open minutes", begin, want)
				time.Sleep(m.s.options.Retention.Minutes)
				covered(t, m, "open hours", begin, want)
				must(t, m.rollup.seal(time.Now()))
				covered(t, m, "sealed hours", begin, want)
			})
		})
	}
}

// Minutes that are in a block are covered by the same quorum as when they were open.
func TestCoverageOfABlock(t *testing.T) {
	scene(t, func(f *fleet, m *machine, begin time.Time) {
		config := *f.config
		check := config.Checks[0]
		check.MinProbes = 3
		config.Checks = []Check{check}
		f.config = &config
		time.Sleep(2 * time.Hour)
		must(t, m.rollup.seal(time.Now()))
		covered(t, m, "sealed minutes", begin, map[string]float64{"eu-north": 1, "us-east": 0.5, "oceania": 1})
	})
}

// covered wants the coverage of each region in the two hours of a scene.
func covered(t *testing.T, m *machine, stage string, begin time.Time, want map[string]float64) {
	t.Helper()
	for region, share := range want {
		got, err := m.s.Availability(context.Background(), Query{Check: "imap", Region: region, From: begin, To: begin.Add(2 * time.Hour), Step: time.Hour})
		must(t, err)
		// The first minute lacks the runs that would reach into it from before it.
		if diff := got.Coverage - share; diff > 0.01 || diff < -0.01 {
			t.Errorf("%s: %s: got a coverage of %.3f, want %.1f", stage, region, got.Coverage, share)
		}
	}
}
