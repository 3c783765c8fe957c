package evidence

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
)

// regionName is what people call a region.
func (c Case) regionName(id string) string {
	i := slices.IndexFunc(c.World.Regions, func(r status.Region) bool { return r.ID == id })
	if i < 0 || c.World.Regions[i].Name == "" {
		return id
	}
	return c.World.Regions[i].Name
}

func (c Case) regionNames(ids []string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = c.regionName(id)
	}
	return graph.List(names)
}

// serviceName is what people call a service.
func (c Case) serviceName(id string) string {
	i := slices.IndexFunc(c.World.Services, func(s incident.Service) bool { return s.ID == id })
	if i < 0 || c.World.Services[i].Name == "" {
		return id
	}
	return c.World.Services[i].Name
}

// failures are the rows of what failed.
func (c Case) failures(a *account) []failureView {
	var out []failureView
	for _, k := range a.failed() {
		f := a.kinds[k]
		all := a.places[k.site].runs.all()
		out = append(out, failureView{
			Check: k.check, Region: c.regionName(k.region), Phase: string(k.phase), Class: string(k.class),
			Counts: fmt.Sprintf("%s of %s", graph.Thousands(f.n), graph.Thousands(all)), Probes: graph.List(slices.Sorted(maps.Keys(f.probes))),
			First: moment(f.first), Last: moment(f.last), Unknown: k.outcome == checks.Unknown,
		})
	}
	return out
}

// clockWords say how far off the clock of a probe was.
func clockWords(p probeRecord) string {
	low, high, measured := 0.0, 0.0, false
	for _, e := range p.Epochs {
		for _, c := range e.Clock {
			if c.Low == nil {
				continue
			}
			if !measured {
				low, high, measured = *c.Low, *c.High, true
			}
			low, high = min(low, *c.Low), max(high, *c.High)
		}
	}
	switch {
	case !measured:
		return "not measured"
	case low == high:
		return fmt.Sprintf("%+.1f ms", low)
	}
	return fmt.Sprintf("%+.1f to %+.1f ms", low, high)
}

// probeNote says what is odd about a probe.
func probeNote(p probeRecord) string {
	var notes []string
	if p.Observations.all() == 0 {
		notes = append(notes, "reported nothing")
	}
	if len(p.Epochs) > 1 {
		notes = append(notes, fmt.Sprintf("started %d times", len(p.Epochs)))
	}
	var dropped uint64
	for _, e := range p.Epochs {
		dropped += e.Dropped
	}
	if dropped > 0 {
		notes = append(notes, "had to drop "+graph.Count(int(dropped), "observation"))
	}
	if p.Gone {
		notes = append(notes, "left the fleet since")
	}
	return strings.Join(notes, ", ")
}

// publicOf is the public part of a key in hexadecimal digits.
func publicOf(key ed25519.PrivateKey) string {
	if len(key) != ed25519.PrivateKeySize {
		return ""
	}
	return hex.EncodeToString(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}
