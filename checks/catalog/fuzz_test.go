package catalog_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"
	"unicode/utf8"

	"varde/checks"
	ct "varde/checks/checktest"
)

// FuzzServer lets a server say anything, cut into pieces anywhere, to every
// kind that greets without TLS. An attempt must end in time with a result that
// holds together.
func FuzzServer(f *testing.F) {
	for _, s := range []string{
		"220 hi\r\n|250 STARTTLS\r\n|220 go\r\n|\x16\x03\x01", "220-a\r\n220 b\r\n|250-x\r\n250 y\r\n|221 bye\r\n",
		"* OK hi\r\n|* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK x\r\n|a2 OK go\r\n|\x15\x03\x03\x00\x02\x02\x28",
		"+OK hi\r\n|+OK\r\nSTLS\r\n.\r\n|+OK go\r\n|\x16\x03\x01", "+OK\r\n|-ERR\r\n|-ERR [SYS/TEMP] x\r\n",
		"* BYE\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"* X {70000}\r\n", "||||",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		for url, port := range map[string]string{"smtp://": ":25", "imap://": ":143", "pop3://": ":110", "http://": ":80"} {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				ct.Serve(t, lab.Listen(t, port), func(_ context.Context, conn net.Conn) { answer(conn, script) })
				r := build(t, url+ct.LabName, lab.Env()).Attempt(t.Context(), checks.IPv4)
				sound(t, r)
			})
		}
	})
}

// answer says one piece, then one more for everything it hears.
func answer(conn net.Conn, script string) {
	heard := make([]byte, 4<<10)
	for piece := range strings.SplitSeq(script, "|") {
		if _, err := conn.Write([]byte(piece)); err != nil {
			return
		}
		if _, err := conn.Read(heard); err != nil {
			return
		}
	}
}

// sound fails unless the result could be sent to a coordinator.
func sound(t *testing.T, r checks.Result) {
	t.Helper()
	last := r.Phases[len(r.Phases)-1]
	switch {
	case r.Elapsed > checks.DefaultTimeout:
		t.Errorf("took %s", r.Elapsed)
	case r.Outcome != r.Class.Outcome(), (r.Class == "") != (r.FailedPhase == ""):
		t.Errorf("outcome %s, class %q, phase %q", r.Outcome, r.Class, r.FailedPhase)
	case r.FailedPhase != "" && r.FailedPhase != last.Name:
		t.Errorf("failed in %s, last phase %s", r.FailedPhase, last.Name)
	case utf8.RuneCountInString(r.Detail) > checks.DetailMax, strings.ContainsFunc(r.Detail, unprintable):
		t.Errorf("detail %q", r.Detail)
	}
	seen := make(map[checks.Phase]bool)
	for _, p := range r.Phases {
		if seen[p.Name] {
			t.Errorf("phase %s twice in %v", p.Name, r.Phases)
		}
		seen[p.Name] = true
	}
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
