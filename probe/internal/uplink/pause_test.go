package uplink_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"varde/probe/internal/uplink"
)

func TestPauseGrowsToHalfAMinute(t *testing.T) {
	var got []string
	for n := range 10 {
		got = append(got, uplink.Pause(n+1, 1).String())
	}
	want := []string{"500ms", "1s", "2s", "4s", "8s", "16s", "30s", "30s", "30s", "30s"}
	if !slices.Equal(got, want) {
		t.Errorf("bounds of pauses %v, want %v", got, want)
	}
	if p := uplink.Pause(1000, 0.5); p != 15*time.Second {
		t.Errorf("half of a late pause %s, want 15s", p)
	}
	if p := uplink.Pause(3, 0); p != 0 {
		t.Errorf("none of a pause %s, want 0", p)
	}
}

// TestFlowLaw has the flow speak with a coordinator that answers in order but
// forgets some batches: all is sent, nothing more than the window is under way,
// and what is kept is without a hole.
func TestFlowLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := uint64(rapid.IntRange(0, 60).Draw(t, "total"))
		window := rapid.IntRange(1, 5).Draw(t, "window")
		mark := uint64(rapid.IntRange(0, 20).Draw(t, "mark"))
		f := uplink.NewFlow("e1", window)
		if f.Open() || !f.Waiting() {
			t.Fatal("sends before it knows the mark")
		}
		if _, err := f.Mark(mark); err != nil {
			t.Fatal(err)
		}
		type sent struct{ first, last uint64 }
		var flight []sent
		lost := false
		for f.Next() < total || len(flight) > 0 {
			if f.Open() && f.Next() < total && rapid.Bool().Draw(t, "send") || len(flight) == 0 {
				n := uint64(rapid.IntRange(1, 7).Draw(t, "n"))
				b := sent{f.Next() + 1, min(f.Next()+n, total)}
				f.Sent(b.last)
				if flight = append(flight, b); len(flight) > window {
					t.Fatalf("%d batches under way, window %d", len(flight), window)
				}
				continue
			}
			b := flight[0]
			flight = flight[1:]
			switch {
			case b.first > mark+1: // a hole: answered with the mark
			case !lost && rapid.IntRange(0, 4).Draw(t, "lose") == 0:
				lost = true // once in a row: twice is a broken coordinator
			default:
				mark, lost = max(mark, b.last), false
			}
			if _, err := f.Mark(mark); err != nil {
				t.Fatal(err)
			}
		}
		if mark < total {
			t.Fatalf("mark %d of %d, and nothing more is sent", mark, total)
		}
	})
}

func TestFlowGivesUpWhatDoesNotMove(t *testing.T) {
	f := uplink.NewFlow("e1", 2)
	steps := []struct {
		send, mark uint64
		back, err  bool
	}{{0, 10, false, false}, {20, 10, true, false}, {20, 20, false, false}, {30, 20, true, false}, {30, 20, false, true}}
	for _, s := range steps {
		if s.send > 0 {
			f.Sent(s.send)
		}
		back, err := f.Mark(s.mark)
		if back != s.back || (err != nil) != s.err {
			t.Errorf("after %d came mark %d: back %v, %v", s.send, s.mark, back, err)
		}
	}
	if _, err := uplink.NewFlow("e1", 2).Mark(1); err != nil {
		t.Error(err)
	}
	g := uplink.NewFlow("e1", 2)
	_, _ = g.Mark(5)
	if _, err := g.Mark(6); err == nil {
		t.Error("a mark that nobody asked for: no error")
	}
}

func TestNoAnswerIsOneSentence(t *testing.T) {
	for _, c := range []struct {
		errs []error
		want string
	}{
		{[]error{fmt.Errorf("x"), fmt.Errorf("x")}, "no coordinator answers at a:1, b:1: x"},
		{[]error{fmt.Errorf("x"), fmt.Errorf("y")}, "no coordinator answers at a:1: x; b:1: y"},
	} {
		if got := uplink.NoAnswer([]string{"a:1", "b:1"}, c.errs).Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
