package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A recording is judged where its secrets are not, and by whatever interval it was
// made with.
func TestLoadPolicy(t *testing.T) {
	const text = `
advertise: ["c1.example.net:7950"]
regions: [{id: eu-north}]
services: [{id: imap}]
checks:
  - {id: login, service: imap, kind: imap, url: "imaps://mail.example.net", every: 30s, login: {user: u, password: {file: /nowhere/at/all}}}
`
	file := filepath.Join(t.TempDir(), "c.yaml")
	write(t, file, text)
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "expected at least 5m") || !strings.Contains(err.Error(), "/nowhere/at/all") {
		t.Errorf("load: got %v, want both faults", err)
	}
	c, err := LoadPolicy(file)
	want := []string{"checks[0].every: got 30s, expected at least 5m: service imap does not say consent: true"}
	if err != nil || !slices.Equal(c.Hasty(), want) || c.MinProbes != 2 {
		t.Errorf("load policy: got %v, %q, %d probes, want %q and its defaults", err, c.Hasty(), c.MinProbes, want)
	}
	write(t, file, strings.Replace(text, "30s", "1s", 1))
	if _, err := LoadPolicy(file); err == nil || !strings.Contains(err.Error(), ":6:") {
		t.Errorf("load policy: got %v, want the line of an interval that no probe has", err)
	}
}
