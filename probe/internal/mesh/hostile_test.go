package mesh

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"varde/checks/checktest"
	"varde/proto/wire"
)

// rawNode is a member that has the key, or none, and is none of ours.
func rawNode(t *testing.T, f *fleet, name string, meta []byte, keyless bool) {
	t.Helper()
	host := f.net.Host(addr(100))
	ctx := t.Context()
	tr, err := newTransport(ctx, host, newGate(f.list[0].Mesh), netip.MustParseAddrPort("0.0.0.0:7946"), netip.AddrPort{}, f.logger())
	if err != nil {
		t.Fatal(err)
	}
	m := f.list[0]
	c := m.config(tr)
	c.Name, c.Logger = name, log.New(io.Discard, "", 0)
	c.Keyring = nil
	if !keyless {
		if c.Keyring, err = memberlist.NewKeyring(nil, oldKey); err != nil {
			t.Fatal(err)
		}
	}
	c.Delegate, c.Events, c.Alive, c.Conflict = hostile{meta: meta}, nil, nil, nil
	list, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := list.Shutdown(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
	})
	if _, err := list.Join([]string{seed(1), seed(2), seed(3)}); (err != nil) != keyless {
		t.Fatalf("joined: %v", err)
	}
}

type hostile struct {
	delegate
	meta []byte
}

func (h hostile) NodeMeta(int) []byte           { return h.meta }
func (hostile) GetBroadcasts(int, int) [][]byte { return [][]byte{[]byte("broadcast")} }

func TestHostileMembersAreIgnored(t *testing.T) {
	for what, n := range map[string]struct {
		name    string
		meta    []byte
		keyless bool
	}{
		"no meta":         {"evil", nil, false},
		"rubbish":         {"evil", bytes.Repeat([]byte{0xff}, 512), false},
		"bad region":      {"evil", encodeMeta("<script>", "", Standing{}), false},
		"control in site": {"evil", encodeMeta("eu-north", "a\x1b[2Jb", Standing{}), false},
		"bad name":        {"evil\n<b>", encodeMeta("eu-north", "", Standing{}), false},
		"in the clear":    {"evil", encodeMeta("eu-north", "", Standing{}), true},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				f.until(joinLimit, "p1 p2 p3", f.list...)
				rawNode(t, f, n.name, n.meta, n.keyless)
				time.Sleep(2 * time.Minute)
				f.until(0, "p1 p2 p3", f.list...)
				if strings.Contains(f.log.String(), "left the mesh") {
					t.Errorf("members were lost:\n%s", f.log)
				}
			})
		})
	}
}

func TestNotifyAliveRefuses(t *testing.T) {
	m, err := New(Options{Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey}})
	if err != nil {
		t.Fatal(err)
	}
	m.begin(&transport{advertise: netip.MustParseAddrPort(seed(1))})
	alive := func(name string, a netip.Addr, port uint16) error {
		return delegate{m}.NotifyAlive(&memberlist.Node{Name: name, Addr: a.AsSlice(), Port: port, Meta: encodeMeta("eu-north", "", Standing{}), PMin: 1, PMax: 5, PCur: 2})
	}
	for _, bad := range []struct {
		at   netip.Addr
		port uint16
	}{{addr(2), 0}, {netip.Addr{}, 7946}, {netip.IPv4Unspecified(), 7946}, {netip.IPv6Unspecified(), 7946}, {netip.MustParseAddr("224.0.0.1"), 7946}, {netip.MustParseAddr("ff02::1"), 7946}} {
		if alive("p2", bad.at, bad.port) == nil {
			t.Errorf("took a member at %s, port %d", bad.at, bad.port)
		}
	}
	modern := memberlist.Node{Name: "p2", Addr: addr(2).AsSlice(), Port: 7946, Meta: encodeMeta("eu-north", "", Standing{}), PMin: 5, PMax: 5, PCur: 5}
	if (delegate{m}).NotifyAlive(&modern) == nil {
		t.Error("took a member that speaks another protocol")
	}
	for i := range maxMembers {
		m.note(fmt.Sprintf("p%d", i), &Member{Region: "eu-north"})
	}
	if err := alive("p7", addr(2), 7946); err != nil {
		t.Errorf("refused a member that it knows: %v", err)
	}
	if alive("one-more", addr(2), 7946) == nil {
		t.Errorf("took more than %d members", maxMembers)
	}
}

