package config

import (
	"fmt"
	"slices"

	"varde/checks"
)

// Mirror is a server that speaks InfluxDB's write API and gets a copy of every
// observation and every told verdict: InfluxDB 1.8 or 2, or VictoriaMetrics.
type Mirror struct {
	// ID names the place up to which the server has everything. Another server under
	// the id of a former one gets only what came after.
	ID string `yaml:"id"`
	// URL is that of the server, "http://127.0.0.1:8086".
	URL string `yaml:"url"`
	// Org is the organisation that InfluxDB 2 asks for; others look at none.
	Org string `yaml:"org"`
	// Bucket is where the points go, "varde" if not given; "database/retention-policy"
	// for InfluxDB 1.8.
	Bucket string `yaml:"bucket"`
	// Token is the file of the token, of "user:password" for InfluxDB 1.8; nil for none.
	Token *checks.Secret `yaml:"token"`
}

// MaxMirrors bounds the mirrors of a configuration: each reads the whole journal.
const MaxMirrors = 8

func (v *validator) mirrors(list []Mirror) {
	v.count("mirrors", len(list), 0, MaxMirrors, "mirror")
	v.unique("mirrors", ".id", collect(list, func(m Mirror) string { return m.ID }))
	for i, m := range list {
		at := fmt.Sprintf("mirrors[%d]", i)
		v.id(at+".id", m.ID)
		if u, ok := parseURL(m.URL); !ok || !web(m.URL) || u.RawQuery != "" {
			v.add(at+".url", "got %s, expected http://host:port or https://host", quoteURL(m.URL))
		}
		v.text(at+".org", m.Org)
		v.text(at+".bucket", m.Bucket)
		if m.Token != nil && m.Token.File == "" {
			v.add(at+".token.file", "got none, expected the path of a file with a token")
		}
	}
}

// mirrorsWithDefaults fills in what may be left out.
func (c Config) mirrorsWithDefaults() []Mirror {
	list := slices.Clone(c.Mirrors)
	for i := range list {
		if list[i].Bucket == "" {
			list[i].Bucket = "varde"
		}
	}
	return list
}

// mirrorFaults makes sure that every token can be read.
func (c Config) mirrorFaults() []*checks.FieldError {
	var faults []*checks.FieldError
	for i, m := range c.Mirrors {
		if m.Token == nil || m.Token.File == "" {
			continue
		}
		if _, err := readSecret("token", m.Token.File); err != nil {
			faults = append(faults, unreadable(fmt.Sprintf("mirrors[%d].token.file", i), m.Token.File, err, "a file with a token as its only line"))
		}
	}
	return faults
}
