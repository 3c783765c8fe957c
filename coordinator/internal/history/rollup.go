package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// Rollup adds observations up by minute, hour and day, keeps the ledger of mails
// and notes what servers showed.
type Rollup struct {
	s        *Store
	marks    *marks
	hours    *openHours
	passages *passages
	ledger   *ledger
	servers  *servers
	pulses   *pulses
	// reported are the probes whose newest observation is not written yet.
	reported map[string]struct{}
	// rebuild is the one under way, nil if there is none, and rebuilds are answered to
	// those who ask for one.
	rebuild  *rebuild
	rebuilds chan chan error
	// clock is the time of arrival of what was read last, or now when all was.
	clock time.Time
	// entries and flushed say how much is not written, and since when.
	entries int
	flushed time.Time
	sealed  time.Time
	// failed says that there is a run among them that was not up.
	failed bool
	// doubtful makes the log say once a minute, not once an observation, that what
	// a probe sends makes no sense.
	doubtful map[string]time.Time
}

// How much may be read twice after a crash, and how much later than the verdict a
// graph or a list of observations may show what arrived: a transaction costs as
// much as the rollup of ten entries, but a failure must not be late where people
// look for it. An entry that comes alone is written at once.
const (
	rollupFlush   = 5 * time.Second
	failureFlush  = time.Second
	rollupEntries = 2000
	// sealEvery is how often finished hours are looked for.
	sealEvery = time.Minute
)

// NewRollup returns the reader; nothing happens before Run.
func NewRollup(s *Store) (*Rollup, error) {
	if s == nil {
		return nil, errors.New("rollup: a store is required")
	}
	return &Rollup{s: s, doubtful: make(map[string]time.Time), rebuilds: make(chan chan error)}, nil
}

// Run follows the journal until ctx ends and returns when everything is written.
func (r *Rollup) Run(ctx context.Context) error { return r.s.run(ctx, "rollup", r) }

func (r *Rollup) reload() (uint64, error) {
	m, err := loadMarks(r.s.db, "rollup")
	if err != nil {
		return 0, err
	}
	r.marks, r.hours, r.passages = m, newOpenHours(r.s), newPassages(r.s)
	r.ledger, r.servers, r.pulses = newLedger(r.s), newServers(r.s), newPulses(r.s)
	r.reported, r.entries, r.flushed = make(map[string]struct{}), 0, time.Now()
	r.failed, r.rebuild = false, nil
	r.s.rolled.Store(m.place())
	b, err := r.s.loadRebuild(context.Background())
	if err != nil || b == nil {
		return m.seq, err
	}
	return r.resume(b)
}

func (r *Rollup) place() uint64 { return r.marks.seq }

func (r *Rollup) apply(e Entry) error {
	if e.Seq <= r.marks.seq {
		return nil
	}
	if r.rebuild != nil && e.Seq > r.rebuild.until {
		return r.complete()
	}
	for i := range e.Batches {
		if err := r.batch(&e.Batches[i], e.Seq); err != nil {
			return err
		}
	}
	r.marks.seq = e.Seq
	if r.entries++; r.rebuild != nil && e.Seq == r.rebuild.until {
		return r.complete()
	}
	if r.entries >= rollupEntries || r.due(time.Now()) {
		return r.flush()
	}
	return nil
}

// due says whether what waits has waited long enough.
func (r *Rollup) due(now time.Time) bool {
	patience := rollupFlush
	if r.failed {
		patience = failureFlush
	}
	return now.Sub(r.flushed).Abs() >= patience
}

func (r *Rollup) batch(b *wire.Batch, seq uint64) (err error) {
	r.clock = forward(r.clock, b.Received.UTC())
	strange := 0
	if r.rebuild == nil && !r.marks.hold(b) {
		if err := r.pulses.clock(b); err != nil {
			return err
		}
	}
	senseless := r.marks.take(b, func(o checks.Observation) {
		switch {
		case err != nil:
		case r.s.knows(seriesOf(o)):
			err = r.observe(o, b, seq)
		default:
			strange++
		}
	}, func(e wire.Event) {
		if r.rebuild == nil && !r.ledger.take(b, e) {
			strange++
		}
	})
	if senseless > 0 || strange > 0 {
		r.ignore(b, senseless, strange)
	}
	return err
}

func (r *Rollup) observe(o checks.Observation, b *wire.Batch, seq uint64) error {
	id, err := r.s.number(trackOf(o))
	if err != nil {
		return err
	}
	if r.rebuild != nil {
		return r.hours.add(r.s.options.Config().Bounded(o), id, r.clock)
	}
	if err := r.passages.add(o.End(), seq); err != nil {
		return err
	}
	r.s.newest.see(o.Probe, o.Region, o.End(), b.Received)
	r.reported[o.Probe] = struct{}{}
	r.failed = r.failed || o.Outcome != checks.Up
	if err := r.servers.look(o); err != nil {
		return err
	}
	if err := r.pulses.add(&o, b); err != nil {
		return err
	}
	return r.hours.add(r.s.options.Config().Bounded(o), id, r.clock)
}

func (r *Rollup) ignore(b *wire.Batch, senseless, strange int) {
	r.s.ignored.Add(uint64(senseless + strange))
	if last, ok := r.doubtful[b.Probe]; ok && b.Received.Sub(last) < time.Minute {
		return
	}
	r.doubtful[b.Probe] = b.Received
	r.s.log.Warn("observations or events ignored, their times make no sense or nobody configured their check", "probe", b.Probe,
		"times", senseless, "checks", strange, "received", b.Received)
}

// tick writes what waits, and seals hours that are over.
func (r *Rollup) tick(now time.Time, caught bool) error {
	if err := r.asked(context.Background()); err != nil {
		return err
	}
	if caught && r.rebuild != nil { // what it was to read is not there any more
		return r.complete()
	}
	if caught {
		r.clock = forward(r.clock, now.UTC())
	}
	if r.due(now) {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if r.clock.Sub(r.sealed).Abs() < sealEvery {
		return nil
	}
	if err := r.seal(r.clock); err != nil {
		return err
	}
	r.sealed = r.clock
	return nil
}

func (r *Rollup) flush() error {
	if r.entries == 0 {
		return nil
	}
	r.flushed = time.Now()
	err := r.s.write(func(w *writer) {
		r.hours.save(w)
		r.passages.save(w)
		r.ledger.save(w)
		r.servers.save(w)
		r.pulses.save(w)
		for name := range r.reported {
			l := r.s.newest.of(name)
			w.exec(saveProbe, name, l.region, l.ended.UnixNano(), l.received.UnixNano())
		}
		r.marks.save(w)
	})
	if err != nil {
		return fmt.Errorf("write rollups: %w", err)
	}
	r.marks.saved()
	r.hours.saved(r.clock)
	r.passages.saved(r.clock)
	r.ledger.saved()
	r.servers.saved()
	r.pulses.saved(r.clock)
	clear(r.reported)
	r.entries, r.failed = 0, false
	if r.rebuild == nil {
		r.s.rolled.Store(r.marks.place())
	}
	return nil
}
