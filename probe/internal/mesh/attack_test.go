package mesh

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"varde/checks/checktest"
)

// attacker has the key of a mesh and no certificate. He says what he likes.
type attacker struct {
	t    *testing.T
	host *checktest.Host
	from net.PacketConn
}

func newAttacker(t *testing.T, f *fleet) *attacker {
	a := &attacker{t: t, host: f.net.Host(addr(250))}
	var err error
	if a.from, err = a.host.ListenPacket("udp", "10.0.0.250:7946"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.from.Close() })
	return a
}

// message of one kind.
func message(t *testing.T, kind byte, body any) []byte {
	var b bytes.Buffer
	b.WriteByte(kind)
	if err := codec.NewEncoder(&b, &codec.MsgpackHandle{}).Encode(body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sealed is what memberlist and the gate make of a message to the member at to.
func sealed(t testing.TB, plain, bound []byte, to string) []byte {
	aead, err := cipherOf(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, nonceBytes)
	rand.Read(nonce)
	b := append([]byte{sealVersion}, nonce...)
	b = aead.Seal(b, nonce, plain, bound)
	p := newPad(oldKey, netip.MustParseAddrPort(to), windowOf(time.Now()))
	p.hide(b[1:])
	return b
}

// tell sends a message to members by datagrams.
func (a *attacker) tell(plain []byte, to ...string) {
	for _, at := range to {
		b := append([]byte(labelHeader), sealed(a.t, plain, []byte(label), at)...)
		if _, err := a.from.WriteTo(b, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at))); err != nil {
			a.t.Error(err)
		}
	}
}

// pour sends a message to a member by a stream.
func (a *attacker) pour(plain []byte, to string) {
	head := []byte{streamEncrypt}
	head = binary.BigEndian.AppendUint32(head, uint32(1+nonceBytes+len(plain)+tagBytes))
	b := slices.Concat([]byte(labelHeader), head, sealed(a.t, plain, append(bytes.Clone(head), label...), to))
	c, err := a.host.DialContext(a.t.Context(), "tcp", to)
	if err != nil {
		a.t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(b); err != nil {
		a.t.Logf("cut: %v", err)
	}
	time.Sleep(100 * time.Millisecond)
}

type (
	accusation struct {
		Incarnation uint32
		Node, From  string
	}
	life struct {
		Incarnation uint32
		Node        string
		Addr        []byte
		Port        uint16
		Meta        []byte
		Vsn         []uint8
	}
	state struct {
		Name        string
		Addr        []byte
		Port        uint16
		Meta        []byte
		Incarnation uint32
		State       int
		Vsn         []uint8
	}
)

// alive says that a member of the third region is alive.
func alive(name string, at netip.Addr, incarnation uint32, vsn ...uint8) life {
	if vsn == nil {
		vsn = []uint8{1, 5, 2, 0, 0, 0}
	}
	return life{incarnation, name, at.AsSlice(), 7946, encodeMeta("oceania", "", Standing{}), vsn}
}

// watch looks every 100 ms for a while, and returns for how long at most a member
// missed another one without a break, and how often that began.
func (f *fleet) watch(d time.Duration, want string) (longest time.Duration, times int) {
	since := map[*node]time.Time{}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		synctest.Wait()
		for _, n := range f.list {
			if n.names() == want {
				delete(since, n)
				continue
			}
			if _, ok := since[n]; !ok {
				since[n], times = time.Now(), times+1
			}
			longest = max(longest, time.Since(since[n]))
		}
	}
	return longest, times
}

// attacked is a settled fleet of six with the plan's word for who is where, and an
// attacker.
func attacked(t *testing.T) (*fleet, *attacker) {
	f := newFleet(t, 0)
	for i := range 6 {
		f.start(Options{Region: regions[i%3], Enrolled: func(name string) (string, string, bool) {
			for i := range 6 {
				if name == fmt.Sprintf("p%d", i+1) {
					return regions[i%3], seed(i + 1), true
				}
			}
			return "", "", false
		}})
	}
	f.until(joinLimit, six, f.list...)
	time.Sleep(time.Minute)
	return f, newAttacker(t, f)
}

