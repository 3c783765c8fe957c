package bulletin

import (
	"time"

	"varde/coordinator/internal/incident"
)

// How often more is said of the same trouble: a page that changes with every verdict is
// not read.
const (
	spacing       = time.Minute
	flappingSpace = 15 * time.Minute
	// healedFor is how long all of a page is well before it says that it is over while
	// the incident goes on elsewhere: so long may the trouble return in it.
	healedFor = 15 * time.Minute
	// updatesMost bounds what is said of one incident.
	updatesMost = 500
)

// Review says what a page tells of an incident as of now: the bulletin as it was, or a
// changed copy. The zero Bulletin is one of which nothing was ever said; changed is false
// where there is nothing to keep. Next is when there may be something to say although the
// incident does not change, zero if that never is: whoever reviews it then and after every
// change misses nothing.
func (p Policy) Review(b Bulletin, s Subject, now time.Time) (out Bulletin, next time.Time, changed bool) {
	v, ok := p.view(s, now)
	if !ok {
		return b, next, false
	}
	r := review{policy: p, view: v, b: b.Clone(), now: now, next: v.next}
	r.b.Page, r.b.Incident, r.b.Started = p.Page, s.ID, v.Started
	switch {
	case b.Told.IsZero():
		r.before()
	case b.Withdrawn != nil:
		return b, next, false
	case v.Edits.FalseAlarm != nil:
		r.withdraw(*v.Edits.FalseAlarm, v.Edits.FalseAlarm.Text)
	case v.kept():
		r.withdraw(v.decided(now), "")
	default:
		r.after()
	}
	if !r.changed {
		return b, r.next, false
	}
	return r.b, r.next, true
}

// review is a bulletin that is being written.
type review struct {
	policy Policy
	view
	b       Bulletin
	now     time.Time
	next    time.Time
	changed bool
}

// again asks for another look at a time.
func (r *review) again(at time.Time) {
	if r.next.IsZero() || at.Before(r.next) {
		r.next = at
	}
}

// before decides whether it is told at all.
func (r *review) before() {
	switch {
	case r.Edits.FalseAlarm != nil, r.kept():
		r.drop("a person keeps it private")
	case r.Edits.Public != nil:
		r.tell(r.decided(r.now).By, "a person published it")
	case r.policy.Mode == Manual, r.Draft, r.Detected.IsZero():
	case r.stage == incident.Monitoring || r.stage == incident.Resolved:
		r.drop("it was over before it was told")
	case r.now.Before(r.ill.Add(r.policy.Dwell[r.impact])):
		r.again(r.ill.Add(r.policy.Dwell[r.impact]))
	case r.policy.Mode == Auto:
		r.tell("", "its impact is "+string(r.impact)+" and it has lasted for "+lasting(r.now.Sub(r.ill)))
	case r.b.Due.IsZero():
		r.b.Due = r.now.Add(r.policy.Within)
		r.again(r.b.Due)
		r.act("", "asked", "its impact is "+string(r.impact)+" and a person is asked before it goes out")
	case !r.now.Before(r.b.Due):
		r.tell("", "nobody decided within "+lasting(r.policy.Within))
	default:
		r.again(r.b.Due)
	}
}

// act puts something into the log.
func (r *review) act(by, did, why string) {
	r.b.log(r.now, by, did, why)
	r.changed = true
}

// drop takes back that a person is asked.
func (r *review) drop(why string) {
	if !r.b.Due.IsZero() {
		r.b.Due = time.Time{}
		r.act("", "dropped", why)
	}
}

// tell says the first thing.
func (r *review) tell(by, why string) {
	r.b.Parts, r.b.Impact = r.parts, r.impact
	if r.over() {
		r.write(past, r.stage, by, why)
		return
	}
	r.write(opening, r.stage, by, why)
}

// over says that nothing of it is ill any more.
func (r *review) over() bool { return r.stage == incident.Monitoring || r.stage == incident.Resolved }

// after says what is new since the last update.
func (r *review) after() {
	if r.Edits.Title != "" && r.Edits.Title != r.b.Title {
		r.b.Title = r.Edits.Title
		r.act("", "title", "a person reworded it")
	}
	if r.b.Taken != nil || len(r.b.Updates) >= updatesMost {
		r.measure()
		return
	}
	kind, stage, urgent := r.news()
	if kind == "" {
		return
	}
	if due := r.b.Updates[len(r.b.Updates)-1].At.Add(r.space(kind)); !urgent && r.now.Before(due) {
		r.again(due)
		return
	}
	r.b.Parts, r.b.Impact = mergeParts(r.b.Parts, r.parts), graver(r.b.Impact, r.impact)
	if kind == identified {
		r.identify()
		return
	}
	r.write(kind, stage, "", "it was measured: "+string(kind))
}

// space is how long after an update the next one of a kind may follow.
func (r *review) space(k Kind) time.Duration {
	if r.comes && k != spread {
		return flappingSpace
	}
	return spacing
}

// measure keeps the parts current where the words are a person's.
func (r *review) measure() {
	if parts := mergeParts(r.b.Parts, r.parts); !sameParts(parts, r.b.Parts) {
		r.b.Parts, r.changed = parts, true
	}
}

// news says what is to be told, and whether it is told at once: a step from stage to
// stage, or that it is graver than it was ever said to be.
func (r *review) news() (kind Kind, stage incident.Stage, urgent bool) {
	was := r.b.Stage
	switch {
	case r.stage == incident.Resolved && was != incident.Resolved:
		return resolved, incident.Resolved, true
	case r.stage == incident.Monitoring && was != incident.Monitoring && was != incident.Resolved:
		return monitoring, incident.Monitoring, true
	case r.over():
		return "", "", false
	case was == incident.Monitoring || was == incident.Resolved:
		return relapsed, r.stage, true
	case r.stage == incident.Identified && was != incident.Identified:
		return identified, incident.Identified, true
	case graver(r.b.Impact, r.impact) != r.b.Impact:
		return spread, was, true
	case r.comes && !r.b.Comes:
		return flapping, was, true
	}
	if kind = compareParts(r.b.Parts, r.parts); kind == "" && r.kind != r.b.Kind {
		kind = changed
	}
	return kind, was, false
}

// identify says in a person's words what the cause is.
func (r *review) identify() {
	m := r.Edits.Identified
	text := m.Text
	if text == "" {
		text = r.policy.Lexicon.update(identified, r.facts())
	}
	r.b.say(r.now, incident.Identified, text, m.By)
	r.act(m.By, "said identified", "a person said that the cause is known")
}

// write says something in the machine's words.
func (r *review) write(kind Kind, stage incident.Stage, by, why string) {
	f := r.facts()
	switch {
	case r.Edits.Title != "":
		r.b.Title = r.Edits.Title
	case r.b.Title == "" || kind == spread || kind == changed:
		r.b.Title = title(f)
	}
	r.b.say(r.now, stage, r.policy.Lexicon.update(kind, f), "")
	r.b.Comes, r.b.Kind = r.comes, r.kind
	r.act(by, "said "+string(stage), why)
}

// withdraw says that what was said does not hold.
func (r *review) withdraw(m incident.Mark, why string) {
	r.b.Parts = healedParts(r.b.Parts)
	f := r.facts()
	f.Why = why
	r.b.say(r.now, incident.Resolved, r.policy.Lexicon.update(withdrawn, f), m.By)
	r.b.Withdrawn = &m
	r.act(m.By, "withdrew it", why)
}
