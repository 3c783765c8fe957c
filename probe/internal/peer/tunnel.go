package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"varde/proto/wire"
)

const (
	// maxOwn is how many tunnels one probe may have: one, and one that a
	// reconnect has left behind. A third ends its oldest.
	maxOwn = 2
	// dialWithin is how long a coordinator may take to answer a dial from here.
	dialWithin = 5 * time.Second
	// maxIdle is how long a tunnel may be without a byte. Probe and coordinator
	// ask one another for a sign of life more often than that.
	maxIdle = time.Minute
)

// Why a tunnel ends.
var (
	errIdle       = fmt.Errorf("no byte within %s", maxIdle)
	errSuperseded = errors.New("a newer tunnel of the same probe took its place")
	errRemoved    = errors.New("the probe was removed")
	errOver       = errors.New("one side has ended it")
)

// tunnel is one connection that is passed on.
type tunnel struct {
	who wire.RosterEntry
	end context.CancelCauseFunc
}

// passOn passes bytes between a probe and a coordinator until either side ends.
func (p *Peer) passOn(ctx context.Context, who wire.RosterEntry, probe net.Conn, coordinator string) error {
	address, ok := p.coordinator(coordinator)
	if !ok {
		return refuse(probe, "the plan names no such coordinator")
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	t := &tunnel{who, end}
	if !p.reserve(t) {
		return refuse(probe, "%d others are passed on", MaxTunnels)
	}
	defer p.release(t)
	dialCtx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	far, err := p.opt.Network.DialContext(dialCtx, "tcp", address)
	if err != nil {
		return errors.Join(err, refuse(probe, "the coordinator does not answer here either"))
	}
	defer func() { _ = far.Close() }()
	if err := wire.WritePeerResponse(probe, wire.PeerResponse{}); err != nil {
		return err
	}
	p.relayed.Add(1)
	p.opt.Logger.Info("passing on another probe", "probe", who.Name, "coordinator", address)
	err = p.pass(ctx, end, probe, far)
	p.opt.Logger.Info("passing on ended", "probe", who.Name, "reason", err)
	return nil
}

// pass copies both ways until one ends, ctx does, or nothing comes any more. It
// returns why.
func (p *Peer) pass(ctx context.Context, end context.CancelCauseFunc, probe, far net.Conn) error {
	idle := time.AfterFunc(maxIdle, func() { end(errIdle) })
	defer idle.Stop()
	var both sync.WaitGroup
	for _, way := range []struct {
		from, to net.Conn
		limit    *rate.Limiter
	}{{probe, far, p.up}, {far, probe, p.down}} {
		both.Go(func() {
			alive := alive{way.from, func() { idle.Reset(maxIdle) }}
			// The buffer is the chunk: what is read at once is passed on at once.
			_, err := io.CopyBuffer(throttled{ctx, way.to, way.limit}, alive, make([]byte, chunk))
			if err == nil {
				err = errOver
			}
			end(err)
		})
	}
	<-ctx.Done()
	_, _ = probe.Close(), far.Close()
	both.Wait()
	return context.Cause(ctx)
}

// alive tells of every read that brought something. It is nothing but a reader,
// so that io.CopyBuffer copies through its buffer.
type alive struct {
	from io.Reader
	sign func()
}

// Read reads and tells.
func (a alive) Read(b []byte) (int, error) {
	n, err := a.from.Read(b)
	if n > 0 {
		a.sign()
	}
	return n, err
}

// reserve makes room for a tunnel, if need be in the place of its probe's oldest.
func (p *Peer) reserve(t *tunnel) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var own []*tunnel
	for _, o := range p.tunnels {
		if o.who.Name == t.who.Name {
			own = append(own, o)
		}
	}
	switch {
	case len(own) >= maxOwn:
		own[0].end(errSuperseded)
		p.releaseLocked(own[0])
	case len(p.tunnels) >= MaxTunnels:
		return false
	}
	p.tunnels = append(p.tunnels, t)
	return true
}

// release gives the room of a tunnel back.
func (p *Peer) release(t *tunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.releaseLocked(t)
}

func (p *Peer) releaseLocked(t *tunnel) {
	p.tunnels = slices.DeleteFunc(p.tunnels, func(o *tunnel) bool { return o == t })
}

// PlanChanged ends the tunnels of probes that the plan in force does not hold.
func (p *Peer) PlanChanged() {
	plan, _, _ := p.opt.Plans.Current()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tunnels {
		if !slices.ContainsFunc(plan.Roster, func(r wire.RosterEntry) bool { return r.KeySHA256 == t.who.KeySHA256 }) {
			t.end(errRemoved)
		}
	}
}

// coordinator returns the address of the plan that a request means.
func (p *Peer) coordinator(asked string) (address string, ok bool) {
	plan, _, _ := p.opt.Plans.Current()
	want, ok := normal(asked)
	for _, a := range plan.Coordinators {
		if n, valid := normal(a); ok && valid && n == want {
			return a, true
		}
	}
	return "", false
}

// normal is host:port in the one form in which two of them may be compared;
// false for what is no such thing.
func normal(address string) (string, bool) {
	host, port, err := net.SplitHostPort(address)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || host == "" || n == 0 {
		return "", false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), true
}
