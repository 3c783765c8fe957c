package fleettest

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"varde/coordinator/server"
	"varde/probe/agent"
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
	f.opts.Checks[kind] = every
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
	m := &member{name: name, region: region, host: f.internet.Host(probeAddr(r, n)), dir: filepath.Join(f.dir, name)}
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
		Network: m.host, Logger: f.opts.Logger.With("program", name), Version: "test", Simulation: true,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	m.stop = f.start(name, a.Run)
}

// StopProbe stops a probe in good order.
func (f *Fleet) StopProbe(name string) {
	f.probes[name].stop()
	f.probes[name].stop = func() {}
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

// writeConfig writes the coordinator's configuration and the secrets it names.
func (f *Fleet) writeConfig() string {
	f.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "name: c1\ndata: %s\n", f.coordinator.dir)
	fmt.Fprintf(&b, "listen: {grpc: %q, public: %q, ops: %q}\n", netAddr(coordinatorAddr, grpcPort),
		netAddr(coordinatorAddr, publicPort), netAddr(loopback, opsPort))
	fmt.Fprintf(&b, "advertise: [%q]\nregions:\n", netAddr(coordinatorAddr, grpcPort))
	for _, r := range f.regions {
		fmt.Fprintf(&b, "  - {id: %s}\n", r)
	}
	kinds := make([]string, 0, len(f.opts.Checks))
	for k := range f.opts.Checks {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	b.WriteString("services:\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "  - {id: %s, consent: true}\n", k)
	}
	b.WriteString("checks:\n")
	url := urls
	if f.opts.Plain {
		url = plainURLs
	}
	for _, k := range kinds {
		fmt.Fprintf(&b, "  - {id: %s, service: %s, kind: %s, url: %q, every: %s, timeout: 5s, ca: {file: ca.pem}", k, k, k, url[k], f.opts.Checks[k])
		if k == "imap" || k == "smtp" && !f.opts.Plain {
			fmt.Fprintf(&b, ", login: {user: %s, password: {file: password}}", user)
		}
		b.WriteString("}\n")
	}
	for name, content := range map[string]string{"coordinator.yaml": b.String(), "password": password, "ca.pem": string(f.mail.ca.PEM())} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	return filepath.Join(f.dir, "coordinator.yaml")
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
