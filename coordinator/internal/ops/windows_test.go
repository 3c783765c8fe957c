package ops

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// announced are a maintenance that lasts and a watch that is to come.
func announced() []Window {
	return []Window{
		{
			ID: "m-2026-11-22-1", Kind: "maintenance", Services: []string{"imap", "smtp"}, Regions: []string{"oceania"},
			From: morning.Add(-80 * time.Minute), To: morning.Add(100 * time.Minute), Title: "New uplink in <Sydney>", By: "kari",
		},
		{
			ID: "w-2026-11-23-1", Kind: "watch", Services: []string{"webmail"},
			From: morning.Add(20 * time.Hour), To: morning.Add(34 * time.Hour), Title: "Attack announced", By: "kari",
		},
	}
}

var announcedSection = regexp.MustCompile(`(?s)<section class="notices" aria-labelledby="wi">.*?</section>\n`)

// TestOverviewShowsWindows: what is in force and what is to come is a line each.
func TestOverviewShowsWindows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		if page := get(s, "/").Body.String(); announcedSection.MatchString(page) {
			t.Error("nothing is announced, and there is a section of it")
		}
		f.now.Windows = announced()
		golden(t, "announced.html", announcedSection.Find(get(s, "/").Body.Bytes()))
		for i := range 20 {
			f.now.Windows = append(f.now.Windows, Window{ID: fmt.Sprintf("m-%d", i), Kind: "maintenance", Services: []string{"imap"}, From: morning.Add(100 * time.Hour), To: morning.Add(101 * time.Hour)})
		}
		section := announcedSection.FindString(get(s, "/").Body.String())
		if n := strings.Count(section, "<li>"); n != maxWindows || !strings.Contains(section, "14 later") {
			t.Errorf("%d lines:\n%s", n, section)
		}
	})
}

// TestProvidersSeeTheirWindows and of one that is about others too their own services.
func TestProvidersSeeTheirWindows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := shared()
		f.now.Windows = append(announced(), Window{Kind: "watch", Services: []string{"mx", "imap"}, From: morning, To: morning.Add(time.Hour), Title: "Both"}, Window{Kind: "watch", Services: []string{"dav"}, From: morning, To: morning.Add(time.Hour), Title: "Berg only"})
		s := newServer(t, f, func(o *Options) { public(o); withProviders(o) })
		section := announcedSection.FindString(get(s, "/", "Authorization", "Bearer "+fjordToken).Body.String())
		if strings.Count(section, "<li>") != 3 || strings.Contains(section, "Incoming") || strings.Contains(section, "Berg only") || !strings.Contains(section, "IMAP: Both") {
			t.Errorf("fjord sees\n%s", section)
		}
		if f.now.Windows[2].Services[0] != "mx" {
			t.Error("the snapshot of all was changed")
		}
	})
}
