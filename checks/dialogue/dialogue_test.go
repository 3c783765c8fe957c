package dialogue_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"varde/checks"
	"varde/checks/checktest"
	"varde/checks/dialogue"
)

// talk is a conversation with a server that has said text and hung up.
func talk(t testing.TB, text string) *dialogue.Conversation {
	t.Helper()
	n := checktest.NewInternet()
	h := n.Host(netip.MustParseAddr("192.0.2.1"))
	l, err := h.Listen("tcp", ":25")
	if err != nil {
		t.Fatal(err)
	}
	near, err := h.DialContext(t.Context(), "tcp4", "192.0.2.1:25")
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(far, text)
		_ = far.Close()
	}()
	t.Cleanup(func() { _, _ = near.Close(), l.Close() })
	return dialogue.New(near)
}

func class(err error) checks.Class {
	if f, ok := errors.AsType[*checks.Failure](err); ok {
		return f.Class
	}
	return ""
}

func TestLines(t *testing.T) {
	c := talk(t, "one\r\ntwo\nthree\r\r\n\r\nliteral\r\nfour")
	for _, want := range []string{"one", "two", "three\r", ""} {
		if got, err := c.Line(); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if got, err := c.Literal(9); got != "literal\r\n" || err != nil {
		t.Errorf("literal %q, %v", got, err)
	}
	if got, err := c.Line(); got != "" || !errors.Is(err, io.EOF) {
		t.Errorf("half a line: %q, %v, want EOF", got, err)
	}
}

func TestLongestLine(t *testing.T) {
	fits := strings.Repeat("x", dialogue.LineMax-2) + "\r\n"
	if got, err := talk(t, fits).Line(); len(got) != dialogue.LineMax-2 || err != nil {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := talk(t, "x"+fits).Line(); class(err) != checks.ProtocolError {
		t.Errorf("got %v, want protocol_error", err)
	}
}

func TestTotal(t *testing.T) {
	line := strings.Repeat("x", 62) + "\r\n" // 1024 of them are 64 kB
	c := talk(t, strings.Repeat(line, 1025))
	for i := range 1024 {
		if _, err := c.Line(); err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
	}
	if _, err := c.Line(); class(err) != checks.ProtocolError {
		t.Errorf("got %v, want protocol_error", err)
	}
	for _, n := range []int{dialogue.TotalMax + 1, -1} {
		if _, err := talk(t, "x").Literal(n); class(err) != checks.ProtocolError {
			t.Errorf("literal of %d: got %v, want protocol_error", n, err)
		}
		if err := talk(t, "x").Skip(n); class(err) != checks.ProtocolError {
			t.Errorf("passing over %d: got %v, want protocol_error", n, err)
		}
	}
}

func TestRenew(t *testing.T) {
	c := talk(t, strings.Repeat("x", 3*dialogue.TotalMax))
	for i := range 3 {
		if err := c.Skip(dialogue.TotalMax); err != nil {
			t.Errorf("after %d: %v", i, err)
		}
		if _, err := c.Literal(1); class(err) != checks.ProtocolError {
			t.Errorf("got %v, want protocol_error", err)
		}
		c.Renew()
	}
	if err := c.Skip(1); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}

func TestBytesAheadOfTLS(t *testing.T) {
	c := talk(t, "220 go\r\n250 injected\r\n")
	if err := c.Quiet(); err != nil {
		t.Errorf("before anything was read: %v", err)
	}
	if _, err := c.Line(); err != nil {
		t.Fatal(err)
	}
	if err := c.Quiet(); class(err) != checks.ProtocolError {
		t.Errorf("got %v, want protocol_error", err)
	}
	near, far := net.Pipe()
	go func() { _, _ = io.WriteString(far, "250 real\r\n"); _ = far.Close() }()
	c.Continue(near)
	if got, err := c.Line(); got != "250 real" || err != nil {
		t.Errorf("after TLS: %q, %v, want nothing from before", got, err)
	}
}

func TestSayRefusesLineBreaks(t *testing.T) {
	if err := talk(t, "").Say("NOOP\r\nQUIT"); class(err) != checks.OwnError {
		t.Errorf("got %v, want own_error", err)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\r\nb\n\x00", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		c := talk(t, text)
		taken := 0
		for range 100 {
			line, err := c.Line()
			if err != nil {
				break
			}
			if taken += len(line) + 1; strings.Contains(line, "\n") || len(line) >= dialogue.LineMax || taken > dialogue.TotalMax {
				t.Fatalf("line of %d bytes, %d in all", len(line), taken)
			}
		}
		if got, err := c.Literal(n); err == nil && len(got) != n {
			t.Errorf("literal of %d bytes, want %d", len(got), n)
		}
		_ = c.Skip(n) // must return
	})
}
