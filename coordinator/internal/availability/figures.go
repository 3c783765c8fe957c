package availability

import (
	"time"

	"varde/checks"
)

// Figures are all that is said of how well something could be reached.
type Figures struct {
	// Measured is made of everything, Counted of what was not maintenance: that
	// leaves both sides of the ratio, and is not taken out of the record.
	Measured, Counted Estimate
	// Maintenance is how much of the time it took, of several regions the mean by weight.
	Maintenance time.Duration
	// Curve is made of everything that was measured, also in maintenance; empty where it
	// was not asked for.
	Curve []Worst
	// Budget and Burns leave maintenance out; nil where nothing was promised, and Budget
	// where nothing is known.
	Budget *Budget
	Burns  []Burn
	// Statuspage is the figure of [Statuspage]; nil where no verdict is known.
	Statuspage *float64
}

// Numbers are all numbers of a service over a window, with what they are made of.
type Numbers struct {
	// From and To are the window that they are of: it can be wider than what was asked
	// for, where nothing fine is kept.
	From, To time.Time
	// Whole is that of all regions by weight.
	Whole Figures
	// Regions are those in which the service is asked, in order of their ids.
	Regions []RegionFigures
	// Families are the address families of all regions by weight.
	Families []FamilyFigures
	// Maintenance is what was announced, as it was.
	Maintenance Windows
	// MinutesFrom is since when minutes are kept: the curve begins there where the window
	// begins before, and there are no burn rates of windows that do.
	MinutesFrom time.Time
}

// RegionFigures are the numbers of one region.
type RegionFigures struct {
	Region string
	Figures
}

// FamilyFigures is the number of one address family.
type FamilyFigures struct {
	Family checks.Family
	Estimate
}

// Kept is what became of an objective.
type Kept string

// What can become of an objective. It is unknown where too little was looked at to say
// that it was kept, and missed as soon as so much was seen to be down that nothing that
// was not seen could make up for it.
const (
	ObjectiveKept    Kept = "kept"
	ObjectiveMissed  Kept = "missed"
	ObjectiveUnknown Kept = "unknown"
)

// Kept says what became of the objective; unknown too where there is none.
func (f Figures) Kept() Kept {
	switch {
	case f.Budget != nil && f.Budget.Remaining() < 0:
		return ObjectiveMissed
	case f.Budget != nil && f.Counted.Enough():
		return ObjectiveKept
	}
	return ObjectiveUnknown
}
