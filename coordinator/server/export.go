package server

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/identity"
	"varde/coordinator/internal/recording"
)

var _ control.Exporter = (*Server)(nil)

// Export writes observations of the journal as JSON lines. Where there are none, a name
// that nobody has is an error; one that has left the configuration may have some.
func (s *Server) Export(ctx context.Context, want recording.Wanted, w io.Writer) error {
	out := &noticed{Writer: w}
	if err := recording.Export(ctx, s.journal, want, out); err != nil || out.any {
		return err
	}
	c := s.current()
	return unheardOf(want, &c, s.authority.Roster())
}

// noticed says whether anything was written.
type noticed struct {
	io.Writer
	any bool
}

func (n *noticed) Write(b []byte) (int, error) { n.any = true; return n.Writer.Write(b) }

// unheardOf is an error about the first name that is wanted and that nobody has.
func unheardOf(want recording.Wanted, c *config.Config, roster []identity.Entry) error {
	for _, x := range []struct {
		flag, name string
		known      []string
	}{
		{"--check", want.Check, idsOf(c.Checks, func(k config.Check) string { return k.ID })},
		{"--service", want.Service, idsOf(c.Services, func(s config.Service) string { return s.ID })},
		{"--region", want.Region, idsOf(c.Regions, func(r config.Region) string { return r.ID })},
		{"--probe", want.Probe, idsOf(roster, func(e identity.Entry) string { return e.Name })},
	} {
		if x.name != "" && !slices.Contains(x.known, x.name) {
			return fmt.Errorf("%s: got %.80q, of which the journal holds nothing, expected one of %s", x.flag, x.name, strings.Join(x.known, ", "))
		}
	}
	return nil
}
