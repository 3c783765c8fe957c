package statuspage

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/mmcdole/gofeed"
)

const hostile = "Disks <img src=x onerror=alert(1)>; \\, \"new\"\u0000 & ]]>"

// withWork adds work that is over, one that ended early, one under way, one to come, one
// that was called off, and one on a service that the page does not show.
func (f *fake) withWork() *fake {
	at := func(hours int) time.Time { return f.at.Truncate(time.Hour).Add(time.Duration(hours) * time.Hour) }
	f.work = []Work{
		{ID: "m-2026-11-12-1", Title: "New mail store", Services: []string{"imap"}, From: at(-240), To: at(-238), Announced: at(-300)},
		{ID: "m-2026-11-13-1", Title: "Quick one", Services: []string{"imap"}, From: at(-216), To: at(-215), Announced: at(-300), Cancelled: at(-215)},
		{ID: "m-2026-11-22-1", Title: "Router", Services: []string{"imap", "smtp"}, Regions: []string{"oceania"}, From: at(-1), To: at(2), Announced: at(-30)},
		{ID: "m-2026-11-24-1", Title: hostile, Services: []string{"webmail"}, From: at(48), To: at(50), Announced: at(-3)},
		{ID: "m-2026-11-25-1", Title: "Never", Services: []string{"webmail"}, From: at(72), To: at(74), Announced: at(-30), Cancelled: at(-2)},
		{ID: "m-2026-11-25-2", Title: "Of somebody else", Services: []string{"fax"}, From: at(72), To: at(74), Announced: at(-30)},
	}
	return f
}