// TestAttackerCannotEvict a living member: a single message has no effect for longer
// than a second, the last incarnation of all included, and a steady stream of them
// keeps nobody away for longer than seconds, and no neighbour at all.
func TestAttackerCannotEvict(t *testing.T) {
	now := func() uint32 { return uint32(time.Now().Unix()) }
	for what, claims := range map[string]func() [][]byte{
		"dead, last incarnation": func() [][]byte {
			return [][]byte{message(t, kindDead, accusation{math.MaxUint32, "p3", "p1"})}
		},
		"alive, last incarnation": func() [][]byte {
			return [][]byte{message(t, kindAlive, alive("p3", addr(3), math.MaxUint32))}
		},
		"dead, as late as can be": func() [][]byte {
			return [][]byte{message(t, kindDead, accusation{now() + ahead, "p3", "p1"})}
		},
		"left, as late as can be": func() [][]byte {
			return [][]byte{message(t, kindDead, accusation{now() + ahead, "p3", "p3"})}
		},
		"suspect, by two": func() [][]byte {
			return [][]byte{
				message(t, kindSuspect, accusation{now() + ahead, "p3", "p1"}),
				message(t, kindSuspect, accusation{now() + ahead, "p3", "p2"}),
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, a := attacked(t)
				for _, claim := range claims() {
					a.tell(claim, seeds(6)()...)
				}
				longest, _ := f.watch(time.Minute, six)
				if longest > time.Second {
					t.Errorf("once: missing for %s", longest)
				}
				worst, sum := time.Duration(0), 0
				before := f.list[0].counted()
				for range 120 {
					for _, claim := range claims() {
						a.tell(claim, seeds(6)()...)
					}
					longest, times := f.watch(time.Second, six)
					worst, sum = max(worst, longest), sum+times
				}
				if got := f.list[0].counted(); got != before {
					t.Errorf("every second: counts %q, before %q", got, before)
				}
				f.until(10*time.Second, six, f.list...)
				t.Logf("once: missing for %s; every second for two minutes: missed %d times of 720, for %s within a second", longest, sum, worst)
			})
		})
	}
}

// TestAttackerInventsNobody: neither a name that is not enrolled, nor another address
// or region for one that is, nor after he has said that it left.
func TestAttackerInventsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, a := attacked(t)
		for i := range 300 {
			a.tell(message(t, kindAlive, alive(fmt.Sprintf("evil-%d", i), addr(250), 1)), seeds(6)()...)
			time.Sleep(10 * time.Millisecond)
		}
		f.until(0, six, f.list...)
		for i := range uint32(20) {
			a.tell(message(t, kindDead, accusation{100 * (i + 1), "p3", "p3"}), seeds(6)()...)
			time.Sleep(10 * time.Millisecond) // before it can refute that
			a.tell(message(t, kindAlive, alive("p3", addr(250), 100*(i+1)+50)), seeds(6)()...)
			for range 20 {
				time.Sleep(50 * time.Millisecond)
				synctest.Wait()
				for _, n := range f.list {
					for _, m := range n.Members() {
						if m.Address == "10.0.0.250:7946" || m.Name == "p3" && m.Region != regions[2] {
							t.Fatalf("%s takes somebody else for %+v", n.opt.Name, m)
						}
					}
				}
			}
		}
		f.until(10*time.Second, six, f.list...)
		if f.list[0].Refused() == 0 {
			t.Error("nothing was counted")
		}
	})
}

// TestAttackerGrowsNothing: without a plan that says who is enrolled, there are at
// most maxMembers.
func TestAttackerGrowsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		a := newAttacker(t, f)
		time.Sleep(time.Minute)
		for i := range maxMembers + 500 {
			a.tell(message(t, kindAlive, alive(fmt.Sprintf("evil-%d", i), netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1)), seed(1))
			time.Sleep(3 * time.Millisecond)
		}
		synctest.Wait()
		if n := len(f.list[0].Members()); n > maxMembers {
			t.Errorf("%d members", n)
		}
		if n := len(f.list[0].known); n > maxMembers+1 {
			t.Errorf("%d addresses", n)
		}
	})
}

// TestAttackerBreaksNothing: what memberlist would panic at, choke on or be split by
// does not reach it.
func TestAttackerBreaksNothing(t *testing.T) {
	bomb := message(t, 9, struct {
		Algo int
		Buf  []byte
	}{0, make([]byte, 1000)})
	many := func(n int, s state) []byte {
		b := message(t, kindPushPull, struct {
			Nodes, UserStateLen int
			Join                bool
		}{n, 0, false})
		return append(b, message(t, 0, s)[1:]...)
	}
	vsn := []uint8{1, 5, 2, 0, 0, 0}
	for what, b := range map[string][]byte{
		"nothing":              {},
		"compressed":           bomb,
		"bomb in a compound":   append([]byte{kindCompound, 1, byte(len(bomb) >> 8), byte(len(bomb))}, bomb...),
		"cut compound":         {kindCompound, 200, 1},
		"too many members":     many(1<<20, state{}),
		"last incarnation":     many(1, state{"p3", addr(3).AsSlice(), 7946, nil, math.MaxUint32, 2, vsn}),
		"of another protocol":  many(1, state{"p5", addr(5).AsSlice(), 7946, nil, 1000, 0, []uint8{5, 5, 5, 0, 0, 0}}),
		"state for a delegate": message(t, kindPushPull, struct{ Nodes, UserStateLen int }{0, 1 << 20}),
		"alive, new protocol":  message(t, kindAlive, alive("p3", addr(3), 1000, 5, 5, 5, 0, 0, 0)),
		"long message":         append([]byte{kindUser}, make([]byte, 40000)...),
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, a := attacked(t)
				for _, to := range seeds(6)() {
					a.pour(b, to)
					a.tell(b, to)
				}
				if longest, _ := f.watch(time.Minute, six); longest > 0 {
					t.Errorf("a member was missing for %s", longest)
				}
				// All understand one another still.
				f.cut(2, 5)
				time.Sleep(time.Minute)
				f.net.Rule(nil)
				f.until(90*time.Second, six, f.list...)
			})
		})
	}
}

