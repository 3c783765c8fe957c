package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

const dark = "2026-11-22-imap-4k7qx"

var minute = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func archive(t testing.TB, j *journal.Journal, o journal.ArchiveOptions) *journal.Archive {
	t.Helper()
	a, err := j.Archive(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustKeep(t testing.TB, a *journal.Archive, incident string, at time.Time, batches ...wire.Batch) {
	t.Helper()
	if err := a.Keep(t.Context(), incident, at, batches); err != nil {
		t.Fatal(err)
	}
}

// keptOf says part by part what is kept of an incident.
func keptOf(t testing.TB, a *journal.Archive, incident string) []string {
	t.Helper()
	minutes, err := a.Minutes(t.Context(), incident)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range minutes {
		err := a.Read(t.Context(), incident, m, func(batches []wire.Batch) error {
			for _, b := range batches {
				out = append(out, fmt.Sprintf("%s %s/%s %d-%d", m.Format("15:04"), b.Probe, b.Epoch, b.First(), b.Last()))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// The archive gives back what it was given, part by part, after a restart and after
// the engine was started anew, and the journal knows nothing of it.
func TestArchiveKeeps(t *testing.T) {
	dir := t.TempDir()
	j := open(t, options(dir))
	a := archive(t, j, journal.ArchiveOptions{})
	mustAppend(t, j, batch("osl-1", "e1", 1, 1))
	later := minute.Add(time.Hour)
	mustKeep(t, a, dark, later.Add(59*time.Second), batch("osl-1", "e1", 7, 9))
	mustKeep(t, a, dark, minute, batch("osl-1", "e1", 1, 1), batch("osl-1", "e1", 4, 5), batch("osl-2", "e1", 1, 2))
	j.Break()
	mustKeep(t, a, dark, minute, batch("osl-2", "e1", 3, 3))
	mustKeep(t, a, dark+"x", minute, batch("osl-9", "e1", 1, 1))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, options(dir))
	a = archive(t, j, journal.ArchiveOptions{})
	want := []string{"12:00 osl-1/e1 1-1", "12:00 osl-1/e1 4-5", "12:00 osl-2/e1 1-2", "12:00 osl-2/e1 3-3", "13:00 osl-1/e1 7-9"}
	if diff := cmp.Diff(want, keptOf(t, a, dark)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ids, err := a.Incidents(t.Context())
	if err != nil || !slices.Equal(ids, []string{dark, dark + "x"}) {
		t.Errorf("incidents: %q, %v", ids, err)
	}
	if got := keptOf(t, a, "2026-11-22-imap"); len(got) != 0 {
		t.Errorf("of an incident that is not known: %q", got)
	}
	if first, last := j.Bounds(); first != 1 || last != 1 {
		t.Errorf("the journal goes from %d to %d, want 1 to 1", first, last)
	}
	if n, err := a.Size(t.Context()); err != nil || n < 1000 {
		t.Errorf("size: %d, %v", n, err)
	}
}

// An id is one token of a subject: nothing else may get there.
func TestArchiveRefuses(t *testing.T) {
	a := archive(t, open(t, options(t.TempDir())), journal.ArchiveOptions{})
	good := []wire.Batch{batch("osl-1", "e1", 1, 1)}
	for _, id := range []string{"", "a.b", "*", ">", "a b", "A", "é", strings.Repeat("a", 129)} {
		if err := a.Keep(t.Context(), id, minute, good); err == nil || !strings.Contains(err.Error(), "expected 1 to 128 of a-z, 0-9 and -") {
			t.Errorf("keep %.20q: %v", id, err)
		}
		if _, err := a.Minutes(t.Context(), id); err == nil {
			t.Errorf("minutes of %.20q: no error", id)
		}
		if err := a.Read(t.Context(), id, minute, nil); err == nil {
			t.Errorf("read %.20q: no error", id)
		}
	}
	for name, batches := range map[string][]wire.Batch{"none": nil, "nobody's": {{Epoch: "e1"}}, "empty": {{Probe: "osl-1", Region: "eu-north", Epoch: "e1"}}} {
		if err := a.Keep(t.Context(), dark, minute, batches); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if ids, err := a.Incidents(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("what was refused is kept: %q, %v", ids, err)
	}
}

// More than fits into one message becomes several.
func TestArchiveSplits(t *testing.T) {
	a := archive(t, open(t, options(t.TempDir())), journal.ArchiveOptions{})
	var list []wire.Batch
	for i := range uint64(100) {
		b := batch("osl-1", "e1", 1000*i+1, 1000*i+1000)
		for k := range b.Records {
			b.Records[k].Observation.Detail = strings.Repeat("x", 200)
		}
		list = append(list, b)
	}
	mustKeep(t, a, dark, minute, list...)
	got := keptOf(t, a, dark)
	if len(got) != 100 || got[0] != "12:00 osl-1/e1 1-1000" || got[99] != "12:00 osl-1/e1 99001-100000" {
		t.Errorf("%d batches from %q", len(got), got[:min(2, len(got))])
	}
}

// What is past its age goes, whether anything new comes or not, and what is too much
// goes from the oldest on.
func TestArchiveForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, options(t.TempDir()))
		a := archive(t, j, journal.ArchiveOptions{MaxAge: 100 * time.Hour})
		mustKeep(t, a, dark, minute, batch("osl-1", "e1", 1, 1))
		time.Sleep(60 * time.Hour)
		mustKeep(t, a, dark, minute, batch("osl-1", "e1", 2, 2))
		time.Sleep(42 * time.Hour)
		if err := a.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := keptOf(t, a, dark); !slices.Equal(got, []string{"12:00 osl-1/e1 2-2"}) {
			t.Errorf("after its age: %q", got)
		}
		time.Sleep(60 * time.Hour)
		mustKeep(t, a, dark+"x", minute, batch("osl-1", "e1", 3, 3))
		if ids, err := a.Incidents(t.Context()); err != nil || !slices.Equal(ids, []string{dark + "x"}) {
			t.Errorf("incidents: %q, %v", ids, err)
		}
	})
	a := archive(t, open(t, options(t.TempDir())), journal.ArchiveOptions{MaxBytes: 100_000})
	for i := range uint64(10) {
		mustKeep(t, a, dark, minute.Add(time.Duration(i)*time.Minute), batch("osl-1", "e1", 100*i+1, 100*i+100))
	}
	got := keptOf(t, a, dark)
	if n := len(got); n == 0 || n > 8 || got[n-1] != "12:09 osl-1/e1 901-1000" {
		t.Errorf("of ten parts and too many bytes: %q", got)
	}
}

// A disk with less free than the reserve takes nothing, and what is there stays.
func TestArchiveLeavesTheReserve(t *testing.T) {
	dir := t.TempDir()
	j := open(t, options(dir))
	mustKeep(t, archive(t, j, journal.ArchiveOptions{}), dark, minute, batch("osl-1", "e1", 1, 1))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	o.Reserve = 1 << 60
	a := archive(t, open(t, o), journal.ArchiveOptions{})
	err := a.Keep(t.Context(), dark, minute, []wire.Batch{batch("osl-1", "e1", 2, 2)})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dark) {
		t.Errorf("keep: %v", err)
	}
	if got := keptOf(t, a, dark); len(got) != 1 {
		t.Errorf("kept: %q", got)
	}
}

func TestArchiveIsClosedWithTheJournal(t *testing.T) {
	j := open(t, options(t.TempDir()))
	a := archive(t, j, journal.ArchiveOptions{MaxAge: time.Hour})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, minutes := a.Minutes(t.Context(), dark)
	_, ids := a.Incidents(t.Context())
	_, size := a.Size(t.Context())
	for name, err := range map[string]error{
		"keep":    a.Keep(t.Context(), dark, minute, []wire.Batch{batch("osl-1", "e1", 1, 1)}),
		"read":    a.Read(t.Context(), dark, minute, nil),
		"minutes": minutes, "incidents": ids, "size": size, "expire": a.Expire(t.Context()),
	} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
	if _, err := j.Archive(context.Background(), journal.ArchiveOptions{MaxAge: -1}); err == nil {
		t.Error("a negative age: no error")
	}
}

// At finds the first message at or after a time; one that is missing is as old as the
// next.
func TestAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, options(t.TempDir()))
		began := time.Now()
		at := func(after time.Duration) uint64 {
			t.Helper()
			seq, err := j.At(t.Context(), began.Add(after))
			if err != nil {
				t.Fatal(err)
			}
			return seq
		}
		if got := at(0); got != 1 {
			t.Errorf("in an empty journal: %d, want 1", got)
		}
		for i := range uint64(6) { // at 0, 1, ... 5 minutes
			mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
			time.Sleep(time.Minute)
		}
		if err := j.Damage(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		for after, want := range map[time.Duration]uint64{
			-time.Hour: 1, 0: 1, time.Minute - 1: 2, time.Minute: 2, time.Minute + 1: 3, 4 * time.Minute: 4, 4*time.Minute + 1: 6, 5 * time.Minute: 6, time.Hour: 7,
		} {
			if got := at(after); got != want {
				t.Errorf("at %v: %d, want %d", after, got, want)
			}
		}
	})
}
