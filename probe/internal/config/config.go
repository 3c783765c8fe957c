// Package config reads and writes probe.yaml, the little that a probe is told on
// its own machine; everything else comes with the plan.
//
// Reading is strict, see [document]: every fault of the file is told at once.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"varde/checks"
	"varde/probe/internal/mesh"
	"varde/probe/internal/peer"
	"varde/proto/document"
)

// The defaults.
const (
	DefaultPath  = "/etc/varde/probe.yaml"
	DefaultState = "/var/lib/varde-probe"
)

// Config is a probe's configuration.
type Config struct {
	// State is the folder for everything that the probe keeps: its key, its
	// certificate, the plan, the spool. In a file it may be relative to the folder
	// of that file.
	State string `yaml:"state"`
	Mesh  Mesh   `yaml:"mesh"`
	Peer  Peer   `yaml:"peer"`
}

// Mesh is where probes find out which of them are alive.
type Mesh struct {
	// Bind is IP:port to listen on, over TCP and UDP.
	Bind string `yaml:"bind"`
	// Advertise is the IP, or IP:port, at which other probes reach this one;
	// empty to find out.
	Advertise string `yaml:"advertise"`
}

// Peer is where probes that are cut off from the coordinator come for help.
type Peer struct {
	// Bind is IP:port to listen on, over TCP; empty, and in a file also "off", for
	// a probe that helps nobody.
	Bind string `yaml:"bind"`
}

// off stands in a file for no address.
const off = "off"

// Default returns the configuration of a probe that keeps its things in state,
// DefaultState if empty.
func Default(state string) Config {
	if state == "" {
		state = DefaultState
	}
	return Config{State: state, Mesh: Mesh{Bind: mesh.DefaultBind}, Peer: Peer{Bind: peer.DefaultBind}}
}

// Load reads a file; what it does not say is as in Default. All errors in it
// come at once, joined, one *document.Problem each. A file that is missing is an
// error that is fs.ErrNotExist.
func Load(path string) (Config, error) {
	c := Default("")
	d, err := document.Load(path, &c)
	if err != nil {
		return Config{}, err
	}
	return c.finish(path, d)
}

func (c Config) finish(path string, d *document.Document) (Config, error) {
	c.Mesh.Bind, c.Peer.Bind = everywhere(c.Mesh.Bind), everywhere(c.Peer.Bind)
	if c.Peer.Bind == off {
		c.Peer.Bind = ""
	}
	if err := d.Err(c.faults()...); err != nil {
		return Config{}, err
	}
	if !filepath.IsAbs(c.State) {
		// Not to the folder that the program happens to be started in.
		c.State = filepath.Join(filepath.Dir(path), c.State)
	}
	return c, nil
}

// everywhere completes an address without a host.
func everywhere(address string) string {
	if strings.HasPrefix(address, ":") {
		return "[::]" + address
	}
	return address
}

// faults are what is wrong with what was read.
func (c Config) faults() []*checks.FieldError {
	var all []*checks.FieldError
	fault := func(key, got, expected string) {
		all = append(all, &checks.FieldError{Field: key, Problem: fmt.Sprintf("got %s, expected %s", document.Quote(got), expected)})
	}
	if c.State == "" {
		fault("state", c.State, "a folder")
	}
	if _, err := netip.ParseAddrPort(c.Mesh.Bind); err != nil {
		fault("mesh.bind", c.Mesh.Bind, "IP:port")
	}
	if !reachable(c.Mesh.Advertise) {
		fault("mesh.advertise", c.Mesh.Advertise, "an IP at which other probes reach this one")
	}
	if _, err := netip.ParseAddrPort(c.Peer.Bind); err != nil && c.Peer.Bind != "" {
		fault("peer.bind", c.Peer.Bind, "IP:port or off")
	}
	return all
}

// reachable says whether others could dial an IP or IP:port; nothing is one
// that is still to be found out.
func reachable(s string) bool {
	a, err := netip.ParseAddr(s)
	if err != nil {
		var at netip.AddrPort
		at, err = netip.ParseAddrPort(s)
		a = at.Addr()
	}
	return s == "" || err == nil && !a.IsUnspecified() && !a.IsMulticast()
}

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
		scalar, e := document.Scalar(value)
		err = errors.Join(err, e)
		fmt.Fprintf(&b, "%s%s: %s\n", indent, key, scalar)
	}
	b.WriteString("# What this probe is told on its own machine; the rest comes from the coordinator.\n\n")
	line("", "state", c.State, DefaultState, "Key, certificate, plan and spool. Nobody else may read this folder.")
	b.WriteString("\nmesh:\n")
	line("  ", "bind", c.Mesh.Bind, mesh.DefaultBind, "Other probes come here, over TCP and UDP.")
	line("  ", "advertise", c.Mesh.Advertise, "192.0.2.10", "The address that they use, where it is not that of an interface (NAT).")
	b.WriteString("\npeer:\n")
	line("  ", "bind", cmp.Or(c.Peer.Bind, off), "", "Probes that are cut off from the coordinator come here, over TCP, at the same address. Or off.")
	return b.String(), err
}
