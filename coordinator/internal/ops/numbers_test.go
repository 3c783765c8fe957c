package ops

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
)

func TestNumbersGolden(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, smaller(), nil)
		w := get(s, "/api/v1/numbers?service=imap&from=2026-11-22T00:00:00Z")
		var b bytes.Buffer
		if err := json.Indent(&b, w.Body.Bytes(), "", " "); err != nil || w.Code != 200 {
			t.Fatalf("got %d, %v", w.Code, err)
		}
		golden(t, "numbers.json", b.Bytes())
		w = get(s, "/api/v1/numbers.csv?service=imap&from=2026-11-22T00:00:00Z")
		if name := w.Header().Get("Content-Disposition"); w.Code != 200 || name != `attachment; filename="imap-numbers.csv"` {
			t.Errorf("got %d and %s", w.Code, name)
		}
		golden(t, "numbers.csv", w.Body.Bytes())
		for name, path := range map[string]string{"numbers.html": "/numbers", "account.html": "/numbers/imap?range=7d"} {
			goldenPage(t, name, get(s, path).Body.Bytes())
		}
	})
}

func TestNumbersQuestions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.now.Services[3].SLO = 0
		s := newServer(t, f, nil)
		get(s, "/api/v1/numbers?service=imap")
		get(s, "/api/v1/numbers?service=mx&from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z")
		day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		for i, want := range []NumbersQuery{
			{"imap", morning.Add(-30 * 24 * time.Hour), morning, 0.999, true}, {"mx", day, day.Add(24 * time.Hour), 0, true},
		} {
			if got := f.numbered[i]; got != want {
				t.Errorf("asked %+v, want %+v", got, want)
			}
		}
		if q := f.mailed; strings.Join(q.Services, " ") != "mx" || !q.From.Equal(day) {
			t.Errorf("mails were asked of %+v", q)
		}
		for path, want := range map[string]string{
			"/api/v1/numbers.csv":                  `no service given, expected service=ID`,
			"/api/v1/numbers":                      `no service given, expected service=ID`,
			"/api/v1/numbers?service=nothing":      `service "nothing" is not configured`,
			"/api/v1/numbers?service=imap&step=1h": `parameter "step" is not known, expected one of service, from, to`,
			"/api/v1/numbers?service=imap&from=2026-12-01T00:00:00Z&to=2026-12-02T00:00:00Z": `from 2026-12-01T00:00:00Z has not come yet`,
		} {
			w := get(s, path)
			var got struct {
				Error string `json:"error"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusBadRequest || got.Error != want {
				t.Errorf("%s: got %d %q, want %q", path, w.Code, got.Error, want)
			}
		}
		for path, want := range map[string]int{"/numbers?range=1y": 400, "/numbers/nothing": 404, "/numbers/imap?range=x": 400} {
			if w := get(s, path); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
		f.breaks(errBroken)
		if w := get(s, "/numbers"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("without a history: got %d, want 503", w.Code)
		}
	})
}

// The page says of what was seen what it comes to: a promise that was broken, how fast, and
// what is thin is labelled and shown all the same.
func TestNumbersPageSaysWhatItComesTo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake().withMail()
		f.now.Services[4].SLO = 0
		s := newServer(t, f, nil)
		for path, want := range map[string][]string{
			"/numbers?range=7d": {
				"<h1>2 of 4 objectives kept, broken in Oceania.</h1>", "objective 99.9 %", "insufficient data", "overdrawn by", "no maintenance", "over 1 h</b>",
				"100 % left", "1,536 test mails, 1 lost",
			},
			"/numbers/imap?range=7d": {
				"<h1>IMAP could be reached 99.", "less than was promised.</h1>", "1 h and 5 min, at most 14.4", ": too fast</b>", "20 Nov 2026, 08:20 UTC", "Oceania</li>",
				"Worst hour: 0 % up.", "IPv4", "/api/v1/numbers?service=imap&amp;from=2026-11-15T10%3a20%3a14Z", "as good as",
			},
			"/numbers/mx":  {"<h1>Incoming mail could be reached 100 % of the time.</h1>", "All regions, Northern Europe, Central Europe, Eastern US, Southeast Asia and Oceania: in no window"},
			"/numbers/dav": {"None was announced."},
		} {
			w := get(s, path)
			for _, words := range want {
				if w.Code != 200 || !strings.Contains(w.Body.String(), words) {
					t.Errorf("%s: got %d without %q", path, w.Code, words)
				}
			}
		}
		if body := get(s, "/numbers/dav").Body.String(); strings.Contains(body, "Burn rates</h2>") || strings.Contains(body, "Dashed") {
			t.Error("a service without objective has burn rates")
		}
		asked := len(f.numbered)
		get(s, "/numbers?range=7d")
		time.Sleep(2 * accountFor)
		if get(s, "/numbers/mx"); len(f.numbered) != asked+1 {
			t.Errorf("asked %d times more, want once: an account is kept for a minute", len(f.numbered)-asked)
		}
	})
}

// What was hardly looked at is not said to be kept.
func TestObjectivesAreNotKeptUnseen(t *testing.T) {
	now := newFake().now
	seen := func(coverage, out float64) account {
		e := availability.Estimate{Known: true, Ratio: 1 - out, Coverage: coverage, Out: out}
		f := availability.Figures{Counted: e, Budget: new(availability.BudgetOf(0.999, out, time.Hour))}
		return account{service: Service{SLO: 99.9}, Numbers: availability.Numbers{Whole: f, Regions: []availability.RegionFigures{{Region: "oceania", Figures: f}}}}
	}
	for want, list := range map[string][]account{
		"No service has an objective.":                                      {{}},
		"Every objective was kept.":                                         {seen(1, 0), seen(0.8, 0)},
		"1 of 2 objectives kept, too little known of 1.":                    {seen(1, 0), seen(0.5, 0)},
		"0 of 1 objective kept, too little known of 1.":                     {{service: Service{SLO: 99}}},
		"1 of 2 objectives kept, broken in Oceania.":                        {seen(1, 0), seen(0.1, 0.01)},
		"0 of 2 objectives kept, broken in Oceania, too little known of 1.": {seen(0.1, 0), seen(0.1, 0.01)},
	} {
		var sum availability.Objectives
		for _, a := range list {
			sum.Add(a.service.Objective(), a.Numbers)
		}
		if got := sum.Words(func(ids []string) string { return graph.List(now.regionNames(ids)) }); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The people of a provider have the numbers of their own services, with the mails of the
// one that they ask for.
func TestNumbersOfProviders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := shared()
		s := newServer(t, f, func(o *Options) { public(o); withProviders(o) })
		for path, want := range map[string]int{
			"/numbers": 200, "/numbers/imap": 200, "/numbers/mx": 404, "/api/v1/numbers?service=imap": 200, "/api/v1/numbers?service=mx": 400,
		} {
			w := get(s, path, "Authorization", "Bearer "+fjordToken)
			if w.Code != want || strings.Contains(w.Body.String(), "Incoming mail") {
				t.Errorf("%s: got %d, want %d, and nothing of another one's service", path, w.Code, want)
			}
		}
		get(s, "/api/v1/numbers?service=imap", "Authorization", "Bearer "+fjordToken)
		if q := f.mailed; strings.Join(q.Services, " ") != "imap" {
			t.Errorf("mails were asked of %v, want imap", q.Services)
		}
		for _, q := range f.numbered {
			if q.Service == "mx" || q.Service == "dav" {
				t.Errorf("numbers were asked of %s", q.Service)
			}
		}
	})
}
