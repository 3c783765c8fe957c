package https_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/https"
)

const host = ct.LabName

func build(t checks.Target, env checks.Env) (checks.Check, error) {
	c, err := https.New(t, env)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// asked is what every request over HTTP/1.1 begins with.
func asked() []ct.Step { return asks("GET") }

func asks(method string) []ct.Step {
	return []ct.Step{ct.Skip(method+" / HTTP/1.1\r\n", "Host: "+host+"\r\n", "User-Agent: varde-probe\r\n", "Accept: */*\r\n", "Connection: close\r\n")}
}

func TestEveryPoint(t *testing.T) {
	const c = checks.ProtocolError
	points := []ct.Point{
		{
			Name: "header", Until: func(*ct.Lab) []ct.Step { return asked() }, Drip: "HTTP/1.1 200 OK\r\n",
			Phase: checks.FirstByte, Timeout: checks.CommandTimeout, Limit: 5 * time.Second, Garbage: c, Flood: c,
		},
		{
			Name: "chunked body", Until: func(*ct.Lab) []ct.Step {
				return append(asked(), ct.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
			},
			Drip: "40\r\n12345678901234567890", Phase: checks.Body, Timeout: checks.CommandTimeout, Limit: 5 * time.Second, Garbage: c, Flood: c,
		},
	}
	ct.EveryPoint(t, checks.Target{Kind: checks.HTTPS, URL: "http://" + host}, ":80", build, points)
}

func TestEveryPointOfTheHandshake(t *testing.T) {
	ct.EveryPoint(t, checks.Target{Kind: checks.HTTPS, URL: "https://" + host}, ":443", build, []ct.Point{{
		Name: "handshake", Until: func(*ct.Lab) []ct.Step { return nil }, Drip: "\x16\x03\x03\x40\x00",
		Phase: checks.TLS, Timeout: checks.TLSTimeout, Limit: 5 * time.Second, Garbage: checks.TLSError, Flood: checks.TLSError,
	}})
}

// attempt plays a script to one check over IPv4.
func attempt(t *testing.T, target checks.Target, steps ...ct.Step) (r checks.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, ":80", append(asks(cmp.Or(target.Method, "GET")), steps...)...)
		r = ask(t, lab, target)
	})
	return r
}

func ask(t *testing.T, lab *ct.Lab, target checks.Target) checks.Result {
	t.Helper()
	target.Every = time.Minute
	c, err := https.New(target, lab.Env())
	if err != nil {
		t.Fatal(err)
	}
	return c.Attempt(t.Context(), checks.IPv4)
}

// answer is one way in which a server answers a request over HTTP/1.1.
type answer struct {
	name   string
	target checks.Target
	steps  []ct.Step
	phase  checks.Phase
	class  checks.Class
	detail string
	took   time.Duration
}

func TestAnswers(t *testing.T) {
	for _, tt := range slices.Concat(statuses(), headers(), bodies()) {
		t.Run(tt.name, func(t *testing.T) {
			tt.target.URL = "http://" + host
			r := attempt(t, tt.target, tt.steps...)
			if r.FailedPhase != tt.phase || r.Class != tt.class || r.Outcome != tt.class.Outcome() {
				t.Errorf("got %s in %q, want %s in %q", r.Class, r.FailedPhase, tt.class, tt.phase)
			}
			if !strings.Contains(r.Detail, tt.detail) || r.Elapsed != tt.took {
				t.Errorf("detail %q after %s, want %q after %s", r.Detail, r.Elapsed, tt.detail, tt.took)
			}
		})
	}
}

const ok = "HTTP/1.1 200 OK\r\n"

// says is an answer in one piece.
func says(words ...string) []ct.Step { return []ct.Step{ct.Send(strings.Join(words, ""))} }

// status is an answer without a body.
func status(line string, header ...string) []ct.Step {
	return says("HTTP/1.1 ", line, "\r\n", strings.Join(header, ""), "Content-Length: 0\r\n\r\n")
}

