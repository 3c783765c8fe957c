package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/proto/wire"
)

// The size that operators' pages and scrapes are held to.
const largeChecks, largeRegions = 200, 10

// BenchmarkScrape is a scrape of a coordinator of 200 checks in 10 regions over both
// families, with all that it reads: verdicts, journal, incidents, roster. How long it
// takes to read beside the scrapes what those tell of numbers, mails and certificates is
// told apart.
//
//	go test ./coordinator/server -run '^$' -bench Scrape -benchtime 5x
func BenchmarkScrape(b *testing.B) {
	s := largeCoordinator(b)
	began := time.Now()
	next, err := s.reckoned(b.Context(), began)
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	s.reckoning.newest.Store(&next)
	var text string
	for b.Loop() {
		_, text = told(s, "/metrics")
	}
	if n := strings.Count(text, "\nvarde_verdict_state{"); n != largeChecks*largeRegions*2*5 {
		b.Fatalf("%d series of verdicts", n)
	}
	b.ReportMetric(float64(len(text)), "bytes")
	b.ReportMetric(float64(took.Milliseconds()), "reckon-ms")
}

// largeCoordinator runs and has seen one run of every series.
func largeCoordinator(b *testing.B) *Server {
	b.Helper()
	c := config.Config{
		Name: "c1", Data: b.TempDir(), Listen: config.Listen{GRPC: "127.0.0.1:0", Public: "127.0.0.1:0", Ops: "127.0.0.1:0"}, Advertise: []string{"127.0.0.1:1"},
	}
	for r := range largeRegions {
		c.Regions = append(c.Regions, config.Region{ID: regionName(r), Weight: 1})
	}
	for i := range largeChecks {
		id := fmt.Sprintf("service-%d", i/4)
		if i%4 == 0 {
			c.Services = append(c.Services, config.Service{ID: id, Consent: true, SLO: 99.9})
		}
		c.Checks = append(c.Checks, config.Check{Target: checks.Target{ID: checkName(i), Service: id, Kind: checks.IMAP, URL: "imaps://192.0.2.1", Every: 30 * time.Second}})
	}
	s, err := New(Options{Config: c.WithDefaults(), Logger: slog.New(slog.DiscardHandler), NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	for r := range largeRegions {
		if _, err := s.journal.Append(ctx, []wire.Batch{largeBatch(regionName(r))}); err != nil {
			b.Fatal(err)
		}
	}
	deadline := time.After(30 * time.Second)
	for len(s.history.Verdicts()) < largeChecks*largeRegions*2 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			b.Fatal("verdicts are missing after 30 s")
		}
	}
	return s
}

// largeBatch is what one probe of a region sends.
func largeBatch(region string) wire.Batch {
	at := time.Now()
	out := wire.Batch{Probe: region + "-1", Region: region, Epoch: "e", Received: at, ClockKnown: true}
	for i := range largeChecks {
		for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
			o := checks.Observation{
				Check: checkName(i), Service: fmt.Sprintf("service-%d", i/4), Probe: out.Probe, Region: region, Family: f, Epoch: "e",
				Seq: uint64(len(out.Records) + 1), Scheduled: at, Started: at, Every: 30 * time.Second,
				Result: checks.Result{Outcome: checks.Up, Address: "192.0.2.1:993", Elapsed: 40 * time.Millisecond},
			}
			for _, p := range []checks.Phase{checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Select, checks.Logout} {
				o.Phases = append(o.Phases, checks.PhaseTiming{Name: p, Duration: 5 * time.Millisecond})
			}
			out.Records = append(out.Records, wire.Record{Observation: o})
		}
	}
	return out
}
