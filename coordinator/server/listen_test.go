package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
)

// visit serves h and returns one connection to it, and what says when h was left.
func visit(t *testing.T, h http.HandlerFunc) (conn net.Conn, left <-chan time.Time) {
	t.Helper()
	host := checktest.NewInternet().Host(netip.MustParseAddr("198.51.100.1"))
	l, err := host.Listen("tcp", "198.51.100.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	leave, done := make(chan time.Time, 1), make(chan error, 1)
	go func() {
		done <- serveHTTP(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h(w, r)
			leave <- time.Now()
		}))
	}()
	conn, err = host.DialContext(t.Context(), "tcp", "198.51.100.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return conn, leave
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Error(err)
	}
}

const request = "GET / HTTP/1.1\r\nHost: status.example.net\r\n\r\n"

// TestNobodyHoldsAnAnswer: a reader that does not read is let go.
func TestNobodyHoldsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, left := visit(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 64<<20)) })
		begin := time.Now()
		say(t, conn, request)
		time.Sleep(time.Hour)
		select {
		case at := <-left:
			if took := at.Sub(begin); took != writeTimeout {
				t.Errorf("was let go after %s, want %s", took, writeTimeout)
			}
		default:
			t.Error("still holds its answer after an hour")
		}
	})
}

// TestNobodyHoldsARequest: a connection that says nothing, or not all, is closed.
func TestNobodyHoldsARequest(t *testing.T) {
	for name, c := range map[string]struct {
		says string
		want time.Duration
	}{
		"no header":     {"GET / HTTP/1.1\r\nHost: ", headerTimeout},
		"half a body":   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", readTimeout},
		"not a request": {request, idleTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, _ := visit(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
			begin := time.Now()
			say(t, conn, c.says)
			time.AfterFunc(time.Hour, func() { conn.Close() })
			_, _ = io.Copy(io.Discard, conn)
			if took := time.Since(begin); took != c.want {
				t.Errorf("%s: closed after %s, want %s", name, took, c.want)
			}
		})
	}
}

// TestAStreamGoesOn: what sets a time for each of its writes is no slow answer.
func TestAStreamGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := visit(t, func(w http.ResponseWriter, r *http.Request) {
			out := http.NewResponseController(w)
			for r.Context().Err() == nil {
				_ = out.SetWriteDeadline(time.Now().Add(time.Second))
				_, _ = io.WriteString(w, "still here\n")
				_ = out.Flush()
				select {
				case <-time.After(time.Minute):
				case <-r.Context().Done():
				}
			}
		})
		begin := time.Now()
		say(t, conn, request)
		for lines := bufio.NewScanner(conn); lines.Scan() && time.Since(begin) < time.Hour; {
		}
		if took := time.Since(begin); took < time.Hour {
			t.Errorf("ended after %s", took)
		}
	})
}

// TestConnectionsAreCounted: one more than there is room for waits for another
// to end.
func TestConnectionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := checktest.NewInternet().Host(netip.MustParseAddr("198.51.100.1"))
		s := &Server{opts: Options{Listen: host.Listen}}
		s.opts.Config.Listen.GRPC = "198.51.100.1:7950"
		s.opts.Config.Listen.Public, s.opts.Config.Listen.Ops = "198.51.100.1:8080", "198.51.100.1:8081"
		if err := s.listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer s.listeners.close()
		accepted := make(chan net.Conn, maxConnections+1)
		go func() {
			for {
				c, err := s.listeners.public.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		for range maxConnections + 1 {
			c, err := host.DialContext(t.Context(), "tcp", "198.51.100.1:8080")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			synctest.Wait()
		}
		if n := len(accepted); n != maxConnections {
			t.Errorf("%d connections at a time, want %d", n, maxConnections)
		}
		(<-accepted).Close()
		synctest.Wait()
		if n := len(accepted); n != maxConnections {
			t.Errorf("%d connections after one has ended, want %d", n, maxConnections)
		}
	})
}
