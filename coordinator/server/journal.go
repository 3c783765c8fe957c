package server

import (
	"context"

	"varde/coordinator/internal/history"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/recording"
	"varde/proto/wire"
)

// ReadJournal hands every batch that a stopped coordinator's data folder holds
// to fn, in order, until fn returns an error.
func ReadJournal(ctx context.Context, data string, fn func(wire.Batch) error) error {
	return recording.EachBatch(ctx, data, fn)
}

// source is the journal as the history reads it.
type source struct{ *journal.Journal }

var _ history.Source = source{}

// Follow calls fn with every entry after a place and with each new one.
func (s source) Follow(ctx context.Context, after uint64, fn func(history.Entry) error) error {
	return s.Journal.Follow(ctx, after, func(e journal.Entry) error { return fn(historyEntry(e)) })
}

// Read calls fn with the entries that the journal still holds.
func (s source) Read(ctx context.Context, from, to uint64, fn func(history.Entry) error) error {
	return s.Journal.Read(ctx, from, to, func(e journal.Entry) error { return fn(historyEntry(e)) })
}

func historyEntry(e journal.Entry) history.Entry {
	return history.Entry{Seq: e.Seq, Missed: e.Missed, Batches: e.Batches}
}
