package checks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Recorder times the phases of one attempt, holds its one connection to its
// one deadline, and gives every failure its phase and class. It belongs to the
// goroutine of the attempt.
type Recorder struct {
	result  Result
	secrets []string

	base    *stream
	conn    net.Conn // base, or TLS over it
	left    *stream  // that was base before
	release func()   // ends the watch over base
	onClose func()

	unanswered Class     // see Unanswered
	progress   *Progress // nil where nobody asks
}

// Record runs one attempt within timeout and the deadline of ctx, whichever is
// first. The attempt runs everything that can fail inside [Recorder.Phase] and
// returns the first failure it meets, nil when the target is up. The
// connection is closed afterwards.
func Record(ctx context.Context, timeout time.Duration, attempt func(context.Context, *Recorder) error) Result {
	r := &Recorder{progress: progressOf(ctx)}
	start := time.Now()
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := attempt(within, r)
	end := time.Now()
	r.result.Elapsed = end.Sub(start)
	r.close()
	return r.finish(err, end.Round(0).Sub(start.Round(0))-r.result.Elapsed)
}

// Hide keeps values out of the result, in every form in which a server could
// repeat them.
func (r *Recorder) Hide(secrets ...string) { r.secrets = append(r.secrets, secrets...) }

// Conn is the connection as it is now: plain after Dial, TLS after Handshake.
func (r *Recorder) Conn() net.Conn { return r.conn }

// Phase runs one step within its limit and times it. A step of a phase that ran
// before continues it. The error is nil or a *Failure with its phase and class;
// what runs into the deadline gets the timeout of its phase, whatever else went
// wrong at that moment, and a deadline that was seen to pass far too late is our
// own fault.
func (r *Recorder) Phase(ctx context.Context, p Phase, limit time.Duration, do func(context.Context) error) error {
	began := time.Now()
	r.progress.begin(p, began)
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := r.arm(within)
	if err == nil {
		err = do(within)
	}
	took := time.Since(began)
	r.add(p, took)
	if deadline, _ := within.Deadline(); err == nil && time.Since(deadline) <= maxLate {
		return nil
	}
	return r.judge(ctx, within, PhaseTiming{p, took}, err)
}

func (r *Recorder) arm(within context.Context) error {
	if err := within.Err(); err != nil {
		return err
	}
	deadline, _ := within.Deadline()
	if !time.Now().Before(deadline) {
		return context.DeadlineExceeded // the timer of within may not have run yet
	}
	if r.base == nil {
		return nil
	}
	return r.base.arm(deadline)
}

// add puts a phase at the end. One that ran before, at another stop of the way,
// is taken from there and goes on here: each stands once, where it last was.
func (r *Recorder) add(p Phase, took time.Duration) {
	if i := slices.IndexFunc(r.result.Phases, func(t PhaseTiming) bool { return t.Name == p }); i >= 0 {
		took += r.result.Phases[i].Duration
		r.result.Phases = slices.Delete(r.result.Phases, i, i+1)
	}
	r.result.Phases = append(r.result.Phases, PhaseTiming{p, took})
}

// Rename gives the phase that ran last another name: the first EHLO belongs to
// STARTTLS as soon as it is known that STARTTLS follows.
func (r *Recorder) Rename(p Phase) {
	if n := len(r.result.Phases); n > 0 {
		r.result.Phases[n-1].Name = p
	}
}

func (r *Recorder) judge(ctx, within context.Context, p PhaseTiming, err error) *Failure {
	deadline, _ := within.Deadline()
	late := time.Since(deadline)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Failure{p.Name, OwnError, fmt.Sprintf("stopped by us: %v", context.Cause(ctx))}
	case late > maxLate: // the answer may have been there in time
		return &Failure{p.Name, OwnLate, fmt.Sprintf("this machine looked %s too late for the %s", late.Round(time.Millisecond), awaited(p.Name))}
	case late >= 0:
		return &Failure{p.Name, r.timeoutClass(p.Name), r.timeoutWords(p.Name, p.Duration-late)}
	case isTimeout(err): // of the system's own: it gave up before us
		return &Failure{p.Name, r.timeoutClass(p.Name), r.timeoutWords(p.Name, p.Duration)}
	}
	class, detail := classify(p.Name, err)
	return &Failure{p.Name, class, detail}
}

