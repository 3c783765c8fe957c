package varde

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Progress shows on a terminal how far something long has come: one line that is drawn
// anew, and taken back in the end. Where nobody looks it shows nothing. It may be used
// from many goroutines.
type Progress struct {
	w     io.Writer
	what  string
	began time.Time

	mu    sync.Mutex // protects all following fields
	drawn time.Time
}

const (
	// drawEvery is how often the line is drawn at most: more cannot be read.
	drawEvery = 100 * time.Millisecond
	// barWidth is that of the bar, in characters.
	barWidth = 30
	// foresee is how much must be done before it is told how long the rest will take.
	foresee = 0.02
)

// NewProgress returns the progress of something that begins now. Terminal says whether
// a writer is one.
func NewProgress(w io.Writer, terminal func(io.Writer) bool, what string) *Progress {
	p := &Progress{what: what, began: time.Now()}
	if terminal(w) {
		p.w = w
	}
	return p
}

// At tells how much of all is done, in any unit. Nothing is drawn of no work.
func (p *Progress) At(done, all int64) {
	if p.w == nil || all <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.drawn) < drawEvery {
		return
	}
	p.drawn = now
	share := min(max(float64(done)/float64(all), 0), 1)
	fmt.Fprintf(p.w, "\r\x1b[K%s  %s %3.0f %%%s", p.what, bar(share), 100*share, left(share, now.Sub(p.began)))
}

// End takes the line back.
func (p *Progress) End() {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func bar(share float64) string {
	full := int(share * barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
}

// left says how long the rest takes if it goes on like this.
func left(share float64, took time.Duration) string {
	if share < foresee {
		return ""
	}
	rest := time.Duration(float64(took) * (1 - share) / share).Round(time.Second)
	return fmt.Sprintf(", %s left", rest)
}
