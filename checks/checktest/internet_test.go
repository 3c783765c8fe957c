package checktest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"

	"golang.org/x/net/nettest"
)

var (
	client4 = netip.MustParseAddr("192.0.2.1")
	server4 = netip.MustParseAddr("198.51.100.1")
	server6 = netip.MustParseAddr("2001:db8::1")
)

// world is a client with IPv4 alone and a server with both families.
func world() (n *checktest.Internet, client, server *checktest.Host) {
	n = checktest.NewInternet()
	n.Name("mail.example.net", server4, server6)
	return n, n.Host(client4), n.Host(server4, server6)
}

func listen(t *testing.T, h *checktest.Host, address string) net.Listener {
	t.Helper()
	l, err := h.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// pair is an open stream from a client to a server.
func pair(t *testing.T, client, server *checktest.Host) (near, far net.Conn) {
	t.Helper()
	l := listen(t, server, ":993")
	near, err := client.DialContext(t.Context(), "tcp4", "198.51.100.1:993")
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// TestStreamIsAConn runs the net package's own conformance suite.
func TestStreamIsAConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		_, client, server := world()
		near, far := pair(t, client, server)
		return near, far, func() { _, _ = near.Close(), far.Close() }, nil
	})
}

func TestDial(t *testing.T) {
	effect := func(e checktest.Effect) func(from, to netip.AddrPort, network string) checktest.Effect {
		return func(netip.AddrPort, netip.AddrPort, string) checktest.Effect { return e }
	}
	back := func(from, _ netip.AddrPort, _ string) checktest.Effect {
		if from.Addr() == server4 {
			return checktest.Drop
		}
		return checktest.Pass
	}
	for _, tt := range []struct {
		name, network, address string
		rule                   func(from, to netip.AddrPort, network string) checktest.Effect
		want                   error
		after                  time.Duration
	}{
		{name: "passes", address: "198.51.100.1:993"},
		{name: "dropped", address: "198.51.100.1:993", rule: effect(checktest.Drop), want: os.ErrDeadlineExceeded, after: 4 * time.Second},
		{name: "answer dropped", address: "198.51.100.1:993", rule: back, want: os.ErrDeadlineExceeded, after: 4 * time.Second},
		{name: "refused", address: "198.51.100.1:993", rule: effect(checktest.Refuse), want: syscall.ECONNREFUSED},
		{name: "reset", address: "198.51.100.1:993", rule: effect(checktest.Reset), want: syscall.ECONNRESET},
		{name: "no route", address: "198.51.100.1:993", rule: effect(checktest.NoRoute), want: syscall.ENETUNREACH},
		{name: "nobody listens", address: "198.51.100.1:143", want: syscall.ECONNREFUSED},
		{name: "nobody there", address: "203.0.113.9:993", want: os.ErrDeadlineExceeded, after: 4 * time.Second},
		{name: "family missing here", network: "tcp6", address: "[2001:db8::1]:993", want: syscall.ENETUNREACH},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, client, server := world()
				listen(t, server, ":993")
				n.Rule(tt.rule)
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				start := time.Now()
				network := "tcp4"
				if tt.network != "" {
					network = tt.network
				}
				_, err := client.DialContext(ctx, network, tt.address)
				if !errors.Is(err, tt.want) || time.Since(start) != tt.after {
					t.Errorf("got %v after %s, want %v after %s", err, time.Since(start), tt.want, tt.after)
				}
			})
		})
	}
}

func TestCancelledDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, _ := world()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := client.DialContext(ctx, "tcp4", "203.0.113.9:1"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}

func TestDroppedBytesWaitUntilHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, server := world()
		near, far := pair(t, client, server)
		n.Rule(func(netip.AddrPort, netip.AddrPort, string) checktest.Effect { return checktest.Drop })
		start := time.Now()
		if _, err := near.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := near.Close(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Minute, func() { n.Rule(nil) })
		got, err := io.ReadAll(far)
		if string(got) != "hello" || err != nil || time.Since(start) != time.Minute {
			t.Errorf("got %q, %v after %s, want hello after 1m0s", got, err, time.Since(start))
		}
	})
}

func TestResetRuleBreaksOpenStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, server := world()
		near, far := pair(t, client, server)
		time.AfterFunc(time.Second, func() {
			n.Rule(func(netip.AddrPort, netip.AddrPort, string) checktest.Effect { return checktest.Reset })
		})
		for _, c := range []net.Conn{near, far} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want a reset", err)
			}
		}
	})
}

func TestLingerZeroResetsAndCrashDoesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []func(*checktest.Host, net.Conn){
			func(_ *checktest.Host, far net.Conn) {
				_ = far.(interface{ SetLinger(int) error }).SetLinger(0)
				_ = far.Close()
			},
			func(server *checktest.Host, _ net.Conn) { server.Crash() },
		} {
			_, client, server := world()
			near, far := pair(t, client, server)
			if _, err := far.Write([]byte("last")); err != nil {
				t.Fatal(err)
			}
			end(server, far)
			if got, err := io.ReadAll(near); string(got) != "last" || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read %q, %v, want what had arrived and a reset", got, err)
			}
			if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("write: %v, want a reset", err)
			}
		}
	})
}

func TestWriteRunsAheadByTheBufferOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := world()
		near, _ := pair(t, client, server)
		if err := near.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		sent, err := near.Write(bytes.Repeat([]byte("x"), 100<<10))
		if sent != 64<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("sent %d, %v, want 65536 and a deadline", sent, err)
		}
	})
}

func TestClosedListenerRefusesAndResetsItsBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := world()
		l := listen(t, server, "198.51.100.1:25")
		waiting, err := client.DialContext(t.Context(), "tcp4", "198.51.100.1:25")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := server.Listen("tcp", ":25"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("second listen: %v, want address in use", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := waiting.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("backlog: %v, want a reset", err)
		}
		if _, err := client.DialContext(t.Context(), "tcp4", "198.51.100.1:25"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v, want refused", err)
		}
		listen(t, server, ":25")
	})
}

func TestLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, _ := world()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		got, err := client.LookupNetIP(ctx, "ip6", "Mail.example.net.")
		if err != nil || len(got) != 1 || got[0] != server6 {
			t.Errorf("got %v, %v, want %v", got, err, server6)
		}
		var dns *net.DNSError
		if _, err = client.LookupNetIP(ctx, "ip4", "nobody.example"); !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("unknown name: %v, want not found", err)
		}
		n.Rule(func(_, to netip.AddrPort, _ string) checktest.Effect {
			if to == checktest.Resolver() {
				return checktest.Drop
			}
			return checktest.Pass
		})
		start := time.Now()
		if _, err = client.LookupNetIP(ctx, "ip4", "mail.example.net"); !errors.As(err, &dns) || !dns.IsTimeout || time.Since(start) != 3*time.Second {
			t.Errorf("silent resolver: %v after %s, want a timeout after 3s", err, time.Since(start))
		}
	})
}

func TestDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, server := world()
		from, err := client.ListenPacket("udp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		to, err := server.ListenPacket("udp", ":7946")
		if err != nil {
			t.Fatal(err)
		}
		at := net.UDPAddrFromAddrPort(netip.AddrPortFrom(server4, 7946))
		b := []byte{0}
		for i := range 200 { // 128 fit
			b[0] = byte(i)
			if _, err := from.WriteTo(b, at); err != nil {
				t.Fatal(err)
			}
		}
		n.Rule(func(netip.AddrPort, netip.AddrPort, string) checktest.Effect { return checktest.Drop })
		if _, err := from.WriteTo([]byte("vanishes"), at); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 10)
		for i := range 128 {
			if _, addr, err := to.ReadFrom(got); err != nil || got[0] != byte(i) || addr.String() != from.LocalAddr().String() {
				t.Fatalf("packet %d: got %d from %v, %v", i, got[0], addr, err)
			}
		}
		if err := to.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := to.ReadFrom(got); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want a deadline: the queue holds 128", err)
		}
	})
}

func TestLoopbackIsEachHostsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, server := world()
		n.Rule(func(netip.AddrPort, netip.AddrPort, string) checktest.Effect { return checktest.Refuse })
		l := listen(t, server, "localhost:8080")
		if _, err := server.DialContext(t.Context(), "tcp", l.Addr().String()); err != nil {
			t.Errorf("own loopback: %v", err)
		}
		if _, err := client.DialContext(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("another's loopback: %v, want refused", err)
		}
	})
}

func TestFullBacklogMakesADialWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := world()
		l := listen(t, server, ":25")
		dial := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := client.DialContext(ctx, "tcp4", "198.51.100.1:25")
			return err
		}
		for range 128 {
			if err := dial(); err != nil {
				t.Fatal(err)
			}
		}
		if err := dial(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("129th: %v, want a timeout", err)
		}
		time.AfterFunc(500*time.Millisecond, func() { _, _ = l.Accept() })
		if err := dial(); err != nil {
			t.Errorf("after one was accepted: %v", err)
		}
		time.AfterFunc(500*time.Millisecond, func() { _ = l.Close() })
		if err := dial(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("closed meanwhile: %v, want refused", err)
		}
	})
}

func TestHalfClosedStreamStillReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := world()
		near, far := pair(t, client, server)
		if err := near.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("far end reads %v, want EOF", err)
		}
		if _, err := far.Write([]byte("x")); err != nil {
			t.Errorf("far end writes: %v", err)
		}
		if n, err := near.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("near end reads %d, %v", n, err)
		}
	})
}

// TestDatagramsComeFromTheAddressTheyLeaveBy sends in both families, to itself,
// nowhere, and after the end.
func TestDatagramsComeFromTheAddressTheyLeaveBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, server := world()
		other := n.Host(netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7"))
		from, err := server.ListenPacket("udp", ":7946")
		if err != nil {
			t.Fatal(err)
		}
		to, err := other.ListenPacket("udp", ":7946")
		if err != nil {
			t.Fatal(err)
		}
		for target, source := range map[string]string{
			"192.0.2.7:7946": "198.51.100.1:7946", "[2001:db8::7]:7946": "[2001:db8::1]:7946",
		} {
			if _, err := from.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(target))); err != nil {
				t.Fatal(err)
			}
			if _, addr, err := to.ReadFrom(make([]byte, 9)); err != nil || addr.String() != source {
				t.Errorf("to %s: came from %v, %v, want %s", target, addr, err, source)
			}
		}
		if _, err := from.WriteTo(make([]byte, 65508), to.LocalAddr()); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("too large: %v", err)
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := from.WriteTo([]byte("x"), to.LocalAddr()); err != nil {
			t.Errorf("to nobody: %v, want silence", err)
		}
		if _, _, err := to.ReadFrom(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestListenRefusesWhatIsNotItsOwn(t *testing.T) {
	_, client, _ := world()
	for address, want := range map[string]error{
		"198.51.100.1:25": syscall.EADDRNOTAVAIL, "192.0.2.1:x": nil, "192.0.2.1": nil, "name:25": nil,
	} {
		if l, err := client.Listen("tcp", address); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, %v", address, l, err)
		}
	}
	if got := client.Addrs(); len(got) != 1 || got[0] != client4 {
		t.Errorf("addresses %v", got)
	}
}
