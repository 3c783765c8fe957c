package scenario

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"varde/checks"
)

// load reads a scenario from text.
func load(t *testing.T, text string) (Scenario, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "play.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(path)
	if err != nil && !strings.Contains(err.Error(), path+":") {
		t.Errorf("%v, expected the file and line in it", err)
	}
	return s, err
}

const (
	head = "length: 6h\nregions: {eu-north: 3, us-east: 2}\nchecks: {imap: 30s, https: 1m}\n"
	// room is the same without checks.
	room = "length: 6h\nregions: {eu-north: 3, us-east: 2}\n"
)

func TestLoad(t *testing.T) {
	got, err := load(t, room+`
checks: {imap: 30s, https: {every: 1m}, imap-banner: {kind: imap, service: mail, every: 1m, login: false}}
families: [ipv4, ipv6]
noise: {flake: 0.01, local: 2, path: 0, seeds: 3}
faults:
  - {from: 0s, to: 4h, regions: [us-east], checks: [imap], families: [ipv6], effect: connect_timeout}
  - {from: 2h, to: 2h20m, checks: [https], effect: http_503, share: 0.3}
  - {from: 5h, to: 5h5m, probes: [us-east-2], effect: own_network}
  - {from: 30m, to: 40m, coordinator: down}
  - {from: 50m, to: 55m, partition: [[eu-north], [us-east]]}
  - {from: 1h, to: 2h, probes: [us-east-1], clock: -20s}
  - {from: 1h, to: 2h, effect: busy, pulse: {for: 60s, every: 3m}}
maintenance:
  - {from: 1h, to: 2h, checks: [imap-banner], regions: [us-east]}
expect:
  - {region: us-east, check: imap, families: [ipv6], state: down, from: 0s, to: 4h}
  - {region: us-east, check: https, state: [intermittent, slow], from: 2h, to: 2h20m, history: true}
expect_incidents:
  - {services: [imap, mail], regions: [us-east], from: 0s, to: 4h, intermittent: true, history: true}
`)
	if err != nil {
		t.Fatal(err)
	}
	const hour = Offset(time.Hour)
	six := []checks.Family{checks.IPv6}
	want := Scenario{
		Name: "play", Length: 6 * time.Hour, Regions: map[string]int{"eu-north": 3, "us-east": 2},
		Checks: map[string]Check{
			"imap": {Every: 30 * time.Second}, "https": {Every: time.Minute},
			"imap-banner": {Kind: "imap", Service: "mail", Every: time.Minute, Login: new(bool)},
		},
		Families: []checks.Family{checks.IPv4, checks.IPv6}, Noise: Noise{Flake: 0.01, Local: 2, Seeds: 3},
		Faults: []Fault{
			{To: 4 * hour, Regions: []string{"us-east"}, Checks: []string{"imap"}, Families: six, Effect: ConnectTimeout},
			{From: 2 * hour, To: 2*hour + hour/3, Checks: []string{"https"}, Effect: HTTP503, Share: 0.3},
			{From: 5 * hour, To: 5*hour + hour/12, Probes: []string{"us-east-2"}, Effect: OwnNetwork},
			{From: hour / 2, To: hour * 2 / 3, Coordinator: "down"},
			{From: hour * 5 / 6, To: hour * 11 / 12, Partition: [][]string{{"eu-north"}, {"us-east"}}},
			{From: hour, To: 2 * hour, Probes: []string{"us-east-1"}, Clock: Skew(-20 * time.Second)},
			{From: hour, To: 2 * hour, Effect: Busy, Pulse: Pulse{For: time.Minute, Every: 3 * time.Minute}},
		},
		Maintenance: []Window{{From: hour, To: 2 * hour, Checks: []string{"imap-banner"}, Regions: []string{"us-east"}}},
		Expect: []Expectation{
			{Region: "us-east", Check: "imap", Families: six, State: States{Down}, To: 4 * hour},
			{Region: "us-east", Check: "https", State: States{Intermittent, Slow}, From: 2 * hour, To: 2*hour + hour/3, History: true},
		},
		ExpectIncidents: []ExpectedIncident{{Services: []string{"imap", "mail"}, Regions: []string{"us-east"}, To: 4 * hour, Intermittent: true, History: true}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Expectation{}, ExpectedIncident{})); diff != "" {
		t.Error(diff)
	}
}

