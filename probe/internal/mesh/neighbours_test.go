package mesh

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// home starts n members of one region, and waits until they know one another.
func home(t *testing.T, n int) *fleet {
	f := newFleet(t, 0)
	for range n {
		f.start(Options{Region: "home"})
	}
	f.until(joinLimit, "p1 p2 p3 p4 p5 p6"[:3*n-1], f.list...)
	time.Sleep(time.Minute)
	return f
}

// counted are the neighbours that n goes by, as "p1 p2 p3".
func (n *node) counted() string { return strings.Join(n.Neighbours(), " ") }

// signalled says whether n said that something has changed.
func (n *node) signalled() bool {
	synctest.Wait()
	select {
	case <-n.Changed():
		return true
	default:
		return false
	}
}

func TestNeighboursSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0)
		for range 3 {
			f.start(Options{Region: "home"})
		}
		p1 := f.list[0]
		time.Sleep(30*time.Second - 1)
		if synctest.Wait(); p1.Settled() {
			t.Error("settled before 30 s")
		}
		time.Sleep(time.Nanosecond)
		if synctest.Wait(); !p1.Settled() || p1.counted() != "p1 p2 p3" {
			t.Errorf("after 30 s settled is %v, with %q", p1.Settled(), p1.counted())
		}
		time.Sleep(time.Minute) // those who came last have counted for 30 s, too
		for _, tt := range []struct {
			what, after string
			act         func()
		}{
			{"a member of another region", "p1 p2 p3", func() { f.start(Options{Region: "elsewhere"}) }},
			{"a newcomer", "p1 p2 p3 p5", func() { f.start(Options{Region: "home"}) }},
			{"a leave", "p1 p2 p5", func() { go f.list[2].stop() }},
		} {
			before := p1.counted()
			p1.signalled()
			tt.act()
			for start := time.Now(); !p1.signalled(); time.Sleep(time.Millisecond) {
				if time.Since(start) > joinLimit {
					t.Fatalf("%s: not noticed", tt.what)
				}
			}
			if p1.counted() != before || !p1.Settled() {
				t.Errorf("%s: at once %q, settled %v", tt.what, p1.counted(), p1.Settled())
			}
			time.Sleep(30*time.Second - 10*time.Millisecond)
			if p1.signalled() || p1.counted() != before {
				t.Errorf("%s: before 30 s have passed %q", tt.what, p1.counted())
			}
			time.Sleep(10 * time.Millisecond)
			if p1.signalled() != (before != tt.after) || p1.counted() != tt.after {
				t.Errorf("%s: after 30 s %q, want %q and a signal of it", tt.what, p1.counted(), tt.after)
			}
		}
		p1.stop()
		if p1.Settled() || len(p1.Neighbours()) != 0 {
			t.Error("settled after its end")
		}
	})
}

// A member that others do not reach is found and lost again and again, about
// three times a minute. Nobody moves for that.
func TestUnreachableMemberKeepsNobodyMoving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := home(t, 3)
		f.start(Options{Region: "home", Advertise: "172.16.5.9"})
		f.start(Options{Region: "elsewhere", Advertise: "172.16.5.10"})
		last, moves := f.list[0].counted(), 0
		for range 1800 {
			time.Sleep(time.Second)
			if synctest.Wait(); !f.list[0].Settled() {
				t.Fatal("not settled")
			}
			if now := f.list[0].counted(); now != last {
				last, moves = now, moves+1
			}
		}
		if lost := strings.Count(f.log.String(), "probe left the mesh"); lost < 100 || moves > 5 {
			t.Errorf("was lost %d times, for which the others moved %d times, want at most a few", lost, moves)
		}
	})
}

// A restart takes seconds: the others stay where they are.
func TestRestartMovesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := home(t, 3)
		f.list[2].stop()
		time.Sleep(5 * time.Second)
		f.start(Options{Region: "home", Name: "p3"})
		for range 60 {
			time.Sleep(time.Second)
			if synctest.Wait(); f.list[0].counted() != "p1 p2 p3" {
				t.Fatalf("goes by %q", f.list[0].counted())
			}
		}
		if !slices.ContainsFunc(f.list[0].Members(), func(m Member) bool { return m.Address == seed(4) }) {
			t.Errorf("p3 is not back: %v", f.list[0].Members())
		}
	})
}
