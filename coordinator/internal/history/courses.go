package history

import (
	"context"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/history/cell"
)

// curves finds the worst windows, from the given time on.
func (r *reckoning) curves(ctx context.Context, from time.Time) error {
	w := r.window
	w.from, w.step = from.Truncate(time.Minute), time.Minute
	if !w.from.Before(w.to) {
		return nil
	}
	courses, regions := make(map[string]*availability.Course), r.regions()
	for _, region := range regions {
		courses[region] = &availability.Course{
			Weight: r.s.options.Config().weight(region), Minutes: make([]availability.Moment, w.to.Sub(w.from)/time.Minute),
		}
	}
	err := r.each(ctx, w, 0, func(t target, at time.Time, total cell.Total) {
		m := &courses[t.Region].Minutes[at.Sub(w.from)/time.Minute]
		m.Up, m.Down, m.Coverage = m.Up+total.Up, m.Down+total.Down, m.Coverage.Merge(total.Coverage)
	})
	if err != nil {
		return err
	}
	var all []availability.Course
	for _, region := range regions {
		all = append(all, *courses[region])
		r.figures[region].Curve = availability.Curve(w.from, all[len(all)-1:], availability.CurveLengths())
	}
	r.figures[""].Curve = availability.Curve(w.from, all, availability.CurveLengths())
	return nil
}
