package ops

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/page"
	"varde/coordinator/internal/report"
	"varde/coordinator/internal/report/archive"
)

// withReports is a server with two months, of which one also has a report of a provider.
func withReports(t *testing.T) func(*Options) {
	t.Helper()
	a, err := archive.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	month := report.Month{Year: 2026, Month: time.October}
	for _, n := range []archive.Name{{Month: month}, {Month: month, Provider: "fjord"}, {Month: report.Month{Year: 2026, Month: time.September}}} {
		r := report.Report{Month: n.Month, Written: n.Month.To().Add(time.Hour), FinalUntil: n.Month.To(), Coordinator: "c1", Provider: report.Provider{ID: n.Provider, Name: n.Provider}}
		if err := a.Keep(n, r); err != nil {
			t.Fatal(err)
		}
	}
	return func(o *Options) { o.Reports = a }
}

func TestReports(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), withReports(t))
		w := get(s, "/reports")
		goldenPage(t, "reports.html", w.Body.Bytes())
		if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, "<h1>October 2026 is the newest report.</h1>") || strings.Count(body, `href="/reports/`) != 9 {
			t.Errorf("got %d and %d links, want three reports in three forms", w.Code, strings.Count(body, `href="/reports/`))
		}
		for path, want := range map[string]string{
			"/reports/2026-10.html": "text/html; charset=utf-8", "/reports/2026-10.json": "application/json",
			"/reports/2026-09.csv": "text/csv; charset=utf-8", "/reports/2026-10-fjord.html": "text/html; charset=utf-8",
		} {
			w := get(s, path)
			if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != want {
				t.Errorf("%s: got %d %q, want %q", path, w.Code, got, want)
			}
			if saved := w.Header().Get("Content-Disposition"); strings.HasSuffix(path, ".html") != (saved == "") {
				t.Errorf("%s: saved as %q", path, saved)
			}
		}
		// A report brings its own style sheet; the browser must take that and no other.
		w = get(s, "/reports/2026-10.html")
		_, css, _ := bytes.Cut(w.Body.Bytes(), []byte("<style>"))
		css, _, _ = bytes.Cut(css, []byte("</style>"))
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "style-src "+page.Source(string(css))) || !strings.Contains(policy, "form-action 'none'") {
			t.Errorf("the policy of a report is %q", policy)
		}
		for _, path := range []string{
			"/reports/2026-08.html", "/reports/2026-10.pdf", "/reports/2026-10", "/reports/2026-10-berg.html", "/reports/..%2f..%2fetc%2fpasswd", "/reports/2026-10-..%2fx.html", "/reports/x.html",
		} {
			if w := get(s, path); w.Code != http.StatusNotFound {
				t.Errorf("%s: got %d, want 404", path, w.Code)
			}
		}
	})
}

func TestNoReportYet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		if w := get(s, "/reports"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<h1>No report is written yet.</h1>") {
			t.Errorf("got %d", w.Code)
		}
		if w := get(s, "/reports/2026-10.html"); w.Code != http.StatusNotFound {
			t.Errorf("got %d, want 404", w.Code)
		}
	})
}

// The people of a provider have the reports of their services, and no others.
func TestReportsOfProviders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		add := withReports(t)
		s := newServer(t, shared(), func(o *Options) { public(o); withProviders(o); add(o) })
		list := get(s, "/reports", "Authorization", "Bearer "+fjordToken)
		if body := list.Body.String(); strings.Count(body, `href="/reports/`) != 3 || !strings.Contains(body, "/reports/2026-10-fjord.html") {
			t.Errorf("got %d links, want those of one report", strings.Count(body, `href="/reports/`))
		}
		for path, want := range map[string]int{"/reports/2026-10-fjord.html": 200, "/reports/2026-10.html": 404, "/reports/2026-09.json": 404, "/reports/2026-10-berg.html": 404} {
			if w := get(s, path, "Authorization", "Bearer "+fjordToken); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
		if w := get(s, "/reports/2026-10-fjord.json"); w.Code == http.StatusOK {
			t.Error("somebody without a token has a report")
		}
	})
}

// brokenReports cannot be read.
type brokenReports struct{}

func (brokenReports) List() ([]archive.Name, error) { return nil, errBroken }
func (brokenReports) Read(archive.Name, report.Format) ([]byte, error) {
	return nil, errBroken
}

func TestReportsCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), func(o *Options) { o.Reports = brokenReports{} })
		for _, path := range []string{"/reports", "/reports/2026-10.html"} {
			if w := get(s, path); w.Code != http.StatusServiceUnavailable {
				t.Errorf("%s: got %d, want 503", path, w.Code)
			}
		}
	})
}
