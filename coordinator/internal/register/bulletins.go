package register

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/mail"
)

// BulletinOptions configures Bulletins.
type BulletinOptions struct {
	// Store keeps them. Required.
	Store Store
	// Incidents returns all that stand, each with its parts. Required.
	Incidents func() []incident.Whole
	// World returns the configuration as the rules see it. Required.
	World func() *incident.World
	// Policies returns what each page tells, and when. Required.
	Policies func() []bulletin.Policy
	// Mail returns what became of the test mails of services since a time; nil says nothing of
	// mails.
	Mail func(services []string, since time.Time) mail.Sums
	// Keep is for how long a bulletin of what is over is kept; for ever if zero.
	Keep time.Duration
	// Changed is called with every bulletin that is new or changed, after it is on disk, and
	// must not block for long. It may be nil.
	Changed func([]bulletin.Bulletin)
	// Logger is required.
	Logger *slog.Logger
}

// Bulletins are what the pages tell the public of incidents. What is said is on disk
// before anybody sees it, and is said once. Its methods may be called from many goroutines.
type Bulletins struct {
	options BulletinOptions
	log     *slog.Logger
	wake    chan struct{}

	mu sync.Mutex // protects all following fields; held while something changes
	// told are those that are kept, by page and incident.
	told map[string]keptBulletin
	// due is when the bulletin of a page and an incident is looked at although the incident
	// does not change.
	due map[string]time.Time

	// asking protects the following fields. Who says that an incident changed holds the lock
	// of the incidents, which a look at them wants too.
	asking sync.Mutex
	// touched are the incidents that changed; all says that every one is to be looked at.
	touched map[string]struct{}
	all     bool
}

// keptBulletin is a bulletin with its revision in the store.
type keptBulletin struct {
	bulletin.Bulletin
	revision uint64
}

const bulletinPrefix = "bulletin."

func bulletinKey(page, incident string) string { return bulletinPrefix + page + "." + incident }

// ErrNoBulletin says that a page has told nothing of an incident and is not about to.
var ErrNoBulletin = errors.New("the page tells nothing of that incident")

// OpenBulletins reads what is kept. A value that is damaged is an error that names it:
// nothing that was said is left out in silence.
func OpenBulletins(ctx context.Context, o BulletinOptions) (*Bulletins, error) {
	if o.Store == nil || o.Incidents == nil || o.World == nil || o.Policies == nil || o.Logger == nil {
		return nil, errors.New("open bulletins: Store, Incidents, World, Policies and Logger are required")
	}
	if o.Changed == nil {
		o.Changed = func([]bulletin.Bulletin) {}
	}
	b := &Bulletins{
		options: o, log: o.Logger, wake: make(chan struct{}, 1), told: make(map[string]keptBulletin), due: make(map[string]time.Time),
		touched: make(map[string]struct{}), all: true,
	}
	keys, err := o.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("open bulletins: %w", err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, bulletinPrefix) {
			continue
		}
		var k keptBulletin
		if k.revision, err = get(ctx, o.Store, key, &k.Bulletin); err != nil {
			return nil, fmt.Errorf("open bulletins: %w", err)
		}
		b.told[key] = k
	}
	return b, nil
}

// All returns every bulletin that is kept, the oldest first.
func (b *Bulletins) All() []bulletin.Bulletin {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]bulletin.Bulletin, 0, len(b.told))
	for k := range maps.Values(b.told) {
		out = append(out, k.Clone())
	}
	slices.SortFunc(out, bulletin.Bulletin.Compare)
	return out
}

// Touched says which incidents changed.
func (b *Bulletins) Touched(list []incident.Whole) {
	ids := make([]string, len(list))
	for i, x := range list {
		ids[i] = x.ID
	}
	b.ask(false, ids...)
	b.nudge()
}

// ask has incidents looked at with the next step.
func (b *Bulletins) ask(all bool, ids ...string) {
	b.asking.Lock()
	defer b.asking.Unlock()
	b.all = b.all || all
	for _, id := range ids {
		b.touched[id] = struct{}{}
	}
}

// asked takes what is to be looked at.
func (b *Bulletins) asked() (all bool, touched map[string]struct{}) {
	b.asking.Lock()
	defer b.asking.Unlock()
	all, touched = b.all, b.touched
	b.all, b.touched = false, make(map[string]struct{})
	return all, touched
}

// Reload says that the configuration changed: every incident is looked at.
func (b *Bulletins) Reload() {
	b.ask(true)
	b.nudge()
}

func (b *Bulletins) nudge() {
	select {
	case b.wake <- struct{}{}:
	default: // somebody has said so
	}
}

// retryAfter is when what could not be written is tried again.
const retryAfter = time.Second

