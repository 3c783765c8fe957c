package imap

import (
	"fmt"
	"strconv"
	"strings"

	"varde/checks"
)

// command sends a command and waits until it is done.
func (s *Session) command(p checks.Phase, parts ...string) error {
	_, err := s.finish(p, nil, parts...)
	return err
}

// finish is run with a command that must then have ended.
func (s *Session) finish(p checks.Phase, heed func(response), parts ...string) (response, error) {
	r, err := s.run(p, heed, parts...)
	if err == nil && r.tag == "+" {
		err = s.unasked()
	}
	return r, err
}

// run sends a command in pieces, the next one whenever the server asks for it,
// and gives each response to heed, unless that is nil, until the command has
// ended or the server asks for more than there is.
func (s *Session) run(p checks.Phase, heed func(response), parts ...string) (response, error) {
	lead := s.nextTag() + " "
	s.idle = false
	for i, part := range parts {
		if err := s.talk.Send(lead + part + "\r\n"); err != nil {
			return response{}, err
		}
		r, err := s.await(p, heed)
		if err != nil || i == len(parts)-1 {
			return r, err
		}
		if r.tag != "+" {
			return r, checks.Fail(checks.ProtocolError, "OK before the command was complete")
		}
		lead = ""
	}
	return response{}, nil
}

func (s *Session) nextTag() string {
	s.tags++
	return s.tag()
}

// tag is that of the command under way.
func (s *Session) tag() string { return "a" + strconv.Itoa(s.tags) }

// await reads until the command under way has ended or the server asks for more
// of it. What ends it badly is both returned and an error.
func (s *Session) await(p checks.Phase, heed func(response)) (response, error) {
	for {
		r, err := readResponse(s.talk, checks.ProtocolError, heed != nil && p != checks.Body)
		if err != nil {
			return response{}, err
		}
		switch {
		case r.tag == "+":
			return r, nil
		case r.tag == s.tag():
			s.idle = true
			s.replied(r)
			s.heed(r)
			return r, outcome(p, r)
		case r.tag != "*":
			return response{}, checks.Fail(checks.ProtocolError, "a response to %.32q, expected one to %s", r.tag, s.tag())
		case r.word == "BYE":
			if s.replied(r); p != checks.Logout {
				return r, refused(p, r)
			}
			continue
		}
		s.heed(r)
		if heed != nil {
			heed(r)
		}
	}
}

func outcome(p checks.Phase, r response) error {
	if r.word != "OK" {
		return refused(p, r)
	}
	return nil
}

// unasked is the failure of a server that asks for more when all was said.
func (s *Session) unasked() error {
	return checks.Fail(checks.ProtocolError, "a response to %q, expected one to %s", "+", s.tag())
}

// heed keeps what a response tells of the server and of the mailbox.
func (s *Session) heed(r response) {
	if told := r.capabilities(); told != nil {
		s.capabilities = told
		s.rec.Present(func(p *checks.Presented) { p.Capabilities = told })
	}
	switch n, what := r.count(); what {
	case "EXISTS":
		s.exists = n
	case "EXPUNGE":
		s.exists = max(0, s.exists-1)
	}
	if r.tag == "*" && r.code == "ALERT" {
		s.replied(r)
	}
}

// replied keeps the words with which the server answered.
func (s *Session) replied(r response) {
	s.rec.Present(func(p *checks.Presented) { p.Replies = append(p.Replies, r.status()) })
}

// pieces writes a command with its arguments, cut where the server must agree
// before more is sent: behind the size of each literal (RFC 9051 4.3). The
// line break behind a size and the one at the command's end are the sender's.
func pieces(verb string, args ...string) []string {
	all := []string{verb}
	for _, arg := range args {
		last := len(all) - 1
		if quotable(arg) {
			all[last] += " " + quote(arg)
			continue
		}
		all[last] += fmt.Sprintf(" {%d}", len(arg))
		all = append(all, arg)
	}
	return all
}

// quotable says whether s may be sent as a quoted string by a client that has
// agreed on nothing: printable ASCII (RFC 3501 section 9, TEXT-CHAR).
func quotable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func quote(s string) string {
	if strings.ContainsAny(s, `"\`) {
		s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	}
	return `"` + s + `"`
}
