package pop3

import (
	"strconv"
	"strings"

	"varde/checks"
	"varde/checks/dialogue"
)

// reply is the first line of an answer (RFC 1939 section 3, RFC 2449 section 8).
type reply struct {
	mark string // +OK, -ERR, or + where the server asks for more
	code string // the response code, upper case; empty if there is none
	text string
}

// The marks.
const (
	fine  = "+OK"
	wrong = "-ERR"
	more  = "+"
)

// String is the reply in the server's words.
func (r reply) String() string { return strings.TrimSpace(r.status() + " " + r.text) }

// status is the reply without what is said to people.
func (r reply) status() string {
	if r.code == "" {
		return r.mark
	}
	return r.mark + " [" + r.code + "]"
}

// parse reads one line. Servers write the marks in upper case; "+" alone stands
// only where a login may go on (RFC 5034).
func parse(line string) (reply, bool) {
	mark, text, _ := strings.Cut(line, " ")
	r := reply{mark: mark, text: text}
	if mark != fine && mark != wrong && mark != more {
		return reply{}, false
	}
	inside, after, closed := strings.Cut(text, "]")
	if code, opened := strings.CutPrefix(inside, "["); closed && opened && code != "" && !strings.Contains(code, " ") && mark != more {
		r.code, r.text = strings.ToUpper(code), strings.TrimPrefix(after, " ")
	}
	return r, true
}

func readReply(talk *dialogue.Conversation, class checks.Class) (reply, error) {
	line, err := talk.Line()
	if err != nil {
		return reply{}, err
	}
	r, ok := parse(line)
	if !ok {
		return reply{}, checks.Fail(class, "not a POP3 reply: %.128q", line)
	}
	return r, nil
}

// listMax is how many lines a list may have: one of ours takes more room than its
// break on the wire.
const listMax = 100

// readList reads the lines of an answer up to the dot that ends it (RFC 1939
// section 3).
func readList(talk *dialogue.Conversation) ([]string, error) {
	var lines []string
	for {
		line, err := talk.Line()
		if err != nil {
			return nil, err
		}
		switch {
		case line == ".":
			return lines, nil
		case len(lines) >= listMax:
			return nil, checks.Fail(checks.ProtocolError, "a list of more than %d lines", listMax)
		}
		lines = append(lines, strings.TrimPrefix(line, "."))
	}
}

// isDrop says whether the text of a reply to STAT is what it has to be, the
// number of messages and their size.
func isDrop(text string) bool {
	words := strings.Fields(text)
	if len(words) < 2 {
		return false
	}
	for _, w := range words[:2] {
		if _, err := strconv.ParseUint(w, 10, 63); err != nil {
			return false
		}
	}
	return true
}

// refused is the failure of a reply that was not the one hoped for.
func refused(p checks.Phase, r reply) error {
	return checks.Fail(classify(p, r), "%s", r)
}

// classify names what -ERR means in a phase. What the server says in a code (RFC
// 2449 section 8.1, RFC 3206) stands over what the phase alone would mean.
func classify(p checks.Phase, r reply) checks.Class {
	trouble := r.code == "SYS/TEMP" || r.code == "SYS/PERM" || r.code == "" && strings.HasPrefix(r.text, "Temporary ") // Courier
	switch {
	case r.mark != wrong:
		return checks.ProtocolError
	case r.code == "IN-USE" || r.code == "LOGIN-DELAY":
		return checks.Policy
	case p == checks.Auth && trouble:
		return checks.AuthTempfail
	case p == checks.Auth: // -ERR alone is what older servers say to a wrong password
		return checks.AuthRejected
	case p == checks.StartTLS && !trouble:
		return checks.TLSError
	case r.code == "AUTH":
		return checks.OwnError // asked before a login
	}
	return checks.Busy
}
