package ops

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// serviceJSON is one service as /api/v1/services publishes it.
type serviceJSON struct {
	ID      string              `json:"id"`
	Name    string              `json:"name"`
	Status  *status.Status      `json:"status"`
	Regions []serviceRegionJSON `json:"regions"`
}

// serviceRegionJSON is one region of a service. While nothing is known of it,
// the status is the last one known; null if there never was one.
type serviceRegionJSON struct {
	Region string         `json:"region"`
	Status *status.Status `json:"status"`
	State  verdict.State  `json:"state"`
	Since  *time.Time     `json:"since"`
	// Reason names the checks and families that are not up; empty when all are.
	Reason string `json:"reason"`
}

func (s *Server) apiServices(w http.ResponseWriter, r *http.Request) {
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		out := make([]serviceJSON, len(now.Services))
		for i, service := range now.Services {
			var err error
			if out[i], err = s.service(ctx, now, service); err != nil {
				return err
			}
		}
		s.answer(w, out)
		return nil
	})
}

// service is what its regions say, each by what its checks and families come to.
func (s *Server) service(ctx context.Context, now Now, service Service) (serviceJSON, error) {
	out := serviceJSON{ID: service.ID, Name: service.Name, Regions: []serviceRegionJSON{}}
	var parts []status.Component
	for _, region := range now.Regions {
		series := now.verdicts(func(v Verdict) bool { return v.Service == service.ID && v.Region == region.ID })
		if len(series) == 0 {
			continue
		}
		entry, err := s.serviceIn(ctx, now, region, series)
		if err != nil {
			return out, err
		}
		if entry.Status != nil {
			parts = append(parts, status.Component{Status: *entry.Status, Weight: region.Weight})
		}
		out.Regions = append(out.Regions, entry)
	}
	if len(parts) > 0 {
		out.Status = new(status.OfService(parts))
	}
	return out, nil
}

func (s *Server) serviceIn(ctx context.Context, now Now, region Region, series []Verdict) (serviceRegionJSON, error) {
	part := status.OfRegion(now.readings(series))
	if part.Known {
		return serviceRegionJSON{region.ID, &part.Status, part.State, known(part.Since), part.Because}, nil
	}
	last, err := s.lastStatus(ctx, now, series)
	silence := worstOf(series)
	return serviceRegionJSON{region.ID, last, verdict.Unknown, known(silence.since), silence.reason}, err
}

// readings are the verdicts of several series, as the roll-up needs them.
func (n Now) readings(series []Verdict) []status.Reading {
	out := make([]status.Reading, len(series))
	for i, v := range series {
		out[i] = status.Reading{Check: v.Check, Depth: status.DepthOf(n.checkOf(v.Check)), Family: v.Family, State: v.State, Since: v.Since}
	}
	return out
}

// lastStatus is the status that was known last of several series of which nothing
// is known now, nil where nothing ever was.
func (s *Server) lastStatus(ctx context.Context, now Now, series []Verdict) (*status.Status, error) {
	var last time.Time
	state := verdict.Unknown
	for _, v := range series {
		was, at, err := s.history.Last(ctx, v.Series, now.At)
		if err != nil {
			return nil, fmt.Errorf("read last verdict of %s: %w", v.Check, err)
		}
		if at.After(last) || at.Equal(last) && was > state {
			state, last = was, at
		}
	}
	if last.IsZero() {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return new(status.Of(state)), nil
}
