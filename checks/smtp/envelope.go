package smtp

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"varde/checks"
)

const (
	// MessageMax is the longest message that a session hands in, in bytes as
	// they are sent: with the handshake it stays below checks.SendMax.
	MessageMax = 48 << 10
	// dotLimit is how long a server may think about a whole message: content
	// filters run here. RFC 5321 4.5.3.2.6 has ten minutes.
	dotLimit = 20 * time.Second
)

// Fate is what has become of a message that no server has said to have taken.
type Fate uint8

// The fates. The zero value claims nothing.
const (
	// Doubtful is a message that was sent whole, maybe, and that the server
	// gave no complete answer to: it may have taken it.
	Doubtful Fate = iota
	// Unsent is a message that was not sent whole, so that no server has it.
	Unsent
	// Refused was sent whole, and the server said that it does not take it.
	Refused
)

// SubmitError is why a message was not handed in, as far as we know.
type SubmitError struct {
	Fate Fate
	// Greylisted says that the server wants to see the same message again
	// later, as some do with every stranger; its class is policy.
	Greylisted bool
	// Err is a *checks.Failure.
	Err error
}

// Error returns the words of the failure.
func (e *SubmitError) Error() string { return e.Err.Error() }

// Unwrap returns the failure.
func (e *SubmitError) Unwrap() error { return e.Err }

// Submit hands in one message, in phase submit: nil means that the server has
// taken it upon itself to deliver it. The error is a *SubmitError. The message
// is ASCII without NUL, at most MessageMax bytes, its lines end in LF or CRLF
// and its header is complete; from and to pass [ValidAddress]. What is none of
// that is never sent (class own_error).
func (s *Session) Submit(ctx context.Context, from, to string, message []byte) error {
	text, err := stuffed(message)
	if err == nil {
		err = s.envelope(ctx, from, to, len(text))
	}
	if err == nil {
		err = s.ask(ctx, "DATA", 3)
	}
	if err == nil {
		s.idle = false // what we say next is the message
		err = s.step(ctx, checks.Submit, checks.CommandLimit, func() error { return s.talk.Send(text) })
	}
	if err != nil {
		s.failed = true
		return &SubmitError{Unsent, s.later != "", err}
	}
	fate := Doubtful
	err = s.step(ctx, checks.Submit, dotLimit, func() error {
		r, err := s.command(".")
		if err != nil {
			return err
		}
		if r.kind() > 3 {
			fate = Refused
		}
		return s.hoped(r, 2)
	})
	if err != nil {
		return &SubmitError{fate, s.later != "", err}
	}
	return nil
}

// offer asks whether a mail between the check's two addresses would be taken,
// and takes it back. That we are to come again later is an answer too.
func (s *Session) offer(ctx context.Context) error {
	err := s.envelope(ctx, s.check.from, s.check.to, 0)
	if s.later != "" {
		s.failed, err = false, nil
		s.rec.Note("greylisted: %s", s.later)
	}
	if err != nil {
		return err
	}
	return s.ask(ctx, "RSET", 2)
}

// envelope names sender and recipient, and the size of the message if it is
// known and wanted (RFC 1870).
func (s *Session) envelope(ctx context.Context, from, to string, size int) error {
	if !ValidAddress(from) || !ValidAddress(to) {
		return checks.Fail(checks.OwnError, "from %.64q to %.64q, expected two addresses", from, to)
	}
	sender := "MAIL FROM:<" + from + ">"
	if _, wanted := s.extensions["SIZE"]; wanted && size > 0 {
		sender += fmt.Sprintf(" SIZE=%d", size)
	}
	if err := s.ask(ctx, sender, 2); err != nil {
		return err
	}
	return s.ask(ctx, "RCPT TO:<"+to+">", 2)
}

// ask says one command and wants a reply of one kind.
func (s *Session) ask(ctx context.Context, line string, kind int) error {
	return s.step(ctx, checks.Submit, checks.CommandLimit, func() error {
		r, err := s.command(line)
		if err != nil {
			return err
		}
		return s.hoped(r, kind)
	})
}

// hoped fails unless the reply is of one kind.
func (s *Session) hoped(r reply, kind int) error {
	switch {
	case r.kind() == kind:
		return nil
	case r.greylisted():
		s.later = r.String()
		return checks.Fail(checks.Policy, "greylisted: %s", r)
	}
	return refused(checks.Submit, r)
}

// stuffed returns a message as it stands behind DATA (RFC 5321 4.5.2), without
// the dot that ends it.
func stuffed(message []byte) (string, error) {
	if bytes.ContainsFunc(message, func(r rune) bool { return r == 0 || r > '~' }) || bytes.Count(message, []byte("\r")) != bytes.Count(message, []byte("\r\n")) {
		return "", checks.Fail(checks.OwnError, "the message is not lines of ASCII")
	}
	var text strings.Builder
	dots := textproto.NewWriter(bufio.NewWriter(&text)).DotWriter()
	_, _ = dots.Write(message) // a strings.Builder takes everything
	_ = dots.Close()
	if text.Len() > MessageMax {
		return "", checks.Fail(checks.OwnError, "a message of %d bytes, expected at most %d", text.Len(), MessageMax)
	}
	return strings.TrimSuffix(text.String(), ".\r\n"), nil
}
