package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The names in the store. One partition now; with more, the last token of the
// subject is the hash of a check.
const (
	streamName    = "JOURNAL"
	streamSubject = "varde.journal.>"
	subject       = "varde.journal.observations.0"
)

const (
	// maxMessage is the largest message with its header, in bytes: as much as
	// NATS advises at most, and three times the largest batch that a probe can
	// send (1,000 records of at most 2.3 kB).
	maxMessage = 8 << 20
	// maxHeader leaves room below the 64 kB that JetStream stores at most.
	maxHeader = 60_000
	// consumerMemory bounds what the readers' positions may take, in bytes.
	consumerMemory = 64 << 20
	// apiTimeout bounds every question to the embedded server, which answers
	// within microseconds unless the disk stands still.
	apiTimeout = 5 * time.Second
)

// engine is one life of the embedded server, with the connection to it.
type engine struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	shelf  // the journal's own
	log    *natsLog
	// failed says that this engine must not be used any more.
	failed atomic.Bool

	mu      sync.Mutex // protects all following fields
	buckets map[string]jetstream.KeyValue
	archive *shelf // nil until it is asked for
}

// shelf is one stream of messages in the store.
type shelf struct {
	stream jetstream.Stream
	// subjects are those of all its messages.
	subjects string
}

func startEngine(ctx context.Context, o Options) (*engine, error) {
	return launch(o, func(e *engine) error { return e.connect(ctx, o) })
}

// launch starts a server and gets it ready; after an error it runs no more.
func launch(o Options, ready func(*engine) error) (*engine, error) {
	e := &engine{log: newNATSLog(o.Logger), buckets: map[string]jetstream.KeyValue{}}
	var err error
	if e.server, err = server.NewServer(serverOptions(o)); err != nil {
		return nil, fmt.Errorf("make server: %w", err)
	}
	e.server.SetLoggerV2(e.log, false, false, false)
	e.server.Start()
	if err = e.log.fatal(); err == nil {
		err = ready(e)
	}
	if err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func serverOptions(o Options) *server.Options {
	return &server.Options{
		ServerName: "varde", DontListen: true, NoSigs: true,
		JetStream: true, StoreDir: o.Dir, DisableJetStreamBanner: true,
		// A limit of its own would be three quarters of the free disk; ours are
		// MaxBytes and Reserve.
		JetStreamMaxStore: math.MaxInt64, JetStreamMaxMemory: consumerMemory,
		MaxPayload: maxMessage,
		// The default syncs every two minutes and loses what was acknowledged.
		SyncAlways: !o.NoSync,
	}
}

func (e *engine) connect(ctx context.Context, o Options) error {
	err := e.dial(o)
	switch {
	case err != nil:
	case o.ReadOnly:
		e.shelf, err = e.find(ctx, streamName, streamSubject)
	default:
		e.shelf, err = e.open(ctx, streamName, streamSubject, o.MaxBytes)
	}
	return err
}

// dial connects to the server, inside the process.
func (e *engine) dial(o Options) error {
	var err error
	e.conn, err = nats.Connect("", nats.InProcessServer(e.server), nats.NoReconnect(),
		nats.ClosedHandler(func(*nats.Conn) { e.failed.Store(true) }), // a new engine brings a new one
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Logger.Warn("journal connection", "error", err)
		}))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if e.js, err = jetstream.New(e.conn); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// open opens a stream of at most so many bytes, or makes it. The oldest messages go
// first.
func (e *engine) open(ctx context.Context, name, subjects string, most int64) (shelf, error) {
	stream, err := e.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{subjects}, Storage: jetstream.FileStorage,
		MaxBytes: unlimited(most), Discard: jetstream.DiscardOld, MaxMsgSize: maxMessage,
	})
	if err != nil {
		return shelf{}, fmt.Errorf("make stream: %w", err)
	}
	return shelf{stream, subjects}, nil
}

// find opens a stream as it is.
func (e *engine) find(ctx context.Context, name, subjects string) (shelf, error) {
	stream, err := e.js.Stream(ctx, name)
	if err != nil {
		return shelf{}, fmt.Errorf("open stream: %w", err)
	}
	return shelf{stream, subjects}, nil
}

// unlimited translates our "no bound" into JetStream's.
func unlimited(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

// stop returns after the last goroutine of the engine has ended.
func (e *engine) stop() {
	e.failed.Store(true)
	if e.conn != nil {
		e.conn.Close()
	}
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

func (s *shelf) bounds(ctx context.Context) (first, last uint64, err error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for bounds: %w", err)
	}
	if info.State.Msgs == 0 {
		return info.State.LastSeq + 1, info.State.LastSeq, nil
	}
	return info.State.FirstSeq, info.State.LastSeq, nil
}

// patience bounds the wait for an acknowledgement. A healthy disk takes a few
// milliseconds, a busy one seconds.
const (
	patience = 10 * time.Second
	// impatience is how long to wait on after the server has logged an error:
	// it does not answer a message that it could not write.
	impatience = 500 * time.Millisecond
)

// publish returns the number of the message after it is on disk. An error that is
// the engine's fault ends its life.
func (e *engine) publish(caller context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (uint64, error) {
	ctx, cancel := context.WithTimeoutCause(caller, patience, fmt.Errorf("no acknowledgement within %s", patience))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer e.log.onError(func(err error) { time.AfterFunc(impatience, func() { fail(err) }) })()
	ack, err := e.js.PublishMsg(ctx, m, opts...)
	if err == nil {
		return ack.Sequence, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	// A caller that went away and a write that came late after all are no fault of
	// the engine's.
	if caller.Err() == nil && !isConflict(err) {
		e.failed.Store(true)
	}
	return 0, err
}

// isConflict says that the store was not in the expected state.
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}
