package history

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/verdict"
)

// A clock that was far ahead for a minute, and told so by what arrived in it, takes
// nothing away from the time after it: verdicts, rollups and regions go on.
func TestClockThatLeapt(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(5*time.Minute)), nothingHeld)
	f.arrive(t, j, f.runs(ten.AddDate(0, 0, 60), ten.AddDate(0, 0, 60).Add(time.Minute)), nothingHeld)
	f.arrive(t, j, f.runs(ten.Add(6*time.Minute), ten.Add(12*time.Minute)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	var log bytes.Buffer
	m.s.log = slog.New(slog.NewTextHandler(&log, nil))
	m.feedAll()
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d lines about the clock, want 1:\n%s", n, log.String())
	}
	if got := m.s.board.panel.Judge(darkness); got.State() != verdict.Up || got.Since().After(ten.Add(7*time.Minute)) {
		t.Errorf("five minutes later: %s since %v", got.State(), got.Since())
	}
	looked := make(map[time.Time]int)
	for _, at := range openMinutes(t, m.s) {
		looked[at]++
	}
	for i := 7; i < 12; i++ {
		if at := ten.Add(time.Duration(i) * time.Minute); looked[at] != 9 {
			t.Errorf("%d probes looked at %s, want 9", looked[at], at)
		}
	}
	if at := m.s.NewestObservation()["oceania"]; at.After(ten.Add(13 * time.Minute)) {
		t.Errorf("newest observation: %v", at)
	}
	if at := m.rollup.marks.place().Received; at.After(ten.Add(13 * time.Minute)) {
		t.Errorf("newest entry: %v", at)
	}
	must(t, m.s.Close())
}

// One tick with a wrong clock is forgotten at the next.
func TestTickThatLeapt(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(5*time.Minute)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	for _, r := range []reader{m.told, m.rollup} {
		must(t, r.tick(ten.Add(day), true))
		must(t, r.tick(ten.Add(5*time.Minute), true))
	}
	if got := m.rollup.sealed; !got.Equal(ten.Add(5 * time.Minute)) {
		t.Errorf("sealed until %v: it waits for the clock to come back", got)
	}
	f.arrive(t, j, f.runs(ten.Add(5*time.Minute), ten.Add(6*time.Minute)), nothingHeld)
	m.feedAll()
	if got := m.s.board.panel.Judge(darkness).State(); got != verdict.Up {
		t.Errorf("a minute later: %s", got)
	}
	must(t, m.s.Close())
}
