package availability

import "strconv"

// Objectives count what became of what was promised of several services.
type Objectives struct {
	// Promised are all, Kept those of which enough is known to say so, Unknown those of
	// which it is not; the others were missed.
	Promised, Kept, Unknown int
	// Broken are the ids of the regions in which one was missed: a mean must not hide
	// them.
	Broken []string
}

// Add counts a service with the share of the time that was promised; zero for none.
func (o *Objectives) Add(objective float64, n Numbers) {
	if objective <= 0 {
		return
	}
	switch n.Whole.Kept() {
	case ObjectiveKept:
		o.Kept++
	case ObjectiveUnknown:
		o.Unknown++
	}
	o.Promised++
	for _, r := range n.Regions {
		if r.Kept() == ObjectiveMissed {
			o.Broken = append(o.Broken, r.Region)
		}
	}
}

// Words say it in one sentence; named makes words of the ids of regions.
func (o Objectives) Words(named func(regions []string) string) string {
	noun := " objectives kept"
	if o.Promised == 1 {
		noun = " objective kept"
	}
	words := strconv.Itoa(o.Kept) + " of " + strconv.Itoa(o.Promised) + noun
	switch {
	case o.Promised == 0:
		return "No service has an objective."
	case o.Kept == o.Promised && len(o.Broken) == 0:
		return "Every objective was kept."
	case o.Kept == o.Promised:
		words = "Every objective was kept over all regions"
	}
	if len(o.Broken) > 0 {
		words += ", broken in " + named(o.Broken)
	}
	if o.Unknown > 0 {
		words += ", too little known of " + strconv.Itoa(o.Unknown)
	}
	return words + "."
}
