package replay

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/recording"
	"varde/proto/wire"
)

// BenchmarkRun judges two quiet hours of 500 series, told and final, from memory and
// as they are recorded; what reading alone costs is a benchmark of package recording.
// The time of processors that one observation takes does not depend on what else the
// machine does.
func BenchmarkRun(b *testing.B) {
	f := many()
	names := []recording.Names{recording.NamesOf("c.yaml", f.config())}
	for _, kind := range []struct {
		name string
		from func([]checks.Observation) Source
	}{
		{"memory", func(list []checks.Observation) Source { return memory(list) }},
		{"lines", func(list []checks.Observation) Source { return recording.Lines{Path: lines(b, list), Names: names} }},
		{"journal", func(list []checks.Observation) Source {
			return recording.Journal{Dir: journaled(b, list, 1000), Names: names}
		}},
		{"journal-by-2", func(list []checks.Observation) Source {
			return recording.Journal{Dir: journaled(b, list, 2), Names: names}
		}},
	} {
		b.Run(kind.name, func(b *testing.B) {
			source, n := kind.from(f.run(2*time.Hour, healthy)), 0
			runtime.GC()
			before := spent(b)
			for b.Loop() {
				_, read, err := Run(context.Background(), Options{Source: source, Policies: []Policy{f.policy()}})
				if err != nil {
					b.Fatal(err)
				}
				n += read.Observations
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "observations/s")
			b.ReportMetric(float64(spent(b)-before)/float64(n), "cpu-ns/observation")
		})
	}
}

// spent is the time of processors that this process has taken, in nanoseconds.
func spent(b *testing.B) int64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return r.Utime.Nano() + r.Stime.Nano()
}

// config is the configuration of the fleet, as far as it names things.
func (f fleet) config() (c config.Config) {
	p := f.policy()
	for _, r := range p.World.Regions {
		c.Regions = append(c.Regions, config.Region{ID: r.ID})
	}
	for _, k := range p.Fleet.Checks {
		c.Services = append(c.Services, config.Service{ID: k.Service})
		c.Checks = append(c.Checks, config.Check{Target: checks.Target{ID: k.ID, Service: k.Service, Every: k.Every}})
	}
	return c
}

// lines writes a recording of JSON lines.
func lines(b *testing.B, list []checks.Observation) (path string) {
	path = filepath.Join(b.TempDir(), "r.jsonl")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(file)
	e := json.NewEncoder(w)
	for _, o := range list {
		if err := e.Encode(o); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// journaled writes the journal of a coordinator, so many observations at a time.
func journaled(b *testing.B, list []checks.Observation, together int) (data string) {
	data = b.TempDir()
	j, err := journal.Open(b.Context(), journal.Options{Dir: filepath.Join(data, "journal"), NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	list = slices.Clone(list)
	seq := make(map[string]uint64)
	for part := range slices.Chunk(list, together) {
		batches := make(map[string]*wire.Batch)
		for _, o := range part {
			seq[o.Probe]++
			o.Seq = seq[o.Probe]
			x := batches[o.Probe]
			if x == nil {
				x = &wire.Batch{Probe: o.Probe, Region: o.Region, Epoch: o.Epoch, Received: part[len(part)-1].End(), ClockKnown: true}
				batches[o.Probe] = x
			}
			x.Records = append(x.Records, wire.Record{Observation: o})
		}
		var group []wire.Batch
		for _, probe := range slices.Sorted(maps.Keys(batches)) {
			group = append(group, *batches[probe])
		}
		if _, err := j.Append(b.Context(), group); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	return data
}
