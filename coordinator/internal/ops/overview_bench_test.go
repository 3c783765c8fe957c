package ops

import (
	"testing"
	"time"
)

// BenchmarkOverview writes the overview of 200 checks in 10 regions, with incidents
// and notices, as after every change of a verdict: what history gives is at hand. Its
// bytes are those of the page.
func BenchmarkOverview(b *testing.B) {
	f := large()
	s := newServer(b, f, func(o *Options) { o.Incidents = troubled(newFake()); o.Refresh = time.Hour })
	for name, path := range map[string]string{"all": "/", "one region": "/?q=oceania", "down": "/?state=down"} {
		b.Run(name, func(b *testing.B) {
			get(s, path)
			n := 0
			for b.Loop() {
				w := get(s, path)
				if w.Code != 200 {
					b.Fatalf("got %d: %s", w.Code, w.Body)
				}
				n = w.Body.Len()
			}
			b.ReportMetric(float64(n), "page-B")
		})
	}
}

// BenchmarkOverviewDrawn is the whole page where history is read for it and all strips
// are drawn anew, which happens once in Options.Refresh.
func BenchmarkOverviewDrawn(b *testing.B) {
	s := newServer(b, large(), func(o *Options) { o.Incidents = troubled(newFake()); o.Refresh = 1 })
	for b.Loop() {
		get(s, "/")
	}
}
