package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxStreams bounds the streams that others have open to us at once:
	// whoever does not know the key can open streams too.
	maxStreams = 64
	// packetBuffer is larger than any packet that memberlist sends.
	packetBuffer = 65536
	// receiveBuffer is asked of the kernel for datagrams that wait, in bytes.
	receiveBuffer = 512 << 10
)

var errClosed = errors.New("mesh is closed")

// transport carries memberlist's packets and streams over a Network. It ends
// everything that it began when it is shut down.
type transport struct {
	net       Network
	gate      *gate
	log       *slog.Logger
	advertise netip.AddrPort
	listener  net.Listener
	packets   net.PacketConn
	packetCh  chan *memberlist.Packet
	streamCh  chan net.Conn
	// dials bounds dials, for which memberlist passes no context.
	dials   context.Context
	done    chan struct{} // closed by Shutdown
	readers sync.WaitGroup

	mu      sync.Mutex // protects all following fields
	streams map[*stream]struct{}
	inbound int
	heard   contact
}

var _ memberlist.Transport = (*transport)(nil)

// newTransport listens and begins to read. When ctx ends nothing is dialled any
// more and what was dialled is closed; the rest goes on until Shutdown.
func newTransport(ctx context.Context, n Network, g *gate, bind, advertise netip.AddrPort, log *slog.Logger) (*transport, error) {
	l, p, err := listen(n, bind)
	if err != nil {
		return nil, err
	}
	at, err := advertised(n, advertise, bind.Addr(), portOf(l.Addr()))
	if err != nil {
		return nil, errors.Join(err, l.Close(), p.Close())
	}
	if c, ok := p.(interface{ SetReadBuffer(int) error }); ok {
		if err := c.SetReadBuffer(receiveBuffer); err != nil {
			log.Debug("receive buffer of the mesh stays as it is", "error", err)
		}
	}
	t := &transport{
		net: n, gate: g, log: log, listener: l, packets: p, advertise: unmapped(at),
		// Both are unbuffered: memberlist has queues of its own, and what waits
		// here would be stamped with the wrong time.
		packetCh: make(chan *memberlist.Packet), streamCh: make(chan net.Conn),
		dials: ctx, done: make(chan struct{}), streams: map[*stream]struct{}{},
	}
	t.readers.Go(t.accept)
	t.readers.Go(t.receive)
	return t, nil
}

// FinalAdvertiseAddr returns where other members reach this one.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.advertise.Addr().AsSlice(), int(t.advertise.Port()), nil
}

// PacketCh hands out packets that arrived.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packetCh }

// StreamCh hands out streams that others opened.
func (t *transport) StreamCh() <-chan net.Conn { return t.streamCh }

// WriteTo sends one packet.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, fmt.Errorf("send packet: %w", err)
	}
	_, err = t.packets.WriteTo(t.gate.seal(b, len(labelHeader), unmapped(to)), net.UDPAddrFromAddrPort(to))
	return time.Now(), err
}

// DialTimeout opens a stream.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.dials, timeout)
	defer cancel()
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	c, err := t.net.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return t.keep(c, unmapped(to), false)
}

// Shutdown ends the reading, closes every stream and waits for the readers.
func (t *transport) Shutdown() error {
	close(t.done)
	err := errors.Join(t.listener.Close(), t.packets.Close())
	t.closeStreams(true)
	t.readers.Wait()
	return err
}

// closeStreams closes the streams that were dialled, and with inbound those of
// others too.
func (t *transport) closeStreams(inbound bool) {
	var open []*stream
	t.mu.Lock()
	for s := range t.streams {
		if inbound || !s.inbound {
			open = append(open, s)
		}
	}
	t.mu.Unlock()
	for _, s := range open {
		_ = s.Close() // whoever uses it will see
	}
}

func (t *transport) accept() {
	for {
		c, err := t.listener.Accept()
		if err != nil {
			if !t.pause("accept stream", err) {
				return
			}
			continue
		}
		s, err := t.keep(c, t.advertise, true)
		if err != nil {
			continue // closed, or too many: the other side will try again
		}
		select {
		case t.streamCh <- s:
		case <-t.done:
			_ = s.Close()
			return
		}
	}
}

func (t *transport) receive() {
	buf := make([]byte, packetBuffer)
	for {
		n, from, err := t.packets.ReadFrom(buf)
		now := time.Now()
		if err != nil {
			if !t.pause("receive packet", err) {
				return
			}
			continue
		}
		if !t.gate.packet(buf[:n], t.advertise) {
			continue
		}
		t.hear(func(c *contact, at time.Time) { c.packet = at })
		select {
		case t.packetCh <- &memberlist.Packet{Buf: append([]byte(nil), buf[:n]...), From: from, Timestamp: now}:
		case <-t.done:
			return
		}
	}
}

// pause waits a little after an error (no more file descriptors, an ICMP error
// that a socket reports), and returns false when the transport was shut down.
func (t *transport) pause(what string, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	t.log.Debug("mesh goes on after an error", "doing", what, "error", err)
	select {
	case <-t.done:
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}

// stream is a stream that Shutdown can close, and of which only what the gate lets
// through can be read: one message.
type stream struct {
	net.Conn
	t       *transport
	inbound bool
	// at is the member that did not open it.
	at   netip.AddrPort
	once sync.Once
	err  error

	// Only its one reader looks at these: whether there was a message, what is left
	// of it, and why there is no more.
	came bool
	rest []byte
	end  error
}

// keep takes a stream on, or closes it.
func (t *transport) keep(c net.Conn, at netip.AddrPort, inbound bool) (*stream, error) {
	s := &stream{Conn: c, t: t, at: at, inbound: inbound}
	t.mu.Lock()
	var err error
	switch {
	case t.closed(inbound):
		err = errClosed
	case inbound && t.inbound >= maxStreams:
		err = fmt.Errorf("more than %d streams", maxStreams)
	}
	if err == nil {
		t.streams[s] = struct{}{}
		if inbound {
			t.inbound++
		}
	}
	t.mu.Unlock()
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, nil
}

// closed says whether a stream comes too late.
func (t *transport) closed(inbound bool) bool {
	select {
	case <-t.done:
		return true
	default:
		return !inbound && t.dials.Err() != nil
	}
}

// Read reads the one message of the stream.
func (s *stream) Read(b []byte) (int, error) {
	if !s.came {
		s.came = true
		if s.rest, s.end = s.t.gate.stream(s.Conn, s.at, s.inbound); s.end == nil {
			s.end = io.EOF
			s.t.hear(func(c *contact, at time.Time) {
				c.stream = at
				if s.inbound {
					c.inbound = at
				}
			})
		}
	}
	if len(s.rest) == 0 {
		return 0, s.end
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Write writes the label, or the one message. memberlist writes each at once.
func (s *stream) Write(b []byte) (int, error) {
	if string(b) == labelHeader {
		return s.Conn.Write(b)
	}
	return s.Conn.Write(s.t.gate.seal(b, streamHead, s.at))
}

// Close closes the stream, once.
func (s *stream) Close() error {
	s.once.Do(func() {
		s.t.mu.Lock()
		delete(s.t.streams, s)
		if s.inbound {
			s.t.inbound--
		}
		s.t.mu.Unlock()
		s.err = s.Conn.Close()
	})
	return s.err
}
