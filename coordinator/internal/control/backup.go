package control

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Backup is what the backup command needs of the coordinator.
type Backup interface {
	// Backup writes all that the coordinator is as one file.
	Backup(ctx context.Context, w io.Writer) error
}

var _ Backup = (*Client)(nil)

func (s *Server) backupRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/backup", func(w http.ResponseWriter, r *http.Request) {
		s.send(w, r, "backup", func(out io.Writer) error { return s.backup.Backup(r.Context(), out) })
	})
}

// Backup writes all that the coordinator is to w. After an error what was written is
// not to be used.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	return c.fetch(ctx, "/v1/backup", backupStall, w)
}

// backupStall is how long nothing may come: a file of the history is copied as a whole
// before its first byte is sent.
const backupStall = 30 * time.Minute
