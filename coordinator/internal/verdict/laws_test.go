package verdict

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
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

// results come from up to six probes with long streaks, ends on a coarse grid
// so that equal times and exact boundaries happen, and some made under another
// interval than that of the rule.
func results() *rapid.Generator[[]Result] {
	return rapid.Custom(func(t *rapid.T) []Result {
		n := rapid.IntRange(0, 90).Draw(t, "n")
		probes := rapid.IntRange(1, 6).Draw(t, "probes")
		at, mood, every := start, checks.Up, time.Duration(0)
		class := checks.TLSTimeout
		out := make([]Result, n)
		for i := range out {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 2, 5, 5, 5, 10, 30, 200}).Draw(t, "gap")) * time.Second)
			if rapid.IntRange(0, 9).Draw(t, "turn") == 0 {
				mood = checks.Up + checks.Down - mood
				class = rapid.SampledFrom([]checks.Class{checks.TLSTimeout, checks.Late}).Draw(t, "class")
			}
			if rapid.IntRange(0, 9).Draw(t, "reload") == 0 {
				every = time.Duration(rapid.SampledFrom([]int{0, 5, 20, 90}).Draw(t, "every")) * time.Second
			}
			outcome, as := mood, class
			switch rapid.IntRange(0, 11).Draw(t, "noise") {
			case 0:
				outcome = checks.Unknown
			case 1:
				outcome = checks.Up + checks.Down - mood
			case 2:
				as = checks.Late
			}
			took := time.Duration(rapid.SampledFrom([]int{0, 1, 1, 5}).Draw(t, "took")) * time.Second
			out[i] = Result{
				Probe: string(rune('a' + rapid.IntRange(0, probes-1).Draw(t, "probe"))), Epoch: "e", Seq: uint64(i + 1),
				Started: at.Add(-took), Ended: at, Every: every, Outcome: outcome, Class: as, Elapsed: took,
				Scheduled: rapid.IntRange(0, 3).Draw(t, "trigger") > 0, Login: rapid.Bool().Draw(t, "login"),
			}
		}
		return out
	})
}

// judges have seen nothing, or a day in which all was well.
func judges(rule Rule) *rapid.Generator[Judge] {
	return rapid.Custom(func(t *rapid.T) Judge {
		var j Judge
		if rapid.Bool().Draw(t, "well") {
			every := rule.Interval / 3
			for i, at := uint64(0), start.Add(-520*every); at.Before(start); i, at = i+1, at.Add(every) {
				j.Observe(rule, at, Result{Probe: string(rune('a' + i%3)), Epoch: "d", Seq: i, Started: at, Ended: at, Outcome: checks.Up, Elapsed: time.Second, Scheduled: true})
			}
		}
		return j
	})
}

func judgeAll(rule Rule, rs []Result) []Change {
	_, changes := Final(anySeries, rule, Judge{}, rs, time.Time{})
	return changes
}

func TestFinalIsAFunctionOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		from := judges(rule).Draw(t, "judge")
		end := start.Add(4 * time.Hour)
		wantJudge, want := Final(anySeries, rule, from, rs, end)
		mixed := rapid.Permutation(rs).Draw(t, "mixed")
		if len(rs) > 0 {
			mixed = append(mixed, rapid.SampledFrom(rs).Draw(t, "double"))
		}
		gotJudge, got := Final(anySeries, rule, from, mixed, end)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("order or doubles changed the judgement (-sorted +mixed):\n%s", diff)
		}
		sameJudge(t, wantJudge, gotJudge)
	})
}

// sameJudge compares all that two judges know.
func sameJudge(t rapid.TB, want, got Judge) {
	t.Helper()
	if diff := gocmp.Diff(want, got, wholeJudge, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("judges differ (-want +got):\n%s", diff)
	}
}

var wholeJudge = gocmp.AllowUnexported(Judge{}, mark{}, trial{}, how{}, streak{}, usual{}, tally{}, run{})

func TestUnknownResultsChangeNoVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		known := slices.DeleteFunc(slices.Clone(rs), func(r Result) bool { return r.Outcome == checks.Unknown })
		end := start.Add(4 * time.Hour)
		from := judges(rule).Draw(t, "judge")
		_, want := Final(anySeries, rule, from, known, end)
		_, got := Final(anySeries, rule, from, rs, end)
		if diff := gocmp.Diff(verdicts(want), verdicts(got)); diff != "" {
			t.Fatalf("unknown results changed a verdict (-without +with):\n%s", diff)
		}
	})
}

// verdicts leaves out how many probes could not tell, and what they said.
func verdicts(changes []Change) []Change {
	out := slices.Clone(changes)
	for i := range out {
		out[i].Counts.Unknown = 0
		out[i].Reason, _, _ = strings.Cut(out[i].Reason, "; ")
		e := &out[i].Evidence
		if e.Part == ByQuorum {
			e.Class = ""
		}
		e.Probes = slices.DeleteFunc(e.Probes, func(w Witness) bool { return w.Outcome == checks.Unknown })
		if len(e.Probes) == 0 {
			e.Probes = nil
		}
	}
	return out
}

