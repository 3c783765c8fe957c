package checks

import (
	"fmt"
	"slices"
)

// Outcome is what one attempt says of its target.
type Outcome uint8

// The outcomes. Unknown is the zero value and claims nothing.
const (
	Unknown Outcome = iota
	Up
	Down
)

var outcomeNames = [...]string{Unknown: "unknown", Up: "up", Down: "down"}

// String returns "unknown", "up" or "down".
func (o Outcome) String() string { return name(outcomeNames[:], o) }

// MarshalText writes the outcome as in JSON.
func (o Outcome) MarshalText() ([]byte, error) { return marshal(outcomeNames[:], o) }

// UnmarshalText reads what MarshalText writes and refuses anything else.
func (o *Outcome) UnmarshalText(b []byte) error { return unmarshal("outcome", outcomeNames[:], o, b) }

// Family is the address family of an attempt. There is no "either": an attempt
// that may choose (RFC 8305) would hide a dead family.
type Family uint8

// The families. The zero value is none and cannot be dialled.
const (
	NoFamily Family = iota
	IPv4
	IPv6
)

var familyNames = [...]string{NoFamily: "", IPv4: "ipv4", IPv6: "ipv6"}

// String returns "ipv4", "ipv6", or "" for none.
func (f Family) String() string { return name(familyNames[:], f) }

// Name returns "IPv4", "IPv6", or "no family" for none, as people write it.
func (f Family) Name() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return "no family"
}

// MarshalText writes the family as in JSON and YAML.
func (f Family) MarshalText() ([]byte, error) { return marshal(familyNames[:], f) }

// UnmarshalText reads "ipv4" or "ipv6".
func (f *Family) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("family is empty, expected one of ipv4, ipv6")
	}
	return unmarshal("family", familyNames[:], f, b)
}

// Trigger says why a run was made.
type Trigger uint8

// The triggers. Availability counts only what was scheduled.
const (
	// Scheduled runs come from the clock.
	Scheduled Trigger = iota
	// Confirm runs look again after a failure.
	Confirm
	// Manual runs were asked for by a person.
	Manual
)

var triggerNames = [...]string{Scheduled: "schedule", Confirm: "confirm", Manual: "manual"}

// String returns "schedule", "confirm" or "manual".
func (t Trigger) String() string { return name(triggerNames[:], t) }

// MarshalText writes the trigger as in JSON.
func (t Trigger) MarshalText() ([]byte, error) { return marshal(triggerNames[:], t) }

// UnmarshalText reads what MarshalText writes and refuses anything else.
func (t *Trigger) UnmarshalText(b []byte) error { return unmarshal("trigger", triggerNames[:], t, b) }

// Kind is a protocol that can be checked; the catalog lists those there are.
type Kind string

// The kinds.
const (
	DNS       Kind = "dns"
	HTTPS     Kind = "https"
	IMAP      Kind = "imap"
	POP3      Kind = "pop3"
	RoundTrip Kind = "roundtrip"
	SMTP      Kind = "smtp"
	TCP       Kind = "tcp"
)

// Phase is one step of an attempt.
type Phase string

// The phases, in the order in which a run can meet them.
const (
	Resolve    Phase = "resolve"
	Connect    Phase = "connect"
	TLS        Phase = "tls"
	Greeting   Phase = "greeting"
	StartTLS   Phase = "starttls"
	Capability Phase = "capability"
	Auth       Phase = "auth"
	Select     Phase = "select"
	Request    Phase = "request"
	FirstByte  Phase = "first_byte"
	Body       Phase = "body"
	Submit     Phase = "submit"
	Deliver    Phase = "deliver"
	Logout     Phase = "logout"
)

// Phases returns every phase, in the order in which a run can meet them.
func Phases() []Phase {
	return []Phase{
		Resolve, Connect, TLS, Greeting, StartTLS, Capability, Auth,
		Select, Request, FirstByte, Body, Submit, Deliver, Logout,
	}
}

// Class is the way in which an attempt was not up.
type Class string

// The classes. Time beats cause: what runs into a deadline gets the timeout of
// its phase.
const (
	DNSTimeout      Class = "dns_timeout"
	DNSError        Class = "dns_error"
	ConnectTimeout  Class = "connect_timeout"
	ConnectRefused  Class = "connect_refused"
	ConnectReset    Class = "connect_reset"
	Unreachable     Class = "unreachable"
	TLSTimeout      Class = "tls_timeout"
	TLSError        Class = "tls_error"
	CertExpired     Class = "cert_expired"
	CertName        Class = "cert_name"
	CertUntrusted   Class = "cert_untrusted"
	GreetingTimeout Class = "greeting_timeout"
	GreetingError   Class = "greeting_error"
	Busy            Class = "busy"
	AuthTimeout     Class = "auth_timeout"
	AuthTempfail    Class = "auth_tempfail"
	AuthRejected    Class = "auth_rejected"
	Policy          Class = "policy"
	CommandTimeout  Class = "command_timeout"
	ProtocolError   Class = "protocol_error"
	Closed          Class = "closed"
	HTTPStatus      Class = "http_status"
	BodyMismatch    Class = "body_mismatch"
	Late            Class = "late"
	OwnNetwork      Class = "own_network"
	OwnLate         Class = "own_late"
	OwnError        Class = "own_error"
)

// Classes returns every class.
func Classes() []Class {
	return []Class{
		DNSTimeout, DNSError, ConnectTimeout, ConnectRefused, ConnectReset, Unreachable,
		TLSTimeout, TLSError, CertExpired, CertName, CertUntrusted,
		GreetingTimeout, GreetingError, Busy, AuthTimeout, AuthTempfail, AuthRejected, Policy,
		CommandTimeout, ProtocolError, Closed, HTTPStatus, BodyMismatch, Late,
		OwnNetwork, OwnLate, OwnError,
	}
}

// Outcome is what a class says of the target: Unknown where the fault may be
// ours (a refused login, a server that refuses us, our own network), otherwise
// Down. The empty class is Up.
func (c Class) Outcome() Outcome {
	switch c {
	case "":
		return Up
	case AuthRejected, Policy, OwnNetwork, OwnLate, OwnError:
		return Unknown
	}
	return Down
}

func name[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("invalid(%d)", v)
}

func marshal[T ~uint8](names []string, v T) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, fmt.Errorf("value %d is out of range", v)
	}
	return []byte(names[v]), nil
}

func unmarshal[T ~uint8](what string, names []string, v *T, b []byte) error {
	i := slices.Index(names, string(b))
	if i < 0 {
		return fmt.Errorf("%s %q is not one of %q", what, b, names)
	}
	*v = T(i)
	return nil
}
