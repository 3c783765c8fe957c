package agent

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/confirm"
	"varde/probe/internal/schedule"
	"varde/proto/wire"
)

// brisk keeps the mesh at its ordinary pace.
func brisk(o *Options) { o.SlowMesh = false }

// coordinatorAt is where coordinated puts the coordinator of a fleet.
const coordinatorAt = "198.51.100.9:7950"

func (s *station) coordinated(t *testing.T, seenFrom string) {
	t.Helper()
	l, err := s.Host(netip.MustParseAddrPort(coordinatorAt).Addr()).Listen("tcp", ":7950")
	if err != nil {
		t.Fatal(err)
	}
	s.fleet.coordinate(t, l, seenFrom)
}

// says is what a member says of another one over the mesh.
func (a *Agent) says(t *testing.T, name string) (coordinator bool, peer string) {
	t.Helper()
	for _, m := range a.mesh.Load().Members() {
		if m.Name == name {
			return m.Coordinator, m.PeerAddress()
		}
	}
	t.Fatalf("%s is not in the mesh", name)
	return false, ""
}

// TestTurnsInTheRegion: a probe looks when it is its turn among those of its region:
// at first among those of the plan, then among those that are there.
func TestTurnsInTheRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPairIn(t, "eu-north", brisk)
		target := p.osl.plan.Checks[0]
		target.Every = 10 * time.Second
		entry := schedule.Entry{Target: &target, Family: checks.IPv4, Region: 1, Regions: 2}
		both, alone := schedule.Phase(entry, "osl-1", []string{"osl-1", "nyc-1"}), schedule.Phase(entry, "osl-1", nil)
		if both == alone {
			t.Fatalf("osl-1 looks at phase %s either way", both)
		}
		if err := p.oslAgent.offer(p.sign(t, func(p *wire.Plan) {
			p.Number.Revision, p.Checks = 2, []checks.Target{target}
			p.Regions = []wire.Region{{ID: "us-east", Name: "Eastern US"}, {ID: "eu-north", Name: "Northern Europe"}}
		})); err != nil {
			t.Fatal(err)
		}
		looksAt := func(when string, want time.Duration) {
			t.Helper()
			synctest.Wait()
			all := p.osl.onSchedule(t, p.oslAgent)
			if got := time.Duration(all[len(all)-1].Scheduled.UnixNano()) % target.Every; got != want {
				t.Errorf("%s: looks at phase %s, want %s", when, got, want)
			}
		}
		time.Sleep(20 * time.Second)
		looksAt("before the mesh has settled", both)
		time.Sleep(3 * time.Minute)
		looksAt("both are there", both)
		p.osl.Rule(func(from, to netip.AddrPort, _ string) ct.Effect {
			if there := netip.MustParseAddr("192.0.2.2"); from.Addr() == there || to.Addr() == there {
				return ct.Drop
			}
			return ct.Pass
		})
		time.Sleep(3 * time.Minute)
		looksAt("alone", alone)
		domain := job{target: &target}
		hourly := schedule.Entry{Target: &checks.Target{ID: target.ID, Every: domainEvery}, Family: checks.IPv4}
		if got, want := p.oslAgent.spread(domain), schedule.Phase(hourly, "osl-1", []string{"osl-1", "nyc-1"}); got != want {
			t.Errorf("alone: looks at a domain %s after the hour, want %s", got, want)
		}
		p.osl.Rule(nil)
		time.Sleep(3 * time.Minute)
		looksAt("both are there again", both)
	})
}

// TestRegionsThatLook have turns; others have none.
func TestRegionsThatLook(t *testing.T) {
	plan := wire.Plan{Regions: []wire.Region{{ID: "ap"}, {ID: "eu"}, {ID: "us"}}}
	for _, c := range []struct {
		region, of string
		turn, all  int
	}{
		{"eu", "", 1, 3},
		{"us", "", 2, 3},
		{"us", "ap us", 1, 2},
		{"us", "us", 0, 1},
	} {
		target := checks.Target{Every: time.Minute, Consent: true}
		for _, r := range plan.Regions {
			if slices.Contains(strings.Fields(c.of), r.ID) {
				target.Regions = append(target.Regions, r.ID)
			}
		}
		if e := entry(&target, checks.IPv4, plan, c.region); e.Region != c.turn || e.Regions != c.all {
			t.Errorf("%s of %q: turn %d of %d, want %d of %d", c.region, c.of, e.Region, e.Regions, c.turn, c.all)
		}
	}
}

