package ops

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var occasionLine = regexp.MustCompile(`(?s)<section aria-labelledby="oc">.*?</section>`)

// TestOccasionsOfACheck: incidents and announced times of the check have letters and lines
// in its graphs, those of others have none, and neither has a false alarm.
func TestOccasionsOfACheck(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake().withMail()
		s := newServer(t, f, nil)
		if section := occasionLine.FindString(get(s, "/check/imap-login?range=24h").Body.String()); section != "" {
			t.Errorf("nothing was announced and nothing happened, and there is\n%s", section)
		}
		r := troubled(f)
		f.windows = []Window{
			{Kind: "maintenance", Services: []string{"imap"}, From: morning.Add(-30 * time.Hour), To: morning.Add(-20 * time.Hour), Title: "Disks"},
			{Kind: "watch", Services: []string{"imap"}, From: morning.Add(-2 * time.Hour), To: morning.Add(2 * time.Hour), Title: "A <release>"},
		}
		s = newServer(t, f, withIncidents(r))
		page := get(s, "/check/imap-login?range=24h").Body.String()
		section := occasionLine.FindString(page)
		for _, want := range []string{"Disks", "A &lt;release&gt;", r.register.Cases[0].ID, r.register.Cases[1].ID, "not over", ", 10 h<"} {
			if !strings.Contains(section, want) {
				t.Errorf("the list lacks %q:\n%s", want, section)
			}
		}
		mails := get(s, "/mail?range=24h").Body.String()
		if section := occasionLine.FindString(mails); !strings.Contains(section, "A &lt;release&gt;") || strings.Contains(section, "/incident/") || !strings.Contains(mails, "class=\"letters\"") {
			t.Errorf("the mails' list lacks what was announced, or has incidents of others:\n%s", section)
		}
		// What began before the window has a line in the list and none in the graphs.
		if n, letters := strings.Count(section, "<li>"), strings.Count(section, `class="letter"`); n != 4 || letters != 3 {
			t.Errorf("%d lines with %d letters, want 4 with 3:\n%s", n, letters, section)
		}
		if got := occasionLine.FindString(get(s, "/check/mx1?range=24h").Body.String()); strings.Contains(got, "/incident/") {
			t.Errorf("incidents of others:\n%s", got)
		}
	})
}
