package schedule

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
)

func target(id string, every time.Duration) *checks.Target {
	return &checks.Target{ID: id, Service: "mail", Kind: checks.IMAP, URL: "imaps://mail.example.net", Every: every, Timeout: every}
}

func entry4(id string, every time.Duration) Entry {
	return Entry{Target: target(id, every), Family: checks.IPv4}
}

// recorder keeps the runs that were begun.
type recorder struct {
	mu   sync.Mutex
	runs []Run
	at   []time.Time
}

func (r *recorder) run(_ context.Context, run Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs, r.at = append(r.runs, run), append(r.at, time.Now())
}

// times of the runs of one check, which must have begun when they were planned.
func (r *recorder) times(t *testing.T, check string) (at []time.Time) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, run := range r.runs {
		if run.Target.ID != check {
			continue
		}
		if !run.Scheduled.Equal(r.at[i]) {
			t.Errorf("%s planned for %s began at %s", check, run.Scheduled, r.at[i])
		}
		at = append(at, run.Scheduled)
	}
	return at
}

// start makes a scheduler for probe "a" and runs it until the bubble's test
// ends.
func start(t *testing.T, opt Options) *Scheduler {
	t.Helper()
	opt.Self = "a"
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestRunsComeFromTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		s := start(t, Options{Run: rec.run})
		s.Set([]Entry{entry4("imap", 30*time.Second), entry4("web", time.Minute), {Target: target("imap", 30*time.Second), Family: checks.IPv6}})
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := len(rec.times(t, "imap")); got != 240 {
			t.Errorf("imap ran %d times over two families, want 240", got)
		}
		web := rec.times(t, "web")
		if len(web) != 60 {
			t.Errorf("web ran %d times, want 60", len(web))
		}
		phase := Phase(entry4("web", time.Minute), "a", nil)
		for _, at := range web {
			if got := time.Duration(at.UnixNano()) % time.Minute; got != phase {
				t.Errorf("web at phase %s, want %s", got, phase)
			}
		}
		if st := s.Stats(); st != (Stats{Entries: 3, Runs: 300}) {
			t.Errorf("stats %+v", st)
		}
	})
}

// A target that swallows its whole interval, and one that panics, change nothing
// for the others nor for their own next run.
func TestSlowAndPanickingRunsDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec, panics recorder
		var log bytes.Buffer
		s := start(t, Options{
			Run: func(ctx context.Context, r Run) {
				rec.run(ctx, r)
				switch r.Target.ID {
				case "slow":
					select {
					case <-time.After(45 * time.Second): // longer than the interval
					case <-ctx.Done():
					}
				case "broken":
					panic("index out of range")
				}
			},
			Panicked: func(r Run) { panics.run(context.Background(), r) },
			Logger:   slog.New(slog.NewTextHandler(&log, nil)),
		})
		s.Set([]Entry{entry4("slow", 30*time.Second), entry4("broken", 30*time.Second), entry4("good", 30*time.Second)})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for _, id := range []string{"slow", "broken", "good"} {
			if got := len(rec.times(t, id)); got != 20 {
				t.Errorf("%s ran %d times, want 20", id, got)
			}
		}
		if got := len(panics.runs); got != 20 {
			t.Errorf("told of %d panics, want 20", got)
		}
		// One line, which says where.
		want := regexp.MustCompile(`^[^\n]* msg="run panicked" check=broken family=ipv4 panic="index out of range" ` +
			`at="varde/probe/internal/schedule\.TestSlow\S+ \(schedule_test\.go:\d+\)"\n$`)
		if !want.MatchString(log.String()) {
			t.Errorf("logged\n%s\nwant one line like %s", log.String(), want)
		}
		if st := s.Stats(); st.Panics != 20 || st.Running < 1 || st.Running > 2 {
			t.Errorf("stats %+v", st)
		}
	})
}

