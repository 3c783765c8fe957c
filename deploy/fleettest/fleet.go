// Package fleettest is a whole fleet in one process: coordinator with its
// journal, enrolled probes with their mesh, and real mail servers, all over an
// internet in memory. In a testing/synctest bubble it plays days in seconds,
// and says to the second what was seen when. Its journal and spools leave out
// fsync, because nothing in a bubble loses power, and its mesh takes ten times as
// long over everything unless asked not to, because a virtual day of gossip costs a
// minute.
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
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/checks/checktest"
	"varde/coordinator/server"
	"varde/deploy/scenario"
	"varde/proto/wire"
)

// Options says what fleet to build.
type Options struct {
	// Regions maps a region's id to the number of its probes, named
	// "<region>-1" and so on.
	Regions map[string]int
	// Checks maps a name to the check of that name.
	Checks map[string]scenario.Check
	// Families are those in which the servers can be reached, IPv4 if not given.
	Families []checks.Family
	// Plain leaves out TLS, and with it the login in HTTP and SMTP, where no
	// fault is about it: half of a virtual day goes into handshakes. Kinds that
	// are listed in Secure keep it.
	Plain  bool
	Secure []string
	// MinProbes is the coordinator's min_probes; its default if zero.
	MinProbes int
	// Objective is what is promised of every service, in percent; nothing if zero.
	Objective float64
	// Mirror is the URL of a real InfluxDB that gets a copy of everything; none if
	// empty. Time stands while it is spoken to.
	Mirror string
	// Brisk keeps the mesh at its ordinary pace.
	Brisk bool
	// Chance decides which runs a fault hits that does not hit all; the same
	// every time if nil.
	Chance func(purpose string) *rand.Rand
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
	ca          *checktest.CA
	probes      map[string]*member
	coordinator *member
	server      *server.Server
	// regions are the ids in a fixed order.
	regions []string
	// watched says which kind is served where.
	watched map[netip.AddrPort]string

	mu sync.Mutex // protects all following fields
	// hosts are the probes by their addresses.
	hosts map[netip.Addr]*member
	// faults are those that last now, fates those of streams by their client's end.
	faults []scenario.Fault
	fates  map[netip.AddrPort]fate
	// lonely are the regions that do not reach the coordinator.
	lonely []string
	// walled are the probes that no datagram reaches.
	walled []string
	// partitions are the splits of the mesh, each as groups of regions.
	partitions [][][]string
	// spooled is how many records each epoch has entrusted to its spool.
	spooled map[wire.Source]uint64
}

// member is one program of the fleet on a host of its own.
type member struct {
	name, region string
	host         *checktest.Host
	dir          string
	stop         func()
	stopped      bool
	// begun counts the runs of each kind and family that began at the newest instant.
	begun map[string]begun
}

// Addresses of the fleet's hosts. Region r's probe n is 10.<r>.0.<n> and
// 2001:db8:<r>::<n>.
var (
	coordinatorAddr = netip.MustParseAddr("10.200.0.1")
	loopback        = netip.MustParseAddr("127.0.0.1")
)

const (
	grpcPort   = 7950
	publicPort = 8080
	opsPort    = 8081
	meshPort   = 7946
	peerPort   = 7947
)

// New builds the fleet and starts all of it. Everything is stopped when the
// test ends.
func New(t *testing.T, opts Options) *Fleet {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Chance == nil {
		opts.Chance = scenario.Scenario{}.Chance
	}
	if len(opts.Families) == 0 {
		opts.Families = []checks.Family{checks.IPv4}
	}
	f := &Fleet{
		t: t, opts: opts, dir: t.TempDir(), internet: checktest.NewInternet(), regions: slices.Sorted(maps.Keys(opts.Regions)),
		probes: map[string]*member{}, hosts: map[netip.Addr]*member{},
		watched: map[netip.AddrPort]string{}, fates: map[netip.AddrPort]fate{}, spooled: map[wire.Source]uint64{},
	}
	f.internet.Rule(f.rule)
	f.serveMail()
	f.serveControls()
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

// probeAddrs are those of a probe, one of each family that there is; the programs
// speak with one another over IPv4.
func (f *Fleet) probeAddrs(region, n int) []netip.Addr {
	out := []netip.Addr{netip.MustParseAddr(fmt.Sprintf("10.%d.0.%d", region, n))}
	if slices.Contains(f.opts.Families, checks.IPv6) {
		out = append(out, netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", region, n)))
	}
	return out
}
