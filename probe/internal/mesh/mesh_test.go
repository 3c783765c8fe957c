package mesh

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSixNodesInThreeRegionsJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		joined := f.until(joinLimit, six, f.list...)
		t.Logf("all joined after %s", joined)
		want := Member{Name: "p4", Region: "us-east", Site: "rack 4", Address: "10.0.0.4:7946"}
		if got := f.list[0].Members()[3]; got != want {
			t.Errorf("p1 sees %+v, want %+v", got, want)
		}
		if got := f.list[3].Address(); got != want.Address {
			t.Errorf("p4 is at %s", got)
		}
		select {
		case <-f.list[0].Changed():
		default:
			t.Error("no signal of a change")
		}
		time.Sleep(time.Minute)
		<-f.list[0].Changed()
		time.Sleep(time.Minute)
		select {
		case <-f.list[0].Changed():
			t.Error("signal without a change")
		default:
		}
	})
}

func TestKilledNodeIsSeenDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		f.until(joinLimit, six, f.list...)
		time.Sleep(time.Minute)
		f.cut(3)
		took := f.until(15*time.Second, "p1 p2 p4 p5 p6", f.list[0], f.list[1], f.list[3], f.list[4], f.list[5])
		t.Logf("seen dead by all after %s", took)
		// It answers again: everybody has it back.
		f.net.Rule(nil)
		t.Logf("back after %s", f.until(90*time.Second, six, f.list...))
	})
}

func TestSplitHeals(t *testing.T) {
	for _, length := range []time.Duration{30 * time.Second, 5 * time.Minute} {
		t.Run(length.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 6)
				f.until(joinLimit, six, f.list...)
				time.Sleep(time.Minute)
				f.cut(2, 5)
				time.Sleep(length)
				synctest.Wait()
				if length > time.Minute {
					f.until(0, "p2 p5", f.list[1], f.list[4])
					f.until(0, "p1 p3 p4 p6", f.list[0], f.list[2], f.list[3], f.list[5])
				}
				f.net.Rule(nil)
				t.Logf("healed after %s", f.until(90*time.Second, six, f.list...))
			})
		})
	}
}

func TestWrongKeyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		thief := f.start(Options{Keys: [][]byte{newKey}})
		f.until(joinLimit, "p1 p2 p3", f.list[:3]...)
		time.Sleep(5 * time.Minute)
		f.until(0, "p1 p2 p3", f.list[:3]...)
		f.until(0, "p4", thief)
	})
}

// The order of SetKeys: decrypt with the new one, encrypt with it, forget the old
// one. Nobody is lost, not even between two steps.
func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 4)
		f.until(joinLimit, "p1 p2 p3 p4", f.list...)
		time.Sleep(time.Minute)
		for _, keys := range [][][]byte{{oldKey, newKey}, {newKey, oldKey}, {newKey}} {
			for _, n := range f.list {
				if err := n.SetKeys(keys); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Second)
			}
			f.until(0, "p1 p2 p3 p4", f.list...)
		}
		if got := strings.Count(f.log.String(), "left the mesh"); got != 0 {
			t.Errorf("%d members were lost meanwhile", got)
		}
		p5 := f.start(Options{Keys: [][]byte{newKey}})
		f.until(joinLimit, "p1 p2 p3 p4 p5", f.list...)
		p6 := f.start(Options{Keys: [][]byte{oldKey}})
		time.Sleep(3 * time.Minute)
		f.until(0, "p1 p2 p3 p4 p5", f.list[0], p5)
		f.until(0, "p6", p6)
		if got := strings.Count(f.log.String(), `msg="probe joined the mesh" at=p6 probe=p6`); got != 1 {
			t.Errorf("p6, which has only the old key, joined %d times, want once, in its own eyes", got)
		}
		for _, bad := range [][][]byte{nil, {oldKey[:16]}} {
			if err := f.list[0].SetKeys(bad); err == nil {
				t.Errorf("SetKeys took %d keys of the wrong size", len(bad))
			}
		}
	})
}

// The coordinator changes the key in three steps, half a minute between the first two.
// A member that gets every plan 20 s late is held for dead by nobody, and holds nobody
// for dead.
func TestKeyRotationWithALateMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		f.until(joinLimit, six, f.list...)
		time.Sleep(time.Minute)
		const notice, late = 30 * time.Second, 20 * time.Second // identity.KeyNotice
		for _, keys := range [][][]byte{{oldKey, newKey}, {newKey, oldKey}, {newKey}} {
			for i, n := range f.list {
				time.AfterFunc(map[bool]time.Duration{true: late}[i == 2], func() {
					if err := n.SetKeys(keys); err != nil {
						t.Error(err)
					}
				})
			}
			time.Sleep(notice)
			f.until(0, six, f.list...)
		}
		time.Sleep(time.Minute)
		f.until(0, six, f.list...)
		if strings.Contains(f.log.String(), "left the mesh") {
			t.Errorf("members were lost meanwhile:\n%s", f.log)
		}
	})
}

func TestLeavingIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 4)
		f.until(joinLimit, "p1 p2 p3 p4", f.list...)
		begin := time.Now()
		f.list[3].stop()
		t.Logf("stopped in %s", time.Since(begin))
		f.until(0, "p1 p2 p3", f.list[:3]...)
		f.until(0, "", f.list[3])
		if f.list[3].Settled() {
			t.Error("settled after its end")
		}
		if err := f.list[3].Run(t.Context()); err == nil {
			t.Error("ran twice")
		}
	})
}

// A probe that dies and comes back with another address takes its name along.
func TestComesBackElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		f.until(joinLimit, "p1 p2 p3", f.list...)
		f.cut(3)
		f.until(15*time.Second, "p1 p2", f.list[:2]...)
		again := f.start(Options{Name: "p3"})
		f.until(30*time.Second, "p1 p2 p3", f.list[0], f.list[1], again)
		if got := f.list[0].Members()[2].Address; got != "10.0.0.4:7946" {
			t.Errorf("p3 is at %s", got)
		}
	})
}

func TestTwoOfOneNameAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		f.until(joinLimit, "p1 p2 p3", f.list...)
		f.start(Options{Name: "p2"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if !strings.Contains(f.log.String(), `level=WARN msg="two machines run as the same probe, one of them must be enrolled anew" at=p1 probe=p2`) {
			t.Errorf("no warning in:\n%s", f.log)
		}
		if got := strings.Count(f.log.String(), "two machines"); got > 4 {
			t.Errorf("%d warnings in a minute from 4 members", got)
		}
		f.until(0, "p1 p2 p3", f.list[0], f.list[2])
	})
}

// TestMovedProbeIsNoConflict unless it lives on where it was, too.
func TestMovedProbeIsNoConflict(t *testing.T) {
	for _, both := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, 0)
			planned := func(name string) (string, string, bool) { return "", seed(int(name[1] - '0')), true }
			for range 3 {
				f.start(Options{Enrolled: planned})
			}
			f.until(joinLimit, "p1 p2 p3", f.list...)
			if !both {
				f.list[1].stop()
			}
			f.start(Options{Name: "p2", Enrolled: planned})
			time.Sleep(20 * time.Minute)
			s := f.log.String()
			if !strings.Contains(s, `level=INFO msg="probe is refused at an address that the plan does not have" at=p1 probe=p2 plan_has=10.0.0.2:7946 says=10.0.0.4:7946`) {
				t.Errorf("both %t: nothing was said of it:\n%s", both, s)
			}
			if told := strings.Contains(s, "two machines"); told != both {
				t.Errorf("both %t: told of two machines: %t\n%s", both, told, s)
			}
		})
	}
}
