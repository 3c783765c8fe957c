package ops

import (
	"net/http/httptest"
	"testing"

	"varde/coordinator/pagetest"
)

// serve serves the pages of a fake over a real connection.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	server := httptest.NewServer(s)
	// The overview listens to the stream until it is closed.
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

func TestLargeOverviewInABrowser(t *testing.T) {
	b := pagetest.Start(t)
	url := serve(t, newServer(t, large(), withIncidents(troubled(newFake()))))
	for name, x := range map[string]struct {
		path  string
		width int64
	}{
		"large-1200": {"/", 1200}, "large-1760": {"/", 1760}, "large-1000": {"/", 1000}, "large-360": {"/", 360},
		"large-flat": {"/?group=none", 1200}, "large-region": {"/?group=region", 1200}, "large-state": {"/?group=state&sort=since", 1200}, "large-none": {"/?q=nosuch", 1200},
	} {
		t.Run(name, func(t *testing.T) {
			v := b.Visit(t, url+x.path, x.width)
			v.Until(`document.getElementById("live").textContent === "live"`)
			pagetest.Read[int](v, `document.getElementById("filter").scrollIntoView(), 0`)
			t.Logf("%s: drawn after %.0f ms, of which %.0f ms were the server's; %d kB", name,
				pagetest.Read[float64](v, `performance.getEntriesByType("navigation")[0].loadEventEnd`),
				pagetest.Read[float64](v, `performance.getEntriesByType("navigation")[0].responseEnd`),
				pagetest.Read[int](v, `Math.round(performance.getEntriesByType("navigation")[0].decodedBodySize / 1000)`))
			v.Keep(name)
			v.Quiet()
		})
	}
}
