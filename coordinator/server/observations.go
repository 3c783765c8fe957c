package server

import (
	"context"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/ops"
)

// maxReads bounds how often the history is asked for what is rare: each time it
// looks at a few hundred thousand observations. An operator gets an answer, not a
// scan of seven days.
const maxReads = 20

// Observations reads raw observations, newest first, and where to go on.
func (p past) Observations(ctx context.Context, q ops.ObservationQuery) ([]checks.Observation, ops.Cursor, error) {
	hq := history.ObservationQuery{
		Check: q.Check, Checks: q.Checks, Probe: q.Probe, Region: q.Region, Family: q.Family, Outcomes: q.Outcomes,
		Epoch: q.Epoch, Seq: q.Seq, From: q.From, To: q.To, After: history.Position(q.After), Limit: q.Limit,
	}
	var out []checks.Observation
	for range maxReads {
		list, next, err := p.history.Observations(ctx, hq)
		if err != nil {
			return nil, ops.Cursor{}, err
		}
		out = append(out, list...)
		hq.After, hq.Limit = next, q.Limit-len(out)
		if next.End.IsZero() || hq.Limit <= 0 {
			break
		}
	}
	return out, ops.Cursor(hq.After), nil
}
