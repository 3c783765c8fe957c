package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

const (
	// maxAnswers is how many batches of one stream may be without an answer.
	// Then no more is read from it: a probe that does not listen waits.
	maxAnswers = 16
	// everyMinute is how often a probe is asked for its time and looked up in
	// the roster.
	everyMinute = time.Minute
	// drainWithin bounds the answers to a stream that ends.
	drainWithin = 2 * time.Second
)

// report is one Report stream. One goroutine receives and one, run, sends.
type report struct {
	*Ingest
	*stream
	grpc grpc.BidiStreamingServer[vardev1.ReportRequest, vardev1.ReportResponse]
	// from is the IP address that the stream comes from, empty where it has none:
	// that of a relay, if there is one.
	from string
	// open has one element for each submission whose answer was not sent; out
	// has as much room, so that the committer never waits for a stream.
	open chan struct{}
	out  chan result
	// ask says that the next clock query is due.
	ask chan struct{}
}

// result is what became of one submission.
type result struct {
	epoch string
	mark  uint64
	err   error
}

// Report carries observations up and marks down.
func (i *Ingest) Report(g grpc.BidiStreamingServer[vardev1.ReportRequest, vardev1.ReportResponse]) error {
	ctx := g.Context()
	r := &report{
		Ingest: i, stream: i.fleet.open("report", callerOf(ctx)), grpc: g, from: seenFrom(ctx),
		open: make(chan struct{}, maxAnswers), out: make(chan result, maxAnswers), ask: make(chan struct{}, 1),
	}
	defer i.fleet.close(r.stream)
	return r.run(ctx)
}

// seenFrom is the IP address of whoever calls.
func seenFrom(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	at, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return ""
	}
	return at.Addr().Unmap().String()
}

// run sends until the stream is to end.
func (r *report) run(ctx context.Context) error {
	received := make(chan error, 1)
	r.receivers.Go(func() { received <- r.receive(ctx) })
	minute := time.NewTicker(everyMinute)
	defer minute.Stop()
	r.ask <- struct{}{}
	for {
		var err error
		select {
		case a := <-r.out:
			err = r.sendMark(a)
		case <-r.ask:
			err = r.sendQuery()
		case <-minute.C:
			if err = r.recheck(ctx, r.stream); err == nil {
				err = r.sendQuery()
			}
		case err = <-received:
			if errors.Is(err, io.EOF) {
				return r.drain()
			}
		case err = <-r.end:
		case <-r.stopping:
			return errors.Join(errStopping, r.drain())
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) sendMark(a result) error {
	if a.err != nil {
		return a.err
	}
	err := r.grpc.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_Mark{
		Mark: &vardev1.Mark{Epoch: a.epoch, Seq: a.mark},
	}})
	<-r.open
	return err
}

func (r *report) sendQuery() error {
	return r.grpc.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_ClockQuery{
		ClockQuery: &vardev1.ClockQuery{Id: r.clock.ask(time.Now()), SeenFrom: r.from},
	}})
}

// drain sends the answers that are still to come.
func (r *report) drain() error {
	timeout := time.After(drainWithin)
	for len(r.open) > 0 {
		select {
		case a := <-r.out:
			if err := r.sendMark(a); err != nil {
				return err
			}
		case <-timeout:
			return nil
		}
	}
	return nil
}

// receive takes messages until the stream ends or one is refused.
func (r *report) receive(ctx context.Context) error {
	for {
		m, err := r.grpc.Recv()
		if err != nil {
			return err
		}
		now := time.Now()
		r.fleet.seen(r.stream, now)
		if err := r.take(ctx, m, now); err != nil {
			if errors.Is(err, ErrInvalid) {
				r.fleet.refused(r.stream, now, err)
			}
			return err
		}
	}
}

// take handles one message. A kind that a newer probe may send is passed over.
func (r *report) take(ctx context.Context, m *vardev1.ReportRequest, now time.Time) error {
	switch k := m.GetKind().(type) {
	case *vardev1.ReportRequest_State:
		return r.takeState(ctx, k.State, now)
	case *vardev1.ReportRequest_Resume:
		epoch, err := wire.ResumeFromProto(k.Resume)
		if err != nil {
			return fmt.Errorf("%w: resume: %w", ErrInvalid, err)
		}
		return r.submit(ctx, wire.Batch{Epoch: epoch, Probe: r.Name}, 0)
	case *vardev1.ReportRequest_Batch:
		return r.takeBatch(ctx, k.Batch, now)
	case *vardev1.ReportRequest_ClockReply:
		id, probe, err := wire.ClockReplyFromProto(k.ClockReply)
		if err != nil {
			return fmt.Errorf("%w: clock reply: %w", ErrInvalid, err)
		}
		if r.clock.answer(id, probe, now) {
			select {
			case r.ask <- struct{}{}:
			default:
			}
		}
		return nil
	}
	r.metrics.refused("unknown_message")
	return nil
}

func (r *report) takeBatch(ctx context.Context, m *vardev1.Batch, now time.Time) error {
	b, err := wire.BatchFromProto(m)
	if err != nil {
		return fmt.Errorf("%w: batch: %w", ErrInvalid, err)
	}
	b.Attribute(r.Name, r.Region, r.Site)
	b.Received = now.UTC()
	b.ClockOffset, b.ClockKnown = r.clock.offset()
	return r.submit(ctx, r.believed(b), proto.Size(m))
}

// submit hands a batch to the committer, whose answer goes to run.
func (r *report) submit(ctx context.Context, b wire.Batch, bytes int) error {
	select {
	case r.open <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return r.committer.submit(ctx, &submission{batch: b, bytes: bytes, answer: func(mark uint64, err error) {
		r.out <- result{b.Epoch, mark, err}
	}})
}

// takeState notes what the probe says of itself, and where it answers others.
// A word of it that cannot be read ends nothing.
func (r *report) takeState(ctx context.Context, m *vardev1.ProbeState, now time.Time) error {
	s, err := wire.ProbeStateFromProto(m)
	if err != nil {
		r.metrics.refused("state")
		r.fleet.refused(r.stream, now, fmt.Errorf("what it says of itself cannot be read: %w", err))
		return nil // what it has seen can
	}
	if !r.fleet.update(r.stream, s, now) {
		return nil
	}
	if err := r.opts.Authority.SetAddresses(ctx, r.Name, s.MeshAddress, s.PeerAddress); err != nil {
		r.fleet.unrecorded(r.Name)
		r.log.Warn("record addresses of probe", "probe", r.Name, "mesh", s.MeshAddress, "peer", s.PeerAddress, "error", err)
	}
	return nil
}
