package server

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/checks/checktest"
	"varde/coordinator/internal/evidence"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/register"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

const (
	dark   = "2000-01-01-imap-aaaaa"
	partly = "2000-01-01-imap-bbbbb"
)

// written puts incidents where a former life of the coordinator would have.
func written(t *testing.T, data string, list ...incident.Case) {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Dir: filepath.Join(data, "journal"), NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := j.Bucket(t.Context(), "incidents")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		value, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Put(t.Context(), "incident."+c.ID, value, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEvidence: what a probe reports of an incident's checks is kept, and handed over
// in one file that this coordinator signed, with what was merged into the incident.
func TestEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, small+`  - {id: imap-b, service: imap, kind: imap, url: "imaps://other.example.net", every: 30s}`+"\n"+
			`  - {id: imap-c, service: imap, kind: imap, url: "imaps://third.example.net", every: 30s}`+"\n")
		c.Data = t.TempDir()
		began := time.Now().UTC()
		made := func(id, check string) incident.Case {
			series := verdict.Series{Check: check, Region: "eu-north", Family: checks.IPv4}
			return incident.Case{Incident: incident.Incident{
				ID: id, Key: incident.Key{Service: "imap", Group: incident.Reach, Start: began, Check: check, Region: "eu-north", Family: checks.IPv4},
				Stage: incident.Investigating, Started: began.Add(2 * time.Hour), Detected: began.Add(2 * time.Hour),
				Members: []incident.Member{{Series: series, Service: "imap", State: verdict.Down, Worst: verdict.Down, Since: began, Group: incident.Reach}},
				Steps:   []incident.Step{{At: began.Add(2 * time.Hour), Kind: incident.Opened, Series: series, To: verdict.Down, Words: "IMAP is down."}},
			}}
		}
		part := made(partly, "imap-b")
		part.Edits.MergedInto = &incident.Mark{At: began, By: "kari", Text: dark}
		written(t, c.Data, made(dark, "imap-a"), part)
		host := checktest.NewInternet().Host(netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("127.0.0.1"))
		s, err := New(Options{Config: c, Logger: slog.New(slog.DiscardHandler), NoSync: true, Listen: host.Listen, Version: "9.9"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		observe(t, s, 180)
		time.Sleep(time.Minute)
		checkEvidence(ctx, t, s)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// report has one probe look at three checks once a minute.
func observe(t *testing.T, s *Server, minutes int) {
	t.Helper()
	for i := range uint64(minutes) {
		b := wire.Batch{Epoch: "e1", Received: time.Now(), ClockKnown: true}
		for k, check := range []string{"imap-a", "imap-b", "imap-c"} {
			b.Records = append(b.Records, wire.Record{Observation: checks.Observation{
				Check: check, Service: "imap", Family: checks.IPv4, Seq: 3*i + uint64(k) + 1, Scheduled: time.Now(), Started: time.Now(), Every: time.Minute,
				Result: checks.Result{Outcome: checks.Up, Address: "192.0.2.25:993"},
			}})
		}
		b.Attribute("osl-1", "eu-north", "osl")
		if _, err := s.journal.Append(t.Context(), []wire.Batch{b}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
	}
}

// checkEvidence asks for the file, and reads it.
func checkEvidence(ctx context.Context, t *testing.T, s *Server) {
	t.Helper()
	var out bytes.Buffer
	if err := s.Evidence(ctx, dark, &out); err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(out.Bytes())
	if _, err := evidence.Verify(r, r.Size(), s.authority.PlanKey()); err != nil {
		t.Error(err)
	}
	z, err := zip.NewReader(r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	lines := files["observations.jsonl"]
	if a, b, c := strings.Count(lines, `"check":"imap-a"`), strings.Count(lines, `"check":"imap-b"`), strings.Count(lines, `"check":"imap-c"`); a != 120 || b != 120 || c != 0 {
		t.Errorf("%d, %d and %d observations, want 120 of two checks: those of the last two of three hours", a, b, c)
	}
	for name, want := range map[string]string{
		"incident.json": partly, "plan.json": "imaps://other.example.net", "README.txt": "9.9", "probes.json": `"name": "osl-1"`, "summary.html": "Northern Europe", "verdicts.json": `"check": "imap-a"`,
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s does not hold %q:\n%.2000s", name, want, files[name])
		}
	}
	if err := s.Evidence(ctx, partly, io.Discard); err == nil || !strings.Contains(err.Error(), "is a part of "+dark) {
		t.Errorf("a part of another: %v", err)
	}
	if err := s.Evidence(ctx, "x", io.Discard); !errors.Is(err, register.ErrNoIncident) {
		t.Errorf("none: %v", err)
	}
}

// TestWants: an incident is of interest until the journal can hold nothing of it.
func TestWants(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w := wantOf(incident.Incident{ID: dark, Started: at, Resolved: at.Add(time.Hour), Members: []incident.Member{
		{Series: verdict.Series{Check: "b", Region: "x"}}, {Series: verdict.Series{Check: "a"}}, {Series: verdict.Series{Check: "b", Region: "y"}},
	}})
	if strings.Join(w.Checks, " ") != "a b" || !w.From.Equal(at) || !w.Until.Equal(at.Add(time.Hour)) {
		t.Errorf("got %+v", w)
	}
	if w := wantOf(incident.Incident{ID: dark, Draft: true, Key: incident.Key{Check: "c"}}); strings.Join(w.Checks, " ") != "c" {
		t.Errorf("a draft: %+v", w)
	}
	over := evidence.Want{From: at, Until: at.Add(time.Hour)}
	for name, x := range map[string]struct {
		wants       []evidence.Want
		now         time.Time
		from, until time.Duration
	}{
		"over":         {[]evidence.Want{over}, at.Add(10 * time.Hour), -time.Hour, 2 * time.Hour},
		"just over":    {[]evidence.Want{over}, at.Add(90 * time.Minute), -time.Hour, 90 * time.Minute},
		"one goes on":  {[]evidence.Want{{From: at.Add(-time.Hour)}, over}, at.Add(10 * time.Hour), -2 * time.Hour, 10 * time.Hour},
		"one was long": {[]evidence.Want{{From: at, Until: at.Add(5 * time.Hour)}, over}, at.Add(10 * time.Hour), -time.Hour, 6 * time.Hour},
	} {
		if from, until := windowOf(x.wants, x.now); !from.Equal(at.Add(x.from)) || !until.Equal(at.Add(x.until)) {
			t.Errorf("%s: from %v to %v, want %v to %v after", name, from, until, x.from, x.until)
		}
	}
}
