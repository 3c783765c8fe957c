package catalog_test

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"

	"varde/checks"
)

// memoryMax is what one run may take, in bytes.
const memoryMax = 2 << 20

// weigh fails unless a run takes little memory, of which taken was allocated on
// both ends together: if that is little, so is what one of them holds. Where a
// server says so much that it is not, another run shows what is alive while the
// client reads.
func (b behaviour) weigh(t *testing.T, a ask, taken uint64) {
	t.Helper()
	if taken <= memoryMax {
		return
	}
	g := &gauge{}
	b.run(t, a, g)
	if t.Logf("%d kB allocated on both ends, %d kB alive", taken>>10, g.most>>10); g.most > memoryMax {
		t.Errorf("%d kB alive, want at most %d", g.most>>10, memoryMax>>10)
	}
}

// allocated is how much was ever allocated, in bytes.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// live is how much is in use, in bytes.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// gauge is a network that looks at the memory in use whenever the client has read
// another gaugeStep bytes.
type gauge struct {
	checks.Network
	before uint64 // in use before the attempt

	mu   sync.Mutex
	read int
	most uint64 // in use more than before
}

const gaugeStep = 16 << 10

// DialContext opens a connection whose reads count.
func (g *gauge) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := g.Network.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return gauged{conn, g}, nil
}

type gauged struct {
	net.Conn
	gauge *gauge
}

// Read reads and looks.
func (c gauged) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.gauge.took(n)
	return n, err
}

// CloseWrite ends what the client sends.
func (c gauged) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

func (g *gauge) took(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.read
	if g.read += n; g.read/gaugeStep > before/gaugeStep {
		if now := live(); now > g.before {
			g.most = max(g.most, now-g.before)
		}
	}
}
