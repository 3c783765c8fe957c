package https

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"regexp/syntax"

	"varde/checks"
)

const (
	// expectMax bounds what is looked for, in bytes.
	expectMax = 1024
	// stepsMax bounds the program of a regular expression: each byte of a body
	// may cost as many steps.
	stepsMax = 1000
)

// expected is what a body must hold; the zero value is content with any.
type expected struct {
	text   []byte
	regexp *regexp.Regexp
}

func (w expected) nothing() bool { return len(w.text) == 0 && w.regexp == nil }

func readExpected(t checks.Target) (expected, error) {
	var errs []error
	given := "expect.body"
	if t.Expect.BodyRegexp != "" {
		given = "expect.body_regexp"
	}
	if n := max(len(t.Expect.Body), len(t.Expect.BodyRegexp)); n > expectMax {
		errs = append(errs, fault(given, "%d bytes long, expected at most %d", n, expectMax))
	}
	if t.Expect.Body != "" && t.Expect.BodyRegexp != "" {
		errs = append(errs, fault(given, "given beside expect.body, expected one of the two"))
	}
	w := expected{text: []byte(t.Expect.Body)}
	if len(errs) == 0 && t.Expect.BodyRegexp != "" {
		var err error
		w.regexp, err = compile(t.Expect.BodyRegexp)
		errs = append(errs, err)
	}
	if t.Method == http.MethodHead && !w.nothing() {
		errs = append(errs, fault(given, "given with the method HEAD, whose answers have no body"))
	}
	return w, errors.Join(errs...)
}

func compile(s string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, fault("expect.body_regexp", "%v, expected the syntax of Go's regexp", err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil || len(program.Inst) > stepsMax {
		return nil, fault("expect.body_regexp", "%.64q is too large, expected fewer or smaller repetitions", s)
	}
	return regexp.Compile(s)
}

// in reads a body until what is expected has come, or its end. Where nothing is
// expected, reading shows that the body comes at all.
func (w expected) in(body io.Reader) error {
	var found bool
	seen := &counted{Reader: body}
	switch {
	case w.nothing():
		_, _ = io.Copy(io.Discard, seen) // seen has the error
		found = true
	case w.regexp != nil:
		// It stops at the first match and keeps nothing of the body. It takes the
		// point at which a body breaks off for its end, which it is not.
		found = w.regexp.MatchReader(bufio.NewReader(seen)) && seen.err == nil
	default:
		found = contains(seen, w.text)
	}
	switch {
	case found && !w.nothing():
		return nil
	case seen.err != nil:
		return seen.err
	case !found:
		return checks.Fail(checks.BodyMismatch, "what is expected is not in the first %d bytes", seen.n)
	}
	return nil
}

// contains reads until the text has come, or the end.
func contains(r io.Reader, text []byte) bool {
	buf := make([]byte, 0, 4<<10+len(text))
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if bytes.Contains(buf, text) {
			return true
		}
		if err != nil {
			return false
		}
		// The text may lie across two pieces.
		tail := buf[max(0, len(buf)-len(text)+1):]
		buf = buf[:copy(buf, tail)]
	}
}

// counted remembers how much was read and, unless it was the end, why no more
// was.
type counted struct {
	io.Reader
	n   int64
	err error
}

// Read reads from what is below.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}
