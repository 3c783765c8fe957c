package main

import (
	"strings"
	"testing"
)

// TestRunRefuses: what keeps the agent from starting is told at once, and all
// of it.
func TestRunRefuses(t *testing.T) {
	b := newBench(t)
	b.file(t, "faults.yaml", "stat: a\nmesh: {bind: 7946}\n")
	b.file(t, "fresh.yaml", "state: here\n")
	for file, want := range map[string]string{
		"nothing.yaml": "varde-probe: read configuration @nothing.yaml: no such file or directory: `varde-probe join TOKEN` writes it\n",
		"faults.yaml": "@faults.yaml:1:1: stat: got an unknown key, expected one of state, mesh, peer\n" +
			"@faults.yaml:2:14: mesh.bind: got 7946, expected text, in quotes: \"7946\"\n",
		"fresh.yaml": "varde-probe: identity: this machine has not joined a fleet: run `varde-probe join TOKEN` (there is no @here/identity.json)\n",
	} {
		b.err.Reset()
		code := b.call(t.Context(), "run --config @"+file)
		if got := strings.ReplaceAll(b.err.String(), b.dir+"/", "@"); code != 1 || got != want || b.out.Len() > 0 {
			t.Errorf("%s: exit code %d, stderr\n%swant 1 and\n%s", file, code, got, want)
		}
	}
}
