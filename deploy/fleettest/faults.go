package fleettest

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"varde/checks"
	"varde/checks/checktest"
	"varde/deploy/scenario"
)

// forever is longer than any test.
const forever = scenario.Offset(10 * 365 * 24 * time.Hour)

// fate is what becomes of one run, told by its stream: it is drawn when the stream
// is opened, and the network and the server agree on it.
type fate struct {
	to     netip.AddrPort
	drawn  time.Time
	effect scenario.Effect
	// late says that what is lost is lost after connecting.
	late bool
}

// fateLife is longer than any run: a later stream from the same port is another.
const fateLife = 10 * time.Minute

// maxFates is when old ones are thrown away.
const maxFates = 20_000

// Silence makes the servers of a kind say nothing to a region, from now on:
// packets are dropped on their way.
func (f *Fleet) Silence(kind, region string) {
	f.Hit(scenario.Fault{To: forever, Regions: []string{region}, Checks: []string{kind}, Effect: scenario.ConnectTimeout})
}

// Hit lets a fault begin, whatever its times.
func (f *Fleet) Hit(fault scenario.Fault) {
	f.mu.Lock()
	faults := append(slices.Clone(f.faults), fault)
	f.mu.Unlock()
	f.suffer(faults)
}

// Heal ends every fault.
func (f *Fleet) Heal() { f.suffer(nil) }

// suffer makes the faults those given. Where several hit a run, it meets the one
// that shows first.
func (f *Fleet) suffer(faults []scenario.Fault) {
	faults = slices.SortedStableFunc(slices.Values(faults), scenario.Fault.Compare)
	f.mu.Lock()
	f.faults = faults
	f.mu.Unlock()
	f.internet.Rule(f.rule)
}

// Partition splits the mesh into groups of regions that do not reach one
// another. Without groups the mesh is whole again.
func (f *Fleet) Partition(groups ...[]string) { f.split([][][]string{groups}) }

// split makes the partitions of the mesh those given.
func (f *Fleet) split(partitions [][][]string) {
	f.mu.Lock()
	f.partitions = slices.DeleteFunc(partitions, func(groups [][]string) bool { return len(groups) == 0 })
	f.mu.Unlock()
	f.internet.Rule(f.rule)
}

// BlockUDP drops every datagram between a probe and the others, as a firewall would
// that lets TCP pass only.
func (f *Fleet) BlockUDP(name string) {
	f.mu.Lock()
	f.walled = append(f.walled, name)
	f.mu.Unlock()
	f.internet.Rule(f.rule)
}

// isWalledLocked says whether a probe is behind such a firewall.
func (f *Fleet) isWalledLocked(m *member) bool { return slices.Contains(f.walled, m.name) }

// rule is what the internet does between two addresses, given the faults.
func (f *Fleet) rule(from, to netip.AddrPort, network string) checktest.Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quietLocked() {
		return checktest.Pass
	}
	a, b := f.hosts[from.Addr()], f.hosts[to.Addr()]
	if f.cutOffLocked(a) || f.cutOffLocked(b) || f.dividedLocked(a, b) || f.isLonelyLocked(a, to) || f.isLonelyLocked(b, from) {
		return checktest.Drop
	}
	if network == "udp" && a != nil && b != nil && (f.isWalledLocked(a) || f.isWalledLocked(b)) {
		return checktest.Drop
	}
	probe, client, server := a, from, to
	if _, serves := f.watched[from]; serves {
		probe, client, server = b, to, from
	}
	if probe == nil {
		return checktest.Pass
	}
	kind, serves := f.watched[server]
	if !serves {
		return checktest.Pass
	}
	return f.fateLocked(probe, kind, client, server).onTheWay(network)
}

// quietLocked says that nothing befalls anybody, which saves most of a day the search
// for what does.
func (f *Fleet) quietLocked() bool {
	return len(f.faults) == 0 && len(f.fates) == 0 && len(f.lonely) == 0 && len(f.walled) == 0 && len(f.partitions) == 0
}

// onTheWay is what the network does with a run of that fate; the rest is up to the
// server.
func (d fate) onTheWay(network string) checktest.Effect {
	switch d.effect {
	case scenario.ConnectTimeout:
		return checktest.Drop
	case scenario.Loss:
		if !d.late || network == "udp" {
			return checktest.Drop
		}
	case scenario.ConnectRefused:
		return checktest.Refuse
	case scenario.ConnectReset:
		return checktest.Reset
	}
	return checktest.Pass
}

// cutOffLocked says whether a probe reaches nobody and is reached by nobody. A share
// of that is unfolded: it is the same for all that the probe does.
func (f *Fleet) cutOffLocked(m *member) bool {
	return m != nil && slices.ContainsFunc(f.faults, func(x scenario.Fault) bool {
		return x.Effect == scenario.OwnNetwork && x.HitsProbe(m.name, m.region)
	})
}

