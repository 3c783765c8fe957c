package checks

import "time"

// The longest that each phase may take; the deadline of the attempt may be
// earlier. Users wait far less than the protocols allow (RFC 5321 4.5.3.2 has
// five minutes for a greeting).
const (
	resolveLimit  = 3 * time.Second
	connectLimit  = 4 * time.Second
	tlsLimit      = 5 * time.Second
	GreetingLimit = 5 * time.Second
	// MXGreetingLimit is that of port 25, where servers let a stranger wait on
	// purpose (Postfix's postscreen: 6 s).
	MXGreetingLimit = 8 * time.Second
	// CommandLimit is for STARTTLS, capability, select, request and body.
	CommandLimit = 5 * time.Second
	// AuthLimit is longer: a server may delay every login that an address
	// makes after a refused one (Dovecot: 2 s, then 4, 8, 15).
	AuthLimit      = 10 * time.Second
	FirstByteLimit = 5 * time.Second
	// LogoutLimit is short, since by then everything asked was answered.
	LogoutLimit = time.Second
)

// What a machine that is starved, stopped or suspended may miss before a failure
// that it saw says nothing of the server.
const (
	// maxLate is how long after a deadline it may be found to have passed.
	maxLate = 250 * time.Millisecond
	// maxAsleep is how far the two clocks may part during one attempt.
	maxAsleep = time.Second
)

// The most bytes that one attempt takes from a server, TLS records included,
// and the most that it sends.
const (
	ReadMax = 512 << 10
	SendMax = 64 << 10
)

// handshakeMax is the most that a handshake takes, in bytes: a certificate for a
// great many names takes ten times its size when it is read.
const handshakeMax = 64 << 10

// timeoutClass is the class of a phase that ran into its deadline.
func timeoutClass(p Phase) Class {
	switch p {
	case Resolve:
		return DNSTimeout
	case Connect:
		return ConnectTimeout
	case TLS:
		return TLSTimeout
	case Greeting:
		return GreetingTimeout
	case Auth:
		return AuthTimeout
	case Deliver:
		return Late
	}
	return CommandTimeout
}

// awaited is what a phase waits for, in words.
func awaited(p Phase) string {
	switch p {
	case Resolve:
		return "answer from the resolver"
	case Connect:
		return "answer to the connection request"
	case TLS:
		return "ServerHello"
	case Greeting:
		return "greeting"
	case StartTLS:
		return "answer to STARTTLS"
	case Capability:
		return "list of capabilities"
	case Auth:
		return "answer to the login"
	case Select:
		return "answer to opening the mailbox"
	case Deliver:
		return "mail"
	case Logout:
		return "farewell"
	}
	return "answer to the request"
}
