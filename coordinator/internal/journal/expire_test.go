package journal_test

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"varde/proto/wire"
)

// A disk that has less free than the reserve gets emptier by itself: what is past
// its age goes at the start, and with every append though that is refused.
func TestFullDiskIsEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(t.TempDir())
		o.MaxAge = time.Hour
		j := open(t, o)
		for i := range uint64(6) { // after 10, 20, ... 60 minutes
			time.Sleep(10 * time.Minute)
			mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Minute)
		o.Reserve = 1 << 62
		j = open(t, o)
		expect := func(want uint64) {
			t.Helper()
			if first, last := j.Bounds(); first != want || last != 6 {
				t.Errorf("the journal goes from %d to %d, want %d to 6", first, last, want)
			}
		}
		expect(3)
		time.Sleep(20 * time.Minute)
		refused := batch("osl-1", "e1", 7, 7)
		if _, err := j.Append(t.Context(), []wire.Batch{refused}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v, want ENOSPC", err)
		}
		expect(5)
	})
}

// Numbers without a message, at the beginning, in the middle or at the end, keep
// nothing that is older from being discarded.
func TestHolesDoNotStopDiscarding(t *testing.T) {
	for name, holes := range map[string][]uint64{"middle": {2, 3, 4, 5, 6, 7, 8}, "one": {5}, "end": {6, 7, 8, 9}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(t.TempDir())
				o.MaxAge = time.Hour
				j := open(t, o)
				for i := range uint64(9) {
					mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
				}
				for _, seq := range holes {
					if err := j.Damage(t.Context(), seq); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(2 * time.Hour)
				mustAppend(t, j, batch("osl-1", "e1", 10, 10))
				if first, last := j.Bounds(); first != 10 || last != 10 {
					t.Errorf("the journal goes from %d to %d, want 10 to 10", first, last)
				}
			})
		})
	}
}