// TestFaultsOfAFile: each is told with its key and what was expected.
func TestFaultsOfAFile(t *testing.T) {
	for text, want := range map[string]string{
		"length: 1h\n":                                                                                  "regions: got none",
		head + "long: 1h\n":                                                                             "long: got an unknown key",
		head + "noise: {flake: 2}\n":                                                                    "noise.flake: got 2, expected a share of at most 1",
		head + "noise: {flake: -1}\n":                                                                   "noise.flake: got -1, expected a number from 0 to 1000",
		head + "noise: {seed: 1, seeds: 1001}\n":                                                        "noise.seeds: got 1001, expected at most 1000 plays",
		head + "faults: [{from: 1h, to: 1h, effect: loss}]\n":                                           "faults[0].to: got 1h0m0s, expected a time after from",
		head + "faults: [{from: soon, to: 1h, effect: loss}]\n":                                         `faults[0].from: got "soon", expected a time after the start`,
		head + "faults: [{from: 0s, to: 1h, effect: fire}]\n":                                           `faults[0].effect: got "fire", expected one of auth_stall`,
		head + "faults: [{from: 0s, to: 1h}]\n":                                                         "faults[0]: got 0 of effect, clock, coordinator and partition",
		head + "faults: [{from: 0s, to: 1h, effect: loss, coordinator: down}]\n":                        "faults[0]: got 2 of effect",
		head + "faults: [{from: 0s, to: 1h, coordinator: up}]\n":                                        `faults[0].coordinator: got "up", expected down`,
		head + "faults: [{from: 0s, to: 1h, partition: [[asia]]}]\n":                                    `faults[0].partition[0][0]: got "asia", expected one of eu-north, us-east`,
		head + "faults: [{from: 0s, to: 1h, partition: []}]\n":                                          "faults[0].partition: got none, expected groups",
		head + "faults: [{from: 0s, to: 1h, partition: [[us-east], [eu-north, us-east]]}]\n":            "faults[0].partition: got us-east in several groups",
		head + "faults: [{from: 0s, to: 1h, coordinator: down, regions: [us-east]}]\n":                  "faults[0]: got regions, probes, checks, families or share, expected none",
		head + "faults: [{from: 0s, to: 1h, effect: stopped, share: 0.5}]\n":                            "faults[0].share: got 0.5, expected none",
		head + "faults: [{from: 7h, to: 8h, effect: loss}]\n":                                           "faults[0].from: got 7h0m0s, expected a time before length (6h0m0s)",
		head + "faults: [{from: 0s, to: 1h, regions: [us-east], probes: [eu-north-1], effect: loss}]\n": "faults[0].probes: got none that is in regions (us-east)",
		"name: ../x\nlength: 1h\nregions: {a: 1}\nchecks: {imap: 30s}\n":                                `name: got "../x", expected the name of a file`,
		"length: 1h\nregions: {a: 251}\nchecks: {imap: 30s}\n":                                          "regions.a: got 251, expected at most 250 probes",
		head + "faults: [{from: 0s, to: 1h, probes: [us-east-3], effect: own_network}]\n":               `faults[0].probes[0]: got "us-east-3"`,
		head + "faults: [{from: 0s, to: 1h, checks: [imap], effect: own_network}]\n":                    "faults[0]: got checks or families, expected none",
		head + "faults: [{from: 0s, to: 1h, checks: [imap], effect: http_503}]\n":                       "faults[0].checks: got imap, expected a check on which http_503 has a meaning (https)",
		head + "faults: [{from: 0s, to: 1h, families: [ipv6], effect: loss}]\n":                         `faults[0].families[0]: got "ipv6", expected one of ipv4`,
		head + "expect: [{region: us-east, check: smtp, state: down, from: 0s, to: 1h}]\n":              `expect[0].check: got "smtp", expected one of https, imap`,
		head + "expect: [{region: us-east, check: imap, state: dead, from: 0s, to: 1h}]\n":              `expect[0].state[0]: got "dead"`,
		head + "expect: [{region: us-east, check: imap, state: down, from: 0s, to: 7h}]\n":              "expect[0].to: got 7h0m0s, expected at most length (6h0m0s)",
		"length: 1h\nregions: {A: 1}\nchecks: {imap: 30s}\n":                                            `regions.A: got "A", expected an id`,
		"length: 1h\nregions: {a: 1}\nchecks: {ftp: 30s}\n":                                             `checks.ftp: got "ftp", expected one of dns, https, imap, pop3, roundtrip, smtp, tcp`,
		"length: 1h\nregions: {a: 1}\nchecks: {imap: 1s}\n":                                             "checks.imap: got 1s, expected at least 5s",
		head + "expect: [{region: us-east, check: imap, state: [], from: 0s, to: 1h}]\n":                "expect[0].state: got none, expected a verdict",
		head + "faults: [{from: 0s, to: 1h, effect: mail_loss}]\n":                                      "faults[0].effect: got mail_loss, expected one that has a meaning on a check: it has on roundtrip",
		"length: 1h\nregions: {a: 1}\nchecks: {roundtrip: 5m}\nfamilies: [ipv4, ipv6]\nfaults: [{from: 0s, to: 1h, families: [ipv6], effect: mail_delay}]\n": "faults[0].families: got ipv6, expected none",
		room + "checks: {imap: {every: 1s}}\n":                                                                              "checks.imap: got 1s, expected at least 5s",
		room + "checks: {imap: often}\n":                                                                                    `checks.imap: got "often", expected an interval such as 30s, or kind`,
		room + "checks: {imap-banner: 30s}\n":                                                                               `checks.imap-banner: got "imap-banner", expected one of dns`,
		room + "checks: {imap-banner: {kind: ftp, every: 30s}}\n":                                                           `checks.imap-banner.kind: got "ftp", expected one of dns`,
		room + "checks: {Banner: {kind: imap, every: 30s}}\n":                                                               `checks.Banner: got "Banner", expected an id`,
		room + "checks: {banner: {kind: imap, service: A b, every: 30s}}\n":                                                 `checks.banner: got "A b", expected an id`,
		room + "checks: {https: {every: 30s, login: false}}\n":                                                              "checks.https.login: got false, expected it on imap, smtp, pop3 only",
		room + "checks: {banner: {kind: imap, every: 30s}}\nfaults: [{from: 0s, to: 1h, checks: [banner], effect: busy}]\n": `faults[0].checks[0]: got "banner", expected one of imap`,
		head + "faults: [{from: 0s, to: 1h, clock: 0s}]\n":                                                                  `faults[0].clock: got "0s", expected how far the clock is ahead`,
		head + "faults: [{from: 0s, to: 1h, clock: 20s, effect: busy}]\n":                                                   "faults[0]: got 2 of effect",
		head + "faults: [{from: 0s, to: 1h, clock: 20s, checks: [imap]}]\n":                                                 "faults[0]: got checks, families or share, expected none: a probe has one clock",
		room + "checks: {roundtrip: 5m}\nfaults: [{from: 0s, to: 1h, clock: 20s}]\n":                                        "faults[0].clock: got it beside a roundtrip",
		head + "faults: [{from: 0s, to: 1h, effect: no_coordinator, share: 0.5}]\n":                                         "faults[0].share: got 0.5, expected none",
		head + "faults: [{from: 0s, to: 1h, effect: busy, pulse: {for: 3m, every: 3m}}]\n":                                  "faults[0].pulse: got for 3m0s every 3m0s",
		head + "faults: [{from: 0s, to: 1h, effect: busy, pulse: {every: 3m}}]\n":                                           "faults[0].pulse: got for 0s every 3m0s",
		head + "expect_incidents: [{regions: [us-east], from: 0s, to: 1h}]\n":                                               "expect_incidents[0].services: got none, expected all that it strikes",
		head + "expect_incidents: [{services: [imap], regions: [us-east], from: 0s, to: 7h}]\n":                             "expect_incidents[0].to: got 7h0m0s, expected at most length",
		head + "expect_incidents: [{services: [smtp], regions: [asia], from: 0s, to: 1h}]\n":                                `expect_incidents[0].services[0]: got "smtp", expected one of https, imap`,
		head + "maintenance: [{from: 2h, to: 1h}]\n":                                                                        "maintenance[0].to: got 1h0m0s, expected a time after from (2h0m0s)",
		head + "maintenance: [{from: 7h, to: 8h}]\n":                                                                        "maintenance[0].from: got 7h0m0s, expected a time before length",
		head + "maintenance: [{from: 0s, to: 1h, checks: [smtp]}]\n":                                                        `maintenance[0].checks[0]: got "smtp", expected one of https, imap`,
		head + "maintenance: [{from: 0s, to: 1h, regions: [asia]}]\n":                                                       `maintenance[0].regions[0]: got "asia"`,
		head + "faults: [{from: 0s, to: 1h, checks: [https], effect: http_503, share: 30}]\n":                               "faults[0].share: got 30, expected a share",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v, want %s", text, err, want)
		}
	}
}

