package history

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// partial is four hours in which a quarter of all runs fail in one region for half
// an hour, and all take 2 s longer in another.
func partial(t *testing.T) (*fleet, *fakeJournal) {
	f, j := newFleet("imap"), newFakeJournal()
	lost := rand.New(rand.NewPCG(3, 3))
	f.fails = func(_, _, region string, at time.Time) checks.Class {
		if m := at.Sub(ten).Minutes(); region == "oceania" && m >= 125 && m < 155 && lost.IntN(4) == 0 {
			return checks.TLSTimeout
		}
		return ""
	}
	list := f.runs(ten, ten.Add(4*time.Hour))
	for i := range list {
		if m := list[i].Started.Sub(ten).Minutes(); list[i].Region == "us-east" && m >= 130 && m < 160 {
			list[i].Elapsed += 2 * time.Second
		}
	}
	f.arrive(t, j, list, nothingHeld)
	return f, j
}

// What fails at times and what is slow is told, is final, and is drawn, also when
// the history stops in the middle of it.
func TestPartialTroubleIsRecorded(t *testing.T) {
	f, j := partial(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	for _, minutes := range []int{100, 140, 145} {
		for m.rollup.clock.Before(ten.Add(time.Duration(minutes) * time.Minute)) {
			m.feed(m.rollup, 1)
		}
		for m.told.place() < m.rollup.place() {
			m.feed(m.told, 1)
		}
		must(t, m.told.flush())
		must(t, m.rollup.flush())
		if minutes == 145 {
			for region, want := range map[string]verdict.State{"oceania": verdict.Intermittent, "us-east": verdict.Slow, "eu-north": verdict.Up} {
				if v := verdictIn(t, m.s, region); v.State != want || (v.Failed > 5) != (want == verdict.Intermittent) {
					t.Errorf("%s: got %s, %d of %d runs failed: %s", region, v.State, v.Failed, v.Runs, v.Reason)
				}
			}
		}
		m.restart()
	}
	m.feedAll()
	m.judge(ten.Add(4*time.Hour + finalAfter))
	for region, state := range map[string]verdict.State{"oceania": verdict.Intermittent, "us-east": verdict.Slow} {
		series := verdict.Series{Check: "imap", Region: region, Family: checks.IPv4}
		for _, kind := range []string{"told", "final"} {
			var got []verdict.State
			for _, c := range changesOf(t, m.s, kind, series) {
				got = append(got, c.To)
			}
			if diff := cmp.Diff([]verdict.State{verdict.Up, state, verdict.Up}, got); diff != "" {
				t.Errorf("%s in %s (-want +got):\n%s", kind, region, diff)
			}
		}
		cells, err := m.s.Strip(context.Background(), Query{Check: "imap", Region: region, From: ten, To: ten.Add(4 * time.Hour), Step: time.Hour})
		must(t, err)
		if c := cells[2]; c.Worst != state || c.Time[state] < 20*time.Minute || cells[1].Worst != verdict.Up {
			t.Errorf("%s: the third hour is drawn as %s for %s", region, c.Worst, c.Time[state])
		}
	}
	must(t, m.s.Close())
}

// verdictIn is what is told of the region.
func verdictIn(t *testing.T, s *Store, region string) Verdict {
	t.Helper()
	for _, v := range s.Verdicts() {
		if v.Region == region {
			return v
		}
	}
	t.Fatalf("%s has no verdict", region)
	return Verdict{}
}

// A probe that is alone is told of by its evidence.
func TestStrayIsNoticed(t *testing.T) {
	inBubble(t, func(f *fleet, st *station) {
		begin := time.Now()
		f.fails = func(_, probe, _ string, at time.Time) checks.Class {
			if probe == "oceania-2" && at.Sub(begin) > 10*time.Minute {
				return checks.GreetingError
			}
			return ""
		}
		st.play(f.runs(begin, begin.Add(25*time.Minute)))
		got := st.s.Notices()
		if len(got) != 1 || got[0].Kind != verdict.Stray || got[0].Probe != "oceania-2" {
			t.Errorf("got %+v", got)
		}
	})
}
