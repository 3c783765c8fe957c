package availability

import "time"

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