// TestAccepted: what the contract allows is not refused, whatever it comes to.
func TestAccepted(t *testing.T) {
	for _, text := range []string{
		head + "faults: [{from: 0s, to: 7h, effect: auth_stall}]\n",
		head + "faults: [{from: 0s, to: 1h, regions: [us-east], probes: [eu-north-1, us-east-1], effect: busy, share: 1}]\n",
		head + "faults: [{from: 0s, to: 1h, checks: [], effect: http_503, share: 0.1}]\n",
		head + "faults: [{from: 0s, to: 1h, checks: [https, imap], effect: auth_stall}]\n",
		head + "faults: [{from: 0s, to: 1h, partition: [[us-east]]}]\n",
		head + "faults: [{from: 0s, to: 1h, effect: own_network, share: 0.5}]\n",
		head + "faults: [{from: 0s, to: 1h, partition: [[us-east], [eu-north]]}, {from: 0s, to: 1h, coordinator: down}]\n",
		head + "expect: [{region: us-east, check: imap, state: [up, unknown], from: 0s, to: 6h}]\n",
		room + "checks: {banner: {kind: imap, every: 30s, login: false}}\nfaults: [{from: 0s, to: 1h, checks: [imap], effect: auth_stall}]\n",
		head + "faults: [{from: 0s, to: 1h, regions: [us-east], clock: -90s, pulse: {for: 60s, every: 3m}}]\n",
		head + "faults: [{from: 0s, to: 1h, probes: [us-east-1], effect: no_coordinator}]\n",
		head + "maintenance: [{from: 0s, to: 7h}]\nexpect_incidents: []\n",
		"name: a day\nlength: 1d\nregions: {a: 250}\nchecks: {roundtrip: 5m}\nfamilies: [ipv4, ipv6]\nfaults: [{from: 0s, to: 1h, families: [ipv4, ipv6], effect: mail_delay}]\n",
	} {
		if _, err := load(t, text); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

// TestFirstToShow: a run that is hit by several faults meets the one that shows
// first, and the first in the file of those that show at once.
func TestFirstToShow(t *testing.T) {
	var faults []Fault
	for _, e := range []Effect{Slow2s, SlowLogin, HTTP503, AuthTempfail, AuthStall, Busy, GreetingStall, TLSStall, Loss, ConnectReset, ConnectTimeout, OwnNetwork} {
		faults = append(faults, Fault{Effect: e})
	}
	slices.SortStableFunc(faults, Fault.Compare)
	want := []Effect{OwnNetwork, ConnectReset, ConnectTimeout, Loss, TLSStall, GreetingStall, Busy, AuthTempfail, AuthStall, HTTP503, Slow2s, SlowLogin}
	for i, f := range faults {
		if f.Effect != want[i] {
			t.Errorf("number %d is %s, want %s", i+1, f.Effect, want[i])
		}
	}
	for _, e := range allEffects() {
		if e.layer() < 0 {
			t.Errorf("%s is nowhere", e)
		}
	}
}

// TestUplinkNowAndThen: an uplink that fails for a share of the time fails wholly
// while it does, and for each probe by itself.
func TestUplinkNowAndThen(t *testing.T) {
	half := Fault{From: Offset(minute), To: Offset(11*time.Hour + 5*time.Second), Regions: []string{"a"}, Effect: OwnNetwork, Share: 0.3}
	busy := Fault{To: Offset(time.Hour), Effect: Busy, Share: 0.3}
	s := Scenario{Length: 12 * time.Hour, Regions: map[string]int{"a": 2, "b": 1}, Faults: []Fault{half, busy}}.Unfold()
	out := map[string]map[Offset]bool{"a-1": {}, "a-2": {}}
	for _, f := range s.Faults {
		if f.Effect == Busy {
			continue
		}
		if len(f.Probes) != 1 || !f.Whole() || f.To > half.To || f.To-f.From > Offset(slot) || (f.From-half.From)%Offset(slot) != 0 {
			t.Fatalf("got %+v", f)
		}
		out[f.Probes[0]][f.From] = true
	}
	both := 0
	for at := range out["a-1"] {
		if out["a-2"][at] {
			both++
		}
	}
	if one, two := len(out["a-1"]), len(out["a-2"]); len(out) != 2 || one < 700 || one > 880 || two < 700 || two > 880 || both < 180 || both > 300 {
		t.Errorf("%d and %d slots of 2637, %d of them the same, want three in ten, and of those three in ten", one, two, both)
	}
	if !slices.ContainsFunc(s.Faults, func(f Fault) bool { return cmp.Equal(f, busy) }) {
		t.Errorf("got %+v, want what hits runs as it was", s.Faults[len(s.Faults)-1])
	}
}

// TestUnfoldedNoise: it is the same every time, another for each seed, and about
// as much as was asked for.
func TestUnfoldedNoise(t *testing.T) {
	s := Scenario{
		Length: 100 * day, Regions: map[string]int{"a": 3, "b": 2}, Checks: map[string]Check{"imap": {Every: 30 * time.Second}, "smtp": {Every: time.Minute}},
		Noise: Noise{Flake: 0.01, Local: 2, Path: 0.5, Seed: 1},
	}
	one, again := s.Unfold(), s.Unfold()
	s.Noise.Seed = 2
	if diff := cmp.Diff(one, again, cmp.AllowUnexported(Expectation{}, ExpectedIncident{})); diff != "" || cmp.Equal(one.Faults, s.Unfold().Faults) {
		t.Errorf("with one seed %s; with another the same", diff)
	}
	count, sum := map[Effect]int{}, map[Effect]time.Duration{}
	for _, f := range one.Faults[2:] {
		kind := f.Effect
		if len(f.Regions) > 0 {
			kind = "path"
		}
		count[kind]++
		sum[kind] += time.Duration(f.To - f.From)
	}
	locals := count[OwnNetwork] + count[ConnectTimeout]
	if one.Faults[0].Share+one.Faults[1].Share != 0.01 || locals < 850 || locals > 1150 || count[ConnectTimeout] < 25 || count[ConnectTimeout] > 80 || count["path"] < 70 || count["path"] > 130 {
		t.Errorf("got %v, want 1000 local faults, 50 of them with an uplink that works, and 100 of paths", count)
	}
	if mean := sum[OwnNetwork] / time.Duration(count[OwnNetwork]); mean < 105*time.Second || mean > 135*time.Second {
		t.Errorf("a local fault takes %s, want 120 s", mean)
	}
	if mean := sum["path"] / time.Duration(count["path"]); mean < 135*time.Second || mean > 225*time.Second {
		t.Errorf("a fault of a path takes %s, want 180 s", mean)
	}
	for _, e := range one.Expect {
		if short := time.Duration(e.To-e.From) < 2*s.Checks[e.Check].Every; short != e.permitted {
			t.Errorf("%+v: permitted only %v", e, e.permitted)
		}
	}
	if len(one.Expect) != 2*count["path"] {
		t.Errorf("got %d expectations of %d faults of paths and two checks", len(one.Expect), count["path"])
	}
}

// TestPulse: what comes and goes is there for so long from the beginning of every
// stretch, and neither after its end nor after that of the scenario.
func TestPulse(t *testing.T) {
	f := Fault{From: Offset(10 * minute), To: Offset(16*minute + 30*time.Second), Checks: []string{"imap"}, Effect: Busy, Share: 0.5}
	s := Scenario{Length: time.Hour, Regions: map[string]int{"a": 1}, Faults: []Fault{f}}
	s.Faults[0].Pulse = Pulse{For: minute, Every: 3 * minute}
	piece := func(from, to time.Duration) Fault {
		f.From, f.To = Offset(from), Offset(to)
		return f
	}
	want := []Fault{piece(10*minute, 11*minute), piece(13*minute, 14*minute), piece(16*minute, 16*minute+30*time.Second)}
	if diff := cmp.Diff(want, s.Unfold().Faults); diff != "" {
		t.Error(diff)
	}
	s.Length = 13 * minute
	if diff := cmp.Diff(want[:1], s.Unfold().Faults); diff != "" {
		t.Error(diff)
	}
	// An uplink that comes and goes does so for a share of the time that it is there.
	s.Length, s.Faults[0].Effect, s.Faults[0].Checks = time.Hour, OwnNetwork, nil
	for _, f := range s.Unfold().Faults {
		if in := time.Duration(f.From-Offset(10*minute)) % (3 * minute); in >= minute || !f.Whole() {
			t.Errorf("got %+v, want it in the first minute of three", f)
		}
	}
}

// TestNamesOfChecks: a check and its service are named like its kind, and it logs
// in, where nothing else is said.
func TestNamesOfChecks(t *testing.T) {
	for _, tt := range []struct {
		check         Check
		kind, service string
		login         bool
	}{
		{Check{}, "imap", "imap", true},
		{Check{Kind: "smtp", Login: new(bool)}, "smtp", "smtp", false},
		{Check{Kind: "smtp", Service: "mail"}, "smtp", "mail", true},
	} {
		if kind, service := tt.check.Is("imap"), tt.check.Of("imap"); kind != tt.kind || service != tt.service || tt.check.LogsIn() != tt.login {
			t.Errorf("%+v: got %s of %s, logs in %t", tt.check, kind, service, tt.check.LogsIn())
		}
	}
}

// FuzzLoad: whatever is in a file is a scenario that can be unfolded and judged, or an
// error.
func FuzzLoad(f *testing.F) {
	f.Add(head + "faults: [{from: 0s, to: 1h, regions: [us-east], clock: -90s, pulse: {for: 60s, every: 3m}}]\n")
	f.Add(room + "checks: {banner: {kind: imap, every: 30s, login: false}}\nmaintenance: [{from: 0s, to: 1h}]\n")
	f.Add(head + "noise: {flake: 0.01, local: 2, path: 0.5, seed: 1}\nexpect: [{region: us-east, check: imap, state: [up, down], from: 0s, to: 1h}]\n")
	f.Add(head + "expect_incidents: [{services: [imap], regions: [us-east], from: 0s, to: 1h}]\n")
	f.Add(head + "faults: [{from: 0s, to: 1h, effect: own_network, share: 0.5}, {from: 0s, to: 1h, partition: [[us-east]]}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := load(t, text)
		if err != nil || s.Length > day || len(s.Names()) > 100 || len(s.Faults) > 100 {
			return
		}
		j := s.Unfold().Judge(Record{}, Record{})
		if j.Found+j.Missed != j.Expected || j.False != 0 {
			t.Errorf("judged %+v of nothing", j)
		}
	})
}
