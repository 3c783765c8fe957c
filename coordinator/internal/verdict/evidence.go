package verdict

import (
	"cmp"
	"time"

	"varde/checks"
)

// Evidence is what a change of verdict rests on, as data: which part of the rule
// decided, by which figures, and what each probe said at that moment and since
// when. [Change.Reason] is the same in one sentence.
type Evidence struct {
	Part Part `json:"part"`
	// Figures are what was compared: each with what the rule asks for.
	Figures []Figure `json:"figures,omitempty"`
	// Class is that of most of the failures, where any decided, and Phase that of
	// most failures of the class. For runs that take too long Phase is the one that
	// took longest; where a quorum is missing Class is what the probes say that
	// cannot tell.
	Phase checks.Phase `json:"phase,omitempty"`
	Class checks.Class `json:"class,omitempty"`
	// Ways are in which ways the failures failed, the commonest first; nothing where
	// Phase and Class say it of all of them.
	Ways []Way `json:"ways,omitempty"`
	// Networks are those of the addresses that failed (checks.Observation.Network),
	// sorted.
	Networks []string `json:"networks,omitempty"`
	// Probes are those with a current result, by name; a probe that cannot tell is
	// among them. Nobody is named where the part is ByHand.
	Probes []Witness `json:"probes,omitempty"`
}

// Part is a part of the rule.
type Part string

// The parts of the rule, each of which can decide.
const (
	// ByFailures is Down: the last K results all failed.
	ByFailures Part = "failures"
	// ByLateMail is Slow: the last K results all failed or were late.
	ByLateMail Part = "late"
	// ByShare is Intermittent: too large a share of the runs fails.
	ByShare Part = "share"
	// ByFalls is Intermittent: the series went down too often.
	ByFalls Part = "falls"
	// ByPace is Slow: runs take much longer than usual, or than the check allows.
	ByPace Part = "pace"
	// ByRecovery ends a Down, or mail that is late: good results in a row. Where
	// mail is late after a Down it is Slow by the same results.
	ByRecovery Part = "recovery"
	// ByEnd ends what another part began: the share, the pace or the falls are no
	// longer what began it.
	ByEnd Part = "end"
	// ByFirst is Up after Unknown: the quorum is there and enough probes are good.
	ByFirst Part = "first"
	// ByQuorum is Unknown: too few probes have a current result.
	ByQuorum Part = "quorum"
	// ByHand is Unknown: the check left the configuration, or the clock was wrong.
	ByHand Part = "hand"
	// ByProbe is the notice of a Stray: one probe says what no other one does.
	ByProbe Part = "probe"
	// ByLogins is the notice of logins that are Refused everywhere.
	ByLogins Part = "logins"
)

// Way is one way in which runs failed.
type Way struct {
	Phase checks.Phase `json:"phase,omitempty"`
	Class checks.Class `json:"class,omitempty"`
	// Runs is how many of them failed so.
	Runs int `json:"runs"`
}

// Compare orders ways by how many failed so, the most first, then by class and phase.
func (w Way) Compare(o Way) int {
	return cmp.Or(cmp.Compare(o.Runs, w.Runs), cmp.Compare(w.Class, o.Class), cmp.Compare(w.Phase, o.Phase))
}

// Figure is one comparison of the rule.
type Figure struct {
	// Name says what was measured, in a few words: "failures in a row".
	Name string `json:"name"`
	// Got was measured, Needed is what the rule asks for; both in Unit, which is
	// empty for a plain number. What ended by Got had to come down to Needed.
	Got    float64 `json:"got"`
	Needed float64 `json:"needed"`
	Unit   string  `json:"unit,omitempty"`
	// Of is of how many runs or probes Got was taken, zero where that says nothing.
	Of int `json:"of,omitempty"`
}

// Witness is what one probe said.
type Witness struct {
	Probe   string         `json:"probe"`
	Outcome checks.Outcome `json:"outcome"`
	// Since is the start of the first of its results in a row that said so, zero
	// where the judge remembers no other. Failures are remembered as long as they
	// last and the probe is not silent, what else it said for two intervals or so.
	Since time.Time `json:"since,omitzero"`
	// Phase and Class are those of its latest result, if that is not good.
	Phase checks.Phase `json:"phase,omitempty"`
	Class checks.Class `json:"class,omitempty"`
	// Network is that of the address it looked at.
	Network string `json:"network,omitempty"`
}
