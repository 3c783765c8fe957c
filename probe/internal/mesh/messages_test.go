package mesh

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"varde/checks/checktest"
	"varde/proto/wire"
)

// inbox is what a member received.
type inbox struct {
	mu  sync.Mutex // protects got
	got []string
}

func (i *inbox) receive(b []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got = append(i.got, string(b))
}

func (i *inbox) String() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join(i.got, " ")
}

// correspondents are members that keep what they receive.
func correspondents(t *testing.T, n int) (*fleet, []*inbox) {
	f := newFleet(t, 0)
	var boxes []*inbox
	for range n {
		box := &inbox{}
		boxes = append(boxes, box)
		f.start(Options{Receive: box.receive})
	}
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("p%d", i+1))
	}
	slices.Sort(all)
	f.until(2*time.Minute, strings.Join(all, " "), f.list...)
	return f, boxes
}

// TestMessagesArriveOnce: at once by a datagram, and everywhere by gossip, however
// often they come.
func TestMessagesArriveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, boxes := correspondents(t, 6)
		f.list[0].Send([]string{"p2", "p3", "p1", "nobody"}, []byte("look"))
		synctest.Wait()
		if boxes[1].String() != "look" || boxes[2].String() != "look" || boxes[0].String() != "" {
			t.Errorf("at once: %q, %q, and the sender %q; want look twice", boxes[1], boxes[2], boxes[0])
		}
		for range 3 {
			f.list[0].Send([]string{"p2"}, []byte("look"))
			time.Sleep(3 * time.Second)
		}
		f.list[3].Send([]string{"p2"}, []byte("there"))
		synctest.Wait()
		for i, box := range boxes {
			if n := strings.Count(box.String(), "look"); n > 1 || i == 0 && n > 0 {
				t.Errorf("p%d received the message %d times", i+1, n)
			}
		}
		if got := boxes[1].String(); got != "look there" {
			t.Errorf("p2 received %q, want both", got)
		}
		f.list[0].Send([]string{"p2"}, []byte(strings.Repeat("x", maxMessage+1)))
		time.Sleep(3 * time.Second)
		if got := boxes[1].String(); got != "look there" {
			t.Errorf("a long message arrived: %.40q", got)
		}
	})
}

// TestGossipFindsAWay where a datagram does not get through.
func TestGossipFindsAWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, boxes := correspondents(t, 6)
		f.net.Rule(func(from, to netip.AddrPort, network string) checktest.Effect {
			if a, b := from.Addr(), to.Addr(); network == "udp" && (a == addr(1) && b == addr(2) || a == addr(2) && b == addr(1)) {
				return checktest.Drop
			}
			return checktest.Pass
		})
		// Gossip goes by lot: one message in some hundred misses a member.
		for try := range 4 {
			f.list[0].Send([]string{"p2"}, fmt.Appendf(nil, "look %d", try))
			time.Sleep(2 * time.Second)
		}
		synctest.Wait()
		if n := strings.Count(boxes[1].String(), "look"); n < 2 {
			t.Errorf("received %q, want nearly all of four", boxes[1])
		}
	})
}

// TestFlood: whoever has the key cannot make others work, or remember, without
// bound.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		received := 0
		m, err := New(Options{Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey}, Bind: "127.0.0.1:7946", Receive: func([]byte) { received++ }})
		if err != nil {
			t.Fatal(err)
		}
		m.messages.queue = &memberlist.TransmitLimitedQueue{NumNodes: func() int { return 3 }, RetransmitMult: passes}
		d := delegate{m}
		for second := range 300 {
			for i := range 1000 {
				d.NotifyMsg(fmt.Appendf(nil, "%d %d", second, i))
			}
			time.Sleep(time.Second)
		}
		if want := 300 * maxRate; received != want || m.Refused() != 300*1000-uint64(want) {
			t.Errorf("received %d and refused %d, want %d received", received, m.Refused(), want)
		}
		if n := len(m.messages.known.known) + len(m.messages.known.before); n > 2*maxKnown {
			t.Errorf("remembers %d messages", n)
		}
		if n := m.messages.queue.NumQueued(); n > maxQueue {
			t.Errorf("%d messages wait", n)
		}
		d.NotifyMsg(nil)
		d.NotifyMsg(make([]byte, maxMessage+1))
		if received != 300*maxRate {
			t.Error("nothing, or too much, was received")
		}
	})
}

