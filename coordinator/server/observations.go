package server

import (
	"context"
	"slices"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/ops"
)

// A query that the journal's index cannot answer alone is read in pages of
// this many observations, at most this many pages: an operator gets an answer,
// not a scan of seven days.
const (
	pageSize = 1000
	maxPages = 20
)

// Observations reads raw observations, newest first.
func (p past) Observations(ctx context.Context, q ops.ObservationQuery) ([]checks.Observation, error) {
	hq := history.ObservationQuery{
		Check: q.Check, Probe: q.Probe, Region: q.Region, From: q.From, To: q.To, Limit: pageSize,
	}
	if len(q.Outcomes) == 1 {
		hq.Outcome = &q.Outcomes[0]
	}
	var out []checks.Observation
	for range maxPages {
		list, complete, err := p.history.Observations(ctx, hq)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			if matches(q, o) {
				out = append(out, o)
			}
			if len(out) == q.Limit {
				return out, nil
			}
		}
		if len(list) == 0 || complete && len(list) < pageSize {
			break
		}
		hq.To = list[len(list)-1].End()
	}
	return out, nil
}

// matches says whether o has what the index does not know.
func matches(q ops.ObservationQuery, o checks.Observation) bool {
	return (q.Epoch == "" || q.Epoch == o.Epoch && q.Seq == o.Seq) &&
		(q.Family == checks.NoFamily || q.Family == o.Family) &&
		(len(q.Outcomes) == 0 || slices.Contains(q.Outcomes, o.Outcome))
}
