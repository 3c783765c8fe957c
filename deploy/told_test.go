package deploy

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/deploy/fleettest"
)

// TestThePageTells: from the first failure in one region on, the public page, its incident
// page and its JSON say so within two seconds of the end of the dwell time, that all is well
// within two seconds of the verdict, and that it is over when that has lasted.
func TestThePageTells(t *testing.T) {
	type summary struct {
		Incidents []struct {
			Name, Status, Impact string
			Updates              []struct{ Status, Body string } `json:"incident_updates"`
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(5 * time.Minute)
		f.Silence("imap", "oceania")
		// sees looks every half second until the page is as wanted, for that long.
		var s summary
		sees := func(what string, limit time.Duration, is func() bool) time.Time {
			t.Helper()
			for end := time.Now().Add(limit); time.Now().Before(end); f.Wait(500 * time.Millisecond) {
				s = summary{}
				if f.Public("/api/v2/summary.json", &s); is() {
					return time.Now()
				}
			}
			t.Fatalf("the page does not say within %s that %s; it says %+v", limit, what, s)
			return time.Time{}
		}
		var known []struct {
			ID         string
			DetectedAt time.Time `json:"detected_at"`
			Recovered  time.Time `json:"recovered_at"`
			Resolved   time.Time `json:"resolved_at"`
		}
		at := sees("it is investigated", 10*time.Minute, func() bool { return len(s.Incidents) == 1 })
		f.Get("/api/v1/incidents", &known)
		if len(known) != 1 {
			t.Fatalf("got %d incidents, want 1", len(known))
		}
		const dwell = 2 * time.Minute
		if late := at.Sub(known[0].DetectedAt.Add(dwell)); late < 0 || late > 2*time.Second {
			t.Errorf("told %s after the end of the dwell time, want within 2 s", late)
		}
		if i := s.Incidents[0]; i.Status != "investigating" || i.Impact != "major" || len(i.Updates) != 1 || !strings.Contains(i.Updates[0].Body, "cannot be reached from") {
			t.Errorf("got %+v", i)
		}
		if body := f.PublicText("/incident/" + known[0].ID); !strings.Contains(body, s.Incidents[0].Name) || !strings.Contains(body, "written by the measurement") {
			t.Error("the page of the incident does not tell it")
		}
		f.Heal()
		at = sees("all is well", 10*time.Minute, func() bool { return len(s.Incidents) == 1 && s.Incidents[0].Status == "monitoring" })
		f.Get("/api/v1/incidents", &known)
		if late := at.Sub(known[0].Recovered); late < 0 || late > 2*time.Second {
			t.Errorf("told %s after the recovery, want within 2 s", late)
		}
		at = sees("it is over", 10*time.Minute, func() bool { return len(s.Incidents) == 0 })
		f.Get("/api/v1/incidents", &known)
		if late := at.Sub(known[0].Resolved); late < 0 || late > 2*time.Second {
			t.Errorf("told %s after it was over, want within 2 s", late)
		}
		if body := f.PublicText("/"); !strings.Contains(body, `href="/incident/`+known[0].ID) {
			t.Error("what is over does not stand on the page")
		}
	})
}
