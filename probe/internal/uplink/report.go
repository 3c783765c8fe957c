package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

const (
	// stateEvery is how often a probe says how it is when nothing changes.
	stateEvery = 30 * time.Second
	// ackWithin is how long a coordinator may take for a mark: longer than the
	// slowest disk that is still of use.
	ackWithin = 30 * time.Second
)

var errNoAck = fmt.Errorf("coordinator acknowledges nothing within %s", ackWithin)

var errOvertaken = errors.New("coordinator has more of this epoch than was ever sent")

type reportStream = grpc.BidiStreamingClient[vardev1.ReportRequest, vardev1.ReportResponse]

// reporter is one Report stream. One goroutine receives and one sends.
type reporter struct {
	*Uplink
	way    way
	stream reportStream
	// marks and queries are what the coordinator said. Their buffers hold more
	// than it can say before it waits for us.
	marks   chan *vardev1.Mark
	queries chan *vardev1.ClockQuery
	// stopping is closed when the probe is to end; flushing once that was seen.
	stopping <-chan struct{}
	flushing bool
	// patience ends the stream when no mark comes.
	patience *time.Timer
	// epochs are those to send, flow is that of the first of them.
	epochs []string
	flow   flow
	// age runs from the first record that waits for others, while aging; ripe
	// says that there may be records to send now.
	age         *time.Timer
	aging, ripe bool
	// unnoted says that the last acknowledgement could not be noted.
	unnoted bool
}

