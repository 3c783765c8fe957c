package evidence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// reporter is what one probe reported.
type reporter struct {
	name, region, site string
	runs               counts
	epochs             map[string]*life
	// more is how many things came in epochs that were too many.
	more int
}

// life is one epoch of a probe.
type life struct {
	first, last time.Time
	runs        counts
	clocks      []clockRun
	gaps        []gapRecord
	// lost is how many observations those gaps and all others stand for.
	lost uint64
}

// clockRun is a stretch of time in which the clock of a probe was measured to be as far
// off, by when the batches came.
type clockRun struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Low and High are the probe's clock minus ours, in milliseconds; nil where it had
	// not been measured. They differ only in a stretch that is made of many.
	Low  *float64 `json:"low_ms"`
	High *float64 `json:"high_ms"`
}

// gapRecord are observations that a probe had to drop.
type gapRecord struct {
	First uint64    `json:"first_seq"`
	Last  uint64    `json:"last_seq"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
}

func (r *reporter) take(s Seen) {
	l := r.epochs[s.Batch.Epoch]
	if l == nil {
		if len(r.epochs) >= maxEpochs {
			r.more++
			return
		}
		l = &life{first: s.at()}
		r.epochs[s.Batch.Epoch] = l
	}
	l.clock(&s.Batch)
	if g := s.Gap; g != nil {
		l.lost += g.Last - g.First + 1
		if len(l.gaps) < maxRuns {
			from, to := lost(&s.Batch, g)
			l.gaps = append(l.gaps, gapRecord{g.First, g.Last, from, to})
		}
		return
	}
	l.last = s.at()
	l.runs.add(s.Observation.Outcome)
	r.runs.add(s.Observation.Outcome)
}

// clock takes note of the clock that a batch came with.
func (l *life) clock(b *wire.Batch) {
	var off *float64
	if b.ClockKnown {
		ms := checks.Milliseconds(b.ClockOffset)
		off = &ms
	}
	at := b.Received.UTC()
	n := len(l.clocks)
	if n > 0 {
		c := &l.clocks[n-1]
		if c.Low == nil && off == nil || c.Low != nil && off != nil && (n == maxRuns || *c.Low == *off && *c.High == *off) {
			c.widen(at, off)
			return
		}
	}
	if n < maxRuns {
		l.clocks = append(l.clocks, clockRun{at, at, off, off})
	}
}

func (c *clockRun) widen(at time.Time, off *float64) {
	if at.Before(c.From) {
		c.From = at
	}
	if at.After(c.To) {
		c.To = at
	}
	if off != nil {
		low, high := min(*c.Low, *off), max(*c.High, *off)
		c.Low, c.High = &low, &high
	}
}

// probeRecord is a probe in probes.json.
type probeRecord struct {
	Name    string `json:"name"`
	Region  string `json:"region"`
	Site    string `json:"site,omitempty"`
	ASN     uint32 `json:"asn,omitempty"`
	Version string `json:"version,omitempty"`
	// Gone says that it is not on the roster any more.
	Gone         bool          `json:"gone,omitempty"`
	Observations counts        `json:"observations"`
	Epochs       []epochRecord `json:"epochs"`
	Beyond       int           `json:"beyond,omitempty"`
}

type epochRecord struct {
	Epoch string `json:"epoch"`
	// Began is when that life of the program began, by the clock of its machine.
	Began        time.Time   `json:"began,omitzero"`
	First        time.Time   `json:"first"`
	Last         time.Time   `json:"last,omitzero"`
	Observations counts      `json:"observations"`
	Clock        []clockRun  `json:"clock"`
	Dropped      uint64      `json:"dropped,omitempty"`
	Gaps         []gapRecord `json:"gaps,omitempty"`
}

// probeRecords are those that reported, and those of the roster that could have.
func (c Case) probeRecords(a *account) []probeRecord {
	out := make(map[string]probeRecord)
	for name, r := range a.probes {
		out[name] = r.record()
	}
	for _, p := range c.Probes {
		r, ok := out[p.Name]
		if !ok {
			r = probeRecord{Name: p.Name, Region: p.Region, Site: p.Site, Epochs: []epochRecord{}}
		}
		r.ASN, r.Version, r.Gone = p.ASN, p.Version, false
		out[p.Name] = r
	}
	list := append([]probeRecord{}, slices.Collect(maps.Values(out))...) // [] and not null
	slices.SortFunc(list, func(x, y probeRecord) int { return cmp.Compare(x.Name, y.Name) })
	return list
}

func (r *reporter) record() probeRecord {
	out := probeRecord{Name: r.name, Region: r.region, Site: r.site, Gone: true, Observations: r.runs, Beyond: r.more, Epochs: []epochRecord{}}
	for _, epoch := range slices.Sorted(maps.Keys(r.epochs)) {
		l := r.epochs[epoch]
		began, _ := wire.EpochStart(epoch)
		out.Epochs = append(out.Epochs, epochRecord{
			Epoch: epoch, Began: began, First: l.first, Last: l.last, Observations: l.runs, Clock: l.clocks, Dropped: l.lost, Gaps: l.gaps,
		})
	}
	return out
}
