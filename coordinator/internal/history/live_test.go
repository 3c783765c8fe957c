package history

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// station is a running history in a bubble.
type station struct {
	t      *testing.T
	dir    string
	j      *fakeJournal
	config func() *Config
	s      *Store
	rollup *Rollup
	stop   func()

	mu   sync.Mutex
	told []told
}

// told is a change, and when it was said.
type told struct {
	at time.Time
	c  verdict.Change
}

func (st *station) run() {
	st.t.Helper()
	st.s = open(st.t, st.dir, st.j, st.config)
	told, err := NewTold(ToldOptions{Store: st.s, Changed: st.changed})
	must(st.t, err)
	rollup, err := NewRollup(st.s)
	must(st.t, err)
	st.rollup = rollup
	final, err := NewFinal(FinalOptions{Store: st.s})
	must(st.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{told.Run, rollup.Run, final.Run} {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				st.t.Errorf("run: %v", err)
			}
		})
	}
	st.stop = func() {
		cancel()
		wg.Wait()
		must(st.t, st.s.Close())
	}
}

func (st *station) changed(changes []verdict.Change) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, c := range changes {
		st.told = append(st.told, told{time.Now(), c})
	}
}

// of are the told changes of one series, with the time at which they were said.
func (st *station) of(s verdict.Series) []told {
	st.mu.Lock()
	defer st.mu.Unlock()
	var out []told
	for _, x := range st.told {
		if x.c.Series == s {
			out = append(out, x)
		}
	}
	return out
}

// play hands observations to the journal 200 ms after their ends, in real time.
func (st *station) play(list []checks.Observation) {
	for _, o := range list {
		time.Sleep(time.Until(o.End().Add(200 * time.Millisecond)))
		st.j.append(st.t, batch(time.Now(), o))
	}
}

func bubble(t *testing.T, names ...string) (*fleet, *station) {
	f := newFleet(names...)
	st := &station{t: t, dir: t.TempDir(), j: newFakeJournal(), config: func() *Config { return f.config }}
	return f, st
}

// inBubble runs fn beside a running history.
func inBubble(t *testing.T, fn func(f *fleet, st *station)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, st := bubble(t, "imap")
		st.run()
		fn(f, st)
		st.stop()
	})
}

var darkness = verdict.Series{Check: "imap", Region: "oceania", Family: checks.IPv4}

// A region that goes dark is down at the second that the rule computes, and not
// before; nowhere else changes anything; and when everything falls silent the
// verdict is lost at the second at which the quorum is.
func TestToldToTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, st := bubble(t, "imap", "smtp")
		st.run()
		begin := time.Now().UTC()
		dark, light := begin.Add(10*time.Minute+5*time.Second), begin.Add(20*time.Minute+5*time.Second)
		f.fails = func(check, _, region string, at time.Time) checks.Class {
			if check == "imap" && region == "oceania" && at.After(dark) && at.Before(light) {
				return checks.ConnectTimeout
			}
			return ""
		}
		st.play(f.runs(begin, begin.Add(30*time.Minute)))
		time.Sleep(5 * time.Minute)
		// Runs begin at :00, :10 and :20 of every half minute, 1 ms late, and fail
		// after 5 s; 200 ms later they are here.
		first := begin.Add(10*time.Minute + 10*time.Second + time.Millisecond)
		fourth := first.Add(30*time.Second + 5200*time.Millisecond)
		got := st.of(darkness)
		if len(got) != 4 {
			t.Fatalf("got %d changes, want up, down, up, unknown: %v", len(got), got)
		}
		down := got[1]
		if down.c.To != verdict.Down || !down.at.Equal(fourth) || !down.c.At.Equal(fourth) || !down.c.Since.Equal(first) {
			t.Errorf("down: said at %v, judged at %v, since %v; want %v and %v", down.at, down.c.At, down.c.Since, fourth, first)
		}
		if got[2].c.To != verdict.Up || got[2].c.At.Sub(light) > 30*time.Second {
			t.Errorf("up again: got %v", got[2].c)
		}
		// The last ends are 10 s apart; the quorum of two is lost with the second.
		lost := got[3]
		ends := f.config.Checks[0].Every / 3
		if want := begin.Add(30*time.Minute - ends - ends).Add(time.Minute); lost.c.To != verdict.Unknown ||
			lost.c.At.Sub(want) < 0 || lost.c.At.Sub(want) > 200*time.Millisecond || lost.at.Sub(lost.c.At) > time.Second {
			t.Errorf("quorum lost: said at %v, at %v, want %v", lost.at, lost.c.At, want)
		}
		for _, x := range st.told {
			if x.c.Series != darkness && x.c.To == verdict.Down {
				t.Errorf("%s is down too: %v", x.c.Series, x.c)
			}
		}
		st.stop()
	})
}

