// Package control is how commands reach the running coordinator: HTTP and JSON
// over a unix socket in its data folder.
//
//   - The socket has mode 0600 from its first moment on: whoever may read the
//     coordinator's data may command it, and nobody else. There is no other login.
//   - A socket that a crash left behind is replaced; one that answers is not:
//     two coordinators never share a data folder unnoticed.
//   - The client has the same methods as what the server serves, so a command
//     reads as if it ran inside the coordinator, errors included.
//   - Requests and answers are bounded in bytes and time.
package control

import (
	"context"
	"path/filepath"
	"time"

	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// Roster is what the commands on probes need of the coordinator.
type Roster interface {
	// AddProbe puts a probe on the roster and returns the token by which it
	// joins. A name that is taken is an error.
	AddProbe(ctx context.Context, p NewProbe) (Invitation, error)
	// RemoveProbe revokes a probe at once. A name that is not known is an error.
	RemoveProbe(ctx context.Context, name string) (Removal, error)
	// Probes lists the roster by name.
	Probes(ctx context.Context) ([]Probe, error)
}

// Reporter is what the status command needs of the coordinator.
type Reporter interface {
	Status(ctx context.Context) (Status, error)
}

// NewProbe is a probe to be added.
type NewProbe struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	// Site is where it stands, in the operator's words; may be empty.
	Site string `json:"site,omitempty"`
	// ASN is the number of its network, 0 if not known.
	ASN uint32 `json:"asn,omitempty"`
	// TTL is how long the token is good for; 0 leaves it to the coordinator.
	TTL time.Duration `json:"ttl_ns,omitempty"`
}

// Invitation is what a new probe needs to join. It is shown once.
type Invitation struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
	// Replaced says that an earlier token of this name is worth nothing now.
	Replaced bool `json:"replaced,omitempty"`
}

// Removal says what a removed probe takes with it.
type Removal struct {
	// Secrets names the checks whose passwords it knew: they should be changed.
	Secrets []string `json:"secrets"`
}

// Probe is one line of the roster with what is known of it now.
type Probe struct {
	Name    string         `json:"name"`
	Region  string         `json:"region"`
	Site    string         `json:"site,omitempty"`
	ASN     uint32         `json:"asn,omitempty"`
	State   presence.State `json:"state"`
	Version string         `json:"version,omitempty"`
	// LastSeen is zero for a probe that was never seen.
	LastSeen time.Time `json:"last_seen,omitzero"`
	// Expires is when its certificate ends, or its token until it joins.
	Expires      time.Time `json:"expires,omitzero"`
	PlanRevision uint64    `json:"plan_revision,omitempty"`
	// Spool is how many records wait on it.
	Spool uint64 `json:"spool,omitempty"`
	// Qualified says whether it holds itself fit to judge.
	Qualified wire.Qualification `json:"qualified"`
	// Relay is the probe through which it reports; empty for none.
	Relay string `json:"relay,omitempty"`
}

// Status is what the running coordinator says of itself.
type Status struct {
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// Config is the file that is in force, and Loaded when it was read.
	Config string    `json:"config"`
	Loaded time.Time `json:"loaded"`
	// ReloadError says why the file is not in force as it was read last, one fault
	// a line; empty if it is.
	ReloadError string `json:"reload_error,omitempty"`
	// GRPC, Public and Ops are the addresses that are bound.
	GRPC   string `json:"grpc"`
	Public string `json:"public"`
	Ops    string `json:"ops"`
	// Connected of Probes on the roster report now.
	Connected int `json:"connected"`
	Probes    int `json:"probes"`
	// Checks are those of the configuration; PlanRevision is the newest plan's.
	Checks       int    `json:"checks"`
	PlanRevision uint64 `json:"plan_revision"`
	// JournalFirst and JournalLast are the numbers of the oldest and the newest
	// message of the journal; both 0 while it is empty.
	JournalFirst uint64 `json:"journal_first"`
	JournalLast  uint64 `json:"journal_last"`
	// JournalSince is when the oldest message came; zero while it is empty.
	JournalSince time.Time `json:"journal_since,omitzero"`
	// NewestObservation is when the newest one was received; zero for none.
	NewestObservation time.Time `json:"newest_observation,omitzero"`
	// Notices are what an operator should know, one sentence each.
	Notices []string `json:"notices,omitempty"`
}

// Socket returns the path of the control socket in a data folder.
func Socket(data string) string { return filepath.Join(data, "control.sock") }

// Limits of the protocol: a request is a few words, an answer at most a roster
// of thousands.
const (
	maxRequest = 64 << 10
	maxAnswer  = 16 << 20
	// timeout is for one command, including a removal that writes a new plan.
	timeout = 30 * time.Second
)
