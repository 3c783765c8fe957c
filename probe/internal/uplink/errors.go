package uplink

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Refusal is a definite no of a coordinator: trying again, or another one, will
// not help.
type Refusal struct {
	// Reason is in the coordinator's words.
	Reason string
	// Removed is true when the coordinator knows no probe of this certificate
	// (any more).
	Removed bool
}

// Error returns the reason.
func (r *Refusal) Error() string { return "coordinator refuses: " + r.Reason }

// explain says in words what gRPC says in codes, and what it does not say.
func (c *connection) explain(err error) error {
	var s interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &s) {
		return err
	}
	switch st := s.GRPCStatus(); st.Code() {
	case codes.PermissionDenied:
		return &Refusal{Reason: st.Message(), Removed: true}
	case codes.Unauthenticated, codes.InvalidArgument, codes.ResourceExhausted, codes.Unimplemented:
		return &Refusal{Reason: st.Message()}
	default:
		alert, failed := c.line.cause()
		if alert != nil {
			return alert
		}
		if failed != nil && strings.Contains(st.Message(), errGone.Error()) {
			return fmt.Errorf("connection ended: %w", failed)
		}
		return fmt.Errorf("connection ended: %s", st.Message())
	}
}

// reason is the innermost cause of a failed connection, without the address and
// the system call that callers name themselves.
func reason(err error) string {
	var dns *net.DNSError
	var sys *os.SyscallError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return dns.Err
	case errors.As(err, &sys):
		return sys.Err.Error()
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}

// noAnswer says of all coordinators at once that none answers, and why.
func noAnswer(addresses []string, errs []error) error {
	var reasons []string
	same := true
	for i, err := range errs {
		r := reason(err)
		same = same && (i == 0 || r == reason(errs[0]))
		reasons = append(reasons, addresses[i]+": "+r)
	}
	if same {
		return fmt.Errorf("no coordinator answers at %s: %s", strings.Join(addresses, ", "), reason(errs[0]))
	}
	return fmt.Errorf("no coordinator answers at %s", strings.Join(reasons, "; "))
}
