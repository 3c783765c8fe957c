package cell

import (
	"time"

	"varde/coordinator/internal/availability"
)

// Hour is one hour of one series, minute by minute, of one probe or of several.
type Hour struct {
	// Probes is how many probes should have looked, in all of the region.
	Probes int
	// Minutes are nil where nothing is known of the minute, not even a failure of
	// ours.
	Minutes [60]*Minute
	// Quarters are the phases, by quarter of the hour.
	Quarters [4]Phases
}

// Merge takes everything that o holds, which is of other probes.
func (h *Hour) Merge(o *Hour) {
	h.Probes = max(h.Probes, o.Probes)
	for i, m := range o.Minutes {
		if m == nil {
			continue
		}
		if h.Minutes[i] == nil {
			h.Minutes[i] = new(Minute)
		}
		h.Minutes[i].Merge(m)
	}
	for i, q := range o.Quarters {
		h.Quarters[i].Merge(q)
	}
}

// Total adds the hour up.
func (h *Hour) Total(minProbes int) (t Total) {
	for _, m := range h.Minutes {
		t.AddMinute(m, h.Probes, minProbes, time.Minute)
	}
	for _, q := range h.Quarters {
		t.Phases.Merge(q)
	}
	return t
}

// Totals are those of the hours of a day, or the days of a month, of one series; nil
// where nothing is known.
type Totals []*Total

// Total is what a stretch of time holds, added up: an hour, a day, or any number
// of minutes. The zero value is that of no time at all.
type Total struct {
	// Sums count a slot that should have been there and is not as unknown.
	availability.Sums
	// Coverage counts the minutes that the total speaks for.
	Coverage availability.Coverage
	// Completed are the runs that were up, whose times Latency holds.
	Completed uint64
	Latency   Sketch
	Phases    Phases
	Failures  Failures
}

// AddMinute adds one minute, of which the given length has passed and in which
// that many probes should have looked; it is covered when at least minProbes had a
// known slot in it. m is nil if nothing is known of the minute.
func (t *Total) AddMinute(m *Minute, probes, minProbes int, passed time.Duration) {
	if m == nil {
		m = new(Minute)
	}
	t.Sums = t.Sums.Merge(m.Fill(time.Duration(probes) * passed))
	t.Coverage.Minutes++
	if m.Covered(minProbes) {
		t.Coverage.Covered++
	}
	t.Completed += m.Latency.Count()
	t.Latency.Merge(m.Latency)
	t.Failures.Merge(m.Failures)
}

// Merge takes everything that o holds.
func (t *Total) Merge(o Total) {
	t.Sums = t.Sums.Merge(o.Sums)
	t.Coverage = t.Coverage.Merge(o.Coverage)
	t.Completed += o.Completed
	t.Latency.Merge(o.Latency)
	t.Phases.Merge(o.Phases)
	t.Failures.Merge(o.Failures)
}
