package availability

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// BlockLength is the shortest time whose failures are taken for one event.
const BlockLength = 5 * time.Minute

// Cell is what one region saw in a stretch of time.
type Cell struct {
	Sums
	Coverage Coverage
	// Runs are the scheduled runs that were up or down, Failed those that were down.
	Runs, Failed uint64
}

// Merge is the sum of both: commutative and associative, as that of Sums.
func (c Cell) Merge(o Cell) Cell {
	return Cell{c.Sums.Merge(o.Sums), c.Coverage.Merge(o.Coverage), c.Runs + o.Runs, c.Failed + o.Failed}
}

// Account adds up what one region saw, and keeps apart the blocks of time in which
// failures come together. It does not matter in which order or in which pieces
// cells are added, as long as each lies in one block.
type Account struct {
	Cell
	block  time.Duration
	blocks map[int64]Sums
}

// NewAccount returns an empty account with blocks of the given length, BlockLength
// if that is longer.
func NewAccount(block time.Duration) *Account {
	return &Account{block: max(block, BlockLength), blocks: make(map[int64]Sums)}
}

// Add adds a cell that begins at the given time.
func (a *Account) Add(at time.Time, c Cell) {
	a.Cell = a.Merge(c)
	if c.Known() > 0 {
		key := at.Truncate(a.block).Unix()
		a.blocks[key] = a.blocks[key].Merge(c.Sums)
	}
}

// Join adds all that another account with blocks of the same length has.
func (a *Account) Join(o *Account) {
	a.Cell = a.Merge(o.Cell)
	for key, sums := range o.blocks {
		a.blocks[key] = a.blocks[key].Merge(sums)
	}
}

// Region is what the account adds to a number for all regions.
func (a *Account) Region(weight float64) Region {
	return Region{Weight: weight, Sums: a.Sums, Coverage: a.Coverage}
}

// Share is an account with the weight of its region.
type Share struct {
	Weight float64
	*Account
}

// Estimate is a ratio with what it rests on.
type Estimate struct {
	// Known is false where nothing is known; Ratio, Low and High are then zero.
	Known bool
	// Ratio is up / (up + down), of several regions the mean by weight; Low and High
	// bound it with 95 %.
	Ratio, Low, High float64
	// Coverage is the share of the minutes in which we really looked.
	Coverage float64
	// Out is the share of all slots that were down, of several regions the mean by weight.
	// What is unknown is not taken for anything: where all is known it is 1 - Ratio, else
	// less.
	Out float64
	// Cell holds the plain sums over all regions; its coverage counts them alike.
	Cell
	// Effective is to how many independent runs the runs come, Clustering the rho by
	// which that was found.
	Effective, Clustering float64
}

// Enough says whether enough was looked at to take the ratio at its word.
func (e Estimate) Enough() bool { return e.Coverage >= Enough }

// Interval is what bounds the ratio, in words: "99.1 to 99.97 %"; empty where nothing is
// known.
func (e Estimate) Interval(places int) string {
	if !e.Known {
		return ""
	}
	return strings.TrimSuffix(FormatPercent(e.Low, places), " %") + " to " + FormatPercent(e.High, places)
}

// Label is "insufficient data" where too little was looked at, and empty otherwise. It
// stands beside the number and never in place of it.
func (e Estimate) Label() string {
	if e.Enough() {
		return ""
	}
	return "insufficient data"
}

// Estimated is the number of some regions, with an interval for failures that cluster
// as rho says, see [Clustering].
func Estimated(shares []Share, rho float64) Estimate {
	var e Estimate
	for _, s := range shares {
		e.Cell = e.Merge(s.Cell)
	}
	e.Ratio, e.Coverage, e.Known = overall(shares)
	e.Out = out(shares)
	if !e.Known {
		return e
	}
	e.Clustering = rho
	e.Effective = effective(shares, rho)
	e.Low, e.High = Wilson(e.Ratio, e.Effective, Z95)
	return e
}

// out is the share of all slots that were down.
func out(shares []Share) float64 {
	regions := make([]Region, len(shares))
	for i, s := range shares {
		// As a ratio it has the mean that every ratio has.
		regions[i] = Region{Weight: s.Weight, Sums: Sums{Up: s.Down, Down: s.Up + s.Unknown}}
	}
	share, _, _ := Overall(regions)
	return share
}

// Measured is the number of some regions, with clustering as they show it themselves.
func Measured(shares []Share) Estimate { return Estimated(shares, Clustering(shares)) }

// blockTimes are the starts of all blocks of which anything is known, in order.
func blockTimes(shares []Share) []int64 {
	all := make(map[int64]struct{})
	for _, s := range shares {
		for at := range s.blocks {
			all[at] = struct{}{}
		}
	}
	return slices.SortedFunc(maps.Keys(all), cmp.Compare[int64])
}
