package deploy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/checks/checktest"
	"varde/deploy/bridge"
	"varde/deploy/fleettest"
	"varde/deploy/mailstack"
)

// hosts are nine probes in three regions, a coordinator, a mail provider and a
// part of the rest of the world, each in a network namespace of its own.
type hosts struct {
	*programs
	*bridge.Bridge
	coordinator, mail, world *bridge.Host
	// probes are by name, regions the probes of each.
	probes  map[string]*bridge.Host
	regions map[string][]*bridge.Host
}

// TestNamespaces lets nine real probes and a real coordinator work over the
// kernel's own network, and cuts it in five ways: each has the effect that it
// should have, no other, and is over soon after the network has healed.
func TestNamespaces(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes for five minutes")
	}
	mailstack.Need(t, "namespaces", bridge.Need())
	t.Parallel() // it waits more than it works
	h := newHosts(t)
	h.eventually("everything is up, and the mesh whole", func() bool { return h.allUp() && h.whole() })

	for _, part := range []struct {
		name string
		play func(*testing.T)
	}{
		{"a region is cut off from the coordinator", h.testRelay},
		{"a region is cut off from the mail provider", h.testRegionDown},
		{"a probe is cut off from everything", h.testLonelyProbe},
		{"the mesh is split", h.testSplit},
		{"datagrams are blocked", h.testUDPBlocked},
	} {
		t.Run(part.name, func(t *testing.T) {
			part.play(t)
			h.Heal()
			h.within(2*time.Minute, "everything is well again", func() bool { return h.allUp() && h.whole() && h.direct() })
		})
	}
}

func newHosts(t *testing.T) *hosts {
	h := &hosts{
		programs: buildPrograms(t), Bridge: bridge.New(t),
		probes: map[string]*bridge.Host{}, regions: map[string][]*bridge.Host{},
	}
	h.coordinator, h.mail, h.world = h.Host("10.77.0.1"), h.Host("10.77.0.2"), h.Host("10.77.0.3")
	for _, port := range []int{443, 993, 587} {
		serveOn(t, h.world.Listen(port), nil)
	}
	h.startCoordinator(h.serveMail())
	for r, region := range []string{"eu-north", "us-east", "oceania"} {
		for n := 1; n <= 3; n++ {
			host := h.Host(fmt.Sprintf("10.77.%d.%d", r+1, n))
			h.regions[region] = append(h.regions[region], host)
			h.join(fmt.Sprintf("%s-%d", region, n), region, host)
		}
	}
	return h
}

// serveOn serves HTTP, with TLS where there is a CA, until the test ends.
func serveOn(t *testing.T, l net.Listener, ca *checktest.CA) {
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "webmail\n")
	}), ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	serve := web.Serve
	if ca != nil {
		host, _, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		web.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.Certificate(host)}}
		serve = func(l net.Listener) error { return web.ServeTLS(l, "", "") }
	}
	go func() {
		defer close(done)
		_ = serve(l)
	}()
	t.Cleanup(func() {
		_ = web.Close()
		<-done
	})
}