func statuses() []answer {
	const f, s = checks.FirstByte, checks.HTTPStatus
	expect := func(set checks.Statuses) checks.Target { return checks.Target{Expect: checks.Expect{Status: set}} }
	var get checks.Target
	return []answer{
		{"200", get, says(ok, "Content-Length: 2\r\n\r\nhi"), "", "", "", 0},
		{"slow", get, append([]ct.Step{ct.Wait(2 * time.Second)}, status("200 OK")...), "", "", "", 2 * time.Second},
		{"204", get, says("HTTP/1.1 204 No Content\r\n\r\n"), f, s, "204 No Content, expected 200", 0},
		{"204 expected, the stream stays", expect("2xx"), append(says("HTTP/1.1 204 No Content\r\n\r\n"), ct.Silence()), "", "", "", 0},
		{"401", get, status("401 Who"), f, s, "401 Unauthorized, expected 200", 0},
		{"403", get, status("403 No"), f, s, "403 Forbidden, expected 200", 0},
		{"404", get, status("404 Gone"), f, s, "404 Not Found, expected 200", 0},
		{"421", get, status("421 Elsewhere"), f, s, "421 Misdirected Request, expected 200", 0},
		{"429", get, status("429 Slow down"), f, checks.Policy, "429 Too Many Requests, expected 200", 0},
		{"429 expected", expect("429"), status("429 Slow down"), "", "", "", 0},
		{"500", get, status("500 Oh"), f, s, "500 Internal Server Error, expected 200", 0},
		{"502", get, status("502 Oh"), f, s, "502 Bad Gateway, expected 200", 0},
		{"503", get, status("503 Busy"), f, s, "503 Service Unavailable, expected 200", 0},
		{"503 expected", expect("503"), status("503 Busy"), "", "", "", 0},
		{"599", get, status("599 What"), f, s, "599, expected 200", 0},
		{"999", get, status("999 What"), f, s, "999, expected 200", 0},
		{"redirect", get, status("302 Found", "Location: http://192.0.2.7/\r\n"), f, s, "302 Found to http://192.0.2.7/, which is another host, expected 200", 0},
		{"redirect without a place", get, status("302 Found"), f, s, "302 Found, expected 200", 0},
		{"redirect expected", expect("200, 302"), status("302 Found", "Location: http://192.0.2.7/\r\n"), "", "", "", 0},
		{"HEAD", checks.Target{WebOptions: checks.WebOptions{Method: "HEAD"}}, append(says(ok, "Content-Length: 999\r\n\r\n"), ct.Silence()), "", "", "", 0},
		{"HEAD with a body", checks.Target{WebOptions: checks.WebOptions{Method: "HEAD"}}, says(ok, "Content-Length: 2\r\n\r\nhi"), "", "", "", 0},
		{"OPTIONS", checks.Target{WebOptions: checks.WebOptions{Method: "OPTIONS"}}, status("200 OK"), "", "", "", 0},
		{"POST", checks.Target{WebOptions: checks.WebOptions{Method: "POST"}}, status("200 OK"), "", "", "", 0},
	}
}

func headers() []answer {
	const f, p = checks.FirstByte, checks.ProtocolError
	var get checks.Target
	return []answer{
		{"HTTP/1.0", get, says("HTTP/1.0 200 OK\r\n\r\nhi"), "", "", "", 0},
		{"early hints", get, says("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", ok, "Content-Length: 0\r\n\r\n"), "", "", "", 0},
		{"endless 103s", get, []ct.Step{ct.Flood("HTTP/1.1 103 Early Hints\r\n\r\n")}, f, p, "a header of more than 64 kB", 0},
		{"100 and silence", get, append(says("HTTP/1.1 100 Continue\r\n\r\n"), ct.Silence()), f, checks.CommandTimeout, "not complete within 5s, 25 bytes came", 5 * time.Second},
		{"101", get, says("HTTP/1.1 101 Switching\r\n\r\n"), f, p, "HTTP/1.1 101 Switching, expected an answer of HTTP/1.1", 0},
		{"endless header", get, []ct.Step{ct.Send(ok), ct.Flood("X-More: yes\r\n")}, f, p, "a header of more than 64 kB", 0},
		{"endless line", get, []ct.Step{ct.Send(ok + "X-More: "), ct.Flood("yes")}, f, p, "a header of more than 64 kB", 0},
		{"endless status", get, []ct.Step{ct.Send("HTTP/1.1 200 "), ct.Flood("OK")}, f, p, "a header of more than 64 kB", 0},
		{"header cut short", get, says(ok, "X-More: y"), f, checks.Closed, "closed the connection", 0},
		{"not HTTP", get, says("220 mail ESMTP\r\n"), f, p, "malformed HTTP", 0},
		{"words of HTTP/2", get, says("HTTP/2.0 200 OK\r\n\r\n"), f, p, "HTTP/2.0 200 OK, expected an answer of HTTP/1.1", 0},
		{"status without a number", get, says("HTTP/1.1 OK\r\n\r\n"), f, p, "malformed HTTP status code", 0},
		{"line without a colon", get, says(ok, "hello\r\n\r\n"), f, p, "malformed MIME header", 0},
		{"NULs and invalid UTF-8 in the status", get, status("200 \x00\xff\xfe"), "", "", "", 0},
		{"NULs and invalid UTF-8 in the header", get, status("200 OK", "X-\xff: \x00\xfe\r\n"), f, p, "malformed MIME header", 0},
		{"NULs and invalid UTF-8 in a value", get, status("200 OK", "X-More: \x00\xfe\r\n"), f, p, "malformed MIME header", 0},
		{"two lengths", get, says(ok, "Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi"), f, p, "Content-Length", 0},
		{"length below zero", get, says(ok, "Content-Length: -1\r\n\r\n"), f, p, "Content-Length", 0},
		{"unknown transfer encoding", get, says(ok, "Transfer-Encoding: gzip\r\n\r\n"), f, p, "transfer encoding", 0},
	}
}

