package spool

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// TestDiskHangs: so many wait, and no more. What is refused meanwhile is counted at
// once, and is a gap behind those that waited, also after a restart.
func TestDiskHangs(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir, Epoch: "e1", MaxBytes: 16 << 20, NoSync: true})
	slow := &slowDisk{disk: s.disk, entered: make(chan struct{}, 100), leave: make(chan struct{})}
	s.disk = slow
	var waiting sync.WaitGroup
	appendOne := func() {
		if _, err := s.Append(observation(1)); err != nil {
			t.Error(err)
		}
	}
	waiting.Go(appendOne)
	<-slow.entered // the first write hangs
	for range maxWaiting - 1 {
		waiting.Go(appendOne)
	}
	for n := 0; n < maxWaiting-1; runtime.Gosched() {
		s.mu.Lock()
		n = len(s.batch.items)
		s.mu.Unlock()
	}
	const refused = 100
	for i := maxWaiting + 1; i <= maxWaiting+refused; i++ {
		if _, err := s.Append(observation(i)); !errors.Is(err, errWaiting) {
			t.Fatalf("append %d: %v", i, err)
		}
	}
	if got := s.Stats().Dropped; got != refused {
		t.Errorf("%d are counted as lost while the disk hangs, want %d", got, refused)
	}
	close(slow.leave)
	waiting.Wait()
	after := maxWaiting + refused + 1
	if _, err := s.Append(observation(after)); err != nil {
		t.Error(err)
	}
	for _, epoch := range []string{"e2", "e3"} {
		recs := drain(t, s, "e1", 0)
		if got, want := show(recs), fmt.Sprintf("%s [%d-%d] %d", numbers(1, maxWaiting), maxWaiting+1, maxWaiting+refused, after); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		checkGap(t, recs[maxWaiting], maxWaiting+1, maxWaiting+refused)
		if st := s.Stats(); epoch == "e2" && st.Dropped != refused || st.Records != maxWaiting+2 {
			t.Errorf("stats %+v", st)
		}
		s.Close()
		s = openWith(t, Options{Dir: dir, Epoch: epoch, NoSync: true})
	}
}
