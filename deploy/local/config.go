package main

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"

	"varde/checks"
)

// The coordinator's configuration, as far as the local fleet needs it.
type (
	coordinatorConfig struct {
		Name      string
		Data      string
		Listen    listenConfig
		Advertise []string
		Regions   []regionConfig
		Services  []serviceConfig
		Checks    []checks.Target
		Pages     []pageConfig
	}
	listenConfig  struct{ GRPC, Public, Ops string }
	regionConfig  struct{ ID, Name string }
	serviceConfig struct {
		ID, Name string
		SLO      float64
		Consent  bool
	}
	pageConfig struct{ ID, Title string }
)

// writeConfig writes the coordinator's configuration into the state folder. It
// is a file like any other: a newcomer may open it, change it and run it.
func (f *fleet) writeConfig() (path string, err error) {
	grpc, err := loopbackPort()
	if err != nil {
		return "", err
	}
	c := coordinatorConfig{
		Name: "local", Data: filepath.Join(f.dir, "coordinator"), Advertise: []string{grpc},
		Listen: listenConfig{GRPC: grpc, Public: f.opts.HTTP, Ops: f.opts.Ops},
		Pages:  []pageConfig{{ID: "local", Title: "Local mail"}},
	}
	for _, r := range regions() {
		c.Regions = append(c.Regions, regionConfig(r))
	}
	for _, t := range f.targets {
		c.Services = append(c.Services, serviceConfig{ID: t.Service, Name: t.name, SLO: 99.9, Consent: true})
		c.Checks = append(c.Checks, t.Target)
	}
	b, err := yaml.Marshal(c)
	if err != nil {
		return "", err
	}
	path = filepath.Join(f.dir, "coordinator.yaml")
	return path, os.WriteFile(path, b, 0o600)
}

// defaultPort is the port of a URL that names none, by its scheme.
func defaultPort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return map[string]string{
		"https": "443", "http": "80", "imaps": "993", "imap": "143", "smtps": "465", "submission": "587", "smtp": "25",
	}[u.Scheme]
}

// services are the ids that are watched.
func (f *fleet) services() []string {
	var out []string
	for _, t := range f.targets {
		if !slices.Contains(out, t.Service) {
			out = append(out, t.Service)
		}
	}
	return out
}
