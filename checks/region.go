package checks

import "slices"

// In says whether the check is made in a region.
func (t Target) In(region string) bool {
	return len(t.Regions) == 0 || slices.Contains(t.Regions, region)
}
