package checktest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
)

// Point is a moment in a conversation at which a server can go wrong.
type Point struct {
	Name string
	// Until is what the server does before, made in the bubble.
	Until func(*Lab) []Step
	// Phase is what fails there, Timeout what silence is called and Limit how
	// long it is borne.
	Phase   checks.Phase
	Timeout checks.Class
	Limit   time.Duration
	// Garbage is what bytes that are not the protocol are called, Flood what a
	// line that never ends is called.
	Garbage, Flood checks.Class
	// Drip is the beginning of an honest answer, given a byte a second.
	Drip string
	// Harmless says that nothing that goes wrong there changes the outcome.
	Harmless bool
}

// misbehaviour is one way to go wrong at a point.
type misbehaviour struct {
	name string
	step func(Point) Step
	want func(Point) (checks.Class, time.Duration)
}

func misbehaviours() []misbehaviour {
	timeout := func(p Point) (checks.Class, time.Duration) { return p.Timeout, p.Limit }
	closed := func(Point) (checks.Class, time.Duration) { return checks.Closed, 0 }
	return []misbehaviour{
		{"silent", func(Point) Step { return Silence() }, timeout},
		{"drips", func(p Point) Step { return Drip(p.Drip+strings.Repeat(" ", 60), time.Second) }, timeout},
		{"closes", func(Point) Step { return Hangup() }, closed},
		{"closes late", func(Point) Step { return Both(Wait(700*time.Millisecond), Hangup()) }, func(Point) (checks.Class, time.Duration) {
			return checks.Closed, 700 * time.Millisecond
		}},
		{"resets", func(Point) Step { return Break() }, closed},
		{
			"talks garbage", func(Point) Step { return Send("\x00\xff\x01 garbage\r\n") },
			func(p Point) (checks.Class, time.Duration) { return p.Garbage, 0 },
		},
		{
			"never ends a line", func(Point) Step { return Flood(strings.Repeat("2", 1000)) },
			func(p Point) (checks.Class, time.Duration) { return p.Flood, 0 },
		},
	}
}

// EveryPoint makes the server of a lab go wrong in every way at every point,
// each in a bubble of its own, and wants the exact phase, class and time.
func EveryPoint(
	t *testing.T, target checks.Target, port string,
	build func(checks.Target, checks.Env) (checks.Check, error), points []Point,
) {
	t.Helper()
	target.ID, target.Every, target.Timeout = "check", time.Minute, time.Minute
	for _, p := range points {
		for _, m := range misbehaviours() {
			t.Run(p.Name+"/"+m.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					lab := NewLab()
					lab.Play(t, port, append(p.Until(lab), m.step(p), Silence())...)
					c, err := build(target, lab.Env())
					if err != nil {
						t.Fatal(err)
					}
					class, elapsed := m.want(p)
					p.judge(t, c.Attempt(t.Context(), checks.IPv4), class, elapsed)
				})
			})
		}
	}
}

func (p Point) judge(t *testing.T, r checks.Result, class checks.Class, elapsed time.Duration) {
	t.Helper()
	last := r.Phases[len(r.Phases)-1]
	if last.Name != p.Phase || r.Elapsed != elapsed || last.Duration != elapsed {
		t.Errorf("last phase %s of %s, elapsed %s, want %s of %s", last.Name, last.Duration, r.Elapsed, p.Phase, elapsed)
	}
	switch {
	case p.Harmless && (r.Outcome != checks.Up || r.Class != "" || r.FailedPhase != ""):
		t.Errorf("%s %s in %q (%s), want up", r.Outcome, r.Class, r.FailedPhase, r.Detail)
	case !p.Harmless && (r.Outcome != class.Outcome() || r.Class != class || r.FailedPhase != p.Phase):
		t.Errorf("%s %s in %q (%s), want %s in %q", r.Outcome, r.Class, r.FailedPhase, r.Detail, class, p.Phase)
	case strings.Contains(r.Detail, LabPassword):
		t.Errorf("detail %q holds the password", r.Detail)
	}
}
