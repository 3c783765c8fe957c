// Package config reads and writes a probe's configuration, one small YAML file
// that `varde-probe join` writes and a person rarely opens.
package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

// Config is a probe's whole configuration.
type Config struct {
	// State is the folder with identity, plan and spool; relative to the file.
	State string `yaml:"state"`
	Mesh  Mesh   `yaml:"mesh"`
	Peer  Peer   `yaml:"peer"`
}

// Mesh says where the probe meets the others.
type Mesh struct {
	// Bind is IP:port for TCP and UDP, DefaultMesh if not given.
	Bind string `yaml:"bind"`
	// Advertise is the IP at which other probes reach this one; found out if
	// not given.
	Advertise string `yaml:"advertise,omitempty"`
}

// Peer says where the probe helps others.
type Peer struct {
	// Bind is IP:port for TCP, DefaultPeer if not given.
	Bind string `yaml:"bind"`
}

// The addresses that are bound when nothing else is said.
const (
	DefaultMesh = "0.0.0.0:7946"
	DefaultPeer = "0.0.0.0:7947"
)

// maxFile bounds a configuration, in bytes.
const maxFile = 64 << 10

// Default is the configuration of a probe with the given state folder.
func Default(state string) Config {
	return Config{State: state, Mesh: Mesh{Bind: DefaultMesh}, Peer: Peer{Bind: DefaultPeer}}
}

// Load reads a configuration strictly: an unknown key or a wrong type is an
// error with its line and column. All faults of the values come at once, one a
// line.
func Load(path string) (Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	if info.Size() > maxFile {
		return Config{}, fmt.Errorf("%s: %d bytes, expected at most %d", path, info.Size(), maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	var c Config
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&c); err != nil {
		return Config{}, fault(path, err)
	}
	c.Mesh.Bind, c.Peer.Bind = cmp.Or(c.Mesh.Bind, DefaultMesh), cmp.Or(c.Peer.Bind, DefaultPeer)
	if c.State != "" && !filepath.IsAbs(c.State) {
		c.State = filepath.Join(filepath.Dir(path), c.State)
	}
	return c, c.validate(path)
}

// fault is an error of the decoder on one line, without its picture.
func fault(path string, err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		at := e.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", path, at.Line, at.Column, strings.ReplaceAll(e.GetMessage(), "\n", " "))
	}
	return fmt.Errorf("%s: %s", path, strings.ReplaceAll(err.Error(), "\n", " "))
}

func (c Config) validate(path string) error {
	var errs []error
	if c.State == "" {
		errs = append(errs, fmt.Errorf("%s: state: missing, expected the folder that `varde-probe join` made", path))
	}
	for key, v := range map[string]string{"mesh.bind": c.Mesh.Bind, "peer.bind": c.Peer.Bind} {
		if _, err := netip.ParseAddrPort(v); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: got %q, expected IP:port", path, key, v))
		}
	}
	if _, err := netip.ParseAddr(c.Mesh.Advertise); c.Mesh.Advertise != "" && err != nil {
		errs = append(errs, fmt.Errorf("%s: mesh.advertise: got %q, expected an IP address", path, c.Mesh.Advertise))
	}
	return errors.Join(errs...)
}

// Write writes the configuration with a word on each key. An existing file is
// not touched.
func (c Config) Write(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	_, err = fmt.Fprintf(f, `# The probe's own configuration. What it checks is in the fleet's plan.
state: %q                 # identity, plan and spool
mesh:
  bind: %q         # TCP and UDP, open to the other probes
  # advertise: 192.0.2.10        # the IP that they use, where it cannot be found out
peer:
  bind: %q         # TCP, open to the other probes
`, c.State, c.Mesh.Bind, c.Peer.Bind)
	return errors.Join(err, f.Close())
}
