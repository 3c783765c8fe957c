package ingest

import (
	"slices"
	"sync"
	"time"

	"varde/proto/wire"
)

const (
	// clockSamples is how many exchanges the offset is the median of.
	clockSamples = 8
	// slowExchange is the longest exchange that says anything: half of it is
	// how wrong it can be.
	slowExchange = 5 * time.Second
	// MaxOffset is how far a probe's clock may be off for its times still to be
	// corrected.
	MaxOffset = wire.MaxClockOffset
)

// clock measures how far a probe's clock is ahead of ours, by the exchanges of
// one stream: each sample is the probe's time minus the middle between question
// and answer, the offset the median of the last eight. There is one question on
// its way at a time.
type clock struct {
	mu      sync.Mutex // protects all following fields
	id      uint64
	asked   time.Time // zero when no answer is awaited
	samples []time.Duration
	taken   int
}

// ask returns the id of a new question, which is sent at the given time.
func (c *clock) ask(at time.Time) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id++
	c.asked = at
	return c.id
}

// answer takes the answer to a question and reports whether to ask the next one
// at once.
func (c *clock) answer(id uint64, probe, at time.Time) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != c.id || c.asked.IsZero() {
		return false
	}
	took := at.Sub(c.asked)
	middle := c.asked.Add(took / 2)
	c.asked = time.Time{}
	c.taken++
	if took <= slowExchange {
		c.samples = append(c.samples, probe.Sub(middle))
		c.samples = c.samples[max(0, len(c.samples)-clockSamples):]
	}
	return c.taken < clockSamples
}

// offset is the probe's clock minus ours, false while it is not known.
func (c *clock) offset() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.samples)
	if n == 0 {
		return 0, false
	}
	s := slices.Sorted(slices.Values(c.samples))
	if n%2 == 1 {
		return s[n/2], true
	}
	return s[n/2-1] + (s[n/2]-s[n/2-1])/2, true
}
