package scenario

import (
	"slices"
	"time"
)

// Report is what one play comes to, one JSON object a line.
type Report struct {
	Scenario string  `json:"scenario"`
	Expected int     `json:"expected"`
	Found    int     `json:"found"`
	Missed   int     `json:"missed"`
	False    int     `json:"false"`
	Detect   Delays  `json:"detect_s"`
	Lost     int     `json:"lost_observations"`
	Doubled  int     `json:"duplicates"`
	Real     float64 `json:"real_s"`
}

// Delays are the percentiles of how long something took, in seconds; null where
// there was nothing.
type Delays struct {
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
	Max *float64 `json:"max"`
}

// DelaysOf sums up a list.
func DelaysOf(list []time.Duration) Delays {
	if len(list) == 0 {
		return Delays{}
	}
	return Delays{P50: seconds(Percentile(list, 0.5)), P95: seconds(Percentile(list, 0.95)), Max: seconds(slices.Max(list))}
}

// Percentile is the smallest of a list that is not below the given share of it.
func Percentile(list []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	i := int(share*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func seconds(d time.Duration) *float64 {
	s := float64(d.Milliseconds()) / 1000
	return &s
}

// Report sums up a play. The numbers of observations are those of the player.
func (s Scenario) Report(j Judgement, lost, doubled int, took time.Duration) Report {
	return Report{
		Scenario: s.Name, Expected: j.Expected, Found: j.Found, Missed: j.Missed, False: j.False,
		Detect: DelaysOf(j.Detected), Lost: lost, Doubled: doubled, Real: *seconds(took),
	}
}

// Failed says whether anything was missed, false, lost or doubled.
func (r Report) Failed() bool { return r.Missed+r.False+r.Lost+r.Doubled > 0 }
