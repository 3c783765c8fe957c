package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"varde/checks"
)

// seen is one observation of a script: what a probe met, and when.
type seen struct {
	probe         string
	hours         float64
	address       string
	issuer, key   string
	class         checks.Class
	family        checks.Family
	received      float64
	anotherRegion bool
}

func (f *fleet) met(t *testing.T, m *machine, list []seen) {
	t.Helper()
	for _, s := range list {
		p := Probe{s.probe, "us-east"}
		if s.anotherRegion {
			p.Region = "oceania"
		}
		at := ten.Add(time.Duration(s.hours * float64(time.Hour)))
		o := f.run(f.config.Checks[0], p, at)
		f.seq[p.Name]++
		o.Seq, o.Class, o.Address = f.seq[p.Name], s.class, s.address
		if s.class != "" {
			o.Outcome, o.FailedPhase = s.class.Outcome(), checks.TLS
		}
		if s.family != checks.NoFamily {
			o.Family = s.family
		}
		if s.key != "" {
			o.TLS = presented(s.issuer, s.key)
		}
		received := max(s.received, s.hours)
		m.j.append(t, batch(ten.Add(time.Duration(received*float64(time.Hour))+time.Minute), o))
	}
	m.feedAll()
}

// What changes in a server is noted once, at the time at which it was first seen;
// what comes and goes is not news, and neither is the past.
func TestAnnotations(t *testing.T) {
	const a1, a2, a3 = "192.0.2.1:993", "192.0.2.2:993", "[2001:db8::1]:993"
	for name, c := range map[string]struct {
		script []seen
		want   string
	}{
		"the first look": {[]seen{{probe: "us-east-1", address: a1, issuer: "R1", key: "k1"}}, ""},
		"a renewed certificate": {
			[]seen{{probe: "us-east-1", address: a1, issuer: "R1", key: "k1"}, {probe: "us-east-1", hours: 1, address: a1, issuer: "R1", key: "k2"}},
			"1 us-east-1 key",
		},
		"a move behind a provider": {
			[]seen{{probe: "us-east-1", address: a1, issuer: "R1", key: "k1"}, {probe: "us-east-1", hours: 1, address: a2, issuer: "E5", key: "k2"}},
			"1 us-east-1 address 192.0.2.1 192.0.2.2; 1 us-east-1 issuer R1 E5; 1 us-east-1 key",
		},
		"addresses in turn": {
			[]seen{{probe: "us-east-1", address: a1}, {probe: "us-east-1", hours: 1, address: a2}, {probe: "us-east-1", hours: 2, address: a1}, {probe: "us-east-1", hours: 3, address: a2}},
			"1 us-east-1 address 192.0.2.1 192.0.2.2",
		},
		"an address that was away for a day": {
			[]seen{{probe: "us-east-1", address: a1}, {probe: "us-east-1", hours: 1, address: a2}, {probe: "us-east-1", hours: 24, address: a1}, {probe: "us-east-1", hours: 24.9, address: a2}, {probe: "us-east-1", hours: 49, address: a1}},
			"1 us-east-1 address 192.0.2.1 192.0.2.2; 24 us-east-1 address 192.0.2.2 192.0.2.1; 49 us-east-1 address 192.0.2.2 192.0.2.1",
		},
		"nobody looked for a week": {
			[]seen{{probe: "us-east-1", address: a1, issuer: "R1", key: "k1"}, {probe: "us-east-1", hours: 170, address: a1, issuer: "R1", key: "k1"}},
			"",
		},
		"several probes see it": {
			[]seen{
				{probe: "us-east-1", address: a1},
				{probe: "us-east-2", hours: 0.1, address: a1},
				{probe: "oceania-1", anotherRegion: true, hours: 0.1, address: a1},
				{probe: "us-east-2", hours: 1, address: a2},
				{probe: "us-east-1", hours: 1.1, address: a2},
				{probe: "oceania-1", anotherRegion: true, hours: 1.2, address: a2},
			},
			"1 us-east-2 address 192.0.2.1 192.0.2.2; 1.2 oceania-1 address 192.0.2.1 192.0.2.2",
		},
		"two families": {
			[]seen{{probe: "us-east-1", address: a1}, {probe: "us-east-1", address: a3, family: checks.IPv6}, {probe: "us-east-1", hours: 1, address: a1}},
			"",
		},
		"late data is not news": {
			[]seen{
				{probe: "us-east-1", hours: 1, address: a1, issuer: "R1", key: "k1"},
				{probe: "us-east-1", hours: 0.5, received: 2, address: a2, issuer: "R0", key: "k0"},
				{probe: "us-east-1", hours: 2.5, address: a1, issuer: "R1", key: "k1"},
			},
			"",
		},
		"no certificate is no other certificate": {
			[]seen{{probe: "us-east-1", address: a1, issuer: "R1", key: "k1"}, {probe: "us-east-1", hours: 1, address: a1, class: checks.ConnectTimeout}, {probe: "us-east-1", hours: 2, address: a1, issuer: "R1", key: "k1"}},
			"",
		},
		"one that is not believed is one": {
			[]seen{{probe: "us-east-1", address: a1, issuer: "R1", key: "k1"}, {probe: "us-east-1", hours: 1, address: a1, issuer: "R1", key: "evil", class: checks.CertUntrusted}},
			"1 us-east-1 key",
		},
		"a probe that cannot tell": {
			[]seen{{probe: "us-east-1", address: a1, issuer: "R1", key: "k1"}, {probe: "us-east-1", hours: 1, address: a1, issuer: "R1", key: "k2", class: checks.OwnError}},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			atTen(t, func(t *testing.T, f *fleet, m *machine) {
				last := len(c.script) - 1
				f.met(t, m, c.script[:last])
				m.restart()
				f.met(t, m, c.script[last:])
				list, err := m.s.Annotations(t.Context(), AnnotationQuery{Check: "imap", To: ten.AddDate(0, 1, 0)})
				must(t, err)
				var got []string
				for _, a := range list {
					line := fmt.Sprintf("%.2g %s %s", a.At.Sub(ten).Round(time.Minute).Hours(), a.Probe, a.Kind)
					if a.Kind != KeyChanged {
						line += " " + a.From + " " + a.To
					} else if a.From == a.To || len(a.To) != 64 {
						t.Errorf("key %s became %s", a.From, a.To)
					}
					got = append([]string{line}, got...)
				}
				if s := strings.Join(got, "; "); s != c.want {
					t.Errorf("got  %s\nwant %s", s, c.want)
				}
			})
		})
	}
}

