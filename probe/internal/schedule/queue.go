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
	panicked  bool
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