// TestStanding is known everywhere soon after it changes, and moves nobody.
func TestStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		var mu sync.Mutex
		standing := Standing{PeerPort: 7947}
		n := f.start(Options{Standing: func() Standing {
			mu.Lock()
			defer mu.Unlock()
			return standing
		}})
		f.until(time.Minute, "p1 p2 p3 p4", f.list...)
		if got := f.list[0].Members()[3]; got.PeerAddress() != "10.0.0.4:7947" || got.Coordinator {
			t.Errorf("got %+v, peer at %q", got, got.PeerAddress())
		}
		if got := f.list[0].Members()[1].PeerAddress(); got != "" {
			t.Errorf("a member without a peer listener has one at %q", got)
		}
		time.Sleep(2 * time.Minute)
		mu.Lock()
		standing = Standing{PeerPort: 7947, Coordinator: true, Plan: wire.PlanNumber{Generation: 1 << 40, Revision: 12}}
		mu.Unlock()
		n.StandingChanged()
		n.StandingChanged()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for _, other := range f.list {
			if got := other.Members()[3].Standing; got != standing {
				t.Errorf("%s sees %+v, want %+v", other.opt.Name, got, standing)
			}
			if !other.still() {
				t.Errorf("%s holds a change of standing for a change of the mesh", other.opt.Name)
			}
		}
	})
}

// TestStandingThatChangesAtTheStart: what a member says while it introduces itself is
// corrected without being asked to.
func TestStandingThatChangesAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		asked := 0
		f.start(Options{Standing: func() Standing {
			if asked++; asked == 1 {
				return Standing{}
			}
			return Standing{PeerPort: 7947}
		}})
		f.until(time.Minute, "p1 p2", f.list...)
		time.Sleep(3 * time.Second)
		if got := f.list[0].Members()[1].PeerAddress(); got != "10.0.0.2:7947" {
			t.Errorf("its peer listener is at %q, want 10.0.0.2:7947", got)
		}
	})
}

// TestUDPBlocked: a member to which datagrams do not get through stays, over TCP,
// and its operator is told; no other's is.
func TestUDPBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		const all = "p1 p2 p3 p4 p5 p6"
		f.until(time.Minute, all, f.list...)
		time.Sleep(time.Minute)
		for _, n := range f.list {
			if got := n.Faults(); len(got) != 0 {
				t.Errorf("%s: faults %v before", n.opt.Name, got)
			}
		}
		f.net.Rule(func(from, to netip.AddrPort, network string) checktest.Effect {
			if network == "udp" && (from.Addr() == addr(2) || to.Addr() == addr(2)) {
				return checktest.Drop
			}
			return checktest.Pass
		})
		for range 600 {
			time.Sleep(time.Second)
			for _, n := range f.list {
				if n.names() != all {
					t.Fatalf("%s sees %q", n.opt.Name, n.names())
				}
			}
		}
		for _, n := range f.list {
			want := n.opt.Name == "p2"
			if got := slices.Contains(n.Faults(), wire.FaultUDPBlocked); got != want {
				t.Errorf("%s: UDP blocked %t, want %t", n.opt.Name, got, want)
			}
		}
		f.net.Rule(nil)
		time.Sleep(time.Minute)
		if got := f.list[1].Faults(); len(got) != 0 {
			t.Errorf("healed: faults %v", got)
		}
	})
}

// TestNAT: an address that is not the machine's own, or a private one behind a
// public one, is told.
func TestNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		n := f.list[0]
		time.Sleep(time.Second)
		if got := n.Faults(); len(got) != 0 {
			t.Errorf("faults %v, want none", got)
		}
		n.SeenFrom(netip.MustParseAddr("10.0.0.1"))
		if got := n.Faults(); len(got) != 0 {
			t.Errorf("faults %v, want none", got)
		}
		n.SeenFrom(netip.MustParseAddr("203.0.113.9"))
		if got := n.Faults(); !slices.Equal(got, []wire.Fault{wire.FaultNAT}) {
			t.Errorf("seen from elsewhere: faults %v, want nat", got)
		}
		other := f.start(Options{Advertise: "198.51.100.4"})
		time.Sleep(time.Second)
		if got := other.Faults(); !slices.Equal(got, []wire.Fault{wire.FaultNAT}) {
			t.Errorf("an address of somebody else: faults %v, want nat", got)
		}
	})
}

// TestBackFromAlone: a member that nobody could reach, since it was alone, is well at
// once when the others are back.
func TestBackFromAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		f.until(joinLimit, six, f.list...)
		for range 5 {
			f.cut(2)
			time.Sleep(10 * time.Minute)
			f.net.Rule(nil)
			for range 300 {
				time.Sleep(time.Second)
				if faults := f.list[1].Faults(); len(faults) > 0 {
					t.Fatalf("faults %v", faults)
				}
			}
		}
	})
}

// TestUnreachable: a member that nobody gets through to by himself is told so.
func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 5)
		f.until(time.Minute, "p1 p2 p3 p4 p5", f.list...)
		f.net.Rule(func(_, to netip.AddrPort, network string) checktest.Effect {
			if network == "tcp" && to == netip.AddrPortFrom(addr(3), 7946) {
				return checktest.Drop
			}
			return checktest.Pass
		})
		time.Sleep(6 * time.Minute)
		for _, n := range f.list {
			want := n.opt.Name == "p3"
			if got := slices.Contains(n.Faults(), wire.FaultUnreachable); got != want {
				t.Errorf("%s: unreachable %t, want %t", n.opt.Name, got, want)
			}
		}
	})
}
