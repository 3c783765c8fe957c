package recording

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// A journal gives its observations in order, by the coordinator's clock, and counts
// what it passes over.
func TestJournal(t *testing.T) {
	data := kept(t, 2500)
	j, err := journal.Open(t.Context(), journal.Options{Dir: filepath.Join(data, "journal"), NoSync: true, MaxBytes: 10_000_000, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	strange, senseless, skewed := observation(0), observation(0), observation(0)
	strange.Check, senseless.Scheduled = "left-since", time.Unix(0, 0)
	strange.Seq, senseless.Seq, skewed.Seq = 1, 2, 3
	_, err = j.Append(t.Context(), []wire.Batch{{
		Probe: "osl-9", Region: "eu-north", Epoch: "e1", Received: strange.End().Add(time.Minute), ClockKnown: true, ClockOffset: 10 * time.Second,
		Records: []wire.Record{{Observation: strange}, {Observation: senseless}, {Observation: skewed}},
	}})
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	var ignored Ignored
	var done, all int64
	source, err := At(Options{
		Path: data, Names: []Names{names()}, Ignored: func(i Ignored) { ignored = i },
		Progress: func(n, of int64) { done, all = n, of },
	})
	if err != nil {
		t.Fatal(err)
	}
	first, err := read(source)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Ignored{Strange: 1, Senseless: 1}); ignored != want || len(first) != 2501 {
		t.Errorf("got %d and %+v ignored, want 2501 and %+v", len(first), ignored, want)
	}
	if at := first[2500]; at.Probe != "osl-9" || !at.Started.Equal(skewed.Started.Add(-10*time.Second)) {
		t.Errorf("got %+v last, want it by the coordinator's clock", at)
	}
	if done != 4 || all != 4 {
		t.Errorf("told of %d of %d, want 4 of 4 messages", done, all)
	}
	before := metadata(t, data)
	again, err := read(source)
	if diff := cmp.Diff(before, metadata(t, data)); diff != "" || !slices.ContainsFunc(slices.Collect(maps.Values(before)), func(s string) bool { return strings.Contains(s, `"max_bytes":10000000`) }) {
		t.Errorf("reading changed what is kept of the journal (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("read again: %v (-first +again)\n%s", err, diff)
	}
}

// metadata are the files that say how the streams of a journal are kept.
func metadata(t *testing.T, data string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(data, func(at string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(filepath.Base(at), "meta.") {
			return err
		}
		b, err := os.ReadFile(at)
		out[at] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What was there twice, after a restored backup, is counted once.
func TestRepeated(t *testing.T) {
	var got []checks.Observation
	p := &passage{Journal: Journal{Names: []Names{names()}}, marks: make(map[wire.Source]uint64), fn: func(o *checks.Observation) error {
		got = append(got, *o)
		return nil
	}}
	b := wire.Batch{Probe: "osl-1", Region: "eu-north", Epoch: "e1", Received: observation(6).End()}
	for i := range 3 {
		o := observation(3 * i)
		b.Records = append(b.Records, wire.Record{Observation: o})
	}
	err := errors.Join(p.take(&b), p.take(&b))
	b.Epoch = "e2"
	if err := errors.Join(err, p.take(&b)); err != nil || len(got) != 6 || p.ignored.Repeated != 3 {
		t.Errorf("got %d, %d repeated, %v, want 6 of two epochs and 3", len(got), p.ignored.Repeated, err)
	}
}

// A folder that holds no journal is no recording, and does not become one.
func TestNoJournal(t *testing.T) {
	dir := t.TempDir()
	source, err := At(Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(source); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that there is none", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v, want nothing made", left, err)
	}
	if _, err := At(Options{Path: filepath.Join(dir, "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no such file", err)
	}
}
