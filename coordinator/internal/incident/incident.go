package incident

import (
	"cmp"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// Incident is a span of bad verdicts with one cause, as far as we can tell. It is
// the machine's part of it: nothing in here was written by a person.
type Incident struct {
	// ID names the incident for ever. It follows from Key alone.
	ID  string `json:"id"`
	Key Key    `json:"key"`
	// Stage is how far it is.
	Stage Stage `json:"stage"`
	// Started is when the first observation failed that led to it, Detected when
	// the verdict was told: zero where nobody was told in time, which makes it
	// "recorded afterwards".
	Started  time.Time `json:"started"`
	Detected time.Time `json:"detected,omitzero"`
	// Recovered is when the last of its series was well again, while it is Monitoring
	// or Resolved; Resolved is when that had lasted long enough.
	Recovered time.Time `json:"recovered,omitzero"`
	Resolved  time.Time `json:"resolved,omitzero"`
	// Intermittent says that its trouble came and went.
	Intermittent bool `json:"intermittent,omitempty"`
	// Draft says that it is for operators to look at and never public by itself: see
	// [Book.Notice]. It has no members.
	Draft bool `json:"draft,omitempty"`
	// Impact is the gravest that it was at any time.
	Impact Impact `json:"impact"`
	// Members are the series that are or were part of it, in the order of series.
	Members []Member `json:"members"`
	// Steps are what happened, in order: the machine's account of it. Omitted sums up
	// those that are left out of the middle of a long one.
	Steps   []Step   `json:"steps"`
	Omitted *Omitted `json:"omitted,omitempty"`
	// Turns are the last few at which the whole of it was ill or well again.
	Turns []Turn `json:"turns,omitempty"`
	// SplitFrom is the incident that it was a part of before a person split it off.
	SplitFrom string `json:"split_from,omitempty"`
	// Final are the ids of the incidents that the final record shows in its place,
	// Unshown says that it shows none: see [Reconcile].
	Final   []string `json:"final,omitempty"`
	Unshown bool     `json:"unshown,omitempty"`
}

// Member is one series of an incident.
type Member struct {
	verdict.Series
	Service string `json:"service"`
	// State is what holds now, Told when that was said, Worst the gravest since it
	// joined.
	State verdict.State `json:"state"`
	Told  time.Time     `json:"told"`
	Worst verdict.State `json:"worst"`
	// Since is when its trouble first began, Until when it was last over: zero while
	// it is bad, or was when it was last known.
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"`
	// Gone says that its check is no longer asked, or that its trouble is another
	// incident's now: in this one it is neither ill nor well.
	Gone bool `json:"gone,omitempty"`
	// Group, Phase, Class, Networks, Counts and Reason are of the first change to the
	// worst state.
	Group    Group          `json:"group"`
	Phase    checks.Phase   `json:"phase,omitempty"`
	Class    checks.Class   `json:"class,omitempty"`
	Networks []string       `json:"networks,omitempty"`
	Counts   verdict.Counts `json:"counts"`
	Reason   string         `json:"reason"`
	// Groups are all that its trouble was ever of, with a sixth of the failures of a
	// change at least; sorted. Former versions wrote none: then it was Group.
	Groups []Group `json:"groups,omitempty"`
}

// Stage is how far an incident is, in the words of a status page.
type Stage string

// The stages. The machine never says Identified: that is for people.
const (
	Investigating Stage = "investigating"
	Identified    Stage = "identified"
	Monitoring    Stage = "monitoring"
	Resolved      Stage = "resolved"
)

// Turn is a moment at which all of an incident was well again, or something of it
// was ill after that.
type Turn struct {
	At   time.Time `json:"at"`
	Well bool      `json:"well"`
}

// bad says whether a state is trouble. Unknown is not: it claims nothing.
func bad(s verdict.State) bool { return s > verdict.Up }

// ill says whether the series is known to have trouble.
func (m *Member) ill() bool { return !m.Gone && bad(m.State) }

// well says whether nothing of the series keeps the incident open.
func (m *Member) well() bool { return m.Gone || m.State == verdict.Up }

// member is the series of an incident, nil if it is not in it.
func (i *Incident) member(s verdict.Series) *Member {
	at, ok := slices.BinarySearchFunc(i.Members, s, func(m Member, s verdict.Series) int { return m.Compare(s) })
	if !ok {
		return nil
	}
	return &i.Members[at]
}

// add puts a new member in its place.
func (i *Incident) add(m Member) {
	at, _ := slices.BinarySearchFunc(i.Members, m.Series, func(m Member, s verdict.Series) int { return m.Compare(s) })
	i.Members = slices.Insert(i.Members, at, m)
}

// some says whether any member is like that.
func (i *Incident) some(is func(*Member) bool) bool {
	for k := range i.Members {
		if is(&i.Members[k]) {
			return true
		}
	}
	return false
}

func (i *Incident) isWell() bool { return !i.some(func(m *Member) bool { return !m.well() }) }

func (i *Incident) isIll() bool { return i.some((*Member).ill) }

// lastOf is the latest of a time of the members, zero if there are none.
func (i *Incident) lastOf(of func(*Member) time.Time) (last time.Time) {
	for k := range i.Members {
		last = later(last, of(&i.Members[k]))
	}
	return last
}

// Services are the ids of the services of its members, sorted; of a draft, that of
// its key.
func (i *Incident) Services() []string {
	if i.Draft {
		return []string{i.Key.Service}
	}
	return sorted(i.Members, serviceOf)
}

// Regions are the ids of the regions of its members, sorted.
func (i *Incident) Regions() []string {
	return sorted(i.Members, regionOf)
}

// Clone returns a copy that shares nothing with the original.
func (i *Incident) Clone() Incident {
	out := *i
	out.Key.Networks = slices.Clone(i.Key.Networks)
	out.Members = slices.Clone(i.Members)
	for k := range out.Members {
		m := &out.Members[k]
		m.Networks, m.Groups = slices.Clone(m.Networks), slices.Clone(m.Groups)
	}
	out.Steps, out.Turns, out.Final = slices.Clone(i.Steps), slices.Clone(i.Turns), slices.Clone(i.Final)
	out.Omitted = i.Omitted.clone()
	return out
}

// Compare orders incidents by when they started, then by id.
func (i *Incident) Compare(o *Incident) int {
	return cmp.Or(i.Started.Compare(o.Started), cmp.Compare(i.ID, o.ID))
}

// sorted are the distinct values of something of a list, in order.
func sorted[T any](list []T, of func(T) string) []string {
	out := make([]string, 0, len(list))
	for _, x := range list {
		out = append(out, of(x))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
