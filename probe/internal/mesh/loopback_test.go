package mesh

import (
	"fmt"
	"log/slog"
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
