package checktest_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"varde/checks/checktest"
)

func TestDialledDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, server := world()
		conn, err := client.DialContext(t.Context(), "udp4", "198.51.100.1:53")
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		// Nobody is there: heard at the next read, once.
		_, _ = conn.Write([]byte("a"))
		if _, err := conn.Read(buf); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want refused", err)
		}
		// Somebody is there, and somebody else speaks first.
		l, err := server.ListenPacket("udp", ":53")
		if err != nil {
			t.Fatal(err)
		}
		other, err := server.ListenPacket("udp", ":54")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("b"))
		_, from, err := l.ReadFrom(buf)
		if err != nil || from.String() != conn.LocalAddr().String() {
			t.Fatalf("from %v, %v, want %s", from, err, conn.LocalAddr())
		}
		_, _ = other.WriteTo([]byte("other"), from)
		_, _ = l.WriteTo([]byte("answer"), from)
		if got, err := conn.Read(buf); string(buf[:got]) != "answer" || err != nil || conn.RemoteAddr().String() != "198.51.100.1:53" {
			t.Errorf("got %q from %s, %v, want the answer", buf[:got], conn.RemoteAddr(), err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want a timeout", err)
		}
		// A machine without a way there says so.
		if _, err := n.Host(netip.MustParseAddr("192.0.2.9")).DialContext(t.Context(), "udp", "[2001:db8:2::1]:9"); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("without ipv6: %v, want unreachable", err)
		}
		n.Rule(func(_, _ netip.AddrPort, network string) checktest.Effect { return checktest.NoRoute })
		if _, err := client.DialContext(t.Context(), "udp4", "198.51.100.1:53"); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("without a route: %v, want unreachable", err)
		}
	})
}

func TestNameServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, _ := world()
		if got := client.NameServers(); !slices.Equal(got, []netip.AddrPort{checktest.Resolver()}) {
			t.Errorf("got %v, want the resolver", got)
		}
		v6 := netip.MustParseAddrPort("[fd00::53]:53")
		n.NameServers(v6)
		if got := client.NameServers(); !slices.Equal(got, []netip.AddrPort{v6}) {
			t.Errorf("got %v, want %s", got, v6)
		}
	})
}

func TestZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := world()
		checktest.ServeNames(t, server, checktest.Authenticated(checktest.Zone(
			"example.net. 300 IN MX 10 mx.example.net.", "www.example.net. 300 IN CNAME example.org.", "example.org. 300 IN A 192.0.2.1",
			`long.example.net. 300 IN TXT "`+strings.Repeat("x", 250)+`" "`+strings.Repeat("x", 250)+`"`,
		)))
		for _, tt := range []struct {
			network, name string
			rtype         uint16
			want          string
		}{
			{"udp", "Example.net.", dns.TypeMX, "NOERROR 1"},
			{"udp", "example.net.", dns.TypeA, "NOERROR 0"},
			{"udp", "www.example.net.", dns.TypeA, "NOERROR 2"},
			{"udp", "nobody.example.net.", dns.TypeA, "NXDOMAIN 0"},
			{"udp", "long.example.net.", dns.TypeTXT, "NOERROR tc 0"},
			{"tcp", "long.example.net.", dns.TypeTXT, "NOERROR 1"},
		} {
			conn, err := client.DialContext(t.Context(), tt.network+"4", "198.51.100.1:53")
			if err != nil {
				t.Fatal(err)
			}
			c := dns.Conn{Conn: conn}
			if err := c.WriteMsg(new(dns.Msg).SetQuestion(tt.name, tt.rtype)); err != nil {
				t.Fatal(err)
			}
			m, err := c.ReadMsg()
			if err != nil {
				t.Fatal(err)
			}
			got := dns.RcodeToString[m.Rcode]
			if m.Truncated {
				got += " tc"
			}
			if got = fmt.Sprintf("%s %d", got, len(m.Answer)); got != tt.want || !m.Authoritative || !m.AuthenticatedData {
				t.Errorf("%s over %s: got %s, want %s with authority", tt.name, tt.network, got, tt.want)
			}
		}
	})
}
