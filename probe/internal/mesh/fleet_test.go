package mesh

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
)

var (
	oldKey = bytes.Repeat([]byte{1}, keyBytes)
	newKey = bytes.Repeat([]byte{2}, keyBytes)
)

var regions = []string{"eu-north", "us-east", "oceania"}

// fleet is some members on an internet in memory, one on each host, with names
// p1, p2, ... and addresses 10.0.0.1:7946, ...
type fleet struct {
	t    *testing.T
	net  *checktest.Internet
	log  *logs
	list []*node
	// through is what a member reaches its host through; nil for nothing.
	through func(*checktest.Host) Network
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

func (l *logs) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.String() }

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
	if opt.Region == "" {
		opt.Region = regions[i%3]
	}
	opt.Site, opt.Logger = fmt.Sprintf("rack %d", i), f.logger().With("at", opt.Name)
	if opt.Network = n.host; f.through != nil {
		opt.Network = f.through(n.host)
	}
	if opt.Seeds == nil {
		opt.Seeds = seeds(6)
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

// joinLimit is how long it may take until all see all who start at once: what
// one misses of another the next round of rejoining brings in.
const joinLimit = 25 * time.Second

const six = "p1 p2 p3 p4 p5 p6"
