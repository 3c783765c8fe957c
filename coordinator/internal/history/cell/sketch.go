package cell

import (
	"slices"
	"time"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// accuracy is the relative error of a quantile: p50 of 100 ms is told as 99 to
// 101 ms.
const accuracy = 0.01

// scale divides durations into bins (DDSketch, Masson, Rim and Lee 2019). It is
// never changed.
var scale = func() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	if err != nil {
		panic(err) // only if accuracy is not between 0 and 1
	}
	return m
}()

// Sketch is a distribution of durations of which quantiles are known to 1 %. The
// zero value is empty. It is a DDSketch that keeps its bins sorted, so that equal
// distributions are equal bytes whatever the order in which they were gathered.
type Sketch struct {
	bins []bin
}

type bin struct {
	index int
	count uint64
}

// Add takes one duration; less than a microsecond counts as one.
func (s *Sketch) Add(d time.Duration) {
	s.add(bin{scale.Index(float64(max(d, time.Microsecond)) / float64(time.Millisecond)), 1})
}

func (s *Sketch) add(b bin) {
	i := s.search(b.index)
	if i < len(s.bins) && s.bins[i].index == b.index {
		s.bins[i].count += b.count
		return
	}
	s.bins = slices.Insert(s.bins, i, b)
}

// search is the place of an index among the bins. It is written out because
// slices.BinarySearchFunc takes three times as long, nine times an observation.
func (s *Sketch) search(index int) int {
	low, high := 0, len(s.bins)
	for low < high {
		if middle := (low + high) / 2; s.bins[middle].index < index {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// Merge takes everything that o holds; o is left as it is.
func (s *Sketch) Merge(o Sketch) {
	if len(s.bins) == 0 {
		s.bins = slices.Clone(o.bins)
		return
	}
	if fresh := s.missing(o); fresh > 0 {
		s.widen(o, fresh)
	}
	i := 0
	for _, b := range o.bins {
		for s.bins[i].index < b.index {
			i++
		}
		s.bins[i].count += b.count
	}
}

// missing is how many bins of o the sketch has not.
func (s *Sketch) missing(o Sketch) (n int) {
	i := 0
	for _, b := range o.bins {
		for i < len(s.bins) && s.bins[i].index < b.index {
			i++
		}
		if i == len(s.bins) || s.bins[i].index != b.index {
			n++
		}
	}
	return n
}

// widen puts an empty bin where o has one and the sketch has not; fresh is how many those
// are. It goes from the end, so that every bin moves once.
func (s *Sketch) widen(o Sketch, fresh int) {
	i, to := len(s.bins)-1, len(s.bins)+fresh-1
	s.bins = slices.Grow(s.bins, fresh)[:to+1]
	for j := len(o.bins) - 1; j >= 0; {
		switch {
		case i >= 0 && s.bins[i].index >= o.bins[j].index:
			if s.bins[i].index == o.bins[j].index {
				j--
			}
			s.bins[to] = s.bins[i]
			i--
		default:
			s.bins[to] = bin{index: o.bins[j].index}
			j--
		}
		to--
	}
}

// Count is how many durations were added.
func (s *Sketch) Count() (n uint64) {
	for _, b := range s.bins {
		n += b.count
	}
	return n
}

// Quantile returns the duration under which the share q of all lies, within 1 %;
// ok is false when there is none or q is not between 0 and 1.
func (s *Sketch) Quantile(q float64) (d time.Duration, ok bool) {
	n := s.Count()
	if n == 0 || !(q >= 0 && q <= 1) {
		return 0, false
	}
	rank := q * float64(n-1)
	var below uint64
	last := s.bins[len(s.bins)-1]
	for _, b := range s.bins {
		if below += b.count; float64(below) > rank {
			last = b
			break
		}
	}
	return time.Duration(scale.Value(last.index) * float64(time.Millisecond)), true
}
