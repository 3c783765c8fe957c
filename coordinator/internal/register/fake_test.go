package register

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// memory is a store that can break.
type memory struct {
	values   map[string][]byte
	at       map[string]uint64
	revision uint64
	// puts are how many more work; all if negative.
	puts int
	// deaf says that those which do not work land all the same: only the answer is lost.
	deaf bool
}

var (
	errDisk   = errors.New("disk is full")
	errAnswer = errors.New("no answer came")
)

func newMemory() *memory {
	return &memory{values: map[string][]byte{}, at: map[string]uint64{}, puts: -1}
}

func (m *memory) Get(_ context.Context, key string) ([]byte, uint64, error) {
	if v, ok := m.values[key]; ok {
		return v, m.at[key], nil
	}
	return nil, 0, ErrNotFound
}

func (m *memory) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	broken := m.puts == 0
	if broken && !m.deaf {
		return 0, errDisk
	}
	m.puts = max(m.puts-1, -1)
	if m.at[key] != revision {
		return 0, ErrConflict
	}
	m.revision++
	m.values[key], m.at[key] = slices.Clone(value), m.revision
	if broken {
		return 0, errAnswer
	}
	return m.revision, nil
}

func (m *memory) Delete(_ context.Context, key string, revision uint64) error {
	if m.at[key] != revision {
		return ErrConflict
	}
	delete(m.values, key)
	delete(m.at, key)
	return nil
}

func (m *memory) Keys(context.Context) ([]string, error) {
	var out []string
	for k := range m.values {
		out = append(out, k)
	}
	return out, nil
}

// record is a history of verdicts.
type record struct {
	told  []Change
	final []verdict.Change
	// until and finalUntil are how far they go.
	until, finalUntil time.Time
	notices           []verdict.Notice
}

func (r *record) Told(_ context.Context, after int64, limit int) ([]Change, error) {
	var out []Change
	for _, c := range r.told {
		if c.Number > after && len(out) < limit {
			out = append(out, c)
		}
	}
	return out, nil
}

func (r *record) ToldUntil() time.Time { return r.until }

func (r *record) Final(_ context.Context, from, to time.Time) ([]verdict.Change, error) {
	var out []verdict.Change
	for _, c := range r.final {
		if !c.At.Before(from) && c.At.Before(to) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (r *record) FinalUntil(context.Context) (time.Time, error) { return r.finalUntil, nil }

func (r *record) Notices() []verdict.Notice { return r.notices }

// ten is when tests begin.
var ten = time.Date(2026, 10, 21, 10, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time {
	return ten.Add(time.Duration(minutes * float64(time.Minute)))
}

func series(check, region string) verdict.Series {
	return verdict.Series{Check: check, Region: region, Family: checks.IPv4}
}

// turn is a change at a time, which began ten seconds earlier.
func turn(s verdict.Series, from, to verdict.State, minute float64) verdict.Change {
	c := verdict.Change{Series: s, From: from, To: to, At: at(minute), Since: at(minute).Add(-10 * time.Second), Reason: "connect_timeout", Counts: verdict.Counts{Down: 3}}
	if to > verdict.Up {
		c.Evidence = verdict.Evidence{Part: verdict.ByFailures, Phase: checks.Connect, Class: checks.ConnectTimeout}
	}
	return c
}

// tell adds changes to what was told, and time up to a minute.
func (r *record) tell(until float64, list ...verdict.Change) {
	for _, c := range list {
		r.told = append(r.told, Change{int64(len(r.told) + 1), c})
	}
	r.until = at(until)
}

func world() *incident.World {
	w := &incident.World{
		Services: []incident.Service{{ID: "imap", Name: "IMAP"}, {ID: "web", Name: "Webmail"}},
		Regions:  []status.Region{{ID: "eu-north", Name: "Northern Europe", Weight: 1}, {ID: "oceania", Name: "Oceania", Weight: 1}},
	}
	for _, c := range []string{"imap", "web"} {
		w.Checks = append(w.Checks, incident.Check{ID: c, Service: c, Kind: checks.TCP, Depth: status.Contact, Every: 30 * time.Second})
		for _, r := range w.Regions {
			w.Series = append(w.Series, series(c, r.ID))
		}
	}
	return w
}

// open opens the register over a store.
func open(t *testing.T, m *memory, r *record, change ...func(*IncidentOptions)) *Incidents {
	t.Helper()
	w := world()
	o := IncidentOptions{Store: m, Verdicts: r, World: func() *incident.World { return w }, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	i, err := OpenIncidents(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	i.judged = time.Time{}
	return i
}

func step(t *testing.T, i *Incidents) {
	t.Helper()
	if err := i.step(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// outage is one that begins in one region, spreads, and is over.
func outage(r *record) {
	r.tell(60,
		turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1),
		turn(series("imap", "eu-north"), verdict.Up, verdict.Down, 3),
		turn(series("imap", "oceania"), verdict.Down, verdict.Up, 20),
		turn(series("imap", "oceania"), verdict.Up, verdict.Down, 21),
		turn(series("imap", "eu-north"), verdict.Down, verdict.Up, 22),
		turn(series("imap", "oceania"), verdict.Down, verdict.Up, 25),
	)
}
