//go:build !race

package mesh

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
)

// TestLargeMesh of 200: a broadcast reaches all within 2 s, idling costs less than
// 200 B/s a member, a death is known within 30 s, and two halves are one within 90 s.
func TestLargeMesh(t *testing.T) {
	const members = 200
	synctest.Test(t, func(t *testing.T) {
		f, wire := newFleet(t, 0), &record{}
		f.through = func(h *checktest.Host) Network { return tap{h, wire, nil} }
		var mu sync.Mutex
		got, slowest := map[string]int{}, time.Duration(0)
		var sent time.Time
		for range members {
			f.start(Options{Seeds: seeds(members), Receive: func(b []byte) {
				mu.Lock()
				defer mu.Unlock()
				got[string(b)]++
				slowest = max(slowest, time.Since(sent))
			}})
		}
		f.until(2*time.Minute, all(members), f.list...)
		time.Sleep(time.Minute)
		wire.sent.Store(0)
		const idle = 4 * time.Minute
		time.Sleep(idle)
		rate := float64(wire.sent.Load()) / members / idle.Seconds()
		t.Logf("idle: %.0f B/s a member", rate)
		if rate >= 200 {
			t.Errorf("idle members send %.0f B/s each, want less than 200", rate)
		}
		for i := range 5 {
			message := fmt.Sprintf("message %d", i)
			mu.Lock()
			sent = time.Now()
			mu.Unlock()
			f.list[i].Send(nil, []byte(message))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			mu.Lock()
			if got[message] != members-1 {
				t.Errorf("after 2 s %d of %d received %s", got[message], members-1, message)
			}
			mu.Unlock()
			time.Sleep(3 * time.Second)
		}
		t.Logf("the last one had a message after %s", slowest)
		f.dies(members, 30*time.Second)
		half := make([]int, members/2)
		for i := range half {
			half[i] = i + 1
		}
		f.cut(half...)
		time.Sleep(time.Minute)
		f.net.Rule(nil)
		t.Logf("one mesh again after %s", f.until(90*time.Second, all(members), f.list...))
	})
}
