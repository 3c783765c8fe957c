package https_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
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
func asked() []ct.Step {
	return []ct.Step{ct.Skip("GET / HTTP/1.1\r\n", "Host: "+host+"\r\n", "User-Agent: varde-probe\r\n", "Accept: */*\r\n", "Connection: close\r\n")}
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
		lab.Play(t, ":80", append(asked(), steps...)...)
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

func TestAnswers(t *testing.T) {
	const (
		ok    = "HTTP/1.1 200 OK\r\n"
		plain = "http://" + host
	)
	expect := func(status int, body string) checks.Target {
		return checks.Target{URL: plain, Expect: checks.Expect{Status: status, Body: body}}
	}
	for _, tt := range []struct {
		name   string
		target checks.Target
		steps  []ct.Step
		phase  checks.Phase
		class  checks.Class
		detail string
		took   time.Duration
	}{
		{"200", expect(0, ""), []ct.Step{ct.Send(ok + "Content-Length: 2\r\n\r\nhi")}, "", "", "", 0},
		{"200 to the end of the stream", expect(0, ""), []ct.Step{ct.Send(ok + "\r\nhi")}, "", "", "", 0},
		{"slow", expect(0, ""), []ct.Step{ct.Wait(2 * time.Second), ct.Send(ok + "Content-Length: 0\r\n\r\n")}, "", "", "", 2 * time.Second},
		{"503", expect(0, ""), []ct.Step{ct.Send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")}, checks.FirstByte, checks.HTTPStatus, "503 Service Unavailable, expected 200", 0},
		{"503 expected", expect(503, ""), []ct.Step{ct.Send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")}, "", "", "", 0},
		{"429", expect(0, ""), []ct.Step{ct.Send("HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\n\r\n")}, checks.FirstByte, checks.Policy, "429 Too Many Requests, expected 200", 0},
		{"redirect", expect(0, ""), []ct.Step{ct.Send("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.7/\r\nContent-Length: 0\r\n\r\n")}, checks.FirstByte, checks.HTTPStatus, "302 Found, expected 200", 0},
		{"redirect expected", expect(302, ""), []ct.Step{ct.Send("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.7/\r\nContent-Length: 0\r\n\r\n")}, "", "", "", 0},
		{"text there", expect(0, "Log in"), []ct.Step{ct.Send(ok + "\r\n<h1>Log in</h1>")}, "", "", "", 0},
		{"text there, the rest never comes", expect(0, "Log in"), []ct.Step{ct.Send(ok + "\r\n<h1>Log in</h1>"), ct.Silence()}, "", "", "", 0},
		{"text in two pieces", expect(0, "Log in"), []ct.Step{ct.Send(ok + "\r\n<h1>Log"), ct.Wait(time.Second), ct.Send(" in</h1>")}, "", "", "", time.Second},
		{"text missing", expect(0, "Log in"), []ct.Step{ct.Send(ok + "\r\nmaintenance")}, checks.Body, checks.BodyMismatch, "not in the first 11 bytes", 0},
		{"text behind 64 kB", expect(0, "Log in"), []ct.Step{ct.Send(ok + "\r\n" + strings.Repeat("x", 64<<10) + "Log in")}, checks.Body, checks.BodyMismatch, "not in the first 65536 bytes", 0},
		{"endless body", expect(0, ""), []ct.Step{ct.Send(ok + "\r\n"), ct.Flood("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")}, "", "", "", 0},
		{"body cut short", expect(0, ""), []ct.Step{ct.Send(ok + "Content-Length: 9\r\n\r\nhi")}, checks.Body, checks.Closed, "closed the connection", 0},
		{"endless header", expect(0, ""), []ct.Step{ct.Send(ok), ct.Flood("X-More: yes\r\n")}, checks.FirstByte, checks.ProtocolError, "exceeded 65536 bytes", 0},
		{"endless 103s", expect(0, ""), []ct.Step{ct.Flood("HTTP/1.1 103 Early Hints\r\n\r\n")}, checks.FirstByte, checks.ProtocolError, "", 0},
		{"not HTTP", expect(0, ""), []ct.Step{ct.Send("220 mail ESMTP\r\n")}, checks.FirstByte, checks.ProtocolError, "malformed HTTP", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
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

func serve(t *testing.T, lab *ct.Lab, s *http.Server, secure bool) {
	t.Helper()
	done := make(chan error)
	run, port := s.Serve, ":80"
	if secure {
		run, port = func(l net.Listener) error { return s.ServeTLS(l, "", "") }, ":443"
	}
	l := lab.Listen(t, port)
	go func() { done <- run(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

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
