package spool

import (
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// countingDisk counts the syncs of segments.
type countingDisk struct {
	disk
	syncs int
}

func (d *countingDisk) sync(f *os.File) error {
	d.syncs++
	return d.disk.sync(f)
}

// TestSyncsAreFew: of a busy probe twenty observations and more share a sync, and
// whoever is alone does not wait. An event waits for nobody.
func TestSyncsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openWith(t, Options{Dir: t.TempDir(), Epoch: "e1", MaxBytes: 16 << 20})
		disk := &countingDisk{disk: s.disk}
		s.disk = disk
		took := func(add func() error) time.Duration {
			begin := time.Now()
			if err := add(); err != nil {
				t.Error(err)
			}
			return time.Since(begin)
		}
		mail := &checks.MailEvent{Mail: "0a1b", Check: "loop", Service: "mail", Route: "internal", Sent: start, State: checks.MailPending}
		observe := func() error {
			_, err := s.Append(observation(1))
			return err
		}
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				if d := took(observe); d > gatherFor {
					t.Errorf("an observation waited for %s, want at most %s", d, gatherFor)
				}
			})
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		if most := int(500*time.Millisecond/gatherFor) + 1; disk.syncs > most || disk.syncs < most/2 {
			t.Errorf("%d syncs in half a second, want about %d", disk.syncs, most)
		}
		time.Sleep(time.Second)
		if d := took(observe); d != 0 {
			t.Errorf("the first one after a while waited for %s", d)
		}
		if d := took(func() error { return s.AppendEvent(wire.Event{At: start, Mail: mail}) }); d != 0 {
			t.Errorf("an event waited for %s", d)
		}
	})
}
