package mesh

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"varde/checks/checktest"
)

// tap is a host whose traffic is counted and kept, and that can be too busy to look
// at it.
type tap struct {
	*checktest.Host
	*record
	// busy says how long the host does nothing from now on.
	busy func() time.Duration
}

// record is what went over the wires of some hosts.
type record struct {
	sent, datagrams atomic.Int64

	mu sync.Mutex // protects all following fields
	// keep says to keep what is sent.
	keep    bool
	packets [][]byte
	// arrived are those of the packets that did.
	arrived [][]byte
	streams [][]byte
}

func (r *record) add(list *[][]byte, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keep {
		*list = append(*list, append([]byte(nil), b...))
	}
}

func (t tap) wait() {
	if t.busy != nil {
		time.Sleep(t.busy())
	}
}

func (t tap) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := t.Host.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tappedConn{Conn: c, t: t, dialled: true}, nil
}

func (t tap) Listen(network, address string) (net.Listener, error) {
	l, err := t.Host.Listen(network, address)
	return tappedListener{l, t}, err
}

func (t tap) ListenPacket(network, address string) (net.PacketConn, error) {
	p, err := t.Host.ListenPacket(network, address)
	return tappedPackets{p, t}, err
}

type tappedListener struct {
	net.Listener
	t tap
}

func (l tappedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tappedConn{Conn: c, t: l.t}, nil
}

type tappedPackets struct {
	net.PacketConn
	t tap
}

func (p tappedPackets) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.PacketConn.ReadFrom(b)
	p.t.wait()
	p.t.add(&p.t.arrived, b[:n])
	return n, from, err
}

func (p tappedPackets) WriteTo(b []byte, to net.Addr) (int, error) {
	p.t.wait()
	p.t.sent.Add(int64(len(b)))
	p.t.datagrams.Add(1)
	p.t.add(&p.t.packets, b)
	return p.PacketConn.WriteTo(b, to)
}

// tappedConn keeps what a stream brought to the member that it was opened to.
type tappedConn struct {
	net.Conn
	t       tap
	dialled bool
	all     []byte
}

func (c *tappedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.t.wait()
	return n, err
}

func (c *tappedConn) Write(b []byte) (int, error) {
	c.t.wait()
	c.t.sent.Add(int64(len(b)))
	c.all = append(c.all, b...)
	return c.Conn.Write(b)
}

func (c *tappedConn) Close() error {
	if c.dialled {
		c.t.add(&c.t.streams, c.all)
	}
	return c.Conn.Close()
}

// tapped starts n members whose traffic is recorded, all of them seeds of each other.
func tapped(t *testing.T, n int, busy func(*checktest.Host) func() time.Duration) (*fleet, *record) {
	f, r := newFleet(t, 0), &record{}
	f.through = func(h *checktest.Host) Network {
		if busy == nil {
			return tap{h, r, nil}
		}
		return tap{h, r, busy(h)}
	}
	for range n {
		f.start(Options{Seeds: seeds(n)})
	}
	return f, r
}

func seeds(n int) func() []string {
	var all []string
	for i := range n {
		all = append(all, seed(i+1))
	}
	return func() []string { return all }
}
