package server

import (
	"context"

	"varde/coordinator/internal/control"
)

// rebuilds is what the command on the history asks of the coordinator.
type rebuilds struct{ *Server }

var _ control.Rebuilder = rebuilds{}

// Rebuild begins to make the history again of what the journal holds.
func (r rebuilds) Rebuild(ctx context.Context) (control.Rebuilding, error) {
	b, err := r.rollup.Rebuild(ctx)
	return control.Rebuilding{Running: err == nil, Since: b.Since, Done: b.Done, All: b.All}, err
}

// Rebuilding says how far that is.
func (r rebuilds) Rebuilding(ctx context.Context) (control.Rebuilding, error) {
	b, ok, err := r.history.Rebuilding(ctx)
	return control.Rebuilding{Running: ok, Since: b.Since, Done: b.Done, All: b.All}, err
}