// Unanswered names what a request without an answer is called, where that is not
// command_timeout.
func (r *Recorder) Unanswered(c Class) { r.unanswered = c }

func (r *Recorder) timeoutClass(p Phase) Class {
	if p == Request && r.unanswered != "" {
		return r.unanswered
	}
	return timeoutClass(p)
}

// timeoutWords tells silence from a server that was too slow.
func (r *Recorder) timeoutWords(p Phase, limit time.Duration) string {
	limit = max(limit, 0).Round(time.Millisecond)
	var came int64
	if r.base != nil {
		came = r.base.came()
	}
	if came == 0 {
		return fmt.Sprintf("no %s within %s", awaited(p), limit)
	}
	return fmt.Sprintf("%s not complete within %s, %d bytes came", awaited(p), limit, came)
}

// Dial resolves the endpoint's host in one family and connects to the first
// address: phases resolve, unless the host is an address, and connect.
func (r *Recorder) Dial(ctx context.Context, network Network, family Family, e Endpoint) error {
	return r.dial(ctx, network, family, e, Connect, "tcp")
}

// DialDatagram is Dial for a protocol without connections. It sends nothing: the
// socket is a part of phase request, and takes datagrams from this address alone.
func (r *Recorder) DialDatagram(ctx context.Context, network Network, family Family, e Endpoint) error {
	return r.dial(ctx, network, family, e, Request, "udp")
}

func (r *Recorder) dial(ctx context.Context, network Network, family Family, e Endpoint, p Phase, protocol string) error {
	address, err := r.resolve(ctx, network, family, e)
	if err != nil {
		return err
	}
	r.result.Address = address
	return r.open(ctx, network, p, protocol+family.digit())
}

// Redial connects to the address of DialDatagram once more, over a stream that
// takes the place of the socket: a part of phase request.
func (r *Recorder) Redial(ctx context.Context, network Network, family Family) error {
	r.close()
	return r.open(ctx, network, Request, "tcp"+family.digit())
}

// Reconnect leaves the connection and makes another to a port of the same
// address: phase connect. What the attempt takes and sends counts on.
func (r *Recorder) Reconnect(ctx context.Context, network Network, family Family, port uint16) error {
	r.close()
	at, err := netip.ParseAddrPort(r.result.Address)
	if err != nil {
		return err
	}
	r.result.Address = netip.AddrPortFrom(at.Addr(), port).String()
	return r.open(ctx, network, Connect, "tcp"+family.digit())
}

// open makes the connection that the attempt has from here on.
func (r *Recorder) open(ctx context.Context, network Network, p Phase, protocol string) error {
	return r.Phase(ctx, p, connectLimit, func(within context.Context) error {
		conn, err := network.DialContext(within, protocol, r.result.Address)
		if err != nil {
			return err
		}
		r.base = r.left.successor(conn)
		r.base.progress = r.progress
		r.conn = r.base
		r.watch(ctx)
		deadline, _ := within.Deadline()
		return r.base.arm(deadline) // who uses it outside of a phase waits no longer
	})
}

// watch aborts the stream when ctx is cancelled. Its deadline needs no watch:
// every phase arms the stream with it.
func (r *Recorder) watch(ctx context.Context) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		if errors.Is(ctx.Err(), context.Canceled) {
			r.base.abort()
		}
	})
	r.release = func() {
		if !stop() {
			<-done
		}
	}
}

