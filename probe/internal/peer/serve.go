package peer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"varde/proto/wire"
)

const (
	// maxVisitors is how many connections may be without a request. One more
	// ends the oldest, so that nobody keeps others out by doing nothing.
	maxVisitors = 32
	// askWithin bounds handshake and request together.
	askWithin = 10 * time.Second
	// maxAnswers is how many plans are handed out at a time, and answerWithin
	// bounds each: the largest takes 16 s when nothing else goes through.
	maxAnswers   = 4
	answerWithin = time.Minute
	// acceptAgain is how long to wait when a connection cannot be taken, because
	// the process has too many files open.
	acceptAgain = time.Second
)

// Run listens for other probes until ctx ends, then ends all that it does for
// them and returns nil. It fails when it cannot listen, or no more.
func (p *Peer) Run(ctx context.Context) error {
	l, err := p.opt.Network.Listen("tcp", p.opt.Bind)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	if at, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
		p.setPort(at.Port())
		defer p.setPort(0)
	}
	p.opt.Logger.Info("listening for other probes", "address", l.Addr().String())
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case err == nil:
			wg.Go(func() { p.serve(ctx, conn) })
			continue
		}
		p.opt.Logger.Debug("take connection", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(acceptAgain):
		}
	}
}

func (p *Peer) setPort(port uint16) {
	p.mu.Lock()
	p.port = port
	p.mu.Unlock()
	p.opt.Changed()
}

// serve does one thing for one visitor.
func (p *Peer) serve(ctx context.Context, raw net.Conn) {
	defer func() { _ = raw.Close() }()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	p.admit(raw)
	who, conn, request, err := p.greet(ctx, raw)
	p.dismiss(raw)
	log := p.opt.Logger.With("from", raw.RemoteAddr().String(), "probe", who.Name)
	if err != nil {
		log.Debug("visitor is turned away", "error", err)
		return
	}
	if request.Coordinator != "" {
		err = p.passOn(ctx, who, conn, request.Coordinator)
	} else {
		err = p.handOut(ctx, conn, request.After)
	}
	if err != nil {
		log.Debug("another probe was not helped", "error", err)
	}
	_ = conn.Close()
}

// greet finds out who a visitor is and what it asks for, for askWithin in all.
func (p *Peer) greet(ctx context.Context, raw net.Conn) (who wire.RosterEntry, conn *tls.Conn, r wire.PeerRequest, err error) {
	if err = raw.SetDeadline(time.Now().Add(askWithin)); err != nil {
		return who, nil, r, err
	}
	conn = tls.Server(raw, p.handshakeConfig(func(e wire.RosterEntry) error {
		who = e
		return nil
	}))
	if err = conn.HandshakeContext(ctx); err != nil {
		return who, nil, r, err
	}
	if r, err = wire.ReadPeerRequest(conn); err != nil {
		return who, nil, r, err
	}
	return who, conn, r, raw.SetDeadline(time.Time{})
}

// admit takes in one more visitor, in the place of the oldest if there are many.
func (p *Peer) admit(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.visitors) >= maxVisitors {
		_ = p.visitors[0].Close()
		p.visitors = slices.Delete(p.visitors, 0, 1)
	}
	p.visitors = append(p.visitors, conn)
}

func (p *Peer) dismiss(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.visitors = slices.DeleteFunc(p.visitors, func(c net.Conn) bool { return c == conn })
}

// refuse says why not.
func refuse(conn net.Conn, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	if err := conn.SetDeadline(time.Now().Add(askWithin)); err != nil {
		return err
	}
	if err := wire.WritePeerResponse(conn, wire.PeerResponse{Refusal: reason}); err != nil {
		return err
	}
	return fmt.Errorf("refused: %s", reason)
}

// handOut answers with the plan, if there is a larger one.
func (p *Peer) handOut(ctx context.Context, conn net.Conn, after wire.PlanNumber) error {
	select {
	case p.answers <- struct{}{}:
		defer func() { <-p.answers }()
	default:
		return refuse(conn, "%d others get a plan now", maxAnswers)
	}
	if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	var r wire.PeerResponse
	if signed, ok := p.opt.Plans.Newer(after); ok {
		r.Plan = &signed
	}
	return wire.WritePeerResponse(throttled{ctx, conn, p.down}, r)
}

// throttled writes no faster than limit.
type throttled struct {
	ctx   context.Context
	to    io.Writer
	limit *rate.Limiter
}

// Write writes all of b, in its time.
func (t throttled) Write(b []byte) (n int, err error) {
	for part := range slices.Chunk(b, chunk) {
		if err := t.limit.WaitN(t.ctx, len(part)); err != nil {
			return n, err
		}
		m, err := t.to.Write(part)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
