package history

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// judgedAll is a history in which all that the troubled journal holds was judged,
// told and final.
func judgedAll(t *testing.T) *machine {
	t.Helper()
	f, j := troubled(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	must(t, m.final.step(context.Background(), ten.Add(3*time.Hour+10*time.Minute)))
	return m
}

// Whoever follows the changes by number sees each once, in the order in which they
// were judged, whatever the limit.
func TestChangesAfter(t *testing.T) {
	m := judgedAll(t)
	ctx := context.Background()
	for _, kind := range []string{"told", "final"} {
		all, err := m.s.ChangesAfter(ctx, kind, 0, 1000)
		must(t, err)
		if len(all) < 3 {
			t.Fatalf("%s: got %d changes, want several", kind, len(all))
		}
		var paged []StoredChange
		for after := int64(0); ; after = paged[len(paged)-1].ID {
			page, err := m.s.ChangesAfter(ctx, kind, after, 2)
			must(t, err)
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
		}
		if diff := cmp.Diff(all, paged); diff != "" {
			t.Errorf("%s (-at once +by twos):\n%s", kind, diff)
		}
		for series, want := range bySeries(all) {
			if diff := cmp.Diff(changesOf(t, m.s, kind, series), want); diff != "" {
				t.Errorf("%s of %s (-by time +by number):\n%s", kind, series, diff)
			}
		}
	}
	must(t, m.s.Close())
}

func bySeries(list []StoredChange) map[verdict.Series][]verdict.Change {
	out := map[verdict.Series][]verdict.Change{}
	for _, c := range list {
		out[c.Series] = append(out[c.Series], c.Change)
	}
	return out
}

// An hour that is judged anew has new numbers, larger than any before: a number is
// never given twice.
func TestNumbersAreNotGivenAgain(t *testing.T) {
	m := judgedAll(t)
	ctx := context.Background()
	before, err := m.s.ChangesAfter(ctx, "final", 0, 1000)
	must(t, err)
	last := before[len(before)-1]
	hour := last.At.Truncate(time.Hour)
	must(t, m.s.write(func(w *writer) {
		w.exec(`DELETE FROM verdict WHERE id > ?`, last.ID) // the last number is that of a final one
		w.exec(touchHour, hour.Unix(), hour.Unix())
	}))
	must(t, m.final.step(ctx, ten.Add(3*time.Hour+10*time.Minute)))
	again, err := m.s.ChangesAfter(ctx, "final", last.ID, 1000)
	must(t, err)
	want := slices.DeleteFunc(before, func(c StoredChange) bool { return c.At.Before(hour) })
	if diff := cmp.Diff(bySeries(want), bySeries(again)); diff != "" || len(want) == 0 {
		t.Errorf("after number %d (-first judgement +second):\n%s", last.ID, diff)
	}
	must(t, m.s.Close())
}

// Final changes come by time and then by series, and only those of the window.
func TestFinalChanges(t *testing.T) {
	m := judgedAll(t)
	ctx := context.Background()
	stored, err := m.s.ChangesAfter(ctx, "final", 0, 1000)
	must(t, err)
	var all []verdict.Change
	for _, c := range stored {
		all = append(all, c.Change)
	}
	from, to := ten.Add(15*time.Minute), ten.Add(2*time.Hour)
	want := slices.DeleteFunc(all, func(c verdict.Change) bool { return c.At.Before(from) || !c.At.Before(to) })
	slices.SortStableFunc(want, func(a, b verdict.Change) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return a.Series.Compare(b.Series)
	})
	got, err := m.s.FinalChanges(ctx, from, to)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
		t.Errorf("got %d changes (-want +got):\n%s", len(got), diff)
	}
	none, err := m.s.FinalChanges(ctx, to.Add(24*time.Hour), to.Add(48*time.Hour))
	if err != nil || len(none) != 0 {
		t.Errorf("of time that was not judged: got %v, %v", none, err)
	}
	must(t, m.s.Close())
}

// The record of a change says what it rests on, and so do the present and the spans.
func TestEvidenceIsKept(t *testing.T) {
	m := judgedAll(t)
	ctx := context.Background()
	told, err := m.s.ChangesAfter(ctx, "told", 0, 1000)
	must(t, err)
	i := slices.IndexFunc(told, func(c StoredChange) bool { return c.To == verdict.Down })
	if i < 0 {
		t.Fatal("nothing went down")
	}
	down := told[i]
	e := down.Evidence
	if e.Part != verdict.ByFailures || e.Class != checks.ConnectTimeout || len(e.Figures) != 3 || len(e.Probes) != 3 || e.Figures[0].Got < e.Figures[0].Needed {
		t.Errorf("down: got %+v", e)
	}
	spans, err := m.s.Told(ctx, ten, ten.Add(3*time.Hour))
	must(t, err)
	if !slices.ContainsFunc(spans, func(s verdict.Span) bool {
		return s.Series == down.Series && s.State == verdict.Down && cmp.Equal(s.Evidence, e)
	}) {
		t.Error("no span has the evidence of its change")
	}
	for _, v := range m.s.Verdicts() {
		if v.Evidence.Part == "" {
			t.Errorf("%s is %s by nothing", v.Series, v.State)
		}
	}
	must(t, m.s.Close())
}

// What a former version wrote is read without evidence, and goes on being numbered.
func TestChangesOfAFormerVersion(t *testing.T) {
	dir := t.TempDir()
	db, err := openSQLite(filepath.Join(dir, "history.db"), "NORMAL", 1)
	must(t, err)
	_, err = db.Exec(fmt.Sprintf(`BEGIN; %s PRAGMA user_version = 3;
		INSERT INTO series (id, check_id, region, family) VALUES (5, 'imap', 'oceania', 'ipv4');
		INSERT INTO verdict (id, kind, series, at, was, state, since, reason, up, down, unknown)
			VALUES (41, 'told', 5, %d, 'up', 'down', %[2]d, 'connect_timeout, 3 of 3 probes', 0, 3, 0); COMMIT`,
		strings.Join(migrations[:3], ""), ten.UnixNano()))
	must(t, errors.Join(err, db.Close()))
	f := newFleet("imap")
	s := open(t, dir, newFakeJournal(), func() *Config { return f.config })
	c := verdict.Change{
		Series: darkness, From: verdict.Up, To: verdict.Down, At: ten, Since: ten,
		Reason: "connect_timeout, 3 of 3 probes", Counts: verdict.Counts{Down: 3},
	}
	must(t, s.write(func(w *writer) { w.verdict("told", 5, c) }))
	got, err := s.ChangesAfter(context.Background(), "told", 0, 10)
	must(t, err)
	if diff := cmp.Diff([]StoredChange{{41, c}, {42, c}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for after, want := range map[int64]int{40: 2, 41: 1, 42: 0} {
		if got, err := s.ChangesAfter(context.Background(), "told", after, 10); err != nil || len(got) != want {
			t.Errorf("after %d: got %v, %v, want %d", after, got, err, want)
		}
	}
	must(t, s.Close())
}
