package meter

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/verdict"
)

// large is a fleet of 200 checks, a quarter of them in HTTP, in 10 regions over both
// families, of which everything is known.
func large(t testing.TB) *Meter {
	t.Helper()
	var phases []checks.PhaseTiming
	for i, p := range []checks.Phase{checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Select, checks.Logout} {
		phases = append(phases, checks.PhaseTiming{Name: p, Duration: 12345678 * 1 << i})
	}
	var targets []checks.Target
	var list []checks.Observation
	for c := range 200 {
		k := target(fmt.Sprintf("check-%03d", c), checks.IMAP, "imaps://mail.example.net")
		if c%4 == 0 {
			k.Kind, k.URL = checks.HTTPS, "https://mail.example.net"
		}
		k.Service, k.Regions = fmt.Sprintf("service-%02d", c/4), nil
		targets = append(targets, k)
		for r := range 10 {
			for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
				o := seen(k.ID, checks.Up, 123456789, phases...)
				o.Region, o.Family = fmt.Sprintf("region-%d", r), f
				list = append(list, o)
			}
		}
	}
	m := metered(t, &journal{}, targets...)
	m.take(arrive(list...))
	var told []history.Verdict
	for s := range m.series {
		told = append(told, history.Verdict{Series: s, State: verdict.Up, Since: list[0].Started})
	}
	ends := make(map[verdict.Series]time.Time)
	for _, v := range told {
		ends[v.Series] = v.Since
	}
	m.options.Verdicts = func() []history.Verdict { return told }
	m.options.CertificateEnds = func() map[verdict.Series]time.Time { return ends }
	return m
}

// scrape returns what a scrape is answered with.
func scrape(g prometheus.Gatherer, encoding string) *bytes.Buffer {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept-Encoding", encoding)
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return w.Body
}

// TestScrapeOfALargeFleet states the size that the package comment gives.
func TestScrapeOfALargeFleet(t *testing.T) {
	m := large(t)
	plain := scrape(m, "identity")
	series := 0
	for line := range bytes.Lines(plain.Bytes()) {
		if line[0] != '#' {
			series++
		}
	}
	const want = 128_162
	if series != want || plain.Len() > 16e6 {
		t.Errorf("%d series in %d bytes, want %d in at most 16 MB", series, plain.Len(), want)
	}
}

// BenchmarkScrape is a scrape of a large fleet.
func BenchmarkScrape(b *testing.B) {
	m := large(b)
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			size := 0
			for b.Loop() {
				size = scrape(m, encoding).Len()
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
