package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"varde/checks"
)

var everies = []time.Duration{5 * time.Second, 30 * time.Second, time.Minute, 7*time.Minute + 1, 15 * time.Minute, 24 * time.Hour}

func drawMembers(t *rapid.T) []string {
	return rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,4}-[0-9]`), 1, 20, rapid.ID).Draw(t, "members")
}

func TestPhaseDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		every := rapid.SampledFrom(everies).Draw(t, "every")
		self := rapid.SampledFrom(members).Draw(t, "self")
		e := entry4("imap", every)
		want := Phase(e, self, members)
		others := slices.DeleteFunc(slices.Clone(members), func(m string) bool { return m == self })
		doubled := append(slices.Clone(members), members...)
		rand.Shuffle(len(doubled), func(i, j int) { doubled[i], doubled[j] = doubled[j], doubled[i] })
		for name, set := range map[string][]string{"shuffled and doubled": doubled, "without self": others} {
			if got := Phase(e, self, set); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if want < 0 || want >= every {
			t.Errorf("phase %s of %s", want, every)
		}
	})
}

// n members look every interval/n, whatever the check.
func TestPhasesAreEvenlySpaced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		every := rapid.SampledFrom(everies).Draw(t, "every")
		check := rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "check")
		n := time.Duration(len(members))
		var at []time.Duration
		for _, m := range members {
			at = append(at, Phase(Entry{Target: &checks.Target{ID: check, Every: every}, Family: checks.IPv6}, m, members))
		}
		slices.Sort(at)
		at = append(at, at[0]+every)
		for i := range members {
			if gap := at[i+1] - at[i]; gap < every/n-1 || gap > every/n+1 {
				t.Fatalf("%d members of %s: %s between two, want %s", n, every, gap, every/n)
			}
		}
	})
}

// Regions look in turn: whatever the servers see comes evenly, and not from all
// regions at once.
func TestRegionsTakeTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := rapid.SampledFrom(everies).Draw(t, "every")
		regions := rapid.IntRange(1, 12).Draw(t, "regions")
		n := rapid.IntRange(1, 5).Draw(t, "members of each")
		e := entry4(rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "check"), every)
		e.Regions = regions
		var at []time.Duration
		for e.Region = range regions {
			var members []string
			for i := range n {
				members = append(members, fmt.Sprintf("probe-%d-%d", e.Region, i))
			}
			for _, m := range members {
				at = append(at, Phase(e, m, members))
			}
		}
		slices.Sort(at)
		at = append(at, at[0]+every)
		for i := range len(at) - 1 {
			if gap, want := at[i+1]-at[i], every/time.Duration(regions*n); gap < want-5 || gap > want+5 {
				t.Fatalf("%d regions of %d: %s between two looks, want %s", regions, n, gap, want)
			}
		}
	})
}

// When one leaves, the others keep their order and their turn begins where it
// did: nobody else's rank jumps.
func TestOneLeavingKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t)
		gone := rapid.IntRange(0, len(members)-1).Draw(t, "gone")
		left := slices.Delete(slices.Clone(members), gone, gone+1)
		before, _ := rank("imap", members[gone], members)
		for _, m := range left {
			r, n := rank("imap", m, members)
			want := r
			if r > before {
				want--
			}
			if got, k := rank("imap", m, left); got != want || k != n-1 {
				t.Errorf("%s: rank %d of %d, want %d of %d", m, got, k, want, n-1)
			}
		}
	})
}

func TestFollowKeepsItsDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := rapid.SampledFrom(everies).Draw(t, "every")
		phase := time.Duration(rapid.Int64Range(0, int64(every)-1).Draw(t, "phase"))
		last := time.Unix(0, rapid.Int64Range(0, 1<<61).Draw(t, "last"))
		next := follow(last, every, phase)
		if d := next.Sub(last); d < every/2 || d >= every*3/2+1 {
			t.Errorf("%s after the last run, want between half of %s and one and a half", d, every)
		}
		if got := time.Duration(next.UnixNano()) % every; got != phase {
			t.Errorf("at phase %s, want %s", got, phase)
		}
		if again := follow(next, every, phase); again.Sub(next) != every {
			t.Errorf("then %s later, want %s", again.Sub(next), every)
		}
	})
}

// The phase is part of what a fleet agrees on: all its probes, of whatever
// version, must come to the same.
func TestPhaseIsFixed(t *testing.T) {
	members := []string{"osl-1", "hel-1", "sto-1"}
	var got []string
	for _, m := range members {
		got = append(got, fmt.Sprint(Phase(entry4("imap-login", 30*time.Second), m, members)))
	}
	if want := []string{"16.215362421s", "26.215362421s", "6.215362421s"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
