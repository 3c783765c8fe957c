package history

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// board is the told verdicts: the panel that the reader Told feeds and that
// queries look at.
type board struct {
	s  *Store
	mu sync.RWMutex
	// config is the one that the panel's rules were made of.
	config *Config
	panel  *verdict.Panel
	marks  *marks
	// moved are series whose judge changed since it was written; changes are
	// those not written yet.
	moved   map[verdict.Series]struct{}
	changes []verdict.Change
}

// loadBoard reads what was written last.
func (s *Store) loadBoard() (*board, error) {
	// The rules are set when the reader begins, at its time: that is when a check
	// which has left the configuration meanwhile ends.
	b := &board{s: s, panel: verdict.NewPanel(s.options.Config().Rules()), moved: make(map[verdict.Series]struct{})}
	var err error
	if b.marks, err = loadMarks(s.db, "told"); err != nil {
		return nil, err
	}
	rows, err := s.db.Query(`SELECT check_id, region, family, judge FROM judge JOIN series ON id = series`)
	if err != nil {
		return nil, fmt.Errorf("read judges: %w", err)
	}
	judges, err := scanJudges(rows)
	if err != nil {
		return nil, err
	}
	for series, judge := range judges {
		b.panel.Restore(series, judge)
	}
	return b, nil
}

func (b *board) place() Place {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return *b.marks.place()
}

// take judges the observations of one entry in the order of arrival.
func (b *board) take(e Entry) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Seq <= b.marks.seq {
		return false
	}
	for i := range e.Batches {
		b.batchLocked(&e.Batches[i])
	}
	b.marks.seq = e.Seq
	return len(b.changes) > 0
}

func (b *board) batchLocked(batch *wire.Batch) {
	if b.marks.hold(batch) {
		return // its time has passed too
	}
	at := batch.Received.UTC()
	b.advanceLocked(at)
	b.marks.take(batch, func(o checks.Observation) {
		series := seriesOf(o)
		r, ok := verdict.ResultOf(b.config.Bounded(o))
		if !ok || !b.s.knows(series) {
			return
		}
		b.addLocked(b.panel.Observe(at, series, r))
		b.moved[series] = struct{}{}
	}, nil)
}

// pass lets time pass without an observation.
func (b *board) pass(now time.Time) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advanceLocked(now.UTC())
	return len(b.changes) > 0
}

// advanceLocked moves the panel on to the time at, or back to it where the clock
// had leapt ahead.
func (b *board) advanceLocked(at time.Time) {
	if clock := b.panel.Clock(); leapt(clock, at) {
		b.s.log.Warn("clock went back, verdicts begin anew", "from", clock, "to", at)
		b.addLocked(b.panel.Restart(at, "the coordinator's clock went back"))
		for series := range b.panel.All() {
			b.moved[series] = struct{}{}
		}
	}
	b.configureLocked(at)
	b.addLocked(b.panel.Advance(at))
}

func (b *board) configureLocked(at time.Time) {
	if config := b.s.options.Config(); config != b.config {
		b.config = config
		b.addLocked(b.panel.SetRules(at, config.Rules()))
	}
}

func (b *board) addLocked(changes []verdict.Change) {
	for _, c := range changes {
		b.moved[c.Series] = struct{}{}
	}
	b.changes = append(b.changes, changes...)
}

// save writes what is not written yet and returns the changes among it.
func (b *board) save() ([]verdict.Change, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make(map[verdict.Series]int64, len(b.moved))
	for series := range b.moved {
		id, err := b.s.id(series)
		if err != nil {
			return nil, err
		}
		ids[series] = id
	}
	err := b.s.write(func(w *writer) {
		for series, id := range ids {
			w.judge(id, b.panel.Judge(series))
		}
		for _, c := range b.changes {
			w.verdict("told", ids[c.Series], c)
		}
		b.marks.save(w)
	})
	if err != nil {
		return nil, fmt.Errorf("write told verdicts: %w", err)
	}
	changes := b.changes
	b.changes = nil
	clear(b.moved)
	b.marks.saved()
	return changes, nil
}

func (w *writer) judge(id int64, j *verdict.Judge) {
	if j == nil {
		w.exec(dropJudge, id) // no longer configured
		return
	}
	text, err := json.Marshal(j)
	if err != nil {
		w.fail(err)
		return
	}
	w.exec(saveJudge, id, string(text))
}

func (w *writer) verdict(kind string, id int64, c verdict.Change) {
	evidence, err := json.Marshal(c.Evidence)
	if err != nil {
		w.fail(err)
		return
	}
	w.changes[kind] = w.insert(saveVerdict, kind, id, c.At.UnixNano(), c.From.String(), c.To.String(), c.Since.UnixNano(), c.Reason,
		c.Counts.Up, c.Counts.Down, c.Counts.Unknown, string(evidence))
}
