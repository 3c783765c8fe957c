package smtp

import (
	"reflect"
	"strings"
	"testing"

	"varde/checks"
)

func TestParseLine(t *testing.T) {
	for _, tt := range []struct {
		line string
		code int
		more bool
		text string
		ok   bool
	}{
		{"220 mail", 220, false, "mail", true},
		{"250-SIZE 10", 250, true, "SIZE 10", true},
		{"250", 250, false, "", true},
		{"250-", 250, true, "", true},
		{"599 x", 599, false, "x", true},
		{"199 x", 0, false, "", false},
		{"600 x", 0, false, "", false},
		{"22", 0, false, "", false},
		{"2200 x", 0, false, "", false},
		{"2x0 x", 0, false, "", false},
		{"", 0, false, "", false},
	} {
		code, more, text, ok := parseLine(tt.line)
		if code != tt.code || more != tt.more || text != tt.text || ok != tt.ok {
			t.Errorf("%q: got %d %v %q %v", tt.line, code, more, text, ok)
		}
	}
}

func TestExtensions(t *testing.T) {
	r := reply{250, []string{"mail.example.net STARTTLS", "size 100", "AUTH PLAIN", "AUTH=LOGIN plain", "", "8BITMIME"}}
	want := map[string][]string{"SIZE": {"100"}, "AUTH": {"PLAIN", "LOGIN", "PLAIN"}, "8BITMIME": nil}
	if got := r.extensions(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"220 mail", "250-AUTH=PLAIN", "4", "999", "250\t", "\x00\x00\x00 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		code, more, text, ok := parseLine(line)
		if !ok {
			return
		}
		if code < 200 || code > 599 || !strings.HasSuffix(line, text) || more && line[3] != '-' {
			t.Errorf("%q: code %d, text %q, more %v", line, code, text, more)
		}
		r := reply{code, []string{text, text}}
		r.extensions()
		for _, p := range []checks.Phase{checks.Greeting, checks.Capability, checks.StartTLS, checks.Auth} {
			if classify(p, r) == "" {
				t.Errorf("%q in %s has no class", line, p)
			}
		}
	})
}
