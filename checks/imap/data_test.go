package imap

import (
	"reflect"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   response
		want []string // a list's brackets are "(" and ")"
	}{
		{"words", response{text: `a  "b c" NIL`}, []string{"a", "b c", "NIL"}},
		{"lists", response{text: `(a (b)) c`}, []string{"(", "a", "(", "b", ")", ")", "c"}},
		{"escapes", response{text: `"a\"\\b" c`}, []string{`a"\b`, "c"}},
		{"brackets", response{text: `BODY[HEADER.FIELDS (DATE "x")]<0> y`}, []string{`BODY[HEADER.FIELDS (DATE "x")]<0>`, "y"}},
		{"literals", response{text: "a {3}", rest: []string{"b c", " d ~{1}", ")", ")"}}, []string{"a", "b c", "d", ")", ")"}},
		{"size without a literal", response{text: "{3}"}, []string{"{3}"}},
		{"quote in a word", response{text: `a"b"`}, []string{"a", "b"}},
		{"unclosed", response{text: `a "b`}, []string{"a"}},
		{"unclosed behind a backslash", response{text: `"b\`}, nil},
		{"nothing", response{}, nil},
	} {
		var got []string
		for d := newData(tt.in); ; {
			word, _, ok := d.take()
			if !ok {
				break
			}
			got = append(got, word)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFetched(t *testing.T) {
	for text, want := range map[string]fetched{
		`FETCH (UID 5 BODY[HEADER] "a")`:                        {uid: 5, header: true, Message: Message{Header: "a"}},
		`fetch (body[header]<0> "" FLAGS (\Seen (x)) uid 6)`:    {uid: 6, header: true},
		`FETCH (UID x INTERNALDATE "y" BODY[HEADER] NIL)`:       {},
		`FETCH (BODY[HEADER.FIELDS (DATE)]<0> "a" BODY[] "b")`:  {header: true, Message: Message{Header: "a"}},
		`FETCH (BODY[HEADER.FIELDS.NOT (DATE)] "a" BODY[] "b")`: {},
		`FETCH (UID 5`:           {uid: 5},
		`FETCH (UID`:             {},
		`FETCH (FLAGS (`:         {},
		`FETCH UID 5`:            {},
		`FETCH`:                  {},
		`EXISTS (UID 5)`:         {},
		`FETCH (UID 4294967296)`: {},
	} {
		if got := (response{tag: "*", word: "1", text: text}).fetched(); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

// FuzzData reads what a server says as each of the things that are asked for.
func FuzzData(f *testing.F) {
	for _, s := range []string{
		"1 FETCH (UID 5 INTERNALDATE \" 7-Jul-2026 02:44:25 -0700\" BODY[HEADER]<0> {3})", "LIST (\\Junk) \"/\" {4}", "SEARCH 1 2 3",
		"LIST () NIL \"a\\\"b\"", "1 FETCH ((((", "9 EXPUNGE", "LIST (\\Sent) \"/\" &AOQ-", "1 FETCH (X[(] ~{0} {9+}",
	} {
		f.Add(s, "liter(al \"")
	}
	f.Fuzz(func(t *testing.T, line, literal string) {
		r, ok := parse("* " + line)
		if !ok {
			return
		}
		r.rest = []string{literal, line, literal, ")"}
		if got := r.fetched(); len(got.Header) > HeaderMax || got.Header != "" && !got.header {
			t.Errorf("%q: got %+v", line, got)
		}
		if got := firstOf(r.found()); len(got) > SearchMax {
			t.Errorf("%q: found %d", line, len(got))
		}
		for _, m := range r.listed() {
			if !strings.HasSuffix(strings.ToLower(m.name), m.leaf) {
				t.Errorf("%q: %q does not end in %q", line, m.name, m.leaf)
			}
		}
		if n, _ := r.count(); n < 0 {
			t.Errorf("%q: counts %d", line, n)
		}
		newData(r).list()
	})
}