// A coordinator that is restarted while all is well invents no change, and its
// record is that of one that was not.
func TestRestartInventsNothing(t *testing.T) {
	record := func(t *testing.T, restart bool) (out []told, lines []string) {
		synctest.Test(t, func(t *testing.T) {
			f, st := bubble(t, "imap")
			st.run()
			begin := time.Now().UTC()
			st.play(f.runs(begin, begin.Add(15*time.Minute)))
			if restart {
				st.stop()
				time.Sleep(2 * time.Second)
				st.run()
			}
			st.play(f.runs(begin.Add(15*time.Minute+10*time.Second), begin.Add(30*time.Minute)))
			time.Sleep(10 * time.Second)
			st.stop()
			s := open(t, st.dir, st.j, st.config)
			lines = dump(t, s)
			must(t, s.Close())
			out = st.told
		})
		return out, lines
	}
	plain, want := record(t, false)
	again, got := record(t, true)
	if diff := cmp.Diff(plain, again, cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("told verdicts differ (-plain +restarted):\n%s", diff)
	}
	sameRecord(t, want, got)
}

// A reader whose journal or disk fails tries again and loses nothing.
func TestReaderTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, st := bubble(t, "imap")
		flaky := &flakyJournal{fakeJournal: st.j, failures: 3}
		st.s = open(t, st.dir, flaky, st.config)
		rollup, err := NewRollup(st.s)
		must(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- rollup.Run(ctx) }()
		begin := time.Now().UTC()
		st.play(f.runs(begin, begin.Add(time.Minute)))
		time.Sleep(30 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		stats, err := st.s.Stats(context.Background())
		last, _, _, lastErr := st.j.get(st.j.Last())
		must(t, errors.Join(err, lastErr))
		if want := (Place{last.Seq, last.Batches[0].Received}); stats.Rolled != want || stats.Failures["rollup"] != 3 || stats.Commits == 0 {
			t.Errorf("got %+v, want %+v, three failures and some commits", stats, want)
		}
		must(t, st.s.Close())
	})
}

// While nothing can be written the journal waits; when it can, everything is there
// and nothing is there twice.
func TestDiskThatFills(t *testing.T) {
	pragma := func(set string) func(*station) {
		return func(st *station) {
			_, err := st.s.db.Exec(`PRAGMA query_only = ` + set)
			must(t, err)
		}
	}
	nothing := func(*station) {}
	const third = 5 * time.Minute
	sameRecord(t, interrupted(t, t.TempDir(), third, nothing, nothing), interrupted(t, t.TempDir(), third, pragma("1"), pragma("0")))
}

// interrupted is what is on disk of three stretches of time after the second of which
// something was in the way of the history.
func interrupted(t *testing.T, dir string, stretch time.Duration, begin, end func(*station)) (lines []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, st := bubble(t, "imap")
		st.dir = dir
		st.run()
		at := time.Now().UTC()
		st.play(f.runs(at, at.Add(stretch)))
		begin(st)
		st.play(f.runs(at.Add(stretch+10*time.Second), at.Add(2*stretch)))
		end(st)
		st.play(f.runs(at.Add(2*stretch+10*time.Second), at.Add(3*stretch)))
		time.Sleep(2 * time.Minute) // longer than it waits until it tries again
		st.stop()
		s := open(t, st.dir, st.j, st.config)
		lines = dump(t, s)
		must(t, s.Close())
	})
	return lines
}

// slowJournal hands nothing over until the given time has come.
type slowJournal struct {
	*fakeJournal
	from, to time.Time
}

func (j *slowJournal) Follow(ctx context.Context, after uint64, fn func(Entry) error) error {
	return j.fakeJournal.Follow(ctx, after, func(e Entry) error {
		if now := time.Now(); now.After(j.from) && now.Before(j.to) {
			time.Sleep(j.to.Sub(now))
		}
		return fn(e)
	})
}

// A reader that falls behind loses no quorum: what it needs is in the journal.
func TestReaderThatFallsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, st := bubble(t, "imap")
		begin := time.Now().UTC()
		slow := &slowJournal{st.j, begin.Add(5 * time.Minute), begin.Add(15 * time.Minute)}
		st.s = open(t, st.dir, slow, st.config)
		reader, err := NewTold(ToldOptions{Store: st.s, Changed: st.changed})
		must(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- reader.Run(ctx) }()
		st.play(f.runs(begin, begin.Add(20*time.Minute)))
		cancel()
		must(t, <-done)
		must(t, st.s.Close())
		for _, x := range st.told {
			if x.c.To != verdict.Up {
				t.Errorf("%s: %s at %v", x.c.Series, x.c.To, x.c.At)
			}
		}
		if len(st.told) != 3 {
			t.Errorf("%d changes, want one in each region", len(st.told))
		}
	})
}
