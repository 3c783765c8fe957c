package history

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A journal that was lost, or brought back from an older copy, is followed from its
// beginning: what is new in it counts, what was taken from the one before does not
// count again, and the record of hours that it no longer holds stands.
func TestJournalThatIsShorter(t *testing.T) {
	for name, kept := range map[string]int{"lost": 0, "older copy": 60} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, st := bubble(t, "imap")
				begin := time.Now().UTC()
				st.run()
				st.play(f.runs(begin, begin.Add(80*time.Minute)))
				time.Sleep(2 * rollupFlush)
				runs, final := runsOf(t, st), changesOf(t, st.s, "final", darkness)
				st.stop()
				st.j.entries = st.j.entries[:kept]
				st.told = nil
				st.run()
				f.epoch, f.seq = "e2", map[string]uint64{}
				later := f.runs(begin.Add(80*time.Minute+10*time.Second), begin.Add(100*time.Minute))
				st.play(later)
				late := f.run(f.config.Checks[0], f.config.Probes[8], begin.Add(30*time.Minute))
				late.Epoch, late.Seq = "e9", 1
				st.j.append(t, batch(time.Now(), late))
				time.Sleep(10 * time.Second)
				stats, err := st.s.Stats(context.Background())
				if err != nil || stats.Rolled.Seq != st.j.Last() || stats.Told.Seq != st.j.Last() {
					t.Errorf("%d entries: got %+v, %v", st.j.Last(), stats, err)
				}
				for _, x := range st.told {
					t.Errorf("told %v while all was well", x.c)
				}
				if got, want := runsOf(t, st), runs+uint64(len(later))+1; got != want {
					t.Errorf("%d runs, want %d", got, want)
				}
				if diff := cmp.Diff(final, changesOf(t, st.s, "final", darkness)); diff != "" || len(final) != 1 {
					t.Errorf("final (-before +after):\n%s", diff)
				}
				st.stop()
			})
		})
	}
}

// runsOf is how many runs are rolled up.
func runsOf(t *testing.T, st *station) uint64 {
	t.Helper()
	a, err := st.s.Availability(context.Background(), Query{Service: "mail", From: time.Now().Add(-3 * time.Hour), To: time.Now()})
	must(t, err)
	return a.Runs
}

// A gap in the journal is counted, and a reader that cannot go on is an error of
// the statistics until it gets on.
func TestWhatReadersTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, st := bubble(t, "imap")
		begin := time.Now().UTC()
		f.arrive(t, st.j, f.runs(begin, begin.Add(2*time.Minute)), nothingHeld)
		st.j.forget(11)
		time.Sleep(2 * time.Minute)
		st.run()
		time.Sleep(2 * time.Second)
		stats, err := st.s.Stats(context.Background())
		must(t, err)
		if stats.Missed["told"] != 10 || stats.Missed["rollup"] != 10 {
			t.Errorf("missed %v, want 10 each", stats.Missed)
		}
		_, err = st.s.db.Exec(`PRAGMA query_only = 1`)
		must(t, err)
		st.play(f.runs(begin.Add(2*time.Minute+10*time.Second), begin.Add(4*time.Minute)))
		if _, err := st.s.Stats(context.Background()); err == nil || !strings.Contains(err.Error(), "part rollup") {
			t.Errorf("nothing can be written: got %v", err)
		}
		_, err = st.s.db.Exec(`PRAGMA query_only = 0`)
		must(t, err)
		time.Sleep(2 * time.Minute)
		_, err = st.s.Stats(context.Background())
		must(t, err)
		st.stop()
	})
}
