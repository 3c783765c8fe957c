package history

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// provider is a fleet of ten probes in five regions that ask fifty checks of ten
// services every ten seconds: 500 series, 50 observations a second.
type provider struct {
	config *Config
	random *rand.Rand
	// seq numbers the seconds: in each, a probe tells of every tenth check.
	seq uint64
}

const (
	providerEvery  = 10 * time.Second
	providerChecks = 50
	providerProbes = 10
	// providerRate is how many observations there are in a second.
	providerRate = providerChecks * providerProbes / int(providerEvery/time.Second)
)

func newProvider() *provider {
	p := &provider{config: &Config{MinProbes: 2}, random: rand.New(rand.NewPCG(3, 4))}
	for i, region := range []string{"eu-north", "eu-central", "us-east", "asia-se", "oceania"} {
		p.config.Regions = append(p.config.Regions, Region{region, float64(5 - i)})
		for n := range providerProbes / 5 {
			p.config.Probes = append(p.config.Probes, Probe{fmt.Sprintf("%s-%d", region, n+1), region})
		}
	}
	for i := range providerChecks {
		p.config.Checks = append(p.config.Checks, Check{
			ID: fmt.Sprintf("check-%02d", i), Service: fmt.Sprintf("service-%d", i/5), Every: providerEvery,
		})
	}
	return p
}

// entries are what arrives in [from, to), one entry a second as the journal groups
// what comes together.
func (p *provider) entries(from, to time.Time) []Entry {
	var out []Entry
	for at := from; at.Before(to); at = at.Add(time.Second) {
		p.seq++
		e := Entry{Seq: p.seq}
		for i, probe := range p.config.Probes {
			b := wire.Batch{Probe: probe.Name, Region: probe.Region, Epoch: "e1", Received: at.Add(time.Second), ClockKnown: true}
			for k := range p.config.Checks {
				if (k+i)%10 == int(at.Unix()%10) {
					o := p.run(k, i, at)
					o.Seq = p.seq*providerChecks + uint64(k)
					b.Records = append(b.Records, wire.Record{Observation: o})
				}
			}
			e.Batches = append(e.Batches, b)
		}
		out = append(out, e)
	}
	return out
}

// run is one look: eight phases whose times are spread as those of a network are, by
// a factor, around what the distance and the check make usual. One in 200 fails.
func (p *provider) run(check, probe int, at time.Time) checks.Observation {
	c, from := p.config.Checks[check], p.config.Probes[probe]
	o := checks.Observation{
		Check: c.ID, Service: c.Service, Probe: from.Name, Region: from.Region, Family: checks.IPv4, Epoch: "e1",
		Scheduled: at, Started: at.Add(time.Duration(p.random.IntN(5)) * time.Millisecond), Every: c.Every,
	}
	o.Outcome, o.Address = checks.Up, "192.0.2.25:993"
	far := float64(10 + 40*(probe/2))
	for i, name := range []checks.Phase{
		checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Select, checks.Logout,
	} {
		usual := far * (0.3 + float64((check+i)%4)/4)
		took := time.Duration(usual * math.Exp(0.08*p.random.NormFloat64()) * float64(time.Millisecond))
		if p.random.IntN(1600) == 0 {
			o.Outcome, o.Class, o.FailedPhase = checks.Down, checks.ConnectTimeout, name
			took = 5 * time.Second
		}
		o.Phases = append(o.Phases, checks.PhaseTiming{Name: name, Duration: took})
		if o.Elapsed += took; o.Outcome == checks.Down {
			break
		}
	}
	return o
}

// keeper is a history that is fed as fast as it takes it.
type keeper struct {
	store  *Store
	rollup *Rollup
	// taken are the observations, spent the time of processors that they took, with
	// what keeps them in order: flushing, sealing and the collection of garbage.
	taken int
	spent time.Duration
}

func newKeeper(b *testing.B, p *provider, dir string) *keeper {
	b.Helper()
	k := &keeper{store: open(b, dir, newFakeJournal(), func() *Config { return p.config })}
	b.Cleanup(func() { must(b, k.store.Close()) })
	var err error
	k.rollup, err = NewRollup(k.store)
	must(b, err)
	_, err = k.rollup.reload()
	must(b, err)
	return k
}

func (k *keeper) take(b *testing.B, entries []Entry) {
	b.Helper()
	before := spent(b)
	for _, e := range entries {
		must(b, k.rollup.apply(e))
		k.taken += providerRate
	}
	must(b, k.rollup.tick(time.Now(), false))
	k.spent += spent(b) - before
}

