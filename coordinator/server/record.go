package server

import (
	"context"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/verdict"
)

// Record is what was judged in a stretch of time, for other programs.
type Record struct {
	Verdicts     []RecordedVerdict      `json:"verdicts"`
	Incidents    []RecordedIncident     `json:"incidents"`
	Availability []RecordedAvailability `json:"availability"`
}

// RecordedVerdict is a stretch of time in which a series had one verdict. The
// verdicts of one series follow one another without gap or overlap.
type RecordedVerdict struct {
	Check  string        `json:"check"`
	Region string        `json:"region"`
	Family checks.Family `json:"family"`
	State  string        `json:"state"`
	From   time.Time     `json:"from"`
	// To is nil while the verdict stands.
	To *time.Time `json:"to"`
}

// RecordedIncident is an incident. Nothing makes any.
type RecordedIncident struct{}

// RecordedAvailability is how well a service could be reached in a region; the
// number is nil where nothing is known.
type RecordedAvailability struct {
	Service      string   `json:"service"`
	Region       string   `json:"region"`
	Availability *float64 `json:"availability"`
	Coverage     float64  `json:"coverage"`
}

// Told is what was told in [from, to).
func (s *Server) Told(ctx context.Context, from, to time.Time) (Record, error) {
	spans, err := s.history.Told(ctx, from, to)
	if err != nil {
		return Record{}, err
	}
	return s.record(ctx, spans, from, to)
}

// Final is what the whole set of observations shows in [from, to), as far as that
// is known: until then.
func (s *Server) Final(ctx context.Context, from, to time.Time) (out Record, until time.Time, err error) {
	spans, until, err := s.history.Final(ctx, from, to)
	if err != nil {
		return Record{}, time.Time{}, err
	}
	out, err = s.record(ctx, spans, from, to)
	return out, until, err
}

func (s *Server) record(ctx context.Context, spans []verdict.Span, from, to time.Time) (Record, error) {
	out := Record{Verdicts: []RecordedVerdict{}, Incidents: []RecordedIncident{}, Availability: []RecordedAvailability{}}
	for _, v := range spans {
		end := &v.To
		if v.To.IsZero() {
			end = nil
		}
		out.Verdicts = append(out.Verdicts, RecordedVerdict{
			Check: v.Series.Check, Region: v.Series.Region, Family: v.Series.Family, State: v.State.String(), From: v.From, To: end,
		})
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
			out.Availability = append(out.Availability, RecordedAvailability{
				Service: service.ID, Region: region.ID, Availability: a.Availability, Coverage: a.Coverage,
			})
		}
	}
	return out, nil
}
