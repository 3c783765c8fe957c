package verdict

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"varde/checks"
)

var anySeries = Series{Check: "imap", Region: "eu-north", Family: checks.IPv4}

func rules() *rapid.Generator[Rule] {
	return rapid.Custom(func(t *rapid.T) Rule {
		return Rule{
			Interval:  time.Duration(rapid.IntRange(5, 60).Draw(t, "interval")) * time.Second,
			MinProbes: rapid.IntRange(1, 3).Draw(t, "min_probes"),
		}
	})
}

// results come from up to four probes with long streaks, ends on a coarse grid
// so that equal times and exact boundaries happen.
func results() *rapid.Generator[[]Result] {
	return rapid.Custom(func(t *rapid.T) []Result {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		probes := rapid.IntRange(1, 4).Draw(t, "probes")
		at, mood := start, checks.Up
		out := make([]Result, n)
		for i := range out {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 2, 5, 5, 5, 10, 30, 200}).Draw(t, "gap")) * time.Second)
			if rapid.IntRange(0, 9).Draw(t, "turn") == 0 {
				mood = checks.Up + checks.Down - mood
			}
			outcome := mood
			switch rapid.IntRange(0, 11).Draw(t, "noise") {
			case 0:
				outcome = checks.Unknown
			case 1:
				outcome = checks.Up + checks.Down - mood
			}
			out[i] = Result{
				Probe: string(rune('a' + rapid.IntRange(0, probes-1).Draw(t, "probe"))), Epoch: "e", Seq: uint64(i + 1),
				Started: at.Add(-time.Second), Ended: at, Outcome: outcome, Class: checks.TLSTimeout,
			}
		}
		return out
	})
}

func judgeAll(rule Rule, rs []Result) []Change {
	_, changes := Final(anySeries, rule, Judge{}, rs, time.Time{})
	return changes
}

func TestFinalIsAFunctionOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		want := judgeAll(rule, rs)
		mixed := rapid.Permutation(rs).Draw(t, "mixed")
		if len(rs) > 0 {
			mixed = append(mixed, rapid.SampledFrom(rs).Draw(t, "double"))
		}
		if diff := cmp.Diff(want, judgeAll(rule, mixed)); diff != "" {
			t.Fatalf("order or doubles changed the judgement (-sorted +mixed):\n%s", diff)
		}
	})
}

func TestUnknownResultsChangeNoVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		known := slices.DeleteFunc(slices.Clone(rs), func(r Result) bool { return r.Outcome == checks.Unknown })
		end := start.Add(4 * time.Hour)
		_, want := Final(anySeries, rule, Judge{}, known, end)
		_, got := Final(anySeries, rule, Judge{}, rs, end)
		if diff := cmp.Diff(verdicts(want), verdicts(got)); diff != "" {
			t.Fatalf("unknown results changed a verdict (-without +with):\n%s", diff)
		}
	})
}

// verdicts leaves out how many probes could not tell.
func verdicts(changes []Change) []Change {
	out := slices.Clone(changes)
	for i := range out {
		out[i].Counts.Unknown = 0
	}
	return out
}

func TestFinalInParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		end := start.Add(4 * time.Hour)
		cut := start.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "cut")) * time.Second)
		wantJudge, want := Final(anySeries, rule, Judge{}, rs, end)
		var before, after []Result
		for _, r := range rs {
			if r.Ended.Before(cut) {
				before = append(before, r)
			} else {
				after = append(after, r)
			}
		}
		j, got := Final(anySeries, rule, Judge{}, before, cut)
		b, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		var rested Judge
		if err := json.Unmarshal(b, &rested); err != nil {
			t.Fatal(err)
		}
		gotJudge, rest := Final(anySeries, rule, rested, after, end)
		if diff := cmp.Diff(want, append(got, rest...)); diff != "" {
			t.Fatalf("two parts differ from the whole (-whole +parts):\n%s", diff)
		}
		if diff := cmp.Diff(wantJudge, gotJudge, cmp.AllowUnexported(Judge{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("judge differs afterwards (-whole +parts):\n%s", diff)
		}
	})
}

// TestAgainstTheWords compares the judge with the rule written down as it reads,
// from scratch for every result.
func TestAgainstTheWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		var j Judge
		state := Unknown
		for i, r := range rs {
			j.Observe(rule, r.Ended, r)
			state = inWords(rule, state, rs[:i], rs[:i+1])
			if j.State() != state {
				t.Fatalf("after result %d: got %s, the words say %s", i, j.State(), state)
			}
			if j.State() == Down && countFailures(rs[:i+1]) < badRunOfTwo {
				t.Fatalf("down after %d failures", countFailures(rs[:i+1]))
			}
		}
	})
}

func countFailures(rs []Result) (n int) {
	for _, r := range rs {
		if r.Outcome == checks.Down {
			n++
		}
	}
	return n
}

func inWords(rule Rule, state State, earlier, now []Result) State {
	at := now[len(now)-1].Ended
	current := func(rs []Result) map[string]checks.Outcome {
		m := map[string]checks.Outcome{}
		for _, r := range rs {
			if r.Outcome != checks.Unknown && at.Sub(r.Ended) <= 2*rule.Interval {
				m[r.Probe] = r.Outcome
			}
		}
		return m
	}
	if len(current(earlier)) < rule.MinProbes {
		state = Unknown // lost on the way
	}
	if now[len(now)-1].Outcome == checks.Unknown {
		return state
	}
	votes := current(now)
	bad := 0
	for _, o := range votes {
		if o == checks.Down {
			bad++
		}
	}
	n := len(votes)
	if n < rule.MinProbes {
		return Unknown
	}
	k, from, reach := 4, 2, 2*rule.Interval
	if n == 2 {
		k = 3
	}
	if n == 1 {
		from, reach = 1, 4*rule.Interval
	}
	switch {
	case state == Down && lastAre(now, 3, from, reach, checks.Up):
		return Up
	case state != Down && lastAre(now, k, from, reach, checks.Down) && 3*bad >= 2*n:
		return Down
	case state == Unknown && (2*(n-bad) > n || countVotes(now, reach) >= k && 3*bad < 2*n):
		return Up
	}
	return state
}

func countVotes(rs []Result, reach time.Duration) (n int) {
	at := rs[len(rs)-1].Ended
	for _, r := range rs {
		if r.Outcome != checks.Unknown && at.Sub(r.Ended) <= reach {
			n++
		}
	}
	return n
}

func lastAre(rs []Result, k, from int, reach time.Duration, want checks.Outcome) bool {
	at, probes := rs[len(rs)-1].Ended, map[string]bool{}
	votes := slices.DeleteFunc(slices.Clone(rs), func(r Result) bool { return r.Outcome == checks.Unknown })
	// The judge orders equal ends by probe, epoch and number.
	slices.SortFunc(votes, Result.Compare)
	for i := len(votes) - 1; k > 0; i, k = i-1, k-1 {
		if i < 0 || votes[i].Outcome != want || at.Sub(votes[i].Ended) > reach {
			return false
		}
		probes[votes[i].Probe] = true
	}
	return len(probes) >= from
}

func TestSpansFollowOneAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		from := start.Add(time.Duration(rapid.IntRange(-10, 600).Draw(t, "from")) * time.Second)
		spans := Spans(anySeries, Unknown, from, judgeAll(rule, rs))
		at := from
		for i, s := range spans {
			last := i == len(spans)-1
			if !s.From.Equal(at) || s.To.IsZero() != last || !last && !s.To.After(s.From) {
				t.Fatalf("span %d is %v to %v, expected it to begin at %v", i, s.From, s.To, at)
			}
			at = s.To
		}
	})
}
