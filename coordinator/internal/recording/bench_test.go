package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// names are those of a small fleet.
func names() Names {
	return NamesOf("coordinator.yaml", config.Config{
		Regions:  []config.Region{{ID: "eu-north"}, {ID: "oceania"}},
		Services: []config.Service{{ID: "imap"}, {ID: "webmail"}},
		Checks: []config.Check{
			{Target: checks.Target{ID: "imap-login", Service: "imap", Every: 30 * time.Second}},
			{Target: checks.Target{ID: "web", Service: "webmail", Every: 30 * time.Second}},
		},
	})
}

// observation is the n-th of a quiet recording.
func observation(n int) checks.Observation {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * 100 * time.Millisecond)
	o := checks.Observation{
		Check: "imap-login", Service: "imap", Probe: fmt.Sprintf("osl-%d", n%3+1), Region: "eu-north", Family: checks.IPv4,
		Epoch: "0192f3a1c2d4-9b1c", Seq: uint64(n/3 + 1), Plan: 7, Scheduled: at, Started: at.Add(2 * time.Millisecond),
	}
	o.Outcome, o.Elapsed, o.Address = checks.Up, 83*time.Millisecond, "192.0.2.25:993"
	for i, p := range []checks.Phase{checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Select} {
		o.Phases = append(o.Phases, checks.PhaseTiming{Name: p, Duration: time.Duration(i+1) * 3100 * time.Microsecond})
	}
	return o
}

// record writes observations to a new file.
func record(t testing.TB, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "recording.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	e := json.NewEncoder(w)
	for i := range n {
		if err := e.Encode(observation(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// BenchmarkLines reads JSON lines, and judges nothing.
func BenchmarkLines(b *testing.B) {
	const n = 200_000
	benchmark(b, n, Lines{Path: record(b, n), Names: []Names{names()}})
}

// kept writes observations into the journal of a new data folder, a thousand at a time.
func kept(t testing.TB, n int) (data string) {
	t.Helper()
	data = t.TempDir()
	j, err := journal.Open(t.Context(), journal.Options{Dir: filepath.Join(data, "journal"), NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < n; i += 1000 {
		byProbe := make(map[string]*wire.Batch)
		for k := i; k < min(i+1000, n); k++ {
			o := observation(k)
			b := byProbe[o.Probe]
			if b == nil {
				b = &wire.Batch{Probe: o.Probe, Region: o.Region, Epoch: o.Epoch, ClockKnown: true}
				byProbe[o.Probe] = b
			}
			b.Received = o.End().Add(time.Second)
			b.Records = append(b.Records, wire.Record{Observation: o})
		}
		var batches []wire.Batch
		for _, probe := range slices.Sorted(maps.Keys(byProbe)) {
			batches = append(batches, *byProbe[probe])
		}
		if _, err := j.Append(t.Context(), batches); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// BenchmarkJournal reads a journal, and judges nothing.
func BenchmarkJournal(b *testing.B) {
	const n = 200_000
	benchmark(b, n, Journal{Dir: kept(b, n), Names: []Names{names()}})
}

// benchmark reads a recording of n observations. Beside the rate it tells the time of
// processors that one takes, which does not depend on what else the machine does.
func benchmark(b *testing.B, n int, r Source) {
	b.ReportAllocs()
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		got := 0
		err := r.Read(b.Context(), func(*checks.Observation) error {
			got++
			return nil
		})
		if err != nil || got != n {
			b.Fatalf("got %d, %v, want %d", got, err, n)
		}
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	total := float64(b.N * n)
	spent := after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano()
	b.ReportMetric(total/b.Elapsed().Seconds(), "observations/s")
	b.ReportMetric(float64(spent)/total, "cpu-ns/observation")
}

// BenchmarkParquet writes a table, which says how many bytes a row takes.
func BenchmarkParquet(b *testing.B) {
	const n = 200_000
	var size int64
	for b.Loop() {
		var out bytes.Buffer
		p := NewParquet(&out)
		for i := range n {
			if err := p.Write(observation(i)); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
		size = int64(out.Len())
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "observations/s")
	b.ReportMetric(float64(size)/n, "bytes/observation")
}
