package status

// Component is one service in one region, with the weight of the region.
type Component struct {
	Status Status
	Weight float64
}

// OfService is the status of a service, made of those of its regions.
func OfService(regions []Component) Status {
	var out, all float64
	worst, equal := Operational, true
	for _, r := range regions {
		equal = equal && r.Weight <= 0 // none has any weight: they are equal
	}
	for _, r := range regions {
		w := max(r.Weight, 0)
		if equal {
			w = 1
		}
		all += w
		if r.Status == Major {
			out += w
		}
		worst = Worst(worst, r.Status)
	}
	switch {
	case worst == Major && 3*out >= 2*all:
		return Major
	case worst.Gravity() >= Partial.Gravity():
		return Partial
	}
	return worst
}
