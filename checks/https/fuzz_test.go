package https

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	x "golang.org/x/net/http2"

	"varde/checks"
)

// FuzzLead: wherever a redirect leads, it is followed only within the host, and
// only to more safety.
func FuzzLead(f *testing.F) {
	for _, s := range []string{
		"/a", "//b/c", "http://mail.example.net/", "https://MAIL.example.net.:443/x#y", "https://u@mail.example.net", "..\\..", "?", "#",
		"https://mail.example.net:0443/", "https://mail.example.net%2eevil.example/", "HTTPS://mail.example.net@evil.example", "\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, location string) {
		for _, from := range []string{"https://mail.example.net/", "http://mail.example.net/a"} {
			at, err := checks.Target{URL: from}.Endpoint(Schemes())
			if err != nil {
				t.Fatal(err)
			}
			v := &visit{check: &Check{redirects: 5}, at: at, method: http.MethodGet, answer: &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {location}}}}
			where, why := v.lead()
			if (v.to == nil) == (why == "") || where == "" {
				t.Errorf("%q leads to %v: %q %q", location, v.to, where, why)
			}
			to := v.to
			if to == nil {
				continue
			}
			if !strings.EqualFold(to.Host, at.Host) || to.Scheme != "https" && to.Scheme != at.Scheme || to.Scheme == at.Scheme && to.Port != at.Port {
				t.Errorf("%q leads from %s to %s", location, at, to)
			}
			if to.URL.User != nil || to.URL.Fragment != "" || len(to.URL.String()) > urlMax {
				t.Errorf("%q is followed to %q", location, to.URL)
			}
		}
	})
}

// FuzzContains: a text is found wherever it stands and however it is cut.
func FuzzContains(f *testing.F) {
	f.Add("hello there", "o t")
	f.Add("aaaaaaab", "aaab")
	f.Add(strings.Repeat("x", 4100)+"y", "xy")
	f.Fuzz(func(t *testing.T, body, text string) {
		if text == "" || len(text) > expectMax {
			return
		}
		want := strings.Contains(body, text)
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(body), "byte by byte": iotest.OneByteReader(strings.NewReader(body)),
			"by halves": iotest.HalfReader(strings.NewReader(body)), "with the end": iotest.DataErrReader(strings.NewReader(body)),
		} {
			if got := contains(r, []byte(text)); got != want {
				t.Errorf("%s: %q in %q is %v, want %v", name, text, body, got, want)
			}
		}
	})
}

// FuzzFrames: frames are counted as net/http reads them, however they are cut.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x00\x02\x00\x00\x00\x00\x00\x01hi\x00\x00\x00\x04\x00\x00\x00\x00\x00"), 3)
	f.Add([]byte("\x00\x00\x01\xbe\x00\x00\x00\x00\x00x\x00\x00"), 1)
	f.Fuzz(func(t *testing.T, words []byte, cut int) {
		var want int
		framer := x.NewFramer(nil, bytes.NewReader(words))
		framer.SetMaxReadFrameSize(1<<24 - 1)
		for head, err := framer.ReadFrameHeader(); err == nil; head, err = framer.ReadFrameHeader() {
			if head.Type != x.FrameData {
				want++
			}
			if _, err := framer.ReadFrameForHeader(head); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
		}
		var whole, pieces frames
		whole.pass(words)
		for piece := range slices.Chunk(words, max(1, cut)) {
			pieces.pass(piece)
		}
		if whole.odd != want || pieces != whole {
			t.Errorf("%x: counted %d whole and %d in pieces of %d, want %d", words, whole.odd, pieces.odd, cut, want)
		}
	})
}

// FuzzCompile: what is taken as a regular expression ends on any body.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"a+b", "(?i)x{2,9}$", "((a*)*)*b", "(a|b){999}", "(?:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := readExpected(checks.Target{Expect: checks.Expect{BodyRegexp: s}})
		if err != nil || w.nothing() {
			return
		}
		if err := w.in(bytes.NewReader(bytes.Repeat([]byte("ab\x00\xff"), 64))); err != nil && !strings.HasPrefix(err.Error(), string(checks.BodyMismatch)) {
			t.Errorf("%q: %v", s, err)
		}
	})
}
