package history

import (
	"testing"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

func TestCorrect(t *testing.T) {
	o := checks.Observation{
		Scheduled: ten, Started: ten, Every: 30 * time.Second,
		Result: checks.Result{Outcome: checks.Down, Class: checks.Busy, FailedPhase: checks.Greeting, Elapsed: time.Second},
	}
	for _, tc := range []struct {
		name     string
		offset   time.Duration
		known    bool
		received time.Duration // after ten
		shift    time.Duration // of the observation's own times, beforehand
		started  time.Duration // expected, after ten
		class    checks.Class
		ok       bool
	}{
		{"exact clock", 0, true, 2 * time.Second, 0, 0, checks.Busy, true},
		{"30 s ahead is corrected", 30 * time.Second, true, 2 * time.Second, 30 * time.Second, 0, checks.Busy, true},
		{"31 s behind is not believed", -31 * time.Second, true, 2 * time.Second, -31 * time.Second, 0, checks.OwnError, true},
		{"not measured", 0, false, 2 * time.Second, -5 * time.Second, -5 * time.Second, checks.Busy, true},
		{"from the future", 0, false, 2 * time.Second, time.Hour, time.Second, checks.OwnError, true},
		{"an hour late", 0, true, time.Hour, 0, 0, checks.Busy, true},
		{"a clock that was never set", 0, false, 0, -100 * 24 * time.Hour, 0, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := wire.Batch{ClockOffset: tc.offset, ClockKnown: tc.known, Received: ten.Add(tc.received)}
			got, ok := Correct(&b, shift(o, tc.shift))
			if ok != tc.ok {
				t.Fatalf("ok: got %t, want %t", ok, tc.ok)
			}
			if !ok {
				return
			}
			if want := ten.Add(tc.started); !got.Started.Equal(want) || got.Class != tc.class {
				t.Errorf("got %v %s, want %v %s", got.Started, got.Class, want, tc.class)
			}
			if (got.Class == checks.OwnError) != (got.Outcome == checks.Unknown) {
				t.Errorf("class %s with outcome %s", got.Class, got.Outcome)
			}
		})
	}
}

// Nothing takes longer than the longest interval, and what claims to has ended when
// it arrived at the latest.
func TestCorrectAbsurdLength(t *testing.T) {
	for _, elapsed := range []time.Duration{checks.MaxEvery + 1, 100 * day, 1<<63 - 1} {
		o := checks.Observation{Scheduled: ten, Started: ten, Every: time.Minute}
		o.Elapsed = elapsed
		got, ok := Correct(&wire.Batch{Received: ten}, o)
		if !ok || got.Elapsed != checks.MaxEvery || !got.End().Equal(ten) {
			t.Errorf("%v: got %v from %v, %t", elapsed, got.Elapsed, got.Started, ok)
		}
	}
}

// Times that no calendar has must not overflow into times that it has.
func TestCorrectAbsurdTimes(t *testing.T) {
	for _, year := range []int{1, 1600, 2300, 9999} {
		for _, elapsed := range []time.Duration{0, 1<<63 - 1} {
			at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
			o := checks.Observation{Scheduled: at, Started: at, Every: time.Minute}
			o.Elapsed = elapsed
			b := wire.Batch{Received: ten}
			got, ok := Correct(&b, o)
			if ok && (got.Started.Before(ten.Add(-maxAge)) || got.End().After(ten.Add(wire.MaxClockOffset))) {
				t.Errorf("year %d, elapsed %v: got %v to %v", year, elapsed, got.Started, got.End())
			}
		}
	}
}
