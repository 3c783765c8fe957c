package dns_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	miekg "github.com/miekg/dns"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/dns"
)

// own makes the resolvers of a lab's machines answer, one over each family.
func own(t *testing.T, answer4, answer6 ct.Answering) *ct.Lab {
	lab := ct.NewLab()
	v4, v6 := ct.Resolver(), netip.MustParseAddrPort("[fd00::53]:53")
	ct.ServeNames(t, lab.Host(v4.Addr()), answer4)
	ct.ServeNames(t, lab.Host(v6.Addr()), answer6)
	lab.NameServers(v4, v6)
	return lab
}

func TestOwnResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := own(t, zone(), code(miekg.RcodeRefused))
		for _, url := range []string{"dns:///example.net", "dns://example.net"} {
			c := build(t, checks.Target{URL: url, Expect: checks.Expect{Answers: []string{"192.0.2.11", "2001:db8::99"}}}, lab.Env())
			r := c.Attempt(t.Context(), checks.IPv4)
			want(t, r, "", "", 0, "")
			if r.Address != ct.Resolver().String() || names(r) != "request" {
				t.Errorf("asked %s in %s, want the name server of the machine", r.Address, names(r))
			}
			r = c.Attempt(t.Context(), checks.IPv6)
			want(t, r, checks.Request, checks.OwnError, 0, "this machine's name server refuses us: REFUSED")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		lab := own(t, zone(), zone())
		c := build(t, checks.Target{URL: "dns:///example.net", Expect: checks.Expect{Answers: []string{"192.0.2.11", "2001:db8::99"}}}, lab.Env())
		want(t, c.Attempt(t.Context(), checks.IPv6), checks.Request, checks.BodyMismatch, 0, "the answer is 2001:db8::10, expected 2001:db8::99 in it")
	})
}

func TestLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := own(t, ct.Authenticated(zone()), zone())
		for _, tt := range []struct {
			name  string
			rtype dns.Type
			want  string
		}{
			{"example.net", dns.TypeMX, `{[{10 mx.example.net. [10 mx.example.net.]} {20 MX2.example.net. [20 MX2.example.net.]}] true}`},
			{"example.net.", dns.TypeTXT, `{[{"v=spf1 -all" [v=spf1 -all]} {"one " "two" [one two]}] true}`},
			{"_25._tcp.mx.example.net", dns.TypeTLSA, "{[{3 1 1 " + strings.Repeat("0a", 32) + " [3 1 1 " + strings.Repeat("0a", 32) + "]}] true}"},
			{"www.example.net", dns.TypeA, "{[{192.0.2.80 [192.0.2.80]}] true}"},
			{"www.example.net", dns.TypeMX, "{[] true}"},
			{"nobody.example.net", dns.TypeMX, "{[] true}"},
		} {
			got, err := dns.Lookup(t.Context(), lab.Client, tt.name, tt.rtype)
			if fmt.Sprint(got) != tt.want || err != nil {
				t.Errorf("%s of %s: got %v, %v, want %s", tt.rtype, tt.name, got, err, tt.want)
			}
		}
		for _, name := range []string{"", "a b", "example..net"} {
			if _, err := dns.Lookup(t.Context(), lab.Client, name, dns.TypeA); err == nil {
				t.Errorf("%q was asked for", name)
			}
		}
		if _, err := dns.Lookup(t.Context(), lab.Client, "example.net", "ANY"); err == nil {
			t.Error("ANY was asked for")
		}
	})
}

func TestLookupAsksTheOtherFamily(t *testing.T) {
	silent := func([]byte, string, func([]byte)) {}
	for _, tt := range []struct {
		first  ct.Answering
		second ct.Answering
		after  time.Duration
		want   string
	}{
		{silent, zone(), 5 * time.Second, ""},
		{code(miekg.RcodeServerFailure), zone(), 0, ""},
		{silent, silent, 10 * time.Second, "dns_timeout: no answer to the request within 5s"},
		{silent, code(miekg.RcodeServerFailure), 5 * time.Second, "dns_error: SERVFAIL for example.net"},
	} {
		synctest.Test(t, func(t *testing.T) {
			lab := own(t, tt.first, tt.second)
			start := time.Now()
			answer, err := dns.Lookup(t.Context(), lab.Client, "example.net", dns.TypeMX)
			if took := time.Since(start); took != tt.after || (err == nil) != (tt.want == "") || err == nil && (len(answer.Records) != 2 || answer.Authenticated) {
				t.Errorf("got %v, %v after %s, want %s", answer, err, took, tt.after)
			}
			if err != nil && err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			lab.NameServers()
			if _, err = dns.Lookup(t.Context(), lab.Client, "example.net", dns.TypeMX); err == nil || !strings.Contains(err.Error(), "no name server") {
				t.Errorf("without any: %v", err)
			}
		})
	}
}
