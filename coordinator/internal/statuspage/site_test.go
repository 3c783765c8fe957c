package statuspage

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"varde/coordinator/internal/page"
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

// small is a provider with two services and two regions, so that its golden
// files can be read.
func small(f *fake) *fake {
	f.regions = f.regions[1:]
	f.services = f.services[:2]
	for i := range f.services {
		f.services[i].Readings = f.services[i].Readings[1:]
	}
	return f
}

func TestGolden(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		site := newSite(t, small(newFake(true)), Page{ID: "main", Title: "Fjordmail status", URL: "https://status.fjordmail.example", Services: []string{"imap", "webmail"}})
		for name, path := range map[string]string{
			"front.html": "/", "service.html": "/service/imap?range=7d", "graph.svg": "/graph/imap.svg?range=90d&region=oceania", "badge.svg": "/badge/imap.svg",
			"badge.json": "/badge/imap.json", "summary.json": "/api/v2/summary.json", "missing.html": "/nowhere",
		} {
			body := ask(site, path).Body.Bytes()
			if strings.HasSuffix(name, ".json") {
				var b bytes.Buffer
				if err := json.Indent(&b, body, "", " "); err != nil {
					t.Errorf("%s: %v", path, err)
				}
				body = append(b.Bytes(), '\n')
			}
			// The style sheet has a file of its own.
			if _, rest, ok := bytes.Cut(body, []byte("</style>")); ok {
				body = rest
			}
			golden(t, name, body)
		}
	})
}

func TestPicturesAreXML(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		site := newSite(t, newFake(true))
		for _, path := range []string{"/graph/imap.svg", "/graph/imap.svg?range=7d", "/graph/imap.svg?range=30d&region=oceania", "/graph/imap.svg?range=90d", "/badge/dav.svg"} {
			w := ask(site, path)
			if w.Code != 200 || w.Header().Get("Content-Type") != "image/svg+xml; charset=utf-8" {
				t.Errorf("%s: got %d, %s", path, w.Code, w.Header().Get("Content-Type"))
			}
			css, _, _ := strings.Cut(w.Body.String(), "</style>")
			_, css, _ = strings.Cut(css, "<style>")
			if !strings.Contains(w.Header().Get("Content-Security-Policy"), page.Source(css)) {
				t.Errorf("%s: its policy does not name its own style", path)
			}
			for d := xml.NewDecoder(w.Body); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
		}
	})
}

func TestEveryAnswerIsSafeAndCacheable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		site := newSite(t, newFake(true))
		for path, data := range map[string]bool{
			"/": false, "/service/imap": false, "/graph/imap.svg": true, "/badge/imap.svg": true, "/badge/imap.json": true, "/api/v2/summary.json": true, "/api/v2/status.json": true,
			"/api/v2/components.json": true, "/api/v2/incidents.json": true, "/api/v2/incidents/unresolved.json": true, "/api/v2/scheduled-maintenances.json": true,
		} {
			w := ask(site, path)
			h := w.Header()
			if w.Code != 200 || h.Get("Cache-Control") != "public, max-age=10" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Set-Cookie") != "" {
				t.Errorf("%s: got %d with %v", path, w.Code, h)
			}
			if got := h.Get("Access-Control-Allow-Origin") == "*"; got != data {
				t.Errorf("%s: others may read it: %v, want %v", path, got, data)
			}
			if policy := h.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: policy %q", path, policy)
			}
			if again := ask(site, path, "If-None-Match", h.Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
				t.Errorf("%s: the same again got %d with %d bytes", path, again.Code, again.Body.Len())
			}
			if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), " style=") {
				t.Errorf("%s holds a script or a style attribute", path)
			}
		}
	})
}

