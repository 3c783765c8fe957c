package pop3

import (
	"io"
	"net"
	"strings"
	"testing"

	"varde/checks"
	"varde/checks/dialogue"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		line string
		want reply
		ok   bool
	}{
		{"+OK hello", reply{mark: fine, text: "hello"}, true},
		{"+OK", reply{mark: fine}, true},
		{"+OK <1.2@x> [x] y", reply{mark: fine, text: "<1.2@x> [x] y"}, true},
		{"-ERR [sys/temp] x y", reply{mark: wrong, code: "SYS/TEMP", text: "x y"}, true},
		{"-ERR [AUTH]", reply{mark: wrong, code: "AUTH"}, true},
		{"-ERR [AUTH]x", reply{mark: wrong, code: "AUTH", text: "x"}, true},
		{"-ERR []", reply{mark: wrong, text: "[]"}, true},
		{"-ERR [two words] x", reply{mark: wrong, text: "[two words] x"}, true},
		{"-ERR [unfinished", reply{mark: wrong, text: "[unfinished"}, true},
		{"-ERR unbegun] x", reply{mark: wrong, text: "unbegun] x"}, true},
		{"+ [x] y", reply{mark: more, text: "[x] y"}, true},
		{"+", reply{mark: more}, true},
		{"+OKAY", reply{}, false},
		{"-err x", reply{}, false},
		{" +OK", reply{}, false},
		{"", reply{}, false},
	} {
		if got, ok := parse(tt.line); got != tt.want || ok != tt.ok {
			t.Errorf("%q: got %+v, %v, want %+v", tt.line, got, ok, tt.want)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"+OK [X/Y] z", "-ERR", "-ERR [", "+ AQ==", "+OK 3 120", "-ERR [IN-USE] x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, ok := parse(line)
		if !ok {
			return
		}
		if again, ok := parse(r.String()); r.mark != more && (!ok || again.mark != r.mark || again.code != r.code) {
			t.Errorf("%q: read as %+v, said as %q", line, r, r)
		}
		isDrop(r.text)
		for _, p := range checks.Phases() {
			if classify(p, r) == "" {
				t.Errorf("%q in %s has no class", line, p)
			}
		}
	})
}

// FuzzList reads what a server says as a list of capabilities.
func FuzzList(f *testing.F) {
	for _, s := range []string{"USER\r\nSASL PLAIN\r\n.\r\n", "..\r\n.\r\n", ".\r\n", "\r\n\n.\n", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		near, far := net.Pipe()
		go func() {
			_, _ = io.WriteString(far, text)
			_ = far.Close()
		}()
		list, err := readList(dialogue.New(near))
		_ = near.Close()
		if err != nil {
			return
		}
		if size := len(strings.Join(list, "")); size > len(text) || size > dialogue.TotalMax {
			t.Errorf("%q: %d bytes of capabilities", text, size)
		}
		s := session{capabilities: list}
		if args, offered := s.capability("SASL"); len(args) > 0 && !offered {
			t.Errorf("%q: got %q of what is not offered", text, args)
		}
	})
}
