package journal_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

func marks(t testing.TB, j *journal.Journal) map[journal.Source]uint64 {
	t.Helper()
	m, err := j.Marks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMarksAreRebuilt(t *testing.T) {
	for name, before := range map[string]func(*journal.Journal) error{
		"from a snapshot":            func(*journal.Journal) error { return nil },
		"from a snapshot and a tail": func(j *journal.Journal) error { j.SkipSnapshot(); return nil },
		"from headers":               func(j *journal.Journal) error { j.SkipSnapshot(); return j.DropSnapshot(t.Context(), []byte(`{}`)) },
		"beside a broken snapshot":   func(j *journal.Journal) error { j.SkipSnapshot(); return j.DropSnapshot(t.Context(), []byte(`{"`)) },
		"beside one from the future": func(j *journal.Journal) error {
			j.SkipSnapshot()
			return j.DropSnapshot(t.Context(), []byte(`{"sequence":99,"marks":[{"probe":"osl-1","epoch":"e1","seq":99}]}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, options(dir))
			mustAppend(t, j, batch("osl-1", "e1", 1, 10), batch("syd-1", "e1", 1, 2))
			if err := j.Close(); err != nil { // saves
				t.Fatal(err)
			}
			j = open(t, options(dir))
			mustAppend(t, j, batch("osl-1", "e1", 11, 20), batch("osl-1", "e2", 5, 5))
			want := map[journal.Source]uint64{{Probe: "osl-1", Epoch: "e1"}: 20, {Probe: "osl-1", Epoch: "e2"}: 5, {Probe: "syd-1", Epoch: "e1"}: 2}
			if got := marks(t, j); !maps.Equal(got, want) {
				t.Errorf("before the restart: %v, want %v", got, want)
			}
			if err := before(j); err != nil {
				t.Fatal(err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j = open(t, options(dir))
			if got := marks(t, j); !maps.Equal(got, want) {
				t.Errorf("after the restart: %v, want %v", got, want)
			}
			mustAppend(t, j, batch("osl-1", "e1", 21, 21))
		})
	}
}

func TestMarksOutliveTheirMessages(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := options(dir)
		o.MaxAge = time.Hour
		j := open(t, o)
		mustAppend(t, j, batch("osl-1", "e1", 1, 10))
		time.Sleep(2 * time.Hour)
		last := time.Now()
		mustAppend(t, j, batch("osl-1", "e2", 1, 1))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, o)
		if first, last := j.Bounds(); first != 2 || last != 2 {
			t.Errorf("bounds %d, %d, want 2, 2", first, last)
		}
		old := journal.Source{Probe: "osl-1", Epoch: "e1"}
		if m, err := j.Mark(t.Context(), old); err != nil || m != 10 {
			t.Errorf("mark without a message: %d, %v, want 10", m, err)
		}
		if m, err := j.Mark(t.Context(), journal.Source{Probe: "osl-1", Epoch: "e3"}); err != nil || m != 0 {
			t.Errorf("mark of what never was: %d, %v, want 0", m, err)
		}
		if heard, err := j.Heard(t.Context()); err != nil || len(heard) != 1 || heard["osl-1"].Sub(last).Abs() > time.Second {
			t.Errorf("heard %v, %v, want osl-1 at %v", heard, err, last)
		}
		if messages, bytes, err := j.Size(t.Context()); err != nil || messages != 1 || bytes == 0 {
			t.Errorf("size %d messages of %d bytes, %v, want 1", messages, bytes, err)
		}
	})
}

func TestMarksAreForgottenAfter400Days(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	got := journal.Trim(now, map[string]time.Time{"e1": now.Add(-401 * day), "e2": now.Add(-399 * day), "e3": now})
	if want := []string{"e2", "e3"}; !cmp.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
}

func TestMarksOfAProbeAreBounded(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := options(dir)
		o.NoSync = true
		j := open(t, o)
		for i := range 1100 {
			mustAppend(t, j, batch("osl-1", fmt.Sprintf("e%d", i), 1, 1))
			time.Sleep(time.Second)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		got := marks(t, open(t, o))
		if len(got) != 1000 || got[journal.Source{Probe: "osl-1", Epoch: "e1099"}] != 1 || got[journal.Source{Probe: "osl-1", Epoch: "e99"}] != 0 {
			t.Errorf("%d marks, want the newest 1000", len(got))
		}
	})
}

// TestEngineRestarts has appends, readers and buckets go on when the embedded
// server has to be started anew under them.
func TestEngineRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, options(t.TempDir()))
		b, err := j.Bucket(t.Context(), "things")
		if err != nil {
			t.Fatal(err)
		}
		rev, err := b.Put(t.Context(), "k", []byte("v"), 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- j.Follow(ctx, 0, func(e journal.Entry) error { got = append(got, e.Seq+100*e.Missed); return nil })
		}()
		for i := range uint64(5) {
			mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
			j.Break()
			time.Sleep(2 * time.Second)
		}
		if v, r, err := b.Get(t.Context(), "k"); err != nil || string(v) != "v" || r != rev {
			t.Errorf("bucket after restarts: %q at %d, %v", v, r, err)
		}
		time.Sleep(5 * time.Second)
		cancel()
		<-done
		if want := []uint64{1, 2, 3, 4, 5}; !cmp.Equal(got, want) {
			t.Errorf("reader saw %v, want %v", got, want)
		}
	})
}

// TestExactlyOnce is the law: a writer that goes on from the mark after every
// error has each record kept once and in order, whatever happens between, and a
// reader that goes on from its place sees them so.
func TestExactlyOnce(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(rt *rapid.T) {
		o := options(t.TempDir())
		o.NoSync = true
		j := open(t, o)
		sources := []journal.Source{{Probe: "osl-1", Epoch: "e1"}, {Probe: "osl-1", Epoch: "e2"}, {Probe: "syd-1", Epoch: "e1"}}
		reader := &witness{seen: map[journal.Source]uint64{}}
		reader.follow(j)
		kept := func() map[journal.Source]uint64 {
			got := map[journal.Source]uint64{}
			_, last := j.Bounds()
			if err := j.Read(ctx, 1, last, func(e journal.Entry) error {
				for _, b := range e.Batches {
					if b.First() != got[b.Source()]+1 {
						rt.Fatalf("message %d holds %d to %d of %v after %d", e.Seq, b.First(), b.Last(), b.Source(), got[b.Source()])
					}
					got[b.Source()] = b.Last()
				}
				return nil
			}); err != nil {
				rt.Fatal(err)
			}
			return got
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			s := rapid.SampledFrom(sources).Draw(rt, "source")
			mark, err := j.Mark(ctx, s)
			if err != nil {
				rt.Fatal(err)
			}
			n := uint64(rapid.IntRange(1, 20).Draw(rt, "records"))
			back := min(mark, uint64(rapid.SampledFrom([]int{0, 0, 0, 1, 5}).Draw(rt, "back")))
			appendCtx, cancel := context.WithTimeout(ctx, rapid.SampledFrom([]time.Duration{
				time.Minute, time.Minute, 0, 20 * time.Microsecond, 100 * time.Microsecond, 300 * time.Microsecond,
			}).Draw(rt, "timeout"))
			_, err = j.Append(appendCtx, []wire.Batch{batch(s.Probe, s.Epoch, mark+1-back, mark+n)})
			cancel()
			switch {
			case back > 0 && err == nil:
				rt.Fatal("an overlap was kept")
			case back > 0 && !errors.Is(err, journal.ErrOverlap) && !errors.Is(err, context.DeadlineExceeded):
				rt.Fatal(err)
			}
			switch rapid.SampledFrom([]string{"", "", "", "break", "reopen"}).Draw(rt, "event") {
			case "break":
				j.Break()
			case "reopen":
				if rapid.Bool().Draw(rt, "crash") {
					j.SkipSnapshot()
				}
				if err := j.Close(); err != nil {
					rt.Fatal(err)
				}
				j = open(t, o)
				reader.follow(j)
			}
		}
		// After an append that worked nothing is on its way any more.
		for err := errors.New("none yet"); err != nil; {
			_, err = j.Append(ctx, []wire.Batch{batch("end-1", "e1", 1, 1)})
		}
		got := kept()
		if !maps.Equal(got, marks(t, j)) {
			rt.Fatalf("journal holds %v, marks say %v", got, marks(t, j))
		}
		if err := reader.wait(); !errors.Is(err, errEnd) || !maps.Equal(got, reader.seen) {
			rt.Fatalf("journal holds %v, its reader saw %v, %v", got, reader.seen, err)
		}
		if err := j.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func FuzzParseSpan(f *testing.F) {
	f.Add("osl-1 0192f3a1c2d4-9b1c 1 20")
	f.Add("a b 0 0")
	f.Add("a b 2 1")
	f.Add("  1 1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := journal.ParseSpan(text)
		if err != nil {
			return
		}
		if again, err := journal.ParseSpan(s); err != nil || again != s {
			t.Errorf("%q reads as %q and then as %q, %v", text, s, again, err)
		}
	})
}
