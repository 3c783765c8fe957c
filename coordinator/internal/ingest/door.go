package ingest

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// What a stranger gets: whoever shows no certificate that the authority knows
// has one thing to ask for, an enrolment, which is one short call. gRPC reads a
// whole message before anybody can ask who sends it, so the connection itself
// is what is bounded.
const (
	// maxStrangers is how many of them are connected at a time. One more ends
	// the oldest, so that nobody keeps others from joining by doing nothing.
	maxStrangers = 64
	// strangerBytes is what one may send, with everything around the call. An
	// enrolment has at most 20 kB.
	strangerBytes = 256 << 10
	// visit is how long one may stay after the handshake.
	visit = 10 * time.Second
)

var errStrangerBytes = errors.New("caller without a certificate of the fleet has sent too much")

// door does the handshake of every connection and bounds those of strangers.
type door struct {
	credentials.TransportCredentials
	authority Authority
	metrics   *metrics

	mu        sync.Mutex  // protects all following fields
	strangers []*stranger // oldest first
}

// ServerHandshake does the handshake and looks whose certificate was shown.
func (d *door) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := d.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshake)
	defer cancel()
	if shown, ok := info.(credentials.TLSInfo); ok {
		if _, err := d.authority.Peer(ctx, shown.State); err == nil {
			return conn, info, nil
		}
	}
	return d.admit(conn), info, nil
}

// admit lets a stranger in, in the place of the oldest if there is no other.
func (d *door) admit(conn net.Conn) net.Conn {
	s := &stranger{Conn: conn, door: d, left: strangerBytes}
	d.mu.Lock()
	s.end = time.AfterFunc(visit, func() { _ = s.Close() })
	d.strangers = append(d.strangers, s)
	var oldest *stranger
	if len(d.strangers) > maxStrangers {
		oldest = d.strangers[0]
	}
	d.mu.Unlock()
	if oldest != nil {
		d.metrics.refused("stranger")
		_ = oldest.Close()
	}
	return s
}

// stranger is the connection of one.
type stranger struct {
	net.Conn
	door *door
	// end is protected by the door's mutex.
	end *time.Timer
	// left is how many bytes it may still send. gRPC has one reader.
	left int
}

// Read ends the connection of whoever sends more than an enrolment takes.
func (s *stranger) Read(b []byte) (int, error) {
	if s.left == 0 {
		s.door.metrics.refused("stranger")
		return 0, errStrangerBytes
	}
	n, err := s.Conn.Read(b[:min(len(b), s.left)])
	s.left -= n
	return n, err
}

// Close makes room for another stranger.
func (s *stranger) Close() error {
	s.door.mu.Lock()
	s.end.Stop()
	s.door.strangers = slices.DeleteFunc(s.door.strangers, func(o *stranger) bool { return o == s })
	s.door.mu.Unlock()
	return s.Conn.Close()
}
