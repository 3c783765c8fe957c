package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// reporter is one Report stream.
type reporter struct {
	u     *Uplink
	marks chan *vardev1.Mark
	ended <-chan struct{} // closed when the uplink shall flush and end

	sending sync.Mutex // a stream takes one sender at a time
	stream  vardev1.FleetService_ReportClient
}

// report hands over the spool, epoch by epoch, until the stream breaks or
// everything is handed over after ended was closed.
func (u *Uplink) report(ctx context.Context, ended <-chan struct{}, cc *grpc.ClientConn) error {
	g, ctx := errgroup.WithContext(ctx)
	stream, err := vardev1.NewFleetServiceClient(cc).Report(ctx)
	if err != nil {
		return err
	}
	r := &reporter{u: u, stream: stream, ended: ended, marks: make(chan *vardev1.Mark)}
	g.Go(func() error { return r.receive(ctx) })
	g.Go(func() error { return r.tellState(ctx) })
	g.Go(func() error { return r.handOver(ctx) })
	return g.Wait()
}

// send sends one message. A stream that has ended says why to its receiver
// only, so that send then waits until the receiver has said it.
func (r *reporter) send(ctx context.Context, m *vardev1.ReportRequest) error {
	r.sending.Lock()
	err := r.stream.Send(m)
	r.sending.Unlock()
	if errors.Is(err, io.EOF) {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// receive answers clock queries at once and passes marks on.
func (r *reporter) receive(ctx context.Context) error {
	for {
		resp, err := r.stream.Recv()
		if err != nil {
			return err
		}
		if q := resp.GetClockQuery(); q != nil {
			if err := r.send(ctx, &vardev1.ReportRequest{Kind: &vardev1.ReportRequest_ClockReply{
				ClockReply: &vardev1.ClockReply{Id: q.GetId(), ProbeTime: timestamppb.Now()},
			}}); err != nil {
				return err
			}
		}
		if m := resp.GetMark(); m != nil {
			r.u.set(func(s *Status) { s.Connected, s.LastAck, s.LastError = true, time.Now(), "" })
			select {
			case r.marks <- m:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// tellState sends the probe's state at the start, when it changes and every
// half minute.
func (r *reporter) tellState(ctx context.Context) error {
	tick := time.NewTicker(stateLook)
	defer tick.Stop()
	var last State
	var sent time.Time
	for {
		s := r.u.opts.State()
		if time.Since(sent) >= stateEvery || changed(last, s) {
			if err := r.send(ctx, &vardev1.ReportRequest{Kind: &vardev1.ReportRequest_State{State: stateToProto(s)}}); err != nil {
				return err
			}
			last, sent = s, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// changed leaves out the depth of the spool, which always changes.
func changed(a, b State) bool {
	return a.Plan != b.Plan || a.MeshAddress != b.MeshAddress || a.Qualified != b.Qualified ||
		a.Reason != b.Reason || !slices.Equal(a.Peers, b.Peers)
}

func stateToProto(s State) *vardev1.ProbeState {
	return &vardev1.ProbeState{
		Epoch: s.Epoch, Version: s.Version, PlanGeneration: s.Plan.Generation, PlanRevision: s.Plan.Revision,
		Spool: s.Spool, MeshAddress: s.MeshAddress, Peers: s.Peers, Qualified: s.Qualified, Reason: s.Reason,
	}
}

// handOver sends the epochs in order. The last of them is the current one and
// never ends by itself.
func (r *reporter) handOver(ctx context.Context) error {
	for {
		epochs := r.u.opts.Spool.Epochs()
		if len(epochs) == 0 {
			return errors.New("spool has no epoch")
		}
		e := &epoch{reporter: r, name: epochs[0], current: len(epochs) == 1}
		if err := e.resume(ctx); err != nil {
			return err
		}
		if err := e.run(ctx); err != nil {
			return err
		}
	}
}

// epoch is the state of handing over one epoch on one stream.
type epoch struct {
	*reporter
	name    string
	current bool
	// next is the sequence number after which to go on, flying the last numbers
	// of the batches that were not acknowledged.
	next   uint64
	flying []uint64
	// since is when something was last acknowledged while batches fly.
	since time.Time
}

// resume asks where the coordinator stands.
func (e *epoch) resume(ctx context.Context) error {
	if err := e.send(ctx, &vardev1.ReportRequest{Kind: &vardev1.ReportRequest_Resume{
		Resume: &vardev1.Resume{Epoch: e.name},
	}}); err != nil {
		return err
	}
	late := time.NewTimer(ackTimeout)
	defer late.Stop()
	for {
		select {
		case m := <-e.marks:
			if m.GetEpoch() == e.name {
				e.next = m.GetSeq()
				return e.ack(m.GetSeq())
			}
		case <-late.C:
			return fmt.Errorf("no mark within %s", ackTimeout)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *epoch) ack(seq uint64) error {
	if err := e.u.opts.Spool.Ack(e.name, seq); err != nil {
		return fmt.Errorf("acknowledge in spool: %w", err)
	}
	return nil
}

// run hands over the epoch. It returns nil when an older epoch has gone.
func (e *epoch) run(ctx context.Context) error {
	look := time.NewTimer(0) // when to look into the spool
	defer look.Stop()
	waiting := true // look is due within the age of a batch
	ended := e.ended
	for {
		var ready <-chan struct{}
		if e.current && !waiting && len(e.flying) < window {
			ready = e.u.opts.Spool.Ready()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-e.marks:
			if err := e.marked(m); err != nil {
				return err
			}
			waiting = true
			look.Reset(0)
		case <-ready:
			waiting = true
			look.Reset(e.u.opts.BatchAge)
		case <-ended:
			ended, waiting = nil, true
			look.Reset(0)
		case <-look.C:
			waiting = false
			done, err := e.fill(ctx, ended == nil)
			if done || err != nil {
				return err
			}
			look.Reset(e.patience())
		}
	}
}

// patience is how long to wait before the next look, if nothing happens.
func (e *epoch) patience() time.Duration {
	if len(e.flying) == 0 {
		return ackTimeout
	}
	return ackTimeout - time.Since(e.since)
}

// fill sends what there is, as far as the window allows. Done is true when an
// older epoch has nothing left.
func (e *epoch) fill(ctx context.Context, flushing bool) (done bool, err error) {
	for len(e.flying) < window {
		records, err := e.u.opts.Spool.Next(e.name, e.next, wire.MaxRecords)
		if err != nil {
			return false, fmt.Errorf("read spool: %w", err)
		}
		if len(records) == 0 {
			break
		}
		b := wire.Batch{Epoch: e.name, Records: records}
		if err := e.send(ctx, &vardev1.ReportRequest{Kind: &vardev1.ReportRequest_Batch{Batch: wire.BatchToProto(b)}}); err != nil {
			return false, err
		}
		if len(e.flying) == 0 {
			e.since = time.Now()
		}
		e.next = b.Last()
		e.flying = append(e.flying, e.next)
	}
	switch {
	case len(e.flying) > 0 && time.Since(e.since) >= ackTimeout:
		return false, fmt.Errorf("nothing acknowledged for %s", ackTimeout)
	case len(e.flying) > 0:
		return false, nil
	case !e.current:
		return true, nil
	case flushing:
		return false, errFlushed
	}
	return false, nil
}

// marked takes an acknowledgement, or goes back to where the coordinator is.
func (e *epoch) marked(m *vardev1.Mark) error {
	if m.GetEpoch() != e.name {
		return nil // of an epoch that is done with
	}
	seq := m.GetSeq()
	e.since = time.Now()
	if len(e.flying) > 0 && seq < e.flying[0] {
		e.next, e.flying = seq, nil
		return e.ack(seq)
	}
	e.flying = slices.DeleteFunc(e.flying, func(last uint64) bool { return last <= seq })
	e.next = max(e.next, seq)
	return e.ack(seq)
}
