package server

import (
	"context"
	"errors"
	"io"
	"time"

	"varde/coordinator/internal/backup"
	"varde/coordinator/internal/control"
)

var _ control.Backup = (*Server)(nil)

// Backup writes all that this coordinator is as one file, while it runs.
func (s *Server) Backup(ctx context.Context, w io.Writer) error {
	if !s.copying.TryLock() {
		return errors.New("another backup is being written, expected one at a time")
	}
	defer s.copying.Unlock()
	c := s.current()
	from := backup.Source{
		Coordinator: c.Name, Version: s.opts.Version, Written: time.Now(), Data: c.Data, Journal: s.journal, History: s.history,
	}
	if s.opts.ConfigPath != "" {
		from.Config = append([]string{s.opts.ConfigPath}, c.Files()...)
	}
	return backup.Write(ctx, w, from)
}
