package history

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// changesOf reads the changes of one kind.
func changesOf(t *testing.T, s *Store, kind string, series verdict.Series) []verdict.Change {
	t.Helper()
	id, ok := s.series.find(series)
	if !ok {
		t.Fatalf("%s was never observed", series)
	}
	out, err := s.changes(context.Background(), series, `SELECT `+changeColumns+` FROM verdict
		WHERE kind = ? AND series = ? ORDER BY at, id`, kind, id)
	must(t, err)
	return out
}

// observed are the results of the whole journal by series, as a set.
func observed(t *testing.T, j *fakeJournal) map[verdict.Series][]verdict.Result {
	t.Helper()
	out := map[verdict.Series][]verdict.Result{}
	must(t, j.Read(context.Background(), 1, 1<<60, func(e Entry) error {
		for i := range e.Batches {
			for _, r := range e.Batches[i].Records {
				if r.Gap != nil {
					continue
				}
				if o, ok := Correct(&e.Batches[i], r.Observation); ok {
					result, _ := verdict.ResultOf(o)
					out[seriesOf(o)] = append(out[seriesOf(o)], result)
				}
			}
		}
		return nil
	}))
	return out
}

// The final record, made hour by hour and made again where data came late, is what
// judging the whole set at once gives.
func TestFinalIsTheWholeSet(t *testing.T) {
	f, j := troubled(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	for more := true; more; {
		more = m.feed(m.rollup, 300)
		m.judge(m.rollup.clock)
	}
	end := ten.Add(3 * time.Hour)
	m.judge(end.Add(finalAfter))
	rules := f.config.Rules()
	for series, results := range observed(t, j) {
		_, want := verdict.Final(series, rules[series.Check], verdict.Judge{}, results, end)
		if diff := cmp.Diff(want, changesOf(t, m.s, "final", series)); diff != "" {
			t.Errorf("%s (-whole set +record):\n%s", series, diff)
		}
	}
	must(t, m.s.Close())
}

// hidden is a region in which two of three probes are cut off for twenty minutes
// while everything fails. Nobody could be told; the record shows it afterwards.
func hidden(t *testing.T) (*fleet, *fakeJournal) {
	f, j := newFleet("imap"), newFakeJournal()
	from, to := ten.Add(20*time.Minute), ten.Add(40*time.Minute)
	f.fails = func(_, _, region string, at time.Time) checks.Class {
		if region == "oceania" && !at.Before(from) && at.Before(to) {
			return checks.ConnectTimeout
		}
		return ""
	}
	f.arrive(t, j, f.runs(ten, ten.Add(2*time.Hour)), func(o checks.Observation) (time.Time, bool) {
		cutOff := o.Probe == "oceania-1" || o.Probe == "oceania-2"
		return ten.Add(100 * time.Minute), cutOff && !o.Started.Before(from) && o.Started.Before(to.Add(time.Minute))
	})
	return f, j
}

func TestLateDataIsJudgedAgain(t *testing.T) {
	f, j := hidden(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	for _, r := range []reader{m.told, m.rollup} {
		for m.feed(r, 100) {
			m.judge(m.rollup.clock)
		}
		must(t, r.flush())
	}
	m.judge(m.rollup.clock)
	states := func(kind string) (out []verdict.State) {
		for _, c := range changesOf(t, m.s, kind, darkness) {
			out = append(out, c.To)
		}
		return out
	}
	if diff := cmp.Diff([]verdict.State{verdict.Up, verdict.Unknown, verdict.Up}, states("told")); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]verdict.State{verdict.Up, verdict.Down, verdict.Up}, states("final")); diff != "" {
		t.Errorf("final (-want +got):\n%s", diff)
	}
	spans, err := m.s.Spans(context.Background(), darkness, ten, ten.Add(2*time.Hour))
	must(t, err)
	var got []verdict.State
	for i, span := range spans {
		got = append(got, span.State)
		if i > 0 && !span.From.Equal(spans[i-1].To) {
			t.Errorf("span %d begins at %v, the one before ends at %v", i, span.From, spans[i-1].To)
		}
		if inFinal := span.From.Before(ten.Add(time.Hour)); span.Final != inFinal {
			t.Errorf("span from %v: final is %t", span.From, span.Final)
		}
	}
	if diff := cmp.Diff([]verdict.State{verdict.Unknown, verdict.Up, verdict.Down, verdict.Up, verdict.Unknown, verdict.Up}, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	must(t, m.s.Close())
}

// What the journal no longer holds cannot be judged again: the record stands.
func TestLateDataForAForgottenHour(t *testing.T) {
	f, j := hidden(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	for m.rollup.clock.Before(ten.Add(95 * time.Minute)) {
		m.feed(m.rollup, 1)
	}
	m.judge(ten.Add(95 * time.Minute))
	before := changesOf(t, m.s, "final", darkness)
	if len(before) == 0 {
		t.Fatal("the hour was not judged before")
	}
	j.forget(m.rollup.place())
	for m.feed(m.rollup, 1000) {
	}
	m.judge(ten.Add(2 * time.Hour))
	got := changesOf(t, m.s, "final", darkness)
	if diff := cmp.Diff(before, got[:min(len(before), len(got))]); diff != "" {
		t.Errorf("final verdicts of a forgotten hour changed (-before +after):\n%s", diff)
	}
	if n := len(rowsOf(t, m.s.reads, "", `SELECT * FROM touched`)); n != 0 {
		t.Errorf("%d hours wait for ever", n)
	}
	must(t, m.s.Close())
}

// An hour is final when every rostered probe has reported past it, and after a
// quarter of an hour if one does not.
func TestWhenAnHourIsFinal(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(61*time.Minute)), nothingHeld)
	until := func(silent string, now time.Duration) time.Time {
		m := start(t, t.TempDir(), j, func() *Config {
			config := *f.config
			if silent != "" {
				config.Probes = append(config.Probes, Probe{silent, "oceania"})
			}
			return &config
		})
		for m.feed(m.rollup, 1000) {
		}
		must(t, m.rollup.flush())
		must(t, m.final.step(context.Background(), ten.Add(now)))
		_, until, err := m.s.finalRange(context.Background())
		must(t, err)
		must(t, m.s.Close())
		return until
	}
	eleven := ten.Add(time.Hour)
	if got := until("", 59*time.Minute); !got.IsZero() {
		t.Errorf("before its end: final until %v", got)
	}
	if got := until("", 61*time.Minute); !got.Equal(eleven) {
		t.Errorf("all have reported: final until %v, want %v", got, eleven)
	}
	if got := until("oceania-9", 74*time.Minute); !got.IsZero() {
		t.Errorf("one is silent, 14 min: final until %v", got)
	}
	if got := until("oceania-9", 75*time.Minute); !got.Equal(eleven) {
		t.Errorf("one is silent, 15 min: final until %v, want %v", got, eleven)
	}
}

