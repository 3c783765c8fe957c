package verdict

import (
	"cmp"
	"slices"
	"time"

	"varde/checks"
)

// inSeconds is the unit of figures that are times.
const inSeconds = "s"

func number(name string, got, needed int) Figure {
	return Figure{Name: name, Got: float64(got), Needed: float64(needed)}
}

func numberOf(name string, got, needed, of int) Figure {
	f := number(name, got, needed)
	f.Of = of
	return f
}

func length(name string, got, needed time.Duration) Figure {
	return Figure{Name: name, Got: got.Seconds(), Needed: needed.Seconds(), Unit: inSeconds}
}

// blame fills in what most of the failures are, and where.
func (e *Evidence) blame(failures []how) {
	e.Class = commonestClass(failures)
	e.Phase = commonest(failures, func(h how) (checks.Phase, bool) { return h.phase, h.class == e.Class })
	e.Ways = waysOf(failures)
	for _, h := range failures {
		if h.network != "" {
			e.Networks = append(e.Networks, h.network)
		}
	}
	slices.Sort(e.Networks)
	e.Networks = slices.Compact(e.Networks)
}

// waysOf counts the ways in which runs failed, nothing where there is one alone.
func waysOf(failures []how) []Way {
	runs := make(map[Way]int)
	for _, h := range failures {
		runs[Way{Phase: h.phase, Class: h.class}]++
	}
	if len(runs) < 2 {
		return nil
	}
	out := make([]Way, 0, len(runs))
	for w, n := range runs {
		w.Runs = n
		out = append(out, w)
	}
	slices.SortFunc(out, Way.Compare)
	return out
}

func commonestClass(list []how) checks.Class {
	return commonest(list, func(h how) (checks.Class, bool) { return h.class, true })
}

// commonest is what most of them have, the later one of equals: it is what a
// person would find if they looked now. Those of which has says no do not count.
func commonest[T any, K comparable](list []T, has func(T) (K, bool)) (best K) {
	n := make(map[K]int, len(list))
	for _, x := range list {
		k, ok := has(x)
		if !ok {
			continue
		}
		if n[k]++; n[k] >= n[best] {
			best = k
		}
	}
	return best
}

func hows(results []*Result) []how {
	out := make([]how, len(results))
	for i, r := range results {
		out[i] = r.how()
	}
	return out
}

// byRun is the evidence of a fault that decided by the run of results under way,
// which must be so long and of so many probes.
func (f fault) byRun(part Part, run []*Result, failures, from int) Evidence {
	what := map[Part]string{ByFailures: "failures in a row", ByLateMail: "late or failed results in a row"}[part]
	saying := numberOf("probes that say so", f.probes, twoThirds(f.n), f.n)
	if !f.isMost() {
		saying = numberOf("probes that say so, as all do that looked since", f.probes, min(twoThirds(f.n), wide), f.n)
	}
	e := Evidence{Part: part, Figures: []Figure{number(what, len(run), failures), number("probes in that row", distinct(run), from), saying}}
	e.blame(hows(run))
	return e
}

// byRecovery is the evidence of the good results that ended something.
func byRecovery(good []*Result, from int) Evidence {
	return Evidence{Part: ByRecovery, Figures: []Figure{
		number("good results in a row", count(good, (*Result).good), len(good)),
		number("probes in that row", distinct(good), from),
	}}
}

// stillLate is that of results which are late and no worse.
func stillLate(last []*Result, from, late, n int) Evidence {
	e := Evidence{Part: ByRecovery, Figures: []Figure{
		number("good or late results in a row", len(last), len(last)),
		number("probes in that row", distinct(last), from),
		numberOf("probes that are late", late, twoThirds(n), n),
	}}
	e.blame(hows(slices.DeleteFunc(slices.Clone(last), (*Result).good)))
	return e
}

