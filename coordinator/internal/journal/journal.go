package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"varde/proto/wire"
)

// Source is one life of one probe's program.
type Source = wire.Source

// Options configures a journal.
type Options struct {
	// Dir is the folder of the journal, made if it does not exist. No other
	// process may use it at the same time. Required.
	Dir string
	// MaxAge is how long a message is kept at least, and a hundredth of it more
	// at most while there are appends, or attempts; 0 keeps it for ever.
	MaxAge time.Duration
	// MaxBytes bounds the messages on disk; the oldest go first. 0 is no bound.
	MaxBytes int64
	// Reserve is the free space of the disk, in bytes, below which Append
	// refuses: JetStream does not recover from a disk that is full to the last
	// byte, and other parts of the coordinator live on the same disk. 64 MiB if
	// zero, none if negative.
	Reserve int64
	// NoSync leaves out fsync. A crash of the machine then loses what was
	// acknowledged: for simulated days only.
	NoSync bool
	// ReadOnly is for whoever only reads a journal that there is: its bounds and what
	// else is kept of it stay as they are, and Append refuses.
	ReadOnly bool
	// Logger is required.
	Logger *slog.Logger
}

// The errors that callers branch on.
var (
	// ErrClosed says that Close was called.
	ErrClosed = errors.New("journal is closed")
	// ErrReadOnly says that the journal was opened only to be read.
	ErrReadOnly = errors.New("journal is only read")
	// ErrOverlap says that a batch holds records which the journal has already.
	ErrOverlap = errors.New("records are in the journal already")
	// ErrAhead says that a reader's cursor lies beyond the end of the journal:
	// the two do not belong together (one was restored and the other not).
	ErrAhead = errors.New("cursor is beyond the end of the journal")
)

// Journal is an open journal. Its methods may be called from many goroutines.
type Journal struct {
	opts   Options
	log    *slog.Logger
	unlock func() error
	tail   *tail

	engineMu sync.Mutex // protects the following four; may be taken while mu is held
	engine   *engine    // nil while it could not be started
	started  time.Time  // of the last attempt to start the engine
	startErr error      // of the last attempt
	closed   bool

	mu      sync.Mutex // protects all following fields; held during an append
	marks   marks
	stale   bool      // there may be messages after the newest of the tail
	unsaved int       // messages since the marks were saved
	swept   time.Time // when old messages were last looked for
}

// Open opens the journal of a folder, or makes a new one. The context bounds
// the time that this takes: about 20 ms, and 20 µs for each message since the
// marks were last saved. An error names the folder and what is wrong with it.
func Open(ctx context.Context, o Options) (*Journal, error) {
	if o.Dir == "" || o.Logger == nil {
		return nil, errors.New("open journal: Dir and Logger are required")
	}
	if o.MaxAge < 0 || o.MaxBytes < 0 {
		return nil, fmt.Errorf("open journal: MaxAge %s and MaxBytes %d, expected zero or more", o.MaxAge, o.MaxBytes)
	}
	o.Reserve = cmp.Or(o.Reserve, defaultReserve)
	unlock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{opts: o, log: o.Logger, unlock: unlock, tail: newTail(), marks: marks{}}
	if err := j.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal in %s: %w", o.Dir, err), j.Close())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.expireLocked(ctx)
	return j, nil
}

// Close saves the marks and returns after the last goroutine has ended.
// Readers get ErrClosed. Closing twice does nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	j.saveLocked(ctx)
	j.engineMu.Lock()
	defer j.engineMu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	j.tail.close()
	if j.engine != nil {
		j.engine.stop()
	}
	if err := j.unlock(); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// Bounds returns the numbers of the oldest and the newest message kept. In an
// empty journal first is last + 1. While the journal cannot be read, it returns
// what it knows: first is 0.
func (j *Journal) Bounds() (first, last uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	if e, err := j.use(ctx); err == nil {
		if first, last, err = e.bounds(ctx); err == nil {
			return first, last
		}
	}
	return 0, j.tail.newest()
}

// Ready says why Append would refuse whatever it is given, nil if it would not.
func (j *Journal) Ready() error {
	if err := checkSpace(j.opts.Dir, j.opts.Reserve); err != nil {
		return fmt.Errorf("journal keeps nothing new: %w", err)
	}
	if first, _ := j.Bounds(); first == 0 {
		return errors.New("journal cannot be read")
	}
	return nil
}

// Free returns how many bytes the disk of the journal has free.
func (j *Journal) Free() (uint64, error) { return freeSpace(j.opts.Dir) }

// Last returns the number of the newest message, 0 if there never was one. It
// asks nobody: only Append makes messages.
func (j *Journal) Last() uint64 { return j.tail.newest() }

// Size returns how many messages are kept and how many bytes they take.
func (j *Journal) Size(ctx context.Context) (messages, bytes uint64, err error) {
	e, err := j.use(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for size of journal: %w", err)
	}
	info, err := e.stream.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for size of journal: %w", err)
	}
	return info.State.Msgs, info.State.Bytes, nil
}

// retryEvery is the shortest time between two attempts to start an engine that
// failed: long enough for its log lines, short against a probe's backoff.
const retryEvery = time.Second

// use returns the engine, and starts a new one where the last has failed.
func (j *Journal) use(ctx context.Context) (*engine, error) {
	j.engineMu.Lock()
	defer j.engineMu.Unlock()
	switch {
	case j.closed:
		return nil, ErrClosed
	case j.engine != nil && !j.engine.failed.Load():
		return j.engine, nil
	case j.engine != nil:
		j.log.Warn("journal starts anew after an error")
		j.engine.stop()
		j.engine = nil
	case !j.started.IsZero() && time.Since(j.started) < retryEvery:
		return nil, j.startErr
	}
	j.started = time.Now()
	j.engine, j.startErr = startEngine(ctx, j.opts)
	return j.engine, j.startErr
}
