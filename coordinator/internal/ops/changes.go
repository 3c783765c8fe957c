package ops

import (
	"html/template"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// turn is several changes of verdict that are one event: the same state for the
// same cause in the same region within togetherFor.
type turn struct {
	to verdict.State
	// at is when the first of them was judged, since when its state began; last
	// is when the last of them was judged.
	at, since, last time.Time
	region          string
	reason          string
	checks          []string
	families        []checks.Family
}

// togetherFor is how far apart the changes of one line are judged: a line has
// one time, and what it says must be true of all its checks.
const togetherFor = 10 * time.Second

// turns joins changes, which are newest first, as the turns are.
func turns(changes []verdict.Change) []turn {
	var out []turn
	for _, c := range changes {
		i := slices.IndexFunc(out, func(t turn) bool {
			return t.to == c.To && t.region == c.Series.Region && t.last.Sub(c.At) <= togetherFor && cause(t.reason) == cause(c.Reason)
		})
		if i < 0 {
			out = append(out, turn{to: c.To, region: c.Series.Region, last: c.At})
			i = len(out) - 1
		}
		out[i].add(c)
	}
	slices.SortStableFunc(out, func(a, b turn) int { return b.at.Compare(a.at) })
	return out
}

func (t *turn) add(c verdict.Change) {
	t.at, t.since, t.reason = c.At, c.Since, c.Reason
	if c.Since.IsZero() {
		t.since = c.At
	}
	if !slices.Contains(t.checks, c.Series.Check) {
		t.checks = append(t.checks, c.Series.Check)
	}
	if c.Series.Family != checks.NoFamily && !slices.Contains(t.families, c.Series.Family) {
		t.families = append(t.families, c.Series.Family)
		slices.Sort(t.families)
	}
}

// changeView is one line of the changes of verdict.
type changeView struct {
	Time        stamp
	Glyph       template.HTML
	Class, Word string
	Checks      []string
	Where, Why  string
	// Letter names the line that runs through the graphs; empty for none.
	Letter string
}

func (n Now) changeView(t turn) changeView {
	mark := graph.MarkOf(t.to)
	where := n.regionName(t.region)
	if len(t.families) > 0 {
		where += ", " + familyWords(t.families)
	}
	return changeView{
		Time: stamp{stampOf(t.at, "").Machine, when(t.at, n.At)}, Glyph: mark.Glyph(), Class: mark.Class(), Word: n.word(t.to, t.checks...),
		Checks: t.checks, Where: where, Why: t.reason,
	}
}

// changeViews are the newest events, at most most of them.
func (n Now) changeViews(most int) (views []changeView, more int) {
	all := turns(n.Changes)
	for _, t := range all[:min(most, len(all))] {
		views = append(views, n.changeView(t))
	}
	return views, max(0, len(all)-most)
}

// maxLetters is how many events are drawn as lines: more would hide the
// graphs.
const maxLetters = 8

// turnsOf are the newest events of a check inside the window, oldest first.
func (n Now) turnsOf(check string, w graph.Window) []turn {
	var mine []verdict.Change
	for _, c := range n.Changes {
		if c.Series.Check == check && !c.At.Before(w.From) && c.At.Before(w.To) {
			mine = append(mine, c)
		}
	}
	out := turns(mine)
	out = out[:min(maxLetters, len(out))]
	slices.Reverse(out)
	return out
}
