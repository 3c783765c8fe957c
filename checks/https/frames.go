package https

import (
	"net"
	"sync/atomic"

	"varde/checks"
)

// framesMax is how many frames beside those of bodies a server may send in one
// attempt, several times what the longest way of redirects needs. net/http
// answers some of them and writes a line into the log of the program for others.
const framesMax = 100

// A frame of HTTP/2 begins with its length in three bytes and its type, RFC 9113
// section 4.1.
const (
	frameHead = 9
	frameData = 0
)

// frames counts the frames in a stream of bytes.
type frames struct {
	head [frameHead]byte
	have int // of head
	rest int // of the frame under way, behind its head
	odd  int // that hold no body
}

func (f *frames) pass(b []byte) {
	for len(b) > 0 {
		n := min(f.rest, len(b))
		f.rest, b = f.rest-n, b[n:]
		n = copy(f.head[f.have:], b)
		f.have, b = f.have+n, b[n:]
		if f.have < frameHead {
			continue
		}
		f.have, f.rest = 0, int(f.head[0])<<16|int(f.head[1])<<8|int(f.head[2])
		if f.head[3] != frameData {
			f.odd++
		}
	}
}

// listened is a connection with HTTP/2 that remembers how what the server says
// came to an end. net/http keeps that to itself, or blames what it saw next.
type listened struct {
	net.Conn
	frames frames
	ended  atomic.Pointer[error]
}

// Read reads from the connection until the server has said too much.
func (l *listened) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.frames.pass(b[:n])
	if l.frames.odd > framesMax {
		n, err = 0, checks.Fail(checks.ProtocolError, "more than %d frames beside the body", framesMax)
	}
	if err != nil {
		l.ended.CompareAndSwap(nil, &err)
	}
	return n, err
}
