package https_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"

	"varde/checks"
	ct "varde/checks/checktest"
)

// TestAnswerBeforeTheRequest has a server that is too busy to listen. Many
// times, since the two sides race.
func TestAnswerBeforeTheRequest(t *testing.T) {
	const busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	for name, steps := range map[string][]ct.Step{
		"and hangs up": {ct.Send(busy)},
		"and waits":    {ct.Send(busy), ct.Silence()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				lab.Play(t, ":80", steps...)
				lab.Play(t, ":443", append([]ct.Step{ct.Secure(lab.TLS())}, steps...)...)
				for range 50 {
					for _, scheme := range []string{"http://", "https://"} {
						r := ask(t, lab, checks.Target{URL: scheme + host})
						if r.Class != checks.HTTPStatus || r.Detail != "503 Service Unavailable, expected 200" || r.Elapsed != 0 {
							t.Fatalf("%s: got %+v, want http_status", scheme, r)
						}
					}
				}
			})
		})
	}
}

// framed is a server's end of an HTTP/2 connection, frame by frame.
type framed struct {
	*http2.Framer
	conn net.Conn
}

func (f framed) settle() { _ = f.WriteSettings() }

// request reads up to the request.
func (f framed) request() {
	for {
		frame, err := f.ReadFrame()
		if _, asked := frame.(*http2.HeadersFrame); asked || err != nil {
			return
		}
	}
}

func (f framed) silence() { _, _ = io.Copy(io.Discard, f.conn) }

// TestHTTP2ServerThatLeaves ends connections in the ways that HTTP/2 has, and
// in some that it has not.
func TestHTTP2ServerThatLeaves(t *testing.T) {
	for _, tt := range []struct {
		name  string
		play  func(framed)
		class checks.Class
	}{
		{"graceful GOAWAY at once", func(f framed) { f.settle(); _ = f.WriteGoAway(0, http2.ErrCodeNo, nil); f.silence() }, checks.Closed},
		{"graceful GOAWAY after the request", func(f framed) { f.settle(); f.request(); _ = f.WriteGoAway(0, http2.ErrCodeNo, nil); f.silence() }, checks.Closed},
		{"GOAWAY and the end", func(f framed) { f.settle(); f.request(); _ = f.WriteGoAway(1, http2.ErrCodeNo, nil) }, checks.Closed},
		{"GOAWAY of an error and the end", func(f framed) { f.settle(); f.request(); _ = f.WriteGoAway(1, http2.ErrCodeInternal, nil) }, checks.Closed},
		{"refused stream", func(f framed) {
			f.settle()
			f.request()
			_ = f.WriteRSTStream(1, http2.ErrCodeRefusedStream)
			f.silence()
		}, checks.Closed},
		{"the end", func(f framed) { f.settle(); f.request() }, checks.Closed},
		{"flood of PINGs", func(f framed) {
			f.settle()
			go f.silence()
			for f.WritePing(false, [8]byte{}) == nil {
			}
		}, checks.ProtocolError},
		{"flood of SETTINGS", func(f framed) {
			go f.silence()
			for f.WriteSettings() == nil {
			}
		}, checks.ProtocolError},
		{"flood of frames of no kind", func(f framed) {
			f.settle()
			go f.silence()
			for f.WriteRawFrame(0xbe, 0, 0, nil) == nil {
			}
		}, checks.ProtocolError},
		{"garbage", func(f framed) {
			_, _ = f.conn.Write(bytes.Repeat([]byte("\x00\xff\x01 garbage"), 20))
			f.silence()
		}, checks.ProtocolError},
		{"garbage after the request", func(f framed) {
			f.settle()
			f.request()
			_, _ = f.conn.Write(bytes.Repeat([]byte("\xff"), 200))
			f.silence()
		}, checks.ProtocolError},
		{"a header that cannot be unpacked", func(f framed) {
			f.settle()
			f.request()
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\xff\xff\xff"), EndHeaders: true})
			f.silence()
		}, checks.ProtocolError},
		{"a header without a status", func(f framed) {
			f.settle()
			f.request()
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true})
			f.silence()
		}, checks.ProtocolError},
		{"a header that never ends", func(f framed) {
			f.settle()
			f.request()
			go f.silence()
			err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x88")})
			for err == nil {
				err = f.WriteContinuation(1, false, append([]byte("\x00\x01x\x7f\x81\x7d"), bytes.Repeat([]byte("x"), 16000)...))
			}
		}, checks.ProtocolError},
		{"HTTP/1.1", func(f framed) {
			_, _ = io.WriteString(f.conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			f.silence()
		}, checks.ProtocolError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				cfg := lab.TLS()
				cfg.NextProtos = []string{"h2"}
				ct.Serve(t, lab.Listen(t, ":443"), func(ctx context.Context, raw net.Conn) {
					c := tls.Server(raw, cfg)
					if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
						t.Error(err)
					}
					tt.play(framed{http2.NewFramer(c, c), c})
					_ = c.Close() // the client may be gone
				})
				for range 20 {
					r := ask(t, lab, checks.Target{URL: "https://" + host})
					if r.Class != tt.class || r.Elapsed != 0 || r.Detail == "" || strings.Contains(r.Detail, "%!") {
						t.Fatalf("got %+v, want %s at once", r, tt.class)
					}
				}
			})
		})
	}
}

// FuzzHTTP2 lets a server say anything where HTTP/2 was agreed on. The attempt
// must end in time, with a failure that has its words.
func FuzzHTTP2(f *testing.F) {
	for _, s := range []string{
		"", "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "HTTP/1.1 200 OK\r\n\r\n",
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88",
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88\x00\x00\x02\x00\x01\x00\x00\x00\x01hi",
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		synctest.Test(t, func(t *testing.T) {
			lab := ct.NewLab()
			cfg := lab.TLS()
			cfg.NextProtos = []string{"h2"}
			lab.Play(t, ":443", ct.Secure(cfg), ct.Send(string(words)), ct.Silence())
			r := ask(t, lab, checks.Target{URL: "https://" + host, WebOptions: checks.WebOptions{Redirects: 3}, Expect: checks.Expect{BodyRegexp: "h+i"}})
			if r.Elapsed > checks.DefaultTimeout || (r.Outcome == checks.Up) != (r.Detail == "") || r.Outcome != r.Class.Outcome() {
				t.Errorf("got %+v", r)
			}
			if last := r.Phases[len(r.Phases)-1].Name; r.FailedPhase != "" && r.FailedPhase != last {
				t.Errorf("failed in %s, last phase %s", r.FailedPhase, last)
			}
		})
	})
}
