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

const head = "length: 6h\nregions: {eu-north: 3, us-east: 2}\nchecks: {imap: 30s, https: 1m}\n"

func TestLoad(t *testing.T) {
	got, err := load(t, head+`
families: [ipv4, ipv6]
noise: {flake: 0.01, local: 2, path: 0}
faults:
  - {from: 0s, to: 4h, regions: [us-east], checks: [imap], families: [ipv6], effect: connect_timeout}
  - {from: 2h, to: 2h20m, checks: [https], effect: http_503, share: 0.3}
  - {from: 5h, to: 5h5m, probes: [us-east-2], effect: own_network}
  - {from: 30m, to: 40m, coordinator: down}
  - {from: 50m, to: 55m, partition: [[eu-north], [us-east]]}
expect:
  - {region: us-east, check: imap, families: [ipv6], state: down, from: 0s, to: 4h}
  - {region: us-east, check: https, state: [intermittent, slow], from: 2h, to: 2h20m, history: true}
`)
	if err != nil {
		t.Fatal(err)
	}
	const hour = Offset(time.Hour)
	six := []checks.Family{checks.IPv6}
	want := Scenario{
		Name: "play", Length: 6 * time.Hour, Regions: map[string]int{"eu-north": 3, "us-east": 2},
		Checks:   map[string]time.Duration{"imap": 30 * time.Second, "https": time.Minute},
		Families: []checks.Family{checks.IPv4, checks.IPv6}, Noise: Noise{Flake: 0.01, Local: 2},
		Faults: []Fault{
			{To: 4 * hour, Regions: []string{"us-east"}, Checks: []string{"imap"}, Families: six, Effect: ConnectTimeout},
			{From: 2 * hour, To: 2*hour + hour/3, Checks: []string{"https"}, Effect: HTTP503, Share: 0.3},
			{From: 5 * hour, To: 5*hour + hour/12, Probes: []string{"us-east-2"}, Effect: OwnNetwork},
			{From: hour / 2, To: hour * 2 / 3, Coordinator: "down"},
			{From: hour * 5 / 6, To: hour * 11 / 12, Partition: [][]string{{"eu-north"}, {"us-east"}}},
		},
		Expect: []Expectation{
			{Region: "us-east", Check: "imap", Families: six, State: States{Down}, To: 4 * hour},
			{Region: "us-east", Check: "https", State: States{Intermittent, Slow}, From: 2 * hour, To: 2*hour + hour/3, History: true},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Expectation{})); diff != "" {
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
		head + "faults: [{from: 1h, to: 1h, effect: loss}]\n":                                           "faults[0].to: got 1h0m0s, expected a time after from",
		head + "faults: [{from: soon, to: 1h, effect: loss}]\n":                                         `faults[0].from: got "soon", expected a time after the start`,
		head + "faults: [{from: 0s, to: 1h, effect: fire}]\n":                                           `faults[0].effect: got "fire", expected one of auth_stall`,
		head + "faults: [{from: 0s, to: 1h}]\n":                                                         "faults[0]: got 0 of effect, coordinator and partition",
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
		head + "faults: [{from: 0s, to: 1h, checks: [https], effect: http_503, share: 30}]\n":                                                                "faults[0].share: got 30, expected a share",
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
	for _, e := range []Effect{Slow2s, HTTP503, AuthTempfail, AuthStall, Busy, GreetingStall, TLSStall, Loss, ConnectReset, ConnectTimeout, OwnNetwork} {
		faults = append(faults, Fault{Effect: e})
	}
	slices.SortStableFunc(faults, Fault.Compare)
	want := []Effect{OwnNetwork, ConnectReset, ConnectTimeout, Loss, TLSStall, GreetingStall, Busy, AuthTempfail, AuthStall, HTTP503, Slow2s}
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
		Length: 100 * day, Regions: map[string]int{"a": 3, "b": 2}, Checks: map[string]time.Duration{"imap": 30 * time.Second, "smtp": time.Minute},
		Noise: Noise{Flake: 0.01, Local: 2, Path: 0.5, Seed: 1},
	}
	one, again := s.Unfold(), s.Unfold()
	s.Noise.Seed = 2
	if diff := cmp.Diff(one, again, cmp.AllowUnexported(Expectation{})); diff != "" || cmp.Equal(one.Faults, s.Unfold().Faults) {
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
		if short := time.Duration(e.To-e.From) < 2*s.Checks[e.Check]; short != e.permitted {
			t.Errorf("%+v: permitted only %v", e, e.permitted)
		}
	}
	if len(one.Expect) != 2*count["path"] {
		t.Errorf("got %d expectations of %d faults of paths and two checks", len(one.Expect), count["path"])
	}
}
