package checks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// A Failure is why an attempt was not up. It is an error so that it can be
// returned from wherever it was seen; it ends in a Result, never in a log.
type Failure struct {
	// Phase is filled in by the recorder.
	Phase Phase
	Class Class
	// Detail is in our words or the server's; the recorder cleans it.
	Detail string
}

// Error returns class and detail.
func (f *Failure) Error() string { return string(f.Class) + ": " + f.Detail }

// Fail returns a *Failure for the recorder to place.
func Fail(class Class, format string, args ...any) error {
	return &Failure{Class: class, Detail: fmt.Sprintf(format, args...)}
}

// classify names an error of a phase that did not run into its deadline.
func classify(p Phase, err error) (Class, string) {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Class, f.Detail
	}
	if class, detail, ok := ownClass(err); ok {
		return class, detail
	}
	switch {
	case p == Resolve:
		return DNSError, resolverWords(err)
	case p == Connect, isConnectError(err):
		return connectClass(err)
	}
	if class, detail, ok := closedClass(err); ok {
		return class, detail
	}
	if p == TLS {
		return handshakeClass(err)
	}
	if words, ok := alert(err); ok {
		return TLSError, "the server ended TLS: " + words
	}
	return ProtocolError, err.Error()
}

func resolverWords(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return strings.TrimSuffix(dns.Name, ".") + ": " + dns.Err
	}
	return err.Error()
}

// ownClass recognises what this machine lacks, whatever it was doing.
func ownClass(err error) (Class, string, bool) {
	errno, ok := errors.AsType[syscall.Errno](err)
	switch {
	case !ok:
		return "", "", false
	case errno == syscall.ENETDOWN: // the interface is
		return OwnNetwork, errno.Error(), true
	case errno == syscall.EADDRNOTAVAIL: // no port is left, or no address of the family
		return OwnError, errno.Error(), true
	}
	return OwnError, errno.Error(), isExhausted(errno)
}

// isExhausted says whether the machine, or the program, is out of something.
func isExhausted(errno syscall.Errno) bool {
	return slices.Contains([]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}, errno)
}

// connectClass names what connect(2) said. An error that is none of the
// network's (a local firewall) is our own.
func connectClass(err error) (Class, string) {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return OwnError, err.Error()
	}
	switch errno {
	case syscall.ECONNREFUSED:
		return ConnectRefused, errno.Error()
	case syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE:
		return ConnectReset, errno.Error()
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.EACCES: // the last where a router prohibits it
		return Unreachable, errno.Error()
	}
	return OwnError, errno.Error()
}

// isConnectError says whether a dial failed that belongs to a later phase, or a
// datagram was answered by the network, which has the words of connect(2) too.
func isConnectError(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || strings.HasPrefix(op.Net, "udp"))
}

// closedClass recognises a stream that has ended under us.
func closedClass(err error) (Class, string, bool) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return Closed, "the server closed the connection", true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return Closed, "the server reset the connection", true
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return Closed, errno.Error(), true
	}
	return "", "", false
}

// isTimeout says whether err is a wait that ran out, whoever's clock it was.
func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
