package page

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoMakesOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemo[string, int](2 * time.Second)
		made := 0
		slow := func() (int, error) {
			time.Sleep(time.Second)
			made++
			return made, nil
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if v, err := m.Get("k", slow); v != 1 || err != nil {
					t.Errorf("got %d, %v, want the first value", v, err)
				}
			})
		}
		wg.Wait()
		if made != 1 {
			t.Fatalf("made %d times for 50 callers, want once", made)
		}
		time.Sleep(1999 * time.Millisecond)
		if v, _ := m.Get("k", slow); v != 1 {
			t.Errorf("made anew after 1.999 s, want 2 s")
		}
		time.Sleep(time.Millisecond)
		done := make(chan int)
		go func() { v, _ := m.Get("k", slow); done <- v }()
		synctest.Wait()
		start := time.Now()
		if v, _ := m.Get("k", slow); v != 1 || time.Since(start) != 0 {
			t.Errorf("while one renews, others got %d after %s, want the old value at once", v, time.Since(start))
		}
		if v := <-done; v != 2 {
			t.Errorf("the one that renewed got %d, want 2", v)
		}
		if v, _ := m.Get("other", slow); v != 3 {
			t.Errorf("another key got %d, want its own value", v)
		}
	})
}

func TestMemoKeepsTheOldValueWhenItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemo[int, string](time.Second)
		broken := errors.New("broken")
		calls := 0
		fail := func() (string, error) { calls++; return "", broken }
		if _, err := m.Get(1, fail); !errors.Is(err, broken) {
			t.Fatalf("got %v, want the error", err)
		}
		if _, err := m.Get(1, fail); !errors.Is(err, broken) || calls != 1 {
			t.Errorf("got %v after %d calls, want the error again without a second call", err, calls)
		}
		time.Sleep(time.Second)
		if v, err := m.Get(1, func() (string, error) { return "good", nil }); v != "good" || err != nil {
			t.Fatalf("got %q, %v", v, err)
		}
		time.Sleep(time.Second)
		for range 3 {
			if v, err := m.Get(1, fail); v != "good" || err != nil {
				t.Errorf("got %q, %v, want the old value", v, err)
			}
		}
		if calls != 2 {
			t.Errorf("a failing source was asked %d times in one second, want once", calls-1)
		}
	})
}

func TestMemoOutlivesAPanic(t *testing.T) {
	m := NewMemo[int, int](time.Hour)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not come through")
			}
		}()
		_, _ = m.Get(1, func() (int, error) { panic("bug") })
	}()
	if _, err := m.Get(1, func() (int, error) { return 1, nil }); err == nil {
		t.Error("got no error right after a panic, want one until it is due again")
	}
}
