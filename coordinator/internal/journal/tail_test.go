package journal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"varde/coordinator/internal/journal"
)

// witness is a reader that outlives its journal. It holds what it sees against
// the law: each record once and in order.
type witness struct {
	place uint64
	seen  map[journal.Source]uint64
	done  chan error
}

var errEnd = errors.New("witness has seen the end")

// follow waits until the former journal is closed and goes on with this one,
// until it sees a record of the probe end-1.
func (w *witness) follow(j *journal.Journal) {
	if w.done != nil {
		<-w.done
	}
	w.done = make(chan error, 1)
	go func() { w.done <- j.Follow(context.Background(), w.place, w.see) }()
}

func (w *witness) see(e journal.Entry) (err error) {
	for _, b := range e.Batches {
		if last := w.seen[b.Source()]; b.First() != last+1 {
			return fmt.Errorf("message %d holds %d to %d of %v after %d", e.Seq, b.First(), b.Last(), b.Source(), last)
		}
		w.seen[b.Source()] = b.Last()
		if b.Probe == "end-1" {
			err = errEnd
		}
	}
	w.place = e.Seq
	return err
}

func (w *witness) wait() error { return <-w.done }

// TestSlowReaderMissesNothing has a reader stand still while more is appended
// than is kept in memory: it goes on from disk, and then from memory again.
func TestSlowReaderMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(t.TempDir())
		o.NoSync = true
		j := open(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		proceed := make(chan struct{})
		var got []uint64
		done := make(chan error)
		go func() {
			done <- j.Follow(ctx, 0, func(e journal.Entry) error {
				<-proceed
				if len(e.Batches) != 1 || e.Batches[0].First() != (e.Seq-1)*1000+1 || len(e.Batches[0].Records) != 1000 {
					t.Errorf("message %d holds %d batches", e.Seq, len(e.Batches))
				}
				got = append(got, e.Seq+1000*e.Missed)
				return nil
			})
		}()
		for i := range uint64(20) {
			mustAppend(t, j, batch("osl-1", "e1", i*1000+1, i*1000+1000))
			synctest.Wait()
		}
		if n := j.InMemory(); n < 2 || n > 10 {
			t.Errorf("%d messages of 150 kB in memory, want the few that fit 1 MiB", n)
		}
		close(proceed)
		mustAppend(t, j, batch("osl-1", "e1", 20001, 21000))
		time.Sleep(time.Minute)
		cancel()
		<-done
		for i, seq := range got {
			if seq != uint64(i)+1 {
				t.Fatalf("reader saw %v, want 1 to 21", got)
			}
		}
		if len(got) != 21 {
			t.Errorf("reader saw %v, want 1 to 21", got)
		}
	})
}

// TestReaderPassesDamagedEnd has a reader come to where the newest messages are
// numbers without content, and stay there until something is appended.
func TestReaderPassesDamagedEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, options(t.TempDir()))
		for i := range uint64(3) {
			mustAppend(t, j, batch("osl-1", "e1", i+1, i+1))
		}
		for _, seq := range []uint64{3, 2} {
			if err := j.Damage(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
		}
		marks(t, j) // finds out how far the journal goes
		ctx, cancel := context.WithCancel(t.Context())
		var got []uint64
		done := make(chan error)
		go func() {
			done <- j.Follow(ctx, 0, func(e journal.Entry) error { got = append(got, e.Seq+1000*e.Missed); return nil })
		}()
		time.Sleep(time.Minute)
		mustAppend(t, j, batch("osl-1", "e1", 4, 4))
		time.Sleep(time.Second)
		cancel()
		<-done
		if len(got) != 2 || got[0] != 1 || got[1] != 2004 {
			t.Errorf("reader saw %v, want 1 and 4 with 2 missed", got)
		}
	})
}

// TestReaderSeesWhatNobodyAcknowledged has an append end without an answer
// whose message is stored all the same.
func TestReaderSeesWhatNobodyAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, options(t.TempDir()))
		mustAppend(t, j, batch("osl-1", "e1", 1, 1))
		if err := j.Forget(t.Context(), batch("osl-1", "e1", 2, 2)); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, j, batch("osl-1", "e1", 3, 3))
		var got []uint64
		stop := errors.New("stop")
		err := j.Follow(t.Context(), 0, func(e journal.Entry) error {
			got = append(got, e.Batches[0].First()+1000*e.Missed)
			if e.Seq == 3 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || len(got) != 3 || got[0] != 1 || got[1] != 2 || got[2] != 3 {
			t.Errorf("reader saw %v, %v, want 1, 2, 3", got, err)
		}
	})
}
