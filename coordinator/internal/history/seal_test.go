package history

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// A day that was added up already is added up again when late data opens one of its
// hours.
func TestLateDataOfAClosedDay(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(time.Hour)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	must(t, m.rollup.seal(ten.Add(20*time.Hour)))
	// The rows of regions, and those of their probes, which add up to them.
	runs := func() []string {
		return rowsOf(t, m.s.reads, "", `SELECT sum(runs_up), sum(up_ms), count(*) FROM day JOIN series ON id = series GROUP BY probe = '' ORDER BY 3`)
	}
	if diff := cmp.Diff([]string{": 1080 | 32400000 | 3", ": 1080 | 32400000 | 9"}, runs()); diff != "" {
		t.Fatalf("closed day (-want +got):\n%s", diff)
	}
	f.arrive(t, j, f.runs(ten.Add(2*time.Hour), ten.Add(3*time.Hour)), func(checks.Observation) (time.Time, bool) { return ten.Add(21 * time.Hour), true })
	m.feedAll()
	must(t, m.rollup.seal(ten.Add(21*time.Hour)))
	if diff := cmp.Diff([]string{": 2160 | 64800000 | 3", ": 2160 | 64800000 | 9"}, runs()); diff != "" {
		t.Errorf("closed day after late data (-want +got):\n%s", diff)
	}
	must(t, m.s.Close())
}

// A slot that is older than the minutes that are kept opens no hour: what its block
// held is gone, and the hour would be made anew from the slot alone.
func TestSlotsOlderThanMinutes(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	for i, age := range []time.Duration{30*day + time.Second, 30*day - time.Minute} {
		o := f.run(f.config.Checks[0], f.config.Probes[0], ten.Add(-age))
		o.Seq = uint64(i + 1)
		j.append(t, batch(ten, o))
	}
	m.feedAll()
	if diff := cmp.Diff([]time.Time{ten.Add(time.Minute - 30*day)}, openMinutes(t, m.s)); diff != "" {
		t.Errorf("open minutes (-want +got):\n%s", diff)
	}
	must(t, m.s.Close())
}

// A loss of power takes back whole transactions of history.db, and no block that
// was written.
func TestWhatALossOfPowerMayTake(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(time.Minute)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	must(t, m.rollup.seal(ten.Add(3*time.Hour)))
	pragma := func(db *sql.DB, name string) string { return rowsOf(t, db, "", "PRAGMA "+name)[0] }
	for name, c := range map[string]struct {
		db          *sql.DB
		synchronous string
	}{"history": {m.s.db, ": 1"}, "minutes": {m.s.months.open[0].db, ": 2"}} {
		if mode, sync := pragma(c.db, "journal_mode"), pragma(c.db, "synchronous"); mode != ": wal" || sync != c.synchronous {
			t.Errorf("%s: got %s and %s, want wal and %s", name, mode, sync, c.synchronous)
		}
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

// A file of an older version is brought up to date, and what it holds stays.
func TestOlderSchema(t *testing.T) {
	f := newFleet("imap")
	for version := 1; version < len(migrations); version++ {
		dir := t.TempDir()
		db, err := openSQLite(filepath.Join(dir, "history.db"), "NORMAL", 1)
		must(t, err)
		_, err = db.Exec(fmt.Sprintf("BEGIN; %s PRAGMA user_version = %d; INSERT INTO place (reader, seq) VALUES ('told', 7); COMMIT",
			strings.Join(migrations[:version], ""), version))
		must(t, errors.Join(err, db.Close()))
		j := newFakeJournal()
		j.entries = make([][]byte, 7)
		m := start(t, dir, j, func() *Config { return f.config })
		if got := m.s.board.place().Seq; got != 7 {
			t.Errorf("version %d: place %d, want 7", version, got)
		}
		must(t, m.s.retain(ten))
		f.mails(t, m, ten.Add(time.Hour), mailed("m", 0, checks.MailArrived, 1))
		f.met(t, m, []seen{{probe: "us-east-1", hours: 1, address: "192.0.2.1:993", issuer: "R1", key: "k1"}})
		all, _, err := m.s.MailSums(t.Context(), MailQuery{From: ten, To: ten.Add(time.Hour)})
		must(t, err)
		shown, err := m.s.Presented(t.Context(), "imap", ten)
		must(t, err)
		if all.Arrived != 1 || len(shown) != 1 {
			t.Errorf("version %d goes on with %d mails and %d certificates, want one of each", version, all.Arrived, len(shown))
		}
		must(t, m.s.Close())
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
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("schema version 9, expected %d", len(migrations))) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkDay rolls up, tells and makes final one day of nine probes with three
// checks every 30 s.
func BenchmarkDay(b *testing.B) {
	f, j := newFleet("imap", "smtp", "https"), newFakeJournal()
	f.tls = true
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

// A file that is damaged is one error, which names it and says what to do.
func TestDamagedFile(t *testing.T) {
	f := newFleet("imap")
	config := func() *Config { return f.config }
	for name, damage := range map[string]func(path string) error{
		"a table is gone": func(path string) error {
			db, err := openSQLite(path, "NORMAL", 1)
			must(t, err)
			_, err = db.Exec(`DROP TABLE mark`)
			return errors.Join(err, db.Close())
		},
		"a judge is no judge": func(path string) error {
			db, err := openSQLite(path, "NORMAL", 1)
			must(t, err)
			_, err = db.Exec(`INSERT INTO series VALUES (1, 'imap', 'oceania', 'ipv4', ''); INSERT INTO judge VALUES (1, '{')`)
			return errors.Join(err, db.Close())
		},
		"no database": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 8192), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, newFakeJournal(), config)
			must(t, s.Close())
			path := filepath.Join(dir, "history.db")
			must(t, damage(path))
			_, err := Open(s.options)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restore the file from a backup") {
				t.Errorf("got %v", err)
			}
		})
	}
}
