package meter

import (
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// sheet is what one scrape is answered with. A registry would make labels anew, sort
// all samples and look for doubles at every scrape, which for a large fleet takes
// longer than everything else; here labels are made once, and each family has a type,
// labels and samples that cannot clash, see TestSamplesAreConsistent.
type sheet struct{ families []*dto.MetricFamily }

// family is one metric with its samples.
type family struct{ *dto.MetricFamily }

func (s *sheet) family(kind dto.MetricType, name, help string) family {
	f := family{&dto.MetricFamily{Name: &name, Help: &help, Type: &kind}}
	s.families = append(s.families, f.MetricFamily)
	return f
}

func (s *sheet) gauge(name, help string) family { return s.family(dto.MetricType_GAUGE, name, help) }

func (s *sheet) counter(name, help string) family {
	return s.family(dto.MetricType_COUNTER, name, help)
}

// filled are the families that have samples.
func (s *sheet) filled() []*dto.MetricFamily {
	var out []*dto.MetricFamily
	for _, f := range s.families {
		if len(f.Metric) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// labels are names with their values in the order of the names, shared by samples and
// never changed.
type labels []*dto.LabelPair

func pair(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// with has one label more.
func (l labels) with(p *dto.LabelPair) labels {
	i := 0
	for i < len(l) && *l[i].Name < *p.Name {
		i++
	}
	return slices.Concat(l[:i], labels{p}, l[i:])
}

// tell adds the sample of a gauge or a counter.
func (f family) tell(l labels, v float64) {
	m := &dto.Metric{Label: l}
	if f.GetType() == dto.MetricType_COUNTER {
		m.Counter = &dto.Counter{Value: &v}
	} else {
		m.Gauge = &dto.Gauge{Value: &v}
	}
	f.Metric = append(f.Metric, m)
}

// at adds the sample of a gauge that is an instant; what is zero has none.
func (f family) at(l labels, t time.Time) {
	if !t.IsZero() {
		f.tell(l, float64(t.UnixMicro())/1e6)
	}
}

// sum adds the sample of a summary without quantiles.
func (f family) sum(l labels, s spent) {
	total := s.time.Seconds()
	f.Metric = append(f.Metric, &dto.Metric{Label: l, Summary: &dto.Summary{SampleCount: &s.count, SampleSum: &total}})
}

// spread adds the sample of a histogram.
func (f family) spread(l labels, h *histogram) {
	total, count := h.time.Seconds(), h.count
	out := &dto.Histogram{SampleCount: &count, SampleSum: &total, Bucket: make([]*dto.Bucket, len(h.bounds))}
	var n uint64
	for i := range h.bounds {
		n += h.counts[i]
		upTo := n
		out.Bucket[i] = &dto.Bucket{UpperBound: &h.bounds[i], CumulativeCount: &upTo}
	}
	f.Metric = append(f.Metric, &dto.Metric{Label: l, Histogram: out})
}
