package fleettest

import (
	"net/netip"
	"testing"
	"time"

	"varde/checks"
	"varde/checks/checktest"
	"varde/coordinator/server"
	"varde/deploy/scenario"
)

// bare is a fleet of one probe in each of three regions, none of which runs.
func bare(t *testing.T) (f *Fleet, a, b, c *member) {
	f = &Fleet{
		t: t, internet: checktest.NewInternet(), server: &server.Server{},
		opts: Options{Chance: scenario.Scenario{}.Chance, Families: []checks.Family{checks.IPv4}},
	}
	return f, &member{name: "a-1", region: "a"}, &member{name: "b-1", region: "b"}, &member{name: "c-1", region: "c"}
}

// TestFaultsOverOneAnother: whatever the order in which they are written, a run meets
// the one that shows first.
func TestFaultsOverOneAnother(t *testing.T) {
	f, a, b, _ := bare(t)
	slow := scenario.Fault{To: forever, Effect: scenario.Slow2s}
	dark := scenario.Fault{To: forever, Regions: []string{"a"}, Checks: []string{"https"}, Effect: scenario.ConnectTimeout}
	for _, faults := range [][]scenario.Fault{{slow, dark}, {dark, slow}} {
		f.turn(scenario.Scenario{Faults: faults}, 0)
		for _, tt := range []struct {
			probe *member
			kind  string
			want  scenario.Effect
		}{{a, "https", scenario.ConnectTimeout}, {a, "smtp", scenario.Slow2s}, {b, "https", scenario.Slow2s}, {a, Control, ""}} {
			if got := f.drawLocked(tt.probe, tt.kind, checks.IPv4, time.Now(), scenario.Effect.OfStream).effect; got != tt.want {
				t.Errorf("%s of %s: got %q, want %q", tt.kind, tt.probe.name, got, tt.want)
			}
		}
	}
}

// TestMailAndStreams: what befalls the stream by which a mail is handed in befalls no
// mail that was handed in, and the other way round.
func TestMailAndStreams(t *testing.T) {
	f, a, _, _ := bare(t)
	f.suffer([]scenario.Fault{
		{To: forever, Effect: scenario.ConnectTimeout}, {To: forever, Effect: scenario.MailDelay}, {To: forever, Effect: scenario.MailLoss},
	})
	for want, may := range map[scenario.Effect]func(scenario.Effect) bool{
		scenario.ConnectTimeout: scenario.Effect.OfStream, scenario.MailLoss: scenario.Effect.OfMail,
	} {
		if got := f.drawLocked(a, "roundtrip", checks.IPv4, time.Now(), may).effect; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestClocks: those of a region, and of a probe in it, are wrong by both together,
// while they are wrong; what a probe runs is none of their business.
func TestClocks(t *testing.T) {
	f, a, b, _ := bare(t)
	s := scenario.Scenario{Faults: []scenario.Fault{
		{From: 1, To: 3, Regions: []string{"a"}, Clock: 20}, {From: 2, To: 4, Probes: []string{"a-1"}, Clock: -90},
	}}
	for at, want := range []time.Duration{0, 20, -70, -90, 0} {
		f.turn(s, time.Duration(at))
		if f.ahead(a) != want || f.ahead(b) != 0 {
			t.Errorf("at %d: a is %d ahead and b %d, want %d and 0", at, f.ahead(a), f.ahead(b), want)
		}
		if got := f.drawLocked(a, "imap", checks.IPv4, time.Now(), scenario.Effect.OfStream); got.effect != "" {
			t.Errorf("at %d: a run meets %q", at, got.effect)
		}
	}
}

// TestNoCoordinator: who does not reach the coordinator reaches everybody else.
func TestNoCoordinator(t *testing.T) {
	f, a, b, _ := bare(t)
	f.hosts = map[netip.Addr]*member{netip.MustParseAddr("10.1.0.1"): a, netip.MustParseAddr("10.2.0.1"): b}
	f.Hit(scenario.Fault{To: forever, Probes: []string{"a-1"}, Effect: scenario.NoCoordinator})
	for _, tt := range []struct {
		from, to string
		want     checktest.Effect
	}{
		{"10.1.0.1:9", "10.200.0.1:7950", checktest.Drop},
		{"10.200.0.1:7950", "10.1.0.1:9", checktest.Drop},
		{"10.2.0.1:9", "10.200.0.1:7950", checktest.Pass},
		{"10.1.0.1:9", "10.2.0.1:7947", checktest.Pass},
		{"10.1.0.1:9", "203.0.113.1:993", checktest.Pass},
	} {
		if got := f.rule(netip.MustParseAddrPort(tt.from), netip.MustParseAddrPort(tt.to), "tcp"); got != tt.want {
			t.Errorf("%s to %s: got %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}

// TestPartitionsOverOneAnother: they divide the mesh where any of them does, and a
// region that none names is on a side of its own.
func TestPartitionsOverOneAnother(t *testing.T) {
	f, a, b, c := bare(t)
	split := func(from, to scenario.Offset, groups ...[]string) scenario.Fault {
		return scenario.Fault{From: from, To: to, Partition: groups}
	}
	s := scenario.Scenario{Faults: []scenario.Fault{
		split(1, 3, []string{"a"}, []string{"b", "c"}), split(2, 4, []string{"a", "b"}, []string{"c"}), split(5, 6, []string{"a"}),
	}}
	for at, want := range [][3]bool{{}, {true, true, false}, {true, true, true}, {false, true, true}, {}, {true, true, false}, {}} {
		f.turn(s, time.Duration(at))
		if got := [3]bool{f.dividedLocked(a, b), f.dividedLocked(a, c), f.dividedLocked(b, c)}; got != want {
			t.Errorf("at %d: a and b, a and c, b and c are divided: %v, want %v", at, got, want)
		}
	}
}
