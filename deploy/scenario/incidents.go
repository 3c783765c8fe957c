package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Incident is one that was told, with times after the start.
type Incident struct {
	ID                string
	Services, Regions []string
	// Began is when its first run failed.
	Began time.Duration
	// Told says that somebody was told while it lasted: else it was recorded
	// afterwards.
	Told bool
	// Ended is when it was resolved; Open says that it is not.
	Ended time.Duration
	Open  bool
}

// String says what the incident says.
func (i Incident) String() string {
	end := "and is open"
	if !i.Open {
		end = "to " + i.Ended.Round(time.Millisecond).String()
	}
	return fmt.Sprintf("incident %s of %s in %s from %s %s", i.ID, strings.Join(i.Services, ", "), strings.Join(i.Regions, ", "), i.Began.Round(time.Millisecond), end)
}

// ExpectedIncident is one that must be told: the whole of one cause, in one piece.
type ExpectedIncident struct {
	// Services and Regions are all that it strikes.
	Services []string `yaml:"services"`
	Regions  []string `yaml:"regions"`
	From     Offset   `yaml:"from"`
	To       Offset   `yaml:"to"`
	// Intermittent says that its trouble comes and goes, which shows later and is not
	// over at once.
	Intermittent bool `yaml:"intermittent"`
	// History says that it is recorded afterwards, because nobody was there who could
	// have been told.
	History bool `yaml:"history"`
	// ofNoise says that it is one of the causes that chance made: several that lie
	// close together may be one incident, and of those that are permitted only a part
	// or nothing may be seen.
	ofNoise, permitted bool
}

// String says what is expected.
func (e ExpectedIncident) String() string {
	return fmt.Sprintf("incident of %s in %s from %s to %s", strings.Join(e.Services, ", "), strings.Join(e.Regions, ", "), e.From, e.To)
}

// runLimit is how long a run takes at most. One that began before its trouble can
// still be the first that fails.
const runLimit = 5 * time.Second

// How long an incident stays open after the last of its verdicts: so many good rounds,
// and so long at least; what comes and goes is held down longer.
const (
	closingRounds = 3
	closingFor    = 3 * time.Minute
	heldDownFor   = 30 * time.Minute
)

// incidents judges those that were told and recorded, where the scenario says
// anything of them: each one that is expected is there once, and there is no other.
func (s Scenario) incidents(j *Judgement, told, final []Incident) {
	if s.ExpectIncidents == nil {
		return
	}
	seen := map[string]bool{}
	for _, e := range s.ExpectIncidents {
		record := told
		if e.History {
			record = final
		}
		i := slices.IndexFunc(record, func(i Incident) bool { return s.isOne(e, i, seen[i.ID]) })
		if i < 0 && e.permitted {
			continue
		}
		j.Expected++
		if i < 0 {
			j.Missed++
			j.Complaints = append(j.Complaints, fmt.Sprintf("missed: %s", e))
			continue
		}
		j.Found++
		seen[record[i].ID] = true
	}
	for _, i := range append(slices.Clone(told), final...) {
		if !seen[i.ID] {
			seen[i.ID] = true
			j.False++
			j.Complaints = append(j.Complaints, "false: "+i.String())
		}
	}
}

// isOne says whether an incident is the one that is expected, unless that was another.
func (s Scenario) isOne(e ExpectedIncident, i Incident, another bool) bool {
	if e.ofNoise {
		return e.within(i)
	}
	return !another && s.is(e, i)
}

// within says whether what chance made is in an incident, by its place and its time:
// the whole of it, or what may have been seen of it.
func (e ExpectedIncident) within(i Incident) bool {
	over := e.To
	if e.permitted {
		over = e.From
	}
	return i.Told && hasAll(i.Regions, e.Regions) && (e.permitted || hasAll(i.Services, e.Services)) &&
		i.Began <= time.Duration(e.To) && (i.Open || i.Ended >= time.Duration(over))
}

// is says whether an incident is the one that is expected. It began when the trouble
// did, and at most as late as a verdict may take; it ended when that was over, and at
// most as late as a verdict is excused and an incident stays open after it.
func (s Scenario) is(e ExpectedIncident, i Incident) bool {
	from, to, slowest := time.Duration(e.From), time.Duration(e.To), s.slowest(e.Services)
	began, over := from+downWithin+2*slowest, to+excusedFor+max(closingFor, closingRounds*slowest)
	if e.Intermittent {
		began, over = from+othersWithin, over+intermittentExcusedFor-excusedFor+heldDownFor
	}
	begins := i.Began >= from-runLimit && i.Began <= min(began, to)
	ends := i.Open && s.Length <= over || !i.Open && i.Ended >= to && i.Ended <= over
	return sameSet(e.Services, i.Services) && sameSet(e.Regions, i.Regions) && begins && ends && i.Told != e.History
}

// slowest is the longest interval of the checks of some services.
func (s Scenario) slowest(services []string) (every time.Duration) {
	for name, c := range s.Checks {
		if slices.Contains(services, c.Of(name)) {
			every = max(every, c.Every)
		}
	}
	return every
}

// hasAll says whether a list has all elements of another.
func hasAll(list, of []string) bool {
	return !slices.ContainsFunc(of, func(x string) bool { return !slices.Contains(list, x) })
}

// sameSet says whether two lists have the same elements, in any order.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
