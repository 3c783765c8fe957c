package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

func TestWhatWasAppendedIsRead(t *testing.T) {
	j := open(t, options(t.TempDir()))
	first, last := j.Bounds()
	if first != 1 || last != 0 {
		t.Fatalf("bounds of an empty journal: %d, %d, want 1, 0", first, last)
	}
	want := []wire.Batch{batch("osl-1", "e1", 1, 3), batch("syd-1", "e9", 1, 1)}
	want[0].ClockOffset, want[0].ClockKnown = -1500*time.Millisecond, true
	if seq := mustAppend(t, j, want...); seq != 1 {
		t.Fatalf("first message has number %d, want 1", seq)
	}
	mustAppend(t, j, batch("osl-1", "e1", 4, 6))
	var got []wire.Batch
	if err := j.Read(t.Context(), 1, 1, func(e journal.Entry) error { got = e.Batches; return nil }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("batches changed on their way (-want +got):\n%s", d)
	}
	if got := spans(t, j); !cmp.Equal(got, []string{"1+0 osl-1/e1 1-3", "1+0 syd-1/e9 1-1", "2+0 osl-1/e1 4-6"}) {
		t.Errorf("journal holds %q", got)
	}
	if first, last := j.Bounds(); first != 1 || last != 2 {
		t.Errorf("bounds: %d, %d, want 1, 2", first, last)
	}
}

func TestReadKeepsToItsRange(t *testing.T) {
	j := open(t, options(t.TempDir()))
	for i := range uint64(5) {
		mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
	}
	for _, c := range []struct {
		from, to uint64
		want     string
	}{{1, 5, "[1 2 3 4 5]"}, {2, 3, "[2 3]"}, {4, 99, "[4 5]"}, {0, 1, "[1]"}, {6, 9, "[]"}, {3, 2, "[]"}} {
		got := []uint64{}
		err := j.Read(t.Context(), c.from, c.to, func(e journal.Entry) error { got = append(got, e.Seq); return nil })
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("read %d to %d: %v, %v, want %s", c.from, c.to, got, err, c.want)
		}
	}
	boom := errors.New("boom")
	if err := j.Read(t.Context(), 1, 5, func(journal.Entry) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("reader's own error: got %v", err)
	}
}

func TestFollowSeesOldAndNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, options(t.TempDir()))
		mustAppend(t, j, batch("osl-1", "e1", 1, 1))
		mustAppend(t, j, batch("osl-1", "e1", 2, 2))
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan journal.Entry, 10)
		done := make(chan error)
		go func() { done <- j.Follow(ctx, 1, func(e journal.Entry) error { got <- e; return nil }) }()
		if e := <-got; e.Seq != 2 {
			t.Errorf("first entry %d, want 2", e.Seq)
		}
		time.Sleep(time.Hour)
		at := time.Now()
		mustAppend(t, j, batch("osl-1", "e1", 3, 3))
		if e := <-got; e.Seq != 3 || time.Since(at) != 0 {
			t.Errorf("entry %d after %s, want 3 at once", e.Seq, time.Since(at))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("follow ended with %v", err)
		}
		boom := errors.New("boom")
		if err := j.Follow(t.Context(), 0, func(journal.Entry) error { return boom }); !errors.Is(err, boom) {
			t.Errorf("reader's own error: got %v", err)
		}
		if err := j.Follow(t.Context(), 4, nil); !errors.Is(err, journal.ErrAhead) {
			t.Errorf("cursor beyond the end: got %v", err)
		}
	})
}

func TestDiscardedMessagesAreReportedMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(t.TempDir())
		o.MaxAge = time.Hour
		j := open(t, o)
		next := func(after uint64) journal.Entry {
			var got journal.Entry
			stop := errors.New("stop")
			if err := j.Follow(t.Context(), after, func(e journal.Entry) error { got = e; return stop }); !errors.Is(err, stop) {
				t.Fatal(err)
			}
			return got
		}
		for i := range uint64(6) { // after 0, 20, 40, 60, 80 and 100 minutes
			time.Sleep(20 * time.Minute * time.Duration(min(i, 1)))
			mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
		}
		if e := next(0); e.Seq != 3 || e.Missed != 2 {
			t.Errorf("first kept: %d with %d missing, want 3 with 2", e.Seq, e.Missed)
		}
		if e := next(3); e.Seq != 4 || e.Missed != 0 {
			t.Errorf("next: %d with %d missing, want 4 with none", e.Seq, e.Missed)
		}
		time.Sleep(2 * time.Hour)
		mustAppend(t, j, batch("osl-1", "e1", 7, 7))
		if got := spans(t, j); !cmp.Equal(got, []string{"7+6 osl-1/e1 7-7"}) {
			t.Errorf("after two hours the journal holds %q", got)
		}
	})
}

