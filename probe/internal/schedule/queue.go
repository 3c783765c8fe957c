package schedule

import (
	"container/heap"
	"time"

	"varde/checks"
)

type key struct {
	check  string
	family checks.Family
}

// entry is an Entry with its times.
type entry struct {
	Entry
	// due is when the next run is planned; last when the one before it was, zero
	// if there was none.
	due, last time.Time
	// spoken is until when its runs have spoken.
	spoken   time.Time
	panicked bool
}

// speak says for how long the run that is due speaks, when the next one is planned.
func (e *entry) speak(next time.Time) time.Duration {
	if e.due.Before(e.spoken) {
		return 0
	}
	d := min(e.Target.Every, next.Sub(e.due))
	e.spoken = e.due.Add(d)
	return d
}

// queue is a heap of entries, the next one first.
type queue []*entry

var _ heap.Interface = (*queue)(nil)

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is not used: the queue is built whole.
func (q *queue) Push(x any) { *q = append(*q, x.(*entry)) }

// Pop is not used either.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}
