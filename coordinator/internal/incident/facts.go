package incident

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// Facts are what was measured around an incident beside the verdicts of its members.
type Facts struct {
	// Readings are what all series of its services, and of others on its networks, said
	// while it was worst.
	Readings []Reading
	// Shifts are what changed in what servers show.
	Shifts []Shift
	// Samples are observations of its services in its time; no more than SamplesMax are
	// looked at, from the first on.
	Samples []checks.Observation
	// Usual are the times that connects took before.
	Usual []Usual
}

// SamplesMax is how many samples are enough to tell what kind of trouble it is.
const SamplesMax = 5000

// Reading is what one series said.
type Reading struct {
	verdict.Series
	State    verdict.State
	Networks []string
}

// Shift is one change in what a server shows: its address, or the issuer or the key of
// its certificate.
type Shift struct {
	At            time.Time
	Check, Region string
	// What is "address", "issuer" or "key".
	What, From, To string
}

// Usual is how long the TCP connect of a series usually takes.
type Usual struct {
	verdict.Series
	Connect time.Duration
}

// scene is an incident with the facts around it.
type scene struct {
	*atlas
	incident *Incident
	readings []Reading
	shifts   []Shift
	samples  []checks.Observation
	usual    map[verdict.Series]time.Duration
}

func newScene(w World, i *Incident, f Facts) *scene {
	s := &scene{atlas: w.atlas(), incident: i, readings: f.Readings, usual: make(map[verdict.Series]time.Duration, len(f.Usual))}
	for _, u := range f.Usual {
		s.usual[u.Series] = u.Connect
	}
	s.samples = f.Samples[:min(len(f.Samples), SamplesMax)]
	for _, x := range f.Shifts {
		if slices.Contains(i.Services(), s.service(x.Check)) && s.isDuring(x.At) {
			s.shifts = append(s.shifts, x)
		}
	}
	slices.SortStableFunc(s.shifts, func(a, b Shift) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Check, b.Check)) })
	return s
}

// shiftBefore is how long before an incident a change may have to do with it.
const shiftBefore = time.Hour

func (s *scene) isDuring(at time.Time) bool {
	return !at.Before(s.incident.Started.Add(-shiftBefore)) && (s.incident.Recovered.IsZero() || !at.After(s.incident.Recovered))
}

// with are the members whose worst was one of some classes.
func (s *scene) with(classes ...checks.Class) []Member {
	return only(s.incident.Members, func(m Member) bool { return slices.Contains(classes, m.Class) })
}

// pick are the samples that are like that.
func (s *scene) pick(is func(checks.Observation) bool) []checks.Observation {
	return only(s.samples, is)
}

func only[T any](list []T, is func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return !is(x) })
}

// well are the regions from which services of some members work, as far as was
// measured, sorted.
func (s *scene) well(members []Member) []string {
	services := sorted(members, serviceOf)
	ill := s.incident.Regions()
	up := only(s.readings, func(r Reading) bool {
		return r.State == verdict.Up && slices.Contains(services, s.service(r.Check)) && !slices.Contains(ill, r.Region)
	})
	return sorted(up, func(r Reading) string { return r.Region })
}

// beside says what else is on the networks of some members, and how it is; nothing if
// nothing else is known there.
func (s *scene) beside(members []Member) string {
	services := sorted(members, serviceOf)
	other := func(as func(verdict.State) bool) []string {
		list := only(s.readings, func(r Reading) bool {
			return as(r.State) && !slices.Contains(services, s.service(r.Check)) && slices.ContainsFunc(members, func(m Member) bool {
				return slices.ContainsFunc(m.Networks, func(n string) bool { return slices.Contains(r.Networks, n) })
			})
		})
		return named(sorted(list, func(r Reading) string { return s.service(r.Check) }), s.serviceName)
	}
	ill := other(bad)
	well := only(other(func(v verdict.State) bool { return v == verdict.Up }), func(name string) bool { return !slices.Contains(ill, name) })
	words := ""
	if len(ill) > 0 {
		words += "; " + list(ill) + " on the same network fail" + ending(ill) + " too"
	}
	if len(well) > 0 {
		words += "; " + list(well) + " on the same network work" + ending(well)
	}
	return words
}

// ending is that of a verb whose subject are some names.
func ending(names []string) string {
	if len(names) == 1 {
		return "s"
	}
	return ""
}

// connect is how long the TCP connect of a sample took; ok is false if it did not come
// about.
func connect(o checks.Observation) (took time.Duration, ok bool) {
	k := slices.IndexFunc(o.Phases, func(p checks.PhaseTiming) bool { return p.Name == checks.Connect })
	if k < 0 || o.FailedPhase == checks.Connect {
		return 0, false
	}
	return o.Phases[k].Duration, true
}

// usualConnect is what a sample is compared with, 0 if nothing is known.
func (s *scene) usualConnect(o checks.Observation) time.Duration {
	return s.usual[verdict.Series{Check: o.Check, Region: o.Region, Family: o.Family}]
}

// code is the HTTP status with which the words of a sample begin, 0 if they begin with
// none.
func code(o checks.Observation) int {
	if len(o.Detail) < 3 {
		return 0
	}
	n, err := strconv.Atoi(o.Detail[:3])
	if err != nil {
		return 0
	}
	return n
}
