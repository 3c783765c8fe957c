package history

import (
	"context"
	"crypto/tls"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"testing"
	"time"

	"varde/checks"
)

// aDay is how many runs a check has in a day that is made every 30 s.
const aDay = 2880

// timing is how long a run and its phases took.
type timing struct {
	whole  time.Duration
	phases []checks.PhaseTiming
}

// TestPercentilesOfADay: p50, p95 and p99 of hours and of a day, of whole runs and of each
// phase, are within 1 % of the exact ones by rank, however the times are spread, and also
// of times that are measured here. They are the same whether a day is put together of
// minutes, of hours, or is a row of its own.
func TestPercentilesOfADay(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	spread := func(of func() float64) func(*testing.T) timing {
		return func(*testing.T) timing {
			connect := time.Duration(of() * float64(time.Millisecond))
			return timing{connect * 5 / 2, []checks.PhaseTiming{{Name: checks.Connect, Duration: connect}, {Name: checks.TLS, Duration: connect * 3 / 2}}}
		}
	}
	for name, run := range map[string]func(*testing.T) timing{
		"log-normal": spread(func() float64 { return 80 * math.Exp(0.4*random.NormFloat64()) }),
		"two modes": spread(func() float64 {
			if random.IntN(4) == 0 {
				return 900 + 30*random.NormFloat64()
			}
			return 20 + random.Float64()
		}),
		"heavy tail": spread(func() float64 { return min(30_000, 5/math.Pow(1-random.Float64(), 1/1.1)) }),
		"measured":   overTLS(t),
	} {
		t.Run(name, func(t *testing.T) { percentilesOf(t, run) })
	}
}

// overTLS measures requests to a server on this machine, each over a connection of its own.
func overTLS(t *testing.T) func(*testing.T) timing {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(s.Close)
	client := s.Client()
	client.Transport.(*http.Transport).DisableKeepAlives = true
	return func(t *testing.T) timing {
		var began, connected, secured time.Time
		trace := &httptrace.ClientTrace{
			ConnectDone:      func(string, string, error) { connected = time.Now() },
			TLSHandshakeDone: func(tls.ConnectionState, error) { secured = time.Now() },
		}
		q, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, s.URL, nil)
		must(t, err)
		began = time.Now()
		r, err := client.Do(q)
		must(t, err)
		_, err = io.Copy(io.Discard, r.Body)
		must(t, err)
		must(t, r.Body.Close())
		return timing{time.Since(began), []checks.PhaseTiming{{Name: checks.Connect, Duration: connected.Sub(began)}, {Name: checks.TLS, Duration: secured.Sub(connected)}}}
	}
}

func percentilesOf(t *testing.T, run func(*testing.T) timing) {
	f, j := newFleet("imap"), newFakeJournal()
	begin, exact := time.Now().UTC().Truncate(day).Add(-2*day), map[string][]time.Duration{}
	var list []checks.Observation
	for i := range aDay {
		o := f.run(f.config.Checks[0], f.config.Probes[0], begin.Add(time.Duration(i)*30*time.Second))
		took := run(t)
		o.Elapsed, o.Phases, o.Seq = took.whole, took.phases, uint64(i+1)
		list = append(list, o)
		exact[""] = append(exact[""], o.Elapsed)
		for _, p := range o.Phases {
			exact[string(p.Name)] = append(exact[string(p.Name)], p.Duration)
		}
	}
	f.arrive(t, j, list, nothingHeld)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	for _, stage := range []string{"open", "sealed"} {
		for phase, times := range exact {
			for _, step := range []time.Duration{time.Hour, day} {
				l, err := m.s.Latency(context.Background(), Query{Check: "imap", Region: "eu-north", Phase: phase, From: begin, To: begin.Add(day), Step: step})
				must(t, err)
				n := int(step / (30 * time.Second))
				if len(l.Points) != aDay/n {
					t.Fatalf("%s, %q: %d points in steps of %s, want %d", stage, phase, len(l.Points), step, aDay/n)
				}
				for i, p := range l.Points {
					within(t, stage+" "+phase, p, times[i*n:(i+1)*n])
				}
			}
		}
		must(t, m.rollup.seal(begin.Add(2*day))) // the day becomes a row, and hours a block
	}
	must(t, m.s.Close())
}

// within compares a point with the exact percentiles of the times that it is made of.
func within(t *testing.T, what string, p LatencyPoint, times []time.Duration) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(times))
	for _, x := range []struct{ q, got float64 }{{0.5, p.P50}, {0.95, p.P95}, {0.99, p.P99}} {
		want := float64(sorted[int(x.q*float64(len(sorted)-1))]) / float64(time.Millisecond)
		// What is told is rounded to a tenth of a millisecond.
		if math.Abs(x.got-want) > 0.01*want+0.0501 {
			t.Errorf("%s, %s: p%v of %d runs is told as %v ms, and is %v", what, p.T, 100*x.q, len(times), x.got, want)
		}
	}
}
