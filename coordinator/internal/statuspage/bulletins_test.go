package statuspage

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// withBulletins adds what is told of the outage of this morning, of one in October that is
// over, of one that was withdrawn, and of one that nobody is told of.
func (f *fake) withBulletins() *fake {
	at := func(clock string) time.Time {
		d, err := time.Parse("15:04", clock)
		if err != nil {
			panic(err)
		}
		return f.at.Truncate(24 * time.Hour).Add(time.Duration(d.Hour())*time.Hour + time.Duration(d.Minute())*time.Minute)
	}
	dark := []incident.Part{
		{Service: "imap", Region: "oceania", Status: status.Major, State: verdict.Down},
		{Service: "smtp", Region: "oceania", Status: status.Major, State: verdict.Down},
	}
	healed := []incident.Part{{Service: "imap", Region: "oceania", Status: status.Operational, State: verdict.Up}}
	f.bulletins = []Bulletin{
		{
			Page: "main", Incident: "i-20261122-0742-aa", Title: "IMAP and Outgoing mail cannot be reached from Oceania", Stage: incident.Identified,
			Impact: incident.MajorImpact, Parts: dark, Started: at("07:42"), Told: at("07:44"), Updates: []bulletin.Update{
				{ID: "i-20261122-0742-aa-1", At: at("07:44"), Stage: incident.Investigating, Text: "IMAP and Outgoing mail cannot be reached from Oceania since 22 November 2026, 07:42 UTC.", Parts: dark},
				{ID: "i-20261122-0742-aa-2", At: at("09:20"), Edited: at("09:30"), Stage: incident.Identified, By: "Kari <b>Nordmann</b>", Text: "We are under attack. <script>alert(1)</script>", Parts: dark},
			},
		},
		{
			Page: "main", Incident: "i-20261110-0100-bb", Title: "Webmail cannot be reached from every region", Stage: incident.Resolved, Impact: incident.CriticalImpact,
			Started: f.at.Add(-12 * 24 * time.Hour), Told: f.at.Add(-12*24*time.Hour + time.Minute), Monitoring: f.at.Add(-12*24*time.Hour + time.Hour), Resolved: f.at.Add(-12*24*time.Hour + 2*time.Hour),
			Parts: healed, Updates: []bulletin.Update{{ID: "i-20261110-0100-bb-1", At: f.at.Add(-12*24*time.Hour + time.Minute), Stage: incident.Resolved, Text: "It is over.", Parts: healed}},
		},
		{
			Page: "main", Incident: "i-20261001-0100-cc", Title: "Old", Stage: incident.Resolved, Impact: incident.MinorImpact, Withdrawn: &incident.Mark{At: f.at.Add(-40 * 24 * time.Hour), By: "Kari"},
			Started: f.at.Add(-40 * 24 * time.Hour), Told: f.at.Add(-40 * 24 * time.Hour), Resolved: f.at.Add(-40 * 24 * time.Hour),
			Updates: []bulletin.Update{{ID: "i-20261001-0100-cc-1", At: f.at.Add(-40 * 24 * time.Hour), Stage: incident.Resolved, Text: "Withdrawn."}},
		},
		{Page: "main", Incident: "i-20261122-1000-dd", Title: "Nobody knows", Started: at("10:00"), Due: at("10:30")},
		{Page: "other", Incident: "i-20261122-1000-ee", Title: "Elsewhere", Started: at("10:00"), Told: at("10:01"), Stage: incident.Investigating},
	}
	return f
}

