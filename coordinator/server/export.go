package server

import (
	"context"
	"io"

	"varde/coordinator/internal/control"
	"varde/coordinator/internal/recording"
)

var _ control.Exporter = (*Server)(nil)

// Export writes observations of the journal as JSON lines.
func (s *Server) Export(ctx context.Context, want recording.Wanted, w io.Writer) error {
	return recording.Export(ctx, s.journal, want, w)
}
