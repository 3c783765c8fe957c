package checktest

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// bufferSize is how much a write may run ahead of the reader, per direction.
const bufferSize = 64 << 10

// stream is one connection: two directions that end together or apart.
type stream struct {
	net    *Internet
	halves [2]*half
}

// half is one direction of a stream.
type half struct {
	net      *Internet
	from, to netip.AddrPort

	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	fin     bool  // the writer has closed: EOF follows buf
	gone    bool  // the reader has closed: nobody will read buf
	err     error // reset: both sides fail at once
	read    deadline
	write   deadline
}

// deadline is when a blocked call gives up; zero is never.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

// newStream joins two addresses and returns the dialler's and the listener's end.
func newStream(n *Internet, from, to netip.AddrPort) (dialled, accepted *conn) {
	s := &stream{net: n}
	for i, d := range [2][2]netip.AddrPort{{from, to}, {to, from}} {
		h := &half{net: n, from: d[0], to: d[1]}
		h.changed.L = &h.mu
		s.halves[i] = h
	}
	n.mu.Lock()
	n.streams[s] = struct{}{}
	n.mu.Unlock()
	return &conn{stream: s, out: s.halves[0], in: s.halves[1]}, &conn{stream: s, out: s.halves[1], in: s.halves[0]}
}

func (s *stream) wake() {
	for _, h := range s.halves {
		h.mu.Lock()
		h.changed.Broadcast()
		h.mu.Unlock()
	}
}

func (s *stream) reset() {
	for _, h := range s.halves {
		h.mu.Lock()
		if h.err == nil {
			h.err = syscall.ECONNRESET
		}
		h.changed.Broadcast()
		h.mu.Unlock()
	}
	s.forget()
}

// forget takes the stream out of the Internet, once no end can wait on it.
func (s *stream) forget() {
	s.net.mu.Lock()
	delete(s.net.streams, s)
	s.net.mu.Unlock()
}

// flowsLocked says whether bytes of this half arrive now, and breaks it when
// the rule says Reset.
func (h *half) flowsLocked() bool {
	switch h.net.effect(h.from, h.to, "tcp") {
	case Pass, Refuse:
		return true
	case Reset:
		h.err = syscall.ECONNRESET
	}
	return false
}

// get moves what has arrived into b; it waits for at least one byte.
func (h *half) get(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		flows := h.flowsLocked()
		switch {
		case h.gone:
			return 0, net.ErrClosed
		case h.read.passed():
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case flows && len(h.buf) > 0:
			n := copy(b, h.buf)
			h.buf = h.buf[n:]
			h.changed.Broadcast()
			return n, nil
		case h.err != nil:
			return 0, h.err
		case flows && h.fin:
			return 0, io.EOF
		}
		h.changed.Wait()
	}
}

// put buffers b, waiting for room when the buffer is full.
func (h *half) put(b []byte) (sent int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		h.flowsLocked()
		room := min(bufferSize-len(h.buf), len(b)-sent)
		switch {
		case h.fin:
			return sent, net.ErrClosed
		case h.err != nil:
			return sent, h.err
		case h.gone:
			return sent, syscall.EPIPE
		case h.write.passed():
			return sent, os.ErrDeadlineExceeded
		case room > 0:
			h.buf = append(h.buf, b[sent:sent+room]...)
			sent += room
			h.changed.Broadcast()
		}
		if sent == len(b) {
			return sent, nil
		}
		if room <= 0 {
			h.changed.Wait()
		}
	}
}

// finish marks the end of what the writer sends, or that nobody reads it.
func (h *half) finish(reader bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reader {
		h.gone, h.buf = true, nil
		h.read.stop()
	} else {
		h.fin = true
		h.write.stop()
	}
	h.changed.Broadcast()
}

func (h *half) setDeadline(d *deadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.set(t, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.changed.Broadcast()
	})
	h.changed.Broadcast()
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) set(t time.Time, wake func()) {
	d.stop()
	d.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, wake)
	}
}
