package fleettest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"varde/checks"
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
	b.WriteString("regions:\n")
	for _, r := range f.regions {
		fmt.Fprintf(&b, "  - {id: %s}\n", r)
	}
	kinds := slices.Sorted(maps.Keys(f.opts.Checks))
	b.WriteString("services:\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "  - {id: %s, consent: true}\n", k)
	}
	b.WriteString("checks:\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "  - {id: %s, service: %s, kind: %s, every: %s, %s}\n", k, k, k, f.opts.Checks[k], f.target(k))
	}
	return b.String()
}

// target is what the check of a kind asks. It logs in where it can: passwords are
// shown under TLS only.
func (f *Fleet) target(kind string) string {
	const account, authority = "login: {user: " + user + ", password: {file: password}}", "ca: {file: ca.pem}"
	out := []string{"timeout: 5s", fmt.Sprintf("url: %q", f.place(kind).url)}
	switch checks.Kind(kind) {
	case checks.RoundTrip:
		return strings.Join([]string{
			fmt.Sprintf("timeout: %s, late: %s", tripTimeout(f.opts.Checks[kind]), f.late()),
			"from: probe@" + officeName, "to: probe@" + officeName, authority,
			fmt.Sprintf("submit: {url: %q, %s}", "smtps://"+officeName, account),
			fmt.Sprintf("receive: {url: %q, %s}", "imaps://"+officeName, account),
		}, ", ")
	case checks.IMAP, checks.SMTP, checks.POP3:
		if f.secure(kind) {
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
