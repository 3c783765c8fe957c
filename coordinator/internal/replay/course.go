package replay

import (
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/verdict"
)

// course is one series on its way through a recording.
type course struct {
	series verdict.Series
	// number is its place among those of its shard.
	number int
	// began is the start of the earliest run, due when the first slot began; zero while
	// there is none.
	began, due time.Time
	// waiting are the items of the hours that are not judged yet.
	waiting map[int64][]item
	// spare is room for the items of an hour, most how many there were in one.
	spare []item
	most  int
	// finals are what becomes of it, by policy; limit is the longest slot of any.
	finals []final
	limit  time.Duration
}

// final is what the hours of one series that are judged say by one policy.
type final struct {
	rule    verdict.Rule
	limit   time.Duration
	judge   verdict.Judge
	changes []verdict.Change
	sums    availability.Sums
	// covered is in how many minutes enough probes looked.
	covered int
}

func newCourse(s verdict.Series, number int, policies []Policy, rules []verdict.Rules) *course {
	c := &course{series: s, number: number, waiting: make(map[int64][]item), finals: make([]final, len(policies))}
	for k, p := range policies {
		longest := checks.Observation{Check: s.Check, Every: checks.MaxEvery}
		c.finals[k] = final{rule: rules[k][s.Check], limit: p.Fleet.Bounded(longest).Every}
		c.limit = max(c.limit, c.finals[k].limit)
	}
	return c
}

// rewind forgets all that was judged.
func (c *course) rewind() {
	clear(c.waiting)
	for k, f := range c.finals {
		c.finals[k] = final{rule: f.rule, limit: f.limit}
	}
}

// see notes when the series begins.
func (c *course) see(i *item) {
	if c.began.IsZero() || i.Started.Before(c.began) {
		c.began = i.Started
	}
	if i.Scheduled && (c.due.IsZero() || i.Due.Before(c.due)) {
		c.due = i.Due
	}
}

// judge judges one hour by every policy, after all that came before. Slots speak for
// minutes before until. It returns room for the next one, of which it is given some.
func (c *course) judge(hour int64, items []item, until time.Time, room []verdict.Result) []verdict.Result {
	items = inOrder(items)
	results := room[:0]
	for k := range items {
		if hourOf(items[k].Ended) == hour {
			results = append(results, items[k].Result)
		}
	}
	for k := range c.finals {
		f := &c.finals[k]
		f.weigh(hour, items, until)
		var changes []verdict.Change
		f.judge, changes = verdict.Final(c.series, f.rule, f.judge, results, time.Time{})
		f.changes = append(f.changes, changes...)
	}
	return results
}

// end lets time pass after the last of the items.
func (c *course) end(at time.Time) {
	for k := range c.finals {
		f := &c.finals[k]
		var changes []verdict.Change
		f.judge, changes = verdict.Final(c.series, f.rule, f.judge, nil, at)
		f.changes = append(f.changes, changes...)
	}
}

// weigh adds the slots up that lie in the hour.
func (f *final) weigh(hour int64, items []item, until time.Time) {
	var minutes [60]availability.Minute
	for k := range items {
		slot, ok := items[k].slot(f.limit)
		if !ok {
			continue
		}
		for at, d := range slot.Minutes() {
			if hourOf(at) == hour && at.Before(until) {
				minutes[at.Minute()] = minutes[at.Minute()].Add(slot.Probe, slot.Outcome, d)
			}
		}
	}
	for _, m := range minutes {
		f.sums = f.sums.Merge(m.Sums)
		if m.Covered(f.rule.MinProbes) {
			f.covered++
		}
	}
}
