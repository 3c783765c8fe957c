package history

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"varde/checks"
)

// A probe that makes checks up leaves nothing in the history but a number in its
// statistics, and one look speaks for one interval, whatever the probe claims.
func TestInventedChecksLeaveNothing(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	var list []checks.Observation
	for i := range 100 {
		o := f.run(Check{ID: fmt.Sprintf("x-%d", i), Service: "mail", Every: day}, f.config.Probes[0], ten)
		o.Seq = uint64(i + 1)
		list = append(list, o)
	}
	long := f.run(Check{ID: "imap", Service: "mail", Every: day}, f.config.Probes[0], ten)
	long.Seq = 101
	j.append(t, batch(ten.Add(time.Second), append(list, long)...))
	m.feedAll()
	m.judge(ten.Add(2 * time.Hour))
	rows := func(table string) int { return len(rowsOf(t, m.s.reads, "", "SELECT * FROM "+table)) }
	if got := rows("series"); got != 2 {
		t.Errorf("%d series, want that of the one check there is, and that of its probe", got)
	}
	if got := openMinutes(t, m.s); len(got) != 1 {
		t.Errorf("open minutes %v of one look every 30 s", got)
	}
	if got := m.s.ignored.Load(); got != 100 {
		t.Errorf("%d observations ignored, want 100", got)
	}
	if j := m.s.board.panel.Judge(seriesOf(long)); j.Counts(f.config.Rules()["imap"], ten.Add(2*time.Minute)).Up != 0 {
		t.Error("one look is current for longer than its interval says")
	}
	must(t, m.s.Close())
}

// A check that has left the configuration goes on with what is still to come of it.
func TestRemovedCheckIsRolledUp(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	config := f.config
	f.arrive(t, j, f.runs(ten, ten.Add(2*time.Minute)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return config })
	m.feedAll()
	config = &Config{MinProbes: 2, Regions: f.config.Regions, Probes: f.config.Probes}
	f.arrive(t, j, f.runs(ten.Add(2*time.Minute), ten.Add(4*time.Minute)), nothingHeld)
	m.feedAll()
	if n := len(slices.Compact(openMinutes(t, m.s))); n < 4 {
		t.Errorf("%d minutes, want 4 or 5", n)
	}
	if got := m.s.ignored.Load(); got != 0 {
		t.Errorf("%d observations ignored", got)
	}
	must(t, m.s.Close())
}
