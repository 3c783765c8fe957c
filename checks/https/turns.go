package https

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// turns is a connection over which the server is heard once it was asked. A
// server that is overloaded may answer before that, and hang up; net/http makes
// one thing or another of it, as it happens, and logs the server's words.
type turns struct {
	net.Conn
	once  sync.Once
	asked chan struct{} // closed by the first write, or the end
}

func inTurns(conn net.Conn) *turns { return &turns{Conn: conn, asked: make(chan struct{})} }

// Read waits until something was written.
func (t *turns) Read(b []byte) (int, error) {
	<-t.asked
	return t.Conn.Read(b)
}

// Write does not mind that nobody listens any more: what the server said until
// then, or how its stream ends, is its answer.
func (t *turns) Write(b []byte) (int, error) {
	n, err := t.Conn.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		n, err = len(b), nil
	}
	t.once.Do(func() { close(t.asked) })
	return n, err
}

// Close ends a Read that waits, too.
func (t *turns) Close() error {
	err := t.Conn.Close()
	t.once.Do(func() { close(t.asked) })
	return err
}