// TestDamagedEnd has the newest messages be numbers without content, which is
// what a disk that was full leaves behind.
func TestDamagedEnd(t *testing.T) {
	dir := t.TempDir()
	j := open(t, options(dir))
	for i := range uint64(5) {
		mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
	}
	j.SkipSnapshot()
	for _, seq := range []uint64{5, 4} {
		if err := j.Damage(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if got := spans(t, j); !cmp.Equal(got, []string{"1+0 osl-1/e1 1-1", "2+0 osl-1/e1 2-2", "3+0 osl-1/e1 3-3"}) {
		t.Errorf("journal holds %q", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, options(dir))
	if m, err := j.Mark(t.Context(), journal.Source{Probe: "osl-1", Epoch: "e1"}); err != nil || m != 3 {
		t.Errorf("mark %d, %v, want 3", m, err)
	}
	mustAppend(t, j, batch("osl-1", "e1", 4, 4))
	if got := spans(t, j); len(got) != 4 || got[3] != "6+2 osl-1/e1 4-4" {
		t.Errorf("journal holds %q", got)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %s, as if somebody had waited for what is not there", took)
	}
}

func TestSizeIsBounded(t *testing.T) {
	o := options(t.TempDir())
	o.MaxBytes = 1 << 20
	j := open(t, o)
	for i := range uint64(20) {
		mustAppend(t, j, batch("osl-1", "e1", i*1000+1, i*1000+1000))
	}
	first, last := j.Bounds()
	if last != 20 || first < 10 || first > 19 {
		t.Errorf("bounds %d, %d, want the newest few of 20", first, last)
	}
	if m, err := j.Mark(t.Context(), journal.Source{Probe: "osl-1", Epoch: "e1"}); err != nil || m != 20000 {
		t.Errorf("mark %d, %v, want 20000", m, err)
	}
}

func TestOverlapIsRefused(t *testing.T) {
	j := open(t, options(t.TempDir()))
	mustAppend(t, j, batch("osl-1", "e1", 1, 10))
	for _, c := range [][]wire.Batch{
		{batch("osl-1", "e1", 10, 12)},
		{batch("osl-1", "e1", 3, 4)},
		{batch("syd-1", "e1", 1, 5), batch("osl-1", "e1", 11, 12), batch("syd-1", "e1", 5, 6)},
	} {
		if _, err := j.Append(t.Context(), c); !errors.Is(err, journal.ErrOverlap) {
			t.Errorf("append %v: got %v, want ErrOverlap", c, err)
		}
	}
	mustAppend(t, j, batch("osl-1", "e2", 1, 1), batch("osl-1", "e1", 11, 11), batch("osl-1", "e1", 12, 12))
	if got := spans(t, j); len(got) != 4 {
		t.Errorf("journal holds %q", got)
	}
}

func TestUnreadableEntriesAreNotWritten(t *testing.T) {
	j := open(t, options(t.TempDir()))
	nobody, empty := batch("osl-1", "e1", 1, 1), batch("osl-1", "e1", 1, 1)
	nobody.Probe = ""
	empty.Records = nil
	for _, c := range [][]wire.Batch{{}, {nobody}, {empty}} {
		if _, err := j.Append(t.Context(), c); err == nil {
			t.Errorf("append %v: no error", c)
		}
	}
	var many []wire.Batch
	for i := range 700 {
		many = append(many, batch(fmt.Sprintf("probe-%d-%s", i, strings.Repeat("x", 40)), strings.Repeat("e", 60), 1, 1))
	}
	if _, err := j.Append(t.Context(), many); err == nil || !strings.Contains(err.Error(), "header of") {
		t.Errorf("append with too large a header: %v", err)
	}
	mustAppend(t, j, many[:250]...)
	if first, last := j.Bounds(); first != 1 || last != 1 {
		t.Errorf("bounds %d, %d, want 1, 1", first, last)
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	j := open(t, options(dir))
	if _, err := journal.Open(t.Context(), options(dir)); err == nil || !strings.HasSuffix(err.Error(), dir+" is used by another process") {
		t.Errorf("folder in use: %v", err)
	}
	mustAppend(t, j, batch("osl-1", "e1", 1, 1))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(t.Context(), options(file)); !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in place of the folder: %v", err)
	}
	if _, err := journal.Open(t.Context(), journal.Options{}); err == nil {
		t.Error("empty options: no error")
	}
	blocked := t.TempDir()
	if err := os.WriteFile(filepath.Join(blocked, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(t.Context(), options(blocked)); err == nil || !strings.Contains(err.Error(), blocked) {
		t.Errorf("store that cannot be opened: %v", err)
	}
	if _, err := journal.Open(t.Context(), options(blocked)); err == nil || strings.Contains(err.Error(), "used by") {
		t.Errorf("lock was kept after an error: %v", err)
	}
}

func TestClosed(t *testing.T) {
	j := open(t, options(t.TempDir()))
	b, err := j.Bucket(t.Context(), "things")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- j.Follow(context.Background(), 0, func(journal.Entry) error { return nil }) }()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, journal.ErrClosed) && !errors.Is(err, journal.ErrAhead) {
		t.Errorf("follow: %v", err)
	}
	if _, err := j.Append(t.Context(), []wire.Batch{batch("osl-1", "e1", 1, 1)}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, _, err := b.Get(t.Context(), "x"); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("get: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// TestDay is a day of one message a minute in a bubble.
func TestDay(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := options(dir)
		o.MaxAge = 7 * 24 * time.Hour
		j := open(t, o)
		var read uint64
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			_ = j.Follow(ctx, 0, func(e journal.Entry) error { read++; return nil })
		}()
		start := time.Now()
		for i := range uint64(24 * 60) {
			time.Sleep(time.Minute)
			mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
		}
		synctest.Wait()
		if took := time.Since(start); took != 24*time.Hour || read != 24*60 {
			t.Errorf("%s passed and %d messages were read, want 24h and 1440", took, read)
		}
	})
}
