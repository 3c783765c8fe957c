package fleettest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"time"

	"varde/checks"
	"varde/coordinator/server"
	"varde/proto/wire"
)

// Verdict is one element of /api/v1/verdicts.
type Verdict struct {
	Check   string    `json:"check"`
	Service string    `json:"service"`
	Region  string    `json:"region"`
	Family  string    `json:"family"`
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason"`
	Up      int       `json:"up"`
	Down    int       `json:"down"`
	Unknown int       `json:"unknown"`
}

// Verdicts are the coordinator's verdicts now.
func (f *Fleet) Verdicts() []Verdict {
	f.t.Helper()
	var out []Verdict
	f.Get("/api/v1/verdicts", &out)
	return out
}

// State is the verdict of one check in one region, over IPv4.
func (f *Fleet) State(check, region string) string {
	f.t.Helper()
	for _, v := range f.Verdicts() {
		if v.Check == check && v.Region == region && v.Family == "ipv4" {
			return v.State
		}
	}
	return "none"
}

// Getter reads JSON from an operator listener, as [Fleet.Get] does; it ends the test
// when it cannot.
type Getter func(path string, into any)

// Probe is a part of one element of /api/v1/probes.
type Probe struct {
	Name      string    `json:"name"`
	Region    string    `json:"region"`
	State     string    `json:"state"`
	LastSeen  time.Time `json:"last_seen"`
	Qualified *bool     `json:"qualified"`
	Reason    string    `json:"reason"`
	// ClockOffset is how far its clock is ahead, in milliseconds; nil while that is not
	// known.
	ClockOffset *float64 `json:"clock_offset_ms"`
	// Relay is by which peer its records come; empty for by themselves.
	Relay  string   `json:"relay"`
	Faults []string `json:"faults"`
	Counts struct {
		Runs         uint64 `json:"runs"`
		Disqualified uint64 `json:"disqualified_failures"`
		// ConfirmsRefused requests were not obeyed.
		ConfirmsRefused uint64 `json:"confirms_refused"`
	} `json:"counts"`
}

// Probes are the probes that the coordinator knows, by name.
func (f *Fleet) Probes() map[string]Probe {
	f.t.Helper()
	return ReadProbes(f.Get)
}

// ReadProbes is [Fleet.Probes] of any coordinator.
func ReadProbes(get Getter) map[string]Probe {
	var list []Probe
	get("/api/v1/probes", &list)
	out := map[string]Probe{}
	for _, p := range list {
		out[p.Name] = p
	}
	return out
}

// Observations are the newest 1000 of those that ended between two times, either of
// which may be zero, the newest first. The filters are parameters of
// /api/v1/observations.
func (f *Fleet) Observations(from, to time.Time, filters url.Values) []checks.Observation {
	f.t.Helper()
	return ReadObservations(f.Get, from, to, filters)
}

// ReadObservations is [Fleet.Observations] of any coordinator.
func ReadObservations(get Getter, from, to time.Time, filters url.Values) (out []checks.Observation) {
	query := url.Values{"limit": {"1000"}}
	maps.Copy(query, filters)
	for name, at := range map[string]time.Time{"from": from, "to": to} {
		if !at.IsZero() {
			query.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	get("/api/v1/observations?"+query.Encode(), &out)
	return out
}

// Journal stops every program and hands what the journal holds to fn, in
// order.
func (f *Fleet) Journal(fn func(wire.Batch)) {
	f.t.Helper()
	for name := range f.probes {
		f.StopProbe(name)
	}
	f.StopCoordinator()
	err := server.ReadJournal(f.Context(), f.coordinator.dir, func(b wire.Batch) error {
		fn(b)
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// Public reads JSON from the public listener.
func (f *Fleet) Public(path string, into any) {
	f.t.Helper()
	if err := f.get(netAddr(coordinatorAddr, publicPort), path, into); err != nil {
		f.t.Fatal(err)
	}
}

// PublicText reads what the public listener answers.
func (f *Fleet) PublicText(path string) string {
	f.t.Helper()
	body, _, err := f.read(netAddr(coordinatorAddr, publicPort), path)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(body)
}

// Events reads the operators' event stream until the given time has passed.
func (f *Fleet) Events(d time.Duration) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), d)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+netAddr(loopback, opsPort)+"/api/v1/stream", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := f.client().Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if ctx.Err() == nil {
		f.t.Fatalf("stream ended by itself: %v", err)
	}
	return string(text)
}

// Get reads JSON from the operator listener, as a script would.
func (f *Fleet) Get(path string, into any) {
	f.t.Helper()
	if err := f.get(netAddr(loopback, opsPort), path, into); err != nil {
		f.t.Fatal(err)
	}
}

// Text reads what the operator listener answers, and the header that came with
// it.
func (f *Fleet) Text(path string) (string, http.Header) {
	f.t.Helper()
	body, header, err := f.read(netAddr(loopback, opsPort), path)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(body), header
}

func (f *Fleet) get(address, path string, into any) error {
	body, _, err := f.read(address, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

func (f *Fleet) read(address, path string) ([]byte, http.Header, error) {
	resp, err := f.client().Get("http://" + address + path)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, resp.Status, body)
	}
	return body, resp.Header, err
}

// Peers is how many members of the mesh a probe told the coordinator of.
func (f *Fleet) Peers(name string) int {
	f.t.Helper()
	return len(f.server.Peers(name))
}

// client is a browser on the coordinator's own machine.
func (f *Fleet) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return f.coordinator.host.DialContext(ctx, network, address)
		},
		DisableKeepAlives: true,
	}}
}
