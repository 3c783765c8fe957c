package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"varde/checks"
)

// Notice is something that an operator should look at and that changes no
// verdict.
type Notice struct {
	Kind  NoticeKind
	Check string
	// Region, Family and Probe are those of a Stray.
	Region string
	Family checks.Family
	Probe  string
	// Since is when it began, by the ends of runs.
	Since time.Time
	// Reason is a few words for people.
	Reason string
	// Evidence is what it rests on: of a Stray what each probe of its series says,
	// of logins that are Refused the last one of every probe.
	Evidence Evidence
}

// NoticeKind is what an operator should look at.
type NoticeKind uint8

// The notices.
const (
	// Stray is a probe that has seen for more than 10 min what no other one of its
	// region sees. It is most likely the probe, or the way to it, or the server
	// keeps it out.
	Stray NoticeKind = iota + 1
	// Refused is a check whose every login is refused, from everywhere, although
	// its password worked within the day.
	Refused
)

const (
	// strayFor is how long a probe is alone with what it sees before somebody
	// should know, strayRuns how often it looked in that time at least.
	strayFor  = 10 * time.Minute
	strayRuns = 3
	// disagree is the share of the others' runs that must say the contrary: some
	// of them fail by chance.
	disagree = 0.9
	// workedWithin is how long ago a password must have worked.
	workedWithin = 24 * time.Hour
)

// Notices are what operators should look at as of the given time, by check.
func (p *Panel) Notices(at time.Time) []Notice {
	var out []Notice
	byCheck := make(map[string]*logins)
	for s, j := range p.All() {
		rule, ok := p.rules[s.Check]
		if !ok {
			continue
		}
		rule = rule.withDefaults()
		if n, ok := j.stray(rule, at); ok {
			n.Check, n.Region, n.Family = s.Check, s.Region, s.Family
			out = append(out, n)
		}
		if byCheck[s.Check] == nil {
			byCheck[s.Check] = new(logins)
		}
		byCheck[s.Check].add(s, j, rule, at)
	}
	for check, l := range byCheck {
		if n, ok := l.refusal(at); ok {
			n.Check = check
			out = append(out, n)
		}
	}
	slices.SortStableFunc(out, func(a, b Notice) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(b.Kind, a.Kind))
	})
	return out
}

// stray is the probe that is alone with what it sees.
func (j *Judge) stray(rule Rule, at time.Time) (n Notice, ok bool) {
	failed := count(j.trials, trial.isFailed)
	if failed < strayRuns || len(j.trials)-failed < strayRuns {
		return n, false // they all agree
	}
	voters := j.latest(rule, at)
	if len(voters) < 3 {
		return n, false // of two nobody knows which one is alone
	}
	for _, r := range voters {
		own, others := j.apart(r.Probe, voters)
		if len(own) < strayRuns || at.Sub(own[0].ended) <= strayFor || len(distinctIn(others)) < 2 {
			continue
		}
		against := count(others, func(t trial) bool { return t.failed != own[0].failed })
		if float64(against) >= disagree*float64(len(others)) {
			e := byProbe(own, others, against, at)
			e.Probes = j.witnesses(rule, at)
			return Notice{Kind: Stray, Probe: r.Probe, Since: own[0].ended, Reason: strayReason(own, others, e), Evidence: e}, true
		}
	}
	return n, false
}

// byProbe is the evidence of a probe that is alone with its own runs, against which
// stand so many of the others'.
func byProbe(own, others []trial, against int, at time.Time) Evidence {
	e := Evidence{Part: ByProbe, Figures: []Figure{
		number("runs in a row", len(own), strayRuns),
		length("time alone", at.Sub(own[0].ended), strayFor),
		{Name: "share of the others' runs that say the contrary", Got: float64(against) / float64(len(others)), Needed: disagree, Of: len(others)},
	}}
	failed := own
	if !own[0].failed {
		failed = others
	}
	e.blame(lossIn(failed).failures)
	return e
}

// apart are the last runs of a probe, as far as they say the same, and those that
// the other voters made since the first of them.
func (j *Judge) apart(probe string, voters []*Result) (own, others []trial) {
	for _, t := range slices.Backward(j.trials) {
		switch {
		case t.probe != probe:
			if seen(voters, t.probe) {
				others = append(others, t)
			}
		case len(own) > 0 && t.failed != own[0].failed:
			slices.Reverse(own)
			return own, since(others, own)
		default:
			own = append(own, t)
		}
	}
	slices.Reverse(own)
	return own, since(others, own)
}

// since are the others that are not before the first of the own.
func since(others, own []trial) []trial {
	return slices.DeleteFunc(others, func(t trial) bool { return len(own) > 0 && t.ended.Before(own[0].ended) })
}

func (t trial) isFailed() bool { return t.failed }

func distinctIn(trials []trial) map[string]bool {
	probes := make(map[string]bool, 8)
	for _, t := range trials {
		probes[t.probe] = true
	}
	return probes
}

func strayReason(own, others []trial, e Evidence) string {
	what := "good"
	if own[0].failed {
		what = "failed (" + string(e.Class) + ")"
	}
	return fmt.Sprintf("%d runs in a row %s, of %d runs of %s besides %d failed",
		len(own), what, len(others), probes(len(distinctIn(others))), count(others, trial.isFailed))
}

// logins are what became of the last login of every probe, over all series of a
// check.
type logins struct {
	refused, all int
	regions      map[string]bool
	// since is when the first of those that are refused was.
	since, admitted time.Time
	witnesses       []Witness
	failures        []how
}

func (l *logins) add(s Series, j *Judge, rule Rule, at time.Time) {
	if j.admitted.After(l.admitted) {
		l.admitted = j.admitted
	}
	var probes []*Result
	for i := range slices.Backward(j.window) {
		r := &j.window[i]
		if !r.Login || seen(probes, r.Probe) || at.After(rule.expiry(r, currentFor)) {
			continue
		}
		probes = append(probes, r)
		l.all++
		if !r.refused() {
			continue
		}
		l.refused++
		l.witnesses, l.failures = append(l.witnesses, j.witness(rule, at, r)), append(l.failures, r.how())
		if l.since.IsZero() || r.Ended.Before(l.since) {
			l.since = r.Ended
		}
		if l.regions == nil {
			l.regions = make(map[string]bool)
		}
		l.regions[s.Region] = true
	}
}

func (l *logins) refusal(at time.Time) (n Notice, ok bool) {
	ago := at.Sub(l.admitted)
	if l.all == 0 || l.refused < l.all || l.admitted.IsZero() || ago > workedWithin {
		return n, false
	}
	e := Evidence{Part: ByLogins, Probes: byName(l.witnesses), Figures: []Figure{
		numberOf("last logins that were refused", l.refused, l.all, l.all),
		number("regions they come from", len(l.regions), 1),
		length("time since the password worked", ago, workedWithin),
	}}
	e.blame(l.failures)
	return Notice{Kind: Refused, Since: l.since, Evidence: e, Reason: fmt.Sprintf(
		"the last login of each probe was refused, %d in %d regions; the password worked until %s",
		l.refused, len(l.regions), l.admitted.UTC().Format("2 Jan, 15:04:05 UTC"))}, true
}
