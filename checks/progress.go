package checks

import (
	"context"
	"sync"
	"time"
)

// Progress is how an attempt under way gets on: which phase it is in, and when it
// last moved, by a new phase or by bytes that came. The zero value has not moved.
// Its methods may be called from many goroutines.
type Progress struct {
	mu    sync.Mutex // protects all following fields
	phase Phase
	at    time.Time
}

type progressKey struct{}

// WithProgress returns a context under which an attempt keeps p up to date.
func WithProgress(ctx context.Context, p *Progress) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

// progressOf returns the Progress of a context, nil for none.
func progressOf(ctx context.Context) *Progress {
	p, _ := ctx.Value(progressKey{}).(*Progress)
	return p
}

// Last returns the phase under way and when the attempt last moved; zero values
// before its first phase.
func (p *Progress) Last() (Phase, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase, p.at
}

// begin notes a phase; p may be nil, as for came.
func (p *Progress) begin(phase Phase, at time.Time) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase, p.at = phase, at
}

// came notes that bytes came.
func (p *Progress) came() {
	if p == nil {
		return
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = now
}
