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
	r.Verdicts = slices.Clone(r.Verdicts)
	for i, v := range r.Verdicts {
		r.Verdicts[i].From = v.From.Add(by).UTC()
		if v.To != nil {
			to := v.To.Add(by).UTC()
			r.Verdicts[i].To = &to
		}
	}
	return r
}

// Spans are the verdicts of a record for the judge.
func (o Outcome) Spans(r server.Record) []scenario.Span {
	out := make([]scenario.Span, len(r.Verdicts))
	for i, v := range r.Verdicts {
		to := o.End
		if v.To != nil {
			to = *v.To
		}
		out[i] = scenario.Span{
			Check: v.Check, Region: v.Region, Family: v.Family, State: scenario.State(v.State),
			From: v.From.Sub(o.Start), To: to.Sub(o.Start),
		}
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
