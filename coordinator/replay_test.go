package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/record"
	"varde/coordinator/internal/replay"
)

const replayed = `
advertise: ["c1.example.net:7950"]
regions: [{id: eu-north, name: Northern Europe, weight: 3}, {id: oceania, name: Oceania}]
services: [{id: imap, name: IMAP}]
checks:
  - {id: login, service: imap, kind: imap, url: "imaps://mail.example.net", every: 30s, login: {user: u, password: {file: /nowhere}}}
`

// recorded writes a configuration, one that is harder to alarm, and an hour in which
// nobody in Oceania can log in for ten minutes.
func recorded(t *testing.T) (config, calmer, observations string) {
	t.Helper()
	dir := t.TempDir()
	config, calmer, observations = filepath.Join(dir, "c.yaml"), filepath.Join(dir, "calmer.yaml"), filepath.Join(dir, "r.jsonl")
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	for tick := range 120 {
		for p := range 3 {
			for _, region := range []string{"eu-north", "oceania"} {
				at := noon.Add(time.Duration(tick)*30*time.Second + time.Duration(p)*10*time.Second)
				o := checks.Observation{
					Check: "login", Service: "imap", Probe: fmt.Sprintf("%s-%d", region, p+1), Region: region, Family: checks.IPv4,
					Epoch: "e1", Seq: uint64(tick + 1), Scheduled: at, Started: at, Every: 30 * time.Second,
				}
				o.Outcome, o.Elapsed, o.Address = checks.Up, 80*time.Millisecond, "192.0.2.25:993"
				if region == "oceania" && tick >= 40 && tick < 60 {
					o.Outcome, o.Class, o.FailedPhase = checks.Down, checks.AuthTempfail, checks.Auth
				}
				if err := e.Encode(o); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	harder := strings.Replace(replayed, "every: 30s", "every: 30s, verdict: {failures: 9}", 1)
	for file, text := range map[string]string{config: replayed, calmer: harder, observations: lines.String()} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config, calmer, observations
}

// judge runs the replay command and returns what it printed.
func judge(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &process{stdout: &out, stderr: &errs, now: func() time.Time { return noon }, terminal: func(io.Writer) bool { return false }, signals: unsent}
	code = p.run(t.Context(), append([]string{"replay"}, args...))
	return code, out.String(), errs.String()
}

func TestReplayForPeople(t *testing.T) {
	config, _, observations := recorded(t)
	code, out, errs := judge(t, "--config", config, "--observations", observations)
	want := `720 observations, 22 Nov 2026, 12:00:00 UTC to 22 Nov 2026, 12:59:50 UTC (59 min)

2 changes of verdict; 2 of 2 series began as up
22 Nov 2026, 12:20:30 UTC  login  Oceania  IPv4  up to down  auth_tempfail, 3 of 3 probes, 30 s after the first failure
22 Nov 2026, 12:30:20 UTC  login  Oceania  IPv4  down to up  3 good results in a row from 3 probes

1 incident
` + "INCIDENT" + `

Availability, the share of slots of scheduled runs that were up
  IMAP  all regions      95.821 %  looked 100 %
        Northern Europe  100 %     looked 100 %
        Oceania          83.286 %  looked 100 %
`
	before, rest, _ := strings.Cut(out, "1 incident\n")
	incident, after, _ := strings.Cut(rest, "\n\nAvail") // its words are the business of another room
	got := before + "1 incident\nINCIDENT\n\nAvail" + after
	if diff := cmp.Diff(want, got); code != 0 || diff != "" {
		t.Errorf("exit %d, %s (-want +got)\n%s", code, errs, diff)
	}
	if !strings.HasPrefix(incident, "2026-11-22-imap-") || !strings.Contains(incident, "resolved  10 min  told after 30 s\n  IMAP could not be logged in to from Oceania") {
		t.Errorf("got incident %q", incident)
	}
	if strings.Count(errs, "checks[0].every: got 30s, expected at least 5m") != 1 || strings.Contains(errs, "\x1b") {
		t.Errorf("got %q, want a warning of the floor and no progress", errs)
	}
}

// The object of the contract, and the same bytes again.
func TestReplayForPrograms(t *testing.T) {
	config, _, observations := recorded(t)
	code, out, errs := judge(t, "--config", config, "--observations", observations, "--json")
	if code != 0 {
		t.Fatalf("exit %d, %s", code, errs)
	}
	var got record.Record
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Verdicts); n != 6 || len(got.Incidents) != 1 || len(got.Availability) != 2 {
		t.Errorf("got %s", out)
	}
	last := got.Verdicts[len(got.Verdicts)-1]
	if last.Region != "oceania" || last.State != "up" || last.To != nil || *got.Availability[0].Availability != 1 {
		t.Errorf("got %s", out)
	}
	for _, key := range []string{`"id"`, `"services"`, `"regions"`, `"status": "resolved"`, `"started_at"`, `"detected_at"`, `"resolved_at"`, `"summary"`, `"coverage"`, `"to": null`} {
		if !strings.Contains(out, key) {
			t.Errorf("%s is not in %s", key, out)
		}
	}
	if _, again, _ := judge(t, "--config", config, "--observations", observations, "--json"); again != out {
		t.Errorf("got\n%s\nthe second time\n%s", out, again)
	}
}

func TestReplayAgainst(t *testing.T) {
	config, calmer, observations := recorded(t)
	code, out, errs := judge(t, "--config", config, "--observations", observations, "--against", calmer, "--json")
	if code != 0 {
		t.Fatalf("exit %d, %s", code, errs)
	}
	var got replay.Comparison
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	p, a := got.Policy, got.Against
	if p.Alarms != 1 || a.Alarms != 1 || len(p.Missed)+len(a.Missed) != 0 || *p.Delay.Max >= *a.Delay.Max || p.Config != config {
		t.Errorf("got %s, want one alarm each, the first sooner", out)
	}
	if code, out, _ := judge(t, "--config", config, "--observations", observations, "--against", calmer); code != 0 || !strings.Contains(out, "told after, at most") {
		t.Errorf("exit %d, %s", code, out)
	}
}

// Of a garbled recording nothing is said but where it is garbled.
func TestReplayOfGarbledRecording(t *testing.T) {
	config, _, observations := recorded(t)
	text, err := os.ReadFile(observations)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(observations, text[:len(text)-40], 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := judge(t, "--config", config, "--observations", observations)
	if code != 1 || out != "" || !strings.Contains(errs, "\n"+observations+":720: not one JSON object") {
		t.Errorf("exit %d, %q, %q, want the line", code, out, errs)
	}
	code, out, errs = judge(t, "--config", config, "--observations", observations, "--against", observations)
	if code != 1 || out != "" || !strings.Contains(errs, observations+":2:1: not YAML") {
		t.Errorf("exit %d, %q, %q, want that it is no configuration", code, out, errs)
	}
}
