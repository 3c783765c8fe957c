package peer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/probe/internal/peer"
	"varde/proto/wire"
)

// seeking is a seeker, and what the others answer it.
type seeking struct {
	*peer.Seeker
	begin time.Time

	mu         sync.Mutex // protects all following fields
	lost       time.Time  // zero while there is a coordinator
	have       wire.PlanNumber
	candidates []peer.Candidate
	// answers are by probe; a revision of 0 is no plan.
	answers map[string]uint64
	errs    map[string]error
	asked   []string
}

func seek(t *testing.T) (s *seeking, stop func()) {
	t.Helper()
	s = &seeking{begin: time.Now(), have: number(7), answers: map[string]uint64{}, errs: map[string]error{}}
	var err error
	s.Seeker, err = peer.NewSeeker(peer.SeekerOptions{
		Ask: s.ask, Offer: s.offer, After: 20 * time.Second, Logger: slog.New(slog.DiscardHandler),
		Candidates: func() []peer.Candidate { return locked(s, func() []peer.Candidate { return s.candidates }) },
		Have:       func() wire.PlanNumber { return locked(s, func() wire.PlanNumber { return s.have }) },
		Since: func() (time.Time, bool) {
			at := locked(s, func() time.Time { return s.lost })
			return at, !at.IsZero()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func locked[T any](s *seeking, get func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return get()
}

func number(revision uint64) wire.PlanNumber {
	return wire.PlanNumber{Generation: 1, Revision: revision}
}

func candidate(name, region string, revision uint64, coordinator bool) peer.Candidate {
	return peer.Candidate{Remote: peer.Remote{Name: name}, Region: region, Plan: number(revision), Coordinator: coordinator}
}

func (s *seeking) ask(_ context.Context, r peer.Remote, after wire.PlanNumber) (*wire.SignedPlan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, fmt.Sprintf("%s %s after %d", time.Since(s.begin), r.Name, after.Revision))
	if revision := s.answers[r.Name]; revision != 0 {
		return &wire.SignedPlan{Plan: []byte{byte(revision)}}, s.errs[r.Name]
	}
	return nil, s.errs[r.Name]
}

// offer takes what is larger, as a store does.
func (s *seeking) offer(p wire.SignedPlan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := number(uint64(p.Plan[0]))
	if !n.After(s.have) {
		return errors.New("plan is not newer")
	}
	s.have = n
	return nil
}

// change changes the world and says so.
func (s *seeking) change(fn func()) {
	s.mu.Lock()
	fn()
	s.mu.Unlock()
	s.Stir()
	synctest.Wait()
}

func (s *seeking) expect(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.asked, want) {
		t.Errorf("asked %q, want %q", s.asked, want)
	}
	s.asked = nil
}

// TestSeeksAfterTwentySecondsAlone and then every minute, until there is a
// coordinator again.
func TestSeeksAfterTwentySecondsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := seek(t)
		s.change(func() { s.candidates = []peer.Candidate{candidate("nyc-1", "us-east", 0, true)} })
		time.Sleep(10 * time.Minute)
		s.expect(t)
		s.change(func() { s.lost = time.Now() })
		for range 15 { // whatever is said meanwhile
			time.Sleep(10 * time.Second)
			s.Stir()
		}
		s.expect(t, "10m20s nyc-1 after 7", "11m20s nyc-1 after 7", "12m20s nyc-1 after 7")
		s.change(func() { s.answers["nyc-1"] = 9 })
		time.Sleep(2 * time.Minute)
		s.expect(t, "13m20s nyc-1 after 7", "14m20s nyc-1 after 9")
		s.change(func() { s.lost = time.Time{} })
		time.Sleep(10 * time.Minute)
		s.expect(t)
		if s.Taken() != 1 {
			t.Errorf("took %d plans, want 1", s.Taken())
		}
		stop()
	})
}

// TestSeeksAtOnceWhatIsSaidToBeNewer but only once where it is not.
func TestSeeksAtOnceWhatIsSaidToBeNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := seek(t)
		s.change(func() { s.candidates = []peer.Candidate{candidate("nyc-1", "us-east", 8, false)} })
		s.expect(t) // the coordinator brings it
		s.change(func() { s.lost, s.answers["nyc-1"] = time.Now(), 8 })
		s.expect(t, "0s nyc-1 after 7")
		s.change(func() { s.candidates = []peer.Candidate{candidate("nyc-1", "us-east", 200, false)} })
		s.expect(t, "0s nyc-1 after 8")
		for range 9 { // somebody tells tales
			s.change(func() { s.candidates[0].Plan.Revision++ })
		}
		s.expect(t)
		stop()
	})
}

// TestWhoLiesIsNotAsked for ten minutes; who cannot be reached is.
func TestWhoLiesIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := seek(t)
		s.change(func() {
			s.candidates = []peer.Candidate{candidate("nyc-1", "us-east", 0, false), candidate("osl-1", "eu-north", 0, false), candidate("syd-1", "oceania", 0, false)}
			s.answers["nyc-1"] = 6
			s.errs["osl-1"] = errors.New("answer of osl-1: message size exceeded")
			s.errs["syd-1"] = &peer.Unreachable{Peer: "syd-1", Err: errors.New("connection refused")}
			s.lost = time.Now()
		})
		times := func() (out []int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, name := range []string{"nyc-1", "osl-1", "syd-1"} {
				n := 0
				for _, line := range s.asked {
					var at, who string
					if _, err := fmt.Sscan(line, &at, &who); err == nil && who == name {
						n++
					}
				}
				out = append(out, n)
			}
			return out
		}
		time.Sleep(10*time.Minute + 19*time.Second)
		if got := times(); !slices.Equal(got, []int{1, 1, 10}) {
			t.Errorf("asked %v times in ten minutes, want once, once and ten times", got)
		}
		time.Sleep(time.Minute)
		if got := times(); !slices.Equal(got, []int{2, 2, 11}) {
			t.Errorf("asked %v times in eleven minutes, want both liars again", got)
		}
		if s.Taken() != 0 {
			t.Errorf("took %d plans", s.Taken())
		}
		stop()
	})
}

// TestRelaysInOrder: those with a coordinator first, other regions before the own
// one, and few of those that say nothing.
func TestRelaysInOrder(t *testing.T) {
	all := []peer.Candidate{
		candidate("osl-2", "eu-north", 0, true), candidate("osl-3", "eu-north", 0, false),
		candidate("nyc-1", "us-east", 0, true), candidate("nyc-2", "us-east", 0, false), candidate("nyc-3", "us-east", 0, false),
		candidate("syd-1", "oceania", 0, true), candidate("syd-2", "oceania", 0, false), candidate("syd-3", "oceania", 0, false),
	}
	firsts := map[string]bool{}
	for range 100 {
		var names []string
		for _, r := range peer.Relays("eu-north", all) {
			names = append(names, r.Name)
		}
		if len(names) != 6 || names[2] != "osl-2" || slices.Contains(names, "osl-3") {
			t.Fatalf("got %v, want nyc-1 and syd-1, then osl-2, then three of those elsewhere that say nothing", names)
		}
		firsts[names[0]] = true
	}
	if len(firsts) != 2 || !firsts["nyc-1"] || !firsts["syd-1"] {
		t.Errorf("began with %v, want nyc-1 or syd-1 by chance", firsts)
	}
}
