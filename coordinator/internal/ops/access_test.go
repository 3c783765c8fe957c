package ops

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const secret = "a token of some length"

func opsHosts() []string { return []string{"Ops.example.net"} }

// public is a server that is not on loopback.
func public(o *Options) { o.Listen, o.Token, o.Hosts = ":8081", secret, opsHosts }

func TestNewRefusesToBeOpen(t *testing.T) {
	f := newFake()
	logger := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		listen, token string
		ok            bool
	}{
		{"127.0.0.1:8081", "", true},
		{"[::1]:8081", "", true},
		{"localhost:8081", "", true},
		{"127.9.9.9:0", "", true},
		{":8081", "", false},
		{"0.0.0.0:8081", "", false},
		{"192.0.2.1:8081", "short", false},
		{"ops.example.net:8081", "", false},
		{"", "", false},
		{"8081", "", false},
		{":8081", secret, true},
		{"[::]:8081", secret, true},
	} {
		_, err := New(Options{Live: f, History: f, Observations: f, Ledger: f, Servers: f, Logger: logger, Listen: c.listen, Token: c.token})
		if (err == nil) != c.ok {
			t.Errorf("listen %q with the token %q: got %v", c.listen, c.token, err)
		}
	}
	if _, err := New(Options{Logger: logger, Listen: "127.0.0.1:1"}); err == nil {
		t.Error("no sources, and no error")
	}
}

func TestHostIsChecked(t *testing.T) {
	s := newServer(t, newFake(), func(o *Options) { o.Hosts = opsHosts })
	for host, want := range map[string]int{
		"127.0.0.1:8081": 200, "localhost": 200, "LOCALHOST:8081": 200, "[::1]:8081": 200, "192.0.2.7": 200, "ops.example.net:8081": 200, "ops.example.net.": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "": 421, "localhost.evil.example:8081": 421,
	} {
		for _, path := range []string{"/", "/api/v1/verdicts", "/healthz"} {
			if w := get(s, path, "Host", host); w.Code != want {
				t.Errorf("host %q, %s: got %d, want %d", host, path, w.Code, want)
			}
		}
	}
}

func TestTokenIsDemandedOffLoopback(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), public)
		for path, want := range map[string]int{"/": 303, "/check/imap-login": 303, "/probes": 303, "/mail": 303, "/api/v1/verdicts": 401, "/api/v1/mail": 401, "/api/v1/annotations": 401, "/api/v1/findings": 401, "/api/v1/stream": 401, "/metrics": 401, "/healthz": 200, "/readyz": 200, "/login": 200} {
			if w := get(s, path); w.Code != want {
				t.Errorf("%s without a token: got %d, want %d", path, w.Code, want)
			}
		}
		for header, want := range map[string]int{"Bearer " + secret: 200, "Bearer " + secret + "x": 401, "Bearer ": 401, "Basic " + secret: 401, secret: 401} {
			if w := get(s, "/api/v1/verdicts", "Authorization", header); w.Code != want {
				t.Errorf("%q: got %d, want %d", header, w.Code, want)
			}
		}
	})
}

