package ops

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/incident"
)

func withIncidents(f *fakeIncidents) func(*Options) {
	return func(o *Options) { o.Incidents = f }
}

func TestIncidentPages(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		r := troubled(f)
		s := newServer(t, f, withIncidents(r))
		page := get(s, "/incidents").Body.String()
		for _, want := range []string{"1 incident under way.", "Under way", "/incident/" + r.register.Cases[1].ID, "2 h 38 min", "40 min"} {
			if !strings.Contains(page, want) {
				t.Errorf("the list lacks %q", want)
			}
		}
		one := get(s, "/incident/"+r.register.Cases[1].ID)
		token := regexp.MustCompile(`name="page_token" value="[^"]+"`)
		goldenPage(t, "incident.html", token.ReplaceAll(one.Body.Bytes(), []byte(`name="page_token" value="TOKEN"`)))
		goldenPage(t, "incidents.html", []byte(page))
		for _, want := range []string{"looks like filtering by region", "Also seen at Bergpost", "connect_timeout", "Regions over time", "reach of"} {
			if !strings.Contains(one.Body.String(), want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		for path, want := range map[string]int{"/incident/nowhere": 404, "/incidents?range=5d": 400, "/api/v1/incidents/nowhere": 404, "/api/v1/incidents?from=x": 400} {
			if w := get(s, path); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
	})
}

func TestIncidentAPI(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		r := troubled(f)
		s := newServer(t, f, withIncidents(r))
		var list []struct {
			ID, Status, Impact, Summary string
			Services, Regions           []string
			Started                     time.Time  `json:"started_at"`
			Resolved                    *time.Time `json:"resolved_at"`
		}
		if err := json.Unmarshal(get(s, "/api/v1/incidents").Body.Bytes(), &list); err != nil || len(list) != 2 {
			t.Fatalf("got %d incidents, %v", len(list), err)
		}
		if i := list[0]; i.Status != "investigating" || strings.Join(i.Services, " ") != "imap smtp" || strings.Join(i.Regions, " ") != "oceania" || !i.Started.Equal(dark) || i.Resolved != nil {
			t.Errorf("got %+v", i)
		}
		if i := list[1]; i.Status != "resolved" || i.Resolved == nil {
			t.Errorf("got %+v", i)
		}
		if !r.asked[0].Equal(morning.Add(-90 * 24 * time.Hour)) {
			t.Errorf("asked from %s on", r.asked[0])
		}
		golden(t, "incident.json", get(s, "/api/v1/incidents/"+list[0].ID).Body.Bytes())
		r.fail = errors.New("disk is gone")
		if w := get(s, "/api/v1/incidents"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("without a register: got %d, want 503", w.Code)
		}
	})
}

// TestPeopleAct sends every form of the page.
func TestPeopleAct(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		r := troubled(f)
		s := newServer(t, f, withIncidents(r))
		id, other := r.register.Cases[1].ID, r.register.Cases[0].ID
		send := func(form url.Values) int {
			form.Set("page_token", s.gate.pageToken())
			return post(s, "/incident/"+id, form, "Origin", "http://127.0.0.1:8081").Code
		}
		for _, form := range []url.Values{
			{"deed": {"note"}, "by": {"kari"}, "text": {"called\r\nthe upstream"}},
			{"deed": {"merge"}, "by": {"kari"}, "into": {other}},
			{"deed": {"split"}, "by": {"kari"}, "series": {"imap-login/oceania/ipv4"}},
			{"deed": {"publish"}, "by": {"kari"}, "public": {"yes"}},
			{"deed": {"false_alarm"}, "by": {"kari"}, "back": {"yes"}},
		} {
			if code := send(form); code != http.StatusSeeOther {
				t.Errorf("%v: got %d", form, code)
			}
		}
		if len(r.acts) != 5 || r.on[0] != id {
			t.Fatalf("got %d acts on %v", len(r.acts), r.on)
		}
		if a := r.acts[0]; a.Deed != incident.Noting || a.By != "kari" || a.Text != "called\nthe upstream" || !a.At.Equal(morning) {
			t.Errorf("got %+v", a)
		}
		if r.acts[1].Into != other || r.acts[2].Series[0].String() != "imap-login/oceania/ipv4" || !r.acts[3].Public || !r.acts[4].Back {
			t.Errorf("got %+v", r.acts[1:])
		}
		for _, form := range []url.Values{
			{"deed": {"note"}, "text": {"nobody"}},
			{"deed": {"merge"}, "by": {"kari"}, "into": {"nowhere"}},
			{"deed": {"split"}, "by": {"kari"}, "series": {"imap-login"}},
			{"deed": {"split"}, "by": {"kari"}, "series": {"imap-login/oceania/ipv5"}},
		} {
			if code := send(form); code != http.StatusBadRequest {
				t.Errorf("%v: got %d, want 400", form, code)
			}
		}
		if w := post(s, "/incident/"+id, url.Values{"deed": {"note"}, "by": {"kari"}, "text": {"x"}}, "Origin", "https://evil.example"); w.Code != http.StatusForbidden || len(r.acts) != 5 {
			t.Errorf("from elsewhere: got %d and %d acts", w.Code, len(r.acts))
		}
	})
}

// TestMergedIncidentLeadsToTheOneThatStands, from which it can be taken out again.
func TestMergedIncidentLeadsToTheOneThatStands(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		r := troubled(f)
		part, whole := &r.register.Cases[0], r.register.Cases[1]
		part.Edits.MergedInto = &incident.Mark{At: morning, By: "kari", Text: whole.ID}
		s := newServer(t, f, withIncidents(r))
		if w := get(s, "/incident/"+part.ID); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/incident/"+whole.ID {
			t.Errorf("got %d to %q", w.Code, w.Header().Get("Location"))
		}
		if page := get(s, "/incident/"+whole.ID).Body.String(); !strings.Contains(page, "Take "+part.ID+" out again") || !strings.Contains(page, "us-east/ipv4") {
			t.Error("the page of the whole lacks its part")
		}
		if page := get(s, "/incidents").Body.String(); strings.Contains(page, "/incident/"+part.ID) {
			t.Error("the list has the part by itself")
		}
	})
}

// TestIncidentsOfProviders: the people of one see its own, and who else was hit
// without which incident of theirs it was.
func TestIncidentsOfProviders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := shared()
		r := troubled(f)
		mine := r.register.Cases[1].ID
		s := newServer(t, f, func(o *Options) { public(o); withProviders(o); o.Incidents = r })
		fjord, berg := "Bearer "+fjordToken, "Bearer "+bergToken
		page := get(s, "/incident/"+mine, "Authorization", fjord)
		if body := page.Body.String(); page.Code != 200 || !strings.Contains(body, "Also seen at Bergpost.") || strings.Contains(body, "2026-11-22-post-00000") {
			t.Errorf("fjord gets %d", page.Code)
		}
		for path, want := range map[string]int{"/incident/" + mine: 404, "/api/v1/incidents/" + mine: 404} {
			if w := get(s, path, "Authorization", berg); w.Code != want {
				t.Errorf("%s for berg: got %d, want %d", path, w.Code, want)
			}
		}
		if body := get(s, "/api/v1/incidents", "Authorization", berg).Body.String(); strings.TrimSpace(body) != "[]" {
			t.Errorf("berg sees %s", body)
		}
		if w := post(s, "/incident/"+mine, url.Values{"deed": {"note"}, "by": {"kari"}, "text": {"x"}}, "Authorization", berg); w.Code != 404 || len(r.acts) > 0 {
			t.Errorf("berg acts: got %d and %d acts", w.Code, len(r.acts))
		}
	})
}
