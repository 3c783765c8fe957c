package main

import (
	"strings"
	"testing"
	"time"

	"varde/probe/internal/status"
)

// TestStatusSaysWhatIsLeftAlone: whoever wonders why nothing is measured finds it
// in one line each.
func TestStatusSaysWhatIsLeftAlone(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var out strings.Builder
	err := new(statusCommand).print(&out, status.Status{
		Name: "osl-1", Region: "eu-north", Started: now,
		Resting:      []status.Resting{{What: "login of probe@example.net: refused", Until: now.Add(42 * time.Minute)}},
		BlockedPorts: []status.BlockedPort{{Port: 25, Since: now}},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"left alone   login of probe@example.net: refused, until 10:42 UTC\n",
		"blocked?     outbound port 25 has never worked from here, failing since 2026-11-22T10:00:00Z\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", out.String(), want)
		}
	}
}
