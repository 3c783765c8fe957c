package agent

import "time"

// firstRest is how long who turned us away is left alone at first; after the
// next time it is twice, and then always four times that.
const firstRest = 15 * time.Minute

// ladder is how often something that turned us away was left alone for it.
type ladder struct {
	rests int
	// next is when the next attempt may be made, while there are rests.
	next time.Time
}

// resting says whether there must be no attempt now.
func (l *ladder) resting(now time.Time) bool { return l.rests > 0 && now.Before(l.next) }

// try begins an attempt; retry is true for the one after a rest, during which
// all others go on resting.
func (l *ladder) try(now time.Time) (retry bool) {
	if l.rests == 0 {
		return false
	}
	l.next = now.Add(l.rest())
	return true
}

// climb begins the next rest. What an attempt met that began before the rest
// under way is no news.
func (l *ladder) climb(retry bool, now time.Time) (rests bool) {
	if !retry && l.rests > 0 {
		return false
	}
	l.rests++
	l.next = now.Add(l.rest())
	return true
}

// again lets the attempt after a rest be made anew: this one did not come so far.
func (l *ladder) again(retry bool, now time.Time) {
	if retry {
		l.next = now
	}
}

func (l *ladder) rest() time.Duration { return firstRest << min(l.rests-1, 2) }

// until is the end of the rest, for people.
func (l *ladder) until() string { return l.next.UTC().Format("15:04 UTC") }
