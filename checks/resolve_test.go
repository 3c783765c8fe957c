package checks_test

import (
	"cmp"
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// Whoever can write a name's zone cannot make a probe look at what stands
// beside it.
func TestNamesLeadNowhereInside(t *testing.T) {
	for _, tt := range []struct {
		host, addr string
		refused    bool
	}{
		{"evil.example", "198.51.100.1", false},
		{"evil.example", "10.0.0.1", true},
		{"evil.example", "172.16.0.1", true},
		{"evil.example", "192.168.1.1", true},
		{"evil.example", "127.0.0.1", true},
		{"evil.example", "0.0.0.0", true},
		{"evil.example", "0.1.2.3", true},
		{"evil.example", "100.100.100.200", true},
		{"evil.example", "168.63.129.16", true},
		{"evil.example", "169.254.169.254", true},
		{"evil.example", "192.0.0.192", true},
		{"evil.example", "224.0.0.1", true},
		{"evil.example", "255.255.255.255", true},
		{"evil.example", "2001:db8::1", false},
		{"evil.example", "64:ff9b::c633:6401", false},
		{"evil.example", "::1", true},
		{"evil.example", "::", true},
		{"evil.example", "::7f00:1", true},
		{"evil.example", "fe80::1", true},
		{"evil.example", "fd00:ec2::254", true},
		{"evil.example", "fec0::1", true},
		{"evil.example", "ff02::1", true},
		{"localhost", "127.0.0.1", false},
		{"mail.LOCALHOST", "::1", false},
		{"localhost", "10.0.0.1", true},
		{"notlocalhost", "127.0.0.1", true},
		{"10.0.0.1", "", false},
		{"169.254.169.254", "", false},
		{"::1", "", false},
		{"::ffff:198.51.100.1", "", false}, // an IPv4 address all the same
	} {
		synctest.Test(t, func(t *testing.T) {
			lab, addr := ct.NewLab(), netip.MustParseAddr(cmp.Or(tt.addr, tt.host)).Unmap()
			family := checks.IPv6
			if addr.Is4() {
				family = checks.IPv4
			}
			r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
				return r.Dial(ctx, lying{lab.Client, []netip.Addr{addr}}, family, checks.Endpoint{Host: tt.host, Port: 25})
			})
			refused := r.Class == checks.OwnError && r.Address == "" && strings.Contains(r.Detail, tt.host+" is at "+tt.addr+",")
			if refused != tt.refused || !refused && r.Address != netip.AddrPortFrom(addr, 25).String() {
				t.Errorf("%s at %s: got %+v, want refused %v", tt.host, tt.addr, r, tt.refused)
			}
		})
	}
}
