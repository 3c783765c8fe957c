// Package mailstack gives tests a real mail system: Dovecot, Postfix and nginx
// on loopback, started by mailstack.sh, with the faults that a provider can
// have.
//
//   - A test that needs a server which is not installed is skipped and says
//     which; if VARDE_REQUIRE lists the server, it fails instead.
//   - Everything stops at the end of the test, and also when the test's process
//     dies.
//   - Nothing outside one temporary folder is touched.
package mailstack

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed mailstack.sh
var script []byte

// Server is one of the three.
type Server string

// The servers, by the names that VARDE_REQUIRE uses.
const (
	Dovecot Server = "dovecot"
	Postfix Server = "postfix"
	Nginx   Server = "nginx"
)

// Certificate is what a server shows.
type Certificate string

// The certificates. Only Good is one that a client with the stack's CA accepts
// for the host that the addresses name.
const (
	Good      Certificate = "good"
	Expired   Certificate = "expired"
	WrongName Certificate = "name"
	Untrusted Certificate = "untrusted"
)

// Stack is a running mail system.
type Stack struct {
	// IMAP and the others are addresses, host:port. IMAP, POP3, Submission and
	// SMTP offer STARTTLS; IMAPS, POP3S, SMTPS and HTTPS begin with TLS.
	IMAP, IMAPS, POP3, POP3S, Submission, SMTPS, SMTP, HTTPS, HTTP string
	// User can log in with the password that stands in PasswordFile, or with the
	// bearer token in TokenFile.
	User, PasswordFile, TokenFile string
	// CA is the file of the authority that signed Good.
	CA string

	t      testing.TB
	dir    string
	script string
}

// portCount is how many ports in a row the script binds.
const portCount = 9

// startTimeout bounds one call of the script; a start takes about a second.
const startTimeout = time.Minute

// Start starts the three servers for the length of the test, or skips it.
func Start(t testing.TB) *Stack {
	t.Helper()
	for _, s := range []Server{Dovecot, Postfix, Nginx} {
		Need(t, string(s), installed(string(s)))
	}
	if os.Getuid() != 0 {
		Need(t, string(Postfix), fmt.Errorf("its master process needs root"))
	}
	dir, err := os.MkdirTemp("", "mailstack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	// Dovecot runs as its own user and must get through.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &Stack{t: t, dir: filepath.Join(dir, "run"), script: filepath.Join(dir, "mailstack.sh")}
	if err := os.WriteFile(s.script, script, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.call("stop") })
	s.read(s.call("start", strconv.Itoa(freePorts(t))))
	return s
}

// Need skips the test when err says why something is missing, and fails it when
// VARDE_REQUIRE, a list with commas, names that thing.
func Need(t testing.TB, name string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("VARDE_REQUIRE"), ","), name):
		t.Fatalf("%s is required and missing: %v", name, err)
	default:
		t.Skipf("needs %s: %v (deploy/testservers/install.sh installs it)", name, err)
	}
}

// installed looks where daemons are, which is not in every PATH.
func installed(program string) error {
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join("/usr/sbin", program)); err != nil {
		return fmt.Errorf("no program %s", program)
	}
	return nil
}

// freePorts returns the first of portCount free ports in a row, below those
// that the kernel hands out by itself. Its guard, the port behind them, stays
// taken until the test ends: between the look and the servers' start nobody
// else, in this process or in another, may find the same ports free.
func freePorts(t testing.TB) int {
	t.Helper()
	const stride = portCount + 1
	for first := 20000 + os.Getpid()%1000*stride; first < 32000; first += stride {
		guard, err := net.Listen("tcp", loopback(first+portCount))
		if err != nil {
			continue
		}
		if free(first) {
			t.Cleanup(func() { guard.Close() })
			return first
		}
		guard.Close()
	}
	t.Fatalf("no %d free ports in a row", portCount)
	return 0
}

