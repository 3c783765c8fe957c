package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"varde/proto/wire"
)

// reachWithin bounds dial and handshake with another probe, at each of its
// addresses: whoever looks for help has others to ask.
const reachWithin = 5 * time.Second

// Remote is another probe and where it may listen, IP:port, the best one first.
type Remote struct {
	Name      string
	Addresses []string
}

// Refusal is a no of another probe.
type Refusal struct {
	// Peer is its name, Reason in its words.
	Peer, Reason string
}

// Error names the probe and gives its reason.
func (r *Refusal) Error() string { return fmt.Sprintf("%s refuses: %s", r.Peer, r.Reason) }

// Unreachable says that a probe could not be asked. Any other error but a
// Refusal is about what it answered.
type Unreachable struct {
	// Peer is its name.
	Peer string
	Err  error
}

// Error names the probe.
func (u *Unreachable) Error() string { return fmt.Sprintf("%s is not reached: %v", u.Peer, u.Err) }

// Unwrap returns the cause.
func (u *Unreachable) Unwrap() error { return u.Err }

// Plan asks another probe for a plan that is larger than a number, and returns
// nil if it has none. Nothing of the plan is verified.
func (p *Peer) Plan(ctx context.Context, r Remote, after wire.PlanNumber) (*wire.SignedPlan, error) {
	_, answer, err := p.ask(ctx, r, answerWithin, wire.PeerRequest{After: after})
	return answer.Plan, err
}

// Through opens a stream to a coordinator, through another probe. What goes over
// it must be of a kind that the other can neither read nor alter.
func (p *Peer) Through(ctx context.Context, r Remote, coordinator string) (net.Conn, error) {
	conn, _, err := p.ask(ctx, r, 2*dialWithin, wire.PeerRequest{Coordinator: coordinator})
	if err != nil {
		return nil, err // a nil *tls.Conn would be a connection that is there
	}
	return conn, nil
}

// ask makes one request and returns its answer, and the connection if it was for
// one.
func (p *Peer) ask(ctx context.Context, r Remote, within time.Duration, request wire.PeerRequest) (*tls.Conn, wire.PeerResponse, error) {
	conn, err := p.reach(ctx, r)
	if err != nil {
		return nil, wire.PeerResponse{}, &Unreachable{r.Name, err}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	answer, err := exchange(conn, within, request)
	if !stop() {
		err = context.Cause(ctx)
	}
	_, lost := errors.AsType[net.Error](err)
	switch {
	case lost || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil:
		err = &Unreachable{r.Name, err}
	case err != nil:
		err = fmt.Errorf("answer of %s: %w", r.Name, err)
	case answer.Refusal != "":
		err = &Refusal{r.Name, answer.Refusal}
	}
	if err != nil || request.Coordinator == "" {
		_ = conn.Close() // what it was for is done
		conn = nil
	}
	return conn, answer, err
}

func exchange(conn net.Conn, within time.Duration, request wire.PeerRequest) (wire.PeerResponse, error) {
	err := conn.SetDeadline(time.Now().Add(within))
	if err != nil {
		return wire.PeerResponse{}, err
	}
	if err := wire.WritePeerRequest(conn, request); err != nil {
		return wire.PeerResponse{}, err
	}
	answer, err := wire.ReadPeerResponse(conn)
	return answer, errors.Join(err, conn.SetDeadline(time.Time{}))
}

// reach connects to whoever holds the certificate of r at one of its addresses.
func (p *Peer) reach(ctx context.Context, r Remote) (*tls.Conn, error) {
	if len(r.Addresses) == 0 {
		return nil, errors.New("no address is known")
	}
	var errs []error
	for _, address := range r.Addresses {
		conn, err := p.reachAt(ctx, r.Name, address)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", address, err))
	}
	return nil, errors.Join(errs...)
}

func (p *Peer) reachAt(ctx context.Context, name, address string) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, reachWithin, fmt.Errorf("no answer within %s", reachWithin))
	defer cancel()
	raw, err := p.opt.Network.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, p.handshakeConfig(func(e wire.RosterEntry) error {
		if e.Name != name {
			return fmt.Errorf("is %s, expected %s", e.Name, name)
		}
		return nil
	}))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}
