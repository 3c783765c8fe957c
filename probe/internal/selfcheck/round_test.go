package selfcheck_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// TestNames: a name that does not resolve says something of its owner only where
// others resolve.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		dns := failure(checks.DNSTimeout, checks.Resolve)
		want(t, "control names resolve", w.controls.Judge(t.Context(), checks.IPv4, dns), checks.DNSTimeout)
		time.Sleep(20 * time.Second)
		w.controls.Set([]string{"https://nowhere.test", "tcp://192.0.2.7:443", "tcp://203.0.113.7:443"})
		r := w.controls.Judge(t.Context(), checks.IPv4, dns)
		want(t, "none does", r, checks.OwnNetwork)
		if r.Detail != "no control name resolves either (dns_timeout)" {
			t.Errorf("says %q", r.Detail)
		}
		want(t, "the same for a connection", w.controls.Judge(t.Context(), checks.IPv4, failure(checks.TLSTimeout, checks.TLS)), checks.TLSTimeout)
		w.controls.Set([]string{"tcp://198.51.100.7:443", "tcp://192.0.2.7:443", "tcp://203.0.113.7:443"})
		want(t, "no control has a name", w.controls.Judge(t.Context(), checks.IPv4, dns), checks.DNSTimeout)
	})
}

// onlyA is a resolver that fails for every question of the other kind.
type onlyA struct{ checks.Network }

// LookupNetIP answers for IPv4.
func (n onlyA) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if network == "ip6" {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	}
	return n.Network.LookupNetIP(ctx, network, host)
}

// TestResolver: it must answer for the family that was asked for, and may answer
// that there is nothing.
func TestResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		dns := failure(checks.DNSError, checks.Resolve)
		w.open(onlyA{w.Client})
		r := w.controls.Judge(t.Context(), checks.IPv6, dns)
		want(t, "no AAAA of any name", r, checks.OwnNetwork)
		want(t, "A", w.controls.Judge(t.Context(), checks.IPv4, dns), checks.DNSError)

		w.open(w.Client)
		w.Name("four.test", netip.MustParseAddr(controlAddrs[0][0]))
		w.controls.Set([]string{"https://four.test", "tcp://192.0.2.7:443"})
		want(t, "a name has no AAAA", w.controls.Judge(t.Context(), checks.IPv6, dns), checks.DNSError)

		w.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
			if to == ct.Resolver() {
				return ct.Refuse
			}
			return ct.Pass
		})
		w.open(w.Client)
		r = w.controls.Judge(t.Context(), checks.IPv4, dns)
		want(t, "the resolver is dead", r, checks.OwnNetwork)
		if r.Detail != "no control name resolves either (dns_error)" {
			t.Errorf("says %q", r.Detail)
		}
	})
}

// TestHostileControls: whoever floods us has answered, and nothing of it is read;
// and no name leads into the network that the probe stands in.
func TestHostileControls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		flood, err := w.Host(netip.MustParseAddr("198.51.100.66")).Listen("tcp", ":443")
		if err != nil {
			t.Fatal(err)
		}
		defer flood.Close()
		sent := make(chan int, 1)
		go func() {
			c, err := flood.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			total := 0
			for err == nil {
				var n int
				n, err = c.Write(make([]byte, 4096))
				total += n
			}
			sent <- total
		}()
		inside := netip.MustParseAddr("10.0.0.7")
		l, err := w.Host(inside).Listen("tcp", ":443")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		w.Name("inside.test", inside)

		w.controls.Set([]string{"tcp://198.51.100.66:443", "https://inside.test"})
		r, _ := w.judge(t, checks.IPv4)
		want(t, "one is inside by its name", r, checks.OwnNetwork)
		if w.counted()[inside] != 0 {
			t.Error("a name led inside")
		}
		if n := <-sent; n > 1<<20 {
			t.Errorf("a control sent %d bytes before we left", n)
		}
		w.controls.Set([]string{"tcp://10.0.0.7:443"})
		r, _ = w.judge(t, checks.IPv4)
		want(t, "the address itself is configured", r, checks.ConnectTimeout)
	})
}
