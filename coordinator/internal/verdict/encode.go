package verdict

import (
	"encoding/json"
	"fmt"
	"time"

	"varde/checks"
)

// judgeJSON is a judge at rest. Times are nanoseconds since 1970, and 0 is none:
// what is kept must give back exactly the same instants.
type judgeJSON struct {
	State   State  `json:"state"`
	Since   int64  `json:"since,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Clock   int64  `json:"clock,omitempty"`
	Failing int64  `json:"failing,omitempty"`
	// Broken is absent where it is the same as Failing.
	Broken *int64       `json:"broken,omitempty"`
	Window []resultJSON `json:"window,omitempty"`
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
	k := judgeJSON{State: j.state, Since: nanos(j.since), Reason: j.reason, Clock: nanos(j.clock), Failing: nanos(j.failing)}
	if broken := nanos(j.broken); broken != k.Failing {
		k.Broken = &broken
	}
	for _, r := range j.window {
		k.Window = append(k.Window, resultJSON{
			r.Probe, r.Epoch, r.Seq, nanos(r.Started), nanos(r.Ended), int64(r.Every), r.Outcome, r.Class,
		})
	}
	return json.Marshal(k)
}

// UnmarshalJSON reads what MarshalJSON wrote. A window that is not in order is
// refused.
func (j *Judge) UnmarshalJSON(b []byte) error {
	var k judgeJSON
	if err := json.Unmarshal(b, &k); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	if len(k.Window) > maxWindow {
		return fmt.Errorf("judge: %d results, expected at most %d", len(k.Window), maxWindow)
	}
	out := Judge{state: k.State, since: instant(k.Since), reason: k.Reason, clock: instant(k.Clock), failing: instant(k.Failing)}
	if out.broken = out.failing; k.Broken != nil {
		out.broken = instant(*k.Broken)
	}
	for i, r := range k.Window {
		out.window = append(out.window, Result{
			r.Probe, r.Epoch, r.Seq, instant(r.Started), instant(r.Ended), time.Duration(r.Every), r.Outcome, r.Class,
		})
		if i > 0 && out.window[i-1].Compare(out.window[i]) >= 0 {
			return fmt.Errorf("judge: result %d is not in order", i)
		}
	}
	*j = out
	return nil
}

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
