package register

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// WindowOptions configures Windows.
type WindowOptions struct {
	// Store keeps them. Required.
	Store Store
	// Services and Regions return the ids that are configured now. Required.
	Services, Regions func() []string
	// Keep is for how long a window that is over is kept; for ever if zero.
	Keep time.Duration
	// Logger is told of every change, and by whom. Required.
	Logger *slog.Logger
}

// Windows are those that people announced. They are read from memory; every change is
// on disk before it returns. Its methods may be called from many goroutines.
type Windows struct {
	options WindowOptions
	log     *slog.Logger

	changing sync.Mutex // held while something changes

	mu sync.RWMutex // protects all following fields
	// list is in order of their beginning; a change makes a new one.
	list    []keptWindow
	changed chan struct{}
}

// keptWindow is a window with its revision in the store.
type keptWindow struct {
	Window
	revision uint64
}

const (
	// windowPrefix begins the keys of windows in the store.
	windowPrefix = "window."
	// retries are how often a change is decided anew when another was faster.
	retries = 10
)

// What Windows answers.
var (
	ErrNoWindow = errors.New("there is no such window")
	// ErrOver says that a window cannot be cancelled: it was, or it is over.
	ErrOver = errors.New("nothing is left to cancel")
)

// OpenWindows reads what is kept. A value that is damaged is an error that names it:
// nothing that somebody announced is left out in silence.
func OpenWindows(ctx context.Context, o WindowOptions) (*Windows, error) {
	if o.Store == nil || o.Services == nil || o.Regions == nil || o.Logger == nil {
		return nil, errors.New("open windows: Store, Services, Regions and Logger are required")
	}
	w := &Windows{options: o, log: o.Logger, changed: make(chan struct{})}
	keys, err := o.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("open windows: %w", err)
	}
	for _, key := range keys {
		k, err := w.read(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("open windows: %w", err)
		}
		w.set(k.ID, &k)
	}
	w.forget(ctx, time.Now())
	return w, nil
}

// read reads the window under a key of the store.
func (w *Windows) read(ctx context.Context, key string) (k keptWindow, err error) {
	id, ok := strings.CutPrefix(key, windowPrefix)
	if !ok {
		return k, fmt.Errorf("read %s: got a key of something else, expected %s and an id", key, windowPrefix)
	}
	if k.revision, err = get(ctx, w.options.Store, key, &k.Window); err != nil {
		return k, err
	}
	if fault := k.whole(); k.ID != id || fault != nil {
		return k, fmt.Errorf("read %s: got a damaged window %.40q (%w), expected it as this program writes it", key, k.ID, cmp.Or(fault, errors.New("of another id")))
	}
	return k, nil
}

// Add announces a window and returns it with its id. The id, when it was made, and
// that it was cancelled are not taken from what is given. An error, which names every
// fault, changes nothing.
func (w *Windows) Add(ctx context.Context, n Window) (Window, error) {
	w.changing.Lock()
	defer w.changing.Unlock()
	now := time.Now().UTC().Truncate(time.Second)
	n = n.tidy()
	n.Made, n.Cancelled, n.CancelledBy, n.Meant = now, time.Time{}, "", time.Time{}
	if err := n.announced(now, w.options.Services(), w.options.Regions()); err != nil {
		return Window{}, err
	}
	w.forget(ctx, now)
	k := keptWindow{Window: n}
	for number := 1; ; number++ {
		if number > maxWindows {
			return Window{}, fmt.Errorf("from: got %s, on which %d windows begin already, expected fewer", moment(n.From), maxWindows)
		}
		k.ID = fmt.Sprintf("%.1s-%s-%d", k.Kind, k.From.Format(time.DateOnly), number)
		if _, taken := w.get(k.ID); taken {
			continue
		}
		switch err := w.write(ctx, k); {
		case errors.Is(err, ErrConflict): // another coordinator has announced one
			if err := w.refresh(ctx, k.ID); err != nil {
				return Window{}, err
			}
			continue
		case err != nil:
			return Window{}, err
		}
		w.log.Info("window announced", "window", k.ID, "by", k.By, "services", k.Services, "regions", k.Regions,
			"from", k.From, "to", k.To, "title", k.Title)
		return k.clone(), nil
	}
}

// Cancel takes a window of a kind back and returns what is left of it: one that has
// begun ends now, one that has not stays on record and is never in force. An id that is
// not known is ErrNoWindow, a window that is over ErrOver.
func (w *Windows) Cancel(ctx context.Context, kind Kind, id, by string) (Window, error) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if by = strings.TrimSpace(by); by == "" || !printable(by, maxName) {
		return Window{}, fmt.Errorf("by: got %.150q, expected 1 to %d printable characters", by, maxName)
	}
	for range retries {
		k, ok := w.get(id)
		if !ok || k.Kind != kind {
			return Window{}, fmt.Errorf("%s %.100q: %w", kind, id, ErrNoWindow)
		}
		n, err := k.cancelled(time.Now().UTC().Truncate(time.Second), by)
		if err != nil {
			return Window{}, err
		}
		switch err := w.write(ctx, keptWindow{n, k.revision}); {
		case errors.Is(err, ErrConflict): // somebody was faster: look what is left
			if err := w.refresh(ctx, id); err != nil {
				return Window{}, err
			}
			continue
		case err != nil:
			return Window{}, err
		}
		w.log.Info("window cancelled", "window", id, "by", by, "to", n.To, "state", n.State(n.Cancelled))
		return n.clone(), nil
	}
	return Window{}, fmt.Errorf("window %s: %w: try again", id, ErrConflict)
}

