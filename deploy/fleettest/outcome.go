package fleettest

import (
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/server"
	"varde/deploy/scenario"
)

// Outcome is what came of a play.
type Outcome struct {
	Start, End time.Time     `json:"-"`
	Told       server.Record `json:"told"`
	Final      server.Record `json:"final"`
	Spooled    int           `json:"spooled"`
	Journaled  int           `json:"journaled"`
	Duplicates int           `json:"duplicates"`
	// Lost is how many records were spooled and are not in the journal.
	Lost int `json:"-"`
	// readings and figures are what was made of the maintenance, if there was any.
	readings []scenario.Reading
	figures  []scenario.Figures
}

// published is when every play starts for those who read about it.
func published() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Published is the outcome with times as if the play had started with 2026.
func (o Outcome) Published() Outcome {
	by := published().Sub(o.Start)
	o.Told, o.Final = shifted(o.Told, by), shifted(o.Final, by)
	return o
}

func shifted(r server.Record, by time.Duration) server.Record {
	r.Verdicts, r.Incidents = slices.Clone(r.Verdicts), slices.Clone(r.Incidents)
	for i, v := range r.Verdicts {
		r.Verdicts[i].From, r.Verdicts[i].To = v.From.Add(by).UTC(), later(v.To, by)
	}
	for i, v := range r.Incidents {
		r.Incidents[i].StartedAt = v.StartedAt.Add(by).UTC()
		r.Incidents[i].DetectedAt, r.Incidents[i].ResolvedAt = later(v.DetectedAt, by), later(v.ResolvedAt, by)
	}
	return r
}

// later is a time by so much later, nil where there is none.
func later(at *time.Time, by time.Duration) *time.Time {
	if at == nil {
		return nil
	}
	return new(at.Add(by).UTC())
}

// Record is a record for the judge.
func (o Outcome) Record(r server.Record) (out scenario.Record) {
	out.Readings, out.Figures = o.readings, o.figures
	out.Verdicts = make([]scenario.Span, len(r.Verdicts))
	for i, v := range r.Verdicts {
		to := o.End
		if v.To != nil {
			to = *v.To
		}
		out.Verdicts[i] = scenario.Span{
			Check: v.Check, Region: v.Region, Family: v.Family, State: scenario.State(v.State),
			From: v.From.Sub(o.Start), To: to.Sub(o.Start),
		}
	}
	for _, v := range r.Incidents {
		i := scenario.Incident{ID: v.ID, Services: v.Services, Regions: v.Regions, Began: v.StartedAt.Sub(o.Start), Told: v.DetectedAt != nil, Open: v.ResolvedAt == nil}
		if !i.Open {
			i.Ended = v.ResolvedAt.Sub(o.Start)
		}
		out.Incidents = append(out.Incidents, i)
	}
	return out
}

// Told is when a series was first told to be in a state that began after a time.
func (f *Fleet) Told(check, region string, family checks.Family, state scenario.State, after time.Time) time.Time {
	f.t.Helper()
	record, err := f.server.Told(f.Context(), after, time.Now())
	if err != nil {
		f.t.Fatal(err)
	}
	i := slices.IndexFunc(record.Verdicts, func(v server.RecordedVerdict) bool {
		return v.Check == check && v.Region == region && v.Family == family && v.State == string(state)
	})
	if i < 0 {
		f.t.Fatalf("%s in %s was never %s after %s: %+v", check, region, state, after, record.Verdicts)
	}
	return record.Verdicts[i].From
}