// TestAttackerCausesBoundedTraffic: however much he says, what members send is bounded
// by how often they gossip, and nothing of it goes to a stranger.
func TestAttackerCausesBoundedTraffic(t *testing.T) {
	stranger := addr(222)
	ask := func(kind byte, name string, to, back netip.Addr) func(int) []byte {
		return func(i int) []byte {
			return message(t, kind, inquiry{uint32(i), to.AsSlice(), 7946, name, true, back.AsSlice(), 7946, "p2"})
		}
	}
	for what, say := range map[string]func(i int) []byte{
		"news": func(i int) []byte {
			return append([]byte{kindUser}, fmt.Sprintf("%d %s", i, strings.Repeat("x", 100))...)
		},
		"accusations": func(i int) []byte {
			return message(t, kindSuspect, accusation{uint32(i), "p1", fmt.Sprintf("p%d", 2+i%5)})
		},
		"pings for a stranger":      ask(kindPing, "p1", addr(1), stranger),
		"pings for a member":        ask(kindPing, "p1", addr(1), addr(2)),
		"pings of a stranger":       ask(kindIndirectPing, "p9", stranger, addr(2)),
		"pings of a member":         ask(kindIndirectPing, "p3", addr(3), addr(2)),
		"many pings in a datagram":  func(i int) []byte { return compound(ask(kindIndirectPing, "p3", addr(3), addr(2))(i), 20) },
		"much news in one datagram": func(i int) []byte { return compound(append([]byte{kindUser}, fmt.Sprint(i)...), 100) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, wire := tapped(t, 6, nil)
				f.until(joinLimit, six, f.list...)
				a := newAttacker(t, f)
				hit := strangerAt(t, f, stranger)
				time.Sleep(time.Minute)
				cost := func(each int) (bytes, datagrams float64) {
					sent, count := wire.sent.Load(), wire.datagrams.Load()
					for i := range 30 * each {
						a.tell(say(i), seed(1))
						if i%each == each-1 {
							time.Sleep(time.Second)
						}
					}
					time.Sleep(30 * time.Second)
					return float64(wire.sent.Load()-sent) / 180, float64(wire.datagrams.Load()-count) / 180
				}
				bytes, datagrams := cost(1000)
				t.Logf("under a flood of 1000 messages/s a member sends %.0f B/s in %.1f datagrams/s", bytes, datagrams)
				if bytes > 30000 || datagrams > 25 {
					t.Error("want at most 30 kB/s and 25 datagrams/s")
				}
				if n := hit.Load(); n > 0 {
					t.Errorf("a stranger got %d datagrams", n)
				}
			})
		})
	}
}

// inquiry is a ping, or the request for one.
type inquiry struct {
	SeqNo      uint32
	Target     []byte
	Port       uint16
	Node       string
	Nack       bool
	SourceAddr []byte
	SourcePort uint16
	SourceNode string
}

// compound is the same message n times in one datagram.
func compound(m []byte, n int) []byte {
	b := []byte{kindCompound, byte(n)}
	for range n {
		b = binary.BigEndian.AppendUint16(b, uint16(len(m)))
	}
	return append(b, bytes.Repeat(m, n)...)
}

// strangerAt counts the datagrams that come to a place which no member is at, at the
// port of the mesh.
func strangerAt(t *testing.T, f *fleet, at netip.Addr) *atomic.Int64 {
	var n atomic.Int64
	p, err := f.net.Host(at).ListenPacket("udp", netip.AddrPortFrom(at, 7946).String())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, packetBuffer); ; n.Add(1) {
			if _, _, err := p.ReadFrom(b); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = p.Close(); <-done })
	return &n
}
