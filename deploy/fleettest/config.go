package fleettest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"varde/checks"
	"varde/deploy/scenario"
)

// writeConfig writes the coordinator's configuration and the secrets it names.
func (f *Fleet) writeConfig() string {
	f.t.Helper()
	for name, content := range map[string]string{"coordinator.yaml": f.config(), "password": password, "ca.pem": string(f.ca.PEM())} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	return filepath.Join(f.dir, "coordinator.yaml")
}

func (f *Fleet) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: c1\ndata: %s\n", f.coordinator.dir)
	fmt.Fprintf(&b, "listen: {grpc: %q, public: %q, ops: %q}\n", netAddr(coordinatorAddr, grpcPort),
		netAddr(coordinatorAddr, publicPort), netAddr(loopback, opsPort))
	fmt.Fprintf(&b, "advertise: [%q]\n", netAddr(coordinatorAddr, grpcPort))
	fmt.Fprintf(&b, "controls: [%q, %q, %q]\n", "tcp://control-1.test:443", "tcp://control-2.test:443", "tcp://control-3.test:443")
	if f.opts.MinProbes > 0 {
		fmt.Fprintf(&b, "min_probes: %d\n", f.opts.MinProbes)
	}
	if f.opts.Mirror != "" {
		fmt.Fprintf(&b, "mirrors: [{id: influx, url: %q, bucket: varde/autogen}]\n", f.opts.Mirror)
	}
	b.WriteString("regions:\n")
	for _, r := range f.regions {
		fmt.Fprintf(&b, "  - {id: %s}\n", r)
	}
	names := slices.Sorted(maps.Keys(f.opts.Checks))
	var services []string
	for _, n := range names {
		services = append(services, f.opts.Checks[n].Of(n))
	}
	slices.Sort(services)
	b.WriteString("services:\n")
	for _, id := range slices.Compact(services) {
		fmt.Fprintf(&b, "  - {id: %s, consent: true%s}\n", id, promise(f.opts.Objective))
	}
	b.WriteString("checks:\n")
	for _, n := range names {
		c := f.opts.Checks[n]
		fmt.Fprintf(&b, "  - {id: %s, service: %s, kind: %s, every: %s, %s}\n", n, c.Of(n), c.Is(n), c.Every, f.target(c.Is(n), c))
	}
	return b.String()
}

// promise is an objective as a key of a service, nothing if there is none.
func promise(objective float64) string {
	if objective == 0 {
		return ""
	}
	return fmt.Sprintf(", slo: %g", objective)
}

// target is what a check of a kind asks. It logs in where it can, unless it is told
// not to: passwords are shown under TLS only.
func (f *Fleet) target(kind string, c scenario.Check) string {
	const account, authority = "login: {user: " + user + ", password: {file: password}}", "ca: {file: ca.pem}"
	out := []string{"timeout: 5s", fmt.Sprintf("url: %q", f.place(kind).url)}
	switch checks.Kind(kind) {
	case checks.RoundTrip:
		return strings.Join([]string{
			fmt.Sprintf("timeout: %s, late: %s", tripTimeout(c.Every), late(c.Every)),
			"from: probe@" + officeName, "to: probe@" + officeName, authority,
			fmt.Sprintf("submit: {url: %q, %s}", "smtps://"+officeName, account),
			fmt.Sprintf("receive: {url: %q, %s}", "imaps://"+officeName, account),
		}, ", ")
	case checks.IMAP, checks.SMTP, checks.POP3:
		if f.secure(kind) && c.LogsIn() {
			out = append(out, account)
		}
	case checks.TCP:
		out = append(out, "expect: {banner: varde}")
	}
	if f.secure(kind) {
		out = append(out, authority)
	}
	return strings.Join(out, ", ")
}
