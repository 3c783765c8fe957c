package replay

import (
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
)

// Policy is what a recording is judged by.
type Policy struct {
	// Fleet has the rules of the verdicts and what counts for a service. Required.
	Fleet *history.Config
	// World has the names and what the rules of incidents need, but for the series,
	// which are those of the recording.
	World incident.World
}