// rest is the judge after it was written and read.
func rest(t rapid.TB, j Judge) (rested Judge) {
	t.Helper()
	b, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &rested); err != nil {
		t.Fatal(err)
	}
	return rested
}

func TestFinalInParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		end := start.Add(4 * time.Hour)
		cut := start.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "cut")) * time.Second)
		from := judges(rule).Draw(t, "judge")
		wantJudge, want := Final(anySeries, rule, from, rs, end)
		var before, after []Result
		for _, r := range rs {
			if r.Ended.Before(cut) {
				before = append(before, r)
			} else {
				after = append(after, r)
			}
		}
		j, got := Final(anySeries, rule, from, before, cut)
		gotJudge, later := Final(anySeries, rule, rest(t, j), after, end)
		if diff := gocmp.Diff(want, append(got, later...)); diff != "" {
			t.Fatalf("two parts differ from the whole (-whole +parts):\n%s", diff)
		}
		sameJudge(t, wantJudge, gotJudge)
	})
}

// TestAgainstTheWords compares what the last few results say with the rule written
// down as it reads, from scratch for every result.
func TestAgainstTheWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		var j Judge
		state := Unknown
		for i, r := range rs {
			lossy := j.lossy.on()
			j.Observe(rule, r.Ended, r)
			state = inWords(rule, state, lossy, rs[:i], rs[:i+1])
			if j.base != state {
				t.Fatalf("after result %d: got %s, the words say %s", i, j.base, state)
			}
			if j.base == Down && countFailures(rs[:i+1]) < 3 {
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

func inWords(rule Rule, state State, lossy bool, earlier, now []Result) State {
	at := now[len(now)-1].Ended
	counts := func(r Result, intervals time.Duration) bool {
		return r.Outcome != checks.Unknown && at.Sub(r.Ended) <= intervals*cmp.Or(r.Every, rule.Interval)
	}
	current := func(rs []Result) map[string]Result {
		m := map[string]Result{}
		for _, r := range rs {
			if counts(r, 2) {
				m[r.Probe] = r
			} else if r.Outcome != checks.Unknown {
				delete(m, r.Probe)
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
	says := map[string]int{}
	for _, r := range current(now) {
		says[word(r)]++
	}
	n := says["good"] + says["late"] + says["broken"]
	if n < rule.MinProbes {
		return Unknown
	}
	k, from, reach := 4, 2, time.Duration(2)
	if n == 2 {
		k = 3
	}
	if n == 1 {
		from, reach = 1, 4
	}
	bad := says["late"] + says["broken"]
	votes := slices.DeleteFunc(slices.Clone(now), func(r Result) bool { return !counts(r, reach) })
	// The judge orders equal ends by probe, epoch and number.
	slices.SortFunc(votes, Result.Compare)
	regions := func(words string, n, fail int) bool {
		if 3*fail >= 2*n {
			return true
		}
		first, probes := now[len(now)-1].Started, map[string]bool{}
		for _, r := range slices.Backward(votes) {
			if !strings.Contains(words, word(r)) {
				break
			}
			first, probes[r.Probe] = r.Started, true
		}
		seeing := 0
		for _, r := range current(now) {
			if probes[r.Probe] && strings.Contains(words, word(r)) {
				seeing++
			}
			if !r.Started.Before(first) && !strings.Contains(words, word(r)) {
				return false
			}
		}
		return seeing >= min((2*n+2)/3, 4)
	}
	switch {
	case state == Down && lastAre(votes, 3, from, "good late") && 3*says["late"] >= 2*n:
		return Slow
	case state == Down && lastAre(votes, 3, from, "good late"), state == Slow && lastAre(votes, 3, from, "good"):
		return Up
	case state != Down && lastAre(votes, k, from, "broken") && regions("broken", n, says["broken"]):
		return Down
	case state < Slow && lastAre(votes, k, from, "late broken") && regions("late broken", n, bad):
		return Slow
	case state == Unknown && (lossy || 2*(n-bad) > n || len(votes) >= k && 3*bad < 2*n):
		return Up
	}
	return state
}

func word(r Result) string {
	switch {
	case r.Outcome == checks.Up:
		return "good"
	case r.Class == checks.Late:
		return "late"
	}
	return "broken"
}

func lastAre(votes []Result, k, from int, words string) bool {
	if len(votes) < k {
		return false
	}
	probes := map[string]bool{}
	for _, r := range votes[len(votes)-k:] {
		if !strings.Contains(words, word(r)) {
			return false
		}
		probes[r.Probe] = true
	}
	return len(probes) >= from
}

// Mail that is late never makes a Down, and what is not late never makes a Slow.
func TestLateIsSlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		for class, never := range map[checks.Class]State{checks.Late: Down, checks.TLSTimeout: Slow} {
			for i := range rs {
				rs[i].Class = class
			}
			for _, c := range judgeAll(rule, rs) {
				if c.To == never && (never == Down || strings.Contains(c.Reason, "late")) {
					t.Fatalf("every failure is %s: got %s: %s", class, c.To, c.Reason)
				}
			}
		}
	})
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
