package mirror

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"varde/coordinator/internal/history"
)

// Source is the journal as a mirror reads it.
type Source interface {
	// Read calls fn with the entries that the journal still holds of those from
	// and to, both included, in order.
	Read(ctx context.Context, from, to uint64, fn func(history.Entry) error) error
	// Bounds are the places of the oldest and newest entry.
	Bounds() (first, last uint64)
	// Last is the place of the newest entry, and costs nothing.
	Last() uint64
}

// Verdicts is the record of changes of verdict.
type Verdicts interface {
	// ChangesAfter returns at most limit changes of a kind after a number.
	ChangesAfter(ctx context.Context, kind string, after int64, limit int) ([]history.StoredChange, error)
}

// Options configures mirrors; all are required.
type Options struct {
	// Dir is the folder of the places.
	Dir      string
	Source   Source
	Verdicts Verdicts
	// Service is whose a check is; empty if nobody's.
	Service func(check string) string
	// Secret reads the secret in a file.
	Secret func(path string) (string, error)
	Logger *slog.Logger
}

// How a mirror paces itself.
const (
	// maxPoints is how many points are read before they are sent. The last entry is
	// taken whole.
	maxPoints = 5000
	// readEvery is how often it looks for more once it has sent all.
	readEvery = time.Second
	// firstRetry doubles up to maxRetry.
	firstRetry = time.Second
	maxRetry   = time.Minute
	// refusedRetry is the pause after a refusal that trying again will not mend:
	// somebody must change something first.
	refusedRetry = time.Minute
)

// mirror copies to one target.
type mirror struct {
	target  Target
	options Options
	log     *slog.Logger
	scheme  scheme
	client  *client

	// saving is held while the place moves on disk, so that the streams move it one
	// after the other and nobody who asks for the state waits for a disk.
	saving sync.Mutex

	mu    sync.Mutex // protects all following fields
	place place
	// tried says that a write was answered or given up; troubles are by stream.
	tried    bool
	troubles map[string]trouble
}

// trouble is why a stream does not get on.
type trouble struct {
	since   time.Time
	refused bool
	words   string
}

// batch is what is sent at once.
type batch struct {
	points []*write.Point
	// moves takes the place behind the batch.
	moves func(*place)
}

// stream is one of the two things that are copied. next returns what comes after the
// place; without moves there is nothing.
type stream struct {
	name string
	next func(context.Context, place) (batch, error)
}

func newMirror(t Target, o Options) *mirror {
	return &mirror{
		target: t, options: o, log: o.Logger.With("mirror", t.ID), scheme: newScheme(o.Service), client: newClient(t, o.Secret), troubles: map[string]trouble{},
	}
}

// run copies until ctx ends.
func (m *mirror) run(ctx context.Context) {
	if !m.keepTrying(ctx, "place", func() error { return m.load(ctx) }) {
		return
	}
	var wg sync.WaitGroup
	for _, s := range []stream{{"observations", m.nextEntries}, {"verdicts", m.nextChanges}} {
		wg.Go(func() { m.copy(ctx, s) })
	}
	wg.Wait()
}

// load goes to where the mirror was, or to the beginning of the journal. A record
// without the verdict that was taken last is another one, and is read from its
// beginning.
func (m *mirror) load(ctx context.Context) error {
	p, found, err := loadPlace(m.options.Dir, m.target.ID)
	if err != nil {
		return err
	}
	if first, _ := m.options.Source.Bounds(); !found && first > 0 {
		p.Journal = first - 1 // what was gone before it began is no loss
	}
	if p.Verdict > 0 {
		list, err := m.options.Verdicts.ChangesAfter(ctx, "told", p.Verdict-1, 1)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			m.log.Error("record of verdicts ends before the place of the mirror, it is read from its beginning", "place", p.Verdict)
			p.Verdict = 0
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.place = p
	return nil
}

// copy sends one batch of a stream after the other.
func (m *mirror) copy(ctx context.Context, s stream) {
	for ctx.Err() == nil {
		var b batch
		if !m.keepTrying(ctx, s.name, func() (err error) {
			b, err = s.next(ctx, m.now())
			return err
		}) {
			return
		}
		if b.moves == nil {
			pause(ctx, readEvery)
			continue
		}
		m.keepTrying(ctx, s.name, func() error { return m.deliver(ctx, b) })
	}
}

func (m *mirror) now() place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.place
}

// deliver sends a batch and then moves the place on disk: what is sent twice because a
// crash came between them has the same names.
func (m *mirror) deliver(ctx context.Context, b batch) error {
	var lost *failure
	if len(b.points) > 0 {
		err := m.client.write(ctx, b.points)
		if errors.As(err, &lost) && lost.dropped == 0 {
			return lost
		}
	}
	m.saving.Lock()
	defer m.saving.Unlock()
	next := m.now()
	b.moves(&next)
	written := uint64(len(b.points))
	if lost != nil {
		dropped := min(lost.dropped, written)
		written -= dropped
		next.Refused, next.RefusedAt, next.Words = next.Refused+dropped, time.Now().UTC(), lost.words
		m.log.Error("server dropped points", "points", dropped, "answer", lost.words)
	}
	next.Written += written
	if err := next.save(m.options.Dir, m.target.ID); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.place = next
	m.tried = m.tried || len(b.points) > 0
	return nil
}

// keepTrying calls do until it succeeds; false means that ctx ended before that.
func (m *mirror) keepTrying(ctx context.Context, stream string, do func() error) bool {
	for retry := firstRetry; ; retry = min(2*retry, maxRetry) {
		err := do()
		if ctx.Err() != nil {
			return false
		}
		m.note(stream, err)
		if err == nil {
			return true
		}
		wait := retry
		if f := new(failure); errors.As(err, &f) {
			if f.refused {
				wait = refusedRetry
			}
			wait = max(wait, f.wait)
		}
		// Mirrors that lost one server do not come back to it all at once.
		pause(ctx, wait+rand.N(wait/4))
	}
}

// note remembers how the last attempt of a stream went.
func (m *mirror) note(stream string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, failing := m.troubles[stream]
	if err == nil {
		if failing {
			delete(m.troubles, stream)
			m.log.Info("mirror goes on", "stream", stream)
		}
		return
	}
	now := trouble{since: time.Now().UTC(), words: printable(err.Error())}
	if failing {
		now.since = old.since
	}
	if f := new(failure); errors.As(err, &f) {
		m.tried, now.refused = true, f.refused
	}
	m.troubles[stream] = now
	if old.words != now.words {
		m.log.Warn("mirror does not get on, will try again", "stream", stream, "refused", now.refused, "error", now.words)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
