package server

import (
	"maps"
	"testing"
	"time"

	"varde/coordinator/internal/identity"
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

// TestPeerIsWhatTheRosterSays, also when it joined.
func TestPeerIsWhatTheRosterSays(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	e := identity.Entry{Name: "osl-1", Region: "eu-north", Site: "oslo", ASN: 64500, Enrolled: at}
	want := ingest.Peer{Name: "osl-1", Region: "eu-north", Site: "oslo", ASN: 64500, Joined: at, Renewal: true}
	if got := peer(e, true); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