// A seed that takes streams and says nothing holds up no good-bye.
func TestLeavesWhileASeedIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0)
		l, err := f.net.Host(addr(200)).Listen("tcp", ":7946")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		n := f.start(Options{Seeds: func() []string { return []string{seed(200)} }})
		time.Sleep(time.Second)
		begin := time.Now()
		if n.stop(); time.Since(begin) > 5*time.Second {
			t.Errorf("left after %s", time.Since(begin))
		}
	})
}

// A member that loses two of three packets is not held for dead.
func TestLossyMemberStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		f.until(joinLimit, six, f.list...)
		var mu sync.Mutex
		n := 0
		f.net.Rule(func(from, to netip.AddrPort, network string) checktest.Effect {
			mu.Lock()
			defer mu.Unlock()
			if network == "udp" && (from.Addr() == addr(3) || to.Addr() == addr(3)) {
				if n++; n%3 != 0 {
					return checktest.Drop
				}
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

// Whoever does not know the key cannot take up more than a bounded number of
// streams: his oldest ones are closed, and nobody else's.
func TestSilentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.until(joinLimit, "p1 p2", f.list...)
		open := func(i, n int) (list []net.Conn) {
			host := f.net.Host(addr(i))
			for range n {
				c, err := host.DialContext(t.Context(), "tcp", seed(1))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				list = append(list, c)
				synctest.Wait()
			}
			return list
		}
		slow, many := open(201, 3), open(200, maxStreams+20)
		for i, c := range append(slow, many...) {
			if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			_, err := c.Read(make([]byte, 1))
			closed := errors.Is(err, io.EOF) || strings.Contains(fmt.Sprint(err), "reset")
			if want := i >= 3 && i < 26; closed != want {
				t.Errorf("stream %d is closed: %t, want %t", i, closed, want)
			}
		}
	})
}

// TestSilentStreamsShutNobodyOut: however many silent streams a stranger opens, members
// go on to reach one another, and find one another after a split.
func TestSilentStreamsShutNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		f.until(joinLimit, six, f.list...)
		ctx, cancel := context.WithCancel(t.Context())
		var flood sync.WaitGroup
		host := f.net.Host(addr(200))
		for i := range f.list {
			flood.Go(func() { silence(ctx, host, seed(i+1)) })
		}
		time.Sleep(7 * time.Minute)
		for _, n := range f.list {
			if faults := n.Faults(); len(faults) > 0 {
				t.Errorf("%s: %v", n.opt.Name, faults)
			}
		}
		f.cut(2, 5)
		time.Sleep(5 * time.Minute)
		f.net.Rule(nil)
		f.until(90*time.Second, six, f.list...)
		cancel()
		flood.Wait()
	})
}

// silence opens ten streams a second and says nothing. Each may last ten seconds.
func silence(ctx context.Context, host *checktest.Host, to string) {
	var open []net.Conn
	for ctx.Err() == nil {
		if c, err := host.DialContext(ctx, "tcp", to); err == nil {
			open = append(open, c)
		}
		if len(open) > maxStreams+10 {
			_ = open[0].Close()
			open = open[1:]
		}
		pause(ctx, 100*time.Millisecond)
	}
	for _, c := range open {
		_ = c.Close()
	}
}

