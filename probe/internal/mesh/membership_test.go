package mesh

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
)

// all are the names of the first n members but some.
func all(n int, but ...int) string {
	var out []string
	for i := range n {
		if !slices.Contains(but, i+1) {
			out = append(out, fmt.Sprintf("p%d", i+1))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestDeathIsKnownToAll within 15 s, in meshes of the sizes that there are.
func TestDeathIsKnownToAll(t *testing.T) {
	for _, members := range []int{10, 50} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, _ := tapped(t, members, nil)
				f.until(2*time.Minute, all(members), f.list...)
				time.Sleep(time.Minute)
				f.dies(members, 15*time.Second)
			})
		})
	}
}

// dies has the third of n members fall silent, which all others must know within a
// limit.
func (f *fleet) dies(n int, limit time.Duration) {
	f.t.Helper()
	f.cut(3)
	others := slices.Delete(slices.Clone(f.list), 2, 3)
	f.t.Logf("a death is known to %d members after %s", n-1, f.until(limit, all(n, 3), others...))
}

// TestSlowMemberStays: one that stands still for 2 s again and again, and loses 30 %
// of its datagrams, is not held for dead.
func TestSlowMemberStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := tapped(t, 10, func(h *checktest.Host) func() time.Duration {
			return func() time.Duration {
				phase := time.Duration(time.Now().UnixNano()) % (15 * time.Second)
				if h.Addrs()[0] != addr(3) || phase >= 2*time.Second {
					return 0
				}
				return 2*time.Second - phase
			}
		})
		f.until(time.Minute, all(10), f.list...)
		var mu sync.Mutex
		lot := rand.New(rand.NewPCG(1, 2))
		f.net.Rule(func(from, to netip.AddrPort, network string) checktest.Effect {
			mu.Lock()
			defer mu.Unlock()
			if network == "udp" && (from.Addr() == addr(3) || to.Addr() == addr(3)) && lot.Float64() < 0.3 {
				return checktest.Drop
			}
			return checktest.Pass
		})
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if strings.Contains(f.log.String(), "left the mesh") {
			t.Errorf("held for dead:\n%s", f.log)
		}
	})
}

// TestProtestReachesTheAccuser: a member that accuses another one is told that it is
// alive, even if all datagrams to the accuser are lost.
func TestProtestReachesTheAccuser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, a := attacked(t)
		var deaf atomic.Bool
		f.net.Rule(func(from, to netip.AddrPort, network string) checktest.Effect {
			if deaf.Load() && network == "udp" && to.Addr() == addr(2) && from.Addr() != addr(250) {
				return checktest.Drop
			}
			return checktest.Pass
		})
		for i := range uint32(20) {
			deaf.Store(true)
			accused := message(t, kindSuspect, accusation{uint32(time.Now().Unix()) + i, "p3", "p2"})
			a.tell(accused, seed(2), seed(3))
			if longest, _ := f.watch(9*time.Second, six); longest > 0 {
				t.Errorf("time %d: held for dead for %s", i+1, longest)
			}
			deaf.Store(false)
			f.watch(10*time.Second, six)
		}
	})
}

// TestSplitHealsWithoutSeeds: members that were known find one another when the plan
// names nobody any more.
func TestSplitHealsWithoutSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0)
		var mu sync.Mutex
		named := seeds(6)()
		for range 6 {
			f.start(Options{Timing: Simulation(), Seeds: func() []string { mu.Lock(); defer mu.Unlock(); return named }})
		}
		f.until(joinLimit, six, f.list...)
		mu.Lock()
		named = nil
		mu.Unlock()
		f.cut(2, 5)
		time.Sleep(time.Hour)
		f.net.Rule(nil)
		t.Logf("healed after %s", f.until(90*time.Second, six, f.list...))
	})
}

// TestFormerMembersAreTriedForADay and no longer, nor when they are no longer enrolled.
func TestFormerMembersAreTriedForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enrolled := true
		m, err := New(Options{
			Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey},
			Enrolled: func(string) (string, string, bool) { return "", "", enrolled },
		})
		if err != nil {
			t.Fatal(err)
		}
		m.begin(&transport{advertise: netip.MustParseAddrPort(seed(1))})
		for _, name := range []string{"p1", "p2", "p3"} {
			m.note(name, &Member{Name: name, Region: "eu-north", Address: "10.0.0.9:" + name[1:]})
		}
		m.note("p2", nil)
		for after, want := range []int{2, 1} {
			if got := m.formerly(); len(got) != want {
				t.Errorf("after %d days %v, want %d", after, got, want)
			}
			time.Sleep(knownFor)
		}
		if enrolled = false; len(m.formerly()) != 0 {
			t.Error("tries one that was removed")
		}
	})
}
