package availability

import "time"

// Moment is what one region saw in one minute.
type Moment struct {
	Up, Down time.Duration
	Coverage Coverage
}

// Course is what one region saw minute by minute, without a gap: a minute of which nothing
// is known is one with its Coverage.Minutes only.
type Course struct {
	Weight  float64
	Minutes []Moment
}

// Worst is the worst window of one length.
type Worst struct {
	Length time.Duration
	// Known is false where no window of the length was looked at enough.
	Known bool
	// Ratio is that of the worst window, From when it began: the first of those
	// that are as bad.
	Ratio float64
	From  time.Time
}

// Bad says whether something of the window is known to have been down.
func (w Worst) Bad() bool { return w.Known && w.Ratio < 1 }

// CurveLengths are the lengths of the windows of a curve.
func CurveLengths() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day, 30 * day}
}

// Curve is the windowed worst case (windowed user-uptime, Hauer et al., NSDI 2020):
// for every length the worst ratio over all windows of that length, sliding by a
// minute from the given time on. Many blips and one long outage, which can come to
// the same ratio of the whole, look different in it. Of several regions the ratio is
// the mean by weight. Unknown time is left out, and a window of which too little was
// looked at ([Enough]) does not count. Lengths are in whole minutes; it takes a time
// proportional to the minutes for each.
func Curve(from time.Time, courses []Course, lengths []time.Duration) []Worst {
	out := make([]Worst, len(lengths))
	for i, length := range lengths {
		out[i] = worst(from, courses, length)
	}
	return out
}

func worst(from time.Time, courses []Course, length time.Duration) Worst {
	w := Worst{Length: length}
	size, minutes := int(length/time.Minute), 0
	regions := make([]Region, len(courses))
	for i, c := range courses {
		regions[i].Weight = c.Weight
		minutes = max(minutes, len(c.Minutes))
	}
	for k := range minutes {
		for i, c := range courses {
			regions[i].slide(c.Minutes, k, size)
		}
		if k+1 < size {
			continue
		}
		ratio, coverage, known := Overall(regions)
		if known && coverage >= Enough && (!w.Known || ratio < w.Ratio) {
			w.Known, w.Ratio, w.From = true, ratio, from.Add(time.Duration(k+1-size)*time.Minute)
		}
	}
	return w
}

// slide takes in the k-th minute, and lets go of the one that is a window older.
func (r *Region) slide(minutes []Moment, k, size int) {
	if k < len(minutes) {
		m := minutes[k]
		r.Up, r.Down, r.Coverage = r.Up+m.Up, r.Down+m.Down, r.Coverage.Merge(m.Coverage)
	}
	if old := k - size; old >= 0 && old < len(minutes) {
		m := minutes[old]
		r.Up, r.Down = r.Up-m.Up, r.Down-m.Down
		r.Coverage = r.Coverage.Merge(Coverage{-m.Coverage.Covered, -m.Coverage.Minutes})
	}
}