// TestBulletinsOnThePage: what goes on stands there with its updates, what is over as a line;
// nothing is shown that is not told, or told by another page.
func TestBulletinsOnThePage(t *testing.T) {
	s := newSite(t, newFake(true).withBulletins())
	front := ask(s, "/").Body.String()
	for _, want := range []string{
		"IMAP and Outgoing mail cannot be reached from Oceania</h2>", "Cause identified. Since 07:42 UTC, 2 h 38 min.", "We are under attack. &lt;script&gt;",
		"written by <b>Kari &lt;b&gt;Nordmann&lt;/b&gt;</b>, Cause identified, changed 09:30 UTC", "written by the measurement", `<a href="/incident/i-20261110-0100-bb"`,
	} {
		if !strings.Contains(front, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, not := range []string{"Nobody knows", "Elsewhere", "<script>alert", "i-20261001"} {
		if strings.Contains(front, not) {
			t.Errorf("the page says %q", not)
		}
	}
	if i, k := strings.Index(front, "We are under attack"), strings.Index(front, "since 22 November 2026"); i > k {
		t.Error("the newest update does not stand first")
	}
	for path, want := range map[string]struct {
		code  int
		words string
	}{
		"/incident/i-20261122-0742-aa": {200, "We are under attack."},
		"/incident/i-20261110-0100-bb": {200, "Over. From 10 Nov, 10:20 UTC to 10 Nov, 12:20 UTC."},
		"/incident/i-20261001-0100-cc": {200, "Withdrawn."},
		"/incident/i-20261122-1000-dd": {404, "There is no such page."},
		"/incident/i-20261122-1000-ee": {404, "There is no such page."},
		"/incident/none":               {404, "There is no such page."},
		"/history":                     {200, "withdrawn</small>"},
	} {
		w := ask(s, path)
		if w.Code != want.code || !strings.Contains(w.Body.String(), want.words) {
			t.Errorf("%s: got %d, want %d and %q", path, w.Code, want.code, want.words)
		}
	}
}

// TestIncidentsAsStatuspagePublishesThem: the documents have what is told, with ids that do
// not change, and what became of each component.
func TestIncidentsAsStatuspagePublishesThem(t *testing.T) {
	f := newFake(true).withBulletins()
	s := newSite(t, f)
	type document struct {
		Page struct {
			UpdatedAt time.Time `json:"updated_at"`
		}
		Incidents []struct {
			ID, Name, Status, Impact, Shortlink string
			MonitoringAt                        *time.Time `json:"monitoring_at"`
			ResolvedAt                          *time.Time `json:"resolved_at"`
			CreatedAt                           time.Time  `json:"created_at"`
			UpdatedAt                           time.Time  `json:"updated_at"`
			IncidentUpdates                     []struct {
				ID, Status, Body, IncidentID string
				Affected                     []struct{ Code, Name, OldStatus, NewStatus string } `json:"affected_components"`
			} `json:"incident_updates"`
			Components []struct{ ID, Name, Status string }
		}
	}
	read := func(name string) (d document) {
		t.Helper()
		w := ask(s, "/api/v2/"+name+".json")
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d, %v", name, w.Code, err)
		}
		return d
	}
	all, open, summary := read("incidents"), read("incidents/unresolved"), read("summary")
	if len(all.Incidents) != 3 || len(open.Incidents) != 1 || len(summary.Incidents) != 1 {
		t.Fatalf("got %d incidents, %d unresolved, %d in the summary", len(all.Incidents), len(open.Incidents), len(summary.Incidents))
	}
	i := open.Incidents[0]
	if i.Status != "identified" || i.Impact != "major" || i.ResolvedAt != nil || len(i.Components) != 2 || i.Components[0].Name != "Oceania" || i.ID != all.Incidents[0].ID {
		t.Errorf("got %+v", i)
	}
	if len(i.IncidentUpdates) != 2 || i.IncidentUpdates[0].Status != "identified" || len(i.IncidentUpdates[1].Affected) != 2 {
		t.Errorf("got updates %+v", i.IncidentUpdates)
	}
	if got := all.Page.UpdatedAt; got.Before(f.at.Truncate(24 * time.Hour).Add(9*time.Hour + 30*time.Minute)) {
		t.Errorf("the page was updated at %v, before its newest update", got)
	}
	if r := all.Incidents[1]; r.ResolvedAt == nil || r.MonitoringAt == nil || r.Status != "resolved" {
		t.Errorf("got %+v", r)
	}
	if raw := ask(s, "/api/v2/incidents.json").Body.String(); strings.Contains(raw, "Nobody knows") || strings.Contains(raw, "Elsewhere") {
		t.Error("the document has what is not told here")
	}
}

// TestRenew: what is told shows at once, not when the page would be made anew.
func TestRenew(t *testing.T) {
	f := newFake(true)
	s := newSite(t, f)
	if strings.Contains(ask(s, "/").Body.String(), "We are under attack") {
		t.Fatal("told before it is")
	}
	f.withBulletins()
	s.Renew()
	if !strings.Contains(ask(s, "/").Body.String(), "We are under attack") {
		t.Error("not told after it is")
	}
}
