package checktest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Server gives each stream of a listener to Handle.
type Server struct {
	Listener net.Listener
	// Handle serves one stream and returns when ctx ends; the stream is closed
	// for it then, and after it.
	Handle func(ctx context.Context, conn net.Conn)
}

// Run serves until ctx ends, closes the listener and every stream, and returns
// when the last Handle has.
func (s *Server) Run(ctx context.Context) error {
	var handlers sync.WaitGroup
	defer handlers.Wait()
	defer context.AfterFunc(ctx, func() { _ = s.Listener.Close() })()
	for {
		conn, err := s.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		handlers.Go(func() {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			defer func() { _ = conn.Close() }()
			s.Handle(ctx, conn)
		})
	}
}

// TB is what Serve needs of a test.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
}

// Serve runs a Server until the test ends.
func Serve(t TB, l net.Listener, handle func(context.Context, net.Conn)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := (&Server{Listener: l, Handle: handle}).Run(ctx); err != nil {
			t.Errorf("serve %s: %v", l.Addr(), err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		<-done
	})
}

// Peer is the client of a scripted server.
type Peer struct {
	ctx  context.Context
	base net.Conn // the stream below TLS
	conn net.Conn
	read *bufio.Reader
}

// A Step is one act of a scripted server. An error ends the script.
type Step func(*Peer) error

// Script plays steps to each client, then closes the stream.
func Script(steps ...Step) func(context.Context, net.Conn) {
	return func(ctx context.Context, conn net.Conn) {
		p := &Peer{ctx: ctx, base: conn, conn: conn, read: bufio.NewReader(conn)}
		for _, step := range steps {
			if step(p) != nil {
				break
			}
		}
		if p.conn != p.base {
			_ = p.conn.Close()
		}
	}
}

// Both is two steps as one.
func Both(first, second Step) Step {
	return func(p *Peer) error {
		if err := first(p); err != nil {
			return err
		}
		return second(p)
	}
}

// Send writes text in one piece.
func Send(text string) Step {
	return func(p *Peer) error {
		_, err := io.WriteString(p.conn, text)
		return err
	}
}

// Drip writes text a byte at a time, each after the given pause.
func Drip(text string, every time.Duration) Step {
	return func(p *Peer) error {
		for _, b := range []byte(text) {
			if err := Wait(every)(p); err != nil {
				return err
			}
			if _, err := p.conn.Write([]byte{b}); err != nil {
				return err
			}
		}
		return nil
	}
}

// Flood writes text again and again until the client goes away.
func Flood(text string) Step {
	return func(p *Peer) error {
		for {
			if _, err := io.WriteString(p.conn, text); err != nil {
				return err
			}
		}
	}
}

// Expect reads one line and ends the script unless it holds want, in any case.
func Expect(want string) Step {
	return func(p *Peer) error {
		line, err := p.read.ReadString('\n')
		if err == nil && !strings.Contains(strings.ToUpper(line), strings.ToUpper(want)) {
			err = fmt.Errorf("line %q, expected %q", line, want)
		}
		return err
	}
}

// Skip reads lines up to and with the first empty one, and ends the script
// unless each of want is among them, in any case.
func Skip(want ...string) Step {
	return func(p *Peer) error {
		var seen strings.Builder
		for {
			line, err := p.read.ReadString('\n')
			if err != nil {
				return err
			}
			if strings.TrimRight(line, "\r\n") == "" {
				break
			}
			seen.WriteString(strings.ToUpper(line))
		}
		for _, w := range want {
			if !strings.Contains(seen.String(), strings.ToUpper(w)) {
				return fmt.Errorf("lines %q, expected %q", seen.String(), w)
			}
		}
		return nil
	}
}

// Wait does nothing for a while.
func Wait(d time.Duration) Step {
	return func(p *Peer) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
}

// Silence reads and says nothing until the client goes away.
func Silence() Step {
	return func(p *Peer) error {
		_, err := io.Copy(io.Discard, p.read)
		return errors.Join(err, io.EOF)
	}
}

// Secure shakes hands as a TLS server.
func Secure(cfg *tls.Config) Step {
	return func(p *Peer) error {
		secured := tls.Server(p.conn, cfg)
		if err := secured.HandshakeContext(p.ctx); err != nil {
			return err
		}
		p.conn, p.read = secured, bufio.NewReader(secured)
		return nil
	}
}

// Hangup closes the stream.
func Hangup() Step {
	return func(*Peer) error { return io.EOF }
}

// Break resets the stream.
func Break() Step {
	return func(p *Peer) error {
		if l, ok := p.base.(interface{ SetLinger(int) error }); ok {
			_ = l.SetLinger(0) // setting a socket option of ours cannot fail
		}
		return errors.Join(p.base.Close(), io.EOF)
	}
}
