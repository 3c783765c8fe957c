package ops

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// The tokens of two providers that share one fleet.
const fjordToken, bergToken = "what the people of fjord show", "what the people of berg show"

// shared is a fleet in which fjord has webmail, imap and smtp and berg the rest.
func shared() *fake {
	f := newFake()
	for i := range f.now.Services {
		f.now.Services[i].Provider = "fjord"
		if i > 2 {
			f.now.Services[i].Provider = "berg"
		}
	}
	return f
}

func withProviders(o *Options) {
	o.Providers = func() []Provider { return []Provider{{"fjord", fjordToken}, {"berg", bergToken}, {"vidde", ""}} }
}

// TestProvidersSeeWhatIsTheirs asks everything that there is with the token of one
// provider: nothing tells of another one's services.
func TestProvidersSeeWhatIsTheirs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := shared()
		f.presented = []Presented{{Check: "mx1", Handshake: &checks.Handshake{}}}
		f.annotations = []Annotation{{At: morning.Add(-time.Minute), Check: "mx1", Kind: "address", From: "192.0.2.1", To: "192.0.2.2"}, {At: morning.Add(-time.Minute), Check: "imap-login", Kind: "address", From: "a", To: "b"}}
		f.findings = []Findings{{Findings: checks.Findings{Check: "mx1"}}}
		s := newServer(t, f, func(o *Options) { public(o); withProviders(o) })
		theirs := kept(f.now.Checks, func(c checks.Target) bool { return f.now.serviceOf(c.Service).Provider == "berg" })
		if len(theirs) == 0 || len(theirs) == len(f.now.Checks) {
			t.Fatalf("berg has %d of %d checks", len(theirs), len(f.now.Checks))
		}
		for _, path := range []string{"/", "/probes", "/mail", "/api/v1/verdicts", "/api/v1/services", "/api/v1/annotations", "/api/v1/findings", "/api/v1/observations", "/api/v1/mail", "/api/v1/probes"} {
			w := get(s, path, "Authorization", "Bearer "+fjordToken)
			if w.Code != http.StatusOK {
				t.Errorf("%s: got %d", path, w.Code)
			}
			for _, c := range theirs {
				if body := w.Body.String(); strings.Contains(body, `"`+c.ID+`"`) || strings.Contains(body, ">"+c.ID+"<") || strings.Contains(body, "/check/"+c.ID) {
					t.Errorf("%s tells fjord of %s", path, c.ID)
				}
			}
		}
		for path, want := range map[string]int{
			"/check/" + theirs[0].ID: 404, "/api/v1/latency?check=" + theirs[0].ID: 400, "/api/v1/availability?service=" + theirs[0].Service: 400,
			"/check/imap-login": 200, "/api/v1/availability?service=imap": 200, "/metrics": 404,
		} {
			if w := get(s, path, "Authorization", "Bearer "+fjordToken); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
		if q := f.listed[len(f.listed)-1]; len(q.Checks) == 0 || len(q.Checks) == len(f.now.Checks) {
			t.Errorf("observations were asked of %v", q.Checks)
		}
		if q := f.mailed; strings.Join(q.Services, " ") != "webmail imap smtp" {
			t.Errorf("mails were asked of %v", q.Services)
		}
		if body := get(s, "/api/v1/annotations", "Authorization", "Bearer "+secret).Body.String(); !strings.Contains(body, `"mx1"`) {
			t.Errorf("an operator of the fleet sees %s", body)
		}
	})
}

func TestProviderWithoutTokenHasNoDoor(t *testing.T) {
	s := newServer(t, shared(), func(o *Options) { public(o); withProviders(o) })
	for _, header := range []string{"Bearer ", "Bearer vidde", "Bearer " + fjordToken + "x"} {
		if w := get(s, "/api/v1/verdicts", "Authorization", header); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: got %d, want 401", header, w.Code)
		}
	}
	for _, cookie := range []string{"vidde:99999999999.00", ":99999999999.00", "fjord:"} {
		if w := get(s, "/", "Cookie", sessionCookie+"="+cookie); w.Code != http.StatusSeeOther {
			t.Errorf("cookie %q: got %d, want to be sent to the form", cookie, w.Code)
		}
	}
}

// TestProviderLogsIn: a session is that of the provider whose token was shown, and
// of no other, and ends with a new token.
func TestProviderLogsIn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		token := fjordToken
		s := newServer(t, shared(), func(o *Options) {
			public(o)
			o.Providers = func() []Provider { return []Provider{{"fjord", token}, {"berg", bergToken}} }
		})
		form := url.Values{"token": {fjordToken}, "page_token": {s.gate.pageToken()}}
		cookies := post(s, "/login", form, "Origin", "http://127.0.0.1:8081").Result().Cookies()
		if len(cookies) != 1 || strings.Contains(cookies[0].Value, fjordToken) {
			t.Fatalf("got the cookies %v", cookies)
		}
		value := cookies[0].Value
		if w := get(s, "/check/imap-login", "Cookie", sessionCookie+"="+value); w.Code != http.StatusOK {
			t.Errorf("own check: got %d", w.Code)
		}
		if w := get(s, "/check/mx1", "Cookie", sessionCookie+"="+value); w.Code != http.StatusNotFound {
			t.Errorf("a check of another: got %d, want 404", w.Code)
		}
		_, signed, _ := strings.Cut(value, ":")
		for _, other := range []string{"berg:" + signed, ":" + signed} {
			if w := get(s, "/", "Cookie", sessionCookie+"="+other); w.Code != http.StatusSeeOther {
				t.Errorf("the session as %q: got %d, want to be sent to the form", other, w.Code)
			}
		}
		token = "the next token of fjord"
		if w := get(s, "/", "Cookie", sessionCookie+"="+value); w.Code != http.StatusSeeOther {
			t.Errorf("after the token changed: got %d, want to be sent to the form", w.Code)
		}
	})
}

// TestEventsAreOfOwnServices: a provider's stream has its own verdicts and every
// probe.
func TestEventsAreOfOwnServices(t *testing.T) {
	s := newServer(t, shared(), func(o *Options) { public(o); withProviders(o) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	web := httptest.NewServer(s)
	defer web.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/api/v1/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+fjordToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Scan() // it listens
	for _, service := range []string{"mx", "imap"} {
		s.PublishVerdict(Verdict{Series: verdict.Series{Check: service + "-check"}, Service: service})
	}
	s.PublishProbe(Probe{Name: "osl-1"})
	var got []string
	for len(got) < 2 && lines.Scan() {
		if event, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			lines.Scan()
			if strings.Contains(lines.Text(), "mx-check") {
				t.Errorf("got %s", lines.Text())
			}
			got = append(got, event)
		}
	}
	if strings.Join(got, " ") != "verdict probe" {
		t.Errorf("got the events %v", got)
	}
	web.CloseClientConnections()
}