func TestWhatThereIsNot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		site := newSite(t, newFake(false))
		for path, want := range map[string]int{
			"/nowhere": 404, "/service/nothing": 404, "/service/imap?range=2y": 400, "/graph/imap.png": 404, "/graph/nothing.svg": 404, "/graph/imap.svg?range=x": 400,
			"/graph/imap.svg?region=mars": 400, "/badge/imap": 404, "/badge/imap.svg.json": 404, "/badge/nothing.svg": 404, "/api/v2/other.json": 404, "/robots.txt": 200,
		} {
			if w := ask(site, path); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
		post := httptest.NewRecorder()
		site.ServeHTTP(post, httptest.NewRequest(http.MethodPost, "/", nil))
		if post.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST got %d", post.Code)
		}
	})
}

func TestSeveralPagesByHost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		site := newSite(t, newFake(false),
			Page{ID: "main", Title: "Fjordmail status", URL: "https://status.fjordmail.example", Services: []string{"webmail", "imap"}},
			Page{ID: "mx", Title: "Relay status", URL: "https://relay.example:8443", Services: []string{"mx"}},
			Page{ID: "six", Title: "By address", URL: "https://[2001:db8::1]", Services: []string{"mx"}})
		for host, want := range map[string]string{
			"status.fjordmail.example": "Fjordmail status", "relay.example": "Relay status", "RELAY.example:8080": "Relay status", "relay.example.": "Relay status",
			"[2001:DB8::1]": "By address", "[2001:db8::1]:8443": "By address", "elsewhere.example": "Fjordmail status", "127.0.0.1:8080": "Fjordmail status",
		} {
			if w := ask(site, "/", "Host", host); !strings.Contains(w.Body.String(), "<title>"+want+": ") {
				t.Errorf("host %s did not get %q", host, want)
			}
		}
		if w := ask(site, "/service/imap", "Host", "relay.example"); w.Code != 404 {
			t.Errorf("a page shows a service that is not its own: %d", w.Code)
		}
		var d struct {
			Components []struct {
				Name string `json:"name"`
			} `json:"components"`
		}
		if err := json.Unmarshal(ask(site, "/api/v2/components.json", "Host", "relay.example").Body.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		if len(d.Components) != 4 || d.Components[0].Name != "Incoming mail" || d.Components[3].Name != "Oceania" {
			t.Errorf("the relay's components are %v, want one service and its three regions", d.Components)
		}
	})
}

func TestRenderingIsCheapUnderLoad(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake(true)
		site := newSite(t, f)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				for _, path := range []string{"/", "/service/imap", "/api/v2/summary.json", "/graph/imap.svg"} {
					if w := ask(site, path); w.Code != 200 {
						t.Errorf("%s: got %d", path, w.Code)
					}
				}
			})
		}
		wg.Wait()
		if n := f.called("now"); n != 1 {
			t.Errorf("800 requests read the verdicts %d times, want once", n)
		}
		if n := f.called("history imap"); n != 2 { // ninety days and one day
			t.Errorf("800 requests read the history of imap %d times, want twice", n)
		}
		for range 10 {
			time.Sleep(2 * time.Second)
			ask(site, "/")
		}
		if n := f.called("now"); n != 11 {
			t.Errorf("20 s later the verdicts were read %d times, want 11", n)
		}
		if n := f.called("history imap"); n != 4 {
			t.Errorf("20 s later the history of imap was read %d times, want 4", n)
		}
	})
}

func TestChangesShowWithinTheRefresh(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake(false)
		site := newSite(t, f)
		before := ask(site, "/")
		f.mu.Lock()
		f.set("imap", "oceania", down)
		f.mu.Unlock()
		time.Sleep(1999 * time.Millisecond)
		if got := ask(site, "/"); got.Body.String() != before.Body.String() {
			t.Error("the page changed before its refresh")
		}
		time.Sleep(time.Millisecond)
		if got := ask(site, "/"); !strings.Contains(got.Body.String(), "<h1>IMAP cannot be reached from Oceania.</h1>") || got.Header().Get("ETag") == before.Header().Get("ETag") {
			t.Error("the page did not change after its refresh")
		}
	})
}

