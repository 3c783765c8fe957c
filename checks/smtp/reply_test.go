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

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		reply reply
		want  status
		codes string
	}{
		{reply{250, []string{"2.1.0 ok"}}, status{2, 1, 0}, "250 2.1.0"},
		{reply{535, []string{"5.7.8"}}, status{5, 7, 8}, "535 5.7.8"},
		{reply{550, []string{"no", "5.7.26 unauthenticated"}}, status{5, 7, 26}, "550 5.7.26"},
		{reply{451, []string{"4.7.500 busy"}}, status{4, 7, 500}, "451 4.7.500"},
		{reply{550, []string{"4.7.1 of another kind", "5.1.1 of this"}}, status{5, 1, 1}, "550 5.1.1"},
		{reply{550, []string{"4.7.1 of another kind"}}, status{}, "550"},
		{reply{550, []string{"5.7.1234 long"}}, status{}, "550"},
		{reply{550, []string{"55.7.1 long"}}, status{}, "550"},
		{reply{550, []string{"5.7 short"}}, status{}, "550"},
		{reply{550, []string{"5.7.1.1 longer"}}, status{}, "550"},
		{reply{550, []string{"5..1 empty"}}, status{}, "550"},
		{reply{550, []string{"", "no 5.7.1"}}, status{}, "550"},
		{reply{220, []string{"10.0.0.1 ESMTP"}}, status{}, "220"},
	} {
		if got, codes := tt.reply.status(), tt.reply.codes(); got != tt.want || codes != tt.codes {
			t.Errorf("%q: got %v, %q, want %v, %q", tt.reply, got, codes, tt.want, tt.codes)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"220 mail", "250-AUTH=PLAIN", "4", "999", "250\t", "\x00\x00\x00 ", "451 4.7.1 greylisted", "550-5.7.26 x"} {
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
		if s := r.status(); s != (status{}) && (s.class != r.kind() || s.subject > 999 || s.detail > 999) {
			t.Errorf("%q: status %v of a %d", line, s, code)
		}
		if r.greylisted() && r.kind() != 4 {
			t.Errorf("%q is greylisted", line)
		}
		for _, p := range []checks.Phase{checks.Greeting, checks.Capability, checks.StartTLS, checks.Auth, checks.Submit} {
			if classify(p, r) == "" {
				t.Errorf("%q in %s has no class", line, p)
			}
		}
	})
}
