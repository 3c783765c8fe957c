// Package config reads the configuration of the coordinator, one YAML file.
//
//   - The file is read strictly: an unknown key, a wrong type, a doubled key or
//     id, an unknown region or service is an error.
//   - Every error of a file is reported at once, one line each, as
//     "FILE:LINE:COLUMN: key: got …, expected …". Only a fault of the YAML
//     itself hides what follows it.
//   - What [Load] returns passes [Config.Validate], its defaults are filled in,
//     its relative paths are resolved against the folder of the file, and every
//     file that it names could be read at that time.
//   - Arbitrary bytes never panic and cost bounded time and memory. YAML's
//     anchors, aliases, tags, merge keys and directives are refused: no key needs
//     them, and they are what makes small files expand.
//
// The package opens no connection and keeps no secret: a login names a file.
package config

import (
	"cmp"
	"iter"
	"path/filepath"
	"slices"
	"time"
)

// Config is a coordinator's whole configuration. The struct that is read is
// the struct that the program uses.
type Config struct {
	// Name is the coordinator's own name, "coordinator" if not given.
	Name string `yaml:"name"`
	// Data is the folder of everything the coordinator keeps,
	// /var/lib/varde-coordinator if not given.
	Data   string `yaml:"data"`
	Listen Listen `yaml:"listen"`
	// Advertise lists the addresses, host:port, by which probes reach Listen.GRPC.
	// Tokens and plans carry them. Required.
	Advertise []string `yaml:"advertise"`
	// Controls are targets by which a probe can tell a fault of its own from
	// one of the service: https:// or http:// URLs, or tcp://host:port. None are
	// built in. Plans carry them; probes try them when something fails.
	Controls []string `yaml:"controls"`
	// MinProbes is how many reporting probes a region needs before it says
	// anything but unknown, 2 if not given.
	MinProbes int       `yaml:"min_probes"`
	Retention Retention `yaml:"retention"`
	// Reports says which reports are written by themselves, MonthlyReports if not given.
	Reports Reports  `yaml:"reports"`
	Regions []Region `yaml:"regions"`
	// Providers are those whose services the fleet watches, where it watches several.
	Providers []Provider `yaml:"providers"`
	Services  []Service  `yaml:"services"`
	Checks    []Check    `yaml:"checks"`
	// Pages are the public pages; the Host of a request chooses by URL and
	// the first is the default. If none is given there is one, "main", with
	// every service.
	Pages []Page `yaml:"pages"`
	// Mirrors are servers that get a copy of every observation and verdict.
	Mirrors []Mirror `yaml:"mirrors"`
}

// Listen holds the addresses that the coordinator binds, host:port. An empty
// host is every address of the machine, port 0 any free port.
type Listen struct {
	// GRPC is where probes connect, ":7950" if not given.
	GRPC string `yaml:"grpc"`
	// Public serves the status page, ":8080" if not given.
	Public string `yaml:"public"`
	// Ops serves the operators, "127.0.0.1:8081" if not given. It asks for the
	// operator token as soon as it is not on loopback.
	Ops string `yaml:"ops"`
}

// Retention says how long things are kept.
type Retention struct {
	// Journal is for raw observations, 7 days if not given.
	Journal time.Duration `yaml:"journal"`
	// Evidence is for the observations of incidents, 400 days if not given.
	Evidence time.Duration `yaml:"evidence"`
	// Minutes, Hours and Days are for the rollups of those widths: 30 days,
	// 1 year and 10 years if not given. Days are added up from hours, which must
	// be there for two days.
	Minutes time.Duration `yaml:"minutes"`
	Hours   time.Duration `yaml:"hours"`
	Days    time.Duration `yaml:"days"`
	// JournalMax bounds the journal in bytes ("20GB"), 20 GB if not given. The
	// oldest observations go first.
	JournalMax int64 `yaml:"journal_max"`
}

// Reports says which reports are written by themselves.
type Reports string

// Either one of every month once it is over, or none.
const (
	MonthlyReports Reports = "monthly"
	NoReports      Reports = "off"
)

// Region is a unit of verdicts.
type Region struct {
	ID string `yaml:"id"`
	// Name is what people read, the id if not given.
	Name string `yaml:"name"`
	// Weight is the share of users there, relative to the other regions', 1 if
	// not given.
	Weight float64 `yaml:"weight"`
}

