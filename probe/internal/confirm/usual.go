package confirm

import (
	"maps"
	"slices"
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

// counted is how many runs took longer than the first of the bounds: one number for
// each of the others, and one for those beyond.
type counted [9]uint16

// generations are two numbers, or lists of them: of the generation under way and
// of the one before it.
type generations[T any] struct{ now, before T }

// times are what the runs of a series took. Nearly all take no time worth noting,
// and of 10,000 checks each byte counts ten thousand times.
type times struct {
	runs generations[uint32]
	slow []slowPhase
}

// slowPhase is a phase that has taken longer than the first of the bounds.
type slowPhase struct {
	name checks.Phase
	took generations[counted]
}

// Usual is how long the phases of each series take in health. Its methods may be
// called from many goroutines.
type Usual struct {
	mu     sync.Mutex // protects all following fields
	turned time.Time
	series map[Series]*times
}

// NewUsual returns a Usual that knows nothing.
func NewUsual() *Usual {
	return &Usual{turned: time.Now(), series: map[Series]*times{}}
}

// Learn takes in the phases of a run that was up.
func (u *Usual) Learn(s Series, phases []checks.PhaseTiming) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turnLocked()
	known := u.series[s]
	if known == nil {
		known = new(times)
		u.series[s] = known
	}
	known.runs.now++
	for _, p := range phases {
		known.count(p.Name, p.Duration)
		if p.Name == checks.StartTLS { // it begins as a question for capabilities, and is one while that lasts
			known.count(checks.Capability, p.Duration)
		}
	}
}

func (t *times) count(p checks.Phase, took time.Duration) {
	if took <= bounds()[0] {
		return
	}
	i := slices.IndexFunc(t.slow, func(k slowPhase) bool { return k.name == p })
	if i < 0 {
		i = len(t.slow)
		t.slow = append(t.slow, slowPhase{name: p})
	}
	if n := &t.slow[i].took.now[class(took)]; *n < 1<<16-1 {
		*n++
	}
}

// class is the place of a duration among the bounds after the first.
func class(d time.Duration) int {
	all := bounds()
	for i, b := range all[1:] {
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
	for _, t := range u.series {
		t.runs = generations[uint32]{before: t.runs.now}
		for i := range t.slow {
			t.slow[i].took = generations[counted]{before: t.slow[i].took.now}
		}
	}
}

// Patience is how long an attempt may stand still in a phase before it is held for
// stuck: 1 s, or three times what 95 of 100 runs took if that is longer. Never is
// true for a phase that has taken over 3 s in health.
func (u *Usual) Patience(s Series, p checks.Phase) (d time.Duration, never bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.series[s]
	if known == nil {
		return shortest, false
	}
	for _, k := range known.slow {
		if k.name == p {
			return k.patience(int(known.runs.now) + int(known.runs.before))
		}
	}
	return shortest, false
}

// patience is that of a phase of so many runs, of which some were slow.
func (k slowPhase) patience(total int) (d time.Duration, never bool) {
	slower := 0
	for i := range k.took.now {
		slower += k.runs(i)
	}
	all := bounds()
	if k.runs(len(all)-1) > 0 {
		return 0, true
	}
	for i, b := range all {
		if 100*slower <= 5*total {
			return max(shortest, slack*b), false
		}
		slower -= k.runs(i)
	}
	return slack * patient, false
}

func (k slowPhase) runs(class int) int { return int(k.took.now[class]) + int(k.took.before[class]) }

// Keep forgets every series but those that are still looked at.
func (u *Usual) Keep(still func(check string) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.series, func(s Series, _ *times) bool { return !still(s.Check) })
}
