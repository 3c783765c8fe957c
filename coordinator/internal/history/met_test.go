package history

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"varde/checks"
)

// Whom the probes met since a time is told once for every place that it was met from,
// whatever it showed; a name that was not resolved is nobody.
func TestMet(t *testing.T) {
	f := newFleet("imap")
	m := start(t, t.TempDir(), newFakeJournal(), func() *Config { return f.config })
	const a1, a2 = "192.0.2.1:993", "192.0.2.2:993"
	f.met(t, m, []seen{
		{probe: "us-east-1", address: a1, issuer: "R1", key: "k1"},
		{probe: "us-east-2", hours: 1, address: a2, issuer: "R1", key: "k1"},
		{probe: "us-east-1", hours: 2, address: a2, issuer: "R1", key: "k2"},
		{probe: "oceania-1", hours: 2, address: "[2001:db8::1]:993", issuer: "R1", key: "k2", family: checks.IPv6, anotherRegion: true},
		{probe: "us-east-3", hours: 2, address: "mail.example.net:993", class: checks.DNSTimeout},
	})
	met := func(region string, family checks.Family, address string) Met {
		return Met{"imap", region, family, netip.MustParseAddr(address)}
	}
	six := met("oceania", checks.IPv6, "2001:db8::1")
	for since, want := range map[time.Duration][]Met{
		0:             {six, met("us-east", checks.IPv4, "192.0.2.1"), met("us-east", checks.IPv4, "192.0.2.2")},
		time.Hour:     {six, met("us-east", checks.IPv4, "192.0.2.2")},
		3 * time.Hour: {},
	} {
		got, err := m.s.Met(t.Context(), ten.Add(since))
		must(t, err)
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("since %s (-want +got):\n%s", since, diff)
		}
	}
	must(t, m.s.Close())
}