// TestOnlyTheDirectWayIsOffered: a probe says that it reaches a coordinator while it
// does so by itself. Who passes it on does so no more when the plan has removed it.
func TestOnlyTheDirectWayIsOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, brisk)
		p.osl.coordinated(t, "")
		signed := p.sign(t, func(p *wire.Plan) { p.Number.Revision, p.Coordinators = 2, []string{coordinatorAt} })
		if err := errors.Join(p.oslAgent.offer(signed), p.nycAgent.offer(signed)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if there, _ := p.nycAgent.says(t, "osl-1"); !there || p.oslAgent.uplink.Status().Relay != "" {
			t.Errorf("direct: says coordinator %t, %+v", there, p.oslAgent.uplink.Status())
		}
		p.osl.Rule(func(from, to netip.AddrPort, _ string) ct.Effect {
			if own, c := netip.MustParseAddr("192.0.2.1"), uint16(7950); from.Addr() == own && to.Port() == c || to.Addr() == own && from.Port() == c {
				return ct.Drop
			}
			return ct.Pass
		})
		time.Sleep(time.Minute)
		if there, _ := p.nycAgent.says(t, "osl-1"); there || p.oslAgent.uplink.Status().Relay != "nyc-1" {
			t.Errorf("through nyc-1: says coordinator %t, %+v", there, p.oslAgent.uplink.Status())
		}
		if err := p.nycAgent.offer(p.sign(t, func(p *wire.Plan) {
			p.Number.Revision = 3
			p.Roster = slices.DeleteFunc(slices.Clone(p.Roster), func(r wire.RosterEntry) bool { return r.Name == "osl-1" })
		})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if s := p.oslAgent.uplink.Status(); s.Connected {
			t.Errorf("removed: %+v, want nobody to help", s)
		}
	})
}

// TestBehindNAT: a probe that the coordinator sees at another address than its
// private one is of no help to others, unless its operator says where it is reached:
// whichever comes first, the mesh or the coordinator.
func TestBehindNAT(t *testing.T) {
	for name, c := range map[string]struct {
		seenFrom, advertise string
		meshLate            bool
		want                string
	}{
		"in the same network":     {"10.0.0.7", "", false, "10.0.0.7:7947"},
		"the mesh comes first":    {"203.0.113.5", "", false, ""},
		"the mesh comes later":    {"203.0.113.5", "", true, ""},
		"the operator says where": {"203.0.113.5", "203.0.113.5", false, "203.0.113.5:7947"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, func(p *wire.Plan) { p.Coordinators = []string{coordinatorAt} })
				host := s.Host(netip.MustParseAddr("10.0.0.7"))
				s.network = host
				taken, err := host.Listen("tcp", ":7946")
				if err != nil {
					t.Fatal(err)
				}
				if !c.meshLate {
					_ = taken.Close()
				}
				a := s.run(t, brisk, func(o *Options) { o.PeerBind, o.MeshAdvertise = "[::]:7947", c.advertise })
				time.Sleep(10 * time.Second)
				s.coordinated(t, c.seenFrom)
				time.Sleep(20 * time.Second)
				if c.meshLate {
					_ = taken.Close()
				}
				time.Sleep(time.Minute)
				if from := a.uplink.Status().SeenFrom; from != c.seenFrom || a.mesh.Load().Address() == "" {
					t.Errorf("seen from %q, in the mesh at %q", from, a.mesh.Load().Address())
				}
				if got := a.peerAddress(); got != c.want {
					t.Errorf("helps others at %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestUnreachableHelpsNobody: a probe to which no stream leads says that it cannot
// help.
func TestUnreachableHelpsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, brisk)
		p.osl.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" && to == netip.MustParseAddrPort("192.0.2.2:7946") {
				return ct.Drop
			}
			return ct.Pass
		})
		time.Sleep(2 * time.Minute)
		if _, at := p.oslAgent.says(t, "nyc-1"); at != "192.0.2.2:7947" {
			t.Errorf("at first: helps others at %q", at)
		}
		time.Sleep(10 * time.Minute)
		if got := p.nycAgent.peerAddress(); got != "" || !slices.Contains(p.nycAgent.faults(), wire.FaultUnreachable) {
			t.Errorf("helps others at %q, faults %v", got, p.nycAgent.faults())
		}
	})
}

// TestCheckThatWasGone begins anew: what was usual, and when it was looked at again,
// is forgotten with it.
func TestCheckThatWasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, every30s)
		a, smtp := s.run(t), confirm.Series{Check: "smtp", Family: checks.IPv6}
		synctest.Wait()
		slow := []checks.PhaseTiming{{Name: checks.Greeting, Duration: 4 * time.Second}}
		a.confirming.usual.Learn(smtp, slow)
		if _, ok := a.confirming.bursts.Begin(smtp, false); !ok {
			t.Fatal("rests at the start")
		}
		for i, list := range [][]checks.Target{s.plan.Checks, nil} {
			if err := a.offer(s.sign(t, func(p *wire.Plan) { p.Number.Revision, p.Checks = uint64(i)+2, list })); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			_, remembers := a.confirming.usual.Patience(smtp, checks.Greeting)
			_, begins := a.confirming.bursts.Begin(smtp, false)
			if there := len(list) > 0; remembers != there || begins == there {
				t.Errorf("the check is there %t: remembers what is usual %t, begins %t", there, remembers, begins)
			}
		}
	})
}
