package evidence

import (
	"crypto/ed25519"
	"iter"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// Case is all that is known of an incident, as it is handed over. Equal cases give
// equal files.
type Case struct {
	// Incident has both of its parts, what the machine says and what people say;
	// Merged are those that people made parts of it. Signs are what its trouble looks
	// like.
	Incident incident.Case
	Merged   []incident.Case
	Signs    []incident.Sign
	// World is what the incident's words are made with.
	World incident.World
	// From and Until are the window of all that follows.
	From, Until time.Time
	// Checks are those of the incident, as they are configured now, and Plan is the
	// revision of the plan that asks for them.
	Checks []checks.Target
	Plan   uint64
	// Told and Final are the verdicts of its checks in the window, series by series in
	// order of time; FinalUntil is how far the latter are known.
	Told, Final []Verdict
	FinalUntil  time.Time
	// Moves are the changes in what its servers show.
	Moves []history.Annotation
	// Probes are those of the roster.
	Probes []Probe
	// Observations are what was seen, in order of end, probe, epoch and number, each
	// once: see [Read]. They are read once, and nothing else is read while they are.
	Observations iter.Seq2[Seen, error]
	// Coordinator and Version are the name of who writes this and of its program, and
	// Written is when.
	Coordinator, Version string
	Written              time.Time
	// Key signs, and Authority is the certificate of the fleet's CA, DER.
	Key       ed25519.PrivateKey
	Authority []byte
}

// Verdict is a stretch of time in which a series had one verdict.
type Verdict struct {
	verdict.Series
	State verdict.State `json:"state"`
	// From is included, To is not, and nil where it goes on after the window.
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
	// Since, Reason, Counts and Evidence are those of the change that began it.
	Since    time.Time         `json:"since"`
	Reason   string            `json:"reason"`
	Counts   verdict.Counts    `json:"counts"`
	Evidence *verdict.Evidence `json:"evidence,omitempty"`
}

// Probe is what is known of a probe beside what it reported.
type Probe struct {
	Name, Region, Site string
	// ASN is 0 when it is not known.
	ASN uint32
	// Version is that of its program now; empty when it has not said so.
	Version string
}

// shown is the incident as people see it.
func (c Case) shown() incident.Shown { return incident.View(c.World, c.Incident, c.Merged...) }
