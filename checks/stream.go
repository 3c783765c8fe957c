package checks

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// stream is a connection that obeys the deadline of the phase under way,
// whatever the protocol code above sets, and counts what passes. Protocol
// libraries lift deadlines between commands; a server that fell silent there
// would hold the attempt for ever.
type stream struct {
	net.Conn
	progress *Progress // nil where nobody asks

	mu       sync.Mutex
	deadline time.Time
	cut      bool
	read     int64 // in all of the attempt
	sent     int64 // in all of the attempt
	before   int64 // read before the phase under way
	shaking  bool  // the phase under way is a handshake
	earlier  int64 // read before this stream
}

// successor is the stream that follows s, which may be nil, in one attempt.
func (s *stream) successor(conn net.Conn) *stream {
	next := &stream{Conn: conn}
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		next.read, next.sent, next.earlier = s.read, s.sent, s.read
	}
	return next
}

// arm begins a phase: no call outlasts its deadline.
func (s *stream) arm(deadline time.Time) error {
	s.mu.Lock()
	s.deadline, s.before, s.shaking = deadline, s.read, false
	s.mu.Unlock()
	return s.SetDeadline(deadline)
}

// shake says that the phase under way is a handshake.
func (s *stream) shake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shaking = true
}

// left is how many bytes may still be read; the error says why there are none.
func (s *stream) left() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, limit, of := ReadMax-s.read, ReadMax, "attempt"
	if more := s.before + handshakeMax - s.read; s.shaking && more < left {
		left, limit, of = more, handshakeMax, "handshake"
	}
	if left <= 0 {
		return 0, Fail(ProtocolError, "more than %d kB in one %s", limit>>10, of)
	}
	return left, nil
}

// abort makes every call return at once, now and later.
func (s *stream) abort() {
	s.mu.Lock()
	s.cut = true
	s.mu.Unlock()
	_ = s.SetDeadline(time.Time{}) // an error means that the stream is closed already
}

// came is how many bytes were read since the phase began.
func (s *stream) came() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read - s.before
}

// taken is how many bytes were read from this stream.
func (s *stream) taken() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read - s.earlier
}

// capped is the deadline that t may be at most. It must be called and its
// result used under mu, or an abort between the two would be undone.
func (s *stream) cappedLocked(t time.Time) time.Time {
	switch {
	case s.cut:
		return time.Unix(1, 0)
	case t.IsZero(), t.After(s.deadline):
		return s.deadline
	}
	return t
}

// SetDeadline sets both deadlines, at most the phase's.
func (s *stream) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Conn.SetDeadline(s.cappedLocked(t))
}

// SetReadDeadline sets the deadline of reads, at most the phase's.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Conn.SetReadDeadline(s.cappedLocked(t))
}

// SetWriteDeadline sets the deadline of writes, at most the phase's.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Conn.SetWriteDeadline(s.cappedLocked(t))
}

// CloseWrite says that nothing more will be sent, where the connection can.
func (s *stream) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// Read refuses to take more than ReadMax bytes in all, and handshakeMax in a
// handshake.
func (s *stream) Read(b []byte) (int, error) {
	left, err := s.left()
	if err != nil {
		return 0, err
	}
	n, err := s.Conn.Read(b[:min(int64(len(b)), left)])
	s.mu.Lock()
	s.read += int64(n)
	s.mu.Unlock()
	if n > 0 {
		s.progress.came()
	}
	return n, err
}

// Write refuses to send more than SendMax bytes in all. No check says as much by
// itself: the server asks for it, HTTP/2 with its pings.
//
// It does not mind that nobody listens any more: a server that is overloaded, or
// refuses us, may answer before it was asked, and hang up. What it said until
// then, or how its stream ends, is its answer.
func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.sent += int64(len(b))
	over := s.sent > SendMax
	s.mu.Unlock()
	if over {
		return 0, Fail(ProtocolError, "the server asks for more than %d kB in one attempt", SendMax>>10)
	}
	n, err := s.Conn.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return len(b), nil
	}
	return n, err
}
