package smtp

import (
	"fmt"
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
func (r reply) String() string {
	return fmt.Sprintf("%d %s", r.code, strings.Join(r.lines, " "))
}

// kind is the first digit of the code.
func (r reply) kind() int { return r.code / 100 }

// enhanced says whether the reply carries the given beginning of an enhanced
// status code (RFC 3463), such as "5.7.".
func (r reply) enhanced(prefix string) bool {
	return len(r.lines) > 0 && strings.HasPrefix(r.lines[len(r.lines)-1], prefix)
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
	if len(line) < 3 || line[0] < '2' || line[0] > '5' {
		return 0, false, "", false
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0, false, "", false
		}
		code = code*10 + int(c-'0')
	}
	if len(line) == 3 {
		return code, false, "", true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, "", false
	}
	return code, line[3] == '-', line[4:], true
}

// refused is the failure of a reply that was not the one hoped for.
func refused(p checks.Phase, r reply) error {
	return checks.Fail(classify(p, r), "%s", r)
}

// classify names what an unwelcome reply means in a phase. 421 may come at any
// point and always means that the server is going away (RFC 5321 3.8).
func classify(p checks.Phase, r reply) checks.Class {
	switch {
	case r.code == 421:
		return checks.Busy
	case p == checks.Greeting:
		return greetingClass(r)
	case p == checks.Auth:
		return authClass(r)
	case r.enhanced("5.7."), p == checks.Capability && (r.code == 550 || r.code == 554):
		return checks.Policy // RFC 3463 3.8: security or policy
	case p == checks.StartTLS:
		return checks.TLSError
	case r.kind() == 4:
		return checks.Busy
	}
	return checks.ProtocolError
}

func greetingClass(r reply) checks.Class {
	switch r.kind() {
	case 4:
		return checks.Busy
	case 5:
		return checks.Policy // it does not serve us; whether others, we cannot tell
	}
	return checks.GreetingError
}

// authClass names the refusal of a login (RFC 4954 section 6).
func authClass(r reply) checks.Class {
	switch {
	case r.kind() == 4:
		return checks.AuthTempfail
	case r.kind() != 5, r.code <= 504:
		return checks.ProtocolError // it offered what it does not do
	case (r.code == 550 || r.code == 554) && r.enhanced("5.7.") && !r.enhanced("5.7.8"):
		return checks.Policy
	}
	return checks.AuthRejected
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
