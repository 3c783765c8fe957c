package server

import (
	"context"
	"fmt"
	"time"

	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// watchEvery is how often it is looked which probes came and went.
const watchEvery = 3 * time.Second

// watchProbes tells the operators' event stream of every probe that comes,
// goes, joins, is found fit to judge or not, reports another way, or has other
// faults.
func (s *Server) watchProbes(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	type condition struct {
		state     presence.State
		qualified wire.Qualification
		// words are all that a person reads of it.
		words string
	}
	last := map[string]condition{}
	for {
		for _, p := range s.ingest.Probes() {
			probe := opsProbe(p)
			now := condition{probe.State, probe.Qualified, fmt.Sprint(probe.Reason, probe.Relay, probe.Faults, probe.Notice)}
			if before, known := last[p.Name]; !known || before != now {
				last[p.Name] = now
				s.ops.PublishProbe(probe)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
