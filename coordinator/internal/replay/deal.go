package replay

import (
	"cmp"
	"context"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

const (
	// parcel is how many observations are given to a shard at a time: enough that it
	// hardly matters how they are handed over, and few enough for a processor's cache.
	parcel = 256
	// queued is how many parcels may wait for a shard: enough that it need not wait for
	// the others.
	queued = 4
)

// turn is one observation on its way to its shard, with what the clock said when it
// came.
type turn struct {
	course *course
	item   item
	clock  time.Time
}

// dealer gives the observations of a recording to the shards of their series.
type dealer struct {
	run    *run
	read   Read
	hands  []*hand
	parcel int
}

// hand is what one shard is given.
type hand struct {
	turns []turn
	queue chan []turn
	// back are lists that were judged, to be filled again.
	back chan []turn
	// idle says that the shard takes no part.
	idle bool
}

func newDealer(r *run, again bool) *dealer {
	d := &dealer{run: r, read: Read{Again: again}, parcel: cmp.Or(r.o.parcel, parcel)}
	for _, s := range r.shards {
		// Every list can be on its way back at once: it is never waited for.
		d.hands = append(d.hands, &hand{queue: make(chan []turn, queued), back: make(chan []turn, queued+2), idle: again && !s.again})
	}
	return d
}

// deal reads the recording to its end.
func (d *dealer) deal(ctx context.Context) error {
	defer func() {
		for _, h := range d.hands {
			close(h.queue)
		}
	}()
	err := d.run.o.Source.Read(ctx, func(o *checks.Observation) error { return d.give(ctx, o) })
	for _, h := range d.hands {
		if err == nil && len(h.turns) > 0 {
			err = h.pass(ctx)
		}
	}
	return err
}

// give puts one observation into the hand of its shard, with the clock as it is then.
func (d *dealer) give(ctx context.Context, o *checks.Observation) error {
	d.read.see(o)
	p := d.run.place(verdict.Series{Check: o.Check, Region: o.Region, Family: o.Family})
	result, judged := verdict.ResultOf(*o)
	h := d.hands[p.shard]
	if !judged || h.idle {
		return nil
	}
	h.turns = append(h.turns, turn{p.course, item{result, o.Scheduled}, d.read.To})
	if len(h.turns) < d.parcel {
		return nil
	}
	return h.pass(ctx)
}

// pass has the shard judge what is in the hand.
func (h *hand) pass(ctx context.Context) error {
	select {
	case h.queue <- h.turns:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case h.turns = <-h.back:
	default:
		h.turns = make([]turn, 0, cap(h.turns))
	}
	return nil
}

// judge has a shard judge what it is given.
func (h *hand) judge(s *shard) error {
	for turns := range h.queue {
		if err := s.take(turns); err != nil {
			return err
		}
		h.back <- turns[:0]
	}
	return nil
}

func (r *Read) see(o *checks.Observation) {
	r.Observations++
	if end := o.End(); end.After(r.To) {
		r.To = end
	}
	if r.From.IsZero() || o.Started.Before(r.From) {
		r.From = o.Started
	}
}