func bodies() []answer {
	const b = checks.Body
	var get checks.Target
	text := func(s string) checks.Target { return checks.Target{Expect: checks.Expect{Body: s}} }
	match := func(s string) checks.Target { return checks.Target{Expect: checks.Expect{BodyRegexp: s}} }
	at := func(max int64, t checks.Target) checks.Target { t.MaxBody = max; return t }
	long := strings.Repeat("x", 64<<10)
	return []answer{
		{"to the end of the stream", get, says(ok, "\r\nhi"), "", "", "", 0},
		{"length too large", get, says(ok, "Content-Length: 9\r\n\r\nhi"), b, checks.Closed, "closed the connection", 0},
		{"length too large, the stream stays", get, append(says(ok, "Content-Length: 9\r\n\r\nhi"), ct.Silence()), b, checks.CommandTimeout, "", 5 * time.Second},
		{"length too small", get, says(ok, "Content-Length: 1\r\n\r\nhi"), "", "", "", 0},
		{"text behind the length", text("hi"), says(ok, "Content-Length: 1\r\n\r\nhi"), b, checks.BodyMismatch, "not in the first 1 bytes", 0},
		{"1 GB announced", get, append(says(ok, "Content-Length: 1073741824\r\n\r\n"), ct.Flood(long)), "", "", "", 0},
		{"endless", get, append(says(ok, "\r\n"), ct.Flood(long)), "", "", "", 0},
		{"endless, text expected", text("Log in"), append(says(ok, "\r\n"), ct.Flood(long)), b, checks.BodyMismatch, "not in the first 65536 bytes", 0},
		{"endless, match expected", match("Log +in"), append(says(ok, "\r\n"), ct.Flood(long)), b, checks.BodyMismatch, "not in the first 65536 bytes", 0},
		{"a byte a second", get, append(says(ok, "Content-Length: 99\r\n\r\n"), ct.Drip(long, time.Second)), b, checks.CommandTimeout, "not complete within 5s, 4 bytes came", 5 * time.Second},
		{"chunked", text("Log in"), says(ok, "Transfer-Encoding: chunked\r\n\r\n3\r\nLog\r\n3\r\n in\r\n0\r\n\r\n"), "", "", "", 0},
		{"chunk without a length", get, says(ok, "Transfer-Encoding: chunked\r\n\r\nhello\r\n"), b, checks.ProtocolError, "invalid byte in chunk length", 0},
		{"chunk of a wrong length", get, says(ok, "Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n"), b, checks.ProtocolError, "malformed chunked encoding", 0},
		{"chunk cut short", get, says(ok, "Transfer-Encoding: chunked\r\n\r\n9\r\nhello"), b, checks.Closed, "closed the connection", 0},
		{"chunk of 16 EB", get, says(ok, "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhi"), b, checks.Closed, "closed the connection", 0},
		{"endless chunk extension", get, append(says(ok, "Transfer-Encoding: chunked\r\n\r\n1;"), ct.Flood(long)), b, checks.ProtocolError, "", 0},
		{"compressed bomb", get, says(ok, "Content-Encoding: gzip\r\n\r\n", bomb()), "", "", "", 0},
		{"compressed bomb, text expected", text("xxxxxx"), says(ok, "Content-Encoding: gzip\r\n\r\n", bomb()), b, checks.BodyMismatch, fmt.Sprintf("not in the first %d bytes", len(bomb())), 0},
		{"text there", text("Log in"), says(ok, "\r\n<h1>Log in</h1>"), "", "", "", 0},
		{"text there, the rest never comes", text("Log in"), append(says(ok, "\r\n<h1>Log in</h1>"), ct.Silence()), "", "", "", 0},
		{"text in two pieces", text("Log in"), []ct.Step{ct.Send(ok + "\r\n<h1>Log"), ct.Wait(time.Second), ct.Send(" in</h1>")}, "", "", "", time.Second},
		{"text missing", text("Log in"), says(ok, "\r\nmaintenance"), b, checks.BodyMismatch, "not in the first 11 bytes", 0},
		{"text behind the cap", text("Log in"), says(ok, "\r\n", long, "Log in"), b, checks.BodyMismatch, "not in the first 65536 bytes", 0},
		{"text before a larger cap", at(256<<10, text("Log in")), says(ok, "\r\n", long, "Log in"), "", "", "", 0},
		{"text behind a smaller cap", at(10, text("Log in")), says(ok, "\r\n12345Log in"), b, checks.BodyMismatch, "not in the first 10 bytes", 0},
		{"match", match("(?i)log +IN"), says(ok, "\r\n<h1>Log  in</h1>"), "", "", "", 0},
		{"match, the rest never comes", match("Log +in"), append(says(ok, "\r\n<h1>Log  in</h1>"), ct.Silence()), "", "", "", 0},
		{"match of all", match("^hello$"), says(ok, "\r\nhello"), "", "", "", 0},
		{"match missing", match("^hello$"), says(ok, "\r\nhello there"), b, checks.BodyMismatch, "not in the first 11 bytes", 0},
		{"match cut short", match("^hello$"), says(ok, "Content-Length: 9\r\n\r\nhello"), b, checks.Closed, "closed the connection", 0},
		{"match beside invalid UTF-8", match("é"), says(ok, "\r\n\xc3\x00\xff\xc3\xa9"), "", "", "", 0},
	}
}

