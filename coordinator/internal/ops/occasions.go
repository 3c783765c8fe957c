package ops

import (
	"context"
	"fmt"
	"slices"
	"time"

	"varde/coordinator/internal/graph"
)

// occasion is what people know by a name: an incident, or a time that they announced.
type occasion struct {
	from, until time.Time
	// what is "incident", "maintenance" or "watch", title what it is called; path is that
	// of its page, empty if it has none.
	what, title, path string
}

// occasionView is one line of them.
type occasionView struct {
	Letter            string
	Time              stamp
	What, Title, Path string
	Until             string
}

// occasions are the incidents in a window of checks for which is holds, and the times that
// were announced, oldest first. A false alarm is none.
func (s *Server) occasions(ctx context.Context, is func(check string) bool, w graph.Window, windows []Window) ([]occasion, error) {
	found, err := s.incidents.Overlapping(ctx, w.From, w.To)
	if err != nil {
		return nil, fmt.Errorf("read incidents: %w", err)
	}
	var out []occasion
	for _, i := range found.shown() {
		for _, m := range i.Members {
			if is(m.Check) && i.FalseAlarm == nil {
				out = append(out, occasion{i.Started, i.Resolved, "incident", i.Title, "/incident/" + i.ID})
				break
			}
		}
	}
	for _, x := range windows {
		out = append(out, occasion{x.From, x.To, x.Kind, x.Title, ""})
	}
	slices.SortStableFunc(out, func(a, b occasion) int { return a.from.Compare(b.from) })
	return out[max(0, len(out)-maxOccasions):], nil
}

// maxOccasions is how many a page lists, the newest.
const maxOccasions = 20

// begun are the times of those that began inside the window; zero of the others.
func begun(list []occasion, w graph.Window) []time.Time {
	out := make([]time.Time, len(list))
	for i, x := range list {
		if !x.from.Before(w.From) && x.from.Before(w.To) {
			out[i] = x.from
		}
	}
	return out
}

func (n Now) occasionView(x occasion, letter string) occasionView {
	v := occasionView{Letter: letter, Time: stamp{stampOf(x.from, "").Machine, when(x.from, n.At)}, What: x.what, Title: x.title, Path: x.path, Until: "not over"}
	if !x.until.IsZero() {
		v.Until = "until " + when(x.until, n.At) + ", " + graph.Span(x.until.Sub(x.from))
	}
	return v
}