// cutOff is cutOffLocked for those who do not hold the lock.
func (f *Fleet) cutOff(m *member) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cutOffLocked(m)
}

// Isolate drops everything between regions and the coordinator, until it is called
// with none.
func (f *Fleet) Isolate(regions ...string) {
	f.mu.Lock()
	f.lonely = regions
	f.mu.Unlock()
	f.internet.Rule(f.rule)
}

// isLonelyLocked says whether a probe does not reach the other end because that is
// the coordinator.
func (f *Fleet) isLonelyLocked(m *member, other netip.AddrPort) bool {
	return m != nil && other.Addr() == coordinatorAddr && (slices.Contains(f.lonely, m.region) ||
		slices.ContainsFunc(f.faults, func(x scenario.Fault) bool {
			return x.Effect == scenario.NoCoordinator && x.HitsProbe(m.name, m.region)
		}))
}

// ahead is how far the clock of a probe is ahead. Faults of it add up.
func (f *Fleet) ahead(m *member) (sum time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.faults {
		if x.HitsProbe(m.name, m.region) {
			sum += time.Duration(x.Clock)
		}
	}
	return sum
}

// dividedLocked says whether two probes are on different sides of any split of the mesh.
func (f *Fleet) dividedLocked(a, b *member) bool {
	return a != nil && b != nil && slices.ContainsFunc(f.partitions, func(groups [][]string) bool {
		return side(groups, a.region) != side(groups, b.region)
	})
}

// side is on which side of a split a region is. Those that it does not name are on
// one of their own.
func side(groups [][]string, region string) int {
	return slices.IndexFunc(groups, func(g []string) bool { return slices.Contains(g, region) })
}

// fateLocked returns that of a stream of a probe, drawing it for a new one.
func (f *Fleet) fateLocked(m *member, kind string, client, server netip.AddrPort) fate {
	now := time.Now()
	if d, ok := f.fates[client]; ok && d.to == server && now.Sub(d.drawn) < fateLife {
		return d
	}
	if len(f.faults) == 0 {
		return fate{}
	}
	family := checks.IPv6
	if server.Addr().Is4() {
		family = checks.IPv4
	}
	d := f.drawLocked(m, kind, family, now, scenario.Effect.OfStream)
	d.to, d.drawn = server, now
	if len(f.fates) >= maxFates {
		for at, old := range f.fates {
			if now.Sub(old.drawn) >= fateLife {
				delete(f.fates, at)
			}
		}
	}
	f.fates[client] = d
	return d
}

// drawLocked lets the first fault that hits and that may have its way. Chance
// follows from the seed and from who runs what when, so that other runs change
// nothing.
func (f *Fleet) drawLocked(m *member, kind string, family checks.Family, now time.Time, may func(scenario.Effect) bool) fate {
	nth := m.nthLocked(kind, family, now)
	for _, x := range f.faults {
		if !x.Hits(m.name, m.region, kind, family) || !means(x, kind) || !may(x.Effect) {
			continue
		}
		if x.Whole() && x.Effect != scenario.Loss {
			return fate{effect: x.Effect}
		}
		chance := f.opts.Chance(fmt.Sprint(x.Effect, m.name, kind, family, x.From, now.UnixNano(), nth))
		if x.Whole() || chance.Float64() < x.Share {
			return fate{effect: x.Effect, late: chance.Float64() < 0.5 && scenario.Slow2s.Means(kind)}
		}
	}
	return fate{}
}

// means says whether a fault has a meaning on a kind. The controls lie outside of
// all faults that do not name them.
func means(x scenario.Fault, kind string) bool {
	if kind == Control {
		return slices.Contains(x.Checks, Control)
	}
	return x.Effect.Means(kind)
}

// nthLocked counts the runs of a kind that a probe begins at the same instant: a
// look that follows a failure at once has a fate of its own.
func (m *member) nthLocked(kind string, family checks.Family, now time.Time) int {
	of := fmt.Sprint(kind, family)
	last := m.begun[of]
	if !last.at.Equal(now) {
		last = begun{at: now}
	}
	last.n++
	if m.begun == nil {
		m.begun = map[string]begun{}
	}
	m.begun[of] = last
	return last.n
}

// begun is how many runs began at an instant.
type begun struct {
	at time.Time
	n  int
}

// effectOn is what the server of a kind must do to the client at the other end of
// a stream.
func (f *Fleet) effectOn(kind string, client net.Addr, server net.Addr) scenario.Effect {
	from, err := netip.ParseAddrPort(client.String())
	if err != nil {
		return ""
	}
	to, err := netip.ParseAddrPort(server.String())
	if err != nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.hosts[from.Addr()]
	if m == nil {
		return ""
	}
	return f.fateLocked(m, kind, from, to).effect
}
