package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file: %v (run the test with -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from its golden file; run with -update, look at the difference", name)
	}
}

// goldenPage is golden for a page. Its style sheet and its script are left out, which
// have files of their own.
func goldenPage(t *testing.T, name string, page []byte) {
	t.Helper()
	if _, rest, ok := bytes.Cut(page, []byte("</style>")); ok {
		page = rest
	}
	for _, script := range []string{overviewJS, graphsJS} {
		page = bytes.ReplaceAll(page, []byte(script), nil)
	}
	golden(t, name, page)
}

// smaller is a fleet of two regions and two checks, so that its golden files
// can be read.
func smaller() *fake {
	f := newFake()
	f.now.Regions = f.now.Regions[3:]
	f.now.Services = f.now.Services[1:3]
	f.now.Checks = f.now.Checks[2:4]
	keep := func(check, region string) bool {
		return strings.HasPrefix(check, "imap") && (region == "oceania" || region == "asia-se")
	}
	verdicts, probes, changes := f.now.Verdicts, f.now.Probes, f.now.Changes
	f.now.Verdicts, f.now.Probes, f.now.Changes = nil, nil, nil
	for _, v := range verdicts {
		if keep(v.Check, v.Region) {
			f.now.Verdicts = append(f.now.Verdicts, v)
		}
	}
	for _, p := range probes {
		if keep("imap", p.Region) {
			f.now.Probes = append(f.now.Probes, p)
		}
	}
	for _, c := range changes {
		if keep(c.Series.Check, c.Series.Region) {
			f.now.Changes = append(f.now.Changes, c)
		}
	}
	return f
}

func TestAPIGolden(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, smaller(), nil)
		for name, path := range map[string]string{
			"verdicts.json": "/api/v1/verdicts", "services.json": "/api/v1/services", "probes.json": "/api/v1/probes", "incidents.json": "/api/v1/incidents",
			"observations.json": "/api/v1/observations?check=imap-login&outcome=down&limit=2", "availability.json": "/api/v1/availability?service=imap&step=1h", "latency.json": "/api/v1/latency?check=imap-login&step=1h",
		} {
			w := get(s, path)
			if w.Code != 200 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%s: got %d, %s", path, w.Code, w.Header().Get("Content-Type"))
			}
			var b bytes.Buffer
			if err := json.Indent(&b, w.Body.Bytes(), "", " "); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			golden(t, name, b.Bytes())
		}
	})
}