// serveMail starts the provider and returns the file of its authority.
func (h *hosts) serveMail() (ca string) {
	authority := checktest.NewCA()
	serveOn(h.t, h.mail.Listen(443), authority)
	serveOn(h.t, h.mail.Listen(993), authority)
	ca = filepath.Join(h.dir, "ca.pem")
	if err := os.WriteFile(ca, authority.PEM(), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return ca
}

func (h *hosts) startCoordinator(ca string) {
	grpc := h.coordinator.Address.String() + ":7950"
	body := fmt.Sprintf(`data: %s/data
listen: {grpc: %q, public: "127.0.0.1:8080", ops: "127.0.0.1:8081"}
advertise: [%q]
regions: [{id: eu-north}, {id: us-east}, {id: oceania}]
controls: ["tcp://%[4]s:443", "tcp://%[4]s:993", "tcp://%[4]s:587"]
services: [{id: webmail, consent: true}, {id: imap, consent: true}]
checks:
  - {id: webmail, service: webmail, kind: https, url: "https://%[5]s/", every: 6s, timeout: 3s, ca: {file: %[6]q}}
  - {id: imap, service: imap, kind: tcp, url: "tls://%[5]s:993", every: 6s, timeout: 3s, ca: {file: %[6]q}}
`, h.dir, grpc, grpc, h.world.Address, h.mail.Address, ca)
	config := filepath.Join(h.dir, "coordinator.yaml")
	if err := os.WriteFile(config, []byte(body), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.define("coordinator", h.coordinator.Command(h.coord, "run", "--config", config)...)
	h.start("coordinator")
	h.eventually("coordinator is ready", func() bool { return h.read("/readyz", nil) == nil })
}

// join does what an operator does: `probe add` here, `join` and `run` there.
func (h *hosts) join(name, region string, host *bridge.Host) {
	h.t.Helper()
	h.probes[name] = host
	m := joinLine.FindStringSubmatch(h.command(h.coord, "probe", "add", "--config", filepath.Join(h.dir, "coordinator.yaml"), "--name", name, "--region", region))
	if m == nil {
		h.t.Fatal("probe add printed no join command")
	}
	state := filepath.Join(h.dir, name)
	h.command(host.Command(h.probe, "join", m[1], "--state", state)...)
	config := filepath.Join(h.dir, name+".yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "state: %s\n", state), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.define(name, host.Command(h.probe, "run", "--config", config, "--log-level", "debug")...)
	h.start(name)
}

// read reads JSON from the operator listener; into may be nil.
func (h *hosts) read(path string, into any) error {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return h.coordinator.Dial(ctx, address)
		}, DisableKeepAlives: true,
	}}
	resp, err := client.Get("http://127.0.0.1:8081" + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s: %s", path, resp.Status, body)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

func (h *hosts) mustRead(path string, into any) {
	h.t.Helper()
	if err := h.read(path, into); err != nil {
		h.t.Fatal(err)
	}
}

// states are the verdicts: state -> "check in region", in order.
func (h *hosts) states() map[string][]string {
	var list []struct{ Check, Region, State string }
	h.mustRead("/api/v1/verdicts", &list)
	out := map[string][]string{}
	for _, v := range list {
		out[v.State] = append(out[v.State], v.Check+" in "+v.Region)
	}
	for _, series := range out {
		slices.Sort(series)
	}
	return out
}

func (h *hosts) allUp() bool {
	s := h.states()
	return len(s) == 1 && len(s["up"]) == 2*len(h.regions)
}

// told is what the coordinator knows of the probes.
func (h *hosts) told() map[string]fleettest.Probe { return fleettest.ReadProbes(h.mustRead) }

// direct says whether no probe needs another to reach the coordinator.
func (h *hosts) direct() bool {
	for _, p := range h.told() {
		if p.Relay != "" {
			return false
		}
	}
	return true
}

// members is how many members of the mesh each probe sees.
func (h *hosts) members() map[string]int {
	out := map[string]int{}
	for name := range h.probes {
		var s struct{ Mesh struct{ Peers []struct{} } }
		text := h.command(h.probe, "status", "--json", "--state", filepath.Join(h.dir, name))
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			h.t.Fatal(err)
		}
		out[name] = len(s.Mesh.Peers)
	}
	return out
}

func (h *hosts) whole() bool { return h.all(len(h.probes)) }

// all says whether every probe sees so many members.
func (h *hosts) all(members int) bool {
	for _, n := range h.members() {
		if n != members {
			return false
		}
	}
	return true
}

// except are the hosts of all probes but some.
func (h *hosts) except(without ...*bridge.Host) (out []*bridge.Host) {
	for _, host := range h.probes {
		if !slices.Contains(without, host) {
			out = append(out, host)
		}
	}
	return out
}

// keeps looks once a second for a while and fails if something is not so.
func (h *hosts) keeps(t *testing.T, d time.Duration, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.After(d); ; {
		select {
		case <-end:
			return
		case <-tick.C:
			if !so() {
				t.Fatalf("not so all the time: %s; verdicts %v", what, h.states())
			}
		}
	}
}

func (h *hosts) testRelay(t *testing.T) {
	began := time.Now()
	h.Cut("", h.regions["eu-north"], []*bridge.Host{h.coordinator})
	h.within(time.Minute, "all probes of the region report through others", func() bool {
		p := h.told()
		return p["eu-north-1"].Relay != "" && p["eu-north-2"].Relay != "" && p["eu-north-3"].Relay != ""
	})
	t.Logf("all relayed %s after the cut", time.Since(began).Round(time.Second))
	for name, p := range h.told() {
		if strings.HasPrefix(p.Relay, "eu-north") || p.Region != "eu-north" && p.Relay != "" {
			t.Errorf("%s reports through %q", name, p.Relay)
		}
	}
	h.within(20*time.Second, "verdicts are up", h.allUp)
	h.keeps(t, 15*time.Second, "every verdict is up while a region reports through others", h.allUp)
}

func (h *hosts) testRegionDown(t *testing.T) {
	began := time.Now()
	h.Cut("", h.regions["oceania"], []*bridge.Host{h.mail})
	want := []string{"imap in oceania", "webmail in oceania"}
	h.within(time.Minute, "the region is down", func() bool { return slices.Equal(h.states()["down"], want) })
	t.Logf("told %s after the cut", time.Since(began).Round(100*time.Millisecond))
	h.keeps(t, 15*time.Second, "this region is down and no other", func() bool {
		s := h.states()
		return slices.Equal(s["down"], want) && len(s["up"]) == 4
	})
	h.observed(t, "oceania-1", began, checks.Down, checks.ConnectTimeout)
}

func (h *hosts) testLonelyProbe(t *testing.T) {
	began := time.Now()
	lonely := h.probes["us-east-2"]
	h.Cut("", []*bridge.Host{lonely}, append(h.except(lonely), h.coordinator, h.mail, h.world))
	h.keeps(t, 45*time.Second, "every verdict is up without the one probe", h.allUp)
	// It takes its time: a member to whom nobody answers doubts itself first.
	h.within(time.Minute, "the lonely probe sees itself alone", func() bool { return h.members()["us-east-2"] == 1 })
	h.Heal()
	h.within(time.Minute, "the probe is qualified again", func() bool {
		q := h.told()["us-east-2"].Qualified
		return q != nil && *q
	})
	h.observed(t, "us-east-2", began, checks.Unknown, checks.OwnNetwork)
	blamed := fleettest.ReadObservations(h.mustRead, began, time.Time{}, url.Values{"probe": {"us-east-2"}, "outcome": {"down"}})
	if len(blamed) > 0 {
		t.Errorf("the lonely probe blamed the provider %d times, once for %s (%s)", len(blamed), blamed[0].Class, blamed[0].Detail)
	}
}

// observed says that a probe has a run of the given outcome and class.
func (h *hosts) observed(t *testing.T, probe string, since time.Time, outcome checks.Outcome, class checks.Class) {
	t.Helper()
	h.within(30*time.Second, fmt.Sprintf("a run of %s that is %s, %s", probe, outcome, class), func() bool {
		list := fleettest.ReadObservations(h.mustRead, since, time.Time{}, url.Values{"probe": {probe}, "outcome": {outcome.String()}})
		return slices.ContainsFunc(list, func(o checks.Observation) bool { return o.Class == class })
	})
}

func (h *hosts) testSplit(t *testing.T) {
	side := h.regions["eu-north"]
	h.Cut("", side, h.except(side...))
	h.within(time.Minute, "the mesh is split", func() bool {
		m := h.members()
		return m["eu-north-1"] == 3 && m["eu-north-2"] == 3 && m["us-east-1"] == 6 && m["oceania-3"] == 6
	})
	if !h.allUp() {
		t.Errorf("a split of the mesh changes verdicts: %v", h.states())
	}
	h.Heal()
	began := time.Now()
	h.within(90*time.Second, "one mesh again", h.whole)
	t.Logf("one mesh %s after the network healed", time.Since(began).Round(time.Second))
}

func (h *hosts) testUDPBlocked(t *testing.T) {
	deaf := h.probes["oceania-3"]
	h.Cut("udp", []*bridge.Host{deaf}, h.except(deaf))
	h.within(90*time.Second, "the operator is told", func() bool {
		return slices.Contains(h.told()["oceania-3"].Faults, "udp_blocked")
	})
	h.keeps(t, 30*time.Second, "the probe stays in the mesh over TCP", h.whole)
	for name, p := range h.told() {
		if name != "oceania-3" && slices.Contains(p.Faults, "udp_blocked") {
			t.Errorf("%s is said to be without UDP", name)
		}
	}
}
