package agent

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const (
	loadEvery = 10 * time.Second
	// loadBegins is what a fleet of one probe takes to settle, loadLasts what is
	// measured afterwards.
	loadBegins, loadLasts = 45 * time.Second, 30 * time.Second
	// loadArrives is what the last runs of that time take to arrive at most.
	loadArrives = 8 * time.Second
	mb          = 1 << 20
)

// Environment of the helper processes of BenchmarkLoad.
const (
	loadServes = "VARDE_LOAD_SERVES"
	loadBare   = "VARDE_LOAD_BARE"
	loadProbe  = "VARDE_LOAD_PROBE"
)

// loadCase is one kind of load: so many checks every loadEvery, of which the first
// ones look at somebody who takes connections and says nothing.
type loadCase struct {
	scheme     string
	checks     int
	blackholes int
}

func (c loadCase) step() time.Duration { return loadEvery / time.Duration(c.checks) }

// loadRounds is how often each side is measured, by turns: another program of the
// machine can spoil a round, and the median of three leaves out one of them.
const loadRounds = 3

// BenchmarkLoad puts a probe on one core beside a bare scheduler and client that do
// the same, one after the other against the same server: a new connection and one
// request each. The probe also spools with fsync and delivers what it saw. Each
// side has the first core of the machine alone, as on a machine that has no other;
// servers and the coordinator have the second. It reports the medians of three rounds,
// and shares of what the bare one takes:
//
//	go test ./probe/agent -run '^$' -bench Load -benchtime 1x -timeout 60m
//
// Ten thousand checks every 10 s are of plain HTTP: full handshakes of TLS 1.3 cost
// a bare client about a millisecond, so that a thousand a second fill the core
// before there is anything to compare. They are measured at three hundred a second.
// Then a tenth of the targets are black holes: the lateness is that of the others, and
// its share that of what it is without.
func BenchmarkLoad(b *testing.B) {
	for _, c := range []loadCase{{"http", 10_000, 1000}, {"https", 3000, 0}} {
		b.Run(fmt.Sprintf("%s/%d", c.scheme, c.checks), func(b *testing.B) {
			keepTo(b, 1)
			for b.Loop() {
				compareLoad(b, c)
			}
		})
	}
}

// load is what one side took.
type load struct {
	runs     int
	cpu      time.Duration
	rss      int64
	lateness []time.Duration
}

func (l load) p99() float64 {
	slices.Sort(l.lateness)
	return float64(l.lateness[len(l.lateness)*99/100].Microseconds())
}

// cpuPerRun is in microseconds.
func (l load) cpuPerRun() float64 { return float64(l.cpu.Microseconds()) / float64(max(l.runs, 1)) }

// medians are of figures that were measured loadRounds times.
type medians map[string][]float64

func (m medians) add(unit string, n float64) { m[unit] = append(m[unit], n) }

func (m medians) report(b *testing.B) {
	for unit, all := range m {
		b.Logf("%s: %.4g", unit, all)
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], unit)
	}
}

// compareLoad compares a probe with the bare side, and one whose targets are silent in
// part with one whose targets are all well.
func compareLoad(b *testing.B, c loadCase) {
	s, m := newLoadServer(b, c.scheme), medians{}
	for range loadRounds {
		bare, ours := runBare(b, c, s), runLoadedProbe(b, loadCase{c.scheme, c.checks, 0}, s)
		m.add("MB-rss", float64(ours.rss)/mb)
		m.add("x-p99-lateness", ours.p99()/bare.p99())
		m.add("p99-lateness-us", ours.p99())
		m.add("bare-p99-lateness-us", bare.p99())
		m.add("x-cpu", ours.cpuPerRun()/bare.cpuPerRun())
		m.add("cpu-us/run", ours.cpuPerRun())
		m.add("bare-cpu-us/run", bare.cpuPerRun())
		m.add("runs/s", float64(ours.runs)/(loadLasts-loadArrives).Seconds())
		if c.blackholes > 0 {
			holes := runLoadedProbe(b, c, s)
			m.add("MB-rss-blackholes", float64(holes.rss)/mb)
			m.add("x-p99-lateness-blackholes", holes.p99()/ours.p99())
			m.add("p99-lateness-blackholes-us", holes.p99())
		}
	}
	m.report(b)
}
