package fleettest

import (
	"log/slog"
	"path/filepath"
	"time"

	"varde/coordinator/server"
)

// Final waits until verdicts are final up to a time and returns the record since
// another.
func (f *Fleet) Final(from, to time.Time) server.Record {
	f.t.Helper()
	for deadline := to.Truncate(time.Hour).Add(time.Hour + finalWithin); ; f.Wait(time.Minute) {
		record, until, err := f.server.Final(f.Context(), from, to)
		if err != nil {
			f.t.Fatal(err)
		}
		if !until.Before(to) {
			return record
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("final verdicts until %s, expected until %s", until, to)
		}
	}
}

// Replay stops every program and judges again what the journal holds, as
// `varde-coordinator replay` does.
func (f *Fleet) Replay() server.Record {
	f.t.Helper()
	for name := range f.probes {
		f.StopProbe(name)
	}
	f.StopCoordinator()
	outcomes, _, err := server.Replay(f.Context(), server.ReplayOptions{
		Configs: []string{filepath.Join(f.dir, "coordinator.yaml")}, Observations: f.coordinator.dir, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return outcomes[0].Record()
}
