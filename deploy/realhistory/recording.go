package realhistory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"varde/checks"
)

// Check is which check a site is, and of which service.
type Check struct{ ID, Service string }

// Page is a status page whose history is recorded.
type Page struct {
	// Probe and Region are the names of who looks; Sites maps the name of a site to
	// its check. Other sites are left out.
	Probe, Region string
	Sites         map[string]Check
	// Every is how often the page looks.
	Every time.Duration
}

// noAnswer is how long the page waits for one.
const noAnswer = 10 * time.Second

// Observations are those that the page made in [from, to), in the order in which they
// ended. The looks are in order of time. What held at from has to be among them.
func (p Page) Observations(looks []Look, from, to time.Time) []checks.Observation {
	bySite := map[string][]Look{}
	for _, l := range looks {
		if _, wanted := p.Sites[l.Site]; wanted {
			bySite[l.Site] = append(bySite[l.Site], l)
		}
	}
	var out []checks.Observation
	for _, site := range slices.Sorted(maps.Keys(bySite)) {
		for _, l := range p.between(bySite[site], to) {
			if !l.At.Before(from) && l.At.Before(to) {
				out = append(out, p.observation(l))
			}
		}
	}
	slices.SortStableFunc(out, func(a, b checks.Observation) int {
		return cmp.Or(a.End().Compare(b.End()), cmp.Compare(a.Check, b.Check))
	})
	for i := range out {
		out[i].Seq = uint64(i + 1)
	}
	return out
}

// between are the looks at one site with those that showed the same and were not
// written down. None of those is closer than half of the cadence to the next one.
func (p Page) between(looks []Look, to time.Time) (out []Look) {
	usual := median(looks)
	for i, l := range looks {
		next := to
		if i+1 < len(looks) {
			next = looks[i+1].At
		}
		out = append(out, l)
		if l.Up {
			l.Took = usual
		}
		for l.At = l.At.Add(p.Every); next.Sub(l.At) >= p.Every/2 && l.At.Before(to); l.At = l.At.Add(p.Every) {
			out = append(out, l)
		}
	}
	return out
}

// median is how long the answers of a site took that is up.
func median(looks []Look) time.Duration {
	var took []time.Duration
	for _, l := range looks {
		if l.Up {
			took = append(took, l.Took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// observation is what a look saw.
func (p Page) observation(l Look) checks.Observation {
	check := p.Sites[l.Site]
	o := checks.Observation{
		Check: check.ID, Service: check.Service, Probe: p.Probe, Region: p.Region, Family: checks.IPv4,
		Trigger: checks.Scheduled, Scheduled: l.At, Started: l.At, Every: p.Every,
		Result: checks.Result{Outcome: checks.Up, Elapsed: l.Took, Phases: []checks.PhaseTiming{{Name: checks.FirstByte, Duration: l.Took}}},
	}
	switch {
	case l.Up:
	case l.Status == 0:
		o.Outcome, o.FailedPhase, o.Class, o.Detail = checks.Down, checks.Connect, checks.ConnectTimeout, "no answer; the page does not say why"
		o.Elapsed, o.Phases = noAnswer, []checks.PhaseTiming{{Name: checks.Connect, Duration: noAnswer}}
	default:
		o.Outcome, o.FailedPhase, o.Class, o.Detail = checks.Down, checks.FirstByte, checks.HTTPStatus, fmt.Sprint(l.Status)
	}
	return o
}

// Write writes a recording, one JSON object a line.
func Write(w io.Writer, observations []checks.Observation) error {
	out := json.NewEncoder(w)
	for _, o := range observations {
		if err := out.Encode(o); err != nil {
			return fmt.Errorf("write observation: %w", err)
		}
	}
	return nil
}

// Config is a coordinator's configuration by which the recording can be judged: one
// probe is enough, since there is no other.
func (p Page) Config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: c1\nadvertise: [\"127.0.0.1:7950\"]\nmin_probes: 1\nregions:\n  - {id: %s}\nservices:\n", p.Region)
	services, lines := map[string]bool{}, []string{}
	for _, c := range p.Sites {
		services[c.Service] = true
		lines = append(lines, fmt.Sprintf("  - {id: %s, service: %s, kind: https, url: %q, every: %s, families: [ipv4]}\n", c.ID, c.Service, "https://"+c.ID+".example.net/", p.Every))
	}
	for _, id := range slices.Sorted(maps.Keys(services)) {
		fmt.Fprintf(&b, "  - {id: %s}\n", id)
	}
	slices.Sort(lines)
	return b.String() + "checks:\n" + strings.Join(lines, "")
}
