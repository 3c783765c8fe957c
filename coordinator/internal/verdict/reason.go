package verdict

import (
	"fmt"
	"slices"
	"time"
)

// quorumReason says how many probes have a vote, and what those say that could
// not tell: a refused login is mended by us and by nobody else.
func quorumReason(rule Rule, voters int, vague []*Result) string {
	s := fmt.Sprintf("%s with a current result, %d needed", probes(voters), rule.MinProbes)
	if voters >= rule.MinProbes {
		s = fmt.Sprintf("%s with a current result, too few results for a verdict", probes(voters))
	}
	if len(vague) > 0 {
		s += fmt.Sprintf("; %s cannot tell: %s", probes(len(vague)), commonestClass(hows(vague)))
	}
	return s
}

func firstReason(good, n int) string { return fmt.Sprintf("%d of %s good", good, probes(n)) }

func recoveryReason(last []*Result) string {
	if good := count(last, (*Result).good); good < len(last) {
		return fmt.Sprintf("%d of %d results in a row good, the others late, from %s", good, len(last), probes(distinct(last)))
	}
	return fmt.Sprintf("%d good results in a row from %s", len(last), probes(distinct(last)))
}

func downReason(failures []*Result, f fault, after time.Duration) string {
	return fmt.Sprintf("%s, %s, %s after the first failure", commonestClass(hows(failures)), f.words(), span(after))
}

// lateReason also names what else fails, which is too little for a Down.
func lateReason(failures []*Result, f fault, after time.Duration) string {
	failures = slices.DeleteFunc(slices.Clone(failures), func(r *Result) bool { return !r.broken() })
	also := ""
	if len(failures) > 0 {
		also = fmt.Sprintf(" or fails (%s)", commonestClass(hows(failures)))
	}
	return fmt.Sprintf("mail is late%s, %s, %s after the first failure", also, f.words(), span(after))
}

// words says how many probes see the fault, and, where those are not most, that
// no other one has looked.
func (f fault) words() string {
	s := fmt.Sprintf("%d of %s", f.probes, probes(f.n))
	if !f.isMost() {
		s += ", all that looked since"
	}
	return s
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

// calmReason is why a series that went down too often does so no longer.
func calmReason(calm time.Duration) string { return "not down for " + span(calm) }

// usualReason is why what took too long for newUsual does so no longer.
const usualReason = "as slow as this for 7 days, which is taken for usual"

func flapReason(times int, over time.Duration) string {
	return fmt.Sprintf("down %d times within %s", times, span(over))
}

func lossReason(l loss) string {
	return fmt.Sprintf("%s, %s, by %d of %s", commonestClass(l.failures), shareReason(l), l.failing, probes(l.all))
}

// shareReason says how many runs fail.
func shareReason(l loss) string {
	return fmt.Sprintf("%d of %d runs failed within %s", l.failed, l.runs, span(l.over))
}

// paceReason says how long runs take and how long they took before, or may, in one
// unit so that the reasons of several checks read alike.
func paceReason(now time.Duration, l limit) string {
	if l.relative {
		return fmt.Sprintf("p50 %.2f s, usually %.2f s", now.Seconds(), l.usual.Seconds())
	}
	return fmt.Sprintf("p50 %.2f s, of %.2f s allowed", now.Seconds(), l.most.Seconds())
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
