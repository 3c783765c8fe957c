package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// dialled is an error as the net package wraps what connect(2) said.
func dialled(errno syscall.Errno) error {
	return &net.OpError{Op: "dial", Net: "tcp4", Err: os.NewSyscallError("connect", errno)}
}

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		phase Phase
		err   error
		want  Class
	}{
		{Resolve, &net.DNSError{Err: "server misbehaving"}, DNSError},
		{Resolve, errors.New("anything"), DNSError},
		{Connect, dialled(syscall.ECONNREFUSED), ConnectRefused},
		{Connect, dialled(syscall.ECONNRESET), ConnectReset},
		{Connect, dialled(syscall.ENETUNREACH), Unreachable},
		{Connect, dialled(syscall.EHOSTUNREACH), Unreachable},
		{Connect, dialled(syscall.EACCES), Unreachable},
		{Connect, dialled(syscall.EADDRNOTAVAIL), OwnError},
		{Connect, dialled(syscall.ENETDOWN), OwnNetwork},
		{Connect, dialled(syscall.ENFILE), OwnError},
		{Connect, dialled(syscall.ENOBUFS), OwnError},
		{Connect, dialled(syscall.EPERM), OwnError},
		{Connect, dialled(syscall.EMFILE), OwnError},
		{Connect, errors.New("no descriptor"), OwnError},
		{TLS, io.EOF, Closed},
		{TLS, fmt.Errorf("read: %w", syscall.ECONNRESET), Closed},
		{TLS, tls.RecordHeaderError{Msg: "x"}, TLSError},
		{TLS, tls.AlertError(40), TLSError},
		{TLS, errors.New("tls: server selected something odd"), TLSError},
		{Auth, io.ErrUnexpectedEOF, Closed},
		{Auth, &net.OpError{Op: "read", Err: net.ErrClosed}, Closed},
		{Auth, &net.OpError{Op: "write", Err: syscall.EPIPE}, Closed},
		{Auth, &net.OpError{Op: "read", Err: syscall.EHOSTUNREACH}, Closed},
		{Auth, &net.OpError{Op: "read", Err: syscall.ENETDOWN}, OwnNetwork},
		{Auth, &net.OpError{Op: "write", Err: syscall.ENOBUFS}, OwnError},
		{Auth, errors.New("malformed"), ProtocolError},
		{Auth, fmt.Errorf("wrapped: %w", Fail(Busy, "later")), Busy},
	} {
		if got, detail := classify(tt.phase, tt.err); got != tt.want || detail == "" {
			t.Errorf("%v in %s: got %s (%q), want %s", tt.err, tt.phase, got, detail, tt.want)
		}
	}
}

func TestIsTimeout(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{os.ErrDeadlineExceeded, true},
		{context.DeadlineExceeded, true},
		{dialled(syscall.ETIMEDOUT), true}, // the kernel gave up first
		{&net.DNSError{IsTimeout: true}, true},
		{&net.DNSError{IsTemporary: true}, false},
		{context.Canceled, false},
		{io.EOF, false},
	} {
		if got := isTimeout(tt.err); got != tt.want {
			t.Errorf("%v: got %v", tt.err, got)
		}
	}
}

func TestCertificateThatGoBlamesOnSomethingElse(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	for _, tt := range []struct {
		err  error
		want Class
	}{
		{x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired}, CertExpired}, // an intermediate
		{x509.CertificateInvalidError{Cert: leaf, Reason: x509.TooManyIntermediates}, CertUntrusted},
		{x509.HostnameError{Certificate: leaf, Host: "x"}, CertName},
		{x509.SystemRootsError{}, CertUntrusted},
	} {
		v := &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{leaf}, Err: tt.err}
		if got, _ := certificateClass(v, now); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.err, got, tt.want)
		}
		v.UnverifiedCertificates = nil
		if got, _ := certificateClass(v, now); got != CertUntrusted {
			t.Errorf("%v without certificates: got %s", tt.err, got)
		}
	}
}

// A server may take a client for gone that slept. What was answered stands.
func TestFailureOfAMachineThatSleptIsOurs(t *testing.T) {
	for _, tt := range []struct {
		err    error
		asleep time.Duration
		want   Class
	}{
		{Fail(Closed, "x"), time.Second, Closed},
		{Fail(Closed, "x"), time.Second + 1, OwnLate},
		{Fail(Closed, "x"), -time.Hour, Closed}, // the clock was set back
		{Fail(AuthRejected, "x"), time.Hour, AuthRejected},
		{nil, time.Hour, ""},
	} {
		if got := (&Recorder{}).finish(tt.err, tt.asleep); got.Class != tt.want || got.Outcome != tt.want.Outcome() {
			t.Errorf("%v, asleep for %s: got %+v, want %q", tt.err, tt.asleep, got, tt.want)
		}
	}
}

func TestEveryPhaseHasItsTimeout(t *testing.T) {
	for p, want := range map[Phase]Class{
		Resolve: DNSTimeout, Connect: ConnectTimeout, TLS: TLSTimeout, Greeting: GreetingTimeout, StartTLS: CommandTimeout,
		Capability: CommandTimeout, Auth: AuthTimeout, Select: CommandTimeout, Request: CommandTimeout,
		FirstByte: CommandTimeout, Body: CommandTimeout, Logout: CommandTimeout,
	} {
		if got := timeoutClass(p); got != want || awaited(p) == "" {
			t.Errorf("%s: got %s, want %s", p, got, want)
		}
	}
}