func free(first int) bool {
	for port := first; port < first+portCount; port++ {
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return false
		}
		if l.Close() != nil {
			return false
		}
	}
	return true
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// call runs the script and returns what it printed.
func (s *Stack) call(command string, args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.script, append([]string{command, s.dir}, args...)...)
	cmd.Env = append(os.Environ(), "MAILSTACK_OWNER="+strconv.Itoa(os.Getpid()))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("mailstack.sh %s %s: %v\n%s", command, strings.Join(args, " "), err, errs.String())
	}
	return string(out)
}

func (s *Stack) read(started string) {
	s.t.Helper()
	fields := map[string]*string{
		"IMAP": &s.IMAP, "IMAPS": &s.IMAPS, "SUBMISSION": &s.Submission, "SMTPS": &s.SMTPS, "SMTP": &s.SMTP,
		"POP3": &s.POP3, "POP3S": &s.POP3S, "TOKEN_FILE": &s.TokenFile, "HTTPS": &s.HTTPS, "HTTP": &s.HTTP, "USER": &s.User, "PASSWORD_FILE": &s.PasswordFile, "CA": &s.CA,
	}
	for line := range strings.Lines(started) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if field, known := fields[key]; known {
			*field = value
		}
	}
	for key, field := range fields {
		if *field == "" {
			s.t.Fatalf("mailstack.sh start did not say %s:\n%s", key, started)
		}
	}
}

// In returns the same stack, which fails t when a call fails: a subtest must not
// fail its parent.
func (s *Stack) In(t testing.TB) *Stack {
	inner := *s
	inner.t = t
	return &inner
}

// Freeze makes a server accept connections and say nothing more (SIGSTOP).
func (s *Stack) Freeze(server Server) { s.t.Helper(); s.call("freeze", string(server)) }

// Thaw undoes Freeze.
func (s *Stack) Thaw(server Server) { s.t.Helper(); s.call("thaw", string(server)) }

// Kill ends a server without warning; its ports refuse from then on.
func (s *Stack) Kill(server Server) { s.t.Helper(); s.call("kill", string(server)) }

// Up starts a server again that was killed.
func (s *Stack) Up(server Server) { s.t.Helper(); s.call("up", string(server)) }

// Show restarts a server with another certificate.
func (s *Stack) Show(server Server, c Certificate) {
	s.t.Helper()
	s.call("cert", string(server), string(c))
}

// ChangePassword gives the account another password than PasswordFile has.
func (s *Stack) ChangePassword() { s.t.Helper(); s.call("account", "changed") }

// RestorePassword undoes ChangePassword.
func (s *Stack) RestorePassword() { s.t.Helper(); s.call("account", "good") }

// Unavailable makes nginx answer everything with 503, or no longer.
func (s *Stack) Unavailable(yes bool) {
	s.t.Helper()
	if yes {
		s.call("http", "unavailable")
		return
	}
	s.call("http", "ok")
}

// Fate is what becomes of a mail that the servers took.
type Fate string

// The fates.
const (
	// Delivered mails are in the account's INBOX at once, and copies of them, as
	// of what a sender keeps, in Sent. What was held before is delivered too.
	Delivered Fate = "deliver"
	// Held mails stay in the queue.
	Held Fate = "hold"
	// Discarded mails are lost without a word.
	Discarded Fate = "discard"
	// Junked mails are delivered to the account's mailbox Junk.
	Junked Fate = "junk"
)

// Mail says what becomes of the test mails that are submitted from now on: those
// of the named probes, or all if none is named.
func (s *Stack) Mail(f Fate, probes ...string) {
	s.t.Helper()
	s.call("mail", append([]string{string(f)}, probes...)...)
}

// Holding counts the messages in the account's mailbox INBOX, Junk or Sent that
// hold some words.
func (s *Stack) Holding(mailbox, words string) (n int) {
	s.t.Helper()
	maildir := filepath.Join(s.dir, "dovecot/mail", s.User)
	if mailbox != "INBOX" {
		maildir = filepath.Join(maildir, "."+mailbox)
	}
	files, err := filepath.Glob(filepath.Join(maildir, "[cn][ue][rw]", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // it is read, moved and removed meanwhile
			s.t.Fatal(err)
		}
		if err == nil && bytes.Contains(text, []byte(words)) {
			n++
		}
	}
	return n
}
