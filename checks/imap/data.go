package imap

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// data reads what a response holds besides its status (RFC 9051 section 9): words,
// strings and lists of them. What does not fit the grammar ends it.
type data struct {
	line string   // what is left of the line under way
	rest []string // a literal and a line in turns
}

func newData(r response) *data { return &data{line: r.text, rest: r.rest} }

// take reads one token: "(" or ")", or a word, which may be an atom, a quoted
// string or a literal.
func (d *data) take() (word string, isWord, ok bool) {
	d.line = strings.TrimLeft(d.line, " ")
	if d.line == "" {
		return "", false, false
	}
	switch d.line[0] {
	case '(', ')':
		word, d.line = d.line[:1], d.line[1:]
		return word, false, true
	case '"':
		word, d.line, ok = unquote(d.line)
		return word, true, ok
	}
	if _, literal := literalSize(d.line); literal && len(d.rest) > 1 && strings.HasPrefix(strings.TrimPrefix(d.line, "~"), "{") {
		word, d.line, d.rest = d.rest[0], d.rest[1], d.rest[2:]
		return word, true, true
	}
	n := atomEnd(d.line)
	word, d.line = d.line[:n], d.line[n:]
	return word, true, n > 0
}

// atomEnd is where an atom ends that s begins with. What stands in brackets
// belongs to it: BODY[HEADER.FIELDS (DATE)]<0>.
func atomEnd(s string) int {
	inside := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case !inside && strings.IndexByte(" ()\"", c) >= 0:
			return i
		}
	}
	return len(s)
}

// unquote reads the quoted string that s begins with.
func unquote(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
		}
		if i < len(s) {
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

// word reads a word.
func (d *data) word() (string, bool) {
	word, isWord, ok := d.take()
	return word, ok && isWord
}

// list reads a list of words; lists in it are left out.
func (d *data) list() ([]string, bool) {
	if word, isWord, ok := d.take(); !ok || isWord || word != "(" {
		return nil, false
	}
	var words []string
	for depth := 1; ; {
		word, isWord, ok := d.take()
		switch {
		case !ok:
			return nil, false
		case isWord && depth == 1:
			words = append(words, word)
		case word == "(" && !isWord:
			depth++
		case word == ")" && !isWord:
			if depth--; depth == 0 {
				return words, true
			}
		}
	}
}

// value reads a word or passes over a list.
func (d *data) value() (word string, ok bool) {
	if strings.HasPrefix(strings.TrimLeft(d.line, " "), "(") {
		_, ok := d.list()
		return "", ok
	}
	return d.word()
}

// fetched is what a FETCH response tells of a message.
type fetched struct {
	uid    uint32
	header bool // a header came; it may be empty
	Message
}

// fetched reads the items that we ask for, as far as the response can be read.
func (r response) fetched() (f fetched) {
	if _, what := r.count(); what != "FETCH" {
		return fetched{}
	}
	d := newData(r)
	_, _ = d.word() // FETCH
	if word, isWord, _ := d.take(); isWord || word != "(" {
		return fetched{}
	}
	for {
		name, ok := d.word()
		if !ok {
			return f
		}
		value, ok := d.value()
		if !ok {
			return f
		}
		f.item(strings.ToUpper(name), value)
	}
}

func (f *fetched) item(name, value string) {
	switch {
	case name == "UID":
		n, err := strconv.ParseUint(value, 10, 32)
		if err == nil {
			f.uid = uint32(n)
		}
	case name == "INTERNALDATE":
		f.Received, _ = time.Parse("_2-Jan-2006 15:04:05 -0700", value) // zero if it is none
	case isHeader(name) && value != "NIL":
		f.header, f.Header = true, value[:min(len(value), HeaderMax)]
	}
}

// isHeader says whether an item is a header or some fields of it.
func isHeader(name string) bool {
	return strings.HasPrefix(name, "BODY[HEADER]") || strings.HasPrefix(name, "BODY[HEADER.FIELDS ")
}

// count is the number of a response that begins with one, and what it counts or
// numbers, in upper case: "* 3 EXISTS".
func (r response) count() (n int, what string) {
	if r.tag != "*" || r.word == "" || r.word[0] < '0' || r.word[0] > '9' {
		return 0, ""
	}
	n, err := strconv.Atoi(r.word)
	if err != nil {
		return 0, ""
	}
	what, _, _ = strings.Cut(r.text, " ")
	return n, strings.ToUpper(what)
}

// found are the UIDs of a SEARCH response.
func (r response) found() []uint32 {
	if r.tag != "*" || r.word != "SEARCH" {
		return nil
	}
	var uids []uint32
	for word := range strings.FieldsSeq(r.text) {
		if n, err := strconv.ParseUint(word, 10, 32); err == nil && n > 0 {
			uids = append(uids, uint32(n))
		}
	}
	return uids
}

// firstOf returns the smallest SearchMax of the UIDs, each once, in ascending order.
func firstOf(uids []uint32) []uint32 {
	slices.Sort(uids)
	uids = slices.Compact(uids)
	return uids[:min(len(uids), SearchMax)]
}
