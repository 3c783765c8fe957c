package discovery

import (
	"strings"
	"testing"

	"varde/checks"
	"varde/checks/catalog"
	"varde/coordinator/internal/config"
)

func TestParseDomain(t *testing.T) {
	for in, want := range map[string]string{
		"example.net": "example.net", "Example.NET.": "example.net", "bücher.example": "xn--bcher-kva.example",
		"": "", "net": "", ".": "", "a..net": "", "localhost": "", "a.localhost": "", "127.0.0.1": "", "10.1": "", "::1": "",
		"exa mple.net": "", "https://example.net": "", "-a.net": "", "a_b.net": "", "a.b\n": "", "a.0x1": "",
		strings.Repeat("a", 64) + ".net": "", strings.Repeat("a.", 130) + "net": "",
	} {
		got, err := ParseDomain(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

// FuzzAutoconfig: arbitrary bytes never panic, and every endpoint that is made
// of them is a check at a name that could be public.
func FuzzAutoconfig(f *testing.F) {
	f.Add([]byte(`<clientConfig><emailProvider><incomingServer type="imap"><hostname>mail.%EMAILDOMAIN%</hostname><port>993</port>` +
		`<socketType>SSL</socketType></incomingServer></emailProvider><webMail><loginPage url="https://m.example.net/a?b"/></webMail></clientConfig>`))
	f.Add([]byte(`<clientConfig><emailProvider><outgoingServer type="smtp"><hostname>10.0.0.1</hostname><port>0</port></outgoingServer></emailProvider></clientConfig>`))
	f.Add([]byte(`<!DOCTYPE c [<!ENTITY a "b">]><clientConfig>&a;</clientConfig>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parseAutoconfig(data)
		if err != nil {
			return
		}
		a := announcement{source: "autoconfig"}
		a.file(file, "example.net")
		if len(a.leads) > 2*maxRecords {
			t.Errorf("%d endpoints, want at most %d", len(a.leads), 2*maxRecords)
		}
		for _, l := range a.leads {
			at, err := catalog.Endpoint(l.target)
			if name, ok := hostname(at.Host); err != nil || !ok || name != at.Host {
				t.Errorf("%q: %v, want a name", l.target.URL, err)
			}
			if err := catalog.Validate(l.target); err != nil {
				t.Error(err)
			}
		}
		r := written(a)
		text, err := config.Example{Name: "c1", Data: "/d", Host: "c1", Services: r.SectionServices(), Checks: r.SectionChecks()}.Text()
		if err != nil {
			t.Fatal(err)
		}
		if c, err := config.Parse("c.yaml", []byte(text)); err != nil || len(c.Checks) != r.Found() {
			t.Errorf("%v, got %d checks, want %d", err, len(c.Checks), r.Found())
		}
	})
}

// written is the report of a search that found all of it up.
func written(a announcement) *Report {
	s := search{Options: Options{Domain: "example.net"}, services: services("example.net")}
	s.gather([]announcement{a})
	var groups [][]*candidate
	for _, c := range s.leads {
		c.tried, c.outcome, c.target.Service, c.target.Every = true, checks.Up, c.service, c.target.Floor()
		groups = append(groups, []*candidate{c})
	}
	return s.report(groups)
}
