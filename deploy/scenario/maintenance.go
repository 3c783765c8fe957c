package scenario

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Reading is what the public page said of a service in a region at a time.
type Reading struct {
	At              time.Duration
	Service, Region string
	// Status is as Atlassian Statuspage words it.
	Status string
}

// Figures are what the numbers of a whole play say of a service in a region.
type Figures struct {
	Service, Region string
	// Maintenance is how much of the time was taken out of the objective.
	Maintenance time.Duration
	// Record are the slots of all that time, Objective those without maintenance.
	Record, Objective Slots
}

// Slots are sums of slots, of all probes and checks: those that were down, and all.
type Slots struct{ Down, All time.Duration }

// underMaintenance is the one status that stands where work was announced.
const underMaintenance = "under_maintenance"

// At says whether the window holds at a time after the start.
func (w Window) At(d time.Duration) bool {
	return time.Duration(w.From) <= d && d < time.Duration(w.To)
}

// ServicesOf are the services of a window, in order: those of its checks.
func (s Scenario) ServicesOf(w Window) (out []string) {
	for name, c := range s.Checks {
		if among(w.Checks, name) {
			out = append(out, c.Of(name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// announced are the windows of a service in a region.
func (s Scenario) announced(service, region string) (out []Window) {
	for _, w := range s.Maintenance {
		if among(w.Regions, region) && slices.Contains(s.ServicesOf(w), service) {
			out = append(out, w)
		}
	}
	return out
}

// maintenance judges what the page and the numbers made of what was announced: in its
// time the page says so of its services and regions, and of no other and at no other
// time; and that time is taken out of the objective and stays in the record. Each service
// and region of a window is one expectation.
func (s Scenario) maintenance(j *Judgement, told Record) {
	if len(s.Maintenance) == 0 {
		return
	}
	for _, service := range s.Services() {
		for _, region := range slices.Sorted(maps.Keys(s.Regions)) {
			windows := s.announced(service, region)
			faults := append(misread(windows, told.Readings, service, region), s.miscounted(windows, told.Figures, service, region)...)
			switch {
			case len(windows) > 0 && len(faults) > 0:
				j.Missed++
				j.Expected++
			case len(windows) > 0:
				j.Found++
				j.Expected++
			default:
				j.False += len(faults)
			}
			for _, fault := range faults {
				j.Complaints = append(j.Complaints, fmt.Sprintf("maintenance of %s in %s: %s", service, region, fault))
			}
		}
	}
}

// misread says which status stood on the page where another should, once.
func misread(windows []Window, readings []Reading, service, region string) []string {
	seen := false
	for _, r := range readings {
		if r.Service != service || r.Region != region {
			continue
		}
		announced := slices.ContainsFunc(windows, func(w Window) bool { return w.At(r.At) })
		if seen = seen || announced; announced != (r.Status == underMaintenance) {
			return []string{fmt.Sprintf("at %s the page says %s", r.At, r.Status)}
		}
	}
	if len(windows) > 0 && !seen {
		return []string{"nobody read the page in its time"}
	}
	return nil
}

// sameShare is by how much two shares of slots may differ: by a slot at every edge, and
// by runs that fail for no reason.
const sameShare = 0.02

// miscounted says what is wrong with the numbers of a service in a region.
func (s Scenario) miscounted(windows []Window, figures []Figures, service, region string) (faults []string) {
	i := slices.IndexFunc(figures, func(f Figures) bool { return f.Service == service && f.Region == region })
	if i < 0 {
		if len(windows) == 0 {
			return nil
		}
		return []string{"there are no numbers"}
	}
	f, want := figures[i], s.lasting(windows)
	if f.Maintenance != want {
		faults = append(faults, fmt.Sprintf("%s were taken out, expected %s", f.Maintenance, want))
	}
	left := 1 - want.Seconds()/s.Length.Seconds()
	if got := f.Objective.All.Seconds() / f.Record.All.Seconds(); !(math.Abs(got-left) <= sameShare) {
		faults = append(faults, fmt.Sprintf("%.3f of the slots count for the objective, expected %.3f", got, left))
	}
	inside, outside := s.troubles(windows, service, region)
	if got := f.Record.Down - f.Objective.Down; got < time.Duration(downHolds*float64(inside)) {
		faults = append(faults, fmt.Sprintf("%s of trouble are in the record alone, expected %s", got, inside))
	}
	if outside == 0 && f.Objective.Down.Seconds() > sameShare*f.Objective.All.Seconds() {
		faults = append(faults, fmt.Sprintf("%s of trouble count for the objective, expected none", f.Objective.Down))
	}
	return faults
}

// lasting is for how long any of some windows holds in the play.
func (s Scenario) lasting(windows []Window) (sum time.Duration) {
	windows = slices.SortedFunc(slices.Values(windows), func(a, b Window) int { return int(a.From - b.From) })
	var until time.Duration
	for _, w := range windows {
		to := min(time.Duration(w.To), s.Length)
		sum += max(0, to-max(time.Duration(w.From), until))
		until = max(until, to)
	}
	return sum
}

// troubles are the slots, of all probes, in which a service must be down in a region
// while a window holds, and while none does. What fails in part only is not counted.
func (s Scenario) troubles(windows []Window, service, region string) (inside, outside time.Duration) {
	for _, e := range s.Expect {
		if e.Region != region || s.Checks[e.Check].Of(e.Check) != service || !e.blames() {
			continue
		}
		all := time.Duration(e.To - e.From)
		var in time.Duration
		for _, w := range windows {
			in += max(0, time.Duration(min(w.To, e.To)-max(w.From, e.From)))
		}
		if outside += max(0, all-in); len(e.State) == 1 && e.State[0] == Down {
			inside += min(in, all) * time.Duration(s.Regions[region])
		}
	}
	return inside, outside
}
