package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// The machine slept: what was missed is counted and not made up for.
func TestMissedSlots(t *testing.T) {
	var rec recorder
	s, err := New(Options{Self: "a", Run: rec.run, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	for i := range 50 {
		entries = append(entries, entry4(fmt.Sprintf("check-%d", i), 30*time.Second))
	}
	s.Set(entries)
	now := time.Now().Add(time.Hour)
	runs, wait := s.due(now)
	// Each entry has lost 119 or 120 slots; those of the last seconds come late.
	if st := s.Stats(); len(runs) != 0 || st.Missed < 50*119 || st.Missed > 50*121 {
		t.Errorf("%d runs at once, %d missed", len(runs), st.Missed)
	}
	if wait <= 0 || wait > 15*time.Second {
		t.Errorf("then waits %s", wait)
	}
	missed := s.Stats().Missed
	total := 0
	for end := now.Add(30 * time.Second); now.Before(end); now = now.Add(wait) {
		runs, wait = s.due(now)
		total += len(runs)
		for _, r := range runs {
			if late := now.Sub(r.Scheduled); late < 0 || late > time.Millisecond {
				t.Errorf("late by %s", late)
			}
		}
	}
	if total != 50 || s.Stats().Missed != missed {
		t.Errorf("%d runs in the next interval, want 50; %d more missed", total, s.Stats().Missed-missed)
	}
	// A little late is not missed.
	runs, _ = s.due(now.Add(2 * time.Second))
	if want := int(math.Round(50 * 2 / 30.0)); len(runs) == 0 || len(runs) > 4*want || s.Stats().Missed != missed {
		t.Errorf("%d runs after 2 s, %d more missed", len(runs), s.Stats().Missed-missed)
	}
}

// A clock that was wrong by decades, as after a boot without a battery, is no sleep
// of decades.
func TestClockSetForward(t *testing.T) {
	s, err := New(Options{Self: "a", Run: new(recorder).run, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Set([]Entry{entry4("imap", 30*time.Second)})
	now, ran := time.Now().AddDate(56, 0, 0), 0
	for end := now.Add(30 * time.Second); now.Before(end); {
		runs, wait := s.due(now)
		ran += len(runs)
		now = now.Add(wait)
	}
	if missed := s.Stats().Missed; ran != 1 || missed != 7*24*120+1 {
		t.Errorf("%d runs in the next interval, want one; %d missed, want those of a week", ran, missed)
	}
}

// The clock was set back by an hour: nobody waits that long.
func TestClockSetBack(t *testing.T) {
	var rec recorder
	s, err := New(Options{Self: "a", Run: rec.run, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Set([]Entry{entry4("imap", 30*time.Second), entry4("web", time.Minute)})
	now := time.Now().Add(-time.Hour).Round(0)
	ran := map[string]int{}
	for end := now.Add(time.Minute); now.Before(end); {
		runs, wait := s.due(now)
		for _, r := range runs {
			ran[r.Target.ID]++
		}
		now = now.Add(wait)
	}
	if ran["imap"] != 2 || ran["web"] != 1 {
		t.Errorf("in the minute after the clock was set back ran %v", ran)
	}
}

// The clock was set back by less than the interval of a check that comes before
// a shorter one in the queue: the shorter one does not wait either.
func TestClockSetBackWithinALongInterval(t *testing.T) {
	for k := range 30 { // places in the hour
		var rec recorder
		s, err := New(Options{Self: "a", Run: rec.run, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		entries := []Entry{entry4("imap", 30*time.Second)}
		for i := range 20 {
			entries = append(entries, entry4(fmt.Sprintf("mail-loop-%d", i), 15*time.Minute))
		}
		s.Set(entries)
		now := time.Now().Round(0).Add(time.Duration(k) * 7 * time.Second)
		for end := now.Add(20 * time.Minute); now.Before(end); {
			_, wait := s.due(now)
			now = now.Add(wait)
		}
		now = now.Add(-12 * time.Minute)
		back, ran := now, false
		for !ran {
			runs, wait := s.due(now)
			ran = slices.ContainsFunc(runs, func(r Run) bool { return r.Target.ID == "imap" })
			if !ran {
				now = now.Add(wait)
			}
		}
		if silent := now.Sub(back); silent > 45*time.Second {
			t.Errorf("place %d: a check of 30 s is silent for %s", k, silent)
		}
	}
}

func TestRunEndsAfterTheLastRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		ctx, cancel := context.WithCancel(t.Context())
		s, err := New(Options{Self: "a", Logger: slog.New(slog.DiscardHandler), Run: func(ctx context.Context, _ Run) {
			<-ctx.Done()
			time.Sleep(3 * time.Second) // a check that is slow to notice
			ended = true
		}})
		if err != nil {
			t.Fatal(err)
		}
		s.Set([]Entry{entry4("imap", 5*time.Second)})
		time.AfterFunc(6*time.Second, cancel)
		begin := time.Now()
		if err := s.Run(ctx); err != nil || !ended || time.Since(begin) != 9*time.Second {
			t.Errorf("got %v after %s, run ended %t", err, time.Since(begin), ended)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	run, logger := func(context.Context, Run) {}, slog.New(slog.DiscardHandler)
	for what, o := range map[string]Options{
		"Self": {Run: run, Logger: logger}, "Run": {Self: "a", Logger: logger}, "Logger": {Self: "a", Run: run},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("no %s: no error", what)
		}
	}
}

func BenchmarkDue(b *testing.B) {
	members := make([]string, 50)
	for i := range members {
		members[i] = fmt.Sprintf("probe-%d", i)
	}
	s, err := New(Options{
		Self: members[7], Members: func() []string { return members }, Run: func(context.Context, Run) {},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	var entries []Entry
	for i := range 10_000 {
		entries = append(entries, entry4(fmt.Sprintf("check-%d", i), 10*time.Second))
	}
	s.Set(entries)
	now := time.Now()
	b.ResetTimer()
	for n := 0; n < b.N; {
		runs, wait := s.due(now)
		n += len(runs)
		now = now.Add(max(wait, 0))
	}
}

// TestAhead: whose clock is ahead finds its phase by it, and so looks earlier.
func TestAhead(t *testing.T) {
	for _, ahead := range []time.Duration{0, 20 * time.Second, -20 * time.Second, 90 * time.Second, -time.Hour} {
		s, err := New(Options{Self: "a", Run: new(recorder).run, Logger: slog.New(slog.DiscardHandler), Ahead: func() time.Duration { return ahead }})
		if err != nil {
			t.Fatal(err)
		}
		e := entry4("imap", 30*time.Second)
		s.Set([]Entry{e})
		now := time.Now().Round(0)
		var at []time.Time
		for end := now.Add(2 * time.Minute); now.Before(end); {
			runs, wait := s.due(now)
			for _, r := range runs {
				at = append(at, r.Scheduled)
			}
			now = now.Add(wait)
		}
		for _, due := range at {
			if got, want := time.Duration(due.Add(ahead).UnixNano())%e.Target.Every, Phase(e, "a", nil); got != want {
				t.Errorf("%s ahead: looks at phase %s of its clock, want %s", ahead, got, want)
			}
		}
		if len(at) < 3 {
			t.Errorf("%s ahead: %d runs in two minutes, want four", ahead, len(at))
		}
	}
}
