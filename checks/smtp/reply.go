package smtp

import (
	"fmt"
	"strconv"
	"strings"

	"varde/checks"
	"varde/checks/dialogue"
)

// The most lines in one reply. An honest greeting has one to three; EHLO has
// one for each extension, of which about sixty are registered.
const (
	greetingLines = 10
	replyLines    = 100
)

// reply is what a server says to one command (RFC 5321 4.2).
type reply struct {
	code  int
	lines []string
}

// String is the reply in the server's words.
func (r reply) String() string { return strconv.Itoa(r.code) + " " + r.text() }

func (r reply) text() string { return strings.Join(r.lines, " ") }

// codes are the reply without its words: "250", "535 5.7.8".
func (r reply) codes() string {
	if s := r.status(); s != (status{}) {
		return fmt.Sprintf("%d %d.%d.%d", r.code, s.class, s.subject, s.detail)
	}
	return strconv.Itoa(r.code)
}

// kind is the first digit of the code.
func (r reply) kind() int { return r.code / 100 }

// status is an enhanced status code (RFC 3463), "5.7.8"; zero where there is
// none.
type status struct{ class, subject, detail int }

// The subjects of a status (RFC 3463 section 2).
const (
	ofAddress = 1
	ofMailbox = 2
	ofSystem  = 3
	ofNetwork = 4
	ofContent = 6
	ofPolicy  = 7
)

// status is the first enhanced status code at the beginning of a line. One that
// is of another kind than the reply is none (RFC 2034 section 4).
func (r reply) status() status {
	for _, line := range r.lines {
		if s, ok := parseStatus(line); ok && s.class == r.kind() {
			return s
		}
	}
	return status{}
}

// parseStatus reads class, subject and detail in front of a line: a digit, and
// twice up to three digits.
func parseStatus(line string) (status, bool) {
	word, _, _ := strings.Cut(line, " ")
	class, rest, _ := strings.Cut(word, ".")
	subject, detail, _ := strings.Cut(rest, ".")
	s := status{number(class), number(subject), number(detail)}
	return s, len(class) == 1 && min(s.class, s.subject, s.detail) >= 0
}

// number is what up to three digits are; -1 for anything else.
func number(s string) int {
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	if len(s) == 0 || len(s) > 3 {
		return -1
	}
	return n
}

// readReply reads the lines of one reply. What does not look like one is a
// failure of class wrong.
func readReply(talk *dialogue.Conversation, max int, wrong checks.Class) (reply, error) {
	var r reply
	for {
		line, err := talk.Line()
		if err != nil {
			return reply{}, err
		}
		code, more, text, ok := parseLine(line)
		if !ok || len(r.lines) > 0 && code != r.code {
			return reply{}, checks.Fail(wrong, "not an SMTP reply: %.128q", line)
		}
		if r.code = code; len(r.lines) >= max {
			return reply{}, checks.Fail(checks.ProtocolError, "a reply of more than %d lines", max)
		}
		r.lines = append(r.lines, text)
		if !more {
			return r, nil
		}
	}
}

// parseLine reads one line of a reply: three digits, the first of them 2 to 5,
// then a hyphen when more lines follow, a space or nothing when none does.
func parseLine(line string) (code int, more bool, text string, ok bool) {
	code = number(line[:min(3, len(line))])
	if len(line) < 3 || code < 200 || code > 599 {
		return 0, false, "", false
	}
	if len(line) == 3 {
		return code, false, "", true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, "", false
	}
	return code, line[3] == '-', line[4:], true
}

// extensions are the keywords of an EHLO reply in upper case, each with its
// parameters; the first line holds the server's name.
func (r reply) extensions() map[string][]string {
	all := make(map[string][]string)
	for _, line := range r.lines[min(1, len(r.lines)):] {
		// Old servers write AUTH=PLAIN LOGIN.
		words := strings.Fields(strings.Replace(strings.ToUpper(line), "AUTH=", "AUTH ", 1))
		if len(words) > 0 {
			all[words[0]] = append(all[words[0]], words[1:]...)
		}
	}
	return all
}
