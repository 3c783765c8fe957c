package replay

import (
	"cmp"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/verdict"
)

// item is what final judging needs of one observation.
type item struct {
	verdict.Result
	// Due is when the run was scheduled.
	Due time.Time
}

// compare orders items by everything that they hold, so that of two with one name the
// same counts whatever came first.
func (i *item) compare(o *item) int {
	if c := i.Ended.Compare(o.Ended); c != 0 {
		return c
	}
	return cmp.Or(i.Compare(o.Result), i.Started.Compare(o.Started), i.Due.Compare(o.Due),
		cmp.Compare(i.Outcome, o.Outcome), cmp.Compare(i.Class, o.Class), cmp.Compare(i.Elapsed, o.Elapsed), cmp.Compare(i.Every, o.Every),
		cmp.Compare(i.Phase, o.Phase), cmp.Compare(i.Network, o.Network), order(i.Scheduled, o.Scheduled), order(i.Login, o.Login))
}

// order puts what is not before what is.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// same says whether two are one observation: by its name, or where it has no number
// by when it was due and began.
func (i *item) same(o *item) bool {
	if i.Probe != o.Probe || i.Epoch != o.Epoch || i.Seq != o.Seq {
		return false
	}
	return i.Seq != 0 || i.Started.Equal(o.Started) && i.Due.Equal(o.Due)
}

// inOrder sorts items, which mostly came in order, and leaves doubles out.
func inOrder(items []item) []item {
	for k := range items {
		if k > 0 && items[k-1].compare(&items[k]) >= 0 {
			slices.SortFunc(items, func(a, b item) int { return a.compare(&b) })
			break
		}
	}
	return slices.CompactFunc(items, func(a, b item) bool { return a.same(&b) })
}

// slot is the stretch of time that an item speaks for, no longer than limit. It is cut
// to milliseconds, as history keeps it.
func (i *item) slot(limit time.Duration) (availability.Slot, bool) {
	o := checks.Observation{Probe: i.Probe, Scheduled: i.Due, Every: min(i.Every, limit)}
	if !i.Scheduled {
		o.Trigger = checks.Confirm
	}
	o.Outcome = i.Outcome
	s, ok := availability.SlotOf(o)
	s.From, s.Length = s.From.Truncate(time.Millisecond), s.Length.Truncate(time.Millisecond)
	return s, ok
}

// hours are those that an item has a part in: that in which its run ended, and those
// of its slot, which is no longer than limit.
func (i *item) hours(limit time.Duration) (ended, first, last int64) {
	ended = hourOf(i.Ended)
	if s, ok := i.slot(limit); ok {
		return ended, hourOf(s.From), hourOf(s.From.Add(s.Length - 1))
	}
	return ended, ended, ended
}

// An hour is named by its number since 1970.
func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

func startOf(hour int64) time.Time { return time.Unix(hour*3600, 0).UTC() }
