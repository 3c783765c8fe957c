package availability

import "time"

// Outage is how a status page counts what it shows.
type Outage uint8

// The outages. A component that is degraded or in maintenance counts as up.
const (
	NoOutage Outage = iota
	PartialOutage
	MajorOutage
)

// weight is the share of the time that counts as down, as Atlassian Statuspage has it.
func (o Outage) weight() float64 {
	switch o {
	case MajorOutage:
		return 1
	case PartialOutage:
		return 0.3
	}
	return 0
}

// StatusSpan is a stretch of time in which a page showed the same of one component.
type StatusSpan struct {
	From, To time.Time
	Outage   Outage
}

// Statuspage is the figure that a page of Atlassian Statuspage would show for a group
// of components: of each the share of the time of its spans, which must not overlap, in
// which it was not out, a partial outage being 30 % of one; then their mean. ok is
// false when no component has a span. The figure is for comparison with other pages: it is
// made of what was shown and not of what was measured.
func Statuspage(components ...[]StatusSpan) (ratio float64, ok bool) {
	sum, n := 0.0, 0
	for _, spans := range components {
		var all time.Duration
		down := 0.0
		for _, s := range spans {
			d := max(s.To.Sub(s.From), 0)
			all += d
			down += s.Outage.weight() * d.Seconds()
		}
		if all > 0 {
			sum += 1 - down/all.Seconds()
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return min(sum/float64(n), 1), true
}
