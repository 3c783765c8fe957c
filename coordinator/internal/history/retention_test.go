package history

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/proto/wire"
)

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
	retain := func(now time.Time) {
		t.Helper()
		_, err := m.s.db.Exec(`UPDATE retention SET clock = ?`, now.Add(-time.Hour).Unix()) // as if every hour had had its turn
		must(t, err)
		must(t, m.s.retain(now))
	}
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
	packed := func(unit string) int {
		// What the probes of a region have stands in a row beside that of the region.
		regions, probes := len(rowsOf(t, m.s.reads, "", "SELECT * FROM past WHERE unit = ?", unit)), len(rowsOf(t, m.s.reads, "", "SELECT * FROM probe_past WHERE unit = ?", unit))
		if regions != probes {
			t.Errorf("%d blocks of regions and %d of their probes", regions, probes)
		}
		return regions
	}
	if got := packed("hour"); got != 9 {
		t.Errorf("hours of %d days, want those of three regions on three days", got)
	}
	if got := packed("day"); got != 6 || rows("day") != 12 {
		t.Errorf("%d months and %d days, want 6 of regions, and 3 of regions and 9 of probes", got, rows("day"))
	}
	if got := rows("open_hour") + rows("open_minute") + rows("open_quarter"); got != 0 {
		t.Errorf("%d rows of open hours are left", got)
	}
	retain(at(20 + 367))
	files()
	if got := packed("hour"); got != 3 {
		t.Errorf("%d days of hours after a year, want 3", got)
	}
	retain(at(3653 + 32))
	if got := packed("day"); got != 3 || rows("day") != 12 {
		t.Errorf("%d months and %d days after ten years, want 3 and 12", got, rows("day"))
	}
	j.forget(1 << 40)
	retain(at(3653 + 10))
	if got := rows("passage") + rows("mark"); got != 0 {
		t.Errorf("%d rows about a journal that is gone", got)
	}
	must(t, m.s.Close())
}

// A clock that leaps is not believed: each turn deletes a day's worth at most.
func TestRetentionGoesSlowly(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(10*time.Minute)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	must(t, m.rollup.seal(ten.Add(3*time.Hour)))
	must(t, m.s.retain(ten.AddDate(30, 0, 0)))
	must(t, m.s.retain(ten.AddDate(30, 0, 0)))
	if n := len(rowsOf(t, m.s.reads, "", `SELECT * FROM hour`)); n != 12 || !exists(filepath.Join(m.dir, "minutes-2026-11.db")) {
		t.Errorf("a clock 30 years ahead deleted all but %d hours, or the minutes", n)
	}
	var clock int64
	must(t, m.s.retain(ten.Add(4*time.Hour)))
	must(t, m.s.reads.QueryRow(`SELECT clock FROM retention`).Scan(&clock))
	if clock != ten.Add(4*time.Hour).Unix() {
		t.Errorf("the clock went back and the retention did not")
	}
	must(t, m.s.Close())
}

// What is judged again no more needs no judges at its beginning; the newest hour
// does, for the next.
func TestRetentionOfBoundaries(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(5*time.Hour)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	m.judge(ten.Add(4 * time.Hour))
	hours := func() (out []string) {
		return rowsOf(t, m.s.reads, "", `SELECT DISTINCT (hour - 1795341600) / 3600 FROM boundary`)
	}
	if diff := cmp.Diff([]string{": 1", ": 2", ": 3", ": 4"}, hours()); diff != "" {
		t.Fatalf("boundaries (-want +got):\n%s", diff)
	}
	j.forget(firstAfter(t, m.s, ten.Add(150*time.Minute)))
	must(t, m.s.retain(ten.Add(6*time.Hour)))
	if diff := cmp.Diff([]string{": 3", ": 4"}, hours()); diff != "" {
		t.Errorf("the journal begins at 12:30, boundaries (-want +got):\n%s", diff)
	}
	j.forget(j.Last() + 1)
	must(t, m.s.retain(ten.Add(6*time.Hour)))
	if diff := cmp.Diff([]string{": 4"}, hours()); diff != "" {
		t.Errorf("the journal is empty, boundaries (-want +got):\n%s", diff)
	}
	must(t, m.s.Close())
}

