package fleettest

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"varde/coordinator/server"
	"varde/deploy/scenario"
	"varde/probe/agent"
	"varde/proto/wire"
)

func netAddr(a netip.Addr, port uint16) string { return netip.AddrPortFrom(a, port).String() }

// StartCoordinator starts the coordinator on its folder, anew after
// StopCoordinator.
func (f *Fleet) StartCoordinator() {
	f.t.Helper()
	path := f.writeConfig()
	config, err := server.Load(path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.server, err = server.New(server.Options{
		Config: config, Listen: f.coordinator.host.Listen, Logger: f.opts.Logger.With("program", "coordinator"),
		Version: "test", NoSync: true, CertificateLife: f.opts.CertificateLife,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.coordinator.stop = f.start("coordinator", f.server.Run)
}

// Watch adds a check of a kind, and a service of that name, to the
// configuration and makes the running coordinator read it again.
func (f *Fleet) Watch(kind string, every time.Duration) {
	f.t.Helper()
	f.opts.Checks[kind] = scenario.Check{Every: every}
	config, err := server.Load(f.writeConfig())
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.server.Reload(config); err != nil {
		f.t.Fatal(err)
	}
}

// StopCoordinator stops the coordinator in good order.
func (f *Fleet) StopCoordinator() {
	f.coordinator.stop()
	f.coordinator.stop = nil
	f.server = nil
}

// enrol adds a probe as an operator would, with a token, and starts it.
func (f *Fleet) enrol(r, n int, region string) {
	f.t.Helper()
	name := fmt.Sprintf("%s-%d", region, n)
	addrs := f.probeAddrs(r, n)
	m := &member{name: name, region: region, host: f.internet.Host(addrs...), dir: filepath.Join(f.dir, name)}
	f.mu.Lock()
	for _, a := range addrs {
		f.hosts[a] = m
	}
	f.mu.Unlock()
	token, err := f.server.AddProbe(f.Context(), server.NewProbe{Name: name, Region: region, Site: "test", TTL: time.Hour})
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := agent.Join(f.Context(), agent.JoinOptions{State: m.dir, Token: token, Network: m.host}); err != nil {
		f.t.Fatal(err)
	}
	f.probes[name] = m
	f.StartProbe(name)
}

// StartProbe starts a probe, anew after StopProbe.
func (f *Fleet) StartProbe(name string) {
	f.t.Helper()
	m := f.probes[name]
	a, err := agent.New(agent.Options{
		State: m.dir, MeshBind: fmt.Sprintf("0.0.0.0:%d", meshPort), MeshAdvertise: m.host.Addrs()[0].String(),
		PeerBind: fmt.Sprintf("0.0.0.0:%d", peerPort),
		Network:  network{m.host, f, m}, Logger: f.opts.Logger.With("program", name), Version: "test", NoSync: true, SlowMesh: !f.opts.Brisk,
		Ahead: func() time.Duration { return f.ahead(m) },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	stop := f.start(name, a.Run)
	m.stop = func() {
		stop()
		epoch, last := a.Spooled()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.spooled[wire.Source{Probe: name, Epoch: epoch}] = last
	}
	m.stopped = false
}

// StopProbe stops a probe in good order.
func (f *Fleet) StopProbe(name string) {
	m := f.probes[name]
	m.stop()
	m.stop, m.stopped = func() {}, true
}

// start runs a program and returns what stops it and waits for it.
func (f *Fleet) start(name string, run func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil {
			f.t.Errorf("%s: %v", name, err)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// Token makes a token for a probe that has not joined.
func (f *Fleet) Token(name, region string, ttl time.Duration) string {
	f.t.Helper()
	token, err := f.server.AddProbe(f.Context(), server.NewProbe{Name: name, Region: region, TTL: ttl})
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// Join joins with a token from the host of a probe, into a folder of its own,
// and returns the error and what is in that folder.
func (f *Fleet) Join(from, token string) (files []string, err error) {
	f.t.Helper()
	dir := f.t.TempDir()
	_, err = agent.Join(f.Context(), agent.JoinOptions{State: dir, Token: token, Network: f.probes[from].host})
	entries, readErr := os.ReadDir(dir)
	if readErr != nil {
		f.t.Fatal(readErr)
	}
	for _, e := range entries {
		files = append(files, e.Name())
	}
	return files, err
}

// Remove revokes a probe, as `varde-coordinator probe remove` does.
func (f *Fleet) Remove(name string) (secrets []string) {
	f.t.Helper()
	secrets, err := f.server.RemoveProbe(f.Context(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	return secrets
}

// RestartProbe stops a probe and starts it anew.
func (f *Fleet) RestartProbe(name string) {
	f.t.Helper()
	f.StopProbe(name)
	f.StartProbe(name)
}

// CertificateEnd is when the certificate of a probe ends, as its coordinator
// knows.
func (f *Fleet) CertificateEnd(name string) time.Time {
	f.t.Helper()
	return f.server.CertificateEnd(name)
}
