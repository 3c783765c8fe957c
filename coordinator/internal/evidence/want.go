package evidence

import (
	"slices"
	"time"
)

// Margin is how long before an incident and after it its checks are of interest.
const Margin = time.Hour

// Want is an incident whose observations are to be kept.
type Want struct {
	// Incident is its id.
	Incident string
	// Checks are those that it is of, by id.
	Checks []string
	// From is when it began, Until when it was over; zero while it is not.
	From, Until time.Time
}

// window is the time in which a run must have ended to be kept.
func (w Want) window() span {
	s := span{from: w.From.Add(-Margin)}
	if !w.Until.IsZero() {
		s.to = w.Until.Add(Margin)
	}
	return s
}

// same says whether both ask for the same.
func (w Want) same(o Want) bool {
	return slices.Equal(w.Checks, o.Checks) && w.From.Equal(o.From) && w.Until.Equal(o.Until)
}

// span is the time [from, to), without an end where to is zero.
type span struct{ from, to time.Time }

func (s span) holds(t time.Time) bool {
	return !t.Before(s.from) && (s.to.IsZero() || t.Before(s.to))
}

// meets says whether any of [from, to] lies in the span.
func (s span) meets(from, to time.Time) bool {
	return !to.Before(s.from) && (s.to.IsZero() || from.Before(s.to))
}

// claim is what one incident wants of one check: what ended in the span and was not
// kept before.
type claim struct {
	incident string
	span
	// kept is what needs no keeping, if done.
	kept span
	done bool
}

func (c claim) wants(t time.Time) bool { return c.holds(t) && (!c.done || !c.kept.holds(t)) }

// claims are those of each check.
type claims map[string][]claim

// claimsOf are those of wants of which nothing was kept.
func claimsOf(wants map[string]Want) claims {
	out := claims{}
	for _, w := range wants {
		out.add(w, Want{})
	}
	return out
}

// add adds what was not kept yet of a want, where what was kept is that of an earlier
// one. It returns when the first of it can have happened; ok is false if nothing is
// missing.
func (l claims) add(w, kept Want) (since time.Time, ok bool) {
	all := claim{incident: w.Incident, span: w.window()}
	rest := all
	rest.kept, rest.done = kept.window(), true
	longer := all.from.Before(rest.kept.from)
	later := !rest.kept.to.IsZero() && (all.to.IsZero() || all.to.After(rest.kept.to))
	begin := func(c claim, check string, at time.Time) {
		l[check] = append(l[check], c)
		if !ok || at.Before(since) {
			since, ok = at, true
		}
	}
	for _, check := range w.Checks {
		switch {
		case !slices.Contains(kept.Checks, check):
			begin(all, check, all.from)
		case longer:
			begin(rest, check, all.from)
		case later:
			begin(rest, check, rest.kept.to)
		}
	}
	return since, ok
}
