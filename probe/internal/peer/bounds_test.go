package peer_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"varde/probe/internal/peer"
)

func refused(t *testing.T, err error, reason string) {
	t.Helper()
	if no, ok := errors.AsType[*peer.Refusal](err); !ok || no.Reason != reason {
		t.Errorf("got %v, want %q", err, reason)
	}
}

// TestFourTunnels: a fifth is refused, and goes through when one has ended.
func TestFourTunnels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		relay := w.probe("nyc-1", "us-east")
		var others []*probe
		for _, name := range []string{"osl-1", "osl-2", "osl-3", "osl-4", "osl-5"} {
			others = append(others, w.probe(name, "eu-north"))
		}
		w.sign(append(others, relay)...)
		w.answer(echo)
		defer w.listen(relay)()
		var tunnels []net.Conn
		for _, p := range others[:4] {
			tunnels = append(tunnels, w.through(p, relay))
		}
		_, err := others[4].Through(t.Context(), relay.remote(), coordinatorName)
		refused(t, err, "4 others are passed on")
		for _, c := range tunnels {
			says(t, c, "still here")
		}
		tunnels[2].Close()
		synctest.Wait()
		says(t, w.through(others[4], relay), "at last")
		if relay.Relayed() != 5 {
			t.Errorf("passed on %d, want 5", relay.Relayed())
		}
	})
}

// TestThirdTunnelOfAProbeEndsItsFirst: one probe cannot take the place of all.
func TestThirdTunnelOfAProbeEndsItsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		w.answer(echo)
		defer w.listen(nyc)()
		tunnels := []net.Conn{w.through(osl, nyc), w.through(osl, nyc), w.through(osl, nyc)}
		if _, err := tunnels[0].Read(make([]byte, 1)); err == nil {
			t.Error("the first goes on")
		}
		says(t, tunnels[1], "hello")
		says(t, tunnels[2], "hello")
	})
}

// TestThroughputIsCapped for all tunnels together: 2 MB each way from two probes
// take 16 s.
func TestThroughputIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, syd, nyc := w.probe("osl-1", "eu-north"), w.probe("syd-1", "oceania"), w.probe("nyc-1", "us-east")
		w.sign(osl, syd, nyc)
		w.answer(echo)
		defer w.listen(nyc)()
		begin := time.Now()
		done := make(chan error, 4)
		for _, p := range []*probe{osl, syd} {
			c := w.through(p, nyc)
			go func() { _, err := c.Write(make([]byte, 2<<20)); done <- err }()
			go func() { _, err := io.ReadFull(c, make([]byte, 2<<20)); done <- err }()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took < 15900*time.Millisecond || took > 16500*time.Millisecond {
			t.Errorf("4 MB went through each way in %s, want 16s", took)
		}
	})
}

// TestIdleTunnelEnds a minute after the last byte.
func TestIdleTunnelEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		w.answer(echo)
		defer w.listen(nyc)()
		c := w.through(osl, nyc)
		for range 10 {
			time.Sleep(59 * time.Second)
			says(t, c, "sign of life")
		}
		last := time.Now()
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(last) != time.Minute {
			t.Errorf("ended with %v after %s, want a minute", err, time.Since(last))
		}
	})
}

// open says whether the other end has not yet closed a connection, whatever it said.
func open(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := io.Copy(io.Discard, c)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// TestSlowVisitors: whoever is slow, or silent, or many, holds up nobody.
func TestSlowVisitors(t *testing.T) {
	for name, visit := range map[string]func(c net.Conn, p *probe){
		"says nothing": func(net.Conn, *probe) {},
		"begins a handshake": func(c net.Conn, _ *probe) {
			_, _ = c.Write([]byte{22, 3, 1})
		},
		"drips its handshake": func(c net.Conn, _ *probe) {
			for _, b := range []byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0} {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
		"asks for nothing": func(c net.Conn, p *probe) {
			_ = tls.Client(c, &tls.Config{Certificates: []tls.Certificate{p.cert}, InsecureSkipVerify: true, NextProtos: []string{"varde-peer"}}).Handshake()
		},
		"drips its request": func(c net.Conn, p *probe) {
			conn := tls.Client(c, &tls.Config{Certificates: []tls.Certificate{p.cert}, InsecureSkipVerify: true, NextProtos: []string{"varde-peer"}})
			for _, b := range []byte{30, 18, 28, 'c', '1', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'} {
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
				w.sign(osl, nyc)
				w.answer(echo)
				defer w.listen(nyc)()
				c, err := osl.host.DialContext(t.Context(), "tcp", nyc.address())
				if err != nil {
					t.Fatal(err)
				}
				go visit(c, osl)
				says(t, w.through(osl, nyc), "hello")
				time.Sleep(9 * time.Second)
				if !open(c) {
					t.Error("it was let go at once, which tests nothing")
				}
				time.Sleep(2 * time.Second)
				if open(c) {
					t.Error("it is still there after 11s, want 10s")
				}
				c.Close()
				time.Sleep(20 * time.Second)
			})
		})
	}
}

// TestManyVisitors: with a thousand that say nothing there is room for one that
// does.
func TestManyVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		w.answer(echo)
		defer w.listen(nyc)()
		var silent []net.Conn
		for range 1000 {
			c, err := osl.host.DialContext(t.Context(), "tcp", nyc.address())
			if err != nil {
				t.Fatal(err)
			}
			silent = append(silent, c)
			synctest.Wait()
		}
		says(t, w.through(osl, nyc), "hello")
		left := 0
		for _, c := range silent {
			if open(c) {
				left++
			}
			c.Close()
		}
		if left != 31 {
			t.Errorf("%d of them are still open, want 31", left)
		}
	})
}

// TestSilentReader: a tunnel whose visitor reads no more ends within a minute.
func TestSilentReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		w.answer(func(c net.Conn) { // talks and does not listen
			for {
				if _, err := c.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		})
		stop := w.listen(nyc)
		c := w.through(osl, nyc)
		time.Sleep(90 * time.Second)
		n, err := io.Copy(io.Discard, c)
		if n > 1<<20 || err == nil && n == 0 {
			t.Errorf("got %d bytes, %v, want what fits in buffers", n, err)
		}
		stop()
	})
}