// Service is what a customer knows by name.
type Service struct {
	ID string `yaml:"id"`
	// Name is what people read, the id if not given.
	Name string `yaml:"name"`
	// Provider names whose service it is, where one fleet watches several: the id of
	// one of Providers, if there are any.
	Provider string `yaml:"provider"`
	// SLO is the objective in percent, e.g. 99.9; 0 means that there is none.
	SLO float64 `yaml:"slo"`
	// Consent says that the servers are ours or that their operator agreed; it
	// lifts the cadence floors.
	Consent bool `yaml:"consent"`
	Hint    Hint `yaml:"hint"`
}

// Hint is what customers can do while a service is away. No page shows it.
type Hint struct {
	Text string `yaml:"text"`
	URL  string `yaml:"url"`
}

// The largest numbers of things in a configuration. They bound what a mistake
// of a generating script can ask of the fleet.
const (
	MaxRegions  = 256
	MaxServices = 1000
	MaxChecks   = 2000
	MaxPages    = 100
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// WithDefaults returns the configuration with everything filled in that may be
// left out. It does not touch what is there.
func (c Config) WithDefaults() Config {
	c.Name = cmp.Or(c.Name, "coordinator")
	c.Data = cmp.Or(c.Data, "/var/lib/varde-coordinator")
	c.Listen = Listen{
		GRPC:   cmp.Or(c.Listen.GRPC, ":7950"),
		Public: cmp.Or(c.Listen.Public, ":8080"),
		Ops:    cmp.Or(c.Listen.Ops, "127.0.0.1:8081"),
	}
	c.MinProbes = cmp.Or(c.MinProbes, 2)
	c.Retention = c.Retention.withDefaults()
	c.Reports = cmp.Or(c.Reports, MonthlyReports)
	c.Regions = slices.Clone(c.Regions)
	for i, r := range c.Regions {
		c.Regions[i].Name = cmp.Or(r.Name, r.ID)
		c.Regions[i].Weight = cmp.Or(r.Weight, 1)
	}
	c.Providers = slices.Clone(c.Providers)
	for i, p := range c.Providers {
		c.Providers[i].Name = cmp.Or(p.Name, p.ID)
	}
	c.Services = slices.Clone(c.Services)
	for i, s := range c.Services {
		c.Services[i].Name = cmp.Or(s.Name, s.ID)
	}
	c.Checks = slices.Clone(c.Checks)
	for i, t := range c.Checks {
		c.Checks[i].Target = t.WithDefaults().NameSecrets()
		c.Checks[i].Consent = slices.ContainsFunc(c.Services, func(s Service) bool { return s.ID == t.Service && s.Consent })
	}
	c.Pages = c.pagesWithDefaults()
	c.Mirrors = c.mirrorsWithDefaults()
	return c
}

func (r Retention) withDefaults() Retention {
	return Retention{
		Journal:    cmp.Or(r.Journal, 7*day),
		Evidence:   cmp.Or(r.Evidence, 400*day),
		Minutes:    cmp.Or(r.Minutes, 30*day),
		Hours:      cmp.Or(r.Hours, year),
		Days:       cmp.Or(r.Days, 10*year),
		JournalMax: cmp.Or(r.JournalMax, 20e9),
	}
}

func (c Config) serviceIDs() []string {
	ids := make([]string, len(c.Services))
	for i, s := range c.Services {
		ids[i] = s.ID
	}
	return ids
}

// distinct leaves out what was there before: a doubled id is one fault, not two.
func distinct(ids []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(ids, func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// OperatorToken returns the path of the file in a data folder that holds the
// token by which operators log in.
func OperatorToken(data string) string { return filepath.Join(data, "operator.token") }

// resolve makes every relative path of the configuration relative to dir.
func (c *Config) resolve(dir string) {
	abs := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	abs(&c.Data)
	for p := range c.files() {
		abs(p)
	}
}

// files are the places of the paths of all files that are named beside the data folder;
// some are empty.
func (c *Config) files() iter.Seq[*string] {
	return func(yield func(*string) bool) {
		for _, p := range c.Providers {
			if p.Operators != nil && !yield(&p.Operators.File) {
				return
			}
		}
		for _, m := range c.Mirrors {
			if m.Token != nil && !yield(&m.Token.File) {
				return
			}
		}
		for i := range c.Pages {
			if c.Pages[i].ownWords() && !yield(&c.Pages[i].Language) {
				return
			}
		}
		for i := range c.Checks {
			for _, s := range c.Checks[i].Secrets() {
				if !yield(&s.File) {
					return
				}
			}
			for _, a := range c.Checks[i].Authorities() {
				if !yield(&a.File) {
					return
				}
			}
		}
	}
}

// Files are the paths of all files that the configuration needs beside itself and the
// data folder, each once and sorted: passwords, keys, tokens and certificates.
func (c Config) Files() []string {
	var out []string
	for p := range c.files() {
		if *p != "" {
			out = append(out, *p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