// byFirst is that of the first verdict, with good ones among n probes.
func byFirst(good, n int) Evidence {
	needed := n/2 + 1
	if good < needed { // a full run of results has decided a tie
		needed = n - twoThirds(n) + 1
	}
	return Evidence{Part: ByFirst, Figures: []Figure{numberOf("good probes", good, needed, n)}}
}

// byQuorum is that of a quorum that is missing.
func byQuorum(rule Rule, voters int, vague []*Result) Evidence {
	return Evidence{
		Part: ByQuorum, Class: commonestClass(hows(vague)),
		Figures: []Figure{number("probes with a current result", voters, rule.MinProbes)},
	}
}

// byShare is that of a loss, which several probes must have seen.
func (l loss) byShare(rule Rule, probes int) Evidence {
	e := Evidence{Part: ByShare, Figures: []Figure{
		{Name: "share of failed runs, lower bound", Got: l.low(), Needed: rule.ShareBegins, Of: l.runs},
		numberOf("probes that failed three times or more", l.often, probes, l.all),
	}}
	e.blame(l.failures)
	return e
}

// overShare is that of the end of a loss.
func (l loss) overShare(rule Rule) Evidence {
	return Evidence{Part: ByEnd, Figures: []Figure{{Name: "share of failed runs", Got: l.share(), Needed: rule.ShareEnds, Of: l.runs}}}
}

// byFalls is that of a series that went down so often within so long, the last
// time as down says.
func byFalls(rule Rule, over time.Duration, down Evidence) Evidence {
	return Evidence{
		Part: ByFalls, Phase: down.Phase, Class: down.Class, Ways: down.Ways, Networks: down.Networks,
		Figures: []Figure{number("times down", rule.Falls, rule.Falls), length("time from the first to the last", over, rule.FallsWithin)},
	}
}

// byPace is that of runs whose median is now more than the limit.
func byPace(rule Rule, l limit, now time.Duration, recent []run) Evidence {
	e := Evidence{Part: ByPace, Figures: []Figure{l.figure(now, l.most)}}
	if l.relative && l.usual > 0 {
		e.Figures = append(e.Figures,
			Figure{Name: "times the usual p50", Got: now.Seconds() / l.usual.Seconds(), Needed: rule.SlowTimes},
			length("above the usual p50", now-l.usual, rule.SlowMore))
	}
	e.Phase = commonest(recent, func(r run) (checks.Phase, bool) { return r.phase, r.took > l.most })
	return e
}

// underPace is that of runs whose median has come down.
func underPace(l limit, now time.Duration) Evidence {
	return Evidence{Part: ByEnd, Figures: []Figure{l.figure(now, l.least)}}
}

// figure compares the median of the last good runs.
func (l limit) figure(now, needed time.Duration) Figure {
	f := length("p50 of good runs", now, needed)
	f.Of = recentRuns
	return f
}

// after is the evidence that something is over because so much time has passed.
func after(name string, got, needed time.Duration) Evidence {
	return Evidence{Part: ByEnd, Figures: []Figure{length(name, got, needed)}}
}

// witnesses are what the probes with a current result say at the given time.
func (j *Judge) witnesses(rule Rule, at time.Time) []Witness {
	voters := j.latest(rule, at)
	var out []Witness
	for _, r := range append(voters, j.vague(rule, at, voters)...) {
		out = append(out, j.witness(rule, at, r))
	}
	return byName(out)
}

// witness is what a probe says at the given time by its latest result.
func (j *Judge) witness(rule Rule, at time.Time, r *Result) Witness {
	w := Witness{Probe: r.Probe, Outcome: r.Outcome, Network: r.Network}
	if since := j.since(rule, at, r); !since.IsZero() {
		w.Since = since.UTC()
	}
	if !r.good() {
		w.Phase, w.Class = r.Phase, r.Class
	}
	return w
}

func byName(list []Witness) []Witness {
	slices.SortStableFunc(list, func(a, b Witness) int { return cmp.Compare(a.Probe, b.Probe) })
	return list
}
