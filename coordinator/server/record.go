package server

import (
	"context"
	"time"

	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/record"
	"varde/coordinator/internal/verdict"
)

// Record is what was judged in a stretch of time, for other programs.
type Record = record.Record

// RecordedVerdict is a stretch of time in which a series had one verdict.
type RecordedVerdict = record.Verdict

// RecordedIncident is an incident.
type RecordedIncident = record.Incident

// Told is what was told in [from, to).
func (s *Server) Told(ctx context.Context, from, to time.Time) (Record, error) {
	spans, err := s.history.Told(ctx, from, to)
	if err != nil {
		return Record{}, err
	}
	out, err := s.record(ctx, spans, from, to)
	out.Incidents = s.recorded(from, to, func(i incident.Incident) bool { return !i.Detected.IsZero() })
	return out, err
}

// Final is what the whole set of observations shows in [from, to), as far as that
// is known: until then.
func (s *Server) Final(ctx context.Context, from, to time.Time) (out Record, until time.Time, err error) {
	spans, until, err := s.history.Final(ctx, from, to)
	if err != nil {
		return Record{}, time.Time{}, err
	}
	out, err = s.record(ctx, spans, from, to)
	out.Incidents = s.recorded(from, to, func(i incident.Incident) bool { return !i.Unshown })
	return out, until, err
}

// recorded are the incidents of which something lies in [from, to).
func (s *Server) recorded(from, to time.Time, are func(incident.Incident) bool) []record.Incident {
	out := []record.Incident{}
	for _, c := range s.incidents.Overlapping(from, to) {
		if !c.Draft && are(c.Incident) {
			out = append(out, record.OfIncident(*s.world.Load(), c.Incident))
		}
	}
	return out
}

func (s *Server) record(ctx context.Context, spans []verdict.Span, from, to time.Time) (Record, error) {
	out := record.New()
	for _, v := range spans {
		out.Verdicts = append(out.Verdicts, record.OfSpan(v))
	}
	c := s.current()
	for _, service := range c.Services {
		for _, region := range c.Regions {
			if len(checksOf(c, service.ID, region.ID)) == 0 {
				continue
			}
			a, err := s.history.Availability(ctx, history.Query{Service: service.ID, Region: region.ID, From: from, To: to})
			if err != nil {
				return Record{}, err
			}
			out.Availability = append(out.Availability, record.Availability{
				Service: service.ID, Region: region.ID, Availability: a.Availability, Coverage: a.Coverage,
			})
		}
	}
	return out, nil
}