// InMemoryOnly is a connection that has no need of TLS, because it never leaves the
// memory of the program: [Recorder.Secure] leaves it as it is. It is for
// simulations of whole days, of which handshakes would take a fifth; no connection
// of an operating system is one.
type InMemoryOnly interface {
	net.Conn
	// InMemoryOnly does nothing. Nobody has it by accident.
	InMemoryOnly()
}

// Secure makes the connection TLS and verifies the server as t says: phase tls.
func (r *Recorder) Secure(ctx context.Context, t Trust) error {
	one := &trial{Trust: t}
	return r.shake(ctx, one.config(), one.shown, t.Refusal)
}

// Handshake is Secure with a configuration of the caller's, without a memory of
// chains: for a server that is to be believed in another way.
func (r *Recorder) Handshake(ctx context.Context, cfg *tls.Config) error {
	return r.shake(ctx, cfg, shown, func(err error) error { return err })
}

func (r *Recorder) shake(
	ctx context.Context, cfg *tls.Config,
	shown func(tls.ConnectionState) *Handshake, explain func(error) error,
) error {
	return r.Phase(ctx, TLS, tlsLimit, func(context.Context) error {
		if _, ok := r.base.Conn.(InMemoryOnly); ok {
			return nil
		}
		talked := r.base.taken() > 0
		r.base.shake()
		conn := tls.Client(r.base, cfg)
		if err := conn.Handshake(); err != nil {
			r.unbelieved(err)
			if first, ok := errors.AsType[tls.RecordHeaderError](err); ok && first.Conn != nil && talked {
				return Fail(ProtocolError, "words between the answer to STARTTLS and the handshake")
			}
			return explain(err)
		}
		r.result.TLS = shown(conn.ConnectionState())
		r.conn = conn
		return nil
	})
}

// unbelieved keeps what a server showed that was refused for it.
func (r *Recorder) unbelieved(err error) {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		r.result.TLS = shown(tls.ConnectionState{PeerCertificates: v.UnverifiedCertificates})
	}
}

// Present lets a kind keep what the server shows of itself, as much as there is
// room for. Everything in it is cleaned when the attempt ends.
func (r *Recorder) Present(add func(*Presented)) {
	if r.result.Presented == nil {
		r.result.Presented = &Presented{}
	}
	add(r.result.Presented)
	r.result.Presented.bound()
}

// Note adds words to the result of an attempt that is up all the same.
func (r *Recorder) Note(format string, args ...any) {
	r.result.Detail = fmt.Sprintf(format, args...)
}

// BeforeClose has f run just before the connection is closed: when the attempt
// has ended and been timed, or goes on over another one.
func (r *Recorder) BeforeClose(f func()) { r.onClose = f }

func (r *Recorder) close() {
	if r.base == nil {
		return
	}
	if r.onClose != nil {
		r.onClose()
	}
	r.release()
	_ = r.conn.Close() // the answers are in; how the server takes our leaving says nothing
	_ = r.base.Close() // TLS may have left it open
	r.left, r.base, r.conn, r.onClose = r.base, nil, nil, nil
}

// finish makes the result. asleep is how much longer the attempt took by the
// clock on the wall than by the machine's own, which stands still while the
// machine is suspended.
func (r *Recorder) finish(err error, asleep time.Duration) Result {
	if err != nil {
		f, ok := errors.AsType[*Failure](err)
		if !ok {
			f = &Failure{Class: OwnError, Detail: err.Error()}
		}
		if asleep > maxAsleep && f.Class.Outcome() == Down {
			f = &Failure{f.Phase, OwnLate, fmt.Sprintf("this machine stood still for %s meanwhile", asleep.Round(time.Millisecond))}
		}
		r.result.FailedPhase, r.result.Class, r.result.Detail = f.Phase, f.Class, f.Detail
	}
	r.result.Outcome = r.result.Class.Outcome()
	secrets := forms(r.secrets)
	r.result.Detail = clean(r.result.Detail, secrets)
	if p := r.result.Presented; p != nil {
		p.clean(secrets)
	}
	r.result.TLS = r.result.TLS.without(secrets)
	return r.result
}
