package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/register"
	"varde/coordinator/internal/verdict"
)

// openIncidents opens the register of incidents.
func (s *Server) openIncidents(ctx context.Context) error {
	bucket, err := s.journal.Bucket(ctx, "incidents")
	if err != nil {
		return fmt.Errorf("open incidents: %w", err)
	}
	s.incidents, err = register.OpenIncidents(ctx, register.IncidentOptions{
		Store: bucketStore{bucket, register.ErrNotFound, register.ErrConflict}, Verdicts: verdicts{s.history}, World: s.world.Load,
		Keep: s.opts.Config.Retention.Days, Changed: s.incidentsChanged, Logger: s.log.With("component", "incidents"),
	})
	return err
}

// verdicts are the records that incidents are made of.
type verdicts struct{ *history.Store }

var _ register.Verdicts = verdicts{}

// Told returns changes that were told.
func (v verdicts) Told(ctx context.Context, after int64, limit int) ([]register.Change, error) {
	list, err := v.ChangesAfter(ctx, "told", after, limit)
	out := make([]register.Change, len(list))
	for i, c := range list {
		out[i] = register.Change{Number: c.ID, Change: c.Change}
	}
	return out, err
}

// Final returns changes of the final record.
func (v verdicts) Final(ctx context.Context, from, to time.Time) ([]verdict.Change, error) {
	return v.FinalChanges(ctx, from, to)
}

// learnWorld gives the rules of incidents what they need to know of the configuration.
// The world stays the same one until it changes.
func (s *Server) learnWorld(c config.Config) {
	w := worldOf(c)
	if s.history != nil {
		for _, v := range s.history.Verdicts() {
			w.Series = append(w.Series, v.Series)
		}
	}
	if old := s.world.Load(); old == nil || !reflect.DeepEqual(*old, w) {
		s.world.Store(&w)
	}
}

// incidentsChanged is told of every incident that changed after it is on disk.
func (s *Server) incidentsChanged(list []incident.Whole) {
	if s.bulletins != nil {
		s.bulletins.Touched(list)
	}
	for _, x := range list {
		if s.ops != nil {
			s.ops.PublishIncident(*s.world.Load(), x)
		}
	}
}

// cases is the register as the operators' pages ask for it.
type cases struct{ *Server }

var _ ops.Incidents = cases{}

// Overlapping returns the incidents of a stretch of time, with those of other providers
// that look like the same hand.
func (c cases) Overlapping(_ context.Context, from, to time.Time) (ops.Register, error) {
	w := *c.world.Load()
	out := ops.Register{World: w, Cases: c.incidents.Overlapping(from, to), AlsoSeen: make(map[string][]ops.Sighting)}
	plain := make([]incident.Incident, len(out.Cases))
	for i, x := range out.Cases {
		plain[i] = x.Incident
	}
	for id, others := range incident.AlsoSeenAt(w, plain) {
		for _, other := range others {
			i := slices.IndexFunc(plain, func(x incident.Incident) bool { return x.ID == other })
			out.AlsoSeen[id] = append(out.AlsoSeen[id], ops.Sighting{Incident: other, Provider: c.providerName(w, plain[i])})
		}
	}
	return out, nil
}

// providerName is whose services an incident is of.
func (c cases) providerName(w incident.World, i incident.Incident) string {
	k := slices.IndexFunc(w.Services, func(s incident.Service) bool { return slices.Contains(i.Services(), s.ID) })
	if k < 0 {
		return ""
	}
	id := w.Services[k].Provider
	for _, p := range c.current().Providers {
		if p.ID == id {
			return p.Name
		}
	}
	return id
}

// Act does what a person wants.
func (c cases) Act(ctx context.Context, id string, o incident.Order) (shows string, err error) {
	shown, err := c.incidents.Do(ctx, id, o)
	return shown.ID, err
}

var _ control.Incidents = cases{}

// ListIncidents lists incidents for a command, the newest first.
func (c cases) ListIncidents(_ context.Context, since time.Time) ([]incident.Shown, error) {
	list := incident.Views(*c.world.Load(), c.incidents.Overlapping(since, time.Now().Add(time.Second)))
	slices.Reverse(list)
	return list, nil
}

// ShowIncident returns one incident for a command: that which stands for it.
func (c cases) ShowIncident(ctx context.Context, id string) (control.Incident, error) {
	x, ok := incident.WholeOf(c.incidents.All(), id)
	if !ok {
		return control.Incident{}, fmt.Errorf("incident %q: %w", id, register.ErrNoIncident)
	}
	signs, err := c.Signs(ctx, x.Together())
	return control.Incident{Shown: incident.View(*c.world.Load(), x.Case, x.Parts...), Signs: signs}, err
}

