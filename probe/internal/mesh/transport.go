package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
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

	mu sync.Mutex // protects all following fields
	// streams are those that are open, in the order in which they came.
	streams []*stream
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
		dials: ctx, done: make(chan struct{}),
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
	for _, s := range t.streams {
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
		if !t.gate.packet(buf[:n], source(from), t.advertise) {
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

// source is where a datagram comes from.
func source(from net.Addr) netip.AddrPort {
	if u, ok := from.(*net.UDPAddr); ok {
		return u.AddrPort()
	}
	return netip.AddrPort{}
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
	from netip.Prefix
	once sync.Once
	err  error
	// spoke says that its message came. transport.mu protects it.
	spoke bool

	// Only its one reader looks at these: whether there was a message, what is left
	// of it, and why there is no more.
	came bool
	rest []byte
	end  error
}

// keep takes a stream on, or closes it. Where there are too many of others, one that
// says nothing makes room.
func (t *transport) keep(c net.Conn, at netip.AddrPort, inbound bool) (*stream, error) {
	s := &stream{Conn: c, t: t, at: at, inbound: inbound, from: neighbourhood(c.RemoteAddr())}
	ended, err := t.add(s)
	if ended != nil {
		_ = ended.Close() // its reader will see
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, nil
}

// add takes a stream on, and returns the one to close for it.
func (t *transport) add(s *stream) (ended *stream, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed(s.inbound) {
		return nil, errClosed
	}
	if s.inbound && t.inbound >= maxStreams {
		if ended = t.idlestLocked(); ended == nil {
			return nil, fmt.Errorf("more than %d streams", maxStreams)
		}
		t.dropLocked(ended)
	}
	t.streams = append(t.streams, s)
	if s.inbound {
		t.inbound++
	}
	return ended, nil
}

// idlestLocked is the oldest stream of others that has brought no message, of whoever
// has most of them: he who opens many harms himself first. It is nil if all have. mu is
// held.
func (t *transport) idlestLocked() (idlest *stream) {
	silent := map[netip.Prefix]int{}
	for _, s := range t.streams {
		if s.inbound && !s.spoke {
			silent[s.from]++
		}
	}
	for _, s := range t.streams {
		if s.inbound && !s.spoke && (idlest == nil || silent[s.from] > silent[idlest.from]) {
			idlest = s
		}
	}
	return idlest
}

// dropLocked forgets a stream, once. mu is held.
func (t *transport) dropLocked(s *stream) {
	i := slices.Index(t.streams, s)
	if i < 0 {
		return
	}
	t.streams = slices.Delete(t.streams, i, i+1)
	if s.inbound {
		t.inbound--
	}
}

// neighbourhood is all that one sender has at hand: an IPv4 address, or the network of
// an IPv6 address.
func neighbourhood(a net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := at.Addr().Unmap(), 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.WithZone("").Prefix(bits) // the length fits the family
	return p
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
				c.stream, s.spoke = at, true
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
		s.t.dropLocked(s)
		s.t.mu.Unlock()
		s.err = s.Conn.Close()
	})
	return s.err
}
