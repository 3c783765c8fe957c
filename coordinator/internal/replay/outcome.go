package replay

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/record"
	"varde/coordinator/internal/verdict"
)

// Outcome is what one policy says of a recording.
type Outcome struct {
	// Told are the changes as they would have been told, Final those that the whole
	// recording shows, both in order of time.
	Told, Final []verdict.Change
	// Spans are the final verdicts, series by series, the last of each open.
	Spans []verdict.Span
	// Incidents are those of the final record, with when they would have been told;
	// Unshown those that would have been told and are not in it. The oldest first.
	Incidents, Unshown []incident.Incident
	// Alarms is how many would have been told.
	Alarms int
	// Services are the numbers of the services, in the order of the configuration.
	Services []Service
	// World is the one of the policy, with the series of the recording.
	World incident.World
}

// Service is how well a service could be reached.
type Service struct {
	ID, Name string
	// Overall is the mean of the regions by weight.
	Overall Number
	Regions []Region
}

// Region is the same of one region.
type Region struct {
	ID, Name string
	Number
}

// Number is a share of the time, with what it rests on.
type Number struct {
	// Availability is up / (up + down); it says nothing unless Known.
	Availability float64
	Known        bool
	// Coverage is the share of the minutes in which enough probes looked.
	Coverage float64
}

// outcomes puts together what the shards have judged.
func (r *run) outcomes() []Outcome {
	series := slices.SortedFunc(maps.Keys(r.courses), verdict.Series.Compare)
	series = slices.DeleteFunc(series, func(s verdict.Series) bool { return r.courses[s].course.began.IsZero() })
	out := make([]Outcome, len(r.o.Policies))
	for k, p := range r.o.Policies {
		o := &out[k]
		o.World = p.World
		o.World.Series = series
		for _, s := range r.shards {
			o.Told = append(o.Told, s.told[k]...)
		}
		for _, s := range series {
			c := r.courses[s].course
			o.Final = append(o.Final, c.finals[k].changes...)
			o.Spans = append(o.Spans, verdict.Spans(s, verdict.Unknown, c.began, c.finals[k].changes)...)
		}
		inTime(o.Told)
		inTime(o.Final)
		o.Incidents = incident.Derive(o.World, incident.Policy{}, o.Final, r.read.To)
		o.alarm(toldIncidents(o.World, o.Told, r.read.To), r.read.To)
		o.Services = r.services(k, series)
	}
	return out
}

// alarm says of the incidents of the final record when they would have been told.
func (o *Outcome) alarm(told []incident.Incident, at time.Time) {
	o.Alarms = len(told)
	detected := make(map[string]time.Time)
	for _, i := range incident.Reconcile(o.World, told, o.Incidents, at) {
		if len(i.Final) == 0 {
			o.Unshown = append(o.Unshown, i)
		}
		for _, id := range i.Final {
			if first := detected[id]; first.IsZero() || !i.Detected.IsZero() && i.Detected.Before(first) {
				detected[id] = i.Detected
			}
		}
	}
	for k := range o.Incidents {
		o.Incidents[k].Detected = detected[o.Incidents[k].ID]
	}
}

// inTime puts changes in order; those of one series keep theirs.
func inTime(changes []verdict.Change) {
	slices.SortStableFunc(changes, func(a, b verdict.Change) int {
		return cmp.Or(a.At.Compare(b.At), a.Series.Compare(b.Series))
	})
}

// toldIncidents are the incidents of changes as they were told, as they stand at
// until.
func toldIncidents(w incident.World, told []verdict.Change, until time.Time) []incident.Incident {
	known := make(map[string]incident.Incident)
	b := incident.New(w, incident.Policy{Taken: func(id string) bool {
		_, taken := known[id]
		return taken
	}})
	look := func() {
		for _, i := range b.Touched() {
			known[i.ID] = i
		}
	}
	for k, c := range told {
		if k > 0 && !c.At.Equal(told[k-1].At) {
			look()
		}
		b.Observe(c)
	}
	b.Advance(until)
	look()
	return slices.SortedFunc(maps.Values(known), func(a, b incident.Incident) int { return a.Compare(&b) })
}

// services adds up what every service had in every region in which it is asked.
func (r *run) services(policy int, series []verdict.Series) []Service {
	p := r.o.Policies[policy]
	from, until := r.window()
	var out []Service
	for _, s := range p.World.Services {
		service := Service{ID: s.ID, Name: s.Name}
		var parts []availability.Region
		for _, region := range p.World.Regions {
			part, asked := r.part(policy, s.ID, region.ID, series, int(until.Sub(from)/time.Minute))
			if !asked {
				continue
			}
			part.Weight = region.Weight
			parts = append(parts, part)
			service.Regions = append(service.Regions, Region{region.ID, region.Name, numberOf(part)})
		}
		service.Overall = numberOf(parts...)
		out = append(out, service)
	}
	return out
}

func numberOf(parts ...availability.Region) (n Number) {
	n.Availability, n.Coverage, n.Known = availability.Overall(parts)
	return n
}

// part is what a service had in one region: the seconds of all of its checks and
// families. A check of which nothing is known counts for the coverage, with all of the
// minutes. asked is false if no check of the service asks there.
func (r *run) part(policy int, service, region string, series []verdict.Series, minutes int) (part availability.Region, asked bool) {
	fleet := r.o.Policies[policy].Fleet
	seen := make(map[string]bool)
	add := func(sums availability.Sums, covered int) {
		part.Sums = part.Merge(sums)
		part.Coverage = part.Coverage.Merge(availability.Coverage{Covered: covered, Minutes: minutes})
		asked = true
	}
	for _, s := range series {
		if s.Region == region && fleet.Serves(service, s) {
			f := r.courses[s].course.finals[policy]
			add(f.sums, f.covered)
			seen[s.Check] = true
		}
	}
	for _, c := range fleet.Checks {
		if !seen[c.ID] && fleet.Serves(service, verdict.Series{Check: c.ID, Region: region}) {
			add(availability.Sums{}, 0)
		}
	}
	return part, asked
}

// Record is the outcome in the form for other programs.
func (o *Outcome) Record() record.Record {
	out := record.New()
	for _, s := range o.Spans {
		out.Verdicts = append(out.Verdicts, record.OfSpan(s))
	}
	for _, i := range o.Incidents {
		out.Incidents = append(out.Incidents, record.OfIncident(o.World, i))
	}
	for _, s := range o.Services {
		for _, r := range s.Regions {
			n := record.Availability{Service: s.ID, Region: r.ID, Coverage: r.Coverage}
			if r.Known {
				n.Availability = &r.Availability
			}
			out.Availability = append(out.Availability, n)
		}
	}
	return out
}
