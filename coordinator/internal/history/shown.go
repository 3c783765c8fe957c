package history

import (
	"context"
	"slices"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// statuspage fills in the figures that other pages would show: of every region that of
// one component, and of all the mean of those.
func (r *reckoning) statuspage(ctx context.Context) error {
	var all [][]availability.StatusSpan
	for _, region := range r.regions() {
		spans, err := r.shown(ctx, region)
		if err != nil {
			return err
		}
		all = append(all, spans)
		if figure, ok := availability.Statuspage(spans); ok {
			r.figures[region].Statuspage = &figure
		}
	}
	if figure, ok := availability.Statuspage(all...); ok {
		r.figures[""].Statuspage = &figure
	}
	return nil
}

// shown is what a page showed of the service in one region.
func (r *reckoning) shown(ctx context.Context, region string) ([]availability.StatusSpan, error) {
	end := earlier(r.window.to, r.window.now)
	var courses []stateCourse
	for _, t := range r.targets {
		if t.Region != region || !t.exists {
			continue
		}
		spans, err := r.s.Spans(ctx, t.Series, r.window.from, end)
		if err != nil {
			return nil, err
		}
		k, _ := r.s.options.Config().check(t.Check)
		courses = append(courses, stateCourse{status.Reading{Check: t.Check, Family: t.Family, Depth: k.Depth}, segments(spans, end)})
	}
	return statusSpans(courses, end), nil
}

// statusSpans are what some series come to on a page until the given time. Where nothing is
// known it goes on showing what it showed before.
func statusSpans(courses []stateCourse, end time.Time) []availability.StatusSpan {
	var out []availability.StatusSpan
	times := turningPoints(courses, end)
	for i, at := range times[:max(len(times)-1, 0)] {
		part := status.OfRegion(readingsAt(courses, at))
		span := availability.StatusSpan{From: at, To: times[i+1], Outage: outageOf(part.Status)}
		if n := len(out); !part.Known && n == 0 {
			continue
		} else if !part.Known {
			span.Outage = out[n-1].Outage
		}
		out = append(out, span)
	}
	return out
}

// stateCourse is what was said of one series, one state after the other.
type stateCourse struct {
	reading  status.Reading
	segments []segment
}

// turningPoints are the times at which any of the courses turns, and the end, in order.
func turningPoints(courses []stateCourse, end time.Time) []time.Time {
	var out []time.Time
	for _, c := range courses {
		for _, seg := range c.segments {
			out = append(out, seg.from, seg.to)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	out = slices.CompactFunc(out, time.Time.Equal)
	return slices.DeleteFunc(out, end.Before)
}

// readingsAt are the verdicts at a time.
func readingsAt(courses []stateCourse, at time.Time) []status.Reading {
	var out []status.Reading
	for _, c := range courses {
		i := slices.IndexFunc(c.segments, func(s segment) bool { return !at.Before(s.from) && at.Before(s.to) })
		state := verdict.Unknown
		if i >= 0 {
			state = c.segments[i].state
		}
		reading := c.reading
		reading.State = state
		out = append(out, reading)
	}
	return out
}

// outageOf is how a status counts on a status page.
func outageOf(s status.Status) availability.Outage {
	switch s {
	case status.Major:
		return availability.MajorOutage
	case status.Partial:
		return availability.PartialOutage
	}
	return availability.NoOutage
}
