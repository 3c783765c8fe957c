package spool

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// Who keeps up is served from memory, who is far behind from the disk.
func TestRecentObservationsAreNotReadBack(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Epoch: "e1", NoSync: true})
	fill(t, s, 1, 5)
	segs, err := segmentPaths(filepath.Join(s.opt.Dir, "e1"))
	if err != nil || len(segs) != 1 {
		t.Fatal(segs, err)
	}
	if err := os.Remove(segs[0]); err != nil {
		t.Fatal(err)
	}
	if got := show(drain(t, s, "e1", 0)); got != numbers(1, 5) {
		t.Errorf("got %s", got)
	}
	if err := s.Ack("e1", 3); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 6, maxRecent+3)
	if got := show(drain(t, s, "e1", 3)); got != numbers(4, maxRecent+3) {
		t.Errorf("as many as there may be: got %s", got)
	}
	fill(t, s, maxRecent+4, maxRecent+4)
	if got, want := show(drain(t, s, "e1", maxRecent+3)), fmt.Sprint(maxRecent+4); got != want {
		t.Errorf("the newest: got %s, want %s", got, want)
	}
	if got, want := show(drain(t, s, "e1", 3)), fmt.Sprintf("[4-%d]", maxRecent+4); got != want {
		t.Errorf("too many, and their file is gone: got %s, want %s", got, want)
	}
}

// What is handed out is the reader's own.
func TestRecentObservationsAreCopies(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	fill(t, s, 1, 2)
	recs := drain(t, s, "e1", 0)
	recs[1].Observation.Seq = 99
	if got := show(drain(t, s, "e1", 0)); got != "1 2" {
		t.Errorf("got %s", got)
	}
}

// BenchmarkKeepUp is what an uplink does that keeps up: three observations are
// appended, read and acknowledged.
func BenchmarkKeepUp(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir(), Epoch: "e1", NoSync: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	var after uint64
	for b.Loop() {
		for i := range 3 {
			if _, err := s.Append(observation(i)); err != nil {
				b.Fatal(err)
			}
		}
		recs, err := s.Next("e1", after, 500)
		if err != nil || len(recs) != 3 {
			b.Fatal(len(recs), err)
		}
		after += 3
		if err := s.Ack("e1", after); err != nil {
			b.Fatal(err)
		}
	}
}
