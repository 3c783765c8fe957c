package history

import (
	"context"
	"errors"
	"time"

	"varde/coordinator/internal/verdict"
)

// ToldOptions are the options of Told.
type ToldOptions struct {
	// Store is required.
	Store *Store
	// Changed is called with every change of a told verdict, in order, after it is
	// on disk. It must not block for long and may be nil. After a crash between
	// the two it is not called for that change: whoever must miss none reads the
	// verdicts.
	Changed func([]verdict.Change)
}

// Told judges observations in the order in which they arrive, and as time passes.
type Told struct {
	s       *Store
	changed func([]verdict.Change)
	board   *board
	flushed time.Time
}

// toldFlush is how often judges are written that moved without changing their
// verdict; a change is written at once. What is not written is read again after a
// crash, and nobody but the reader looks at what is.
const toldFlush = 30 * time.Second

// NewTold returns the reader; nothing happens before Run.
func NewTold(o ToldOptions) (*Told, error) {
	if o.Store == nil {
		return nil, errors.New("told verdicts: Store is required")
	}
	changed := o.Changed
	if changed == nil {
		changed = func([]verdict.Change) {}
	}
	return &Told{s: o.Store, changed: changed, board: o.Store.board}, nil
}

// Run follows the journal until ctx ends and returns when everything is written.
func (t *Told) Run(ctx context.Context) error { return t.s.run(ctx, "told", t) }

func (t *Told) reload() (uint64, error) {
	fresh, err := t.s.loadBoard()
	if err != nil {
		return 0, err
	}
	b := t.board
	b.mu.Lock()
	defer b.mu.Unlock()
	b.config, b.panel, b.marks, b.moved, b.changes = fresh.config, fresh.panel, fresh.marks, fresh.moved, nil
	t.flushed = time.Now()
	return b.marks.seq, nil
}

func (t *Told) place() uint64 { return t.board.place().Seq }

func (t *Told) apply(e Entry) error {
	if t.board.take(e) || time.Since(t.flushed) >= toldFlush {
		return t.flush()
	}
	return nil
}

// tick lets time pass, but only when every entry that arrived was judged: an
// entry that waits may hold what the quorum needs.
func (t *Told) tick(now time.Time, caught bool) error {
	if caught && t.board.pass(now) || now.Sub(t.flushed) >= toldFlush {
		return t.flush()
	}
	return nil
}

func (t *Told) flush() error {
	t.flushed = time.Now()
	changes, err := t.board.save()
	if err != nil {
		return err
	}
	for _, c := range changes {
		t.s.log.Info("verdict changed", "check", c.Series.Check, "region", c.Series.Region,
			"family", c.Series.Family.String(), "from", c.From.String(), "to", c.To.String(), "since", c.Since, "reason", c.Reason)
	}
	if len(changes) > 0 {
		t.changed(changes)
	}
	return nil
}
