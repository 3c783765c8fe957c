package spool

import (
	"errors"
	"sync"
	"syscall"
	"testing"
)

// TestRenewMovesWhatWaits: under new numbers, and nothing of it twice or not at
// all, gaps included.
func TestRenewMovesWhatWaits(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir, Epoch: "e1", NoSync: true})
	fill(t, s, 1, 1200)
	if err := s.Ack("e1", 100); err != nil {
		t.Fatal(err)
	}
	good := s.disk
	s.disk = &badDisk{disk: good, writing: syscall.ENOSPC}
	for i := 1201; i <= 1205; i++ {
		if _, err := s.Append(observation(i)); err == nil {
			t.Fatal("appended to a bad disk")
		}
	}
	s.disk = good
	fill(t, s, 1206, 1300)
	if err := s.Renew(); err != nil {
		t.Fatal(err)
	}
	name := s.Epoch()
	fill(t, s, 1, 1)
	if got := s.Epochs(); len(got) != 1 || got[0] != name || name == "e1" {
		t.Errorf("epochs %v, want one new", got)
	}
	for range 2 { // as it is, and from the disk
		recs := drain(t, s, name, 0)
		if got := recs[1100]; len(recs) != 1197 || got.Gap == nil || got.First() != 1101 || got.Last() != 1105 {
			t.Fatalf("%d records, %s", len(recs), show(recs[1095:]))
		}
		for i, r := range recs[:1100] {
			if want := observation(i + 101); r.First() != uint64(i+1) || !r.Observation.Started.Equal(want.Started) {
				t.Fatalf("record %d: number %d of %s, want %s", i, r.First(), r.Observation.Started, want.Started)
			}
		}
		if got, want := recs[1195].Observation, observation(1300); got.Seq != 1200 || !got.Started.Equal(want.Started) {
			t.Errorf("the last that was moved is number %d of %s", got.Seq, got.Started)
		}
		s.Close()
		s = openWith(t, Options{Dir: dir, Epoch: "e9", NoSync: true})
	}
}

// TestRenewWhileAppending: every observation is there once, in one of the epochs
// that were handed out.
func TestRenewWhileAppending(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	var appending sync.WaitGroup
	for i := range 4 {
		appending.Go(func() { fill(t, s, 50*i+1, 50*i+50) })
	}
	for range 5 {
		if err := s.Renew(); err != nil {
			t.Error(err)
		}
	}
	appending.Wait()
	if err := s.Renew(); err != nil {
		t.Error(err)
	}
	seen := map[int64]int{}
	for _, r := range drain(t, s, s.Epoch(), 0) {
		seen[r.Observation.Started.Unix()]++
	}
	for i := 1; i <= 200; i++ {
		if n := seen[observation(i).Started.Unix()]; n != 1 {
			t.Errorf("observation %d is there %d times", i, n)
		}
	}
	s.Close()
	if err := s.Renew(); !errors.Is(err, ErrClosed) {
		t.Errorf("renewed after it was closed: %v", err)
	}
}
