package verdict

import (
	"fmt"
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
	return fmt.Sprintf("%d good results in a row from %s", goodRun, probes(distinct(votes[len(votes)-goodRun:])))
}

func downReason(run []*Result, c Counts, after time.Duration) string {
	return fmt.Sprintf("%s, %d of %s, %s after the first failure", commonest(run), c.Down, probes(c.Up+c.Down), span(after))
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
