package wire

import vardev1 "varde/proto/varde/v1"

// Counts is how often something happened since a probe's program started. All
// of them only grow.
type Counts struct {
	// Runs were begun on schedule; Late of them over 250 ms late. Missed never
	// began, Panics panicked.
	Runs   uint64 `json:"runs"`
	Late   uint64 `json:"late_runs"`
	Missed uint64 `json:"missed_runs"`
	Panics uint64 `json:"panicked_runs"`
	// Dropped records were lost by the spool.
	Dropped uint64 `json:"dropped_records"`
	// ConfirmsAsked runs were asked of others after a failure here, ConfirmsRun
	// were made here after a failure here or elsewhere, and ConfirmsRefused
	// requests were not obeyed.
	ConfirmsAsked   uint64 `json:"confirms_asked"`
	ConfirmsRun     uint64 `json:"confirms_run"`
	ConfirmsRefused uint64 `json:"confirms_refused"`
	// Disqualified failures became unknown because the probe was not qualified.
	Disqualified uint64 `json:"disqualified_failures"`
	// MeshRefused messages and members were refused by the mesh.
	MeshRefused uint64 `json:"mesh_refused"`
	// PlansRefused were not taken, whoever brought them; PlansFromPeers were.
	PlansRefused   uint64 `json:"plans_refused"`
	PlansFromPeers uint64 `json:"plans_from_peers"`
	// Relayed connections were passed on for others, RelayUsed own ones by a peer.
	Relayed   uint64 `json:"relayed_connections"`
	RelayUsed uint64 `json:"relay_connections_used"`
}

// Count is one of Counts.
type Count struct {
	// Name is what it is called in JSON and, with what surrounds it there, in
	// metrics.
	Name string
	N    uint64
	// Meaning goes on where the number ends: "runs that began on schedule".
	Meaning string
}

// List returns all of them, what matters most often first.
func (c Counts) List() []Count {
	return []Count{
		{"runs", c.Runs, "runs that began on schedule"},
		{"late_runs", c.Late, "runs that began over 250 ms late"},
		{"missed_runs", c.Missed, "runs that never began, because the machine slept or was starved"},
		{"panicked_runs", c.Panics, "runs that panicked, which is a fault of the program"},
		{"dropped_records", c.Dropped, "records that the spool lost"},
		{"disqualified_failures", c.Disqualified, "failures that became unknown, because the controls did not answer either"},
		{"confirms_asked", c.ConfirmsAsked, "runs asked of others after a failure here"},
		{"confirms_run", c.ConfirmsRun, "runs made here to confirm a failure"},
		{"confirms_refused", c.ConfirmsRefused, "requests for a run that were not obeyed"},
		{"relay_connections_used", c.RelayUsed, "connections to a coordinator that another probe passed on"},
		{"relayed_connections", c.Relayed, "connections passed on for other probes"},
		{"plans_from_peers", c.PlansFromPeers, "plans taken from another probe"},
		{"plans_refused", c.PlansRefused, "plans refused"},
		{"mesh_refused", c.MeshRefused, "messages and members that the mesh refused"},
	}
}

func countsToProto(c Counts) *vardev1.ProbeCounts {
	if c == (Counts{}) {
		return nil
	}
	return &vardev1.ProbeCounts{
		Runs: c.Runs, Late: c.Late, Missed: c.Missed, Panics: c.Panics, Dropped: c.Dropped,
		ConfirmsAsked: c.ConfirmsAsked, ConfirmsRun: c.ConfirmsRun, ConfirmsRefused: c.ConfirmsRefused,
		Disqualified: c.Disqualified, MeshRefused: c.MeshRefused,
		PlansRefused: c.PlansRefused, PlansFromPeers: c.PlansFromPeers, Relayed: c.Relayed, RelayUsed: c.RelayUsed,
	}
}

func countsFromProto(m *vardev1.ProbeCounts) Counts {
	return Counts{
		Runs: m.GetRuns(), Late: m.GetLate(), Missed: m.GetMissed(), Panics: m.GetPanics(), Dropped: m.GetDropped(),
		ConfirmsAsked: m.GetConfirmsAsked(), ConfirmsRun: m.GetConfirmsRun(), ConfirmsRefused: m.GetConfirmsRefused(),
		Disqualified: m.GetDisqualified(), MeshRefused: m.GetMeshRefused(),
		PlansRefused: m.GetPlansRefused(), PlansFromPeers: m.GetPlansFromPeers(), Relayed: m.GetRelayed(), RelayUsed: m.GetRelayUsed(),
	}
}
