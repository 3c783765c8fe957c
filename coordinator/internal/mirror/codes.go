package mirror

import (
	"slices"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// classes are the classes in the order of their codes, which begin at 1; 0 is none. A
// code is in other people's databases: the list only grows at its end.
func classes() []checks.Class {
	return []checks.Class{
		checks.DNSTimeout, checks.DNSError, checks.ConnectTimeout, checks.ConnectRefused, checks.ConnectReset, checks.Unreachable,
		checks.TLSTimeout, checks.TLSError, checks.CertExpired, checks.CertName, checks.CertUntrusted,
		checks.GreetingTimeout, checks.GreetingError, checks.Busy, checks.AuthTimeout, checks.AuthTempfail,
		checks.AuthRejected, checks.Policy, checks.CommandTimeout, checks.ProtocolError, checks.Closed,
		checks.HTTPStatus, checks.BodyMismatch, checks.Late, checks.OwnNetwork, checks.OwnLate, checks.OwnError,
	}
}

// phases are the phases in the order of their codes, as classes are.
func phases() []checks.Phase {
	return []checks.Phase{
		checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.StartTLS, checks.Capability, checks.Auth,
		checks.Select, checks.Request, checks.FirstByte, checks.Body, checks.Submit, checks.Deliver, checks.Logout,
	}
}

// unlisted is the code of what has none in the list.
const unlisted = -1

// codes are those of a list; what is empty has 0.
type codes[T ~string] map[T]int64

func codesOf[T ~string](list []T) codes[T] {
	out := codes[T]{"": 0}
	for i, x := range list {
		out[x] = int64(i) + 1
	}
	return out
}

func (c codes[T]) of(x T) int64 {
	if code, ok := c[x]; ok {
		return code
	}
	return unlisted
}

// stateCode is the code of a verdict, by gravity as varde_verdict_state has it.
func stateCode(s verdict.State) int64 {
	return int64(slices.Index([]verdict.State{verdict.Unknown, verdict.Up, verdict.Slow, verdict.Intermittent, verdict.Down}, s))
}