// Three schedulers of one region look evenly; when one leaves, the others space
// themselves anew without ever coming too close to their own run before.
func TestRegionSpacesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 10 * time.Second
		members := &membership{names: []string{"a", "b", "c"}, since: time.Now()}
		recs := map[string]*recorder{}
		stop := map[string]context.CancelFunc{}
		scheds := map[string]*Scheduler{}
		var all sync.WaitGroup
		for _, name := range members.names {
			rec := &recorder{}
			s, err := New(Options{Self: name, Members: members.list, Settled: members.settled, Run: rec.run, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			s.Set([]Entry{entry4("imap", every)})
			ctx, cancel := context.WithCancel(t.Context())
			all.Go(func() { s.Run(ctx) })
			recs[name], stop[name], scheds[name] = rec, cancel, s
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		checkSpacing(t, recs, []string{"a", "b", "c"}, time.Now().Add(-every), every/3)

		stop["b"]()
		members.set("a", "c")
		for _, s := range scheds {
			s.MembersChanged()
		}
		left := time.Now()
		time.Sleep(29 * time.Second)
		for _, name := range []string{"a", "c"} { // not settled: all as before
			want := Phase(entry4("imap", every), name, []string{"a", "b", "c"})
			for _, at := range recs[name].times(t, "imap") {
				if got := time.Duration(at.UnixNano()) % every; at.After(left) && got != want {
					t.Errorf("%s moved to phase %s %s after the change", name, got, at.Sub(left))
				}
			}
		}
		time.Sleep(5 * time.Minute)
		checkSpacing(t, recs, []string{"a", "c"}, time.Now().Add(-every), every/2)
		for name, rec := range recs {
			at := rec.times(t, "imap")
			for i := range len(at) - 1 {
				if d := at[i+1].Sub(at[i]); d < every/2 || d > every*3/2 {
					t.Errorf("%s: %s between two runs", name, d)
				}
			}
		}
		for _, cancel := range stop {
			cancel()
		}
		all.Wait()
	})
}

// Probes of a region that all start at once look evenly from the first round on,
// though the members of their mesh are not known yet; then they go by these.
func TestRegionStartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 10 * time.Second
		enrolled := []string{"c", "a", "e", "b", "d"}
		mesh := &membership{since: time.Now()}
		recs := map[string]*recorder{}
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		for _, name := range enrolled {
			rec := &recorder{}
			s, err := New(Options{
				Self: name, Members: mesh.list, Settled: mesh.settled, Enrolled: func() []string { return enrolled },
				Run: rec.run, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			s.Set([]Entry{entry4("imap", every)})
			all.Go(func() { s.Run(ctx) })
			recs[name] = rec
		}
		time.Sleep(every + time.Second)
		synctest.Wait()
		checkSpacing(t, recs, enrolled, begin, every/5)
		mesh.mu.Lock()
		mesh.names = []string{"a", "b", "c", "d"} // all but one have come
		mesh.mu.Unlock()
		time.Sleep(5 * time.Minute)
		for name, rec := range recs {
			at := rec.times(t, "imap")
			if got, want := at[len(at)-1].UnixNano()%int64(every), Phase(entry4("imap", every), name, mesh.names); got != int64(want) {
				t.Errorf("%s is at phase %s of %v, want %s", name, time.Duration(got), mesh.names, want)
			}
		}
		cancel()
		all.Wait()
	})
}

// membership is a mesh that settles 30 s after a change.
type membership struct {
	mu    sync.Mutex
	names []string
	since time.Time
}

func (m *membership) list() []string { m.mu.Lock(); defer m.mu.Unlock(); return m.names }
func (m *membership) settled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.since) >= 30*time.Second
}

func (m *membership) set(names ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names, m.since = names, time.Now()
}

