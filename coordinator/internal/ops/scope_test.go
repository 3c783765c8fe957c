package ops

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// TestScopeOfAPage: what the address says is what is asked of the history.
func TestScopeOfAPage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		from, to := morning.Add(-90*24*time.Hour), morning.Add(-89*24*time.Hour)
		for query, want := range map[string]CheckQuery{
			"range=6h":                                          {Window: graph.Last(6*time.Hour, time.Minute, morning)},
			"range=1y&region=oceania":                           {Region: "oceania", Window: graph.Last(365*24*time.Hour, 24*time.Hour, morning)},
			"range=1y&probe=mel-1":                              {Region: "oceania", Probe: "mel-1", Window: graph.Last(365*24*time.Hour, 24*time.Hour, morning)},
			"range=1h&family=ipv6":                              {Family: checks.IPv6, Window: graph.Last(time.Hour, time.Minute, morning)},
			"from=" + utc(from) + "&to=" + utc(to):              {Window: graph.Window{From: from.Truncate(5 * time.Minute), To: to.Truncate(5 * time.Minute).Add(5 * time.Minute), Step: 5 * time.Minute}},
			"from=2026-11-22T06:00:30Z&to=2026-11-22T06:09:30Z": {Window: graph.Window{From: at("06:00"), To: at("06:10"), Step: time.Minute}},
		} {
			want.Check = "imap-login"
			w := get(s, "/check/imap-login?"+query)
			if w.Code != 200 || f.seen != want {
				t.Errorf("%s: got %d and %+v, want %+v", query, w.Code, f.seen, want)
			}
			// The page, its switches and its numbers are of the same scope.
			asked, _ := url.ParseQuery(query)
			link := "/api/v1/graphs/latency.json?" + (url.Values{"check": {"imap-login"}}).Encode() + "&"
			if body := strings.ReplaceAll(w.Body.String(), "&amp;", "&"); !strings.Contains(body, link) {
				t.Errorf("%s: no link to the numbers", query)
			}
			for name, values := range asked {
				body := strings.ReplaceAll(w.Body.String(), "&amp;", "&")
				if name != "range" && !strings.Contains(body, url.Values{name: values}.Encode()) {
					t.Errorf("%s: no switch keeps %s", query, name)
				}
			}
			if get(s, "/api/v1/graphs/latency.json?check=imap-login&"+query); f.seen != want {
				t.Errorf("%s: the numbers are of %+v, want %+v", query, f.seen, want)
			}
		}
		for _, query := range []string{
			"range=3d", "from=2026-11-22T06:00:00Z", "from=2026-11-22T06:00:00Z&to=2026-11-22T06:01:00Z", "from=2020-11-22T06:00:00Z&to=2026-11-22T06:01:00Z",
			"range=1h&from=2026-11-22T06:00:00Z&to=2026-11-22T07:00:00Z", "region=mars", "probe=nobody", "probe=mel-1&region=eu-north", "family=ipv5", "family=", "from=x&to=y",
		} {
			if w := get(s, "/check/imap-login?"+query); w.Code != 400 && query != "family=" {
				t.Errorf("%s: got %d, want 400", query, w.Code)
			}
		}
	})
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// at is a time of the morning's day.
func at(clock string) time.Time {
	v, err := time.Parse("2006-01-02 15:04", morning.UTC().Format(time.DateOnly)+" "+clock)
	if err != nil {
		panic(err)
	}
	return v.UTC()
}

// TestStepsFitThePicture: however long the window, it has at most maxSteps steps.
func TestStepsFitThePicture(t *testing.T) {
	for _, s := range spans() {
		if n := s.length / s.step; n > maxSteps || n < 60 {
			t.Errorf("%s: %d steps, want 60 to %d", s.name, n, maxSteps)
		}
	}
	for length := minDrawn; length <= maxDrawn; length += 37 * time.Minute {
		from := morning.Add(-length)
		w := scope{from: from, to: morning}.window(morning)
		if n := w.Cells(); n > maxSteps+1 || w.From.After(from) || w.To.Before(morning) {
			t.Fatalf("%v: %d steps of %v from %v to %v", length, n, w.Step, w.From, w.To)
		}
	}
}
