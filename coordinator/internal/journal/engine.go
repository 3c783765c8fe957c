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
	stream jetstream.Stream
	log    *natsLog
	// failed says that this engine must not be used any more.
	failed atomic.Bool

	mu      sync.Mutex // protects buckets
	buckets map[string]jetstream.KeyValue
}

func startEngine(ctx context.Context, o Options) (*engine, error) {
	e := &engine{log: newNATSLog(o.Logger), buckets: map[string]jetstream.KeyValue{}}
	var err error
	if e.server, err = server.NewServer(serverOptions(o)); err != nil {
		return nil, fmt.Errorf("make server: %w", err)
	}
	e.server.SetLoggerV2(e.log, false, false, false)
	e.server.Start()
	if err := e.log.fatal(); err != nil {
		e.stop()
		return nil, err
	}
	if err := e.connect(ctx, o); err != nil {
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
	e.stream, err = e.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: streamName, Subjects: []string{streamSubject}, Storage: jetstream.FileStorage,
		MaxBytes: unlimited(o.MaxBytes), Discard: jetstream.DiscardOld, MaxMsgSize: maxMessage,
	})
	if err != nil {
		return fmt.Errorf("make stream: %w", err)
	}
	return nil
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

func (e *engine) bounds(ctx context.Context) (first, last uint64, err error) {
	info, err := e.stream.Info(ctx)
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

// publish returns the number of the message after it is on disk. It is stored
// only if the newest message is numbered last.
func (e *engine) publish(ctx context.Context, m *nats.Msg, last uint64) (uint64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no acknowledgement within %s", patience))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer e.log.onError(func(err error) { time.AfterFunc(impatience, func() { fail(err) }) })()
	ack, err := e.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequence(last))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return 0, err
	}
	return ack.Sequence, nil
}

// isConflict says that the store was not in the expected state.
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}
