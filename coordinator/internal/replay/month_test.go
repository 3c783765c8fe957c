package replay

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/recording"
	"varde/coordinator/internal/verdict"
)

// many is the fleet of a month: 500 series at one observation in 10 s.
func many() fleet {
	return fleet{checks: 50, regions: 5, probes: 3, every: 30 * time.Second, families: []checks.Family{checks.IPv4, checks.IPv6}}
}

// troubles are two outages a day, of four kinds.
func troubles(days int) []outage {
	kinds := [...]outage{
		{check: 3, region: 1, from: 14*time.Hour + 23*time.Minute, length: 67 * time.Minute, phase: checks.Connect, class: checks.ConnectTimeout},
		{check: 17, region: -1, from: 3*time.Hour + 10*time.Minute + 30*time.Second, length: 12 * time.Minute, phase: checks.Greeting, class: checks.Busy},
		{check: 29, region: 4, family: checks.IPv6, from: 19 * time.Hour, length: 4 * time.Hour, phase: checks.TLS, class: checks.CertExpired},
		{check: 41, region: 0, from: 9*time.Hour + 7*time.Minute, length: 30 * time.Minute, phase: checks.Auth, class: checks.AuthTimeout},
	}
	var out []outage
	for day := range days {
		for _, k := range []int{day % 4, (day + 2) % 4} {
			o := kinds[k]
			o.check, o.from = (o.check+day)%many().checks, o.from+time.Duration(day)*24*time.Hour
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b outage) int { return int(a.from - b.from) })
	return out
}

// monthDays is how many days are played: a tenth of a month, or as many as VARDE_DAYS says.
func monthDays(b *testing.B) int {
	text := os.Getenv("VARDE_DAYS")
	if text == "" {
		return 3
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 {
		b.Fatalf("VARDE_DAYS: got %q, expected a number of days", text)
	}
	return days
}

// BenchmarkMonth judges the journal of a tenth of a month of 500 series, 12.96 M
// observations, told and final, and looks whether the outcome is right. The whole
// month is played by
//
//	VARDE_DAYS=30 go test -run '^$' -bench '^BenchmarkMonth$' -benchtime 1x -timeout 1h ./coordinator/internal/replay
//
// The journal is written half a day at a time, judged and removed, which takes 1.4 GB of
// disk; what it takes to write is told apart. A thousand observations come together, as
// when a coordinator was away for a moment. BenchmarkRun has them two at a time, as they
// are in a journal that was written while so small a fleet looked.
func BenchmarkMonth(b *testing.B) {
	f, days := many(), monthDays(b)
	names := []recording.Names{recording.NamesOf("c.yaml", f.config())}
	for b.Loop() {
		s := &serial{b: b, scribe: newScribe(f, troubles(days), 1000), names: names, until: time.Duration(days) * 24 * time.Hour, heap: watch()}
		began, before := time.Now(), spent(b)
		outcomes, read, err := Run(b.Context(), Options{Source: s, Policies: []Policy{f.policy()}})
		if err != nil {
			b.Fatal(err)
		}
		n := float64(read.Observations)
		b.ReportMetric(n/(time.Since(began)-s.writing).Seconds(), "observations/s")
		b.ReportMetric(float64(spent(b)-before-s.spent)/n, "cpu-ns/observation")
		b.ReportMetric(float64(s.heap.peak())/(1<<20), "peak-heap-MB")
		b.ReportMetric(s.writing.Seconds(), "s-to-write")
		truth{s.scribe, outcomes[0], read}.check(b)
	}
}

// serial is a recording that is written while it is read, so that the disk need hold
// no more of it than a part.
type serial struct {
	b      *testing.B
	scribe *scribe
	names  []recording.Names
	until  time.Duration
	heap   *heapWatch
	// writing and spent are what it took to write.
	writing time.Duration
	spent   int64
}

// parts is how much of a recording is on disk at a time.
const parts = 12 * time.Hour

func (s *serial) Read(ctx context.Context, fn func(*checks.Observation) error) error {
	for s.scribe.at() < s.until {
		data := s.write()
		if err := (recording.Journal{Dir: data, Names: s.names}).Read(ctx, fn); err != nil {
			return err
		}
		if err := os.RemoveAll(data); err != nil {
			return err
		}
	}
	return nil
}

func (s *serial) write() (data string) {
	s.heap.asleep.Store(true)
	defer s.heap.asleep.Store(false)
	began, before := time.Now(), spent(s.b)
	data = s.scribe.write(s.b, min(s.scribe.at()+parts, s.until))
	runtime.GC() // what it threw away is no matter of the judges'
	s.writing, s.spent = s.writing+time.Since(began), s.spent+spent(s.b)-before
	return data
}

// heapWatch looks ten times a second how large the heap is, unless it is asleep.
type heapWatch struct {
	stop, stopped chan struct{}
	asleep        atomic.Bool
	most          uint64
}

func watch() *heapWatch {
	w := &heapWatch{stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(w.stopped)
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			if metrics.Read(sample); !w.asleep.Load() {
				w.most = max(w.most, sample[0].Value.Uint64())
			}
			select {
			case <-tick.C:
			case <-w.stop:
				tick.Stop()
				return
			}
		}
	}()
	return w
}

