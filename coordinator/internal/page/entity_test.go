package page

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func sent(e *Entity, method string, status int, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.Send(w, r, status, 10*time.Second)
	return w
}

func TestEntityIsNotSentTwice(t *testing.T) {
	e := NewEntity("text/plain", []byte(strings.Repeat("beacon ", 400)), Policy{})
	first := sent(e, http.MethodGet, http.StatusOK)
	tag := first.Header().Get("ETag")
	if first.Code != 200 || first.Body.Len() != 2800 || tag == "" {
		t.Fatalf("got %d with %d bytes and tag %q", first.Code, first.Body.Len(), tag)
	}
	if got := first.Header().Get("Cache-Control"); got != "public, max-age=10" {
		t.Errorf("Cache-Control is %q", got)
	}
	zipped := sent(e, http.MethodGet, http.StatusOK, "Accept-Encoding", "br, gzip;q=0.5")
	if zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Header().Get("ETag") == tag || zipped.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("compressed answer has the header %v", zipped.Header())
	}
	z, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || len(plain) != 2800 {
		t.Errorf("unpacked to %d bytes, %v", len(plain), err)
	}
	zippedTag := zipped.Header().Get("ETag")
	for _, c := range []struct {
		match, coding, own string
		code               int
	}{
		{tag, "", tag, 304},
		{"W/" + tag, "", tag, 304},
		{`"other", ` + tag, "", tag, 304},
		{"*", "", tag, 304},
		{`"other"`, "", tag, 200},
		{zippedTag, "gzip", zippedTag, 304},
		{"*", "gzip", zippedTag, 304},
		{zippedTag, "", tag, 200}, // it holds the other coding
		{tag, "gzip", zippedTag, 200},
	} {
		again := sent(e, http.MethodGet, http.StatusOK, "If-None-Match", c.match, "Accept-Encoding", c.coding)
		if again.Code != c.code || again.Header().Get("ETag") != c.own || (again.Body.Len() == 0) != (c.code == 304) {
			t.Errorf("If-None-Match %s, coding %q: got %d with %d bytes and tag %s", c.match, c.coding, again.Code, again.Body.Len(), again.Header().Get("ETag"))
		}
	}
}

func TestEntityHeadAndErrors(t *testing.T) {
	e := NewEntity("text/plain", []byte("gone"), Policy{})
	if head := sent(e, http.MethodHead, http.StatusOK); head.Body.Len() != 0 || head.Header().Get("Content-Length") != "4" {
		t.Errorf("HEAD got %d bytes, length %s", head.Body.Len(), head.Header().Get("Content-Length"))
	}
	bad := sent(e, http.MethodGet, http.StatusNotFound, "If-None-Match", "*")
	if bad.Code != 404 || bad.Header().Get("ETag") != "" || bad.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("an error got %d with %v", bad.Code, bad.Header())
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "deflate, gzip": true, "gzip;q=0": false, "gzip; q=0.0": false, "gzip;q=1.0": true, "x-gzip2": false, "gzip;q=x": false,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("acceptsGzip(%q) = %v", header, got)
		}
	}
}

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		policy         Policy
		want, referrer string
	}{
		{Policy{Style: "'sha256-x'"}, "default-src 'none'; img-src 'self' data:; base-uri 'none'; style-src 'sha256-x'; form-action 'none'; frame-ancestors 'none'", "no-referrer"},
		{Policy{Script: "'sha256-y'"}, "default-src 'none'; img-src 'self' data:; base-uri 'none'; script-src 'sha256-y'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'", "no-referrer"},
		{Policy{Forms: true, Framed: true}, "default-src 'none'; img-src 'self' data:; base-uri 'none'; form-action 'self'", "same-origin"},
	} {
		if got := c.policy.Header(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		h := http.Header{}
		c.policy.Set(h)
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != c.referrer || (h.Get("X-Frame-Options") == "DENY") == c.policy.Framed {
			t.Errorf("header %v", h)
		}
	}
}

func TestShellNamesItsStyleSheet(t *testing.T) {
	sheet := NewSheet("p { color: var(--ink) } /* <&> */")
	shell, err := NewShell(sheet, true)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := shell.HTML(Document{Title: `<"&'>`, Description: "a \"b\"", Body: `<main id="main"></main>`})
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "<style>")
	css, _, ok := strings.Cut(rest, "</style>")
	if !ok || Source(css) != sheet.Source() {
		t.Errorf("the style in the page is not the one that is named: %d bytes", len(css))
	}
	for _, want := range []string{"<title>&lt;&#34;&amp;&#39;&gt;</title>", `content="a &#34;b&#34;"`, `content="noindex"`, `<main id="main">`, `id="g-down"`} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("the document lacks %s", want)
		}
	}
	if strings.Contains(string(doc), "<script") {
		t.Error("the document holds a script")
	}
}
