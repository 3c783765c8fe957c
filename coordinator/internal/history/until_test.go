package history

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/verdict"
)

// No change that is written after ToldUntil was read was judged before that time or at
// it, whether an observation or time alone brought it about and however long it waits to
// be written; and what is written lets the time go on.
func TestToldUntil(t *testing.T) {
	f, j := hidden(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	b, told, held := m.s.board, 0, 0
	var until time.Time
	read := func(what string) {
		t.Helper()
		now := m.s.ToldUntil()
		if now.Before(until) {
			t.Fatalf("%s: got %s after %s", what, now, until)
		}
		until = now
	}
	save := func() {
		t.Helper()
		changes, err := b.save()
		must(t, err)
		for _, c := range changes {
			if told++; !c.At.After(until) {
				t.Fatalf("%s of %s was written when all up to %s was said to be", c.At, c.Series, until)
			}
		}
		if read("written"); !until.Equal(b.panel.Clock()) {
			t.Fatalf("nothing waits: got %s, want %s", until, b.panel.Clock())
		}
	}
	for seq := uint64(1); ; seq++ {
		e, ok, _, err := j.get(seq)
		must(t, err)
		if !ok {
			break
		}
		read("before an entry")
		if b.take(e) {
			held++
		}
		read("with what it brought")
		if seq%7 == 0 {
			save()
		}
	}
	save()
	b.pass(until.Add(time.Hour)) // every quorum is lost meanwhile
	if read("silence"); !until.Before(b.panel.Clock()) {
		t.Errorf("got %s, want it held back by what is not written", until)
	}
	save()
	if told != 8 || held < 5 {
		t.Errorf("%d changes were told, and waited %d times: nothing happened", told, held)
	}
	must(t, m.s.Close())
}

// Whoever wants to know is told of every hour that was judged, when its verdicts are on
// disk, and again when late data has it judged anew; not of one that could not be.
func TestJudged(t *testing.T) {
	f, j := hidden(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	type said struct {
		Hour   time.Time
		States []verdict.State
	}
	var got []said
	var err error
	m.final, err = NewFinal(FinalOptions{Store: m.s, Judged: func(hour time.Time) {
		until, err := m.s.FinalUntil(context.Background())
		must(t, err)
		if until.Before(hour.Add(time.Hour)) {
			t.Errorf("told of %s when verdicts were final until %s", hour, until)
		}
		s := said{Hour: hour}
		for _, c := range changesOf(t, m.s, "final", darkness) {
			if !c.At.Before(hour) && c.At.Before(hour.Add(time.Hour)) {
				s.States = append(s.States, c.To)
			}
		}
		got = append(got, s)
	}})
	must(t, err)
	next := ten.Add(time.Hour)
	want := []said{
		{ten, []verdict.State{verdict.Up, verdict.Unknown}},
		{ten, []verdict.State{verdict.Up, verdict.Down, verdict.Up}},
		{next, nil},
	}
	for m.rollup.clock.Before(ten.Add(95 * time.Minute)) {
		m.feed(m.rollup, 1)
	}
	m.judge(ten.Add(59 * time.Minute)) // too soon
	m.judge(ten.Add(95 * time.Minute))
	if diff := cmp.Diff(want[:1], got); diff != "" {
		t.Fatalf("before the late data (-want +got):\n%s", diff)
	}
	for m.feed(m.rollup, 1000) {
	}
	m.judge(ten.Add(2*time.Hour + finalAfter))
	if diff := cmp.Diff(want[:2], got[:min(len(got), 2)]); diff != "" {
		t.Errorf("after the late data (-want +got):\n%s", diff)
	}
	if n := len(got); !cmp.Equal(got[n-1], want[2]) {
		t.Errorf("last: got %+v, want %+v", got[n-1], want[2])
	}
	must(t, m.s.Close())
	n := len(got)
	if err := m.final.step(context.Background(), ten.Add(24*time.Hour)); err == nil || len(got) != n {
		t.Errorf("of a store that is closed: %v, told of %+v", err, got[n:])
	}
}
