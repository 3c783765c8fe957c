package spool

import (
	"log/slog"
	"reflect"
	"testing"
)

// lookedAt is how many observations 72 hours bring: 100 checks over a family,
// every 30 s.
const lookedAt = 72 * 120 * 100

// keepAll has a spool keep n observations of a load, and reads all of them back.
// It returns what the spool holds.
func keepAll(t testing.TB, n int) Stats {
	t.Helper()
	dir := t.TempDir()
	s := openQuietly(t, dir, "e1")
	l := newLoad()
	for range n {
		if _, err := s.Append(l.next()); err != nil {
			t.Fatal(err)
		}
	}
	idle(s)
	stats := s.Stats()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openQuietly(t, dir, "e2")
	defer s.Close()
	l = newLoad()
	for after := uint64(0); after < uint64(n); {
		recs, err := s.Next("e1", after, 1000)
		if err != nil || len(recs) == 0 {
			t.Fatalf("after %d got %d records, %v", after, len(recs), err)
		}
		for _, r := range recs {
			after++
			want := l.next()
			want.Epoch, want.Seq = "e1", after
			if r.Gap != nil || !reflect.DeepEqual(r.Observation, want) {
				t.Fatalf("number %d: got %+v, want %+v", after, r, want)
			}
		}
	}
	return stats
}

func openQuietly(t testing.TB, dir, epoch string) *Spool {
	t.Helper()
	s, err := Open(Options{Dir: dir, Epoch: epoch, NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestThreeDaysFit keeps a share of what a probe sees in three days without a
// coordinator; the benchmark below keeps all.
func TestThreeDaysFit(t *testing.T) {
	st := keepAll(t, lookedAt/share)
	if st.Dropped != 0 || st.Records != lookedAt/share {
		t.Errorf("%+v, want nothing dropped", st)
	}
	// Two segments are plain, whatever there is.
	if max := (DefaultMaxBytes-2*largestSegment)/share + 2*largestSegment; st.Bytes > int64(max) {
		t.Errorf("%d observations take %d bytes, want at most %d", st.Records, st.Bytes, max)
	}
}

// BenchmarkThreeDays keeps all of it and reads it back.
func BenchmarkThreeDays(b *testing.B) {
	for b.Loop() {
		st := keepAll(b, lookedAt)
		if st.Dropped != 0 || st.Records != lookedAt {
			b.Errorf("%+v, want nothing dropped", st)
		}
		b.ReportMetric(float64(st.Bytes)/lookedAt, "B/observation")
		b.ReportMetric(float64(st.Bytes)/(1<<20), "MiB")
	}
}

// BenchmarkCompress compresses one segment.
func BenchmarkCompress(b *testing.B) {
	g := oneSegment(b)
	b.ReportAllocs()
	b.ReportMetric(0, "ns/op")
	for b.Loop() {
		packed, err := g.compress()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(packed))/float64(g.last), "B/observation")
	}
}

// oneSegment is a plain segment that is as large as one can be.
func oneSegment(t testing.TB) segment {
	t.Helper()
	s := openQuietly(t, t.TempDir(), "e1")
	t.Cleanup(func() { s.Close() })
	l := newLoad()
	for s.Stats().Bytes < largestSegment-1000 {
		if _, err := s.Append(l.next()); err != nil {
			t.Fatal(err)
		}
	}
	return *s.currentLocked().segs[0]
}
