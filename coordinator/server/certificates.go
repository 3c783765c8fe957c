package server

import (
	"context"
	"slices"
	"time"

	"varde/coordinator/internal/ops"
)

// presentedNow is what the servers of the configured checks show. What cannot be
// read is left out.
func (s *Server) presentedNow(ctx context.Context) []ops.Presented {
	list, err := past{s}.Presented(ctx, "")
	if err != nil {
		s.log.Warn("certificates cannot be read", "error", err)
	}
	services := servicesOf(s.current())
	return slices.DeleteFunc(list, func(p ops.Presented) bool {
		_, configured := services[p.Check]
		return !configured
	})
}

// endingCertificates says which of them end soon.
func (s *Server) endingCertificates(ctx context.Context) []string {
	return ops.Endings(s.presentedNow(ctx), time.Now())
}

// firstEnds are when the first certificate ends of those that the servers of each
// check present: the server's own, or one that it needs.
func (s *Server) firstEnds(ctx context.Context) map[string]time.Time {
	return firstEndsOf(s.presentedNow(ctx))
}

func firstEndsOf(presented []ops.Presented) map[string]time.Time {
	out := map[string]time.Time{}
	for _, p := range presented {
		for i, c := range p.Handshake.Chain {
			// One that trusts itself, or was sent after its end, is not needed; or the
			// check fails.
			idle := i > 0 && (c.Subject == c.Issuer || c.NotAfter.Before(p.At))
			if first, known := out[p.Check]; !idle && (!known || c.NotAfter.Before(first)) {
				out[p.Check] = c.NotAfter
			}
		}
	}
	return out
}