// checkSpacing looks at the interval of 10 s that begins at from.
func checkSpacing(t *testing.T, recs map[string]*recorder, names []string, from time.Time, want time.Duration) {
	t.Helper()
	var at []time.Time
	for _, name := range names {
		for _, x := range recs[name].times(t, "imap") {
			if !x.Before(from) && x.Before(from.Add(10*time.Second)) {
				at = append(at, x)
			}
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	if len(at) != len(names) {
		t.Fatalf("%d runs in an interval of %v, want %d", len(at), names, len(names))
	}
	for i := range len(at) - 1 {
		if d := at[i+1].Sub(at[i]); d != want {
			t.Errorf("%v: %s between two looks, want %s", names, d, want)
		}
	}
}

// A new plan every few seconds must not keep a check from ever running.
func TestSetKeepsTheTimesOfUnchangedEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		s := start(t, Options{Run: rec.run})
		s.Set([]Entry{entry4("imap", 30*time.Second)})
		begin := time.Now()
		for i := range 600 {
			time.Sleep(time.Second)
			changed := entry4("imap", 30*time.Second)
			changed.Target.URL = fmt.Sprintf("imaps://mail%d.example.net", i)
			s.Set([]Entry{changed, entry4(fmt.Sprintf("web-%d", i%3), 10*time.Second)})
		}
		synctest.Wait()
		at := rec.times(t, "imap")
		if len(at) != 20 {
			t.Fatalf("ran %d times in 10 minutes, want 20", len(at))
		}
		rec.mu.Lock()
		defer rec.mu.Unlock()
		for i, r := range rec.runs { // the plan of second i is set i+1 seconds after the start
			set := int(rec.at[i].Sub(begin)/time.Second) - 1
			if want := fmt.Sprintf("imaps://mail%d.example.net", set); r.Target.ID == "imap" && set >= 0 && r.Target.URL != want {
				t.Errorf("run %d asks %s, want %s", i, r.Target.URL, want)
			}
		}
	})
}

func TestSetRemovesAndRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		s := start(t, Options{Run: rec.run})
		s.Set([]Entry{entry4("gone", 10*time.Second), entry4("hasty", time.Second)})
		time.Sleep(10*time.Minute + time.Millisecond)
		changed := time.Now()
		s.Set(nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if at := rec.times(t, "gone"); len(at) != 60 || at[59].After(changed) {
			t.Errorf("gone ran %d times, last at %s", len(at), at[len(at)-1])
		}
		if got := rec.times(t, "hasty"); len(got) != 0 {
			t.Errorf("a check every second ran %d times, want none", len(got))
		}
	})
}

// A shorter interval that is set right after a run does not bring the next one
// closer than half of it.
func TestSetChangesIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		s := start(t, Options{Run: rec.run})
		for i := range 8 {
			id := fmt.Sprintf("check-%d", i)
			s.Set([]Entry{entry4(id, 10*time.Minute)})
			first := slot(time.Now(), 10*time.Minute, Phase(entry4(id, 10*time.Minute), "a", nil))
			time.Sleep(time.Until(first) + time.Millisecond)
			s.Set([]Entry{entry4(id, 41*time.Second)})
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			at := rec.times(t, id)
			if len(at) < 2 || !at[0].Equal(first) || at[1].Sub(at[0]) < 41*time.Second/2 || at[1].Sub(at[0]) >= 41*time.Second*3/2 {
				t.Errorf("%s ran at %v", id, at)
			}
		}
	})
}

// TestNow: a run out of turn begins at once, moves no entry and is in no count; one
// too many is not made, and a panic in it ends nothing.
func TestNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		panicked := 0
		s := start(t, Options{
			Run: func(ctx context.Context, r Run) {
				rec.run(ctx, r)
				if r.Bare {
					panic("out of turn")
				}
			},
			Panicked: func(Run) { panicked++ },
		})
		s.Set([]Entry{entry4("imap", 30*time.Second)})
		time.Sleep(95 * time.Second)
		planned := rec.times(t, "imap")
		before := s.Stats()
		now := time.Now()
		if !s.Now(Run{Target: target("imap", 30*time.Second), Family: checks.IPv4, Scheduled: now, Trigger: checks.Confirm, Bare: true}) {
			t.Fatal("there is no room for one run")
		}
		synctest.Wait()
		if last := rec.runs[len(rec.runs)-1]; !last.Scheduled.Equal(now) || last.Trigger != checks.Confirm || panicked != 1 {
			t.Errorf("got %+v and %d panics, want the run that was asked for", last, panicked)
		}
		after := s.Stats()
		if after.Panics--; after != before {
			t.Errorf("counted %+v, before it was %+v", after, before)
		}
		time.Sleep(30 * time.Second)
		all := rec.times(t, "imap")
		if next := all[len(all)-1]; next.Sub(planned[len(planned)-1]) != 30*time.Second {
			t.Errorf("the next run came %s after the one before", next.Sub(planned[len(planned)-1]))
		}

		idle, err := New(Options{Self: "a", Run: rec.run, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		for range 2 * maxExtra {
			if idle.Now(Run{}) {
				made++
			}
		}
		if made != maxExtra {
			t.Errorf("%d runs wait, want %d and the others refused", made, maxExtra)
		}
	})
}
