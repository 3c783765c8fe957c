package imap

import (
	"reflect"
	"strings"
	"testing"

	"varde/checks"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		line string
		want response
		ok   bool
	}{
		{"* OK hello", response{tag: "*", word: "OK", text: "hello"}, true},
		{"* ok [capability IMAP4rev1 IDLE] hi there", response{tag: "*", word: "OK", code: "CAPABILITY", args: "IMAP4rev1 IDLE", text: "hi there"}, true},
		{"a1 NO [UNAVAILABLE]", response{tag: "a1", word: "NO", code: "UNAVAILABLE"}, true},
		{"a1 NO [UNFINISHED", response{tag: "a1", word: "NO", text: "[UNFINISHED"}, true},
		{"a1 BAD", response{tag: "a1", word: "BAD"}, true},
		{"* 3 EXISTS", response{tag: "*", word: "3", text: "EXISTS"}, true},
		{"* LIST (x) [no code] y", response{tag: "*", word: "LIST", text: "(x) [no code] y"}, true},
		{"+ go on", response{tag: "+", text: "go on"}, true},
		{"+", response{tag: "+"}, true},
		{"a1 FETCH x", response{}, false},
		{"a1", response{}, false},
		{"*", response{}, false},
		{"* ", response{}, false},
		{" OK", response{}, false},
		{"\x01 OK", response{}, false},
		{"", response{}, false},
	} {
		got, ok := parse(tt.line)
		if !reflect.DeepEqual(got, tt.want) || ok != tt.ok {
			t.Errorf("%q: got %+v, %v, want %+v", tt.line, got, ok, tt.want)
		}
	}
}

func TestLiteralSize(t *testing.T) {
	for line, want := range map[string]int{
		"* X {0}": 0, "* X {12}": 12, "* X {12+}": 12, "* X {12++}": -1, "* X {+}": -1, "* X ~{12}": 12, "* X {99999999999}": 65537, "* X {a}": -1, "* X {12": -1, "* X 12}": -1, "* X {-1}": -1, "{}": -1,
	} {
		got, ok := literalSize(line)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: got %d, want %d", line, got, want)
		}
	}
}

func TestPieces(t *testing.T) {
	for _, tt := range []struct{ args, want []string }{
		{[]string{"a", "b"}, []string{`LOGIN "a" "b"`}},
		{[]string{`a"\`, ""}, []string{`LOGIN "a\"\\" ""`}},
		{[]string{"ü", "b"}, []string{"LOGIN {2}", `ü "b"`}},
		{[]string{"a", "b\r\nc"}, []string{`LOGIN "a" {4}`, "b\r\nc"}},
		{[]string{"\x7f", "\xff"}, []string{"LOGIN {1}", "\x7f {1}", "\xff"}},
	} {
		if got := pieces("LOGIN", tt.args...); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.args, got, tt.want)
		}
	}
}

// FuzzPieces reads what pieces wrote as a server would.
func FuzzPieces(f *testing.F) {
	f.Add("user", `pa"ss\`)
	f.Add("ü", "\r\n")
	f.Fuzz(func(t *testing.T, user, password string) {
		if strings.ContainsRune(user+password, 0) {
			t.Skip("refused when the check is built")
		}
		wire := strings.Join(pieces("LOGIN", user, password), "\r\n")
		rest, ok := strings.CutPrefix(wire, "LOGIN ")
		if !ok {
			t.Fatalf("%q", wire)
		}
		for _, want := range []string{user, password} {
			got, after, ok := readString(rest)
			if !ok || got != want {
				t.Fatalf("%q: read %q, want %q", wire, got, want)
			}
			rest = strings.TrimPrefix(after, " ")
		}
		if rest != "" {
			t.Errorf("%q: %q left over", wire, rest)
		}
	})
}

// readString reads a quoted string or a literal (RFC 9051 section 9).
func readString(s string) (value, rest string, ok bool) {
	if size, after, found := strings.Cut(s, "\r\n"); found && strings.HasPrefix(s, "{") {
		if n, ok := literalSize(size); ok && n <= len(after) {
			return after[:n], after[n:], true
		}
	}
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	return unquote(s)
}

func FuzzResponse(f *testing.F) {
	for _, s := range []string{"* OK [X y] z", "a1 NO", "+", "* BYE [UNAVAILABLE", "* X {3}", "* OK []", "* OK [ ]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		literalSize(line)
		r, ok := parse(line)
		if !ok {
			return
		}
		if r.tag == "" || r.tag != "+" && r.word == "" {
			t.Errorf("%q: got %+v without tag or word", line, r)
		}
		r.capabilities()
		for _, p := range checks.Phases() {
			if classify(p, r) == "" {
				t.Errorf("%q in %s has no class", line, p)
			}
		}
	})
}
