package https_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// site answers every path of a map with a redirect to its value, and every other
// with the request as it came.
func site(places map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, ok := places[r.URL.RequestURI()]
		if !ok {
			_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-More"))
			return
		}
		status := http.StatusFound
		if n := r.URL.Query().Get("status"); n != "" {
			_, _ = fmt.Sscan(n, &status)
		}
		w.Header().Set("Location", to)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(r.URL.Query().Get("body")))
	})
}

// world serves a site on both ports and counts the connections.
func world(t *testing.T, lab *ct.Lab, places map[string]string) *atomic.Int32 {
	var connections atomic.Int32
	for _, secure := range []bool{false, true} {
		serve(t, lab, &http.Server{
			Handler: site(places), TLSConfig: lab.TLS(),
			ConnState: func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					connections.Add(1)
				}
			},
		}, secure)
	}
	return &connections
}

func TestRedirects(t *testing.T) {
	const (
		plain  = "resolve connect request first_byte body"
		secure = "resolve connect tls request first_byte body"
		failed = "resolve connect tls body request first_byte"
		s      = checks.HTTPStatus
	)
	long := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		name        string
		url         string
		options     checks.WebOptions
		places      map[string]string
		body        string
		class       checks.Class
		detail      string
		phases      string
		connections int32
	}{
		{"none allowed", "https://" + host, checks.WebOptions{}, map[string]string{"/": "/a?secret#b"}, "", s, "302 Found to https://" + host + "/a, expected 200", "resolve connect tls request first_byte", 1},
		{"one", "https://" + host, checks.WebOptions{Redirects: 1}, map[string]string{"/": "/a?b#c"}, "GET /a?b", "", "", secure, 1},
		{"one over HTTP/1.1", "https://" + host, checks.WebOptions{Redirects: 1, HTTP: "1.1"}, map[string]string{"/": "/a"}, "GET /a", "", "", secure, 1},
		{"one over HTTP/1.1 with a long body", "https://" + host + "/?body=" + long[:1900], checks.WebOptions{Redirects: 1, HTTP: "1.1"}, map[string]string{"/?body=" + long[:1900]: "/a"}, "GET /a", "", "", secure, 1},
		{"one without TLS", "http://" + host, checks.WebOptions{Redirects: 1}, map[string]string{"/": "http://MAIL.example.net./a"}, "GET /a", "", "", plain, 1},
		{"to https", "http://" + host, checks.WebOptions{Redirects: 1}, map[string]string{"/": "https://" + host + "/a"}, "GET /a", "", "", secure, 2},
		{"three on the way", "http://" + host, checks.WebOptions{Redirects: 3}, map[string]string{"/": "/a", "/a": "https://" + host + "/b", "/b": "c"}, "GET /c", "", "", secure, 2},
		{"one too many", "https://" + host, checks.WebOptions{Redirects: 2}, map[string]string{"/": "/a", "/a": "/b", "/b": "/c"}, "", s, "302 Found to https://" + host + "/c, one redirect too many, expected 200", failed, 1},
		{"to itself", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "/a", "/a": ""}, "", s, "302 Found, expected 200", failed, 1},
		{"loop of one", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "/a", "/a": "/a"}, "", s, "302 Found to https://" + host + "/a, which is a loop, expected 200", failed, 1},
		{"loop of two", "https://" + host, checks.WebOptions{Redirects: 9, HTTP: "1.1"}, map[string]string{"/a": "/b", "/b": "/a", "/": "/a"}, "", s, "302 Found to https://" + host + "/a, which is a loop, expected 200", failed, 1},
		{"another host", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "https://www.example.net/a"}, "", s, "302 Found to https://www.example.net/a, which is another host, expected 200", "resolve connect tls request first_byte", 1},
		{"another host without a scheme", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "//169.254.169.254/latest"}, "", s, "302 Found to https://169.254.169.254/latest, which is another host, expected 200", "resolve connect tls request first_byte", 1},
		{"without TLS", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "http://" + host}, "", s, "302 Found to http://" + host + ", which is without TLS, expected 200", "resolve connect tls request first_byte", 1},
		{"another port", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "https://" + host + ":25"}, "", s, "302 Found to https://" + host + ":25, which is another port, expected 200", "resolve connect tls request first_byte", 1},
		{"a user", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "https://u:p@" + host}, "", s, "302 Found to https://" + host + ", which is no page, expected 200", "resolve connect tls request first_byte", 1},
		{"another scheme", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "javascript:alert(1)"}, "", s, "302 Found to javascript:, which is no page, expected 200", "resolve connect tls request first_byte", 1},
		{"no address", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "https://[::1/"}, "", s, "302 Found to a place that cannot be read, expected 200", "resolve connect tls request first_byte", 1},
		{"endless address", "https://" + host, checks.WebOptions{Redirects: 9}, map[string]string{"/": "/" + long}, "", s, "which is no page", "resolve connect tls request first_byte", 1},
		{"POST becomes GET", "https://" + host, checks.WebOptions{Redirects: 1, Method: "POST", Headers: map[string]string{"x-more": "yes"}}, map[string]string{"/": "/a"}, "GET /a yes", "", "", secure, 1},
		{"POST becomes GET of the same", "https://" + host + "/?status=307", checks.WebOptions{Redirects: 1, Method: "POST", Headers: map[string]string{"x-more": "yes"}}, map[string]string{"/?status=307": "/a"}, "POST /a yes", "", "", secure, 1},
		{"not modified", "https://" + host + "/?status=304", checks.WebOptions{Redirects: 1}, map[string]string{"/?status=304": "/a"}, "", s, "304 Not Modified, expected 200", "resolve connect tls request first_byte", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				connections := world(t, lab, tt.places)
				r := ask(t, lab, checks.Target{URL: tt.url, WebOptions: tt.options, Expect: checks.Expect{Body: tt.body}})
				if r.Class != tt.class || !strings.Contains(r.Detail, tt.detail) || r.Elapsed != 0 {
					t.Errorf("got %+v, want %q, %q", r, tt.class, tt.detail)
				}
				if names(r) != tt.phases || connections.Load() != tt.connections {
					t.Errorf("phases %q over %d connections, want %q over %d", names(r), connections.Load(), tt.phases, tt.connections)
				}
			})
		})
	}
}

