package mirror

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Mirrors are all that a coordinator has.
type Mirrors struct {
	options Options
	changed chan struct{}

	mu      sync.Mutex // protects all following fields
	targets []Target
	running map[Target]*mirror
}

// New returns mirrors without a target.
func New(o Options) *Mirrors {
	return &Mirrors{options: o, changed: make(chan struct{}, 1), running: map[Target]*mirror{}}
}

// Set makes these the targets, of which no two have one id. One that stays as it is
// goes on undisturbed; one that comes back under its id goes on from its place.
func (g *Mirrors) Set(targets []Target) {
	g.mu.Lock()
	g.targets = slices.Clone(targets)
	g.mu.Unlock()
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// Run copies until ctx ends, and returns after the last goroutine has.
func (g *Mirrors) Run(ctx context.Context) error {
	stops := map[Target]func(){}
	for {
		g.apply(ctx, stops)
		select {
		case <-g.changed:
		case <-ctx.Done():
			for _, stop := range stops {
				stop()
			}
			return nil
		}
	}
}

// apply stops what is no target any more before it starts what has become one: two
// must not write one place.
func (g *Mirrors) apply(ctx context.Context, stops map[Target]func()) {
	g.mu.Lock()
	targets := slices.Clone(g.targets)
	g.mu.Unlock()
	for t, stop := range stops {
		if !slices.Contains(targets, t) {
			stop()
			delete(stops, t)
			g.mu.Lock()
			delete(g.running, t)
			g.mu.Unlock()
		}
	}
	for _, t := range targets {
		if stops[t] != nil {
			continue
		}
		m := newMirror(t, g.options)
		g.mu.Lock()
		g.running[t] = m
		g.mu.Unlock()
		inner, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.run(inner)
		}()
		stops[t] = func() {
			cancel()
			<-done
		}
	}
}

// States are those of all mirrors, by id.
func (g *Mirrors) States() []State {
	g.mu.Lock()
	running := slices.Collect(maps.Values(g.running))
	g.mu.Unlock()
	out := make([]State, len(running))
	for i, m := range running {
		out[i] = m.state()
	}
	slices.SortFunc(out, func(a, b State) int { return strings.Compare(a.ID, b.ID) })
	return out
}
