package mesh

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Over real sockets: three members on the loopback find one another, one leaves,
// and its port is free again.
func TestLoopback(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) }) // after the members were stopped
	timing := Production()
	timing.ProbeInterval, timing.ProbeTimeout = 200*time.Millisecond, 100*time.Millisecond
	timing.GossipInterval, timing.RejoinAlone = 20*time.Millisecond, 100*time.Millisecond
	timing.SettleAfter = 100 * time.Millisecond
	var seeds []string
	var nodes []*node
	for i := range 3 {
		known := seeds
		m, err := New(Options{
			Name: fmt.Sprintf("p%d", i+1), Region: "eu-north", Bind: "127.0.0.1:0", Keys: [][]byte{oldKey},
			Seeds: func() []string { return known }, Timing: timing, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		n := &node{Mesh: m}
		n.stop = run(t, m)
		eventually(t, func() bool { return m.Address() != "" })
		seeds = []string{m.Address()}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		eventually(t, func() bool { return n.names() == "p1 p2 p3" && n.Settled() })
	}
	last := nodes[2].Address()
	nodes[2].stop()
	for _, n := range nodes[:2] {
		eventually(t, func() bool { return n.names() == "p1 p2" })
	}
	l, err := System{}.Listen("tcp", last)
	if err != nil {
		t.Fatalf("the port of a member that left: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// The default takes streams and datagrams of both families, and answers them.
func TestDefaultBindServesBothFamilies(t *testing.T) {
	any := netip.AddrPortFrom(netip.MustParseAddrPort(DefaultBind).Addr(), 0)
	l, p, err := listen(System{}, any)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer p.Close()
	loopbacks := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	if probe, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		_ = probe.Close() // this machine has IPv6
		loopbacks = append(loopbacks, netip.IPv6Loopback())
	}
	for _, a := range loopbacks {
		for _, network := range []string{"tcp", "udp"} {
			c, err := net.Dial(network, netip.AddrPortFrom(a, portOf(l.Addr())).String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if network == "tcp" {
				continue
			}
			echo := make([]byte, 2)
			if _, err := c.Write([]byte("hi")); err != nil {
				t.Fatal(err)
			}
			_, from, err := p.ReadFrom(echo)
			if err == nil {
				_, err = p.WriteTo(echo, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from.String())))
			}
			if err == nil {
				_, err = c.Read(echo)
			}
			if err != nil || string(echo) != "hi" {
				t.Errorf("%s from %s: got %q back, %v", network, a, echo, err)
			}
		}
	}
}

// eventually asks every 10 ms, for at most 20 s of real time.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatal("did not come true within 20 s")
}
