package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// callWithin bounds one call to one coordinator, in which a certificate is
// signed and a record put on disk.
const callWithin = 20 * time.Second

// EnrolOptions says how to reach the coordinators of a token.
type EnrolOptions struct {
	// Token is what the operator pasted.
	Token wire.Token
	// TLS is the client's side of a handshake with an address; it must verify
	// that the CA of the token signed the coordinator's certificate. Required.
	TLS func(address string) *tls.Config
	// Dial opens a stream to host:port; a net.Dialer if nil.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Enrol redeems the token at the first of its coordinators that answers: it
// fills the token into the request. The answer no is a *Refusal; then no other
// coordinator is asked.
func Enrol(ctx context.Context, o EnrolOptions, r wire.EnrolRequest) (wire.Enrolment, error) {
	if o.Dial == nil {
		o.Dial = dialTCP
	}
	r.TokenID, r.Secret = o.Token.ID, o.Token.Secret
	var e wire.Enrolment
	err := ask(ctx, o.Dial, o.TLS, o.Token.Coordinators, func(ctx context.Context, conn *grpc.ClientConn) error {
		m, err := vardev1.NewEnrolmentServiceClient(conn).Enrol(ctx, wire.EnrolRequestToProto(r))
		if err != nil {
			return err
		}
		if e, err = wire.EnrolmentFromProto(m); err != nil {
			return fmt.Errorf("answer of coordinator: %w", err)
		}
		return nil
	})
	return e, err
}

// Renew has the next certificate issued (DER, leaf first) for a PKCS #10
// request. It needs no running uplink, because an expired certificate is good
// for this and for nothing else.
func (u *Uplink) Renew(ctx context.Context, csrDER []byte) (chain [][]byte, err error) {
	addresses := u.opts.Coordinators()
	if len(addresses) == 0 {
		return nil, errNoCoordinators
	}
	renew := func(ctx context.Context, conn *grpc.ClientConn) error {
		m, err := vardev1.NewFleetServiceClient(conn).Renew(ctx, &vardev1.RenewRequest{CertificateRequest: csrDER})
		chain = m.GetCertificateChain()
		if err == nil && len(chain) == 0 {
			err = errors.New("answer of coordinator holds no certificate")
		}
		return err
	}
	config := func(string) *tls.Config { return u.opts.TLS() }
	err = ask(ctx, u.opts.Dial, config, addresses, renew)
	for _, r := range u.opts.Relays() {
		if _, no := errors.AsType[*Refusal](err); err == nil || no || ctx.Err() != nil {
			break
		}
		if rerr := ask(ctx, r.Dial, config, addresses, renew); rerr == nil {
			return chain, nil
		}
	}
	return chain, err
}

// call is one question to one coordinator.
type call func(ctx context.Context, conn *grpc.ClientConn) error

// ask makes one call to the first coordinator that answers.
func ask(ctx context.Context, dial dialer, config func(address string) *tls.Config, addresses []string, call call) error {
	var errs []error
	for _, a := range addresses {
		err := askOne(ctx, dial, config(a), a, call)
		var no *Refusal
		switch {
		case err == nil:
			return nil
		case errors.As(err, &no):
			return fmt.Errorf("%s: %w", a, no)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		errs = append(errs, err)
	}
	return noAnswer(addresses, errs)
}

func askOne(ctx context.Context, dial dialer, config *tls.Config, address string, call call) error {
	conn, err := connect(ctx, dial, config, address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, callWithin, fmt.Errorf("no answer within %s", callWithin))
	defer cancel()
	err = call(ctx, conn.ClientConn)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return errors.Join(conn.explain(err), conn.Close())
}
