package journal_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/journal"
)

// Scan gives what Read gives, but every entry into the memory of the one before.
func TestScan(t *testing.T) {
	j := open(t, options(t.TempDir()))
	for next := uint64(1); next < 100; next += 10 {
		mustAppend(t, j, batch("osl-1", "e1", next, next+9), batch("nyc-1", "e1", next, next+9))
	}
	var want []journal.Entry
	if err := j.Read(t.Context(), 3, 8, func(e journal.Entry) error { want = append(want, e); return nil }); err != nil || len(want) != 6 {
		t.Fatalf("got %d entries, %v, want 6", len(want), err)
	}
	var before *journal.Entry
	err := j.Scan(t.Context(), 3, 8, func(e journal.Entry) error {
		if diff := cmp.Diff(want[0], e); diff != "" {
			t.Errorf("read otherwise (-read +scanned)\n%s", diff)
		}
		if want = want[1:]; before != nil && &before.Batches[0].Records[0] != &e.Batches[0].Records[0] && e.Seq > 4 {
			t.Errorf("entry %d has memory of its own", e.Seq)
		}
		before = &e
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("got %v, %d entries left", err, len(want))
	}
}
