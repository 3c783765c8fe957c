package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/proto/wire"
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
			j := job{target: &checks.Target{Kind: checks.DNS, URL: url}}
			r := checks.Result{FailedPhase: checks.Request, Class: checks.DNSError}
			if j.unasked(t.Context(), lab.Client, checks.IPv6, r) {
				t.Errorf("%s: the answer over ipv6 would not be kept", url)
			}
		}
	})
}

// TestDeadFamilyIsLeftOut: a probe with a route for IPv6 and nothing behind it says
// unknown for some minutes and then nothing over IPv6, until it works.
func TestDeadFamilyIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := controlled(t, func(p *wire.Plan) { p.Checks[0].Families = nil })
		greet := []ct.Step{ct.Send("220 hi\r\n"), ct.Expect("EHLO "), ct.Send("250 hi\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n")}
		s.Play(t, ":25", greet...)
		a := s.run(t)
		time.Sleep(time.Minute)
		s.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" && to.Addr().Is6() {
				return ct.Drop
			}
			return ct.Pass
		})
		healthy := len(s.spooled(t, a))
		time.Sleep(7 * time.Minute)
		before := len(s.spooled(t, a))
		for _, o := range s.spooled(t, a)[healthy:] {
			switch {
			case o.Family == checks.IPv4 && o.Outcome != checks.Up, o.Family == checks.IPv6 && o.Class != checks.OwnNetwork:
				t.Fatalf("IPv6 is dead: got %s %s over %s", o.Outcome, o.Class, o.Family)
			}
		}
		time.Sleep(2 * time.Minute)
		for _, o := range s.spooled(t, a)[before:] {
			if o.Family != checks.IPv4 || o.Outcome != checks.Up {
				t.Errorf("left out: got %s over %s, want IPv4 alone", o.Outcome, o.Family)
			}
		}
		if q, why := a.controls.Standing(); q != wire.Qualified || !slices.Equal(a.controls.Faults(), []wire.Fault{wire.FaultNoIPv6}) {
			t.Errorf("left out: standing %d %q, faults %v", q, why, a.controls.Faults())
		}
		s.Rule(nil)
		time.Sleep(6 * time.Minute)
		all := s.spooled(t, a)
		if !slices.ContainsFunc(all[len(all)-3:], func(o checks.Observation) bool { return o.Family == checks.IPv6 && o.Outcome == checks.Up }) {
			t.Errorf("well again: got %+v, want IPv6 up", all[len(all)-3:])
		}
	})
}

// TestAddressKeepsItsPlace: a check of an address goes on while the machine has no
// route to it, and says why it knows nothing, also when plans are applied meanwhile.
func TestAddressKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, func(p *wire.Plan) {
			p.Checks[0].Families, p.Checks[0].URL = nil, "smtp://198.51.100.1"
		})
		s.Play(t, ":25", greets()...)
		begin := time.Now()
		s.Rule(func(_, _ netip.AddrPort, _ string) ct.Effect {
			if since := time.Since(begin); since > refreshFamilies-10*time.Second && since < refreshFamilies+10*time.Second {
				return ct.NoRoute
			}
			return ct.Pass
		})
		a := s.run(t)
		time.Sleep(2 * refreshFamilies)
		all, unknown := s.onSchedule(t, a), 0
		for _, o := range all {
			if o.Outcome == checks.Up {
				continue
			}
			unknown++
			if o.Outcome != checks.Unknown || o.Class != checks.OwnNetwork || o.Detail != "this machine has no route for ipv4 (unreachable)" {
				t.Errorf("got %s %s %q, want unknown for want of a route", o.Outcome, o.Class, o.Detail)
			}
		}
		if len(all) != 120 || unknown != 4 {
			t.Errorf("%d observations in ten minutes, %d unknown, want 120 and 4", len(all), unknown)
		}
	})
}

// TestSilentResolverDelaysAPlanOnce, and not for each of its checks.
func TestSilentResolverDelaysAPlanOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
			if to == ct.Resolver() {
				return ct.Drop
			}
			return ct.Pass
		})
		jobs := map[string]*job{}
		for i := range 3 * lookupsAtOnce {
			jobs[fmt.Sprint(i)] = &job{target: &checks.Target{Kind: checks.HTTPS, URL: "https://" + ct.LabName}}
		}
		begin := time.Now()
		refineFamilies(t.Context(), lab.Client, jobs)
		if took := time.Since(begin); took < familyLookup || took > familyLookups {
			t.Errorf("took %s, want %s to %s", took, familyLookup, familyLookups)
		}
		for id, j := range jobs {
			if !j.guessed || len(j.families) != 2 {
				t.Fatalf("%s: got %v, guessed %t, want both families as a guess", id, j.families, j.guessed)
			}
		}
	})
}
