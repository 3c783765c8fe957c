package verdict

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"
)

// Rules are the rules by id of the check.
type Rules map[string]Rule

// Panel holds the judges of many series. Observations of checks that have no
// rule are not judged. A Panel is not safe for use from several goroutines.
type Panel struct {
	rules  Rules
	judges map[Series]*Judge
	clock  time.Time
	// soonest is not after the first expiry of any judge: before it, Advance has
	// nothing to look for.
	soonest time.Time
}

// NewPanel returns a panel without judges. It does not change rules, nor may the
// caller.
func NewPanel(rules Rules) *Panel {
	return &Panel{rules: rules, judges: make(map[Series]*Judge)}
}

// SetRules replaces the rules. A series whose check has none any longer becomes
// Unknown and leaves the panel.
func (p *Panel) SetRules(at time.Time, rules Rules) []Change {
	p.rules, p.soonest = rules, time.Time{}
	var changes []Change
	for s, j := range p.judges {
		if _, ok := rules[s.Check]; ok {
			continue
		}
		if state := j.State(); state != Unknown {
			changes = append(changes, lost(s, state, later(at, p.clock), "no longer in the configuration"))
		}
		delete(p.judges, s)
	}
	return ordered(changes)
}

// Restart begins every judge anew at the time at, which may lie before the panel's
// clock: whoever tells the time has found that it was wrong. What was not Unknown
// becomes so, for the given reason, until results say more.
func (p *Panel) Restart(at time.Time, reason string) []Change {
	p.clock, p.soonest = at, time.Time{}
	var changes []Change
	for s, j := range p.judges {
		fresh := &Judge{clock: at}
		p.judges[s] = fresh
		if state := j.State(); state != Unknown {
			fresh.ground = mark{at, reason, Evidence{Part: ByHand}}
			changes = append(changes, lost(s, state, at, reason))
		}
	}
	return ordered(changes)
}

// Observe gives one result to the judge of its series at the time at. Other
// series do not move; call Advance for them.
func (p *Panel) Observe(at time.Time, s Series, r Result) []Change {
	rule, ok := p.rules[s.Check]
	if !ok {
		return nil
	}
	j := p.judges[s]
	if j == nil {
		j = new(Judge)
		p.judges[s] = j
	}
	p.clock = later(p.clock, at)
	changes := named(s, j.Observe(rule, p.clock, r))
	if expiry, ok := j.Expiry(rule); ok && expiry.Before(p.soonest) {
		p.soonest = expiry
	}
	return changes
}

// Advance moves the panel to the time at and returns the quorums that were lost on
// the way, in the order of their instants. How often and how late the panel is
// told the time leaves no trace in its judges.
func (p *Panel) Advance(at time.Time) []Change {
	p.clock = later(p.clock, at)
	if !p.soonest.IsZero() && !p.clock.After(p.soonest) {
		return nil
	}
	var changes []Change
	p.soonest = p.clock.Add(time.Hour)
	for s, j := range p.judges {
		rule, ok := p.rules[s.Check]
		if !ok {
			continue
		}
		expiry, ok := j.Expiry(rule)
		if !ok {
			continue
		}
		if p.clock.After(expiry) {
			changes = append(changes, named(s, j.Advance(rule, later(expiry.Add(1), j.clock)))...)
		} else if expiry.Before(p.soonest) {
			p.soonest = expiry
		}
	}
	return ordered(changes)
}

// Rule is the rule of the series; ok is false when its check has none.
func (p *Panel) Rule(s Series) (rule Rule, ok bool) {
	rule, ok = p.rules[s.Check]
	return rule, ok
}

// Clock is the largest time that the panel was told of.
func (p *Panel) Clock() time.Time { return p.clock }

// Judge returns the judge of a series, nil if it was never observed. The caller
// must not change it.
func (p *Panel) Judge(s Series) *Judge { return p.judges[s] }

// Restore puts a judge that was kept back in its place. If its check has no rule
// any longer, it stays as it is until the next SetRules.
func (p *Panel) Restore(s Series, j Judge) {
	p.judges[s], p.soonest = &j, time.Time{}
	p.clock = later(p.clock, j.clock)
}

// All gives every judge in the order of its series.
func (p *Panel) All() iter.Seq2[Series, *Judge] {
	return func(yield func(Series, *Judge) bool) {
		for _, s := range slices.SortedFunc(maps.Keys(p.judges), Series.Compare) {
			if !yield(s, p.judges[s]) {
				return
			}
		}
	}
}

// lost is the change to Unknown for a reason that is no result.
func lost(s Series, was State, at time.Time, reason string) Change {
	return Change{Series: s, From: was, To: Unknown, At: at, Since: at, Reason: reason, Evidence: Evidence{Part: ByHand}}
}

func named(s Series, changes []Change) []Change {
	for i := range changes {
		changes[i].Series = s
	}
	return changes
}

// ordered sorts changes of several series by time; those of one series keep
// their order.
func ordered(changes []Change) []Change {
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(a.At.Compare(b.At), a.Series.Compare(b.Series))
	})
	return changes
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
