package history

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/history/cell"
	"varde/coordinator/internal/verdict"
)

// openMinutes are the minutes of which something is known in open hours, one for each probe
// that looked, in order.
func openMinutes(t *testing.T, s *Store) (out []time.Time) {
	t.Helper()
	rows, err := s.reads.Query(`SELECT series, hour FROM open_hour`)
	must(t, err)
	var keys []hourKey
	must(t, eachKey(rows, func(k hourKey) { keys = append(keys, k) }))
	for _, k := range keys {
		h, err := s.openHour(k)
		must(t, err)
		for i, m := range h.Minutes {
			if m != nil {
				out = append(out, time.Unix(k.hour, 0).UTC().Add(time.Duration(i)*time.Minute))
			}
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// stages calls fn while the hours of a scene are open, when they are sealed, when
// their day is closed and when their month is.
func stages(t *testing.T, m *machine, fn func(stage string)) {
	t.Helper()
	fn("open")
	time.Sleep(2 * time.Hour)
	must(t, m.rollup.seal(time.Now()))
	fn("sealed")
	time.Sleep(24 * time.Hour)
	must(t, m.rollup.seal(time.Now()))
	fn("day closed")
	time.Sleep(40 * 24 * time.Hour)
	must(t, m.rollup.seal(time.Now()))
	fn("month closed")
}

// TestNumbersOfAProbe: each probe has numbers of its own, at every level, and those of a
// region are what its probes add up to.
func TestNumbersOfAProbe(t *testing.T) {
	scene(t, func(f *fleet, m *machine, begin time.Time) {
		ctx, to := context.Background(), begin.Add(2*time.Hour)
		stages(t, m, func(stage string) {
			for _, step := range []time.Duration{30 * time.Minute, day} {
				for _, r := range f.config.Regions {
					q := Query{Check: "imap", Region: r.ID, From: begin, To: begin.Truncate(step).Add(max(step, 2*time.Hour)), Step: step}
					region, err := m.s.Availability(ctx, q)
					must(t, err)
					latency, err := m.s.Latency(ctx, q)
					must(t, err)
					var up, down, unknown float64
					var runs, timed uint64
					for n := range 3 {
						q.Probe = fmt.Sprintf("%s-%d", r.ID, n+1)
						one, err := m.s.Availability(ctx, q)
						must(t, err)
						up, down, unknown, runs = up+one.UpS, down+one.DownS, unknown+one.UnknownS, runs+one.Runs
						times, err := m.s.Latency(ctx, q)
						must(t, err)
						for _, p := range times.Points {
							timed += p.N
						}
					}
					for _, p := range latency.Points {
						timed -= p.N
					}
					if up != region.UpS || down != region.DownS || unknown != region.UnknownS || runs != region.Runs || timed != 0 {
						t.Errorf("%s: %s: probes have %v s up, %v down, %v unknown, %d runs and %d more times; the region has %+v", stage, r.ID, up, down, unknown, runs, int64(timed), region.Number)
					}
				}
			}
			lonely, err := m.s.Availability(ctx, Query{Check: "imap", Probe: "us-east-2", From: begin, To: to, Step: time.Hour})
			must(t, err)
			// Its network is gone for the first hour: of that it knows nothing, and it covers the rest alone.
			if near(t, stage+": us-east-2", lonely.Availability, 1); lonely.Coverage != 0.5 || lonely.Runs != 120 {
				t.Errorf("%s: us-east-2: got %+v", stage, lonely.Number)
			}
			gone, err := m.s.Availability(ctx, Query{Check: "imap", Probe: "nobody", From: begin, To: to})
			must(t, err)
			if gone.Availability != nil || gone.Runs != 0 {
				t.Errorf("%s: a probe that is not there: got %+v", stage, gone.Number)
			}
		})
	})
}

// TestFormerVersion: what a version without numbers by probe kept is read on, in all
// tables, and late data of one probe is added to it.
func TestFormerVersion(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	end := ten.Add(2*time.Hour + 20*time.Minute)
	f.arrive(t, j, f.runs(ten, end), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	must(t, m.rollup.seal(ten.Add(2*time.Hour))) // one hour is sealed, two are open
	numbers := func() []string {
		var out []string
		for _, r := range f.config.Regions {
			targets := []target{{track: track{verdict.Series{Check: "imap", Region: r.ID, Family: checks.IPv4}, ""}, exists: true, probes: 3}}
			targets[0].id, _ = m.s.series.of(targets[0].track)
			must(t, m.s.findOpen(targets))
			w := window{from: ten, to: ten.Add(3 * time.Hour), now: ten.Add(3 * time.Hour), step: time.Hour}
			for _, unit := range []time.Duration{time.Minute, time.Hour} {
				w.step = unit
				must(t, m.s.read(t.Context(), targets[0], w, everything, func(at time.Time, total cell.Total) {
					out = append(out, fmt.Sprint(r.ID, unit, at, total.Sums, total.Coverage, total.Completed, total.Latency.Count(), len(total.Phases)))
				}))
			}
		}
		return out
	}
	want := numbers()
	m.age(`INSERT INTO open_minute (series, minute, cell) VALUES (1, 60, x'00')`) // of no open hour
	if diff := cmp.Diff(want, numbers()); diff != "" {
		t.Fatalf("after the change of version (-before +after):\n%s", diff)
	}
	if n := len(rowsOf(t, m.s.reads, "", `SELECT * FROM open_minute WHERE minute = 60`)); n != 0 {
		t.Error("a minute that was left behind is still there")
	}
	late := f.run(f.config.Checks[0], f.config.Probes[0], ten.Add(10*time.Second))
	late.Seq, late.Epoch = 1, "e2"
	j.append(t, batch(end.Add(time.Minute), late))
	m.feedAll()
	must(t, m.rollup.seal(ten.Add(6*time.Hour)))
	got := numbers()
	if changed := difference(got, want); len(changed) != 2 { // a minute, and its hour
		t.Errorf("one late look changed %q", changed)
	}
	must(t, m.s.Close())
}

// age makes the files those of the version before there were tracks, changes something in
// them, and opens them again.
func (m *machine) age(change string) {
	m.t.Helper()
	must(m.t, m.s.Close())
	files, err := filepath.Glob(filepath.Join(m.dir, "minutes-*.db"))
	must(m.t, err)
	for _, file := range files {
		db, err := openSQLite(file, "FULL", 1)
		must(m.t, err)
		mergeBlocks(m.t, db)
		must(m.t, db.Close())
	}
	db, err := openSQLite(filepath.Join(m.dir, historyFile), "FULL", 1)
	must(m.t, err)
	mergeOpen(m.t, db)
	for _, statement := range []string{
		`DELETE FROM hour WHERE series IN (SELECT id FROM series WHERE probe <> '')`,
		`CREATE TABLE old (id INTEGER PRIMARY KEY, check_id TEXT NOT NULL, region TEXT NOT NULL, family TEXT NOT NULL, UNIQUE (check_id, region, family))`,
		`INSERT INTO old SELECT id, check_id, region, family FROM series WHERE probe = ''`,
		`DROP TABLE series`, `ALTER TABLE old RENAME TO series`, `DROP TABLE probe_past`, `DROP TABLE pulse`,
		fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations)-2), change,
	} {
		_, err := db.Exec(statement)
		must(m.t, err)
	}
	must(m.t, db.Close())
	m.s = nil
	m.restart()
}

// mergeBlocks makes one hour of those of the probes.
func mergeBlocks(t testing.TB, db *sql.DB) {
	t.Helper()
	rows, err := db.Query(`SELECT rowid, block FROM block`)
	must(t, err)
	merged := make(map[int64][]byte)
	for rows.Next() {
		var id int64
		var data []byte
		must(t, rows.Scan(&id, &data))
		hours, err := cell.DecodeHours(data)
		must(t, err)
		merged[id] = cell.Hours{"": hours.Together()}.Encode()
	}
	must(t, rows.Close())
	for id, data := range merged {
		_, err := db.Exec(`UPDATE block SET block = ? WHERE rowid = ?`, data, id)
		must(t, err)
	}
	if len(merged) == 0 {
		t.Error("nothing is sealed")
	}
}

// mergeOpen puts the open minutes of the probes together under the number of the series.
func mergeOpen(t testing.TB, db *sql.DB) {
	t.Helper()
	queries, err := prepare(db, hotQueries[:])
	must(t, err)
	s := &Store{reads: db, queries: queries}
	dictionary, err := loadDictionary(db)
	must(t, err)
	merged := make(map[hourKey]*cell.Hour)
	rows, err := db.Query(`SELECT series, hour FROM open_hour`)
	must(t, err)
	var keys []hourKey
	must(t, eachKey(rows, func(k hourKey) { keys = append(keys, k) }))
	for _, k := range keys {
		h, err := s.openHour(k)
		must(t, err)
		one, _ := dictionary.name(k.series)
		id, _ := dictionary.find(one.Series)
		at := hourKey{id, k.hour}
		if merged[at] == nil {
			merged[at] = new(cell.Hour)
		}
		merged[at].Merge(h)
	}
	for _, table := range []string{"open_hour", "open_minute", "open_quarter"} {
		_, err := db.Exec(`DELETE FROM ` + table)
		must(t, err)
	}
	for k, h := range merged {
		_, err := db.Exec(saveOpen, k.hour, k.series, h.Probes)
		must(t, err)
		for i, m := range h.Minutes {
			if m != nil {
				_, err := db.Exec(`INSERT INTO open_minute (series, minute, cell) VALUES (?, ?, ?)`, k.series, k.hour+int64(i)*60, m.Encode())
				must(t, err)
			}
		}
		for i, q := range h.Quarters {
			if len(q) > 0 {
				_, err := db.Exec(saveQuarter, k.series, k.hour+int64(i)*900, q.Encode())
				must(t, err)
			}
		}
	}
}
