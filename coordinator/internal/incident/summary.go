package incident

import (
	"fmt"
	"maps"
	"slices"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// Summary says in one sentence what was measured of an incident: what cannot be done,
// from where, since when, what was seen, and by how many probes. It claims no cause.
func Summary(w World, i Incident) string {
	a := w.atlas()
	if i.Draft {
		return a.draft(&i)
	}
	t := a.account(&i)
	words := t.clause + " "
	if t.past {
		words += between(i.Started, i.Recovered)
	} else {
		words += "since " + moment(i.Started)
	}
	if t.seen != "" {
		words += ": " + t.seen
	}
	if t.also != "" {
		words += "; " + t.also
	}
	if i.Intermittent {
		words += "; it comes and goes"
	}
	return words + "."
}

// Title says the same in a few words, of the whole incident: a title should not change
// with every change of verdict.
func Title(w World, i Incident) string {
	a := w.atlas()
	if i.Draft {
		return "All logins of " + a.serviceName(i.Key.Service) + " are refused"
	}
	i = i.Clone()
	for k := range i.Members {
		i.Members[k].State = i.Members[k].Worst
	}
	return a.account(&i).clause
}

func (a *atlas) draft(i *Incident) string {
	words := fmt.Sprintf("All logins of %s (%s) are refused from everywhere ", a.serviceName(i.Key.Service), i.Key.Check)
	if i.Recovered.IsZero() {
		return words + "since " + moment(i.Started) + "; the password may be the reason."
	}
	return words + between(i.Started, i.Recovered) + "; the password may be the reason."
}

// account is what there is to say of an incident.
type account struct {
	// clause says what cannot be done and from where; past, that it is over.
	clause string
	past   bool
	// seen says what probes saw, also what is less grave.
	seen, also string
}

// account tells of the gravest of what holds now, or held if nothing does any more.
func (a *atlas) account(i *Incident) (t account) {
	state := func(m Member) verdict.State { return m.State }
	if t.past = !i.Recovered.IsZero(); t.past || !i.isIll() {
		state = func(m Member) verdict.State { return m.Worst }
	}
	worst := verdict.Up
	for _, m := range i.Members {
		worst = max(worst, state(m))
	}
	var grave, less []Member
	for _, m := range i.Members {
		switch s := state(m); {
		case s == worst:
			grave = append(grave, m)
		case bad(s):
			less = append(less, m)
		}
	}
	t.clause = a.who(grave) + " " + cannot(i.Key.Group, worst, t.past) + a.over(grave) + " from " + a.where(grave)
	t.seen = seen(grave, worst)
	switch {
	case !t.past && !i.isIll():
		t.also = "nothing of it is measured now"
	case len(less) > 0:
		t.also = "also affected: " + a.who(less) + " in " + list(named(sorted(less, regionOf), a.regionName))
	}
	return t
}

func regionOf(m Member) string { return m.Region }

// who names services, with the checks that have trouble where that is not all of them.
func (a *atlas) who(members []Member) string {
	return list(named(sorted(members, serviceOf), func(id string) string {
		if hit := a.some(members, id); len(hit) > 0 {
			return a.serviceName(id) + " (" + list(hit) + ")"
		}
		return a.serviceName(id)
	}))
}

// some are the checks of a service that have trouble, none if all of them do.
func (a *atlas) some(members []Member, service string) []string {
	hit := sorted(only(members, func(m Member) bool { return m.Service == service }), func(m Member) string { return m.Check })
	if len(hit) < len(a.of[service]) {
		return hit
	}
	return nil
}

// Share says which checks of a service have the trouble of members, none if all of them
// do, and which address family alone has it, none if that is every one.
func (w World) Share(members []Member, service string) (some []string, family checks.Family) {
	a := w.atlas()
	mine := only(members, func(m Member) bool { return m.Service == service })
	return a.some(members, service), a.onlyFamily(mine)
}

func serviceOf(m Member) string { return m.Service }

// where names regions, all of them as such.
func (a *atlas) where(members []Member) string {
	ids := sorted(members, regionOf)
	if len(ids) == len(a.Regions) && len(ids) > 1 {
		return "every region"
	}
	return list(named(ids, a.regionName))
}

// over names the one address family that has trouble, where the checks are asked over
// others too.
func (a *atlas) over(members []Member) string {
	if f := a.onlyFamily(members); f != checks.NoFamily {
		return " over " + f.Name()
	}
	return ""
}

// onlyFamily is the one family that has trouble, none where others have it or are not
// asked.
func (a *atlas) onlyFamily(members []Member) checks.Family {
	hit := families(members, familyOf)
	if len(hit) != 1 {
		return checks.NoFamily
	}
	for _, s := range a.Series {
		if s.Family != hit[0] && slices.ContainsFunc(members, func(m Member) bool { return m.Check == s.Check }) {
			return hit[0]
		}
	}
	return checks.NoFamily
}

// cannot says what cannot be done while trouble of a group is in a state.
func cannot(g Group, s verdict.State, past bool) string {
	deed := map[Group]string{
		Names: "be found by name", Reach: "be reached", Certificate: "be reached safely", Login: "be logged in to",
		Answers: "be used", Mixed: "be used", Delivery: "deliver mail",
	}[g]
	can, cannot := "can ", "cannot "
	if past {
		can, cannot = "could ", "could not "
	}
	switch {
	case s == verdict.Slow && g == Delivery:
		return can + deed + " only late"
	case s == verdict.Slow:
		return can + deed + " only slowly"
	case s == verdict.Intermittent:
		return cannot + deed + " at times"
	}
	return cannot + deed
}

// seen says what most of the failures were, and how many of the probes saw it.
func seen(members []Member, s verdict.State) string {
	count := make(map[string]int)
	for _, m := range members {
		words := fails(m.Class)
		if s == verdict.Slow && m.Class == "" {
			words = lasts(m.Phase)
		}
		if m.Group == Mixed && words != "" {
			words += ", among other failures"
		}
		if words != "" {
			count[words]++
		}
	}
	best := ""
	for _, words := range slices.Sorted(maps.Keys(count)) {
		if best == "" || count[words] > count[best] {
			best = words
		}
	}
	failing, all := Witnesses(members)
	switch {
	case failing == 0: // what is only slow fails nowhere
		return best
	case best == "":
		return fmt.Sprintf("seen by %d of %d probes", failing, all)
	}
	return fmt.Sprintf("%s, seen by %d of %d probes", best, failing, all)
}

// Witnesses are how many probes saw trouble and how many looked: in each region those
// of the series that most saw.
func Witnesses(members []Member) (failing, all int) {
	most := make(map[string]verdict.Counts)
	for _, m := range members {
		c, old := m.Counts, most[m.Region]
		if c.Down > old.Down || c.Down == old.Down && c.Up > old.Up {
			most[m.Region] = c
		}
	}
	for _, c := range most {
		failing, all = failing+c.Down, all+c.Down+c.Up
	}
	return failing, all
}
