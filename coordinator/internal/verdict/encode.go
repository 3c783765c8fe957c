package verdict

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"varde/checks"
)

// judgeJSON is a judge at rest. Times are nanoseconds since 1970, and 0 is none:
// what is kept must give back exactly the same instants. A fleet has thousands of
// judges and keeps one of every hour, so their lists are packed.
type judgeJSON struct {
	State  State  `json:"state"`
	Since  int64  `json:"since,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Ground is the evidence of Reason. Former versions had none, here and in marks.
	Ground  Evidence `json:"ground,omitzero"`
	Clock   int64    `json:"clock,omitempty"`
	Heard   int64    `json:"heard,omitempty"`
	Failing int64    `json:"failing,omitempty"`
	// Broken is absent where it is the same as Failing.
	Broken *int64 `json:"broken,omitempty"`
	// Window is as former versions wrote Results. It is read and not written.
	Window   []resultJSON `json:"window,omitempty"`
	Names    []string     `json:"names,omitempty"`
	Results  []byte       `json:"results,omitempty"`
	Trials   []byte       `json:"trials,omitempty"`
	Recent   []byte       `json:"recent,omitempty"`
	Phases   []byte       `json:"phases,omitempty"`
	Streaks  []byte       `json:"streaks,omitempty"`
	Usual    usualJSON    `json:"usual,omitzero"`
	Lossy    markJSON     `json:"lossy,omitzero"`
	Flapping markJSON     `json:"flapping,omitzero"`
	Dragging markJSON     `json:"dragging,omitzero"`
	Falls    []int64      `json:"falls,omitempty"`
	Fell     int64        `json:"fell,omitempty"`
	Rose     int64        `json:"rose,omitempty"`
	Admitted int64        `json:"admitted,omitempty"`
}

type markJSON struct {
	Since    int64    `json:"since"`
	Reason   string   `json:"reason"`
	Evidence Evidence `json:"evidence,omitzero"`
}

type usualJSON struct {
	Ready  bool   `json:"ready,omitempty"`
	Learnt int    `json:"learnt,omitempty"`
	Began  int64  `json:"began,omitempty"`
	Hour   int64  `json:"hour,omitempty"`
	Open   []byte `json:"open,omitempty"`
	Closed []int  `json:"closed,omitempty"`
}

type resultJSON struct {
	Probe   string         `json:"p"`
	Epoch   string         `json:"e,omitempty"`
	Seq     uint64         `json:"n"`
	Started int64          `json:"s"`
	Ended   int64          `json:"t"`
	Every   int64          `json:"i,omitempty"`
	Outcome checks.Outcome `json:"o"`
	Class   checks.Class   `json:"c,omitempty"`
}

// MarshalJSON writes everything that the judge knows, so that it can be kept in
// one transaction with the cursor of whoever feeds it. Equal judges give equal
// bytes. Times outside 1678 to 2262 cannot be kept.
func (j Judge) MarshalJSON() ([]byte, error) {
	p := newPacker(j.namesIn())
	k := judgeJSON{
		State: j.base, Since: nanos(j.ground.since), Reason: j.ground.reason, Ground: j.ground.evidence,
		Clock: nanos(j.clock), Heard: nanos(j.heard), Failing: nanos(j.failing),
		Names: p.names, Results: p.results(j.window), Trials: p.trials(j.trials), Recent: p.runs(j.recent),
		Phases: p.phases(j.recent), Streaks: p.streaks(j.streaks),
		Usual: usualJSON{
			Ready: j.usual.ready, Learnt: j.usual.learnt, Began: nanos(j.usual.began),
			Hour: nanos(j.usual.hour), Open: p.tallies(j.usual.open), Closed: j.usual.closed,
		},
		Lossy: j.lossy.atRest(), Flapping: j.flapping.atRest(), Dragging: j.dragging.atRest(),
		Fell: nanos(j.fell), Rose: nanos(j.rose), Admitted: nanos(j.admitted),
	}
	if broken := nanos(j.broken); broken != k.Failing {
		k.Broken = &broken
	}
	for _, t := range j.falls {
		k.Falls = append(k.Falls, nanos(t))
	}
	return json.Marshal(k)
}

// UnmarshalJSON reads what MarshalJSON wrote, now or in former versions. Lists that
// are too long or not in order are refused.
func (j *Judge) UnmarshalJSON(b []byte) error {
	var k judgeJSON
	if err := json.Unmarshal(b, &k); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	out := Judge{
		base: k.State, ground: mark{instant(k.Since), k.Reason, k.Ground}, clock: instant(k.Clock), heard: instant(k.Heard),
		failing: instant(k.Failing), lossy: k.Lossy.mark(), flapping: k.Flapping.mark(), dragging: k.Dragging.mark(),
		fell: instant(k.Fell), rose: instant(k.Rose), admitted: instant(k.Admitted),
	}
	if out.broken = out.failing; k.Broken != nil {
		out.broken = instant(*k.Broken)
	}
	for _, ns := range k.Falls {
		out.falls = append(out.falls, instant(ns))
	}
	if err := errors.Join(out.unpack(k), out.check()); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	*j = out
	return nil
}

func (j *Judge) unpack(k judgeJSON) error {
	if len(k.Window) > 0 {
		j.former(k.Window)
	}
	window, trials := unpacker{names: k.Names, b: k.Results}, unpacker{names: k.Names, b: k.Trials}
	recent, open := unpacker{b: k.Recent}, unpacker{b: k.Usual.Open}
	phases, streaks := unpacker{names: k.Names, b: k.Phases}, unpacker{names: k.Names, b: k.Streaks}
	j.window = append(j.window, window.results()...)
	j.trials, j.recent, j.streaks = trials.trials(), recent.runs(), streaks.streaks()
	phases.phases(j.recent)
	j.usual = usual{
		ready: k.Usual.Ready, learnt: k.Usual.Learnt, began: instant(k.Usual.Began),
		hour: instant(k.Usual.Hour), open: open.tallies(), closed: k.Usual.Closed,
	}
	j.usual.sum()
	return errors.Join(window.err, trials.err, recent.err, phases.err, streaks.err, open.err)
}

// former takes what a former version kept. It knew of no time at which a Down
// began but that of its ground.
func (j *Judge) former(window []resultJSON) {
	for _, r := range window {
		j.window = append(j.window, Result{
			Probe: r.Probe, Epoch: r.Epoch, Seq: r.Seq, Started: instant(r.Started), Ended: instant(r.Ended),
			Every: time.Duration(r.Every), Outcome: r.Outcome, Class: r.Class,
		})
	}
	j.heard = j.clock
	if j.base == Down {
		j.fell = j.ground.since
	}
}

func (j *Judge) check() error {
	if len(j.window) > maxWindow || len(j.trials) > maxTrials || len(j.recent) > recentRuns || len(j.falls) > MaxFalls || len(j.usual.closed) > usualHours {
		return fmt.Errorf("%d results, %d trials, %d recent runs, %d falls, %d hours, expected at most %d, %d, %d, %d, %d",
			len(j.window), len(j.trials), len(j.recent), len(j.falls), len(j.usual.closed), maxWindow, maxTrials, recentRuns, MaxFalls, usualHours)
	}
	if !slices.IsSortedFunc(j.window, func(a, b Result) int { return cmp.Or(a.Compare(b), -1) }) {
		return errors.New("results are not in order")
	}
	if !slices.IsSortedFunc(j.streaks, func(a, b streak) int { return cmp.Or(cmp.Compare(a.probe, b.probe), -1) }) {
		return errors.New("streaks are not in order")
	}
	if !slices.IsSortedFunc(j.trials, func(a, b trial) int { return a.ended.Compare(b.ended) }) {
		return errors.New("trials are not in order")
	}
	if slices.ContainsFunc(j.usual.closed, func(bin int) bool { return bin < 0 || bin > binOf(checks.MaxEvery) }) {
		return errors.New("hours hold a time that is too long")
	}
	if j.base == Intermittent {
		return fmt.Errorf("state %s is not one of a few results", j.base)
	}
	return nil
}

func (m mark) atRest() markJSON { return markJSON{nanos(m.since), m.reason, m.evidence} }

func (m markJSON) mark() mark { return mark{instant(m.Since), m.Reason, m.Evidence} }

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
