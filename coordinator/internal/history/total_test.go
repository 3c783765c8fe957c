package history

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
)

// patchy is a journal of thirty hours in which a region is silent for whole hours,
// another for most of a day, and much is missing everywhere.
func patchy(t *testing.T, f *fleet, begin time.Time) *fakeJournal {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	f.config.Checks[1].Every = 5 * time.Minute
	f.fails = func(string, string, string, time.Time) checks.Class {
		return []checks.Class{checks.ConnectTimeout, checks.OwnNetwork, "", "", "", "", "", ""}[random.IntN(8)]
	}
	var list []checks.Observation
	f2 := f.runs(begin.Add(3*time.Hour+7*time.Minute), begin.Add(30*time.Hour))
	f.seq = map[string]uint64{}
	for _, o := range f2 {
		after := o.Started.Sub(begin)
		silent := o.Region == "oceania" && o.Started.Hour() == 5 ||
			o.Probe != "us-east-1" && after > 12*time.Hour && after < 20*time.Hour || o.Region == "eu-north" && after < 22*time.Hour
		if silent || random.IntN(50) == 0 {
			continue
		}
		f.seq[o.Probe]++
		o.Seq = f.seq[o.Probe]
		list = append(list, o)
	}
	j := newFakeJournal()
	f.arrive(t, j, list, nothingHeld)
	return j
}

// What is known of a window does not depend on how finely it is asked for, nor on
// whether its hours were sealed and its days closed meanwhile.
func TestSealingChangesNoNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begin := newFleet("imap", "smtp"), time.Now().UTC() // midnight
		m := start(t, t.TempDir(), patchy(t, f, begin), func() *Config { return f.config })
		m.feedAll()
		time.Sleep(31 * time.Hour)
		random := rand.New(rand.NewPCG(5, 6))
		windows := []Query{{From: begin, To: begin.Add(day)}}
		for range 6 {
			from := begin.Add(time.Duration(random.IntN(26*60)) * time.Minute)
			windows = append(windows, Query{From: from, To: from.Add(time.Duration(1+random.IntN(30*60)) * time.Minute)})
		}
		ask := func() (out []Number) {
			for _, q := range windows {
				q.Service = "mail"
				for i, step := range []time.Duration{time.Minute, time.Hour, day} {
					q.Step = step
					a, err := m.s.Availability(context.Background(), q)
					must(t, err)
					if i > 0 && !sameTime(a.Number, out[len(out)-1]) {
						t.Errorf("%v to %v, step %v: got %+v, finer %+v", q.From.Sub(begin), q.To.Sub(begin), step, a.Number, out[len(out)-1])
					}
					out = append(out, a.Number)
				}
			}
			return out
		}
		open := ask()
		for _, at := range []time.Duration{20 * time.Hour, 31 * time.Hour} {
			must(t, m.rollup.seal(begin.Add(at)))
			for i, sealed := range ask() {
				if !sameTime(sealed, open[i]) {
					t.Errorf("sealed after %v, window %d: got %+v, open it was %+v", at, i/3, sealed, open[i])
				}
			}
		}
		must(t, m.s.Close())
	})
}

// sameTime says whether two numbers agree on what was looked at and seen.
func sameTime(a, b Number) bool {
	const second = 1e-6 // of rounding
	near := func(a, b float64) bool { return a-b < second && b-a < second }
	return near(a.Coverage, b.Coverage) && near(a.UpS, b.UpS) && near(a.DownS, b.DownS) && near(a.UnknownS, b.UnknownS)
}
