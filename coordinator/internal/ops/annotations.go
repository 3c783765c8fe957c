package ops

import (
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// moved is a change in a server that several probes saw.
type moved struct {
	at             time.Time
	kind, from, to string
	regions        []string
	families       []checks.Family
}

// sameMove is how far apart the sightings of one change are: as long as a name's
// old address may live on in the memory of resolvers.
const sameMove = time.Hour

// moves joins annotations, which are newest first, oldest first.
func moves(list []Annotation) []moved {
	var out []moved
	for _, a := range slices.Backward(list) {
		i := slices.IndexFunc(out, func(m moved) bool {
			return m.kind == a.Kind && m.from == a.From && m.to == a.To && a.At.Sub(m.at) <= sameMove
		})
		if i < 0 {
			out = append(out, moved{at: a.At, kind: a.Kind, from: a.From, to: a.To})
			i = len(out) - 1
		}
		out[i].regions, out[i].families = add(out[i].regions, a.Region), add(out[i].families, a.Family)
	}
	return out
}

// moveView is one line of what changed at a server.
type moveView struct {
	Letter       string
	Time         stamp
	What         string
	From, To     string
	Where, Words string
}

func (n Now) moveView(m moved) moveView {
	words := map[string]string{"address": "another address", "issuer": "a certificate of another issuer", "key": "a certificate with another key"}
	v := moveView{Time: stamp{stampOf(m.at, "").Machine, when(m.at, n.At)}, What: words[m.kind], From: m.from, To: m.to}
	if m.kind == "key" { // the first digits tell them apart
		v.From, v.To = m.from[:min(12, len(m.from))], m.to[:min(12, len(m.to))]
	}
	names := make([]string, len(m.regions))
	for i, r := range m.regions {
		names[i] = n.regionName(r)
	}
	slices.Sort(m.families)
	v.Where = graph.List(names) + ", " + familyWords(m.families)
	return v
}

// lettered are the newest events of a check, at most maxLetters of them: the times
// of their lines through the graphs, oldest first, and which letters the events of each
// kind have. Older ones, and those without a time, have none.
func lettered(kinds ...[]time.Time) (lines []time.Time, letters [][]string) {
	type place struct{ kind, i int }
	var order []place
	for kind, times := range kinds {
		letters = append(letters, make([]string, len(times)))
		for i, at := range times {
			if !at.IsZero() {
				order = append(order, place{kind, i})
			}
		}
	}
	slices.SortStableFunc(order, func(a, b place) int { return kinds[a.kind][a.i].Compare(kinds[b.kind][b.i]) })
	for i, p := range order[max(0, len(order)-maxLetters):] {
		lines, letters[p.kind][p.i] = append(lines, kinds[p.kind][p.i]), graph.Letter(i)
	}
	return lines, letters
}

// timesOf are the times of events.
func timesOf[T any](events []T, at func(T) time.Time) []time.Time {
	out := make([]time.Time, len(events))
	for i, e := range events {
		out[i] = at(e)
	}
	return out
}
