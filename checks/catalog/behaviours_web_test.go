package catalog_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/sasl"
)

// askWeb asks for a page without TLS.
func askWeb() ask { return to(checks.HTTPS, "http://"+ct.LabName, ":80").after("GET\n") }

// webs are the behaviours of web servers.
func webs() []behaviour {
	return append(append(append(webHeaders(), webBodies()...), webRedirects()...), web2s()...)
}

// statusOf is an answer without a body.
func statusOf(line string, header ...string) string {
	return "HTTP/1.1 " + line + "\r\n" + strings.Join(header, "") + "Content-Length: 0\r\n\r\n"
}

const ok = "HTTP/1.1 200 OK\r\n"

func webHeaders() []behaviour {
	const (
		five                     = 5 * time.Second
		first, wrong, closed     = checks.FirstByte, checks.ProtocolError, checks.Closed
		timeout, status, refused = checks.CommandTimeout, checks.HTTPStatus, checks.AuthRejected
	)
	in := []ask{askWeb(), secured(checks.HTTPS).after("TLS\nGET\n")}
	as := []ask{secured(checks.HTTPS).after("TLS\nGET\n").as(login(""))}
	bearer := []ask{secured(checks.HTTPS).after("TLS\nGET\n").as(login(checks.MechanismOAuthBearer))}
	long := strings.Repeat("x", 1<<10)
	return []behaviour{
		{"silent after the request", in, plays(ct.Silence()), first, timeout, five},
		{"a byte a second of header", in, plays(ct.Drip(ok+long, time.Second)), first, timeout, five},
		{"closes after the request", in, plays(ct.Wait(time.Second), ct.Hangup()), first, closed, time.Second},
		{"half closes after the request, below TLS", in, plays(ct.HalfClose(), ct.Silence()), first, closed, 0},
		{"resets after the request", in, plays(ct.Break()), first, closed, 0},
		{"closes in the header", in, plays(ct.Send(ok+"X-More: y"), ct.Hangup()), first, closed, 0},
		{"an endless header", in, plays(ct.Send(ok), ct.Flood("X-More: "+long+"\r\n")), first, wrong, 0},
		{"an endless header of short lines", in, plays(ct.Send(ok), ct.Flood("A: b\r\n")), first, wrong, 0},
		{"an endless line of header", in, plays(ct.Send(ok+"X-More: "), ct.Flood(long)), first, wrong, 0},
		{"an endless status", in, plays(ct.Send("HTTP/1.1 200 "), ct.Flood(long)), first, wrong, 0},
		{"endless 1xx", in, plays(ct.Flood("HTTP/1.1 103 Early Hints\r\n\r\n")), first, wrong, 0},
		{"100 and silence", in, says("HTTP/1.1 100 Continue\r\n\r\n"), first, timeout, five},
		{"101", in, says("HTTP/1.1 101 Switching\r\n\r\n"), first, wrong, 0},
		{"not HTTP", in, says("220 mail ESMTP\r\n"), first, wrong, 0},
		{"NULs and invalid UTF-8 in the header", in, says(statusOf("200 OK", "X-\xff: \x00\xfe\r\n")), first, wrong, 0},
		{"NULs and invalid UTF-8 in the status", in, says(statusOf("200 \x00\xff\xfe\x1b[2J")), "", "", 0},
		{"two lengths", in, says(ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi"), first, wrong, 0},
		{"plaintext at the port of TLS", []ask{secured(checks.HTTPS)}, says("HTTP/1.1 400 Bad Request\r\n\r\n"), checks.TLS, checks.TLSError, 0},
		{"404", in, says(statusOf("404 Not Found")), first, status, 0},
		{"429", in, says(statusOf("429 Slow down")), first, checks.Policy, 0},
		{"503", in, says(statusOf("503 Busy")), first, status, 0},
		{"401 to a password", as, says(statusOf("401 Who", "WWW-Authenticate: "+ct.LabPassword+"\r\n")), first, refused, 0},
		{"403 to a token", bearer, says(statusOf("403 No")), first, refused, 0},
		{"repeats the password", as, says("HTTP/1.1 503 " + ct.LabPassword + " " + basic() + "\r\n\r\n"), first, status, 0},
		{"repeats the token", bearer, says("HTTP/1.1 503 Bearer " + token + "\r\n\r\n"), first, status, 0},
		{"honest", in, says(statusOf("200 OK")), "", "", 0},
	}
}

// basic is what a browser says of an account.
func basic() string { return sasl.Encode(user + ":" + ct.LabPassword) }

func webBodies() []behaviour {
	const body, wrong, closed, timeout, mismatch = checks.Body, checks.ProtocolError, checks.Closed, checks.CommandTimeout, checks.BodyMismatch
	in := []ask{askWeb(), secured(checks.HTTPS).after("TLS\nGET\n")}
	text := []ask{askWeb().expects(checks.Expect{Body: "Log in"}), askWeb().expects(checks.Expect{BodyRegexp: "Log +in"})}
	large := askWeb().expects(checks.Expect{Body: "Log in"})
	large.target.MaxBody = 256 << 10
	secure := secured(checks.HTTPS).after("TLS\nGET\n").expects(checks.Expect{BodyRegexp: "Log +in"})
	secure.target.MaxBody = 256 << 10
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	long := strings.Repeat("x", 16<<10)
	return []behaviour{
		{"silent in the body", in, says(ok + "Content-Length: 9\r\n\r\nhi"), body, timeout, 5 * time.Second},
		{"a byte a second of body", in, plays(ct.Send(ok+"Content-Length: 99\r\n\r\n"), ct.Drip(long, time.Second)), body, timeout, 5 * time.Second},
		{"closes in the body (length too large)", in, plays(ct.Send(ok+"Content-Length: 9\r\n\r\nhi"), ct.Hangup()), body, closed, 0},
		{"more than it said (length too small)", in, says(ok + "Content-Length: 1\r\n\r\nhi"), "", "", 0},
		{"text behind the length that it said", text, says(ok + "Content-Length: 1\r\n\r\nLog in"), body, mismatch, 0},
		{"resets in the body", in, plays(ct.Send(ok+"Content-Length: 9\r\n\r\nhi"), ct.Wait(time.Second), ct.Break()), body, closed, time.Second},
		{"a body of 1 GB", in, plays(ct.Send(ok+"Content-Length: 1073741824\r\n\r\n"), ct.Flood(long)), "", "", 0},
		{"a body that never ends", in, plays(ct.Send(ok+"\r\n"), ct.Flood(long)), "", "", 0},
		{"a body that never ends, text expected", slices.Concat(text, []ask{large, secure}), plays(ct.Send(ok+"\r\n"), ct.Flood(long)), body, mismatch, 0},
		{"chunks of a byte that never end", text, plays(ct.Send(chunked), ct.Flood(strings.Repeat("1\r\nx\r\n", 1000))), body, mismatch, 0},
		{"more chunks of a byte than an attempt takes", []ask{large, secure}, plays(ct.Send(chunked), ct.Flood(strings.Repeat("1\r\nx\r\n", 1000))), body, wrong, 0},
		{"an endless chunk extension", in, plays(ct.Send(chunked+"1;"), ct.Flood(long)), body, wrong, 0},
		{"a chunk of 16 EB", in, plays(ct.Send(chunked+"ffffffffffffffff\r\nhi"), ct.Hangup()), body, closed, 0},
		{"an endless trailer", in, plays(ct.Send(chunked+"0\r\n"), ct.Flood("X-More: "+long[:1000]+"\r\n")), body, wrong, 0},
		{"a compressed bomb", in, plays(ct.Send(ok+"Content-Encoding: gzip\r\n\r\n"+bomb()), ct.Hangup()), "", "", 0},
		{"a compressed bomb, text expected", text, plays(ct.Send(ok+"Content-Encoding: gzip\r\n\r\n"+bomb()), ct.Hangup()), body, mismatch, 0},
		{"maintenance", text, plays(ct.Send(ok+"\r\nback soon"), ct.Hangup()), body, mismatch, 0},
	}
}

// bomb is ten megabytes of zeros in about ten kilobytes.
func bomb() string {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, _ = w.Write(bytes.Repeat([]byte{0}, 10<<20)) // a strings.Builder takes everything
	_ = w.Close()
	return b.String()
}

func webRedirects() []behaviour {
	const first, status = checks.FirstByte, checks.HTTPStatus
	follows := func(n int) []ask {
		plain, secure := askWeb(), secured(checks.HTTPS).after("TLS\nGET\n")
		plain.target.Redirects, secure.target.Redirects = n, n
		return []ask{plain, secure}
	}
	leads := func(to string) string { return statusOf("302 Found", "Location: "+to+"\r\n") }
	again := func(to string) ct.Step { return ct.Both(ct.Skip("GET /"), ct.Send(leads(to))) }
	return []behaviour{
		{"a redirect where none is followed", follows(0), says(leads("/a")), first, status, 0},
		{"a redirect to itself", follows(9), plays(ct.Send(leads("/")), again("/")), first, status, 0},
		{"a loop of redirects", follows(9), plays(ct.Send(leads("/a")), again("/b"), again("/a"), ct.Silence()), first, status, 0},
		{"redirects without end", follows(3), plays(ct.Send(leads("/a")), again("/b"), again("/c"), again("/d"), ct.Silence()), first, status, 0},
		{"a redirect to another host", follows(9), says(leads("https://www.example.org/")), first, status, 0},
		{"a redirect to a private address", follows(9), says(leads("http://10.0.0.1/")), first, status, 0},
		{"a redirect to a cloud's metadata", follows(9), says(leads("//169.254.169.254/latest")), first, status, 0},
		{"a redirect to a file", follows(9), says(leads("file:///etc/passwd")), first, status, 0},
		{"a redirect out of TLS", follows(9)[1:], says(leads("http://" + ct.LabName)), first, status, 0},
		{"silent where the redirect leads", follows(9), plays(ct.Send(leads("/a")), ct.Skip("GET /a"), ct.Silence()), first, checks.CommandTimeout, 5 * time.Second},
		{"a body of a redirect that never ends", follows(1), plays(ct.Send("HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n"), ct.Flood(strings.Repeat("x", 1<<10))), first, status, 0},
	}
}

// handles is a server of net/http's that speaks HTTP/2.
func handles(h http.HandlerFunc) world {
	return func(t *testing.T, lab *ct.Lab, a ask) {
		cfg := lab.TLS()
		cfg.NextProtos = []string{"h2"}
		s := &http.Server{TLSConfig: cfg, Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
		done := make(chan struct{})
		l := tls.NewListener(lab.Listen(t, a.port), cfg)
		go func() {
			defer close(done)
			_ = s.Serve(l) // it ends with Close
		}()
		t.Cleanup(func() {
			_ = s.Close()
			<-done
		})
	}
}

// frames is a server that begins as HTTP/2 does and sends frames for ever.
func frames(one string) world {
	return func(t *testing.T, lab *ct.Lab, a ask) {
		cfg := lab.TLS()
		cfg.NextProtos = []string{"h2"}
		const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		then("", ct.Secure(cfg), ct.Send(settings), ct.Flood(strings.Repeat(one, 100)))(t, lab, a)
	}
}

func web2s() []behaviour {
	const first, body, wrong, closed, timeout = checks.FirstByte, checks.Body, checks.ProtocolError, checks.Closed, checks.CommandTimeout
	in := []ask{secured(checks.HTTPS)}
	text := []ask{secured(checks.HTTPS).expects(checks.Expect{Body: "Log in"})}
	flush := func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
	return []behaviour{
		{"HTTP/2, silent after the request", in, handles(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), first, timeout, 5 * time.Second},
		{"HTTP/2, silent in the body", in, handles(func(w http.ResponseWriter, r *http.Request) { flush(w); <-r.Context().Done() }), body, timeout, 5 * time.Second},
		{"HTTP/2, breaks the stream", in, handles(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), first, closed, 0},
		{"HTTP/2, a header of 70 kB", in, handles(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Large", strings.Repeat("x", 70<<10)) }), first, wrong, 0},
		{"HTTP/2, a body that never ends", text, handles(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<10))
			}
		}), body, checks.BodyMismatch, 0},
		{"HTTP/2, 503", in, handles(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }), first, checks.HTTPStatus, 0},
		{"HTTP/2, endless pings", in, frames("\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"), first, wrong, 0},
		{"HTTP/2, endless settings", in, frames("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\xff\xff"), first, wrong, 0},
		{"HTTP/2, endless frames of no kind", in, frames("\x00\x00\x08\xff\x00\x00\x00\x00\x0012345678"), first, wrong, 0},
		{"HTTP/2, words of HTTP/1.1", in, func(t *testing.T, lab *ct.Lab, a ask) {
			cfg := lab.TLS()
			cfg.NextProtos = []string{"h2"}
			plays(ct.Secure(cfg), ct.Send(statusOf("200 OK")), ct.Silence())(t, lab, a)
		}, first, wrong, 0},
	}
}