// bomb is a megabyte of x in about a kilobyte.
func bomb() string {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20)) // a strings.Builder takes everything
	_ = w.Close()
	return b.String()
}

// TestPresented: what is shown is clean, whatever the server says.
func TestPresented(t *testing.T) {
	r := attempt(t, checks.Target{URL: "http://" + host}, status("200 \x00fine\x1b[2J\xff")...)
	if p := r.Presented; p == nil || p.Protocol != "HTTP/1.1" || len(p.Replies) != 1 || p.Replies[0] != "200  fine [2J?" || p.Banner != "" {
		t.Errorf("presented %+v", r.Presented)
	}
}

// TestRealServers asks net/http's own server over each protocol there is.
func TestRealServers(t *testing.T) {
	for _, tt := range []struct {
		name, url, proto string
		change           func(*http.Server)
		phases           string
	}{
		{"HTTP/1.1", "http://" + host, "HTTP/1.1", func(*http.Server) {}, "resolve connect request first_byte body"},
		{"HTTP/2 over TLS", "https://" + host, "HTTP/2.0", func(*http.Server) {}, "resolve connect tls request first_byte body"},
		{"HTTP/1.1 over TLS", "https://" + host, "HTTP/1.1", func(s *http.Server) {
			s.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
			s.TLSConfig.NextProtos = []string{"http/1.1"}
		}, "resolve connect tls request first_byte body"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				s := &http.Server{TLSConfig: lab.TLS(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(1500 * time.Millisecond)
					_, _ = fmt.Fprintf(w, "%s %s", r.Proto, r.URL.RequestURI())
				})}
				tt.change(s)
				serve(t, lab, s, strings.HasPrefix(tt.url, "https"))
				r := ask(t, lab, checks.Target{URL: tt.url + "/login?x=1", Expect: checks.Expect{Body: tt.proto + " /login?x=1"}})
				if r.Outcome != checks.Up || r.Elapsed != 1500*time.Millisecond || names(r) != tt.phases {
					t.Errorf("got %+v, want up in 1.5s through %s", r, tt.phases)
				}
				if got := r.Phases[len(r.Phases)-2]; got.Duration != r.Elapsed {
					t.Errorf("%s took %s, want all of it", got.Name, got.Duration)
				}
			})
		})
	}
}

