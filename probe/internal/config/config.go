// Package config reads and writes probe.yaml, the little that a probe is told on
// its own machine; everything else comes with the plan.
//
// Reading is strict: a key that is not known, a value of the wrong type and an
// address that is none are errors, reported all at once, one line each, with
// file, line and column.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

// The defaults. The ports are next to one another so that one firewall rule
// holds both.
const (
	DefaultPath     = "/etc/varde/probe.yaml"
	DefaultState    = "/var/lib/varde-probe"
	DefaultMeshBind = "0.0.0.0:7946"
	DefaultPeerBind = "0.0.0.0:7947"
)

// maxBytes is the largest file that is read.
const maxBytes = 1 << 20

// Config is a probe's configuration.
type Config struct {
	// State is the folder for everything that the probe keeps: its key, its
	// certificate, the plan, the spool. In a file it may be relative to the folder
	// of that file.
	State string
	Mesh  Mesh
	Peer  Peer
}

// Mesh is where probes find out which of them are alive.
type Mesh struct {
	// Bind is IP:port to listen on, over TCP and UDP.
	Bind string
	// Advertise is the IP, or IP:port, at which other probes reach this one;
	// empty to find out.
	Advertise string
}

// Peer is where probes help one another.
type Peer struct {
	// Bind is IP:port to listen on, over TCP.
	Bind string
}

// Default returns the configuration of a probe that keeps its things in state,
// DefaultState if empty.
func Default(state string) Config {
	if state == "" {
		state = DefaultState
	}
	return Config{State: state, Mesh: Mesh{Bind: DefaultMeshBind}, Peer: Peer{Bind: DefaultPeerBind}}
}

// Load reads a file; what it does not say is as in Default. All errors in it
// come at once, joined, each in a line "FILE:LINE:COLUMN: KEY: PROBLEM". A file
// that is missing is an error that is fs.ErrNotExist.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	if len(b) > maxBytes {
		return Config{}, fmt.Errorf("%s: more than %d bytes", path, maxBytes)
	}
	return parse(path, b)
}

func parse(path string, b []byte) (Config, error) {
	c := Default("")
	d := newDecoder(path)
	d.decode(b, map[string]any{
		"state": &c.State,
		"mesh":  map[string]any{"bind": &c.Mesh.Bind, "advertise": &c.Mesh.Advertise},
		"peer":  map[string]any{"bind": &c.Peer.Bind},
	})
	c.validate(d.fault)
	if err := d.err(); err != nil {
		return Config{}, err
	}
	if !filepath.IsAbs(c.State) {
		// Not to the folder that the program happens to be started in.
		c.State = filepath.Join(filepath.Dir(path), c.State)
	}
	return c, nil
}

// validate reports what is wrong, by key. It completes addresses without a host.
func (c *Config) validate(fault func(key, format string, args ...any)) {
	if c.State == "" {
		fault("state", "is empty, expected a folder")
	}
	mesh, ok := bindAddress(&c.Mesh.Bind)
	if !ok {
		fault("mesh.bind", "%q, expected IP:port", c.Mesh.Bind)
	}
	peer, ok := bindAddress(&c.Peer.Bind)
	if !ok {
		fault("peer.bind", "%q, expected IP:port", c.Peer.Bind)
	}
	if mesh.IsValid() && mesh.Port() != 0 && mesh.Port() == peer.Port() && overlap(mesh.Addr(), peer.Addr()) {
		fault("peer.bind", "%s is taken by mesh.bind, expected another port", c.Peer.Bind)
	}
	if c.Mesh.Advertise == "" {
		return
	}
	a, err := netip.ParseAddr(c.Mesh.Advertise)
	if err != nil {
		var at netip.AddrPort
		at, err = netip.ParseAddrPort(c.Mesh.Advertise)
		a = at.Addr()
	}
	if err != nil || a.IsUnspecified() || a.IsMulticast() {
		fault("mesh.advertise", "%q, expected an IP at which other probes reach this one", c.Mesh.Advertise)
	}
}

func bindAddress(s *string) (netip.AddrPort, bool) {
	if strings.HasPrefix(*s, ":") {
		*s = "0.0.0.0" + *s
	}
	at, err := netip.ParseAddrPort(*s)
	return at, err == nil
}

func overlap(a, b netip.Addr) bool { return a == b || a.IsUnspecified() || b.IsUnspecified() }

// Write writes the configuration as a file with a comment for each key, whole or
// not at all, and makes the folder around it. It never replaces a file: then it
// fails with fs.ErrExist.
func (c Config) Write(path string) (err error) {
	text, err := c.text()
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if _, err = f.WriteString(text); err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Link(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write configuration %s: %w", path, fs.ErrExist)
	} else if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// text is the file. A value that is not set stands in a comment.
func (c Config) text() (string, error) {
	var b strings.Builder
	var err error
	line := func(indent, key, value, example, comment string) {
		fmt.Fprintf(&b, "%s# %s\n", indent, comment)
		if value == "" {
			fmt.Fprintf(&b, "%s# %s: %s\n", indent, key, example)
			return
		}
		quoted, e := yaml.Marshal(value)
		err = errors.Join(err, e)
		fmt.Fprintf(&b, "%s%s: %s\n", indent, key, strings.TrimSuffix(string(quoted), "\n"))
	}
	b.WriteString("# What this probe is told on its own machine; the rest comes from the coordinator.\n\n")
	line("", "state", c.State, DefaultState, "Key, certificate, plan and spool. Nobody else may read this folder.")
	b.WriteString("\nmesh:\n")
	line("  ", "bind", c.Mesh.Bind, DefaultMeshBind, "Other probes come here, over TCP and UDP.")
	line("  ", "advertise", c.Mesh.Advertise, "192.0.2.10", "The address that they use, where it is not that of an interface (NAT).")
	b.WriteString("\npeer:\n")
	line("  ", "bind", c.Peer.Bind, DefaultPeerBind, "Probes that are cut off come here, over TCP.")
	return b.String(), err
}
