package evidence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

const dark = "2000-01-01-imap-4k7qx"

// rounds has two probes look at three checks every ten minutes, from one time to
// another. The clock of the second is 20 s ahead.
func (w *world) rounds(from, to time.Duration) {
	for at := from; at < to; at += 10 * time.Minute {
		time.Sleep(time.Until(w.at(at)))
		var list []wire.Batch
		for _, check := range []string{"a", "b", "c"} {
			list = append(list, w.seen("osl-1", check, time.Now(), 0), w.seen("osl-2", check, time.Now(), 20*time.Second))
		}
		w.append(list...)
	}
}

// expected are the lines of those rounds that ended in [from, to).
func (w *world) expected(from, to time.Duration, checks ...string) []string {
	var out []string
	for at := from; at < to; at += 10 * time.Minute {
		for _, probe := range []string{"osl-1", "osl-2"} {
			for i, check := range []string{"a", "b", "c"} {
				if strings.Contains(fmt.Sprint(checks), check) {
					out = append(out, fmt.Sprintf("%v %s %d %s", at, probe, int(at/(10*time.Minute))*3+i+1, check))
				}
			}
		}
	}
	return out
}

// attack is an incident that begins after two hours, is noticed ten minutes later,
// spreads to another check, ends after four, and is known to have begun earlier in
// the end. A probe that was cut off reports after nine hours.
func (w *world) attack() (final Want, want []string) {
	w.rounds(0, 130*time.Minute)
	open := Want{Incident: dark, Checks: []string{"a"}, From: w.at(2 * time.Hour)}
	w.want(open)
	w.rounds(130*time.Minute, 180*time.Minute)
	open.Checks = []string{"b", "a"}
	w.want(open)
	w.rounds(180*time.Minute, 260*time.Minute)
	open.Until = w.at(4 * time.Hour)
	w.want(open)
	w.rounds(260*time.Minute, 400*time.Minute)
	open.Until, open.From = w.at(270*time.Minute), w.at(90*time.Minute)
	w.want(open)
	time.Sleep(time.Until(w.at(9 * time.Hour)))
	late := w.seen("syd-1", "a", w.at(200*time.Minute), 0)
	w.append(late, w.seen("syd-1", "a", w.at(331*time.Minute), 0), w.seen("syd-1", "a", w.at(29*time.Minute), 0))
	time.Sleep(time.Hour)
	want = w.expected(30*time.Minute, 330*time.Minute, "a", "b")
	for i, line := range want { // it stands after the others that ended with it
		if strings.HasPrefix(line, "3h30m0s") {
			want = append(want[:i:i], append([]string{"3h20m0s syd-1 1 a"}, want[i:]...)...)
			break
		}
	}
	return open, want
}

func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		stop := w.run(t)
		final, want := w.attack()
		stop()
		if diff := cmp.Diff(want, w.readAll(t, final)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(want) < 100 {
			t.Errorf("only %d lines were wanted", len(want))
		}
		narrow := Want{Incident: dark, Checks: []string{"b"}, From: w.at(2 * time.Hour), Until: w.at(2 * time.Hour)}
		if diff := cmp.Diff(w.expected(time.Hour, 3*time.Hour, "b"), w.readAll(t, narrow)); diff != "" {
			t.Errorf("a part of it (-want +got):\n%s", diff)
		}
	})
}

// TestKeeperCrashes ends the process at every write, before it is done and after, and
// goes on later: nothing is missing and nothing is there twice.
func TestKeeperCrashes(t *testing.T) {
	for _, torn := range []bool{false, true} {
		finished := false
		for crash := 1; !finished; crash++ {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.crash, w.torn = crash, torn
				stop := w.run(t)
				final, want := w.attack()
				stop()
				w.disk.mu.Lock()
				finished = w.writes < crash
				w.crash = 0
				w.disk.mu.Unlock()
				again := w.run(t)
				time.Sleep(2 * time.Minute)
				again()
				if diff := cmp.Diff(want, w.readAll(t, final)); diff != "" {
					t.Errorf("crash at write %d, torn %v (-want +got):\n%s", crash, torn, diff)
				}
			})
			if crash > 500 {
				t.Fatal("the writes do not end")
			}
		}
	}
}

// A keeper that was away for all of an incident finds it in the journal.
func TestKeeperComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		final, want := w.attack()
		time.Sleep(24 * time.Hour)
		stop := w.run(t)
		time.Sleep(2 * time.Minute)
		stop()
		if diff := cmp.Diff(want, w.readAll(t, final)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// What a probe had to drop is kept too, once, where it overlaps.
func TestKeeperKeepsGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.want(
			Want{Incident: dark, Checks: []string{"a", "b"}, From: w.at(2 * time.Hour), Until: w.at(3 * time.Hour)},
			Want{Incident: dark + "y", Checks: []string{"a"}, From: w.at(20 * time.Hour)},
		)
		stop := w.run(t)
		time.Sleep(6 * time.Hour)
		b := w.seen("osl-1", "a", w.at(2*time.Hour), 0)
		b.Records = []wire.Record{{Gap: &wire.Gap{First: 7, Last: 19, From: w.at(30 * time.Minute), To: w.at(90 * time.Minute)}}}
		w.append(b)
		b.Records = []wire.Record{{Gap: &wire.Gap{First: 20, Last: 21, From: w.at(5 * time.Hour), To: w.at(5 * time.Hour)}}}
		w.append(b)
		time.Sleep(time.Minute)
		stop()
		if diff := cmp.Diff([]string{"30m0s osl-1 7 gap to 19"}, w.readAll(t, w.wants[0])); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := w.readAll(t, w.wants[1]); len(got) != 0 {
			t.Errorf("another incident has %q", got)
		}
	})
}