// OrderIncident does what a command wants.
func (c cases) OrderIncident(ctx context.Context, id string, o incident.Order) (incident.Shown, error) {
	shows, err := c.Act(ctx, id, o)
	if err != nil {
		return incident.Shown{}, err
	}
	one, err := c.ShowIncident(ctx, shows)
	return one.Shown, err
}

// What is read to tell what kind of trouble an incident is.
const (
	// signsFor is how long signs are shown before they are looked for anew.
	signsFor = 10 * time.Second
	// shiftsBefore is how long before it changes of servers are read, usualBefore over
	// which time before it connects are what is usual.
	shiftsBefore, usualBefore = time.Hour, 24 * time.Hour
	// shiftsMax bounds the changes that are read, usualMax the series of which it is
	// looked up what is usual.
	shiftsMax, usualMax = 200, 50
)

// Signs says what kind of trouble an incident looks like.
func (c cases) Signs(ctx context.Context, i incident.Incident) ([]incident.Sign, error) {
	return c.signs.Get(i.ID, func() ([]incident.Sign, error) {
		f, err := c.facts(context.WithoutCancel(ctx), i)
		if err != nil {
			return nil, err
		}
		return incident.Signs(*c.world.Load(), i, f), nil
	})
}

// facts are what was measured around an incident.
func (c cases) facts(ctx context.Context, i incident.Incident) (f incident.Facts, err error) {
	end := time.Now()
	if !i.Recovered.IsZero() {
		end = i.Recovered
	}
	if f.Readings, err = c.readings(ctx, i); err != nil {
		return f, err
	}
	notes, err := c.history.Annotations(ctx, history.AnnotationQuery{From: i.Started.Add(-shiftsBefore), To: end, Limit: shiftsMax})
	if err != nil {
		return f, err
	}
	for _, n := range notes {
		f.Shifts = append(f.Shifts, incident.Shift{At: n.At, Check: n.Check, Region: n.Region, What: string(n.Kind), From: n.From, To: n.To})
	}
	var asked []string
	for _, m := range i.Members {
		asked = append(asked, m.Check)
	}
	slices.Sort(asked)
	f.Samples, _, err = past(c).Observations(ctx, ops.ObservationQuery{Checks: slices.Compact(asked), From: i.Started, To: end, Limit: incident.SamplesMax})
	if err != nil {
		return f, err
	}
	f.Usual, err = c.usual(ctx, i)
	return f, err
}

// readings are what every series says: now, or when the last member of an incident that
// is over joined it.
func (c cases) readings(ctx context.Context, i incident.Incident) ([]incident.Reading, error) {
	networks, err := c.networks(ctx)
	if err != nil {
		return nil, err
	}
	at := i.Started
	for _, m := range i.Members {
		if m.Since.After(at) {
			at = m.Since
		}
	}
	var out []incident.Reading
	for _, v := range c.history.Verdicts() {
		r := incident.Reading{Series: v.Series, State: v.State, Networks: networks[v.Series]}
		if !i.Recovered.IsZero() {
			spans, err := c.history.Spans(ctx, v.Series, at, at.Add(time.Second))
			if err != nil {
				return nil, err
			}
			r.State = spans[0].State
		}
		out = append(out, r)
	}
	return out, nil
}

// networks are those on which servers were met lately, by series.
func (c cases) networks(ctx context.Context) (map[verdict.Series][]string, error) {
	list, err := c.history.Met(ctx, time.Now().Add(-presentedFor))
	if err != nil {
		return nil, err
	}
	out := make(map[verdict.Series][]string)
	for _, m := range list {
		s := verdict.Series{Check: m.Check, Region: m.Region, Family: m.Family}
		if n := checks.NetworkOf(m.Address); n != "" && !slices.Contains(out[s], n) {
			out[s] = append(out[s], n)
		}
	}
	return out, nil
}

// usual is how long connects took before an incident, of its own series.
func (c cases) usual(ctx context.Context, i incident.Incident) ([]incident.Usual, error) {
	var out []incident.Usual
	for _, m := range i.Members[:min(len(i.Members), usualMax)] {
		l, err := c.history.Latency(ctx, history.Query{
			Check: m.Check, Region: m.Region, Phase: string(checks.Connect), From: i.Started.Add(-usualBefore), To: i.Started, Step: usualBefore,
		})
		if q := (*history.QueryError)(nil); errors.As(err, &q) {
			continue // nothing is kept of that time
		}
		if err != nil {
			return nil, err
		}
		if n := len(l.Points); n > 0 && l.Points[n-1].N > 0 {
			out = append(out, incident.Usual{Series: m.Series, Connect: ms(l.Points[n-1].P50)})
		}
	}
	return out, nil
}
