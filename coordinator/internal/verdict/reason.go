package verdict

import (
	"fmt"
	"slices"
	"time"

	"varde/checks"
)

// quorumReason says how many probes have a vote, and what those say that could
// not tell: a refused login is mended by us and by nobody else.
func quorumReason(rule Rule, voters int, vague []*Result) string {
	s := fmt.Sprintf("%s with a current result, %d needed", probes(voters), rule.MinProbes)
	if voters >= rule.MinProbes {
		s = fmt.Sprintf("%s with a current result, too few results for a verdict", probes(voters))
	}
	if len(vague) > 0 {
		s += fmt.Sprintf("; %s cannot tell: %s", probes(len(vague)), commonest(vague))
	}
	return s
}

func firstReason(c Counts) string {
	return fmt.Sprintf("%d of %s good", c.Up, probes(c.Up+c.Down))
}

func recoveryReason(votes []*Result) string {
	last := votes[len(votes)-goodRun:]
	if good := count(last, Result.good); good < goodRun {
		return fmt.Sprintf("%d of %d results in a row good, the others late, from %s", good, goodRun, probes(distinct(last)))
	}
	return fmt.Sprintf("%d good results in a row from %s", goodRun, probes(distinct(last)))
}

func downReason(run []*Result, broken, n int, after time.Duration) string {
	return fmt.Sprintf("%s, %d of %s, %s after the first failure", commonest(run), broken, probes(n), span(after))
}

// lateReason also names what else fails, which is too little for a Down.
func lateReason(run []*Result, c Counts, after time.Duration) string {
	run = slices.DeleteFunc(slices.Clone(run), func(r *Result) bool { return !r.broken() })
	also := ""
	if len(run) > 0 {
		also = fmt.Sprintf(" or fails (%s)", commonest(run))
	}
	return fmt.Sprintf("mail is late%s, %d of %s, %s after the first failure", also, c.Down, probes(c.Up+c.Down), span(after))
}

func stillLateReason(late, n int) string {
	return fmt.Sprintf("nothing fails any more, mail is late, %d of %s", late, probes(n))
}

func probes(n int) string {
	if n == 1 {
		return "1 probe"
	}
	return fmt.Sprintf("%d probes", n)
}

// commonest is the class that most of the results have, the later one of
// equals: it is what a person would find if they looked now.
func commonest(run []*Result) checks.Class {
	n := make(map[checks.Class]int, len(run))
	var best checks.Class
	for _, r := range run {
		n[r.Class]++
		if n[r.Class] >= n[best] {
			best = r.Class
		}
	}
	return best
}

// span words a duration in whole units, cut, never rounded up.
func span(d time.Duration) string {
	s := int(d / time.Second)
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
}
