package incident

import (
	"cmp"
	"slices"
	"time"

	"varde/coordinator/internal/verdict"
)

// Derive makes the incidents of a set of changes as they stand at until, the oldest
// first: what the final record shows. Nobody was told of them at that time, so
// Detected is zero. The order of the changes and the number of copies change nothing.
func Derive(w World, p Policy, changes []verdict.Change, until time.Time) []Incident {
	var out []*Incident
	taken := make(map[string]bool)
	before := p.Taken
	p.Taken = func(id string) bool { return taken[id] || before != nil && before(id) }
	b := New(w, p)
	b.left = func(i *Incident) {
		taken[i.ID] = true
		out = append(out, i)
	}
	for _, c := range ordered(changes) {
		b.Observe(c)
		clear(b.touched) // nobody asks
	}
	b.Advance(until)
	b.flush()
	list := cloned(append(out, b.held...))
	for k := range list {
		list[k].Detected = time.Time{}
	}
	return list
}

// ordered are the distinct changes of a set by time, then by series; those of one
// series at one instant as they follow from one another.
func ordered(changes []verdict.Change) []verdict.Change {
	list := slices.SortedFunc(slices.Values(changes), compare)
	list = slices.CompactFunc(list, func(a, b verdict.Change) bool { return compare(a, b) == 0 })
	state := make(map[verdict.Series]verdict.State)
	for from := 0; from < len(list); {
		c := list[from]
		to := from + 1
		for to < len(list) && list[to].At.Equal(c.At) && list[to].Series == c.Series {
			to++
		}
		chain(state[c.Series], list[from:to])
		state[c.Series] = list[to-1].To
		from = to
	}
	return list
}

// chain orders changes so that each begins with the state that the one before ended in,
// the first with the given one, as far as that can be. One with which the others could
// not go on is not chosen, and where none fits it is one that follows from no other.
func chain(state verdict.State, list []verdict.Change) {
	for len(list) > 1 {
		next := slices.IndexFunc(list, func(c verdict.Change) bool {
			return c.From == state && slices.ContainsFunc(list, func(o verdict.Change) bool { return o.From == c.To })
		})
		if next < 0 {
			next = max(0, slices.IndexFunc(list, func(c verdict.Change) bool {
				return !slices.ContainsFunc(list, func(o verdict.Change) bool { return o.To == c.From })
			}))
		}
		c := list[next]
		copy(list[1:next+1], list[:next])
		list[0], state, list = c, c.To, list[1:]
	}
}

// compare orders changes by time, then by series; equal ones say the same.
func compare(a, b verdict.Change) int {
	return cmp.Or(
		a.At.Compare(b.At), a.Series.Compare(b.Series), a.Since.Compare(b.Since),
		cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Reason, b.Reason),
		cmp.Compare(a.Evidence.Phase, b.Evidence.Phase), cmp.Compare(a.Evidence.Class, b.Evidence.Class),
		slices.Compare(a.Evidence.Networks, b.Evidence.Networks), slices.CompareFunc(a.Evidence.Ways, b.Evidence.Ways, verdict.Way.Compare),
		cmp.Compare(a.Counts.Down, b.Counts.Down), cmp.Compare(a.Counts.Up, b.Counts.Up), cmp.Compare(a.Counts.Unknown, b.Counts.Unknown),
	)
}
