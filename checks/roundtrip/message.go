package roundtrip

import (
	"fmt"
	"net/mail"
	"strings"
	"time"
)

// The headers by which a test mail is known.
const (
	headerID   = "X-Probe-Id"
	headerSent = "X-Probe-Sent"
)

// messageID names the message by the mail, the probe and the sender's domain.
func (m *Mail) messageID() string {
	_, domain, _ := strings.Cut(m.From, "@")
	return fmt.Sprintf("<%s.%s@%s>", m.ID, m.Probe, domain)
}

// message is what is sent: as little as a mail can be, marked so that nobody and
// nothing answers it (RFC 3834; X-Auto-Response-Suppress is Exchange's).
func (m *Mail) message() string {
	lines := []string{
		"Date: " + m.Written.UTC().Format(time.RFC1123Z),
		"From: <" + m.From + ">",
		"To: <" + m.To + ">",
		"Subject: Test mail " + m.ID,
		"Message-ID: " + m.messageID(),
		"Auto-Submitted: auto-generated",
		"X-Auto-Response-Suppress: All",
		"Precedence: bulk",
		headerID + ": " + m.Token,
		headerSent + ": " + stamp(m.Written),
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=us-ascii",
		"",
		"This mail measures how long a mail takes. It is removed when it is found.",
		"",
	}
	return strings.Join(lines, "\r\n")
}

// A letter is a message that bears all the headers of a test mail, each once and
// in the form in which a probe writes them.
type letter struct {
	token   token
	written time.Time
	// to is the address in To, messageID the Message-ID, as they stand.
	to, messageID string
	header        mail.Header
}

// read looks for a test mail in a header as it stands in a mailbox.
func read(header string) (l letter, ok bool) {
	msg, err := mail.ReadMessage(strings.NewReader(whole(header)))
	if err != nil {
		return letter{}, false
	}
	l.header = msg.Header
	for _, once := range []string{headerID, headerSent, "To", "Message-Id", "Auto-Submitted"} {
		if len(l.header[once]) != 1 {
			return letter{}, false
		}
	}
	var isToken, isTime bool
	l.token, isToken = parseToken(strings.TrimSpace(l.header.Get(headerID)))
	l.written, isTime = parseStamp(strings.TrimSpace(l.header.Get(headerSent)))
	to, err := mail.ParseAddress(l.header.Get("To"))
	if err != nil || !isToken || !isTime || strings.TrimSpace(l.header.Get("Auto-Submitted")) != "auto-generated" {
		return letter{}, false
	}
	l.to, l.messageID = to.Address, strings.TrimSpace(l.header.Get("Message-Id"))
	return l, strings.HasPrefix(l.messageID, "<"+l.token.id+"."+l.token.probe+"@")
}

// fields are those of a header that are read. What servers write on top of ours
// may be more than all that is fetched.
func fields() []string {
	return []string{headerID, headerSent, "To", "Message-ID", "Auto-Submitted", "Authentication-Results"}
}

// whole ends a header that was cut: its last line, which may be half of one, is
// left out, and an empty line put behind.
func whole(header string) string {
	if strings.HasSuffix(header, "\n\r\n") || strings.HasSuffix(header, "\n\n") {
		return header
	}
	return header[:strings.LastIndexByte(header, '\n')+1] + "\r\n"
}

// unlike says why the letter is not the mail; empty if it is.
func (l letter) unlike(m *Mail) string {
	switch {
	case l.token.String() != m.Token:
		return "its token is not the one sent"
	case !l.written.Equal(m.Written):
		return headerSent + " is not what was sent"
	case !strings.EqualFold(l.to, m.To):
		return "it is to somebody else"
	case l.messageID != m.messageID():
		return "its Message-ID is not the one sent"
	}
	return ""
}

// arrival is what a letter says of its way.
func arrival(f found, junk bool) Arrival {
	a := Arrival{Junk: junk}
	a.authentication(f.header)
	return a
}
