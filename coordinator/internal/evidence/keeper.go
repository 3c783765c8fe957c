package evidence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// Journal is the journal as a Keeper reads it.
type Journal interface {
	// Follow calls fn with every entry after the given one and then with each new
	// one, until ctx ends or fn returns an error.
	Follow(ctx context.Context, after uint64, fn func(journal.Entry) error) error
	// Read calls fn with the entries from and to, both included, that there are.
	Read(ctx context.Context, from, to uint64, fn func(journal.Entry) error) error
	// At is the first entry stored at or after a time.
	At(ctx context.Context, t time.Time) (uint64, error)
	// Last is the newest entry, 0 if there never was one.
	Last() uint64
}

// Archive is where a Keeper keeps things.
type Archive interface {
	// Keep has them on disk when it returns nil, and may have with an error.
	Keep(ctx context.Context, incident string, minute time.Time, batches []wire.Batch) error
	// Expire discards what is too old, if it is time to look for that.
	Expire(ctx context.Context) error
}

var (
	_ Journal = (*journal.Journal)(nil)
	_ Archive = (*journal.Archive)(nil)
	_ Store   = (*journal.Bucket)(nil)
)

// Options are the options of a Keeper. All are required.
type Options struct {
	Journal Journal
	Archive Archive
	// Store is where a Keeper writes down how far it has come.
	Store Store
	// Wants returns the incidents of which observations may still arrive: those that
	// are not over, and those that were for as long as the journal is kept. It is
	// asked every few seconds and must not block for long.
	Wants  func() []Want
	Logger *slog.Logger
}

// Keeper keeps the observations of incidents.
type Keeper struct {
	opts Options
	log  *slog.Logger

	// place is the last entry of the journal that was looked at, saved that on disk
	// and savedAt since when.
	place, saved uint64
	savedAt      time.Time
	// wants are those for which everything up to place was looked at, by incident, as
	// they stand on disk; claims are theirs.
	wants  map[string]Want
	claims claims
	// waiting is not in the archive yet.
	waiting gathered
	// revisions are those of the store, by key.
	revisions map[string]uint64
}

// NewKeeper returns a keeper; nothing happens before Run.
func NewKeeper(o Options) (*Keeper, error) {
	if o.Journal == nil || o.Archive == nil || o.Store == nil || o.Wants == nil || o.Logger == nil {
		return nil, errors.New("new keeper of evidence: Journal, Archive, Store, Wants and Logger are required")
	}
	return &Keeper{opts: o, log: o.Logger}, nil
}

const (
	// lookEvery is how often to look what is wanted, and what has waited long enough.
	lookEvery = 5 * time.Second
	// wait is how long a record waits for others of its minute: each write is synced,
	// and whoever asks for evidence does not ask for the last few seconds.
	wait = 10 * time.Second
	// most is how many wait at most: what a message of the archive holds.
	most = 2000
	// saveEvery is how often the place is written down while nothing is kept: what is
	// looked at again after a crash costs a little time.
	saveEvery = time.Minute
	// firstRetry and maxRetry are how long to wait after an error (a full disk, most
	// likely).
	firstRetry = time.Second
	maxRetry   = time.Minute
)

// Run follows the journal until ctx ends, and then returns nil. What goes wrong is
// logged and tried again from what is on disk; the journal waits.
func (k *Keeper) Run(ctx context.Context) error {
	retry := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		err := k.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > maxRetry {
			retry = firstRetry
		}
		k.log.Error("evidence is not kept, will try again", "retry_s", retry.Seconds(), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
		retry = min(2*retry, maxRetry)
	}
	return nil
}

// follow takes entries and ticks until ctx ends or something fails.
func (k *Keeper) follow(ctx context.Context) error {
	if err := k.load(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	entries, done := make(chan journal.Entry), make(chan struct{})
	defer func() { cancel(nil); <-done }()
	go func(after uint64) {
		defer close(done)
		cancel(k.opts.Journal.Follow(ctx, after, func(e journal.Entry) error {
			select {
			case entries <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}))
	}(k.place)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e := <-entries:
			err = k.take(ctx, e)
		case <-tick.C:
			err = k.tick(ctx, time.Now())
		}
		if err != nil {
			return err
		}
	}
}

