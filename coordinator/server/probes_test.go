package server

import (
	"maps"
	"testing"

	"varde/coordinator/internal/ingest"
	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// TestMeasuring counts places: a probe that has not judged itself is one, and one
// that holds itself unfit is none.
func TestMeasuring(t *testing.T) {
	got := measuring([]ingest.Probe{
		{Region: "eu-north", State: presence.Connected},
		{Region: "eu-north", State: presence.Connected, Qualified: wire.Qualified},
		{Region: "eu-north", State: presence.Connected, Qualified: wire.Disqualified},
		{Region: "eu-north", State: presence.Silent, Qualified: wire.Qualified},
		{Region: "oceania", State: presence.Silent},
	})
	if want := map[string]int{"eu-north": 2}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