// TestRedirectsOverHTTP1 has what only HTTP/1.1 can get wrong between two
// answers.
func TestRedirectsOverHTTP1(t *testing.T) {
	const found = "HTTP/1.1 302 Found\r\nLocation: /a\r\n"
	again := []ct.Step{ct.Skip("GET /a HTTP/1.1\r\n", "Connection: close\r\n"), ct.Send(ok + "Content-Length: 0\r\n\r\n")}
	for _, tt := range []struct {
		name   string
		steps  []ct.Step
		phase  checks.Phase
		class  checks.Class
		took   time.Duration
		phases string
	}{
		{"the connection stays", append([]ct.Step{ct.Send(found + "Content-Length: 2\r\n\r\nhi")}, again...), "", "", 0, "resolve connect request first_byte body"},
		{"chunks", append([]ct.Step{ct.Send(found + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")}, again...), "", "", 0, "resolve connect request first_byte body"},
		{"the server leaves", []ct.Step{ct.Send(found + "Content-Length: 2\r\nConnection: close\r\n\r\nhi")}, checks.FirstByte, checks.HTTPStatus, 0, "resolve body connect request first_byte"},
		{"a long body", []ct.Step{ct.Send(found + "Content-Length: 9999\r\n\r\n" + strings.Repeat("x", 9999))}, checks.FirstByte, checks.HTTPStatus, 0, "resolve body connect request first_byte"},
		{"the body is missing", []ct.Step{ct.Send(found + "Content-Length: 2\r\n\r\n"), ct.Silence()}, checks.Body, checks.CommandTimeout, 5 * time.Second, "resolve connect request first_byte body"},
		{"the body is cut short", []ct.Step{ct.Send(found + "Content-Length: 2\r\n\r\nh")}, checks.Body, checks.Closed, 0, "resolve connect request first_byte body"},
		{"no second answer", []ct.Step{ct.Send(found + "Content-Length: 0\r\n\r\n"), ct.Silence()}, checks.FirstByte, checks.CommandTimeout, 5 * time.Second, "resolve connect body request first_byte"},
		{"an answer behind the first", []ct.Step{ct.Send(found + "Content-Length: 0\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"), ct.Silence()}, checks.FirstByte, checks.HTTPStatus, 0, "resolve body connect request first_byte"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				lab.Play(t, ":80", append([]ct.Step{ct.Skip("HTTP/1.1\r\n")}, tt.steps...)...)
				r := ask(t, lab, checks.Target{URL: "http://" + host, WebOptions: checks.WebOptions{Redirects: 1}})
				if r.FailedPhase != tt.phase || r.Class != tt.class || r.Elapsed != tt.took || tt.phases != "" && names(r) != tt.phases {
					t.Errorf("got %+v, want %s in %s after %s through %s", r, tt.class, tt.phase, tt.took, tt.phases)
				}
			})
		})
	}
}

// TestRedirectsShareTheCap: every hop takes from what one attempt may take.
func TestRedirectsShareTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		var hops atomic.Int32
		serve(t, lab, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-More", strings.Repeat("x", 60<<10))
			w.Header().Set("Location", fmt.Sprintf("/%d", hops.Add(1)))
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusFound)
		})}, false)
		r := ask(t, lab, checks.Target{URL: "http://" + host, WebOptions: checks.WebOptions{Redirects: 10}})
		if r.Class != checks.ProtocolError || !strings.Contains(r.Detail, "more than 512 kB in one attempt") || r.FailedPhase != checks.FirstByte {
			t.Errorf("got %+v, want protocol_error", r)
		}
	})
}
