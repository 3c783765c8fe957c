package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// BenchmarkAppend is one commit of 1,000 observations, on disk when it returns.
func BenchmarkAppend(b *testing.B) {
	j := open(b, options(b.TempDir()))
	next := uint64(1)
	for b.Loop() {
		mustAppend(b, j, batch("osl-1", "e1", next, next+999))
		next += 1000
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "obs/s")
}

// BenchmarkAppendSmall is one commit of one observation: what a quiet fleet
// pays.
func BenchmarkAppendSmall(b *testing.B) {
	j := open(b, options(b.TempDir()))
	next := uint64(1)
	for b.Loop() {
		mustAppend(b, j, batch("osl-1", "e1", next, next))
		next++
	}
}

// BenchmarkFollow is one commit, without fsync, until two readers have it.
func BenchmarkFollow(b *testing.B) {
	for _, size := range []uint64{1, 1000} {
		b.Run(fmt.Sprintf("obs=%d", size), func(b *testing.B) {
			o := options(b.TempDir())
			o.NoSync = true
			j := open(b, o)
			ctx, cancel := context.WithCancel(b.Context())
			var readers sync.WaitGroup
			got := make(chan struct{})
			for range 2 {
				readers.Go(func() {
					_ = j.Follow(ctx, 0, func(journal.Entry) error { got <- struct{}{}; return nil })
				})
			}
			for next := uint64(1); b.Loop(); next += size {
				mustAppend(b, j, batch("osl-1", "e1", next, next+size-1))
				<-got
				<-got
			}
			cancel()
			readers.Wait()
		})
	}
}

// BenchmarkOpen is a start without a snapshot, with 20,000 messages of six
// sources each.
func BenchmarkOpen(b *testing.B) {
	const messages = 20_000
	o := options(b.TempDir())
	o.NoSync = true
	j := open(b, o)
	probes := []string{"osl-1", "osl-2", "nyc-1", "nyc-2", "syd-1", "syd-2"}
	for i := range uint64(messages) {
		var batches []wire.Batch
		for _, p := range probes {
			batches = append(batches, batch(p, "e1", i*5+1, i*5+5))
		}
		mustAppend(b, j, batches...)
	}
	j.SkipSnapshot()
	if err := errors.Join(j.DropSnapshot(b.Context(), []byte(`{}`)), j.Close()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j, err := journal.Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		j.SkipSnapshot()
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(messages*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
