package bulletin

import (
	"slices"
	"time"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// view is an incident as far as it is about the services of a page.
type view struct {
	Subject
	// members are those of the page, parts what the incident makes of them.
	members []incident.Member
	parts   []incident.Part
	stage   incident.Stage
	impact  incident.Impact
	kind    incident.Group
	// ill is since when it is ill without a break, or comes and goes, which comes says.
	ill   time.Time
	comes bool
	// next is when the stage changes although the incident does not; zero if never.
	next time.Time
}

// view returns what of an incident the page shows; ok is false if that is nothing.
func (p Policy) view(s Subject, now time.Time) (v view, ok bool) {
	all := s.Together()
	all.Members = slices.DeleteFunc(all.Members, func(m incident.Member) bool { return !slices.Contains(p.Services, m.Service) })
	if len(all.Members) == 0 {
		return v, false
	}
	whole := s.Whole
	whole.Incident = all
	s.Whole = whole
	v = view{Subject: s, members: all.Members, parts: s.World.Parts(all), impact: s.World.Impact(all), comes: all.Intermittent, kind: kindOf(all.Members)}
	v.reckon(now)
	return v, true
}

// reckon finds how far the part of the incident is that the page shows.
func (v *view) reckon(now time.Time) {
	v.stage, v.ill = incident.View(v.World, v.Case, v.Whole.Parts...).Stage, v.Detected
	if n := len(v.Turns); n > 0 && !v.Turns[n-1].Well && !v.comes && v.Turns[n-1].At.After(v.ill) {
		v.ill = v.Turns[n-1].At
	}
	switch {
	case v.stage == incident.Monitoring && v.comes:
		v.stage = incident.Investigating
	case v.stage == incident.Investigating || v.stage == incident.Identified:
		v.heal(now)
	}
}

// heal looks whether all that the page shows of it is well while the rest goes on.
func (v *view) heal(now time.Time) {
	at, well := v.healed()
	if !well {
		return
	}
	if now.Before(at.Add(healedFor)) {
		v.next = at.Add(healedFor)
	} else {
		v.stage = incident.Resolved
		return
	}
	if !v.comes {
		v.stage = incident.Monitoring
	}
}

// healed says whether all that the page shows of it is well, however it is elsewhere,
// and since when.
func (v view) healed() (at time.Time, well bool) {
	for _, m := range v.members {
		if !m.Gone && m.State != verdict.Up {
			return at, false
		}
		if m.Until.After(at) {
			at = m.Until
		}
	}
	return at, true
}

// kindOf is the kind of trouble that the gravest members have, mixed if it is several.
func kindOf(members []incident.Member) (kind incident.Group) {
	worst := worstOf(members)
	for _, m := range members {
		switch {
		case m.Worst != worst || m.Group == kind:
		case kind == "":
			kind = m.Group
		default:
			return incident.Mixed
		}
	}
	return kind
}

func worstOf(members []incident.Member) (worst verdict.State) {
	for _, m := range members {
		worst = max(worst, m.Worst)
	}
	return worst
}

// kept says that a person decided that nobody sees it.
func (v view) kept() bool { return v.Edits.Public != nil && !*v.Edits.Public }

// decided is when and by whom it was decided who sees it.
func (v view) decided(now time.Time) incident.Mark {
	for _, act := range slices.Backward(v.Edits.Log) {
		if act.Did == incident.Publishing && !act.Back {
			return incident.Mark{At: act.At, By: act.By}
		}
	}
	return incident.Mark{At: now}
}

// mergeParts are the parts as they are now, with those that were affected before and are
// no part of the incident any more, which are well.
func mergeParts(was, now []incident.Part) []incident.Part {
	out := slices.Clone(now)
	for _, p := range was {
		if !slices.ContainsFunc(now, func(n incident.Part) bool { return n.Service == p.Service && n.Region == p.Region }) {
			p.Status, p.State = status.Operational, verdict.Up
			out = append(out, p)
		}
	}
	return out
}

func healedParts(was []incident.Part) []incident.Part {
	out := slices.Clone(was)
	for i := range out {
		out[i].Status, out[i].State = status.Operational, verdict.Up
	}
	return out
}

// compareParts says what became of the parts: new ones stand over those that changed, and
// these over such as are well again. Those that are not measured any more are no news.
func compareParts(was, now []incident.Part) (kind Kind) {
	for _, n := range now {
		i := slices.IndexFunc(was, func(p incident.Part) bool { return p.Service == n.Service && p.Region == n.Region })
		old := verdict.Up
		if i >= 0 {
			old = was[i].State
		}
		switch {
		case n.State == verdict.Unknown || n.State == old:
		case i < 0:
			return spread
		case n.State != verdict.Up:
			kind = changed
		case kind == "":
			kind = shrunk
		}
	}
	return kind
}

func sameParts(a, b []incident.Part) bool { return slices.Equal(a, b) }

// graver is the graver of two impacts.
func graver(a, b incident.Impact) incident.Impact {
	order := []incident.Impact{"", incident.NoImpact, incident.MinorImpact, incident.MajorImpact, incident.CriticalImpact}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// sums are what became of the test mails of the services of the incident since it began.
func (v view) sums(services []string) mail.Sums {
	if v.Mail == nil {
		return mail.Sums{}
	}
	return v.Mail(services, v.Started)
}
