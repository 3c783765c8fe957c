package confirm

import (
	"sync"
	"time"

	"varde/checks"
)

const (
	// shortest is how long no attempt is given up as stuck, whatever is usual:
	// three seldom round trips, and one packet that is lost.
	shortest = time.Second
	// slack times what nearly all runs take is what one may take.
	slack = 3
	// patient is what a phase must have taken in health once for it never to be
	// held for stuck: some servers let strangers wait on purpose (postscreen).
	patient = 3 * time.Second
	// generation is how long runs are counted together: what is usual is that of
	// the last one or two of them.
	generation = 12 * time.Hour
)

// bounds are the upper ends of the classes in which the durations of phases are
// counted: below the first of them, shortest holds anyhow.
func bounds() [9]time.Duration {
	return [...]time.Duration{
		shortest / slack, 420 * time.Millisecond, 530 * time.Millisecond, 670 * time.Millisecond, 850 * time.Millisecond,
		1100 * time.Millisecond, 1500 * time.Millisecond, 2100 * time.Millisecond, patient,
	}
}

// counted is how many runs took how long: one number for each of the bounds, and
// one for those beyond.
type counted [10]uint16

// usual is what one phase of a series took: in the generation under way and in
// the one before it.
type usual struct {
	phase       checks.Phase
	now, before counted
}

// Usual is how long the phases of each series take in health. Its methods may be
// called from many goroutines.
type Usual struct {
	mu     sync.Mutex // protects all following fields
	turned time.Time
	// phases are a few for each series: a list takes a tenth of a map.
	phases map[Series][]usual
}

// NewUsual returns a Usual that knows nothing.
func NewUsual() *Usual {
	return &Usual{turned: time.Now(), phases: map[Series][]usual{}}
}

// Learn takes in the phases of a run that was up.
func (u *Usual) Learn(s Series, phases []checks.PhaseTiming) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turnLocked()
	for _, p := range phases {
		known := u.phaseLocked(s, p.Name)
		if known == nil {
			u.phases[s] = append(u.phases[s], usual{phase: p.Name})
			known = u.phaseLocked(s, p.Name)
		}
		if n := &known.now[class(p.Duration)]; *n < 1<<16-1 {
			*n++
		}
	}
}

// phaseLocked is what is known of a phase, nil for nothing.
func (u *Usual) phaseLocked(s Series, p checks.Phase) *usual {
	all := u.phases[s]
	for i := range all {
		if all[i].phase == p {
			return &all[i]
		}
	}
	return nil
}

// class is the place of a duration among the bounds.
func class(d time.Duration) int {
	for i, b := range bounds() {
		if d <= b {
			return i
		}
	}
	return len(counted{}) - 1
}

// turnLocked begins the next generation when it is time.
func (u *Usual) turnLocked() {
	now := time.Now()
	if now.Sub(u.turned) < generation {
		return
	}
	u.turned = now
	for _, phases := range u.phases {
		for i := range phases {
			phases[i].before, phases[i].now = phases[i].now, counted{}
		}
	}
}

// Patience is how long an attempt may stand still in a phase before it is held for
// stuck: 1 s, or three times what 95 of 100 runs took if that is longer. Never is
// true for a phase that has taken over 3 s in health.
func (u *Usual) Patience(s Series, p checks.Phase) (d time.Duration, never bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.phaseLocked(s, p)
	if known == nil {
		return shortest, false
	}
	return known.patience()
}

func (k *usual) patience() (d time.Duration, never bool) {
	runs := func(i int) int { return int(k.now[i]) + int(k.before[i]) }
	total := 0
	for i := range k.now {
		total += runs(i)
	}
	if runs(len(k.now)-1) > 0 {
		return 0, true
	}
	seen := 0
	for i, b := range bounds() {
		seen += runs(i)
		if 100*seen >= 95*total {
			return max(shortest, slack*b), false
		}
	}
	return shortest, false
}

// Keep forgets every series but those that are still looked at.
func (u *Usual) Keep(still func(check string) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for s := range u.phases {
		if !still(s.Check) {
			delete(u.phases, s)
		}
	}
}
