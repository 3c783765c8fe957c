package mesh

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"varde/checks/checktest"
)

var (
	oldKey = bytes.Repeat([]byte{1}, KeyBytes)
	newKey = bytes.Repeat([]byte{2}, KeyBytes)
)

var regions = []string{"eu-north", "us-east", "oceania"}

// fleet is some members on an internet in memory, one on each host, with names
// p1, p2, ... and addresses 10.0.0.1:7946, ...
type fleet struct {
	t    *testing.T
	net  *checktest.Internet
	log  *logs
	list []*node
}

type node struct {
	*Mesh
	host *checktest.Host
	stop func()
}

// logs collects what is logged from the level Info on.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.Write(b) }
func (l *logs) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.String() }

func addr(i int) netip.Addr           { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }
func seed(i int) string               { return netip.AddrPortFrom(addr(i), 7946).String() }
func (f *fleet) logger() *slog.Logger { return slog.New(slog.NewTextHandler(f.log, nil)) }

func newFleet(t *testing.T, n int) *fleet {
	f := &fleet{t: t, net: checktest.NewInternet(), log: &logs{}}
	for range n {
		f.start(Options{})
	}
	return f
}

// start adds a member; what opt does not say is as for all others.
func (f *fleet) start(opt Options) *node {
	f.t.Helper()
	i := len(f.list) + 1
	n := &node{host: f.net.Host(addr(i))}
	if opt.Name == "" {
		opt.Name = fmt.Sprintf("p%d", i)
	}
	if opt.Keys == nil {
		opt.Keys = [][]byte{oldKey}
	}
	if opt.Timing == (Timing{}) {
		opt.Timing = Production()
	}
	opt.Region, opt.Site, opt.Network, opt.Logger = regions[i%3], fmt.Sprintf("rack %d", i), n.host, f.logger()
	if opt.Seeds == nil {
		opt.Seeds = func() []string { return []string{seed(1), seed(2), seed(3), seed(4), seed(5), seed(6)} }
	}
	var err error
	if n.Mesh, err = New(opt); err != nil {
		f.t.Fatal(err)
	}
	n.stop = run(f.t, n.Mesh)
	f.list = append(f.list, n)
	return n
}

// run runs m until stop is called or the test ends.
func run(t *testing.T, m *Mesh) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// names of the members that n sees, as "p1 p2 p3".
func (n *node) names() string {
	var out []string
	for _, m := range n.Members() {
		out = append(out, m.Name)
	}
	return strings.Join(out, " ")
}

// until waits for the nodes to see these members, and returns how long it took.
// It fails after the limit.
func (f *fleet) until(limit time.Duration, want string, nodes ...*node) time.Duration {
	f.t.Helper()
	begin := time.Now()
	for {
		synctest.Wait()
		if !slices.ContainsFunc(nodes, func(n *node) bool { return n.names() != want }) {
			return time.Since(begin)
		}
		if time.Since(begin) >= limit {
			for _, n := range nodes {
				f.t.Errorf("after %s %s sees %q, want %q", limit, n.opt.Name, n.names(), want)
			}
			f.t.FailNow()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// cut lets nothing pass between the addresses of the two sides.
func (f *fleet) cut(side ...int) {
	in := func(a netip.AddrPort) bool {
		return slices.ContainsFunc(side, func(i int) bool { return a.Addr() == addr(i) })
	}
	f.net.Rule(func(from, to netip.AddrPort, _ string) checktest.Effect {
		if in(from) != in(to) {
			return checktest.Drop
		}
		return checktest.Pass
	})
}

const six = "p1 p2 p3 p4 p5 p6"

func TestSixNodesInThreeRegionsJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		joined := f.until(10*time.Second, six, f.list...)
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
		// Settled exactly 30 s after the last change, and not before.
		for !f.list[0].Settled() {
			time.Sleep(100 * time.Millisecond)
		}
		f.list[0].mu.Lock()
		since := time.Since(f.list[0].changedAt)
		f.list[0].mu.Unlock()
		if since < 30*time.Second || since >= 30*time.Second+100*time.Millisecond {
			t.Errorf("settled %s after the last change", since)
		}
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
		f.until(10*time.Second, six, f.list...)
		time.Sleep(time.Minute)
		f.list[0].Changed()
		f.cut(3)
		took := f.until(15*time.Second, "p1 p2 p4 p5 p6", f.list[0], f.list[1], f.list[3], f.list[4], f.list[5])
		t.Logf("seen dead by all after %s", took)
		if f.list[0].Settled() {
			t.Error("settled right after a death")
		}
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
				f.until(10*time.Second, six, f.list...)
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
		f.until(10*time.Second, "p1 p2 p3", f.list[:3]...)
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
		f.until(10*time.Second, "p1 p2 p3 p4", f.list...)
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
		f.until(10*time.Second, "p1 p2 p3 p4 p5", f.list...)
		p6 := f.start(Options{Keys: [][]byte{oldKey}})
		time.Sleep(3 * time.Minute)
		f.until(0, "p1 p2 p3 p4 p5", f.list[0], p5)
		f.until(0, "p6", p6)
		for _, bad := range [][][]byte{nil, {oldKey[:16]}} {
			if err := f.list[0].SetKeys(bad); err == nil {
				t.Errorf("SetKeys took %d keys of the wrong size", len(bad))
			}
		}
	})
}

func TestLeavingIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 4)
		f.until(10*time.Second, "p1 p2 p3 p4", f.list...)
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
		f.until(10*time.Second, "p1 p2 p3", f.list...)
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
		f.until(10*time.Second, "p1 p2 p3", f.list...)
		f.start(Options{Name: "p2"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if !strings.Contains(f.log.String(), `level=WARN msg="two machines run as the same probe, one of them must be enrolled anew" probe=p2`) {
			t.Errorf("no warning in:\n%s", f.log)
		}
		if got := strings.Count(f.log.String(), "two machines"); got > 4 {
			t.Errorf("%d warnings in a minute from 4 members", got)
		}
		f.until(0, "p1 p2 p3", f.list[0], f.list[2])
	})
}

// rawNode is a member that has the key and is none of ours.
func rawNode(t *testing.T, f *fleet, name string, meta []byte) {
	t.Helper()
	host := f.net.Host(addr(100))
	ctx := t.Context()
	tr, err := newTransport(ctx, host, netip.MustParseAddrPort("0.0.0.0:7946"), netip.AddrPort{}, f.logger())
	if err != nil {
		t.Fatal(err)
	}
	m := f.list[0]
	c := m.config(tr)
	c.Name, c.Logger = name, log.New(io.Discard, "", 0)
	c.Keyring, err = memberlist.NewKeyring(nil, oldKey)
	if err != nil {
		t.Fatal(err)
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
	if _, err := list.Join([]string{seed(1), seed(2), seed(3)}); err != nil {
		t.Fatal(err)
	}
	if err := list.SendReliable(&memberlist.Node{Addr: addr(1).AsSlice(), Port: 7946}, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
}

type hostile struct {
	delegate
	meta []byte
}

func (h hostile) NodeMeta(int) []byte           { return h.meta }
func (h hostile) LocalState(bool) []byte        { return bytes.Repeat([]byte("state"), 1000) }
func (hostile) GetBroadcasts(int, int) [][]byte { return [][]byte{[]byte("broadcast")} }

func TestHostileMembersAreIgnored(t *testing.T) {
	for what, n := range map[string]struct {
		name string
		meta []byte
	}{
		"no meta":         {"evil", nil},
		"rubbish":         {"evil", bytes.Repeat([]byte{0xff}, 512)},
		"bad region":      {"evil", encodeMeta("<script>", "")},
		"control in site": {"evil", encodeMeta("eu-north", "a\x1b[2Jb")},
		"bad name":        {"evil\n<b>", encodeMeta("eu-north", "")},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				f.until(10*time.Second, "p1 p2 p3", f.list...)
				rawNode(t, f, n.name, n.meta)
				time.Sleep(2 * time.Minute)
				f.until(0, "p1 p2 p3", f.list...)
				if strings.Contains(f.log.String(), "left the mesh") {
					t.Errorf("members were lost:\n%s", f.log)
				}
			})
		})
	}
}

// A member that loses two of three packets is not held for dead.
func TestLossyMemberStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		f.until(10*time.Second, six, f.list...)
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
// streams, and keeps nobody from the mesh for long.
func TestSilentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.until(10*time.Second, "p1 p2", f.list...)
		stranger := f.net.Host(addr(200))
		closed := 0
		for range maxStreams + 20 {
			c, err := stranger.DialContext(t.Context(), "tcp", seed(1))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			synctest.Wait()
			if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err == io.EOF || strings.Contains(fmt.Sprint(err), "reset") {
				closed++
			}
		}
		if closed != 20 {
			t.Errorf("%d of %d streams were closed at once, want 20", closed, maxStreams+20)
		}
		f.start(Options{})
		f.until(90*time.Second, "p1 p2 p3", f.list...)
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
	host := checktest.NewInternet().Host(netip.MustParseAddr("fd00::1"), addr(7))
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
		{lonely, "", "0.0.0.0", "127.0.0.1:7946"},
		{lonely, "", "::", "[::1]:7946"},
	} {
		m, err := New(Options{
			Name: "p1", Region: "eu-north", Keys: [][]byte{oldKey}, Network: c.net,
			Bind: netip.AddrPortFrom(netip.MustParseAddr(c.bind), 7946).String(), Advertise: c.given,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := advertised(c.net, m.advertise, m.bind.Addr(), 7946).String(); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add(encodeMeta("eu-north", "rack 4"))
	f.Add([]byte{1, 200, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		region, site, err := decodeMeta(b)
		if err != nil {
			return
		}
		again := encodeMeta(region, site)
		if len(again) > memberlist.MetaMaxSize || !bytes.HasPrefix(b, again) {
			t.Errorf("%q became %q", b, again)
		}
	})
}