// Late data of one hour changes how the next one began, so that is judged again
// too, though nothing of it came late.
func TestLateDataReachesIntoTheNextHour(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.fails = func(_, _, region string, at time.Time) checks.Class {
		if m := at.Sub(ten).Minutes(); region == "oceania" && m >= 50 && m < 90 {
			return checks.ConnectTimeout
		}
		return ""
	}
	late := f.runs(ten, ten.Add(time.Hour))
	f.epoch, f.seq = "e2", map[string]uint64{}
	var now, held []checks.Observation
	for _, o := range append(late, f.runs(ten.Add(time.Hour), ten.Add(130*time.Minute))...) {
		if m := o.Started.Sub(ten).Minutes(); o.Region == "oceania" && m >= 49 && m < 60 {
			held = append(held, o)
		} else {
			now = append(now, o)
		}
	}
	f.arrive(t, j, now, nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	for m.feed(m.rollup, 1000) {
	}
	m.judge(ten.Add(130 * time.Minute))
	before := len(changesOf(t, m.s, "final", darkness))
	for i := range held { // a spool of an older epoch, found again
		held[i].Epoch, held[i].Seq = "e0", uint64(i+1)
	}
	f.arrive(t, j, held, func(checks.Observation) (time.Time, bool) { return ten.Add(131 * time.Minute), true })
	for m.feed(m.rollup, 1000) {
	}
	m.judge(ten.Add(132 * time.Minute))
	_, want := verdict.Final(darkness, f.config.Rules()["imap"], verdict.Judge{}, observed(t, j)[darkness], ten.Add(2*time.Hour))
	got := changesOf(t, m.s, "final", darkness)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-whole set +record):\n%s", diff)
	}
	if before != len(got)+1 {
		t.Errorf("%d changes before and %d after: the gap was not closed", before, len(got))
	}
	must(t, m.s.Close())
}

