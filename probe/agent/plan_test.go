package agent

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/proto/wire"
)

// TestAddressesOfTheTokenStay: a plan that names a coordinator wrongly does not
// cut the probe off from the one that it joined.
func TestAddressesOfTheTokenStay(t *testing.T) {
	for _, c := range []struct{ plan, want []string }{
		{nil, []string{"c1.example.net:7950"}},
		{[]string{"c1.example.nett:7950"}, []string{"c1.example.nett:7950", "c1.example.net:7950"}},
		{[]string{"c2.example.net:7950", "c1.example.net:7950"}, []string{"c2.example.net:7950", "c1.example.net:7950"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := newStation(t, func(p *wire.Plan) { p.Coordinators = c.plan }).agent(t)
			defer a.spool.Close()
			if got := a.coordinators(); !slices.Equal(got, c.want) {
				t.Errorf("the plan names %q: got %q, want %q", c.plan, got, c.want)
			}
		})
	}
}

// TestPlanOnAFullDisk: a plan that cannot be written when it comes is worked by at
// once, and written later, although nobody sends it again.
func TestPlanOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		a := s.run(t)
		time.Sleep(time.Second)
		file := filepath.Join(s.dir, "plan.pb")
		if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil { // nothing can take its place then
			t.Fatal(err)
		}
		if err := a.offer(s.sign(t, func(p *wire.Plan) { p.Number.Revision, p.Checks = 2, nil })); err != nil {
			t.Errorf("got %v: it would be refused", err)
		}
		time.Sleep(time.Minute)
		if got := a.status().Plan; got.Revision != 2 || got.Entries != 0 {
			t.Errorf("works by %+v, want revision 2 and nothing to do", got)
		}
		if got := s.log.String(); strings.Count(got, `msg="plan is in force, and lost when`) != 1 {
			t.Errorf("logged\n%s\nwant one line about the plan", got)
		}
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(refreshFamilies)
		if p, _, _ := s.store(t).Current(); p.Number.Revision != 2 {
			t.Errorf("revision %d is on disk, want 2", p.Number.Revision)
		}
	})
}

// withoutIPv6 is the network of a machine whose routing table has no IPv6.
type withoutIPv6 struct{ Network }

// DialContext answers for datagrams as connect(2) does.
func (n withoutIPv6) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "udp" && strings.HasPrefix(address, "[") {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ENETUNREACH}
	}
	return n.Network.DialContext(ctx, network, address)
}

// TestResolverSilentAtTheStart: a probe that starts before its resolver answers
// schedules both families, and keeps nothing about the one that the name lacks,
// or that the machine has no route for. Soon it knows.
func TestResolverSilentAtTheStart(t *testing.T) {
	for name, world := range map[string]func(*station){
		"the name has no such address": func(s *station) { s.Name(ct.LabName, netip.MustParseAddr("198.51.100.1")) },
		"the machine has no such route": func(s *station) {
			s.network = withoutIPv6{s.Host(netip.MustParseAddr("192.0.2.2"))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, func(p *wire.Plan) { p.Checks[0].Families = nil })
				world(s)
				silent := time.Now().Add(4 * time.Second)
				s.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
					if to == ct.Resolver() && time.Now().Before(silent) {
						return ct.Drop
					}
					return ct.Pass
				})
				a := s.run(t)
				time.Sleep(10 * time.Second)
				if got := a.status().Plan.Entries; got != 2 {
					t.Errorf("%d entries while the resolver is silent, want 2", got)
				}
				time.Sleep(10 * time.Second)
				if got := a.status().Plan.Entries; got != 1 {
					t.Errorf("%d entries when it answers, want 1", got)
				}
				for _, o := range s.spooled(t, a) {
					if o.Family != checks.IPv4 {
						t.Errorf("kept %s: %s %s, want nothing of that family", o.Family, o.Class, o.Detail)
					}
				}
			})
		})
	}
}
