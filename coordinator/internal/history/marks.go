package history

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// marks is how far a reader has come: its place in the journal, and the last
// sequence number of every epoch of every probe.
type marks struct {
	reader string
	// seq is the last entry taken, received the time at which the newest of what the
	// entries so far hold arrived.
	seq      uint64
	received time.Time
	// last and changed are by epoch; changed are not written yet.
	last    map[epoch]uint64
	changed map[epoch]time.Time
}

type epoch struct{ probe, name string }

func loadMarks(db *sql.DB, reader string) (*marks, error) {
	m := &marks{reader: reader, last: make(map[epoch]uint64), changed: make(map[epoch]time.Time)}
	row := db.QueryRow(`SELECT seq FROM place WHERE reader = ?`, reader)
	if err := row.Scan(&m.seq); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read place of %s: %w", reader, err)
	}
	rows, err := db.Query(`SELECT probe, epoch, seq, received FROM mark WHERE reader = ?`, reader)
	if err != nil {
		return nil, fmt.Errorf("read marks of %s: %w", reader, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var e epoch
		var seq uint64
		var received int64
		if err := rows.Scan(&e.probe, &e.name, &seq, &received); err != nil {
			return nil, fmt.Errorf("read marks of %s: %w", reader, err)
		}
		m.last[e] = seq
		m.received = later(m.received, time.Unix(received, 0).UTC())
	}
	return m, rows.Err()
}

// hold says whether all of the batch was taken before.
func (m *marks) hold(b *wire.Batch) bool { return b.Last() <= m.last[epoch{b.Probe, b.Epoch}] }

// take calls observed with every observation of the batch that was not taken
// before, its times corrected, and told with every such event, or leaves events
// out if told is nil. It returns how many observations made no sense.
func (m *marks) take(b *wire.Batch, observed func(checks.Observation), told func(wire.Event)) (ignored int) {
	e := epoch{b.Probe, b.Epoch}
	m.received = forward(m.received, b.Received.UTC())
	last := m.last[e]
	for i := range b.Records {
		r := &b.Records[i]
		if r.Last() <= last {
			continue
		}
		last = r.Last()
		switch {
		case r.Event != nil && told != nil:
			told(*r.Event)
		case !r.IsObservation():
			continue // what was dropped is unknown by being absent
		default:
			if o, ok := Correct(b, r.Observation); ok {
				observed(o)
			} else {
				ignored++
			}
		}
	}
	if last > m.last[e] {
		m.last[e], m.changed[e] = last, b.Received
	}
	return ignored
}

// place is how far the reader has come.
func (m *marks) place() *Place { return &Place{m.seq, m.received} }

// save writes what changed, in the transaction of what was made of it.
func (m *marks) save(w *writer) {
	w.exec(savePlace, m.reader, m.seq)
	for e, at := range m.changed {
		w.exec(saveMark, m.reader, e.probe, e.name, m.last[e], at.Unix())
	}
}

// saved says that what save wrote is on disk.
func (m *marks) saved() { clear(m.changed) }