// What was observed every five minutes is judged as that, also after the check was
// set to every 30 s, and also when one late observation has the hour judged again.
func TestChangedIntervalJudgesNothingAnew(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.config.Checks[0].Every = 5 * time.Minute
	config := f.config
	f.arrive(t, j, f.runs(ten, ten.Add(2*time.Hour)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return config })
	m.feedAll()
	m.judge(ten.Add(80 * time.Minute)) // the first of two hours
	often := *f.config
	often.Checks = []Check{{ID: "imap", Service: "mail", Every: 30 * time.Second}}
	config = &often
	check := func(when string) {
		t.Helper()
		_, want := verdict.Final(darkness, f.config.Rules()["imap"], verdict.Judge{}, observed(t, j)[darkness], ten.Add(2*time.Hour))
		if diff := cmp.Diff(want, changesOf(t, m.s, "final", darkness)); diff != "" || len(want) != 1 {
			t.Errorf("%s, %d changes (-whole set +record):\n%s", when, len(want), diff)
		}
	}
	m.judge(ten.Add(140 * time.Minute))
	check("after the change")
	late := f.run(f.config.Checks[0], f.config.Probes[8], ten.Add(30*time.Minute+time.Second))
	late.Epoch, late.Seq = "e9", 1
	j.append(t, batch(ten.Add(150*time.Minute), late))
	m.feedAll()
	m.judge(ten.Add(151 * time.Minute))
	check("after late data")
	must(t, m.s.Close())
}

// Runs that a person asked for are judged neither when they come nor afterwards.
func TestManualRunsAreNotJudged(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.fails = func(string, string, string, time.Time) checks.Class { return checks.ConnectTimeout }
	asked := f.runs(ten, ten.Add(10*time.Minute))
	for i := range asked {
		asked[i].Trigger = checks.Manual
	}
	f.arrive(t, j, asked, nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	m.judge(ten.Add(2 * time.Hour))
	for _, kind := range []string{"told", "final"} {
		if got := changesOf(t, m.s, kind, darkness); len(got) != 0 {
			t.Errorf("%s: got %v, want nothing", kind, got)
		}
	}
	must(t, m.s.Close())
}

// prying is a journal that does something the first time it is read.
type prying struct {
	*fakeJournal
	once func()
}

func (j *prying) Read(ctx context.Context, from, to uint64, fn func(Entry) error) error {
	if once := j.once; once != nil {
		j.once = nil
		once()
	}
	return j.fakeJournal.Read(ctx, from, to, fn)
}

// Observations that are indexed while their hour is being judged are not left out.
func TestObservationsThatComeWhileJudging(t *testing.T) {
	f, j := hidden(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	for m.rollup.clock.Before(ten.Add(95 * time.Minute)) {
		m.feed(m.rollup, 1)
	}
	must(t, m.rollup.flush())
	m.s.options.Source = &prying{j, func() {
		for m.feed(m.rollup, 1000) {
		}
		must(t, m.rollup.flush())
	}}
	m.judge(ten.Add(95 * time.Minute))
	m.judge(ten.Add(95 * time.Minute))
	_, want := verdict.Final(darkness, f.config.Rules()["imap"], verdict.Judge{}, observed(t, j)[darkness], ten.Add(time.Hour))
	if diff := cmp.Diff(want, changesOf(t, m.s, "final", darkness)); diff != "" {
		t.Errorf("(-whole set +record):\n%s", diff)
	}
	must(t, m.s.Close())
}

// An hour that waits for entries which the journal has lost is judged without them.
func TestFinalDoesNotWaitForLostEntries(t *testing.T) {
	f, j := newFleet("imap"), newFakeJournal()
	f.arrive(t, j, f.runs(ten, ten.Add(30*time.Minute)), nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	m.final.hour, m.final.wait = ten, j.Last()+1000
	m.judge(ten.Add(2 * time.Hour))
	if got := changesOf(t, m.s, "final", darkness); len(got) == 0 {
		t.Error("the hour is not judged")
	}
	must(t, m.s.Close())
}