// TestWorkOnThePage: what is under way and to come stands on the page, all of it in the
// list, each on a page of its own.
func TestWorkOnThePage(t *testing.T) {
	s := newSite(t, newFake(false).withWork())
	for path, want := range map[string][]string{
		"/":                           {"Announced maintenance</h2>", "Router</a>", "IMAP and Outgoing mail, in Oceania. Under way from 09:00 UTC to 12:00 UTC.", "begins in 47 h", "Disks &lt;img"},
		"/history":                    {"New mail store", "Over. It was from 12 Nov, 10:00 UTC to 12 Nov, 12:00 UTC.", "Never", "Called off. It was announced from", "Router"},
		"/maintenance/m-2026-11-22-1": {"<h1 dir=\"auto\">Router</h1>", "The announced work has begun.", "09:00 UTC"},
		"/maintenance/m-2026-11-13-1": {"Ended earlier than announced."},
		"/maintenance/m-2026-11-25-1": {"Called off before it began."},
	} {
		w := ask(s, path)
		for _, words := range want {
			if w.Code != 200 || !strings.Contains(w.Body.String(), words) {
				t.Errorf("%s: got %d, without %q", path, w.Code, words)
			}
		}
		for _, not := range []string{"Of somebody else", "<img src=x"} {
			if strings.Contains(w.Body.String(), not) {
				t.Errorf("%s says %q", path, not)
			}
		}
	}
	if front := ask(s, "/").Body.String(); strings.Contains(front, "New mail store") || strings.Contains(front, "Never") {
		t.Error("the front page tells of work that is over or was called off")
	}
	for _, path := range []string{"/maintenance/none", "/maintenance/m-2026-11-25-2"} {
		if w := ask(s, path); w.Code != 404 {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}

// TestScheduledMaintenances: the documents are those of Statuspage.
func TestScheduledMaintenances(t *testing.T) {
	f := newFake(false).withWork()
	s := newSite(t, f)
	type work struct {
		ID, Name, Status, Impact string
		ScheduledFor             time.Time  `json:"scheduled_for"`
		Until                    time.Time  `json:"scheduled_until"`
		Resolved                 *time.Time `json:"resolved_at"`
		Updates                  []struct {
			ID, Status, Body string
			DisplayAt        time.Time `json:"display_at"`
		} `json:"incident_updates"`
		Components []struct{ Name string }
	}
	for name, want := range map[string]string{
		"summary": "scheduled in_progress",
		// What begins last stands first; what was called off was to begin last of all.
		"scheduled-maintenances":          "completed scheduled in_progress completed completed",
		"scheduled-maintenances/upcoming": "scheduled",
		"scheduled-maintenances/active":   "in_progress",
	} {
		var d struct {
			Works []work `json:"scheduled_maintenances"`
		}
		w := ask(s, "/api/v2/"+name+".json")
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d, %v", name, w.Code, err)
		}
		var got []string
		ids := map[string]bool{}
		for _, x := range d.Works {
			got, ids[x.ID] = append(got, x.Status), true
			if x.Impact != "maintenance" || len(x.Updates) == 0 || x.Updates[0].Status != x.Status || (x.Resolved != nil) != (x.Status == "completed") {
				t.Errorf("%s: got %+v", name, x)
			}
			for i, u := range x.Updates {
				if ids[u.ID] || i > 0 && u.DisplayAt.After(x.Updates[i-1].DisplayAt) {
					t.Errorf("%s: update %d of %s is out of order or has the id of another: %+v", name, i, x.Name, x.Updates)
				}
				ids[u.ID] = true
			}
			if x.Name == "Router" && (len(x.Components) != 2 || x.Components[0].Name != "Oceania" || x.Until.Sub(x.ScheduledFor) != 3*time.Hour) {
				t.Errorf("%s: got %+v", name, x)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
}

// TestFeeds: a parser that others wrote takes the feeds, each incident and each work is in
// them once, and nothing of what people wrote is markup.
func TestFeeds(t *testing.T) {
	f := newFake(true).withBulletins().withWork()
	s := newSite(t, f)
	for _, path := range []string{"/history.atom", "/history.rss"} {
		w := ask(s, path)
		feed, err := gofeed.NewParser().ParseString(w.Body.String())
		if err != nil || w.Code != 200 {
			t.Fatalf("%s: %d, %v", path, w.Code, err)
		}
		if len(feed.Items) != 8 || feed.Title != "Fjordmail status" {
			t.Fatalf("%s: %d entries of %q", path, len(feed.Items), feed.Title)
		}
		seen := map[string]bool{}
		for _, item := range feed.Items {
			if seen[item.GUID] || !strings.HasPrefix(item.GUID, "tag:status.fjordmail.example,2026-1") || item.PublishedParsed == nil || !strings.HasPrefix(item.Link, "https://status.fjordmail.example/") {
				t.Errorf("%s: got %+v", path, item)
			}
			seen[item.GUID] = true
			if body := item.Content + item.Description; strings.Contains(body, "<script") || strings.Contains(body, "<img") {
				t.Errorf("%s: markup of a person in %s", path, body)
			}
		}
		if first := feed.Items[0]; !strings.Contains(first.Title, "Router") && !strings.Contains(first.Title, "IMAP and Outgoing mail") {
			t.Errorf("%s: first is %q, not what changed last", path, first.Title)
		}
		if again := ask(newSite(t, f), path); again.Body.String() != w.Body.String() {
			t.Errorf("%s: another answer of the same facts", path)
		}
		if strings.Contains(w.Body.String(), "Nobody knows") {
			t.Errorf("%s tells what is not told", path)
		}
	}
	if front := ask(s, "/").Body.String(); !strings.Contains(front, `type="application/atom+xml"`) {
		t.Error("the page does not name its feed")
	}
}

// TestCalendar: a parser that others wrote takes the calendar.
func TestCalendar(t *testing.T) {
	s := newSite(t, newFake(true).withWork())
	w := ask(s, "/history.ics")
	c, err := ical.NewDecoder(strings.NewReader(w.Body.String())).Decode()
	if err != nil {
		t.Fatalf("%v in\n%s", err, w.Body)
	}
	var b strings.Builder
	if err := ical.NewEncoder(&b).Encode(c); err != nil { // it refuses what RFC 5545 does not allow
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range c.Events() {
		text := func(name string) string {
			v, err := e.Props.Text(name)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return v
		}
		begin, err := e.DateTimeStart(time.UTC)
		if err != nil {
			t.Error(err)
		}
		got[text("UID")] = strings.Join([]string{text("SUMMARY"), text("STATUS"), e.Props.Get("SEQUENCE").Value, begin.Format(time.RFC3339)}, "|")
	}
	want := map[string]string{
		"m-2026-11-12-1@status.fjordmail.example": "New mail store|CONFIRMED|0|2026-11-12T10:00:00Z",
		"m-2026-11-13-1@status.fjordmail.example": "Quick one|CONFIRMED|1|2026-11-13T10:00:00Z",
		"m-2026-11-22-1@status.fjordmail.example": "Router|CONFIRMED|0|2026-11-22T09:00:00Z",
		"m-2026-11-24-1@status.fjordmail.example": strings.ReplaceAll(hostile, "\u0000", " ") + "|CONFIRMED|0|2026-11-24T10:00:00Z",
		"m-2026-11-25-1@status.fjordmail.example": "Never|CANCELLED|1|2026-11-25T10:00:00Z",
	}
	for id, line := range want {
		if got[id] != line {
			t.Errorf("%s: got %q, want %q", id, got[id], line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d events, want %d", len(got), len(want))
	}
}
