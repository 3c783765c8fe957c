package imap

import (
	"strconv"
	"strings"

	"varde/checks"
	"varde/checks/dialogue"
)

// response is one response of a server (RFC 9051 section 7): untagged ("*"), a
// request to go on ("+"), or the end of the command whose tag it has.
type response struct {
	tag  string
	word string // OK, NO, BAD, BYE, PREAUTH or the name of data; upper case
	code string // the response code's name, upper case; empty if there is none
	args string // what stands behind the code's name, inside the brackets
	text string
}

// String is the response in the server's words, without its tag.
func (r response) String() string {
	parts := []string{r.word}
	if r.code != "" {
		parts = append(parts, "["+strings.TrimSpace(r.code+" "+r.args)+"]")
	}
	return strings.TrimSpace(strings.Join(append(parts, r.text), " "))
}

// isStatus says whether the response is one of the five that carry a code and
// words for people, and never a literal.
func (r response) isStatus() bool {
	switch r.word {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return true
	}
	return false
}

// parse reads the first line of a response.
func parse(line string) (response, bool) {
	tag, rest, spaced := strings.Cut(line, " ")
	if tag == "+" {
		return response{tag: tag, text: rest}, true
	}
	if tag == "" || !spaced || strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return response{}, false
	}
	word, rest, _ := strings.Cut(rest, " ")
	r := response{tag: tag, word: strings.ToUpper(word), text: rest}
	if word == "" || tag != "*" && r.word != "OK" && r.word != "NO" && r.word != "BAD" {
		return response{}, false
	}
	if inside, after, ok := strings.Cut(rest, "]"); ok && r.isStatus() && strings.HasPrefix(inside, "[") {
		code, args, _ := strings.Cut(inside[1:], " ")
		r.code, r.args, r.text = strings.ToUpper(code), args, strings.TrimPrefix(after, " ")
	}
	return r, true
}

// literalSize is the size of the literal that a line ends with: {12}, or ~{12}
// for binary ones (RFC 3516).
func literalSize(line string) (int, bool) {
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return 0, false
	}
	n, err := strconv.ParseUint(line[open+1:len(line)-1], 10, 63)
	if err != nil {
		return 0, false
	}
	return int(min(n, dialogue.TotalMax+1)), true // a larger one is refused just the same
}

// readResponse reads one response. Its literals are read past and not kept.
func readResponse(talk *dialogue.Conversation, wrong checks.Class) (response, error) {
	line, err := talk.Line()
	if err != nil {
		return response{}, err
	}
	r, ok := parse(line)
	if !ok {
		return response{}, checks.Fail(wrong, "not an IMAP response: %.128q", line)
	}
	for !r.isStatus() && r.tag == "*" {
		n, ok := literalSize(line)
		if !ok {
			break
		}
		if _, err := talk.Literal(n); err != nil {
			return response{}, err
		}
		if line, err = talk.Line(); err != nil {
			return response{}, err
		}
	}
	return r, nil
}

// capabilities are what the response tells of the server, in upper case; nil
// if it tells nothing of that.
func (r response) capabilities() []string {
	switch {
	case r.word == "CAPABILITY":
		return strings.Fields(strings.ToUpper(r.text))
	case r.code == "CAPABILITY":
		return strings.Fields(strings.ToUpper(r.args))
	}
	return nil
}