// Run writes bulletins until ctx ends. What goes wrong is logged and tried again.
func (b *Bulletins) Run(ctx context.Context) error {
	for {
		next, err := b.step(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			b.log.Error("bulletins failed, will try again", "error", err)
			next = time.Now().Add(retryAfter)
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(max(0, time.Until(next)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		case <-b.wake:
		}
	}
}

// step looks at all incidents that changed or are due, and says when the next one is.
func (b *Bulletins) step(ctx context.Context, now time.Time) (next time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, touched := b.asked()
	var changed []bulletin.Bulletin
	for _, x := range b.options.Incidents() {
		_, asked := touched[x.ID]
		for _, p := range b.options.Policies() {
			key := bulletinKey(p.Page, x.ID)
			if at, ok := b.due[key]; !all && !asked && (!ok || now.Before(at)) {
				continue
			}
			told, fresh, failed := b.reviewLocked(ctx, p, x, now)
			if failed != nil { // the next step looks at it again
				b.ask(false, x.ID)
				err = errors.Join(err, failed)
			}
			if fresh {
				changed = append(changed, told)
			}
		}
	}
	b.forgetLocked(ctx, now)
	if len(changed) > 0 {
		b.options.Changed(changed)
	}
	for _, at := range b.due {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next, err
}

// reviewLocked looks at what one page tells of an incident, and writes what is new.
func (b *Bulletins) reviewLocked(ctx context.Context, p bulletin.Policy, x incident.Whole, now time.Time) (out bulletin.Bulletin, fresh bool, err error) {
	key := bulletinKey(p.Page, x.ID)
	old := b.told[key]
	out, next, fresh := p.Review(old.Bulletin, bulletin.Subject{World: *b.options.World(), Whole: x, Mail: b.options.Mail}, now)
	if fresh {
		if err := b.writeLocked(ctx, keptBulletin{out, old.revision}); err != nil {
			return old.Bulletin, false, err
		}
		last := out.Log[len(out.Log)-1]
		b.log.Info("bulletin written", "page", p.Page, "incident", x.ID, "did", last.Did, "why", last.Why, "by", last.By)
	}
	if delete(b.due, key); !next.IsZero() {
		b.due[key] = next
	}
	return out, fresh, nil
}

// writeLocked puts a bulletin on disk. Where it finds another there, which is one of its own
// that was written although the store answered with an error, it takes that over and
// returns ErrConflict: what is tried again goes on from there.
func (b *Bulletins) writeLocked(ctx context.Context, k keptBulletin) (err error) {
	key := bulletinKey(k.Page, k.Incident)
	if k.revision, err = put(ctx, b.options.Store, key, k.Bulletin, k.revision); err == nil {
		b.told[key] = k
		return nil
	}
	if errors.Is(err, ErrConflict) {
		var found keptBulletin
		revision, readErr := get(ctx, b.options.Store, key, &found.Bulletin)
		if found.revision = revision; readErr == nil {
			b.told[key] = found
		}
		err = errors.Join(err, readErr)
	}
	return err
}

// Do does what a person wants with what a page tells of an incident. An error changes
// nothing.
func (b *Bulletins) Do(ctx context.Context, page, id string, o bulletin.Order) (bulletin.Bulletin, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, err := b.doLocked(ctx, page, id, o)
	if errors.Is(err, ErrConflict) { // it is as it is on disk now
		out, err = b.doLocked(ctx, page, id, o)
	}
	if err != nil {
		return bulletin.Bulletin{}, err
	}
	b.ask(false, id)
	b.nudge()
	b.options.Changed([]bulletin.Bulletin{out})
	return out, nil
}

func (b *Bulletins) doLocked(ctx context.Context, page, id string, o bulletin.Order) (bulletin.Bulletin, error) {
	old, ok := b.told[bulletinKey(page, id)]
	if !ok || old.Told.IsZero() {
		return bulletin.Bulletin{}, fmt.Errorf("page %q, incident %q: %w", page, id, ErrNoBulletin)
	}
	next, err := old.Apply(o)
	if err != nil {
		return bulletin.Bulletin{}, fmt.Errorf("incident %s: %w", id, err)
	}
	if err := b.writeLocked(ctx, keptBulletin{next, old.revision}); err != nil {
		return bulletin.Bulletin{}, err
	}
	b.log.Info("bulletin edited", "page", page, "incident", id, "did", string(o.Deed), "by", o.By)
	return next, nil
}

// forgetLocked deletes what is over for longer than it is kept. What cannot be deleted is
// tried again with the next step.
func (b *Bulletins) forgetLocked(ctx context.Context, now time.Time) {
	for key, k := range b.told {
		if over := k.Updated(); b.options.Keep == 0 || k.Open() || now.Sub(over) < b.options.Keep || over.IsZero() {
			continue
		}
		if err := b.options.Store.Delete(ctx, key, k.revision); err != nil && !errors.Is(err, ErrNotFound) {
			b.log.Warn("old bulletin not deleted", "bulletin", key, "error", err)
			continue
		}
		delete(b.told, key)
		delete(b.due, key)
	}
}
