package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// TestMetricsAreConsistent holds the metrics of all parts together to what a registry
// and Prometheus's conventions want: gatherers does not look.
func TestMetricsAreConsistent(t *testing.T) {
	s := opened(t, configured(t, small))
	families, err := prometheus.Gatherers{s.metrics, s.meter}.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
	both, err := gatherers{s.metrics, s.meter}.Gather()
	if err != nil || len(both) != len(families) {
		t.Errorf("%d families beside %d: some have the same name, %v", len(both), len(families), err)
	}
}

// TestNumbersAreReadForScrapes: once a minute while somebody scrapes, and not at all
// while nobody does.
func TestNumbersAreReadForScrapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, configured(t, strings.ReplaceAll(small, "name: IMAP,", "name: IMAP, slo: 99.9,")))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.reckon(ctx) }()
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		wait(time.Hour)
		if s.reckoning.newest.Load() != nil {
			t.Error("numbers were read for nobody")
		}
		for i, c := range []struct{ after, age time.Duration }{{0, 0}, {30 * time.Second, 30 * time.Second}, {30 * time.Second, 0}, {time.Hour, 0}} {
			wait(c.after)
			if _, text := told(s, "/metrics"); i > 0 && !strings.Contains(text, "\nvarde_service_objective_ratio{service=\"imap\"} 0.999") {
				t.Error("no objective")
			}
			synctest.Wait()
			if age := time.Since(s.reckoning.newest.Load().at); age != c.age {
				t.Errorf("scrape %d: numbers are %s old, want %s", i, age, c.age)
			}
		}
		if _, text := told(s, "/metrics"); !strings.Contains(text, "\nvarde_service_coverage_ratio{region=\"\",service=\"imap\"} 0\n") || strings.Contains(text, "varde_service_availability_ratio{") {
			t.Error("nothing was seen: want a coverage of 0 and no availability")
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestAnswersAreTimed: by listener and status, and streams are not.
func TestAnswersAreTimed(t *testing.T) {
	s := opened(t, configured(t, small))
	h := s.timings.of("ops")(s.ops)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/healthz", "/nowhere", "/api/v1/stream"} {
		r := httptest.NewRequestWithContext(ended, http.MethodGet, path, http.NoBody)
		r.Host = "127.0.0.1:8081"
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	_, text := told(s, "/metrics")
	for _, code := range []string{"200", "404"} {
		if want := `varde_http_request_duration_seconds_count{code="` + code + `",listener="ops"} 1`; !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// TestBurnWindow: as methods and rules call them.
func TestBurnWindow(t *testing.T) {
	for want, d := range map[string]time.Duration{"5m": 5 * time.Minute, "6h": 6 * time.Hour, "3d": 72 * time.Hour} {
		if got := burnWindow(d); got != want {
			t.Errorf("%s is called %s, want %s", d, got, want)
		}
	}
}