// A journal that is older than what was written down is read anew, as is one of
// which the place is damaged; what nobody wants any more is forgotten.
func TestKeeperBeginsAnew(t *testing.T) {
	for name, place := range map[string]string{"beyond": "999999", "damaged": "x"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.values = map[string][]byte{
					placeKey: []byte(place), wantPrefix + dark: []byte("{"), wantPrefix + "old": []byte(`{"checks":["a"],"from":"2000-01-01T00:00:00Z"}`),
				}
				final, want := w.attack()
				stop := w.run(t)
				time.Sleep(2 * time.Minute)
				stop()
				if diff := cmp.Diff(want, w.readAll(t, final)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if string(w.values[placeKey]) != fmt.Sprint(len(w.entries)) || w.values[wantPrefix+"old"] != nil || len(w.values) != 2 {
					t.Errorf("written down: %s", w.values)
				}
			})
		})
	}
}

// However much is found at once, little of it waits.
func TestKeeperIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for range 20 {
			b := w.seen("osl-1", "a", time.Now(), 0)
			for range 999 {
				b.Records = append(b.Records, w.seen("osl-1", "a", time.Now(), 0).Records...)
			}
			b.Attribute("osl-1", "eu-north", "osl")
			w.append(b)
			time.Sleep(time.Second)
		}
		w.want(Want{Incident: dark, Checks: []string{"a"}, From: w.at(0)})
		stop := w.run(t)
		time.Sleep(time.Minute)
		stop()
		for p, list := range w.kept {
			for _, batches := range list {
				n := 0
				for _, b := range batches {
					n += len(b.Records)
				}
				if n > most+999 {
					t.Errorf("%v: %d records were kept at once, want at most %d", p, n, most)
				}
			}
		}
		if got := w.readAll(t, w.wants[0]); len(got) != 20_000 {
			t.Errorf("%d are kept, want 20,000", len(got))
		}
	})
}

// A probe whose clock was not measured can report what has not ended yet by ours.
func TestKeeperLooksBeforeTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.append(w.seen("osl-1", "a", w.at(25*time.Second), 0))
		time.Sleep(time.Hour)
		of := Want{Incident: dark, Checks: []string{"a"}, From: w.at(time.Hour + 20*time.Second)}
		w.want(of)
		stop := w.run(t)
		time.Sleep(time.Minute)
		stop()
		if diff := cmp.Diff([]string{"25s osl-1 1 a"}, w.readAll(t, of)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The same over a journal, an archive and a bucket as they are on disk, twice.
func TestKeeperOverTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		of := Want{Incident: dark, Checks: []string{"a"}, From: w.at(90 * time.Minute)}
		dir, logger := t.TempDir(), slog.New(slog.DiscardHandler)
		for life := range 2 {
			j, err := journal.Open(t.Context(), journal.Options{Dir: dir, NoSync: true, Logger: logger})
			if err != nil {
				t.Fatal(err)
			}
			a, errArchive := j.Archive(t.Context(), journal.ArchiveOptions{MaxAge: 24 * time.Hour})
			b, errBucket := j.Bucket(t.Context(), "evidence")
			k, err := NewKeeper(Options{Journal: j, Archive: a, Store: b, Wants: func() []Want { return []Want{of} }, Logger: logger})
			if err := errors.Join(errArchive, errBucket, err); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- k.Run(ctx) }()
			for range 20 {
				if _, err := j.Append(ctx, []wire.Batch{w.seen("osl-1", "a", time.Now(), 0), w.seen("osl-2", "b", time.Now(), 0)}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Minute)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			n := 0
			for s, err := range Read(t.Context(), a, of) {
				if n++; err != nil || s.Observation.Check != "a" || s.Batch.ClockOffset != 0 || !s.Batch.ClockKnown {
					t.Errorf("got %+v, %v", s, err)
				}
			}
			if want := []int{10, 30}[life]; n != want {
				t.Errorf("life %d: %d are kept, want %d", life, n, want)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestNewKeeperWantsAll(t *testing.T) {
	if _, err := NewKeeper(Options{}); err == nil {
		t.Error("got no error")
	}
}

// While nothing can be written the keeper tries again, and nobody else notices.
func TestKeeperWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.crash = 5
		stop := w.run(t)
		time.AfterFunc(5*time.Hour, func() {
			w.disk.mu.Lock()
			defer w.disk.mu.Unlock()
			w.crash = 0
		})
		final, want := w.attack()
		stop()
		if diff := cmp.Diff(want, w.readAll(t, final)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
