package statuspage

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

func TestLineOverEverything(t *testing.T) {
	for worst, want := range map[status.Status]rollup{
		status.Operational: {"none", "All Systems Operational"},
		status.Maintenance: {"maintenance", "Service Under Maintenance"},
		status.Degraded:    {"minor", "Partially Degraded Service"},
		status.Partial:     {"major", "Partial System Outage"},
		status.Major:       {"critical", "Major Service Outage"},
	} {
		if got := rollupOf([]status.Status{status.Operational, worst}); got != want {
			t.Errorf("%s: got %v, want %v", worst, got, want)
		}
	}
}

// component finds one component of a document by the names of its service and
// region.
func component(t *testing.T, d apiDocument, service, region string) apiComponent {
	t.Helper()
	group := ""
	for _, c := range d.Components {
		if c.Group && c.Name == service {
			group = c.ID
			if region == "" {
				return c
			}
		}
	}
	for _, c := range d.Components {
		if c.GroupID != nil && *c.GroupID == group && c.Name == region {
			return c
		}
	}
	t.Fatalf("no component %s in %s", region, service)
	return apiComponent{}
}

func TestNotMeasuredKeepsTheLastStatusAndSaysSo(t *testing.T) {
	f := newFake(false)
	f.set("imap", "oceania", func(r *Reading) {
		*r = Reading{Region: "oceania", Last: verdict.Down, LastAt: morning.Add(-29 * time.Minute)}
	})
	f.set("smtp", "oceania", func(r *Reading) { *r = Reading{Region: "oceania"} })
	d, err := f.all().document("summary")
	if err != nil {
		t.Fatal(err)
	}
	c := component(t, d, "IMAP", "Oceania")
	if c.Status != status.Major || c.Description == nil || *c.Description != "No data since 09:51 UTC" || !time.Time(c.UpdatedAt).Equal(morning.Add(-29*time.Minute)) {
		t.Errorf("got %+v", c)
	}
	if c := component(t, d, "IMAP", ""); c.Status != status.Partial || c.Description != nil {
		t.Errorf("the group is %+v", c)
	}
	if c := component(t, d, "Outgoing mail", "Oceania"); c.Status != status.Operational || c.Description == nil || *c.Description != "No data yet" {
		t.Errorf("got %+v", c)
	}
	f = newFake(false)
	f.set("imap", "oceania", unknown)
	if d, _ := f.all().document("status"); d.Status.Description != "All Measured Systems Operational" {
		t.Errorf("with a gap the page says %q", d.Status.Description)
	}
	for _, s := range f.services {
		f.set(s.ID, "", unknown)
	}
	if d, _ := f.all().document("status"); d.Status.Indicator != "none" || d.Status.Description != "No data since 10:20 UTC" {
		t.Errorf("without data the page says %+v", *d.Status)
	}
}

// TestServiceThatNothingMeasures is not said to work.
func TestServiceThatNothingMeasures(t *testing.T) {
	f := newFake(false)
	f.services[1].Readings = nil
	d, err := f.all().document("summary")
	if err != nil {
		t.Fatal(err)
	}
	if c := component(t, d, "IMAP", ""); c.Status != status.Operational || c.Description == nil || *c.Description != "No data yet" || len(c.Components) != 0 {
		t.Errorf("the group is %+v", c)
	}
	if d.Status.Description != "All Measured Systems Operational" {
		t.Errorf("the page says %q", d.Status.Description)
	}
	if sc, _ := f.all().only("imap"); sc.badgeWords(f.services[1]) != "not measured" {
		t.Errorf("the badge says %q", sc.badgeWords(f.services[1]))
	}
}

func TestIDsAreStable(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9]{12}$`)
	seen := map[string]bool{}
	before, _ := newFake(false).all().document("components")
	after, _ := newFake(true).all().document("components")
	for i, c := range before.Components {
		if !form.MatchString(c.ID) || seen[c.ID] || c.ID != after.Components[i].ID {
			t.Errorf("component %s has the id %q, then %q", c.Name, c.ID, after.Components[i].ID)
		}
		seen[c.ID] = true
	}
	if got := apiID("main/imap/oceania"); got != component(t, before, "IMAP", "Oceania").ID {
		t.Errorf("the id of a component is not made of its names: %s", got)
	}
}

// TestShape compares the names of all fields with those that Atlassian
// Statuspage publishes.
func TestShape(t *testing.T) {
	f := newFake(true)
	for name, want := range map[string][]string{
		"summary": {"page", "components", "incidents", "scheduled_maintenances", "status"}, "status": {"page", "status"}, "components": {"page", "components"},
		"incidents": {"page", "incidents"}, "incidents/unresolved": {"page", "incidents"}, "scheduled-maintenances": {"page", "scheduled_maintenances"},
	} {
		d, err := f.all().document(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var parts map[string]json.RawMessage
		if err := json.Unmarshal(b, &parts); err != nil {
			t.Fatal(err)
		}
		if len(parts) != len(want) {
			t.Errorf("%s holds %d parts, want %v", name, len(parts), want)
		}
		for _, p := range want {
			if raw, ok := parts[p]; !ok || string(raw) == "null" {
				t.Errorf("%s: %s is %s", name, p, raw)
			}
		}
	}
	if _, err := f.all().document("nothing"); err == nil {
		t.Error("a document that there is not was made")
	}
}
