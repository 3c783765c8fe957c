package server

import (
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/ops"
)

// TestFirstEnds: what a check needs counts, and only that.
func TestFirstEnds(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	cert := func(subject, issuer string, days int) checks.Certificate {
		return checks.Certificate{Subject: subject, Issuer: issuer, NotAfter: now.AddDate(0, 0, days)}
	}
	for name, c := range map[string]struct {
		chain []checks.Certificate
		want  int
	}{
		"its own":                {[]checks.Certificate{cert("a", "R", 20), cert("R", "Root", 300)}, 20},
		"its issuer's":           {[]checks.Certificate{cert("a", "R", 20), cert("R", "Root", 3)}, 3},
		"ended":                  {[]checks.Certificate{cert("a", "R", -1)}, -1},
		"a root that ended":      {[]checks.Certificate{cert("a", "R", 20), cert("Root", "Root", -9)}, 20},
		"cross-signed long ago":  {[]checks.Certificate{cert("a", "R", 20), cert("R", "Root", 90), cert("Root", "Old Root", -400)}, 20},
		"it trusts itself alone": {[]checks.Certificate{cert("a", "a", 5)}, 5},
	} {
		got := firstEndsBy([]ops.Presented{{Check: "imap", At: now, Handshake: &checks.Handshake{Chain: c.chain}}}, func(p ops.Presented) string { return p.Check })
		if want := now.AddDate(0, 0, c.want); len(got) != 1 || !got["imap"].Equal(want) {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
}