// cancelled is the window as it is when it is taken back at a time.
func (w Window) cancelled(now time.Time, by string) (Window, error) {
	switch {
	case !w.Cancelled.IsZero():
		return w, fmt.Errorf("window %s: %s cancelled it at %s: %w", w.ID, w.CancelledBy, moment(w.Cancelled), ErrOver)
	case !now.Before(w.To):
		return w, fmt.Errorf("window %s: it ended at %s: %w", w.ID, moment(w.To), ErrOver)
	}
	w.Cancelled, w.CancelledBy = now, by
	if now.After(w.From) {
		w.Meant, w.To = w.To, now
	}
	return w, nil
}

func (w *Windows) get(id string) (keptWindow, bool) {
	list := w.all()
	i := slices.IndexFunc(list, func(k keptWindow) bool { return k.ID == id })
	if i < 0 {
		return keptWindow{}, false
	}
	return list[i], true
}

// write puts a window on disk at its revision, and then into the list.
func (w *Windows) write(ctx context.Context, k keptWindow) (err error) {
	if k.revision, err = put(ctx, w.options.Store, windowPrefix+k.ID, k.Window, k.revision); err != nil {
		return err
	}
	w.set(k.ID, &k)
	return nil
}

// refresh takes over what another has written.
func (w *Windows) refresh(ctx context.Context, id string) error {
	k, err := w.read(ctx, windowPrefix+id)
	switch {
	case errors.Is(err, ErrNotFound):
		w.set(id, nil)
	case err != nil:
		return err
	default:
		w.set(id, &k)
	}
	return nil
}

// set puts a window into the list, or takes it out, and tells all who wait.
func (w *Windows) set(id string, k *keptWindow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(w.list), func(x keptWindow) bool { return x.ID == id })
	if k != nil {
		list = append(list, *k)
	}
	slices.SortFunc(list, func(a, b keptWindow) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID)) })
	w.list = list
	close(w.changed)
	w.changed = make(chan struct{})
}

// forget deletes what is over for longer than it is kept. What cannot be deleted is
// tried again with the next window.
func (w *Windows) forget(ctx context.Context, now time.Time) {
	for _, k := range w.all() {
		if w.options.Keep == 0 || now.Sub(k.To) < w.options.Keep {
			continue
		}
		if err := w.options.Store.Delete(ctx, windowPrefix+k.ID, k.revision); err != nil && !errors.Is(err, ErrNotFound) {
			w.log.Warn("old window not deleted", "window", k.ID, "error", err)
			continue
		}
		w.set(k.ID, nil)
	}
}

// all are the windows in order of their beginning. Nobody changes what it returns.
func (w *Windows) all() []keptWindow {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.list
}

// those are copies of the windows that are wanted, in order of their beginning.
func (w *Windows) those(wanted func(Window) bool) []Window {
	var out []Window
	for _, k := range w.all() {
		if wanted(k.Window) {
			out = append(out, k.clone())
		}
	}
	return out
}

// Windows returns those of a kind, of both if it is empty, of which something lies in
// [from, to), with those that were withdrawn, in order of their beginning.
func (w *Windows) Windows(kind Kind, from, to time.Time) []Window {
	return w.those(func(n Window) bool { return (kind == "" || n.Kind == kind) && n.overlaps(from, to) })
}

// Maintenance returns the time that is out of the objective of a service in a region, in
// any if it is empty: the windows of which something lies in [from, to), each as if it
// had begun when it began to count.
func (w *Windows) Maintenance(service, region string, from, to time.Time) []Window {
	list := w.those(func(n Window) bool { return n.Kind == Maintenance && !n.Withdrawn() && n.Covers(service, region) })
	for i := range list {
		list[i].From = list[i].Counts()
	}
	return slices.DeleteFunc(list, func(n Window) bool { return !n.From.Before(n.To) || !n.overlaps(from, to) })
}

// Active returns the windows of both kinds that are in force at a time.
func (w *Windows) Active(at time.Time) []Window {
	return w.those(func(n Window) bool { return n.Holds(at) })
}

// NextEdge is when the next window begins or ends after a time; zero if none does.
func (w *Windows) NextEdge(after time.Time) (next time.Time) {
	for _, k := range w.all() {
		for _, edge := range []time.Time{k.From, k.To} {
			if !k.Withdrawn() && edge.After(after) && (next.IsZero() || edge.Before(next)) {
				next = edge
			}
		}
	}
	return next
}

// Changed returns a channel that is closed at the next change. Take the channel first
// and read after that: a change in between is then not missed.
func (w *Windows) Changed() <-chan struct{} {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.changed
}
