package availability

import (
	"math"
	"time"
)

// Budget is how much of a period a service may be down and still keep its
// objective, and how much of that is gone.
type Budget struct {
	// Objective is the share of the time that was promised, from 0 to 1.
	Objective float64
	// Period is the time that counts: maintenance does not.
	Period time.Duration
	// Allowed is what the objective leaves, Used what was seen to be down, to the
	// millisecond. What is unknown uses nothing.
	Allowed, Used time.Duration
}

// BudgetOf is the budget of a period of which the given share was down, see Estimate.Out.
func BudgetOf(objective, out float64, period time.Duration) Budget {
	of := func(share float64) time.Duration {
		return time.Duration(math.Round(share*float64(period)/float64(time.Millisecond))) * time.Millisecond
	}
	return Budget{Objective: objective, Period: period, Allowed: of(1 - objective), Used: of(out)}
}

// Remaining is what is left, negative when more was used than was allowed.
func (b Budget) Remaining() time.Duration { return b.Allowed - b.Used }

// Left is the share of the budget that is left, 1 for all of it, negative when more was
// used; ok is false for an objective that allows nothing.
func (b Budget) Left() (share float64, ok bool) {
	if b.Allowed <= 0 {
		return 0, false
	}
	return float64(b.Remaining()) / float64(b.Allowed), true
}

// BurnRule is a pair of windows by which it is judged whether a budget is used up too
// fast: Beyer et al., The Site Reliability Workbook, table 5-8.
type BurnRule struct {
	Long, Short time.Duration
	// Rate is how many times as fast as the objective allows is too fast, Spends the
	// share of a budget of 30 days that is then gone within the long window.
	Rate, Spends float64
}

// BurnRules are the pairs, the fastest first.
func BurnRules() []BurnRule {
	const day = 24 * time.Hour
	return []BurnRule{
		{Long: time.Hour, Short: 5 * time.Minute, Rate: 14.4, Spends: 0.02},
		{Long: 6 * time.Hour, Short: 30 * time.Minute, Rate: 6, Spends: 0.05},
		{Long: 3 * day, Short: 6 * time.Hour, Rate: 1, Spends: 0.1},
	}
}

// Burn is how fast the budget is used, by one rule: at rate 1 it lasts for its period.
// What is unknown uses nothing.
type Burn struct {
	BurnRule
	// LongRate and ShortRate are those of the two windows; nil where nothing is known, or
	// the objective allows nothing.
	LongRate, ShortRate *float64
}

// BurnOf is the burn of a rule by what was seen in its windows.
func BurnOf(rule BurnRule, objective float64, long, short Estimate) Burn {
	rate := func(e Estimate) *float64 {
		if !e.Known || objective >= 1 {
			return nil
		}
		return new(e.Out / (1 - objective))
	}
	return Burn{rule, rate(long), rate(short)}
}

// Exceeded says whether the budget is used up too fast: both windows are above the rate,
// the long one because it matters, the short one because it still goes on.
func (b Burn) Exceeded() bool {
	return b.LongRate != nil && b.ShortRate != nil && *b.LongRate > b.Rate && *b.ShortRate > b.Rate
}
