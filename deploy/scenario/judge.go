package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/checks"
)

// Span is a stretch of time in which a series had one verdict. Times are those
// after the start; To is not included.
type Span struct {
	Check, Region string
	Family        checks.Family
	State         State
	From, To      time.Duration
}

// String says what the span says.
func (s Span) String() string {
	return fmt.Sprintf("%s in %s over %s %s from %s to %s", s.Check, s.Region, s.Family, s.State, s.From.Round(time.Millisecond), s.To.Round(time.Millisecond))
}

// Judgement is what became of the expectations.
type Judgement struct {
	Expected, Found, Missed, False int
	// Detected is how long after its beginning each of those found was told that is
	// not up.
	Detected []time.Duration
	// Complaints say what was missed and what is false, one line each.
	Complaints []string
}

// How long a verdict may take, and how much of the rest of its span it has to
// hold: what begins with many failures and what begins with a few, or with none.
const (
	downWithin   = time.Minute // and two intervals
	othersWithin = 30 * time.Minute
	downHolds    = 0.8
	othersHold   = 0.5
)

// How long after its end an expectation still excuses a verdict: intermittent
// looks back half an hour.
const (
	excusedFor             = 10 * time.Minute
	intermittentExcusedFor = 40 * time.Minute
)

// Record is what was said in a play: as it was told, or as it is known afterwards.
type Record struct {
	Verdicts  []Span
	Incidents []Incident
	// Readings and Figures are what the page and the numbers made of maintenance, of
	// what was told; nobody looks at them where none was announced.
	Readings []Reading
	Figures  []Figures
}

// Judge says what of the told and final record was expected, and what was expected
// of them in vain.
func (s Scenario) Judge(told, final Record) Judgement {
	var j Judgement
	for _, e := range s.Expect {
		record := told.Verdicts
		if e.History {
			record = final.Verdicts
		}
		after, err := s.find(e, record)
		if err != nil && e.permitted {
			continue
		}
		j.Expected++
		if err != nil {
			j.Missed++
			j.Complaints = append(j.Complaints, err.Error())
			continue
		}
		j.Found++
		if !e.allows(Up) {
			j.Detected = append(j.Detected, after)
		}
	}
	for _, f := range s.falsehoods(append(slices.Clone(told.Verdicts), final.Verdicts...)) {
		j.False++
		j.Complaints = append(j.Complaints, "false: "+f.String())
	}
	s.incidents(&j, told.Incidents, final.Incidents)
	s.maintenance(&j, told)
	return j
}

// find looks for the verdict that is expected, in each family by itself, and
// returns how long after its beginning it was there first. A family in which
// nothing looks says nothing, unless no other does either.
func (s Scenario) find(e Expectation, record []Span) (after time.Duration, err error) {
	found := false
	for _, family := range s.families() {
		series := slices.DeleteFunc(slices.Clone(record), func(v Span) bool { return !e.about(v) || v.Family != family })
		if len(series) == 0 {
			continue
		}
		at, told := s.first(e, series)
		if !told || !holds(e, series, at) {
			return 0, e.missed(series, at, told)
		}
		if begun := at - time.Duration(e.From); !found || begun < after {
			found, after = true, begun
		}
	}
	if !found {
		return 0, e.missed(nil, 0, false)
	}
	return after, nil
}

// about says whether the expectation is one of the series of a span.
func (e Expectation) about(v Span) bool {
	return e.Check == v.Check && e.Region == v.Region && among(e.Families, v.Family)
}

func (e Expectation) allows(s State) bool { return slices.Contains(e.State, s) }

// blames says whether any trouble is allowed.
func (e Expectation) blames() bool {
	return slices.ContainsFunc(e.State, State.blames)
}

// within is how long after its beginning a verdict counts as told of it.
func (s Scenario) within(e Expectation, told State) time.Duration {
	if told == Intermittent || told == Slow {
		return othersWithin
	}
	return downWithin + 2*s.Checks[e.Check].Every
}

// first is when the first verdict that is allowed was there, if it was there in
// time.
func (s Scenario) first(e Expectation, series []Span) (at time.Duration, ok bool) {
	from := time.Duration(e.From)
	for _, v := range series {
		if e.allows(v.State) && v.To > from && v.From <= from+s.within(e, v.State) {
			return max(v.From, from), true
		}
	}
	return 0, false
}

// holds says whether verdicts that are allowed hold for enough of the rest of the
// span after the first of them.
func holds(e Expectation, series []Span, at time.Duration) bool {
	enough := othersHold
	if !slices.ContainsFunc(e.State, func(s State) bool { return s != Down }) {
		enough = downHolds
	}
	return float64(e.held(series, at)) >= enough*float64(time.Duration(e.To)-at)
}

func (e Expectation) held(series []Span, from time.Duration) (sum time.Duration) {
	for _, v := range series {
		if e.allows(v.State) {
			sum += max(0, min(v.To, time.Duration(e.To))-max(v.From, from))
		}
	}
	return sum
}

// maxGot bounds what a complaint repeats.
const maxGot = 10

// missed says in words what the series showed instead.
func (e Expectation) missed(series []Span, at time.Duration, told bool) error {
	want := fmt.Sprintf("missed: %s in %s, expected %s from %s to %s", e.Check, e.Region, e.State, e.From, e.To)
	if told {
		return fmt.Errorf("%s, got it at %s for %s only", want, at, e.held(series, at))
	}
	var got []string
	for _, v := range series {
		if v.To > time.Duration(e.From) && v.From < time.Duration(e.To) && len(got) < maxGot {
			got = append(got, fmt.Sprintf("%s at %s", v.State, v.From.Round(time.Millisecond)))
		}
	}
	return fmt.Errorf("%s, got %s", want, cmp.Or(strings.Join(got, ", "), "nothing"))
}

// falsehoods are the stretches in which a series was said to be in trouble and
// nothing was expected of it. What was both told and final is one of them.
func (s Scenario) falsehoods(record []Span) (out []Span) {
	for _, v := range record {
		if v.State.blames() {
			out = append(out, s.unexcused(v)...)
		}
	}
	slices.SortFunc(out, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Family, b.Family), cmp.Compare(a.From, b.From))
	})
	return joined(out)
}

// joined makes one of spans that follow one another without a pause, which is all
// that they say together. They are in order.
func joined(list []Span) (out []Span) {
	for _, v := range list {
		if n := len(out); n > 0 && out[n-1].sameSeries(v) && v.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, v.To)
			if !strings.Contains(string(out[n-1].State), string(v.State)) {
				out[n-1].State += " and " + v.State
			}
			continue
		}
		out = append(out, v)
	}
	return out
}

func (s Span) sameSeries(v Span) bool {
	return s.Check == v.Check && s.Region == v.Region && s.Family == v.Family
}

// unexcused is what is left of a span outside the expectations of its series.
func (s Scenario) unexcused(v Span) []Span {
	left := []Span{v}
	for _, e := range s.Expect {
		if !e.about(v) || !e.blames() {
			continue
		}
		excused := excusedFor
		if e.allows(Intermittent) {
			excused = intermittentExcusedFor
		}
		var rest []Span
		for _, p := range left {
			before, behind := p, p
			before.To = min(p.To, time.Duration(e.From))
			behind.From = max(p.From, time.Duration(e.To)+excused)
			for _, q := range []Span{before, behind} {
				if q.From < q.To {
					rest = append(rest, q)
				}
			}
		}
		left = rest
	}
	return left
}