// A network that hands out addresses from a large stock is not news at every look,
// and does not hide that the certificate is another one.
func TestAddressesFromAStock(t *testing.T) {
	atTen(t, func(t *testing.T, f *fleet, m *machine) {
		f.config.Checks[0].Every = time.Minute
		var script []seen
		for i := range 600 {
			key := "k1"
			if i == 599 {
				key = "k2"
			}
			p := f.config.Probes[i%9]
			script = append(script, seen{
				probe: p.Name, hours: float64(i) / 60, address: fmt.Sprintf("192.0.2.%d:993", i/9), issuer: "R1", key: key, anotherRegion: p.Region == "oceania",
			})
		}
		f.met(t, m, script)
		list, err := m.s.Annotations(t.Context(), AnnotationQuery{Check: "imap", To: ten.AddDate(0, 0, 1), Limit: 1000})
		must(t, err)
		kinds := map[AnnotationKind]int{}
		for _, a := range list {
			kinds[a.Kind]++
		}
		if kinds[KeyChanged] != 1 || kinds[AddressChanged] != 2*(inTurn-1) {
			t.Errorf("got %v, want one key, and %d addresses in each of two regions", kinds, inTurn-1)
		}
	})
}

// A server that is another one at every look fills nothing.
func TestServersAreBounded(t *testing.T) {
	atTen(t, func(t *testing.T, f *fleet, m *machine) {
		var script []seen
		for i := range 200 {
			script = append(script, seen{probe: "us-east-1", hours: float64(i) / 60, address: fmt.Sprintf("192.0.2.%d:993", i), issuer: "R1", key: fmt.Sprint("k", i)})
		}
		f.met(t, m, script)
		must(t, m.s.write(func(w *writer) {
			for i := range 200 {
				for _, kind := range []AnnotationKind{AddressChanged, KeyChanged} {
					w.exec(saveAnnotation, ten.UnixNano()+int64(i), "imap", "us-east", "ipv4", "us-east-1", string(kind), "a", fmt.Sprint("b", i), int64(familiar), maxAnnotations)
				}
			}
		}))
		list, err := m.s.Annotations(t.Context(), AnnotationQuery{Check: "imap", To: ten.AddDate(0, 0, 1), Limit: 1000})
		must(t, err)
		if len(list) != 2*maxAnnotations {
			t.Errorf("%d annotations in a day, want %d of each of two kinds", len(list), maxAnnotations)
		}
		shown, err := m.s.Presented(t.Context(), "", ten)
		must(t, err)
		if len(shown) != maxMeetings {
			t.Errorf("%d are remembered, want %d", len(shown), maxMeetings)
		}
		must(t, m.s.retain(ten.Add(5*time.Hour)))
		if rows := rowsOf(t, m.s.reads, "", `SELECT * FROM chain`); len(rows) != maxMeetings {
			t.Errorf("%d chains are kept, want %d", len(rows), maxMeetings)
		}
	})
}

