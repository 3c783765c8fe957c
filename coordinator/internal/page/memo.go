package page

import (
	"fmt"
	"sync"
	"time"
)

// Memo keeps what is dear to make. For each key at most one caller makes a
// value at a time; while it does, all others get the value before, and wait
// only if there is none. A value that could not be renewed stays, so whoever
// shows it must show its age too.
//
// A Memo never forgets a key: keys must come from a set that is bounded.
type Memo[K comparable, V any] struct {
	// fresh is how long a value is served before it is made anew.
	fresh   time.Duration
	mu      sync.Mutex
	entries map[K]*memoEntry[V]
}

type memoEntry[V any] struct {
	value V
	err   error
	// known says that value holds one; tried is when the last attempt ended.
	known bool
	tried time.Time
	// making is closed when the attempt under way has ended; nil when none is.
	making chan struct{}
}

// NewMemo returns a memo that makes values anew when they are older than
// fresh.
func NewMemo[K comparable, V any](fresh time.Duration) *Memo[K, V] {
	return &Memo[K, V]{fresh: fresh, entries: make(map[K]*memoEntry[V])}
}

// Get returns the value of key, made by calling produce when it is due. The
// error is that of produce and comes only while no value is known.
func (m *Memo[K, V]) Get(key K, produce func() (V, error)) (V, error) {
	m.mu.Lock()
	e := m.entries[key]
	if e == nil {
		e = new(memoEntry[V])
		m.entries[key] = e
	}
	for !e.known && e.making != nil {
		making := e.making
		m.mu.Unlock()
		<-making
		m.mu.Lock()
		if !e.known {
			defer m.mu.Unlock()
			return e.value, e.err
		}
	}
	if e.making != nil || !e.tried.IsZero() && time.Since(e.tried) < m.rest(e) {
		defer m.mu.Unlock()
		if e.known {
			return e.value, nil
		}
		return e.value, e.err
	}
	e.making = make(chan struct{})
	m.mu.Unlock()
	return m.produce(e, produce)
}

// Renew makes every value due; those there are stay until they are made anew.
func (m *Memo[K, V]) Renew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.known {
			e.tried = time.Time{}
		}
	}
}

// retryAfter is how long a failure is answered with while no value is known.
const retryAfter = time.Second

// rest is how long after an attempt the next one is due.
func (m *Memo[K, V]) rest(e *memoEntry[V]) time.Duration {
	if e.known {
		return m.fresh
	}
	return min(m.fresh, retryAfter)
}

// produce makes the value outside the lock.
func (m *Memo[K, V]) produce(e *memoEntry[V], produce func() (V, error)) (value V, err error) {
	err = fmt.Errorf("make value: panicked")
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if err == nil {
			e.value, e.known = value, true
		} else if e.known {
			value, err = e.value, nil
		}
		e.err, e.tried = err, time.Now()
		close(e.making)
		e.making = nil
	}()
	return produce()
}
