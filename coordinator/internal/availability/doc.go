// Package availability turns observations into numbers: how long a service could
// be reached, how long it could not, and how well we looked. It is pure.
//
// A scheduled observation speaks for its own slot [scheduled, scheduled +
// interval). What was looked at again after a failure is left out, since looking
// harder after a failure would bias the number. With sums of slots up, down and
// unknown:
//
//	availability = up / (up + down)      unknown left out
//	coverage     = minutes in which enough probes had a known slot / minutes
//
// A slot without an observation is unknown. Several probes of a region, and
// several checks of a service in a region, add up second by second; a number for
// all regions is the mean of the regions by weight and never over probes, so that
// a region with many probes does not count for more.
//
// Slots can be added to minutes in any order, and sums merged in any grouping, with
// the same result down to the last nanosecond: everything is an integer.
// Adding any number of unknown slots changes no ratio.
//
// A number says how it was made. An [Estimate] has an interval that takes into account that
// failures come together ([Clustering]), its coverage, and a label where that is thin. Announced
// maintenance ([Window]) leaves both sides of a second number, and stays in the first.
// [Curve] tells many blips from one long outage, [Budget] and [Burn] measure against
// what was promised, and [Statuspage] is the figure that other pages would show.
package availability