func TestBrokenSource(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake(false)
		f.breaks(errBroken)
		site := newSite(t, f)
		w := ask(site, "/")
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), errBroken.Error()) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("got %d with %v", w.Code, w.Header())
		}
		f.breaks(nil)
		time.Sleep(2 * time.Second)
		if w := ask(site, "/"); w.Code != 200 {
			t.Fatalf("after it was mended: got %d", w.Code)
		}
		f.breaks(errBroken)
		time.Sleep(time.Hour)
		w = ask(site, "/")
		if w.Code != 200 || !strings.Contains(w.Body.String(), "This page could not be renewed for 1 h") {
			t.Errorf("an hour later: got %d, and no word of it", w.Code)
		}
	})
}

// TestUnknownRegionsAreNotKept: while the source fails nobody can say which
// regions there are, and a memo forgets no key.
func TestUnknownRegionsAreNotKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake(false)
		f.breaks(errBroken)
		site := newSite(t, f)
		for i := range 10 {
			if w := ask(site, fmt.Sprintf("/graph/imap.svg?region=x%d", i)); w.Code != 503 || w.Header().Get("Retry-After") == "" {
				t.Errorf("got %d with %v", w.Code, w.Header())
			}
		}
		if n := reflect.ValueOf(site.entities).Elem().FieldByName("entries").Len(); n != 0 {
			t.Errorf("%d regions are kept that nobody knows", n)
		}
	})
}

// TestDocumentsChangeWithTheFacts: drawing one again makes it no other one.
func TestDocumentsChangeWithTheFacts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake(false)
		site := newSite(t, f)
		tags := func() (tags []string) {
			for _, name := range apiNames() {
				tags = append(tags, ask(site, "/api/v2/"+name+".json").Header().Get("ETag"))
			}
			return tags
		}
		before := tags()
		time.Sleep(time.Minute)
		f.mu.Lock()
		f.at = f.at.Add(time.Minute)
		f.mu.Unlock()
		if after := tags(); !slices.Equal(before, after) {
			t.Errorf("a minute later the tags %v are %v", before, after)
		}
		f.mu.Lock()
		f.set("imap", "oceania", func(r *Reading) { *r = Reading{Region: "oceania", State: verdict.Down, Since: f.at} })
		f.mu.Unlock()
		time.Sleep(time.Minute)
		for i, tag := range tags() {
			if tag == before[i] {
				t.Errorf("%s has not changed with the facts", apiNames()[i])
			}
		}
	})
}

func TestWordsOfOthersAreEscaped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFake(true)
		const evil = `<script>alert("1")</script>&'`
		f.services[1].Name = evil
		f.regions[2].Name = evil
		site := newSite(t, f, Page{ID: "main", Title: evil, URL: "https://a.example", Services: []string{"imap", "smtp"}})
		for _, path := range []string{"/", "/service/imap", "/graph/imap.svg", "/badge/imap.svg"} {
			if w := ask(site, path); w.Code != 200 || strings.Contains(w.Body.String(), "<script") {
				t.Errorf("%s: got %d, or a script", path, w.Code)
			}
		}
	})
}

func TestNewRefuses(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for name, o := range map[string]Options{
		"no source": {Logger: logger, Pages: []Page{{}}}, "no logger": {Source: newFake(false), Pages: []Page{{}}}, "no page": {Source: newFake(false), Logger: logger},
	} {
		if _, err := New(o); err == nil || errors.Is(err, errBroken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func BenchmarkFrontPageCold(b *testing.B) {
	f := newFake(true)
	site, err := New(Options{Source: f, Pages: []Page{{ID: "main", Title: "x", Services: []string{"webmail", "imap", "smtp", "mx", "dav"}}}, Logger: slog.New(slog.DiscardHandler), Refresh: 1, HistoryRefresh: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		ask(site, "/")
	}
}

func BenchmarkFrontPageWarm(b *testing.B) {
	f := newFake(true)
	site, err := New(Options{Source: f, Pages: []Page{{ID: "main", Title: "x", Services: []string{"webmail", "imap", "smtp", "mx", "dav"}}}, Logger: slog.New(slog.DiscardHandler), Refresh: time.Hour, HistoryRefresh: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		ask(site, "/", "Accept-Encoding", "gzip")
	}
}
