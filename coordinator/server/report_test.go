package server

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/report"
	"varde/coordinator/internal/report/archive"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// look puts what two probes see of a check into the journal, every half minute.
func look(t *testing.T, s *Server, d time.Duration) {
	t.Helper()
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(30 * time.Second) {
		for _, probe := range []string{"osl-1", "osl-2"} {
			b := wire.Batch{Epoch: "e1", Received: time.Now(), ClockKnown: true, Records: []wire.Record{{Observation: checks.Observation{
				Check: "imap-a", Service: "imap", Family: checks.IPv4, Seq: uint64(time.Now().Unix()), Scheduled: time.Now(), Started: time.Now(), Every: 30 * time.Second,
				Result: checks.Result{Outcome: checks.Up, Address: "192.0.2.25:993"},
			}}}}
			b.Attribute(probe, "eu-north", "osl")
			if _, err := s.journal.Append(t.Context(), []wire.Batch{b}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var january = archive.Name{Month: report.Month{Year: 2000, Month: time.January}}

// TestMonthlyReport lives through the end of a month: the report is there once the month
// is judged for good, says what was measured and what was not, and a restart writes
// nothing over.
func TestMonthlyReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := january.Month.To()
		time.Sleep(time.Until(end.Add(-2 * time.Hour)))
		c := configured(t, strings.ReplaceAll(small, "{id: imap, name: IMAP,", "{id: imap, name: IMAP, slo: 99.9,"))
		c.Data = t.TempDir()
		s, stop := running(t, c)
		look(t, s, 2*time.Hour)
		if there, err := s.reports.Has(january); err != nil || there {
			t.Errorf("a report when the month is just over: %t, %v, want none before its verdicts are final", there, err)
		}
		look(t, s, 30*time.Minute)
		path := filepath.Join(c.Data, "reports", "2000-01.html")
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range []string{
			"<h1>0 of 1 objective kept, too little known of 1.</h1>", "This coordinator was made on 31 Jan 2000", "IMAP could be reached 100 % of the time, as far as was looked: insufficient data.",
			"Brand new service was not measured.", "Northern Europe: looked less than 80 % at IMAP on 31 Jan.",
		} {
			if !bytes.Contains(page, []byte(words)) {
				t.Errorf("the report does not say %q", words)
			}
		}
		if bytes.Contains(page, []byte("is not over")) || bytes.Contains(page, []byte("Verdicts are final up to")) {
			t.Error("the report of a month that is judged for good says that it is not")
		}
		if got := strings.Join(s.newReports(), "\n"); got != "the report of January 2000 is written: see /reports/2000-01.html on the operators' pages" {
			t.Errorf("operators are told %q", got)
		}
		get := func(path string) *httptest.ResponseRecorder {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = "127.0.0.1"
			s.ops.ServeHTTP(w, r)
			return w
		}
		if w := get("/reports/2000-01.html"); w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), page) {
			t.Errorf("the operators' pages: got %d and %d bytes, want the file", w.Code, w.Body.Len())
		}
		stop()
		if err := os.WriteFile(path, append(page, "<!-- by hand -->"...), 0o600); err != nil {
			t.Fatal(err)
		}
		s, stop = running(t, c)
		time.Sleep(time.Hour)
		if after, err := os.ReadFile(path); err != nil || !bytes.HasSuffix(after, []byte("<!-- by hand -->")) {
			t.Errorf("after a restart the report is another one: %v", err)
		}
		var out bytes.Buffer
		gaps, err := reportCommand{months{s}}.Report(t.Context(), control.WantedReport{Month: january.Month, Format: report.CSV}, &out)
		if err != nil || len(gaps) == 0 || !strings.Contains(out.String(), "2000-01,imap,,0.999,unknown,1,") {
			t.Errorf("got %q, %v, %s", gaps, err, out.String())
		}
		stop()
		time.Sleep(newReportFor)
		if got := s.newReports(); len(got) != 0 {
			t.Errorf("a week later operators are told %q", got)
		}
	})
}

// TestReportIsRefused where there is nothing to report on.
func TestReportIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, configured(t, small))
		time.Sleep(time.Hour)
		m, now := months{s}, report.MonthOf(time.Now())
		for want, ask := range map[string]struct {
			month    report.Month
			provider string
		}{
			"got month 2000-02, which has not begun, expected one up to 2000-01":               {report.MonthOf(now.To()), ""},
			`got provider "fjord", expected one of none: the configuration names no providers`: {now, "fjord"},
		} {
			if _, err := m.Report(t.Context(), ask.month, ask.provider); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		off := configured(t, small+"reports: off\n")
		if err := s.Reload(off); err != nil {
			t.Fatal(err)
		}
		if got := m.Providers(); len(got) != 0 {
			t.Errorf("reports are off and wanted of %q", got)
		}
	})
}

// TestReportOfAProvider holds what everybody may read of its own services, and no word of
// those of others; the one of all is for operators and holds all.
func TestReportOfAProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, strings.NewReplacer("{id: imap, ", "{id: imap, provider: fjord, ", "{id: new, ", "{id: new, provider: berg, ").Replace(small))
		c.Data = t.TempDir()
		c.Providers = []config.Provider{{ID: "fjord", Name: "Fjordmail"}, {ID: "berg", Name: "Bergpost"}}
		began := time.Now().UTC()
		made := func(id, service string, told bool) incident.Case {
			series := verdict.Series{Check: service + "-a", Region: "eu-north", Family: checks.IPv4}
			out := incident.Case{Incident: incident.Incident{
				ID: id, Key: incident.Key{Service: service, Group: incident.Reach, Start: began, Check: series.Check, Region: series.Region, Family: series.Family},
				Stage: incident.Resolved, Started: began, Recovered: began.Add(time.Minute), Resolved: began.Add(4 * time.Minute),
				Members: []incident.Member{{Series: series, Service: service, State: verdict.Up, Worst: verdict.Down, Since: began, Until: began.Add(time.Minute), Group: incident.Reach}},
			}}
			if told {
				out.Detected = began
			}
			return out
		}
		written(t, c.Data, made("2000-01-01-imap-aaaaa", "imap", true), made("2000-01-01-imap-bbbbb", "imap", false), made("2000-01-01-new-ccccc", "new", true))
		s, stop := running(t, c)
		defer stop()
		time.Sleep(time.Hour)
		if got := (months{s}).Providers(); !slices.Equal(got, []string{"", "fjord", "berg"}) {
			t.Errorf("reports are wanted of %q", got)
		}
		for provider, want := range map[string][2]string{
			"":      {"imap new", "2000-01-01-imap-aaaaa 2000-01-01-imap-bbbbb 2000-01-01-new-ccccc"},
			"fjord": {"imap", "2000-01-01-imap-aaaaa"},
			"berg":  {"new", "2000-01-01-new-ccccc"},
		} {
			r, err := months{s}.Report(t.Context(), january.Month, provider)
			if err != nil {
				t.Fatal(err)
			}
			services := strings.Join(idsOf(r.Services, func(x report.Service) string { return x.ID }), " ")
			incidents := strings.Join(idsOf(r.Incidents, func(x report.Incident) string { return x.ID }), " ")
			if services != want[0] || incidents != want[1] || r.Public != (provider != "") {
				t.Errorf("%q: got services %s and incidents %s, public %t, want %s and %s", provider, services, incidents, r.Public, want[0], want[1])
			}
		}
		if _, err := (months{s}).Report(t.Context(), january.Month, "fjor"); err == nil || err.Error() != `got provider "fjor", expected one of fjord, berg` {
			t.Errorf("got %v, want what is expected", err)
		}
	})
}