// An observation that comes when the index of its hour was deleted long ago does
// not make the record of that hour anew from itself alone. The next hour, of which
// everything is there, is judged again as ever.
func TestLateDataAfterRetention(t *testing.T) {
	f, j := hidden(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	m.judge(ten.Add(4 * time.Hour))
	before := changesOf(t, m.s, "final", darkness)
	if len(before) < 3 {
		t.Fatalf("got %d changes, want up, down and up", len(before))
	}
	j.forget(firstAfter(t, m.s, ten.Add(time.Hour)))
	must(t, m.s.retain(ten.Add(5*time.Hour)))
	must(t, m.s.retain(ten.Add(6*time.Hour))) // nothing more to delete, nothing forgotten anew
	late := f.run(f.config.Checks[0], f.config.Probes[8], ten.Add(30*time.Minute+time.Second))
	late.Epoch, late.Seq = "e9", 1
	next := f.run(f.config.Checks[0], f.config.Probes[8], ten.Add(90*time.Minute+time.Second))
	next.Epoch, next.Seq = "e9", 2
	j.append(t, batch(ten.Add(6*time.Hour), late, next))
	m.feedAll()
	m.judge(ten.Add(6*time.Hour + time.Minute))
	if diff := cmp.Diff(before, changesOf(t, m.s, "final", darkness)); diff != "" {
		t.Errorf("final verdicts changed (-before +after):\n%s", diff)
	}
	if n := len(rowsOf(t, m.s.reads, "", `SELECT * FROM touched`)); n != 0 {
		t.Errorf("%d hours wait for ever", n)
	}
	got, _, err := m.s.Observations(context.Background(), ObservationQuery{Probe: late.Probe, Epoch: "e9"})
	must(t, err)
	if len(got) != 2 {
		t.Errorf("%d late observations are listed, want 2", len(got))
	}
	must(t, m.s.Close())
}

// firstAfter is the first entry that holds an observation of the given minute.
func firstAfter(t *testing.T, s *Store, minute time.Time) (seq uint64) {
	t.Helper()
	must(t, s.reads.QueryRow(`SELECT min(first) FROM passage WHERE minute = ?`, minute.Unix()).Scan(&seq))
	return seq
}

// Mails, annotations and findings are kept as long as days; what servers showed goes
// when it is of no use.
func TestRetentionOfEvents(t *testing.T) {
	atTen(t, func(t *testing.T, f *fleet, m *machine) {
		f.mails(t, m, ten.Add(time.Hour), mailed("m", 0, checks.MailArrived, 1))
		f.tell(t, m.j, "us-east-1", ten.Add(time.Hour), wire.Event{Findings: &checks.Findings{Check: "imap", Service: "mail"}})
		f.met(t, m, []seen{{probe: "us-east-2", hours: 2, address: "192.0.2.1:993", issuer: "R1", key: "k1"}, {probe: "us-east-2", hours: 3, address: "192.0.2.1:993", issuer: "R1", key: "k2"}})
		rows := func() (out []int) {
			for _, table := range []string{"mail", "annotation", "finding", "sighting", "chain"} {
				out = append(out, len(rowsOf(t, m.s.reads, "", "SELECT * FROM "+table)))
			}
			return out
		}
		for _, c := range []struct {
			age  time.Duration
			want []int
		}{{0, []int{1, 1, 1, 2, 2}}, {59 * day, []int{1, 1, 1, 2, 2}}, {61 * day, []int{1, 1, 1, 0, 0}}, {3653 * day, []int{1, 1, 1, 0, 0}}, {3654 * day, []int{0, 0, 0, 0, 0}}} {
			_, err := m.s.db.Exec(`UPDATE retention SET clock = ?`, ten.Add(c.age-time.Hour).Unix())
			must(t, err)
			must(t, m.s.retain(ten.Add(c.age)))
			if got := rows(); !slices.Equal(got, c.want) {
				t.Errorf("after %s: got %v, want %v", c.age, got, c.want)
			}
		}
	})
}