// pageTokenOf reads the token that a form of the page carries.
func pageTokenOf(t *testing.T, page string) string {
	t.Helper()
	m := regexp.MustCompile(`name="page_token" value="([^"]+)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page carries no token")
	}
	return m[1]
}

func post(h http.Handler, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(h, r, header...)
}

func TestLogin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), public)
		const origin = "http://127.0.0.1:8081"
		page := pageTokenOf(t, get(s, "/login").Body.String())
		if w := post(s, "/login", url.Values{"token": {"wrong"}, "page_token": {page}}, "Origin", origin); w.Code != 403 || w.Header().Get("Set-Cookie") != "" || !strings.Contains(w.Body.String(), "This is not the token.") {
			t.Errorf("a wrong token got %d, %s", w.Code, w.Header().Get("Set-Cookie"))
		}
		w := post(s, "/login", url.Values{"token": {secret}, "page_token": {page}}, "Origin", origin)
		cookies := w.Result().Cookies()
		if w.Code != 303 || len(cookies) != 1 {
			t.Fatalf("the token got %d and %d cookies", w.Code, len(cookies))
		}
		c := cookies[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.MaxAge != 12*3600 || strings.Contains(c.Value, secret) {
			t.Errorf("the cookie is %v", c)
		}
		value := c.Name + "=" + c.Value
		if w := get(s, "/", "Cookie", value); w.Code != 200 {
			t.Fatalf("with the cookie: got %d", w.Code)
		}
		seconds, mac, _ := strings.Cut(c.Value, ".") // the former with the colon of nobody's provider
		for _, forged := range []string{"", ".", "99999999999." + mac, seconds + ".00", page, seconds} {
			if w := get(s, "/", "Cookie", c.Name+"="+forged); w.Code != 303 {
				t.Errorf("the cookie %q: got %d, want to be sent to the form", forged, w.Code)
			}
		}
		logout := pageTokenOf(t, get(s, "/", "Cookie", value).Body.String())
		if w := post(s, "/logout", url.Values{"page_token": {logout}}, "Origin", origin, "Cookie", value); w.Code != 303 || w.Result().Cookies()[0].MaxAge >= 0 {
			t.Errorf("log out: got %d, %v", w.Code, w.Header())
		}
		time.Sleep(12*time.Hour - time.Second)
		if w := get(s, "/probes", "Cookie", value); w.Code != 200 {
			t.Errorf("a second before the end of the session: got %d", w.Code)
		}
		time.Sleep(time.Second)
		if w := get(s, "/probes", "Cookie", value); w.Code != 303 {
			t.Errorf("at the end of the session: got %d, want to be sent to the form", w.Code)
		}
	})
}

func TestChangesNeedOurOriginAndPage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for name, change := range map[string]func(*Options){"loopback": nil, "public": public} {
			s := newServer(t, newFake(), change)
			page := s.gate.pageToken()
			for _, c := range []struct {
				what   string
				token  string
				header []string
				ok     bool
			}{
				{"no origin", page, nil, false},
				{"another origin", page, []string{"Origin", "https://evil.example"}, false},
				{"the null origin", page, []string{"Origin", "null"}, false},
				{"no page token", "", []string{"Origin", "http://127.0.0.1:8081"}, false},
				{"a session as page token", s.gate.sign("session", time.Now().Add(time.Hour)), []string{"Origin", "http://127.0.0.1:8081"}, false},
				{"an old page token", s.gate.sign("page", time.Now()), []string{"Origin", "http://127.0.0.1:8081"}, false},
				{"origin and page token", page, []string{"Origin", "http://127.0.0.1:8081"}, true},
			} {
				w := post(s, "/login", url.Values{"page_token": {c.token}, "token": {secret}}, c.header...)
				if got := w.Code == http.StatusSeeOther; got != (c.ok && name == "public") || !c.ok && w.Code != http.StatusForbidden {
					t.Errorf("%s, %s: got %d", name, c.what, w.Code)
				}
			}
		}
		s := newServer(t, newFake(), public)
		r := httptest.NewRequest(http.MethodDelete, "/api/v1/verdicts", nil)
		if w := send(s, r, "Authorization", "Bearer "+secret); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("a program with the token is let through the gate: got %d, want 405", w.Code)
		}
	})
}

// TestOriginWithoutHost: two empty names are not one.
func TestOriginWithoutHost(t *testing.T) {
	for _, origin := range []string{"", "null", "file://"} {
		r := httptest.NewRequest(http.MethodPost, "/login", nil)
		r.Host = ""
		r.Header.Set("Origin", origin)
		if sameOrigin(r) {
			t.Errorf("Origin %q is taken for ours", origin)
		}
	}
}

// TestFormsAreShort: more than a form has is not read.
func TestFormsAreShort(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), public)
		for size, want := range map[int]int{1 << 10: http.StatusSeeOther, 20 << 10: http.StatusForbidden} {
			form := url.Values{"page_token": {s.gate.pageToken()}, "token": {secret}, "x": {strings.Repeat("x", size)}}
			if w := post(s, "/login", form, "Origin", "http://127.0.0.1:8081"); w.Code != want {
				t.Errorf("a form of %d bytes got %d, want %d", size, w.Code, want)
			}
		}
	})
}

func TestEveryAnswerIsPrivate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, newFake(), nil)
		for _, path := range []string{"/", "/check/imap-login", "/probes", "/api/v1/verdicts", "/nowhere", "/healthz"} {
			w := get(s, path)
			h := w.Header()
			if h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v", path, h)
			}
			if policy := h.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: policy %q", path, policy)
			}
			scripts := 0
			if path == "/" || path == "/check/imap-login" {
				scripts = 1
			}
			if strings.Count(w.Body.String(), "<script") != scripts || strings.Count(h.Get("Content-Security-Policy"), "script-src 'sha256-") != scripts || strings.Contains(w.Body.String(), " style=") {
				t.Errorf("%s holds a script that is not named, or a style attribute", path)
			}
		}
	})
}

// TestRefusalsAreLogged: the operator who is locked out can find out why.
func TestRefusalsAreLogged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newServer(t, newFake(), func(o *Options) { public(o); o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		post(s, "/login", url.Values{"page_token": {s.gate.pageToken()}, "token": {secret}}, "Origin", "null")
		get(s, "/", "Host", "evil.example")
		for _, want := range []string{`path=/login origin=null problem="the request does not come from a page of ours`, `host=evil.example path=/ origin="" problem="host \"evil.example\" is not ours`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, &log)
			}
		}
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds the token:\n%s", &log)
		}
	})
}
