package server

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// timings are how long answers took, of pages and of commands.
type timings struct{ *prometheus.HistogramVec }

func newTimings() timings {
	return timings{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "varde_http_request_duration_seconds",
		Help:    "Time from the header of a request to the end of its answer, by listener and status code; without streams of events.",
		Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30},
	}, []string{"listener", "code"})}
}

// of returns what is put around the handler of a listener. A stream of events ends when
// its reader goes, which says nothing of us.
func (t timings) of(listener string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		timed := promhttp.InstrumentHandlerDuration(t.MustCurryWith(prometheus.Labels{"listener": listener}), h)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/stream" {
				h.ServeHTTP(w, r)
				return
			}
			timed.ServeHTTP(w, r)
		})
	}
}
