package incident

import (
	"slices"
	"time"

	"varde/coordinator/internal/verdict"
)

// Notice tells which notices hold at a time. That all logins of a check are refused
// everywhere, although its password worked within the day, makes a draft of an
// incident: it may be that nobody can log in, or that our password was changed, and
// only a person can tell. It is over when the notice is. Other notices are left alone.
func (b *Book) Notice(at time.Time, notices []verdict.Notice) {
	at = at.Round(0).UTC()
	b.flush()
	b.advance(at)
	refused := func(check string) func(verdict.Notice) bool {
		return func(n verdict.Notice) bool { return n.Kind == verdict.Refused && n.Check == check }
	}
	for _, i := range b.held {
		if i.Draft && i.Stage == Investigating && !slices.ContainsFunc(notices, refused(i.Key.Check)) {
			i.Stage, i.Recovered = Monitoring, at
			b.note(i, Step{At: at, Kind: Recovery, Words: "Logins of " + i.Key.Check + " are no longer all refused"})
		}
	}
	for _, n := range notices {
		if n.Kind == verdict.Refused {
			b.refuse(at, n)
		}
	}
}

// refuse keeps the draft of a check whose logins are all refused, or begins one.
func (b *Book) refuse(at time.Time, n verdict.Notice) {
	words := because("All logins of "+n.Check+" are refused from everywhere", n.Reason)
	for _, i := range b.held {
		if !i.Draft || i.Key.Check != n.Check || i.Stage == Resolved && at.After(i.Resolved.Add(b.policy.Reopen)) {
			continue
		}
		if i.Stage == Investigating {
			return
		}
		kind := Relapsed
		if i.Stage == Resolved {
			kind = Reopened
		}
		i.Stage, i.Recovered, i.Resolved = Investigating, time.Time{}, time.Time{}
		b.note(i, Step{At: at, Kind: kind, Words: words})
		return
	}
	since := n.Since.Round(0).UTC()
	key := Key{Service: b.world.service(n.Check), Group: Login, Start: since.Truncate(time.Minute), Check: n.Check}.free(b.isTaken)
	i := &Incident{
		ID: key.ID(), Key: key, Stage: Investigating, Impact: NoImpact, Draft: true,
		Started: since, Detected: at, Members: []Member{},
	}
	b.held = append(b.held, i)
	b.note(i, Step{At: at, Kind: Opened, Words: words})
}
