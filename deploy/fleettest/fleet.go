// Package fleettest is a whole fleet in one process: coordinator with its
// journal, enrolled probes with their mesh, and real mail servers, all over an
// internet in memory. In a testing/synctest bubble it plays days in seconds,
// and says to the second what was seen when. Its journal and spools leave out
// fsync, because nothing in a bubble loses power, and its mesh takes ten times as
// long over everything, because a virtual day of gossip costs a minute.
//
// A test binary that uses it calls ats.Register (nats-server/v2/server/ats)
// once, outside of every bubble: otherwise the journal's clock ticker is made
// inside the first one and time stands still in the next.
package fleettest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
	"varde/coordinator/server"
)

// Options says what fleet to build.
type Options struct {
	// Regions maps a region's id to the number of its probes, named
	// "<region>-1" and so on.
	Regions map[string]int
	// Checks maps a kind ("imap", "smtp", "https") to its interval. The
	// service and the check are named like the kind.
	Checks map[string]time.Duration
	// Plain leaves out TLS, and with it the login, in HTTP and SMTP, where no
	// fault is about it: half of a virtual day goes into handshakes.
	Plain bool
	// CertificateLife is how long a certificate is good, 30 days if zero.
	CertificateLife time.Duration
	// Logger is silent if nil.
	Logger *slog.Logger
}

// Fleet is a running fleet.
type Fleet struct {
	t           *testing.T
	opts        Options
	dir         string
	internet    *checktest.Internet
	mail        *mailHost
	probes      map[string]*member
	coordinator *member
	server      *server.Server
	// regions are the ids in a fixed order.
	regions []string

	mu sync.Mutex // protects all following fields
	// silenced maps a service's port to the regions that it is silent for.
	silenced map[uint16][]string
	// partition gives each probe's side of a split mesh.
	partition map[string]int
}

// member is one program of the fleet on a host of its own.
type member struct {
	name, region string
	host         *checktest.Host
	dir          string
	stop         func()
}

// Addresses of the fleet's hosts. Region r's probe n is 10.<r>.0.<n>.
var (
	coordinatorAddr = netip.MustParseAddr("10.200.0.1")
	loopback        = netip.MustParseAddr("127.0.0.1")
	mailAddr        = netip.MustParseAddr("203.0.113.1")
)

const (
	grpcPort   = 7950
	publicPort = 8080
	opsPort    = 8081
	meshPort   = 7946
)

// New builds the fleet and starts all of it. Everything is stopped when the
// test ends.
func New(t *testing.T, opts Options) *Fleet {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Fleet{
		t: t, opts: opts, dir: t.TempDir(), internet: checktest.NewInternet(), regions: slices.Sorted(maps.Keys(opts.Regions)),
		probes: map[string]*member{}, silenced: map[uint16][]string{}, partition: map[string]int{},
	}
	f.internet.Rule(f.rule)
	f.mail = newMailHost(t, f.internet, opts.Plain)
	f.coordinator = &member{
		name: "c1", host: f.internet.Host(coordinatorAddr), dir: filepath.Join(f.dir, "coordinator"),
	}
	f.StartCoordinator()
	for r, region := range f.regions {
		for n := range opts.Regions[region] {
			f.enrol(r+1, n+1, region)
		}
	}
	t.Cleanup(f.stop)
	return f
}

// rule is what the internet does between two addresses, given the faults.
func (f *Fleet) rule(from, to netip.AddrPort, _ string) checktest.Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to.Addr() == mailAddr || from.Addr() == mailAddr {
		probe, port := from, to.Port()
		if from.Addr() == mailAddr {
			probe, port = to, from.Port()
		}
		if slices.Contains(f.silenced[port], f.regionOf(probe.Addr())) {
			return checktest.Drop
		}
		return checktest.Pass
	}
	a, b := f.regionOf(from.Addr()), f.regionOf(to.Addr())
	if len(f.partition) > 0 && a != "" && b != "" && f.partition[a] != f.partition[b] {
		return checktest.Drop
	}
	return checktest.Pass
}

func (f *Fleet) regionOf(a netip.Addr) string {
	if r := int(a.As4()[1]); r >= 1 && r <= len(f.opts.Regions) {
		return f.regions[r-1]
	}
	return ""
}

// Silence makes the servers of a kind say nothing to a region, from now on:
// packets are dropped on their way.
func (f *Fleet) Silence(kind, region string) {
	port := ports[kind]
	if f.opts.Plain {
		port = plainPorts[kind]
	}
	f.mu.Lock()
	f.silenced[port] = append(f.silenced[port], region)
	f.mu.Unlock()
	f.internet.Rule(f.rule)
}

// Heal ends every Silence.
func (f *Fleet) Heal() {
	f.mu.Lock()
	clear(f.silenced)
	f.mu.Unlock()
	f.internet.Rule(f.rule)
}

// Partition splits the mesh into groups of regions that do not reach one
// another. Without groups the mesh is whole again.
func (f *Fleet) Partition(groups ...[]string) {
	f.mu.Lock()
	clear(f.partition)
	for i, g := range groups {
		for _, region := range g {
			f.partition[region] = i
		}
	}
	f.mu.Unlock()
	f.internet.Rule(f.rule)
}

// Context is the test's, ended when the test ends.
func (f *Fleet) Context() context.Context { return f.t.Context() }

// Wait lets virtual time pass and then lets everything settle.
func (f *Fleet) Wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (f *Fleet) stop() {
	for _, m := range f.probes {
		m.stop()
	}
	if f.coordinator.stop != nil {
		f.coordinator.stop()
	}
}

func probeAddr(region, n int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("10.%d.0.%d", region, n))
}