// peak ends the watch.
func (w *heapWatch) peak() uint64 {
	close(w.stop)
	<-w.stopped
	return w.most
}

// truth is what was played, and what was made of it.
type truth struct {
	*scribe
	outcome Outcome
	read    Read
}

// check wants every outage found at the minute, nothing else, and the numbers that
// follow from the times by closed formula.
func (t truth) check(b *testing.B) {
	if rounds := int(t.at() / t.every); t.read.Observations != rounds*len(t.runs) || t.read.Again {
		b.Errorf("got %+v, want %d rounds of %d observations, read once", t.read, rounds, len(t.runs))
	}
	if found, told := len(t.outcome.Incidents), t.outcome.Alarms; found != len(t.outages) || told != found || len(t.outcome.Unshown) > 0 {
		b.Fatalf("got %d incidents, %d told and %d of them in vain, want the %d outages", found, told, len(t.outcome.Unshown), len(t.outages))
	}
	for k := range t.outages {
		t.found(b, &t.outages[k], &t.outcome.Incidents[k])
	}
	t.spans(b)
	for c, s := range t.outcome.Services {
		up, weights := 0.0, 0.0
		for r, region := range s.Regions {
			want := t.availability(c, r)
			if math.Abs(region.Availability-want) > 1e-9 || region.Coverage != 1 {
				b.Errorf("%s in %s: got %+v, want %.9f and all covered", s.ID, region.ID, region.Number, want)
			}
			up, weights = up+want*float64(r+1), weights+float64(r+1)
		}
		if math.Abs(s.Overall.Availability-up/weights) > 1e-9 {
			b.Errorf("%s: got %.9f over all regions, want %.9f", s.ID, s.Overall.Availability, up/weights)
		}
	}
}

// found wants an incident to be an outage.
func (t truth) found(b *testing.B, o *outage, i *incident.Incident) {
	from, until := noon.Add(o.from), noon.Add(o.from+o.length)
	soon := func(got, after time.Time) bool { return !got.Before(after) && got.Sub(after) < time.Minute }
	if !soon(i.Started, from) || !soon(i.Detected, from) || !soon(i.Recovered, until) {
		b.Errorf("got %s from %s, told %s, to %s, want %s to %s", i.ID, i.Started, i.Detected, i.Recovered, from, until)
	}
	hit := make(map[verdict.Series]bool)
	for k := range t.runs {
		if r := &t.runs[k]; o.hits(r) {
			hit[r.series()] = true
		}
	}
	for _, m := range i.Members {
		if !hit[m.Series] || m.Worst != verdict.Down || m.Phase != o.phase || m.Class != o.class {
			b.Errorf("got %+v in %s, want only what %+v hits", m, i.ID, *o)
		}
	}
	if len(i.Members) != len(hit) {
		b.Errorf("got %d series in %s, want %d", len(i.Members), i.ID, len(hit))
	}
}

// spans wants each series to be up but for the outages.
func (t truth) spans(b *testing.B) {
	hits := 0
	for _, i := range t.outcome.Incidents {
		hits += len(i.Members)
	}
	var n [verdict.States]int
	for _, s := range t.outcome.Spans {
		n[s.State]++
	}
	series := t.checks * t.regions * len(t.families)
	if want := [verdict.States]int{verdict.Unknown: series, verdict.Up: series + hits, verdict.Down: hits}; n != want {
		b.Errorf("got %v spans by state, want %v", n, want)
	}
}

// availability is that of a check in a region: each probe speaks from its first run on,
// and is silent never.
func (t truth) availability(check, region int) float64 {
	var known, down time.Duration
	for p := range t.probes {
		for _, family := range t.families {
			known += t.at() - t.due(check, region, p, family)
			for _, o := range t.outages {
				if o.check == check && (o.region < 0 || o.region == region) && (o.family == checks.NoFamily || o.family == family) {
					down += o.length
				}
			}
		}
	}
	return 1 - float64(down)/float64(known)
}
