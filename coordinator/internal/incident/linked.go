package incident

import "slices"

// AlsoSeenAt are the incidents of other providers that look like the same hand, by id
// of the incident, sorted: those that have a group of phases in common and began within
// 5 min of one another. It is told of both ways; drafts are in none.
func AlsoSeenAt(w World, incidents []Incident) map[string][]string {
	a := w.atlas()
	join := Policy{}.filled().Join
	out := make(map[string][]string)
	for k := range incidents {
		for n := range k {
			i, o := &incidents[k], &incidents[n]
			if i.Draft || o.Draft || !i.sameKind(o) || i.Started.Sub(o.Started).Abs() > join || a.share(i, o) {
				continue
			}
			out[i.ID] = append(out[i.ID], o.ID)
			out[o.ID] = append(out[o.ID], i.ID)
		}
	}
	for _, ids := range out {
		slices.Sort(ids)
	}
	return out
}

// share says whether two incidents have a provider in common.
func (a *atlas) share(i, o *Incident) bool {
	of := func(i *Incident) []string {
		return sorted(i.Services(), func(id string) string { return a.services[id].Provider })
	}
	theirs := of(o)
	return slices.ContainsFunc(of(i), func(p string) bool { return slices.Contains(theirs, p) })
}