// serve runs a server at its port of the lab until the test ends.
func serve(t *testing.T, lab *ct.Lab, s *http.Server, secure bool) {
	t.Helper()
	if !secure {
		serveOn(t, s, lab.Listen(t, ":80"))
		return
	}
	if s.TLSConfig.NextProtos == nil && s.TLSNextProto == nil {
		s.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
	}
	serveOn(t, s, tls.NewListener(lab.Listen(t, ":443"), s.TLSConfig))
}

func serveOn(t *testing.T, s *http.Server, l net.Listener) {
	t.Helper()
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// quiet is the log of a server that is expected to complain.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// TestHTTP2AnswersAtOnce looks for answers that are lost when they come fast.
func TestHTTP2AnswersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		serve(t, lab, &http.Server{TLSConfig: lab.TLS(), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
		})}, true)
		for range 50 {
			r := ask(t, lab, checks.Target{URL: "https://" + host, Expect: checks.Expect{Body: "hello"}})
			if r.Outcome != checks.Up {
				t.Fatalf("got %+v, want up", r)
			}
		}
	})
}

// TestHTTP2GoesWrong has the failures that HTTP/2 words in its own way.
func TestHTTP2GoesWrong(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		expect  checks.Expect
		phase   checks.Phase
		class   checks.Class
		took    time.Duration
	}{
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, checks.Expect{}, checks.FirstByte, checks.CommandTimeout, 5 * time.Second},
		{"breaks the stream", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, checks.Expect{}, checks.FirstByte, checks.Closed, 0},
		{"breaks the body", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, checks.Expect{}, checks.Body, checks.Closed, 0},
		{"stalls in the body", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, checks.Expect{}, checks.Body, checks.CommandTimeout, 5 * time.Second},
		{"endless body", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<10))
			}
		}, checks.Expect{Body: "never"}, checks.Body, checks.BodyMismatch, 0},
		{"header too large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 70<<10))
		}, checks.Expect{}, checks.FirstByte, checks.ProtocolError, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				serve(t, lab, &http.Server{TLSConfig: lab.TLS(), Handler: tt.handler}, true)
				r := ask(t, lab, checks.Target{URL: "https://" + host, Expect: tt.expect})
				if r.FailedPhase != tt.phase || r.Class != tt.class || r.Elapsed != tt.took {
					t.Errorf("got %+v, want %s in %s after %s", r, tt.class, tt.phase, tt.took)
				}
			})
		})
	}
}

// TestServerThatLeavesAfterTheHandshake closes with and without a word of TLS.
func TestServerThatLeavesAfterTheHandshake(t *testing.T) {
	for _, protocol := range []string{"h2", "http/1.1"} {
		for name, leave := range map[string]func(*tls.Conn){
			"politely": func(c *tls.Conn) { _ = c.Close() },
			"abruptly": func(c *tls.Conn) { _ = c.NetConn().Close() },
		} {
			t.Run(protocol+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					lab := ct.NewLab()
					cfg := lab.TLS()
					cfg.NextProtos = []string{protocol}
					ct.Serve(t, lab.Listen(t, ":443"), func(ctx context.Context, conn net.Conn) {
						c := tls.Server(conn, cfg)
						_, _ = c.Read(make([]byte, 10))
						leave(c)
					})
					r := ask(t, lab, checks.Target{URL: "https://" + host})
					if r.Class != checks.Closed || r.Elapsed != 0 {
						t.Errorf("got %+v, want closed", r)
					}
				})
			})
		}
	}
}

func names(r checks.Result) string {
	var all []string
	for _, p := range r.Phases {
		all = append(all, string(p.Name))
	}
	return strings.Join(all, " ")
}