// spent is the time of processors that this process has taken.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// providerDays is how long the fleet is watched: VARDE_DAYS days, or one.
func providerDays(b *testing.B) int {
	b.Helper()
	text := os.Getenv("VARDE_DAYS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("VARDE_DAYS: got %q, expected a number of days", text)
	}
	return n
}

// BenchmarkHistory keeps days of a provider, says what they take on disk by level and
// how long they take to write, and asks what a page asks. A month (129.6 million
// observations) is written by
//
//	VARDE_DAYS=30 go test -run '^$' -bench '^BenchmarkHistory$' -benchtime 1x -timeout 2h ./coordinator/internal/history
func BenchmarkHistory(b *testing.B) {
	days, dir := providerDays(b), b.TempDir()
	// Whole days, and two hours after which the last of them is closed.
	midnight := time.Now().UTC().Truncate(day).Add(-day)
	begin, end := midnight.Add(-time.Duration(days)*day), midnight.Add(2*time.Hour)
	p := newProvider()
	k := newKeeper(b, p, dir)
	b.ResetTimer()
	for at := begin; at.Before(end); at = at.Add(time.Minute) {
		k.take(b, p.entries(at, at.Add(time.Minute)))
	}
	must(b, k.rollup.flush())
	b.ReportMetric(float64(k.taken)/k.spent.Seconds(), "observations/cpu-s")
	k.sizes(b, dir)
	k.repeat(b, end)
	k.ask(b, Query{Service: "service-3", From: end.Add(-30 * day), To: end, Step: 6 * time.Hour})
	k.ask(b, Query{Service: "service-3", From: end.Add(-365 * day), To: end, Step: day})
}

// sizes reports what the levels take, in bytes for an observation.
func (k *keeper) sizes(b *testing.B, dir string) {
	b.Helper()
	whole := 0.0
	report := func(level string, size float64) { b.ReportMetric(size/float64(k.taken), "B/observation-"+level) }
	for _, pattern := range []string{historyFile, "minutes-*.db"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		must(b, err)
		level := 0.0
		for _, file := range files {
			db, err := openSQLite(file, "NORMAL", 1)
			must(b, err)
			_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
			must(b, err)
			must(b, db.Close())
			info, err := os.Stat(file)
			must(b, err)
			level += float64(info.Size())
		}
		if whole += level; pattern != historyFile {
			report("minutes", level)
		}
	}
	var history float64
	must(b, k.store.reads.QueryRow(`SELECT sum(pgsize) FROM dbstat WHERE name IN ('past', 'sqlite_autoindex_past_1', 'probe_past', 'sqlite_autoindex_probe_past_1')`).Scan(&history))
	report("hours-and-days", history)
	report("all", whole)
}

// repeat fills the year before with copies of the newest day that is closed.
func (k *keeper) repeat(b *testing.B, now time.Time) {
	b.Helper()
	const back = `WITH RECURSIVE back (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM back WHERE n < 366) `
	must(b, k.store.write(func(w *writer) {
		for _, table := range []string{"past", "probe_past"} {
			w.exec(back + `INSERT OR IGNORE INTO ` + table + ` SELECT series, unit, at - n * 86400, sums, latencies, phases FROM ` + table + `, back
				WHERE unit = 'hour' AND at = (SELECT max(at) FROM past WHERE unit = 'hour')`)
		}
		w.exec(back + `INSERT OR IGNORE INTO day SELECT series, at - n * 86400, up_ms, down_ms, unknown_ms, covered, minutes,
			runs_up, runs_down, runs_unknown, latency, phases, failures FROM day, back WHERE at = (SELECT max(at) FROM day)`)
		w.months(now)
	}))
}

// ask measures the numbers and the percentiles of a service in all regions: the
// fastest time, in which the machine did least else.
func (k *keeper) ask(b *testing.B, q Query) {
	b.Helper()
	took := time.Hour
	for range 9 {
		began := time.Now()
		a, l, err := k.store.AvailabilityAndLatency(context.Background(), q)
		must(b, err)
		took = min(took, time.Since(began))
		if a.Availability == nil || *a.Availability < 0.9 || len(l.Points) == 0 {
			b.Fatalf("got availability %v and %d points of latency, expected both", a.Availability, len(l.Points))
		}
	}
	b.ReportMetric(float64(took.Microseconds())/1000, fmt.Sprintf("ms/%d-days", q.To.Sub(q.From)/day))
}
