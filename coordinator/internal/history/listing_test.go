package history

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
)

// pages lists everything that a query asks for, a page at a time.
func pages(t *testing.T, s *Store, q ObservationQuery) (names []string, pages int) {
	t.Helper()
	for {
		list, next, err := s.Observations(context.Background(), q)
		must(t, err)
		for _, o := range list {
			names = append(names, fmt.Sprintf("%s %s %s %d", o.End().Format(time.TimeOnly), o.Probe, o.Epoch, o.Seq))
		}
		if pages++; next.End.IsZero() || pages > 10_000 {
			return names, pages
		}
		q.After = next
	}
}

// crowd is a history in which very many runs end at the same few moments, the
// first of them at the very start of a minute. Its journal is one entry.
func crowd(t *testing.T, minutes, perMoment int) (m *machine, end time.Time) {
	t.Helper()
	f, j := newFleet("imap"), newFakeJournal()
	end = ten.Add(time.Duration(minutes) * time.Minute)
	for _, epoch := range []string{"e1", "e2"} {
		for i, p := range f.config.Probes[:2] {
			var list []checks.Observation
			for at := ten; at.Before(end); at = at.Add(time.Minute) {
				for range perMoment {
					o := f.run(f.config.Checks[0], p, at.Add(-time.Second))
					o.Started, o.Elapsed = at.Add(-time.Second), time.Second
					o.Epoch, o.Seq = epoch, uint64(len(list)+1)
					if i == 1 && o.Seq%2 == 0 {
						o.Outcome, o.Class = checks.Down, checks.Busy
					}
					list = append(list, o)
				}
			}
			j.append(t, batch(end, list...))
		}
	}
	m = start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feed(m.rollup, 10)
	must(t, m.rollup.flush())
	t.Cleanup(func() { must(t, m.s.Close()) })
	return m, end
}

// However small the pages are, together they are the whole list: also where a page
// ends between runs that ended at the same moment.
func TestPagesAreExact(t *testing.T) {
	m, end := crowd(t, 3, 3)
	whole, n := pages(t, m.s, ObservationQuery{To: end, Limit: 1000})
	if len(whole) != 2*2*3*3 || n != 1 {
		t.Fatalf("got %d observations in %d pages, want 36 in one", len(whole), n)
	}
	want := []string{"10:02:00 eu-north-1 e1 9", "10:02:00 eu-north-1 e1 8", "10:02:00 eu-north-1 e1 7", "10:02:00 eu-north-1 e2 9"}
	if d := cmp.Diff(want, whole[:4]); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
	for limit := 1; limit <= 37; limit++ {
		got, _ := pages(t, m.s, ObservationQuery{To: end, Limit: limit})
		if d := cmp.Diff(whole, got); d != "" {
			t.Errorf("pages of %d (-want +got):\n%s", limit, d)
		}
	}
	down := ObservationQuery{Outcomes: []checks.Outcome{checks.Down}, From: ten.Add(time.Minute), To: ten.Add(2 * time.Minute), Limit: 1}
	got, _ := pages(t, m.s, down)
	if want := []string{"10:01:00 eu-north-2 e1 6", "10:01:00 eu-north-2 e1 4", "10:01:00 eu-north-2 e2 6", "10:01:00 eu-north-2 e2 4"}; !cmp.Equal(want, got) {
		t.Errorf("from 10:01 to before 10:02: got %q, want %q", got, want)
	}
}

// What is rare takes several pages, some of them empty, and none of it is lost.
func TestPagesGoOnWhereTheScanStopped(t *testing.T) {
	m, _ := crowd(t, 120, 5) // 120 minutes, each a reading of all 2,400
	list, next, err := m.s.Observations(context.Background(), ObservationQuery{Probe: "eu-north-1", Epoch: "e2", Seq: 1})
	if err != nil || len(list) != 0 || next.End.IsZero() {
		t.Fatalf("got %d observations, going on at %v, %v: want to be told to go on", len(list), next, err)
	}
	got, n := pages(t, m.s, ObservationQuery{Probe: "eu-north-1", Epoch: "e2", Seq: 1})
	if want := []string{"10:00:00 eu-north-1 e2 1"}; !cmp.Equal(want, got) || n < 2 {
		t.Errorf("got %q in %d pages, want %q in two or more", got, n, want)
	}
	list, _, err = m.s.Observations(context.Background(), ObservationQuery{Probe: "eu-north-1", Epoch: "e1", After: next, Limit: 1})
	if err != nil || len(list) != 1 || list[0].End().Sub(next.End) > time.Minute || !list[0].End().Before(next.End.Add(1)) {
		t.Errorf("after %v: got %v, %v, want the minute before", next.End, list, err)
	}
}

// What arrived is listed, and in the numbers, when its verdict is told: at once if
// it comes alone, a second later where much arrives and something failed, and five
// where all is well.
func TestNothingIsListedLate(t *testing.T) {
	for _, failed := range []bool{false, true} {
		t.Run(fmt.Sprintf("failed=%t", failed), func(t *testing.T) {
			inBubble(t, func(f *fleet, st *station) {
				begin := time.Now().UTC()
				o := f.runs(begin, begin.Add(30*time.Second))
				late := rollupFlush
				if failed {
					late = failureFlush
					last := &o[len(o)-1]
					last.Outcome, last.FailedPhase, last.Class = checks.Down, checks.Connect, checks.ConnectTimeout
				}
				time.Sleep(rollupFlush + 700*time.Millisecond)
				st.j.append(t, batch(time.Now(), o[0]))
				time.Sleep(time.Nanosecond)
				if got := st.listed(begin); got != 1 {
					t.Errorf("at once: got %d observations, want 1", got)
				}
				for _, o := range o[1:] {
					st.j.append(t, batch(time.Now(), o))
				}
				time.Sleep(late + time.Second)
				if got := st.listed(begin); got != len(o) {
					t.Errorf("%s later: got %d observations, want %d", late, got, len(o))
				}
			})
		})
	}
}

// listed is how many observations are listed, if the numbers agree.
func (st *station) listed(begin time.Time) int {
	st.t.Helper()
	list, _, err := st.s.Observations(context.Background(), ObservationQuery{Limit: 1000})
	must(st.t, err)
	a, err := st.s.Availability(context.Background(), Query{Check: "imap", From: begin, To: begin.Add(time.Minute)})
	must(st.t, err)
	if int(a.Runs) != len(list) {
		st.t.Errorf("%d runs in the numbers and %d in the list", a.Runs, len(list))
	}
	return len(list)
}

// The age of a check is that of its oldest run, in an open hour and in a sealed
// one, whatever the others are.
func TestBegan(t *testing.T) {
	inBubble(t, func(f *fleet, st *station) {
		config := *f.config
		config.Checks = append(config.Checks, Check{ID: "smtp", Service: "mail", Every: 30 * time.Second})
		time.Sleep(90 * time.Minute)
		began := time.Now().UTC().Truncate(time.Minute)
		st.play(f.runs(began, began.Add(time.Minute)))
		for _, wait := range []time.Duration{time.Second, 2 * time.Hour} {
			time.Sleep(wait)
			got, err := st.s.Began(context.Background(), "imap")
			if err != nil || !got.Equal(began) {
				t.Errorf("after %s: got %v, %v, want %v", wait, got, err, began)
			}
		}
		if got, err := st.s.Began(context.Background(), "smtp"); err != nil || !got.IsZero() {
			t.Errorf("a check that was never made: got %v, %v", got, err)
		}
	})
}
