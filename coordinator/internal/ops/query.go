package ops

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"varde/checks"
)

// The bounds of a question.
const (
	defaultLimit = 100
	maxLimit     = 1000
	// maxPoints is the largest number of points of an answer.
	maxPoints = 2000
	// minStep is the width of the narrowest rollup.
	minStep = time.Minute
	// maxWindow is how long the longest rollups are kept, and some.
	maxWindow = 20 * 366 * 24 * time.Hour
	// defaultWindow is what is shown when nobody says.
	defaultWindow = 24 * time.Hour
)

// question reads the parameters of a request. The first fault stands in err.
type question struct {
	values url.Values
	err    error
}

func ask(values url.Values) *question { return &question{values: values} }

// fail keeps the first fault.
func (q *question) fail(format string, args ...any) {
	if q.err == nil {
		q.err = fmt.Errorf(format, args...)
	}
}

// only refuses parameters that the question does not have: a mistyped one must
// not silently widen the answer.
func (q *question) only(names ...string) {
	for name, values := range q.values {
		if !slices.Contains(names, name) {
			q.fail("parameter %q is not known, expected one of %s", name, strings.Join(names, ", "))
		}
		if len(values) > 1 {
			q.fail("parameter %q is given %d times, expected once", name, len(values))
		}
	}
}

// id reads a name of the configuration or of a probe; empty if not given.
func (q *question) id(name string) string {
	v := q.values.Get(name)
	if v != "" && !checks.ValidID(v) {
		q.fail("%s %q, expected 1 to 63 of a-z, 0-9 and -", name, v)
	}
	return v
}

// oneOf reads a word of a list; empty if not given.
func (q *question) oneOf(name string, words []string) string {
	v := q.values.Get(name)
	if v != "" && !slices.Contains(words, v) {
		q.fail("%s %q, expected one of %s", name, v, strings.Join(words, ", "))
	}
	return v
}

// number reads a whole number from low to high.
func (q *question) number(name string, usual, low, high int) int {
	v := q.values.Get(name)
	if v == "" {
		return usual
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		q.fail("%s %q, expected a number from %d to %d", name, v, low, high)
	}
	return n
}

// time reads RFC 3339.
func (q *question) time(name string, usual time.Time) time.Time {
	v := q.values.Get(name)
	if v == "" {
		return usual
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		q.fail("%s %q, expected a time such as 2026-11-22T10:00:00Z", name, v)
		return usual
	}
	return t.UTC()
}

// cursor reads where an earlier answer said to go on; zero if not given.
func (q *question) cursor(name string) Cursor {
	v := q.values.Get(name)
	if v == "" {
		return Cursor{}
	}
	c, err := parseCursor(v)
	if err != nil {
		q.fail("%s %q, expected the one of a Link header", name, v)
	}
	return c
}

// window reads from and to; without them it is the last day.
func (q *question) window(now time.Time) (from, to time.Time) { return q.windowOf(now, defaultWindow) }

// windowOf reads from and to; without them it is the given time until now.
func (q *question) windowOf(now time.Time, usual time.Duration) (from, to time.Time) {
	to = q.time("to", now.UTC())
	from = q.time("from", to.Add(-usual))
	if !from.Before(to) {
		q.fail("from %s is not before to %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	if to.Sub(from) > maxWindow {
		q.fail("from %s to %s is longer than 20 years", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return from, to
}

// step reads the width of points, which must not be more than maxPoints;
// without it the widest that gives about 300 is taken.
func (q *question) step(from, to time.Time) time.Duration {
	length := to.Sub(from)
	v := q.values.Get("step")
	if v == "" {
		return usualStep(length)
	}
	step, err := duration(v)
	if err != nil || step < minStep || step%minStep != 0 {
		q.fail("step %q, expected whole minutes such as 1m, 15m, 1h or 1d", v)
		return usualStep(length)
	}
	if length/step > maxPoints {
		q.fail("step %s gives %d points, expected at most %d", v, length/step, maxPoints)
	}
	return step
}

func usualStep(length time.Duration) time.Duration {
	const day = 24 * time.Hour
	for _, step := range []time.Duration{minStep, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour} {
		if length/step <= 300 {
			return step
		}
	}
	return max(day, (length / 300).Truncate(day))
}

// duration reads 90s, 15m, 1h and, as the configuration does, 7d.
func duration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 366 {
			return 0, fmt.Errorf("%q is not a number of days", days)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(s)
}

// phases are the words that a phase can be.
func phases() []string {
	all := checks.Phases()
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = string(p)
	}
	return out
}
