package ingest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	vardev1 "varde/proto/varde/v1"
)

// Options configures an Ingest.
type Options struct {
	// Journal, Authority and Plans are required.
	Journal   Journal
	Authority Authority
	Plans     Plans
	// TLS is how to answer: it must let callers without a certificate through,
	// and those with an expired one; Authority judges them. Required.
	TLS *tls.Config
	// Logger is required.
	Logger *slog.Logger
	// Metrics is where to register; none if nil.
	Metrics prometheus.Registerer
	// Window is how long a commit waits for more to come; 5 ms if zero.
	Window time.Duration
}

// Ingest takes what probes report.
type Ingest struct {
	vardev1.UnimplementedEnrolmentServiceServer
	vardev1.UnimplementedFleetServiceServer

	opts      Options
	log       *slog.Logger
	metrics   *metrics
	committer *committer
	fleet     *fleet
	quiet     quiet
	asked     asked
	// stopping is closed when streams are to end.
	stopping chan struct{}
	// receivers are the goroutines that read streams.
	receivers sync.WaitGroup
}

// New makes an Ingest. It starts nothing.
func New(o Options) (*Ingest, error) {
	if o.Journal == nil || o.Authority == nil || o.Plans == nil || o.TLS == nil || o.Logger == nil {
		return nil, errors.New("ingest: Journal, Authority, Plans, TLS and Logger are required")
	}
	in := make(chan *submission, queued)
	m := newMetrics(func() int { return len(in) })
	f := newFleet(m)
	if err := m.register(o.Metrics); err != nil {
		return nil, fmt.Errorf("ingest: register metrics: %w", err)
	}
	return &Ingest{
		opts: o, log: o.Logger, metrics: m, fleet: f, stopping: make(chan struct{}),
		committer: &committer{
			journal: o.Journal, window: cmp.Or(o.Window, defaultWindow), metrics: m, fleet: f, log: o.Logger,
			in: in,
		},
	}, nil
}

// Limits of a connection.
const (
	// maxReceive is the largest message taken: a batch of 1,000 records has at
	// most 2.3 MB.
	maxReceive = 4 << 20
	// maxCalls is what one connection may have open: a report, a plan, a
	// renewal, and as many again during a restart.
	maxCalls = 8
	// maxHeaders is in bytes; our probes send a few hundred.
	maxHeaders = 16 << 10
	// handshake bounds TLS and HTTP/2 set-up of a caller who may be anybody.
	handshake = 10 * time.Second
	// A dead connection is found within silence and answer, and one without a
	// call is closed after idle. Probes ping every 10 s where nothing comes, which
	// a network may push together: at most every pingEvery.
	silence   = 20 * time.Second
	answer    = 10 * time.Second
	pingEvery = 5 * time.Second
	idle      = 5 * time.Minute
	// stopWithin bounds the orderly end of all streams.
	stopWithin = 5 * time.Second
)

func (i *Ingest) server() *grpc.Server {
	s := grpc.NewServer(
		grpc.Creds(&door{TransportCredentials: credentials.NewTLS(i.opts.TLS), authority: i.opts.Authority, metrics: i.metrics}),
		grpc.MaxRecvMsgSize(maxReceive), grpc.MaxConcurrentStreams(maxCalls), grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshake), grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idle, Time: silence, Timeout: answer}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(i.unary), grpc.StreamInterceptor(i.streaming),
	)
	vardev1.RegisterEnrolmentServiceServer(s, i)
	vardev1.RegisterFleetServiceServer(s, i)
	return s
}

// Serve answers on l until ctx ends: then streams get what they have coming,
// for at most five seconds, and it returns after its last goroutine has. It
// closes l. It is called once.
func (i *Ingest) Serve(ctx context.Context, l net.Listener) error {
	last, err := i.opts.Journal.Heard(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("serve probes: %w", err), l.Close())
	}
	i.fleet.heard(last)
	var wg sync.WaitGroup
	// What streams have handed over is committed even while they end.
	late, stopLate := context.WithCancel(context.WithoutCancel(ctx))
	ctx, stop := context.WithCancel(ctx)
	defer wg.Wait()
	defer stopLate()
	defer stop()
	wg.Go(func() { i.committer.run(late) })
	wg.Go(func() { i.watchRoster(ctx) })
	s := i.server()
	wg.Go(func() {
		<-ctx.Done()
		close(i.stopping)
		hard := time.AfterFunc(stopWithin, s.Stop)
		defer hard.Stop()
		s.GracefulStop()
		i.receivers.Wait()
		stopLate()
	})
	// Stopped before it began is stopped as asked.
	if err := s.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve probes: %w", err)
	}
	<-late.Done()
	return nil
}

// watchRoster ends the streams of probes that are not in the roster any more.
func (i *Ingest) watchRoster(ctx context.Context) {
	for {
		changed := i.opts.Authority.Changed()
		for _, s := range i.fleet.streams() {
			if err := i.recheck(ctx, s); err != nil && ctx.Err() == nil {
				s.stop(err)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// recheck asks whether the caller of a stream may still have it.
func (i *Ingest) recheck(ctx context.Context, s *stream) error {
	p, err := i.opts.Authority.Peer(ctx, s.tls)
	if err == nil && p.Renewal {
		err = errExpired
	}
	return err
}
