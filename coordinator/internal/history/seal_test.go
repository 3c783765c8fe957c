package history

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"varde/checks"
)

// A sealed hour that late data opens again becomes the block that it would have
// been had the data come in time.
func TestLateDataOpensASealedHour(t *testing.T) {
	f := newFleet("imap")
	list := f.runs(ten.Add(50*time.Minute), ten.Add(70*time.Minute))
	build := func(late bool) []string {
		j := newFakeJournal()
		f.arrive(t, j, list, nothingHeld)
		if late {
			j = newFakeJournal()
			f.arrive(t, j, list, func(o checks.Observation) (time.Time, bool) {
				return ten.Add(5 * time.Hour), strings.HasSuffix(o.Probe, "-2")
			})
		}
		m := start(t, t.TempDir(), j, func() *Config { return f.config })
		for m.feed(m.rollup, 1) && m.rollup.clock.Before(ten.Add(4*time.Hour)) {
		}
		must(t, m.rollup.flush())
		must(t, m.rollup.seal(ten.Add(4*time.Hour)))
		return slices.DeleteFunc(m.finish(ten.Add(8*time.Hour)), func(line string) bool {
			return !strings.HasPrefix(line, "hour") && !strings.HasPrefix(line, "minutes-") && !strings.HasPrefix(line, "open")
		})
	}
	sameRecord(t, build(false), build(true))
}

// Minutes go by whole months, hours and days by their age.
func TestRetention(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	for _, d := range []int{0, 20, 50} {
		at := ten.AddDate(0, 0, d)
		f.epoch, f.seq = fmt.Sprint("e", d), map[string]uint64{}
		f.arrive(t, j, f.runs(at, at.Add(10*time.Minute)), nothingHeld)
	}
	for m.feed(m.rollup, 1000) {
	}
	must(t, m.rollup.flush())
	rows := func(table string) int { return len(rowsOf(t, m.s.reads, "", "SELECT * FROM "+table)) }
	at := func(d int) time.Time { return ten.AddDate(0, 0, d) }
	must(t, m.rollup.seal(at(51)))
	november, december, january := "minutes-2026-11.db", "minutes-2026-12.db", "minutes-2027-01.db"
	files := func(want ...string) {
		t.Helper()
		for _, name := range []string{november, december, january} {
			if got := exists(filepath.Join(m.dir, name)); got != slices.Contains(want, name) {
				t.Errorf("%s: exists is %t", name, got)
			}
		}
	}
	// 12 January: November ended more than 30 days ago.
	files(december, january)
	if got := rows("hour"); got != 9 {
		t.Errorf("%d hours, want those of three regions on three days", got)
	}
	if got := rows("day"); got != 9 {
		t.Errorf("%d days, want 9", got)
	}
	if got := rows("open_hour") + rows("open_minute") + rows("open_quarter"); got != 0 {
		t.Errorf("%d rows of open hours are left", got)
	}
	must(t, m.rollup.s.retain(at(20+366).Add(time.Minute)))
	files()
	if got := rows("hour"); got != 3 {
		t.Errorf("%d hours after a year, want 3", got)
	}
	must(t, m.rollup.s.retain(at(3653+10)))
	if got := rows("day"); got != 6 {
		t.Errorf("%d days after ten years, want 6", got)
	}
	j.forget(1 << 40)
	must(t, m.rollup.s.retain(at(3653+10)))
	if got := rows("passage") + rows("mark"); got != 0 {
		t.Errorf("%d rows about a journal that is gone", got)
	}
	must(t, m.s.Close())
}

// The pieces of a window cover it without gap or overlap, are whole units, and
// none crosses the boundary of a step.
func TestPiecesCoverTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := ten.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "from")) * time.Minute)
		w := window{
			from: from, to: from.Add(time.Duration(rapid.IntRange(1, 6000).Draw(t, "length")) * time.Minute),
			step: time.Duration(rapid.SampledFrom([]int{1, 5, 15, 60, 90, 360, 1440, 2880}).Draw(t, "step")) * time.Minute,
		}
		at := w.from
		for _, p := range w.pieces() {
			if !p.from.Equal(at) || !p.from.Before(p.to) || !p.from.Truncate(p.unit).Equal(p.from) || !p.to.Truncate(p.unit).Equal(p.to) {
				t.Fatalf("piece of %v from %v to %v, expected it at %v", p.unit, p.from, p.to, at)
			}
			for u := p.from; u.Before(p.to); u = u.Add(p.unit) {
				if !u.Truncate(w.step).Equal(u.Add(p.unit - 1).Truncate(w.step)) {
					t.Fatalf("unit of %v at %v crosses a step of %v", p.unit, u, w.step)
				}
			}
			at = p.to
		}
		if !at.Equal(w.to) {
			t.Fatalf("the pieces end at %v, the window at %v", at, w.to)
		}
	})
}

// A folder may have any name.
func TestFolderWithAwkwardName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b%20c?d#e")
	f := newFleet("imap")
	must(t, open(t, dir, newFakeJournal(), func() *Config { return f.config }).Close())
	if !exists(filepath.Join(dir, "history.db")) {
		t.Error("the file was made somewhere else")
	}
}

// A file of another version is refused and not touched.
func TestOtherSchema(t *testing.T) {
	dir := t.TempDir()
	f := newFleet("imap")
	s := open(t, dir, newFakeJournal(), func() *Config { return f.config })
	_, err := s.db.Exec(`PRAGMA user_version = 9`)
	must(t, err)
	must(t, s.Close())
	_, err = Open(s.options)
	if err == nil || !strings.Contains(err.Error(), "schema version 9, expected 1") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkDay rolls up, tells and makes final one day of nine probes with three
// checks every 30 s.
func BenchmarkDay(b *testing.B) {
	f, j := newFleet("imap", "smtp", "https"), newFakeJournal()
	f.arrive(b, j, f.runs(ten, ten.Add(24*time.Hour)), nothingHeld)
	for b.Loop() {
		m := start(b, b.TempDir(), j, func() *Config { return f.config })
		next := ten.Add(time.Minute)
		for e := uint64(1); ; e++ {
			entry, ok, _, err := j.get(e)
			must(b, err)
			if !ok {
				break
			}
			must(b, m.told.apply(entry))
			must(b, m.rollup.apply(entry))
			if m.rollup.clock.After(next) { // as often as in life, a real clock being too fast
				must(b, m.rollup.tick(m.rollup.clock, true))
				m.judge(m.rollup.clock)
				next = next.Add(time.Minute)
			}
			if e%4 == 0 { // about every five seconds
				must(b, m.rollup.flush())
			}
			if e%26 == 0 { // about every thirty
				must(b, m.told.flush())
			}
		}
		must(b, m.s.Close())
	}
	_, last := j.Bounds()
	b.ReportMetric(float64(last), "entries")
}
