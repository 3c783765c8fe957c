package replay

import (
	"math"
	"time"

	"varde/coordinator/internal/verdict"
)

const (
	// finalAfter is how long after its end an hour waits, by the clock of the recording.
	finalAfter = 15 * time.Minute
	// patience is how many items may wait in a shard before an hour that could be judged
	// is: while they fit, observations may be hours late and cost nothing.
	patience = 1 << 17
)

// shard judges some of the series, from one goroutine.
type shard struct {
	courses []*course
	// panels tell, one for each policy, and told is what they told.
	panels []*verdict.Panel
	told   [][]verdict.Change
	// again says that this is the second reading: nothing is told, and what comes late
	// is in aside already.
	again bool
	// hours are those that are not judged, with the courses that have items in them;
	// oldest is not after the first of them, and all before closed are judged. waiting
	// is how many items there are.
	hours          map[int64][]*course
	oldest, closed int64
	waiting        int
	patience       int
	aside          *aside
	clock          time.Time
	// results is room for those of an hour.
	results []verdict.Result
}

func newShard(rules []verdict.Rules) *shard {
	s := &shard{
		told: make([][]verdict.Change, len(rules)), hours: make(map[int64][]*course),
		oldest: math.MaxInt64, closed: math.MinInt64, aside: &aside{hours: make(map[int64]*pile)},
	}
	for _, r := range rules {
		s.panels = append(s.panels, verdict.NewPanel(r))
	}
	return s
}

// take judges observations in turn.
func (s *shard) take(turns []turn) error {
	for k := range turns {
		t := &turns[k]
		s.clock = t.clock
		if !s.again {
			t.course.see(&t.item)
			s.tell(t.course, t.item.Result)
		}
		if err := s.wait(t.course, &t.item); err != nil {
			return err
		}
		if err := s.catchUp(); err != nil {
			return err
		}
	}
	if !s.again {
		s.pass(s.clock)
	}
	return nil
}

// tell judges a result as it arrives.
func (s *shard) tell(c *course, r verdict.Result) {
	every := r.Every
	for k, p := range s.panels {
		r.Every = min(every, c.finals[k].limit)
		s.told[k] = append(s.told[k], p.Observe(s.clock, c.series, r)...)
	}
}

// pass lets time pass.
func (s *shard) pass(at time.Time) {
	for k, p := range s.panels {
		s.told[k] = append(s.told[k], p.Advance(at)...)
	}
}

// wait puts an item into the hours that it has a part in.
func (s *shard) wait(c *course, i *item) error {
	ended, first, last := i.hours(c.limit)
	for hour := min(ended, first); hour <= max(ended, last); hour++ {
		if hour != ended && (hour < first || hour > last) {
			continue
		}
		if hour >= s.closed {
			s.add(c, hour, i)
		} else if !s.again {
			if err := s.aside.put(hour, late{c.number, *i}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shard) add(c *course, hour int64, i *item) {
	items := c.waiting[hour]
	if len(items) == 0 {
		s.hours[hour] = append(s.hours[hour], c)
		s.oldest = min(s.oldest, hour)
	}
	if items == nil {
		if items, c.spare = c.spare, nil; items == nil {
			items = make([]item, 0, c.most)
		}
	}
	c.waiting[hour] = append(items, *i)
	s.waiting++
}

// catchUp judges the oldest hours while too much is waiting.
func (s *shard) catchUp() error {
	for s.waiting > s.patience && !startOf(s.oldest+1).Add(finalAfter).After(s.clock) {
		if err := s.judge(s.oldest, startOf(s.oldest+1)); err != nil {
			return err
		}
	}
	return nil
}

// judge judges all hours up to the given one, which is the oldest that has items
// waiting. Slots speak for minutes before until.
func (s *shard) judge(hour int64, until time.Time) error {
	if s.again {
		for _, before := range s.aside.before(hour) {
			if err := s.judgeOne(before, until); err != nil {
				return err
			}
		}
	}
	err := s.judgeOne(hour, until)
	s.closed, s.oldest = hour+1, math.MaxInt64
	for h := range s.hours {
		s.oldest = min(s.oldest, h)
	}
	return err
}

// judgeOne judges one hour, with what was put aside for it. In a first reading that is
// in vain once something was: then the second judges all of it.
func (s *shard) judgeOne(hour int64, until time.Time) error {
	var aside map[int][]item
	if s.again {
		var err error
		if aside, err = s.aside.take(hour); err != nil {
			return err
		}
	}
	for _, c := range s.hours[hour] {
		items := c.waiting[hour]
		delete(c.waiting, hour)
		s.waiting -= len(items)
		items = append(items, aside[c.number]...)
		delete(aside, c.number)
		if s.aside.empty() || s.again {
			s.results = c.judge(hour, items, until, s.results)
		}
		c.spare, c.most = items[:0], max(c.most, len(items))
	}
	delete(s.hours, hour)
	for number, items := range aside {
		s.results = s.courses[number].judge(hour, items, until, s.results)
	}
	return nil
}

// end judges what is left when the clock stands still: all slots speak for minutes
// before until.
func (s *shard) end(clock, until time.Time) error {
	if !s.again {
		s.pass(clock)
	}
	if s.unfinished() {
		return nil
	}
	for len(s.hours) > 0 {
		if err := s.judge(s.oldest, until); err != nil {
			return err
		}
	}
	for _, c := range s.courses {
		c.end(clock)
	}
	return nil
}

// unfinished says that the recording must be read again.
func (s *shard) unfinished() bool { return !s.again && !s.aside.empty() }

// rewind begins again from the start of the recording.
func (s *shard) rewind() {
	s.again, s.closed, s.oldest, s.waiting = true, math.MinInt64, math.MaxInt64, 0
	clear(s.hours)
	for _, c := range s.courses {
		c.rewind()
	}
}