func TestBadQuestions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		for path, want := range map[string]string{
			"/api/v1/observations?limit=0":                                                             `limit "0", expected a number from 1 to 1000`,
			"/api/v1/observations?limit=99999":                                                         `limit "99999", expected a number from 1 to 1000`,
			"/api/v1/observations?outcome=bad":                                                         `outcome "bad", expected one of up, down, unknown`,
			"/api/v1/observations?check=NO%20":                                                         `check "NO ", expected 1 to 63 of a-z, 0-9 and -`,
			"/api/v1/observations?check=nothing":                                                       `check "nothing" is not configured`,
			"/api/v1/observations?regoin=x":                                                            `parameter "regoin" is not known, expected one of check, probe, region, outcome, from, to, limit, cursor`,
			"/api/v1/observations?check=dav&check=mx1":                                                 `parameter "check" is given 2 times, expected once`,
			"/api/v1/observations?from=yesterday":                                                      `from "yesterday", expected a time such as 2026-11-22T10:00:00Z`,
			"/api/v1/observations?from=2026-11-22T10:00:00Z&to=2026-11-22T10:00:00Z":                   `from is not before to, expected the runs that ended at from or later and before to`,
			"/api/v1/observations?cursor=12_osl-1_e1":                                                  `cursor "12_osl-1_e1", expected the one of a Link header`,
			"/api/v1/observations?cursor=x_osl-1_e1_7":                                                 `cursor "x_osl-1_e1_7", expected the one of a Link header`,
			"/api/v1/availability":                                                                     `expected exactly one of service and check`,
			"/api/v1/availability?service=imap&check=dav":                                              `expected exactly one of service and check`,
			"/api/v1/availability?service=nothing":                                                     `service "nothing" is not configured`,
			"/api/v1/availability?check=dav&region=mars":                                               `region "mars" is not configured`,
			"/api/v1/availability?check=dav&step=1s":                                                   `step "1s", expected whole minutes such as 1m, 15m, 1h or 1d`,
			"/api/v1/availability?check=dav&step=90s":                                                  `step "90s", expected whole minutes such as 1m, 15m, 1h or 1d`,
			"/api/v1/availability?check=dav&step=1m&from=2026-11-01T00:00:00Z&to=2026-11-22T00:00:00Z": `step 1m gives 30240 points, expected at most 2000`,
			"/api/v1/availability?check=dav&from=1980-01-01T00:00:00Z":                                 `from 1980-01-01T00:00:00Z to 2026-11-22T10:20:14Z is longer than 20 years`,
			"/api/v1/availability?check=dav&from=2026-11-23T00:00:00Z&to=2026-11-22T00:00:00Z":         `from 2026-11-23T00:00:00Z is not before to 2026-11-22T00:00:00Z`,

			"/api/v1/latency": `no check given, expected check=ID`,

			"/api/v1/latency?check=dav&phase=nonsense": `phase "nonsense", expected one of resolve, connect, tls, greeting, starttls, capability, auth, select, request, first_byte, body, submit, deliver, logout`,
		} {
			w := get(s, path)
			var got struct {
				Error string `json:"error"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusBadRequest || got.Error != want {
				t.Errorf("%s:\ngot  %d %s %v\nwant 400 %s", path, w.Code, got.Error, err, want)
			}
		}
		for _, path := range []string{"/api/v1/incidents/i-1", "/api/v1/nothing"} {
			if w := get(s, path); w.Code != 404 || !strings.HasPrefix(w.Body.String(), `{"error":`) {
				t.Errorf("%s: got %d %s", path, w.Code, w.Body)
			}
		}
	})
}

func TestQuestionsReachTheSource(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		get(s, "/api/v1/availability?check=dav&region=oceania&from=2026-11-22T11:00:00%2B01:00&to=2026-11-22T12:00:00Z&step=15m")
		hour := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		if want := (AvailabilityQuery{Check: "dav", Region: "oceania", From: hour, To: hour.Add(2 * time.Hour), Step: 15 * time.Minute}); f.asked != want {
			t.Errorf("got %+v, want %+v", f.asked, want)
		}
		get(s, "/api/v1/latency?check=dav&phase=tls")
		if want := (LatencyQuery{Check: "dav", Phase: checks.TLS, From: morning.Add(-24 * time.Hour), To: morning, Step: 5 * time.Minute}); f.latency != want {
			t.Errorf("got %+v, want %+v", f.latency, want)
		}
		get(s, "/api/v1/observations?probe=fra-2&region=eu-central&outcome=unknown&limit=7&to=2026-11-22T10:00:00Z")
		got := f.listed[len(f.listed)-1]
		if got.Probe != "fra-2" || got.Region != "eu-central" || len(got.Outcomes) != 1 || got.Outcomes[0] != checks.Unknown || got.Limit != 7 || !got.To.Equal(hour) || !got.From.IsZero() {
			t.Errorf("got %+v", got)
		}
	})
}

// A list that goes on says where, in words that the next question understands.
func TestObservationsLinkToTheNextPage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, nil)
		w := get(s, "/api/v1/observations?check=imap-login&probe=mel-1&limit=2")
		link, ok := strings.CutPrefix(w.Header().Get("Link"), "<")
		link, end := strings.CutSuffix(link, `>; rel="next"`)
		if !ok || !end {
			t.Fatalf("got Link %q", w.Header().Get("Link"))
		}
		var page []checks.Observation
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || len(page) != 2 {
			t.Fatalf("got %d observations, %v, want 2", len(page), err)
		}
		get(s, link)
		q := f.listed[len(f.listed)-1]
		want := Cursor{page[1].End(), page[1].Probe, page[1].Epoch, page[1].Seq}
		if q.After != want || q.Check != "imap-login" || q.Probe != "mel-1" || q.Limit != 2 {
			t.Errorf("the link asks for %+v, want the same after %+v", q, want)
		}
		if w := get(s, "/api/v1/observations?probe=mel-1&limit=1000"); w.Header().Get("Link") != "" {
			t.Errorf("the last page links to %q", w.Header().Get("Link"))
		}
	})
}

func TestUsualStep(t *testing.T) {
	const day = 24 * time.Hour
	for length, want := range map[time.Duration]time.Duration{
		time.Hour: time.Minute, day: 5 * time.Minute, 3 * day: 15 * time.Minute, 7 * day: time.Hour, 30 * day: 6 * time.Hour, 90 * day: day, 365 * day: day, 3650 * day: 12 * day,
	} {
		if got := usualStep(length); got != want || length/got > maxPoints {
			t.Errorf("%s: got %s, want %s", length, got, want)
		}
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add("check=dav&from=2026-11-22T10:00:00Z&step=7d")
	f.Add("limit=-1&outcome=&to=x")
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := http.NewRequest(http.MethodGet, "http://localhost/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = raw
		q := ask(r.URL.Query())
		from, to := q.window(morning)
		step := q.step(from, to)
		limit := q.number("limit", defaultLimit, 1, maxLimit)
		q.id("check")
		if q.err != nil {
			return
		}
		if step < minStep || to.Sub(from)/step > maxPoints || !from.Before(to) || limit < 1 || limit > maxLimit {
			t.Fatalf("%q became %s to %s by %s, limit %d", raw, from, to, step, limit)
		}
	})
}

func TestBrokenSources(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake()
		f.breaks(errBroken)
		s := newServer(t, f, nil)
		for _, path := range []string{"/", "/check/imap-login", "/probes", "/api/v1/verdicts", "/api/v1/observations", "/api/v1/availability?check=dav", "/api/v1/latency?check=dav"} {
			w := get(s, path)
			if w.Code != 503 || strings.Contains(w.Body.String(), errBroken.Error()) {
				t.Errorf("%s: got %d, %s", path, w.Code, w.Body)
			}
		}
	})
}

func TestHealth(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		notYet := errors.New("the journal is being read")
		s := newServer(t, newFake(), func(o *Options) {
			o.Ready = func(context.Context) error { return notYet }
			o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("varde_up 1\n")) })
		})
		if w := get(s, "/healthz"); w.Code != 200 || w.Body.String() != "ok\n" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
		if w := get(s, "/readyz"); w.Code != 503 || w.Body.String() != "not ready: the journal is being read\n" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
		if w := get(s, "/metrics"); w.Code != 200 || w.Body.String() != "varde_up 1\n" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
		s = newServer(t, newFake(), nil)
		if w := get(s, "/readyz"); w.Code != 200 {
			t.Errorf("got %d", w.Code)
		}
		if w := get(s, "/metrics"); w.Code != 404 {
			t.Errorf("without metrics: got %d", w.Code)
		}
	})
}

// TestServicesOfWhatIsNotMeasured: what nobody looks at is not called
// operational, unless it was when somebody last did.
func TestServicesOfWhatIsNotMeasured(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			last map[verdict.Series]verdict.State
			want string
		}{
			"never measured": {nil, `"status":null,"regions":[{"region":"asia-se","status":null,"state":"unknown",`},
			"was down":       {map[verdict.Series]verdict.State{{Check: "mx2", Region: "asia-se", Family: checks.IPv4}: verdict.Down, {Check: "mx2", Region: "asia-se", Family: checks.IPv6}: verdict.Up}, `"status":"major_outage","regions":[{"region":"asia-se","status":"major_outage","state":"unknown",`},
			"was up":         {map[verdict.Series]verdict.State{{Check: "mx2", Region: "asia-se", Family: checks.IPv6}: verdict.Up}, `"status":"operational","regions":[{"region":"asia-se","status":"operational","state":"unknown",`},
		} {
			f := newFake()
			f.last = c.last
			f.now.Verdicts = slices.DeleteFunc(f.now.Verdicts, func(v Verdict) bool { return v.Check != "mx2" || v.Region != "asia-se" })
			if body := get(newServer(t, f, nil), "/api/v1/services").Body.String(); !strings.Contains(body, `"id":"mx","name":"Incoming mail",`+c.want) {
				t.Errorf("%s: got %s, want %s", name, body, c.want)
			}
		}
	})
}
