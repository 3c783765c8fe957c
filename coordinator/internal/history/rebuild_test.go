package history

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sec is a time as the tables hold it.
func sec(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// read has the rollups read on until there is no more, as whoever runs them does.
func (m *machine) read() {
	m.t.Helper()
	for {
		e, ok, _, err := m.j.get(m.rollup.place() + 1)
		must(m.t, err)
		if !ok {
			return
		}
		err = m.rollup.apply(e)
		if errors.Is(err, errAgain) {
			_, err = m.rollup.reload()
		}
		must(m.t, err)
	}
}

// rebuildNow begins a rebuilding.
func (m *machine) rebuildNow() {
	m.t.Helper()
	must(m.t, m.rollup.begin(m.t.Context()))
	_, err := m.rollup.reload()
	must(m.t, err)
}

// settled is a machine that has read and judged all of a troubled journal, with what is
// on disk then.
func settled(t *testing.T) (m *machine, end time.Time, record []string) {
	t.Helper()
	f, j := troubled(t)
	end = ten.Add(3*time.Hour + 10*time.Minute)
	m = start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	must(t, m.rollup.seal(end))
	must(t, m.final.step(t.Context(), end))
	return m, end, dump(t, m.s)
}

// TestRebuild: what is lost or wrong of the hours that the journal holds is as it was
// after a rebuilding, and what is older is not touched.
func TestRebuild(t *testing.T) {
	m, end, want := settled(t)
	before := ten.Add(time.Hour) // the first run came after ten: the hour is not whole
	for _, q := range []string{
		`UPDATE hour SET up_ms = up_ms + 1`, `DELETE FROM hour WHERE at = ` + sec(before), `DELETE FROM open_minute`, `DELETE FROM day`,
		`DELETE FROM verdict WHERE kind = 'final' AND at >= ` + sec(before) + `000000000`,
	} {
		_, err := m.s.db.Exec(q)
		must(t, err)
	}
	file, err := m.s.months.fileLocked(ten, false)
	must(t, err)
	for _, q := range []string{`DELETE FROM block WHERE region = 'oceania' AND hour >= `, `UPDATE block SET block = x'00' WHERE region = 'us-east' AND hour >= `} {
		_, err = file.Exec(q + sec(before))
		must(t, err)
	}
	m.rebuildNow()
	m.read()
	must(t, m.rollup.seal(end))
	must(t, m.final.step(t.Context(), end))
	got := dump(t, m.s)
	for i, line := range got { // the hour before was damaged, and stays so
		if strings.HasPrefix(line, "hour: ") && slices.Contains(strings.Split(line, " | "), sec(ten)) {
			got[i] = want[i]
		}
	}
	sameRecord(t, want, got)
	if _, ok, err := m.s.Rebuilding(t.Context()); ok || err != nil {
		t.Errorf("still under way, %v", err)
	}
}

// TestRebuildSurvives crashes at any point of it, and data that arrive meanwhile.
func TestRebuildSurvives(t *testing.T) {
	m, end, want := settled(t)
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 3))
		m.rebuildNow()
		for crashes := 0; crashes < 8; {
			e, ok, _, err := m.j.get(m.rollup.place() + 1)
			must(t, err)
			if !ok {
				break
			}
			if err = m.rollup.apply(e); errors.Is(err, errAgain) {
				_, err = m.rollup.reload()
			}
			must(t, err)
			switch random.IntN(60) {
			case 0:
				must(t, m.rollup.flush())
			case 1:
				m.restart()
				crashes++
			case 2:
				must(t, m.rollup.flush())
				must(t, m.rollup.seal(earlier(m.rollup.clock, end)))
			}
		}
		m.read()
		must(t, m.rollup.flush())
		must(t, m.rollup.seal(end))
		must(t, m.final.step(t.Context(), end))
		sameRecord(t, want, dump(t, m.s))
	}
}

// TestRebuildOfADamagedFile: a month's file that is not whole is moved aside, and what
// the journal holds of it is made again.
func TestRebuildOfADamagedFile(t *testing.T) {
	m, end, want := settled(t)
	must(t, m.s.months.close())
	path := filepath.Join(m.dir, monthName(ten))
	must(t, os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600))
	m.rebuildNow()
	m.read()
	must(t, m.rollup.flush())
	must(t, m.rollup.seal(end))
	must(t, m.final.step(t.Context(), end))
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
	want = slices.DeleteFunc(want, func(line string) bool {
		return strings.HasPrefix(line, "minutes-") && strings.Contains(line, " | "+sec(ten)+" | ")
	})
	sameRecord(t, want, dump(t, m.s))
}

// TestRebuildIsAskedFor while the history runs, says how far it is, and ends by itself.
func TestRebuildIsAskedFor(t *testing.T) {
	inBubble(t, func(f *fleet, st *station) {
		began := time.Now() // midnight
		st.play(f.runs(began, began.Add(3*time.Hour)))
		time.Sleep(2 * time.Hour)
		want := dump(t, st.s)
		got, err := st.rollup.Rebuild(context.Background())
		must(t, err)
		if !got.Since.Equal(began.Add(time.Hour)) || got.All == 0 {
			t.Errorf("got %+v, want since one o'clock", got)
		}
		time.Sleep(10 * time.Minute)
		if _, ok, err := st.s.Rebuilding(context.Background()); ok || err != nil {
			t.Errorf("still under way, %v", err)
		}
		sameRecord(t, want, dump(t, st.s))
	})
}

// TestRebuildOfNothing says why there is nothing.
func TestRebuildOfNothing(t *testing.T) {
	f := newFleet("imap")
	m := start(t, t.TempDir(), newFakeJournal(), func() *Config { return f.config })
	if err := m.rollup.begin(t.Context()); err == nil || !strings.Contains(err.Error(), "the journal holds nothing") {
		t.Errorf("got %v", err)
	}
	f.arrive(t, m.j, f.runs(ten, ten.Add(time.Minute)), nothingHeld)
	m.feedAll()
	if err := m.rollup.begin(t.Context()); err == nil || !strings.Contains(err.Error(), "no whole hour is in it") {
		t.Errorf("got %v", err)
	}
}

// Of a day that is closed the hours that the journal holds are made again, and those
// before stay.
func TestRebuildOfAClosedDay(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	evening := ten.Add(12*time.Hour + 30*time.Minute)
	f.arrive(t, j, f.runs(evening, evening.Add(4*time.Hour)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	end := evening.Add(24 * time.Hour)
	must(t, m.rollup.seal(end))
	must(t, m.final.step(t.Context(), end))
	want := dump(t, m.s)
	if n := len(rowsOf(t, m.s.reads, "", `SELECT * FROM past`)); n != 3 {
		t.Fatalf("%d days are closed, want one of each region", n)
	}
	m.rebuildNow()
	if n := len(rowsOf(t, m.s.reads, "", `SELECT * FROM hour WHERE at < `+sec(ten.Add(13*time.Hour)))); n != 12 {
		t.Errorf("%d hours stand that were before the journal, want one of each region and of each probe", n)
	}
	m.read()
	must(t, m.rollup.seal(end))
	must(t, m.final.step(t.Context(), end))
	sameRecord(t, want, dump(t, m.s))
	must(t, m.s.Close())
}