// report sends what is in the spool until the stream fails, or until stopping
// is closed and all of it is acknowledged.
func (u *Uplink) report(ctx context.Context, stopping <-chan struct{}, w way, client vardev1.FleetServiceClient) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stream, err := client.Report(ctx)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	r := &reporter{
		Uplink: u, way: w, stream: stream, stopping: stopping,
		marks: make(chan *vardev1.Mark, 64), queries: make(chan *vardev1.ClockQuery, 64),
		patience: time.AfterFunc(ackWithin, func() { cancel(errNoAck) }),
		age:      time.NewTimer(u.opts.Age),
	}
	defer r.patience.Stop()
	defer r.age.Stop()
	r.age.Stop()
	var g errgroup.Group
	for _, part := range []func(context.Context) error{r.receive, r.send} {
		g.Go(func() error {
			err := part(ctx)
			if err != nil {
				cancel(err)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (r *reporter) receive(ctx context.Context) error {
	for {
		m, err := r.stream.Recv()
		if err != nil {
			return causeOf(ctx, err)
		}
		switch k := m.GetKind().(type) {
		case *vardev1.ReportResponse_Mark:
			select {
			case r.marks <- k.Mark:
			case <-ctx.Done():
			}
		case *vardev1.ReportResponse_ClockQuery:
			select {
			case r.queries <- k.ClockQuery:
			case <-ctx.Done():
			}
		}
	}
}

// send is the one place from which the stream is written.
func (r *reporter) send(ctx context.Context) error {
	states := time.NewTicker(stateEvery)
	defer states.Stop()
	r.choose(r.opts.Spool.Epochs())
	err := r.sendState()
	for err == nil {
		if err = r.fill(); err != nil {
			break
		}
		if r.flushing && len(r.epochs) == 1 && !r.ripe && !r.flow.waiting() {
			return errDone
		}
		err = r.next(ctx, states.C)
	}
	if errors.Is(err, io.EOF) {
		return nil // the reason is what receive gets
	}
	return causeOf(ctx, err)
}

// next waits for something to happen and does what it asks for.
func (r *reporter) next(ctx context.Context, states <-chan time.Time) error {
	select {
	case q := <-r.queries:
		r.seen(r.way, q.GetSeenFrom())
		return r.stream.Send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_ClockReply{
			ClockReply: wire.ClockReplyToProto(q.GetId(), time.Now().Add(r.opts.Ahead())),
		}})
	case m := <-r.marks:
		return r.take(m)
	case <-r.opts.Spool.Ready():
		r.startAge()
	case <-r.age.C:
		r.aging, r.ripe = false, true
	case <-states:
		return r.sendState()
	case <-r.changed:
		return r.sendState()
	case <-r.stopping:
		r.stopping, r.flushing, r.ripe = nil, true, true
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// startAge begins to wait for others that can go in the same batch.
func (r *reporter) startAge() {
	if !r.aging && !r.ripe {
		r.aging = true
		r.age.Reset(r.opts.Age)
	}
}

// choose begins with the first of epochs.
func (r *reporter) choose(epochs []string) {
	r.epochs = epochs
	r.flow = flow{epoch: epochs[0], window: r.opts.Window}
	r.ripe = true
}

// fill sends what may be sent now.
func (r *reporter) fill() error {
	if !r.flow.asked {
		r.flow.asked = true
		r.expect()
		return r.stream.Send(resume(r.flow.epoch))
	}
	for r.ripe && r.flow.open() {
		records, err := r.opts.Spool.Next(r.flow.epoch, r.flow.next, r.opts.Batch)
		if err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
		if len(records) == 0 {
			r.ripe = false
			if len(r.epochs) > 1 && !r.flow.waiting() { // all of an old epoch is acknowledged
				r.choose(r.epochs[1:])
				return r.fill()
			}
			return nil
		}
		b := wire.Batch{Epoch: r.flow.epoch, Records: records}
		r.flow.sent(b.Last())
		r.sent[b.Epoch] = max(r.sent[b.Epoch], b.Last())
		r.expect()
		err = r.stream.Send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_Batch{Batch: wire.BatchToProto(b)}})
		if err != nil {
			return err
		}
	}
	return nil
}

// take handles a mark.
func (r *reporter) take(m *vardev1.Mark) error {
	r.met(r.way)
	if m.GetEpoch() != r.flow.epoch {
		return fmt.Errorf("coordinator sent a mark of epoch %.80q, expected %s", m.GetEpoch(), r.flow.epoch)
	}
	if r.overtaken(m.GetSeq()) {
		return r.renew(m.GetSeq())
	}
	back, err := r.flow.mark(m.GetSeq())
	if err != nil {
		return err
	}
	if m.GetSeq() > 0 {
		r.ack(m.GetSeq())
		r.acked()
	}
	if back || len(r.epochs) > 1 && !r.flow.waiting() {
		r.ripe = true
	}
	r.expect()
	return nil
}

// ack notes in the spool what is safe. What the spool cannot note it hands out
// again some time, which is no reason to stop sending.
func (r *reporter) ack(through uint64) {
	err := r.opts.Spool.Ack(r.flow.epoch, through)
	level := slog.LevelDebug
	if err != nil && !r.unnoted {
		level = slog.LevelWarn
	}
	r.unnoted = err != nil
	if err != nil {
		r.log.Log(context.Background(), level, "acknowledgement is not noted in the spool", "epoch", r.flow.epoch, "error", err)
	}
}

// overtaken says whether the coordinator has more of the current epoch than was
// ever sent here. Then the machine was copied while the probe ran, or set back to a
// snapshot of its memory: what it sees now gets numbers that were used. Of an older
// epoch nothing follows: its program may have sent more than it lived to hear of.
// The current one began with this program, which has noted all that it sent.
func (r *reporter) overtaken(mark uint64) bool {
	return len(r.epochs) == 1 && mark > r.sent[r.flow.epoch]
}

// renew goes on in a new epoch, with a new stream. Some of what it moves there
// may be known to the coordinator: once too often is better than never.
func (r *reporter) renew(mark uint64) error {
	r.log.Error("this machine was set back to a snapshot, or another reports as this one: going on in a new epoch; remove the copy if there is one",
		"epoch", r.flow.epoch, "mark", mark)
	if err := r.opts.Spool.Renew(); err != nil {
		return fmt.Errorf("begin a new epoch: %w", err)
	}
	return errOvertaken
}

// expect has the stream end when an answer is to come and does not.
func (r *reporter) expect() {
	if r.flow.waiting() {
		r.patience.Reset(ackWithin)
	} else {
		r.patience.Stop()
	}
}

// sendState says how the probe is, and the way by which it says so.
func (r *reporter) sendState() error {
	s := r.opts.State()
	s.Relay = r.way.relay
	return r.stream.Send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_State{
		State: wire.ProbeStateToProto(s),
	}})
}
