package checks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
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
	release func()   // ends the watch over base
	onClose func()
}

// Record runs one attempt within timeout and the deadline of ctx, whichever is
// first. The attempt runs everything that can fail inside [Recorder.Phase] and
// returns the first failure it meets, nil when the target is up. The
// connection is closed afterwards.
func Record(ctx context.Context, timeout time.Duration, attempt func(context.Context, *Recorder) error) Result {
	r := &Recorder{}
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

// Phase runs one step within its limit and times it. A step whose phase has
// the name of the one before it continues that phase. The error is nil or a
// *Failure with its phase and class; what runs into the deadline gets the
// timeout of its phase, whatever else went wrong at that moment, and a deadline
// that was seen to pass far too late is our own fault.
func (r *Recorder) Phase(ctx context.Context, p Phase, limit time.Duration, do func(context.Context) error) error {
	began := time.Now()
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

func (r *Recorder) add(p Phase, took time.Duration) {
	if n := len(r.result.Phases); n > 0 && r.result.Phases[n-1].Name == p {
		r.result.Phases[n-1].Duration += took
		return
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
		return &Failure{p.Name, timeoutClass(p.Name), r.timeoutWords(p.Name, p.Duration-late)}
	case isTimeout(err): // of the system's own: it gave up before us
		return &Failure{p.Name, timeoutClass(p.Name), r.timeoutWords(p.Name, p.Duration)}
	}
	class, detail := classify(p.Name, err)
	return &Failure{p.Name, class, detail}
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
	address, err := r.resolve(ctx, network, family, e)
	if err != nil {
		return err
	}
	r.result.Address = address
	return r.Phase(ctx, Connect, connectLimit, func(within context.Context) error {
		conn, err := network.DialContext(within, "tcp"+family.digit(), address)
		if err != nil {
			return err
		}
		r.base = &stream{Conn: conn}
		r.conn = r.base
		r.watch(ctx)
		return nil
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

// Handshake makes the connection TLS and verifies the server: phase tls. The
// names in cfg (ServerName, RootCAs, NextProtos) are the caller's.
func (r *Recorder) Handshake(ctx context.Context, cfg *tls.Config) error {
	return r.Phase(ctx, TLS, tlsLimit, func(context.Context) error {
		talked := r.base.taken() > 0
		conn := tls.Client(r.base, cfg)
		if err := conn.Handshake(); err != nil {
			r.unbelieved(err)
			if first, ok := errors.AsType[tls.RecordHeaderError](err); ok && first.Conn != nil && talked {
				return Fail(ProtocolError, "words between the answer to STARTTLS and the handshake")
			}
			return err
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

// Present lets a kind keep what the server shows of itself. Everything in it is
// cleaned and bounded when the attempt ends.
func (r *Recorder) Present(add func(*Presented)) {
	if r.result.Presented == nil {
		r.result.Presented = &Presented{}
	}
	add(r.result.Presented)
}

// Note adds words to the result of an attempt that is up all the same.
func (r *Recorder) Note(format string, args ...any) {
	r.result.Detail = fmt.Sprintf(format, args...)
}

// BeforeClose has f run when the attempt has ended and been timed, just before
// the connection is closed.
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
	r.result.Detail = clean(r.result.Detail, r.secrets)
	if p := r.result.Presented; p != nil {
		p.clean(r.secrets)
	}
	return r.result
}
