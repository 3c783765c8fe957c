package history

import (
	"context"

	"varde/proto/wire"
)

// Entry is one message of the journal.
type Entry struct {
	// Seq is its place, from 1.
	Seq uint64
	// Missed is how many entries between the one before and this one the journal
	// does not hold any more.
	Missed  uint64
	Batches []wire.Batch
}

// Source is the journal as the history reads it.
type Source interface {
	// Follow calls fn with every entry after the given place, in order, and then
	// with each new one, until ctx ends or fn returns an error, which it returns.
	Follow(ctx context.Context, after uint64, fn func(Entry) error) error
	// Read calls fn with the entries that the journal still holds of those from
	// and to, both included, in order.
	Read(ctx context.Context, from, to uint64, fn func(Entry) error) error
	// Bounds are the places of the oldest and newest entry; 0, 0 when there is
	// none. When all were deleted, first is last + 1.
	Bounds() (first, last uint64)
	// Last is the place of the newest entry, 0 when there never was one. It is
	// asked for every second and must cost nothing.
	Last() uint64
}
