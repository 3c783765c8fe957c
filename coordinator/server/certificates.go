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

// firstEndsBy are when the first certificate ends of those that servers present: a
// server's own, or one that it needs.
func firstEndsBy[K comparable](presented []ops.Presented, key func(ops.Presented) K) map[K]time.Time {
	out := map[K]time.Time{}
	for _, p := range presented {
		for i, c := range p.Handshake.Chain {
			// One that trusts itself, or was sent after its end, is not needed; or the
			// check fails.
			idle := i > 0 && (c.Subject == c.Issuer || c.NotAfter.Before(p.At))
			if first, known := out[key(p)]; !idle && (!known || c.NotAfter.Before(first)) {
				out[key(p)] = c.NotAfter
			}
		}
	}
	return out
}
