package agent

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"varde/checks"
	ct "varde/checks/checktest"
)

// TestFamiliesOfNameServers: a question to the machine's own resolver runs over
// the families in which there is one, whatever the name asked for has.
func TestFamiliesOfNameServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		four, six := []checks.Family{checks.IPv4}, []checks.Family{checks.IPv6}
		lab := ct.NewLab()
		v6 := netip.MustParseAddrPort("[fd00::53]:53")
		for _, tt := range []struct {
			url     string
			servers []netip.AddrPort
			named   []checks.Family
			want    []checks.Family
		}{
			{"dns:///nobody.example.net", []netip.AddrPort{ct.Resolver()}, nil, four},
			{"dns://nobody.example.net?type=MX", []netip.AddrPort{ct.Resolver(), v6}, nil, []checks.Family{checks.IPv4, checks.IPv6}},
			{"dns://" + ct.LabName, []netip.AddrPort{v6}, nil, six},
			{"dns:///" + ct.LabName, []netip.AddrPort{v6}, four, four},
			{"dns://198.51.100.1/nobody.example.net", []netip.AddrPort{v6}, nil, four},
			{"dns://" + ct.LabName + "/nobody.example.net", nil, nil, []checks.Family{checks.IPv4, checks.IPv6}},
		} {
			lab.NameServers(tt.servers...)
			target := checks.Target{Kind: checks.DNS, URL: tt.url, Families: tt.named}
			got, guessed := families(t.Context(), lab.Client, target, nil)
			if !slices.Equal(got, tt.want) || guessed {
				t.Errorf("%s with %v: got %v, guessed %v, want %s", tt.url, tt.servers, got, guessed, tt.want)
			}
		}
	})
}

// TestNoSuchNameIsAFinding: that a name does not exist is what was asked, and
// not a family that nobody asked for.
func TestNoSuchNameIsAFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		for _, url := range []string{"dns:///nobody.example.net", "dns://198.51.100.1/nobody.example.net"} {
			j := job{target: checks.Target{Kind: checks.DNS, URL: url}}
			r := checks.Result{FailedPhase: checks.Request, Class: checks.DNSError}
			if j.unasked(t.Context(), lab.Client, checks.IPv6, r) {
				t.Errorf("%s: the answer over ipv6 would not be kept", url)
			}
		}
	})
}