// take looks at one entry.
func (k *Keeper) take(ctx context.Context, e journal.Entry) error {
	if e.Missed > 0 {
		k.log.Warn("entries of the journal were discarded before they were looked at", "entries", e.Missed, "before", e.Seq)
	}
	for i := range e.Batches {
		k.waiting.take(&e.Batches[i], k.claims)
	}
	k.place = e.Seq
	if k.waiting.records >= most {
		return k.flush(ctx)
	}
	return nil
}

// tick writes what has waited long enough, and begins with what is wanted newly.
func (k *Keeper) tick(ctx context.Context, now time.Time) error {
	if err := k.opts.Archive.Expire(ctx); err != nil {
		return err
	}
	if err := k.adopt(ctx); err != nil {
		return err
	}
	idle := k.waiting.records == 0 && k.place != k.saved && now.Sub(k.savedAt) >= saveEvery
	if idle || k.waiting.records > 0 && now.Sub(k.waiting.since) >= wait {
		return k.flush(ctx)
	}
	return nil
}

// flush keeps what waits, and then writes down the place: after a crash between the
// two the same is kept once more.
func (k *Keeper) flush(ctx context.Context) error {
	if err := k.keep(ctx, &k.waiting); err != nil || k.place == k.saved {
		return err
	}
	return k.savePlace(ctx)
}

func (k *Keeper) keep(ctx context.Context, g *gathered) error {
	for _, p := range g.sorted() {
		if err := k.opts.Archive.Keep(ctx, p.incident, p.minute, g.parts[p]); err != nil {
			return err
		}
	}
	*g = gathered{}
	return nil
}

// adopt looks which wants are new, have grown, or are no more. What the journal holds
// of the former is looked at before they are written down, so that a crash in between
// begins it again.
func (k *Keeper) adopt(ctx context.Context) error {
	asked, changed := make(map[string]Want), false
	for _, w := range k.opts.Wants() {
		w.Checks = slices.Compact(slices.Sorted(slices.Values(w.Checks)))
		asked[w.Incident] = w
		have, ok := k.wants[w.Incident]
		changed = changed || !ok || !have.same(w)
	}
	if !changed && len(asked) == len(k.wants) {
		return nil
	}
	if err := k.flush(ctx); err != nil {
		return err
	}
	if err := k.lookBack(ctx, asked); err != nil {
		return err
	}
	for _, incident := range slices.Sorted(maps.Keys(asked)) {
		if have, ok := k.wants[incident]; !ok || !have.same(asked[incident]) {
			if err := k.saveWant(ctx, asked[incident]); err != nil {
				return err
			}
		}
	}
	for _, incident := range slices.Sorted(maps.Keys(k.wants)) {
		if _, ok := asked[incident]; !ok {
			if err := k.dropWant(ctx, incident); err != nil {
				return err
			}
		}
	}
	k.claims = claimsOf(k.wants)
	return nil
}

// early is how long before it ended, by the coordinator's clock, an observation can be
// in the journal: it is disbelieved where its clock is further off.
const early = wire.MaxClockOffset

// lookBack keeps what the entries up to the place hold of what is wanted newly.
func (k *Keeper) lookBack(ctx context.Context, asked map[string]Want) error {
	missing, began := claims{}, time.Time{}
	for _, w := range asked {
		if since, ok := missing.add(w, k.wants[w.Incident]); ok && (began.IsZero() || since.Before(began)) {
			began = since
		}
	}
	if len(missing) == 0 {
		return nil
	}
	first, err := k.opts.Journal.At(ctx, began.Add(-early))
	if err != nil || first > k.place {
		return err
	}
	var found gathered
	err = k.opts.Journal.Read(ctx, first, k.place, func(e journal.Entry) error {
		for i := range e.Batches {
			found.take(&e.Batches[i], missing)
		}
		if found.records < most {
			return nil
		}
		return k.keep(ctx, &found)
	})
	if err != nil {
		return fmt.Errorf("look back in the journal: %w", err)
	}
	return k.keep(ctx, &found)
}
