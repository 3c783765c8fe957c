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
// of their lines through the graphs, oldest first, and which letters the changes of
// verdict and those of the server have. Older ones have none.
func lettered(turns []turn, moves []moved) (lines []time.Time, ofTurn, ofMove []string) {
	for _, t := range turns {
		lines = append(lines, t.since)
	}
	for _, m := range moves {
		lines = append(lines, m.at)
	}
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return lines[a].Compare(lines[b]) })
	order = order[max(0, len(order)-maxLetters):]
	names, times := make([]string, len(lines)), make([]time.Time, len(order))
	for i, k := range order {
		names[k], times[i] = graph.Letter(i), lines[k]
	}
	return times, names[:len(turns)], names[len(turns):]
}