// What is presented now is what each address showed each probe last.
func TestPresented(t *testing.T) {
	atTen(t, func(t *testing.T, f *fleet, m *machine) {
		f.met(t, m, []seen{
			{probe: "us-east-1", address: "192.0.2.1:993", issuer: "R1", key: "k1"},
			{probe: "us-east-1", hours: 1, address: "192.0.2.1:993", issuer: "R1", key: "k2"},
			{probe: "us-east-1", hours: 1.5, address: "192.0.2.2:993", issuer: "R1", key: "k1"},
			{probe: "us-east-2", hours: 1.5, address: "192.0.2.1:993", issuer: "R1", key: "k2"},
			{probe: "us-east-3", hours: -30, received: 2, address: "192.0.2.1:993", issuer: "R0", key: "k0"},
			{probe: "us-east-2", hours: 2, address: "192.0.2.1:993", class: checks.ConnectRefused},
		})
		list, err := m.s.Presented(t.Context(), "imap", ten)
		must(t, err)
		var got []string
		for _, p := range list {
			leaf := p.Handshake.Chain[0]
			for _, key := range []string{"k0", "k1", "k2"} {
				if presented("", key).Chain[0].Key == leaf.Key {
					got = append(got, fmt.Sprintf("%s %s %s %s %s", p.Probe, p.Address, key, p.At.Format("15:04"), p.Family))
				}
			}
		}
		want := "us-east-1 192.0.2.1 k2 11:00 ipv4; us-east-1 192.0.2.2 k1 11:30 ipv4; us-east-2 192.0.2.1 k2 11:30 ipv4"
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
		if list, err := m.s.Presented(t.Context(), "smtp", ten); err != nil || len(list) != 0 {
			t.Errorf("of another check: %v, %v", list, err)
		}
	})
}

// What nobody is led to any more is not presented now: a certificate that a server
// left behind must not be told of when it ends.
func TestPresentedNoLonger(t *testing.T) {
	moved := []seen{
		{probe: "us-east-1", address: "192.0.2.1:993", issuer: "R1", key: "old"},
		{probe: "us-east-1", hours: 1.5, address: "192.0.2.2:993", issuer: "R1", key: "new"},
	}
	one := []seen{{probe: "us-east-1", address: "192.0.2.1:993", issuer: "R1", key: "old"}}
	for name, c := range map[string]struct {
		script []seen
		change func(c *Config)
		want   string
	}{
		"moved":   {moved, func(*Config) {}, "192.0.2.2"},
		"renewed": {append(one, seen{probe: "us-east-1", hours: 0.2, address: "192.0.2.1:993", issuer: "R1", key: "new"}), func(*Config) {}, "192.0.2.1"},
		"one of two renewed": {
			append(one, seen{probe: "us-east-1", hours: 0.01, address: "192.0.2.1:993", issuer: "R1", key: "new"}, seen{probe: "us-east-1", hours: 0.02, address: "192.0.2.1:993", issuer: "R1", key: "old"},
				seen{probe: "us-east-1", hours: 0.03, address: "192.0.2.1:993", issuer: "R1", key: "new"}), func(*Config) {}, "192.0.2.1 192.0.2.1",
		},
		"looks once an hour": {moved, func(c *Config) { c.Checks[0].Every = time.Hour }, "192.0.2.1 192.0.2.2"},
		"not looked since":   {one, func(*Config) {}, "192.0.2.1"},
		"refused since":      {append(one, seen{probe: "us-east-1", hours: 5, address: "192.0.2.1:993", class: checks.ConnectRefused}), func(*Config) {}, "192.0.2.1"},
		"cut off since":      {append(one, seen{probe: "us-east-2", hours: 1.5, address: "192.0.2.2:993", issuer: "R1", key: "new"}), func(*Config) {}, "192.0.2.2"},
		"check is gone":      {one, func(c *Config) { c.Checks = nil }, ""},
		"probe is gone":      {one, func(c *Config) { c.Probes = c.Probes[:3] }, ""},
		"not in the region":  {one, func(c *Config) { c.Checks[0].Regions = []string{"oceania"} }, ""},
		"not over IPv4":      {one, func(c *Config) { c.Checks[0].Families = []checks.Family{checks.IPv6} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			atTen(t, func(t *testing.T, f *fleet, m *machine) {
				f.met(t, m, c.script)
				config := *f.config
				config.Checks = []Check{f.config.Checks[0]}
				c.change(&config)
				f.config = &config
				list, err := m.s.Presented(t.Context(), "", ten.Add(-time.Hour))
				must(t, err)
				var got []string
				for _, p := range list {
					got = append(got, p.Address)
				}
				if s := strings.Join(got, " "); s != c.want {
					t.Errorf("got %q, want %q", s, c.want)
				}
			})
		})
	}
}