// Whoever does not know the key cannot have much of what it sends kept in
// memory, however much it announces.
func TestLargeStreamIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		synctest.Wait()
		c, err := f.net.Host(addr(200)).DialContext(t.Context(), "tcp", seed(1))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		head := append([]byte{244, byte(len(label))}, label...)        // memberlist's hasLabelMsg
		head = binary.BigEndian.AppendUint32(append(head, 10), 20<<20) // and encryptMsg, 20 MB of it
		if _, err := c.Write(head); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for chunk := make([]byte, 4<<10); err == nil && sent < 20<<20; {
			var n int
			n, err = c.Write(chunk)
			sent += n
		}
		if over := sent - maxStream; err == nil || over > 256<<10 {
			t.Errorf("took %d kB, then %v, want an end after %d kB and what the network holds", sent>>10, err, maxStream>>10)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := func() Options {
		return Options{Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey}, Bind: "127.0.0.1:0"}
	}
	for want, spoil := range map[string]func(*Options){
		`mesh: name "P 1", expected an id`:                                     func(o *Options) { o.Name = "P 1" },
		`mesh: region "", expected an id`:                                      func(o *Options) { o.Region = "" },
		`mesh: site of 65 bytes, expected at most 64 of UTF-8`:                 func(o *Options) { o.Site = strings.Repeat("x", 65) },
		`mesh: bind "here", expected IP:port`:                                  func(o *Options) { o.Bind = "here" },
		`mesh: advertise "there", expected IP or IP:port`:                      func(o *Options) { o.Advertise = "there" },
		`mesh: advertise "0.0.0.0", expected an address that others can reach`: func(o *Options) { o.Advertise = "0.0.0.0" },
		`mesh: advertise "::1", expected an address that others can reach`:     func(o *Options) { o.Bind, o.Advertise = "[::]:0", "::1" },
		`mesh: no key, expected at least one`:                                  func(o *Options) { o.Keys = nil },
		`mesh: key 1 has 16 bytes, expected 32`:                                func(o *Options) { o.Keys = append(o.Keys, oldKey[:16]) },
		`mesh: timing is incomplete`:                                           func(o *Options) { o.Timing.GossipNodes = 3 },
	} {
		opt := good()
		spoil(&opt)
		if _, err := New(opt); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := New(good()); err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		m, err := New(Options{Name: "p2", Region: "eu-north", Keys: [][]byte{oldKey}, Network: f.list[0].host})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "listen for the mesh: listen tcp") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAdvertised(t *testing.T) {
	const noWayOut, orAdvertise = "mesh: bind ", ": no address of this machine leads out of it, expected one or advertise"
	host := checktest.NewInternet().Host(netip.MustParseAddr("fd00::1"), addr(7))
	v6only := checktest.NewInternet().Host(netip.MustParseAddr("fe80::1"), netip.MustParseAddr("2001:db8::7"))
	both := checktest.NewInternet().Host(addr(7), netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8"))
	lonely := checktest.NewInternet().Host()
	for _, c := range []struct {
		net               Network
		given, bind, want string
	}{
		{host, "192.0.2.9", "0.0.0.0", "192.0.2.9:7946"},
		{host, "192.0.2.9:80", "0.0.0.0", "192.0.2.9:80"},
		{host, "", "10.0.0.7", "10.0.0.7:7946"},
		{host, "", "0.0.0.0", "10.0.0.7:7946"},
		{host, "", "::", "[fd00::1]:7946"},
		{both, "", "0.0.0.0", "192.0.2.7:7946"},
		{both, "", "10.0.0.7", "10.0.0.7:7946"},
		{v6only, "", "::", "[2001:db8::7]:7946"},
		{v6only, "", "::1", "[::1]:7946"},
		{v6only, "", "0.0.0.0", noWayOut + "0.0.0.0" + orAdvertise},
		{lonely, "", "::", noWayOut + "::" + orAdvertise},
	} {
		m, err := New(Options{
			Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey}, Network: c.net,
			Bind: netip.AddrPortFrom(netip.MustParseAddr(c.bind), 7946).String(), Advertise: c.given,
		})
		if err != nil {
			t.Fatal(err)
		}
		at, err := advertised(c.net, m.advertise, m.bind.Addr(), 7946)
		got := at.String()
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add(encodeMeta("eu-north", "rack 4", Standing{}))
	f.Add(encodeMeta("eu-north", "rack 4", Standing{Plan: wire.PlanNumber{Generation: 1 << 40, Revision: 7}, PeerPort: 7947, Coordinator: true}))
	f.Add([]byte{1, 200, 3})
	f.Add([]byte("\x01\x08eu-north\x01r")) // of a version that told no standing
	f.Fuzz(func(t *testing.T, b []byte) {
		region, site, standing, err := decodeMeta(b)
		if err != nil {
			return
		}
		again := encodeMeta(region, site, standing)
		region2, site2, standing2, err := decodeMeta(again)
		if len(again) > memberlist.MetaMaxSize || err != nil || region2 != region || site2 != site || standing2 != standing {
			t.Errorf("%q became %q, %v", b, again, err)
		}
	})
}
