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
	// rest is what follows the first line, a literal and a line in turns; a
	// literal that was read past is empty.
	rest []string
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

// literalSize is the size of the literal that a line ends with: {12}, {12+}, or
// ~{12} for binary ones (RFC 3516, RFC 9051 section 9).
func literalSize(line string) (int, bool) {
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(line[open+1:len(line)-1], "+"), 10, 63)
	if err != nil {
		return 0, false
	}
	return int(min(n, dialogue.TotalMax+1)), true // a larger one is refused just the same
}

// restMax is how many pieces of a response are kept whose literals are not. The
// header that is asked for is the first; one byte of a server must not cost many
// of ours.
const restMax = 16

// readResponse reads one response. Its literals are kept if that is asked for,
// else read past.
func readResponse(talk *dialogue.Conversation, wrong checks.Class, keep bool) (response, error) {
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
		literal, err := readLiteral(talk, n, keep)
		if err != nil {
			return response{}, err
		}
		if line, err = talk.Line(); err != nil {
			return response{}, err
		}
		if keep || len(r.rest) < restMax {
			r.rest = append(r.rest, literal, line)
		}
	}
	return r, nil
}

func readLiteral(talk *dialogue.Conversation, n int, keep bool) (string, error) {
	if keep {
		return talk.Literal(n)
	}
	return "", talk.Skip(n)
}

// capabilities are what the response tells of the server; nil if it tells
// nothing of that.
func (r response) capabilities() []string {
	switch {
	case r.word == "CAPABILITY":
		return strings.Fields(r.text)
	case r.code == "CAPABILITY":
		return strings.Fields(r.args)
	}
	return nil
}

// status is the word and the code of a status response, and what a server wants
// its users to read.
func (r response) status() string {
	switch r.code {
	case "":
		return r.word
	case "ALERT":
		return r.String()
	}
	return r.word + " [" + r.code + "]"
}
