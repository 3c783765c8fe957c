package server

import (
	"context"
	"path/filepath"
	"time"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/meter"
	"varde/coordinator/internal/mirror"
	"varde/coordinator/internal/ops"
)

// openMirrors makes the mirrors of the configuration.
func (s *Server) openMirrors(context.Context) error {
	s.mirrors = mirror.New(mirror.Options{
		Dir: filepath.Join(s.opts.Config.Data, "mirror"), Source: source{s.journal}, Verdicts: s.history,
		Service: func(check string) string { return servicesOf(s.current())[check] },
		Secret:  func(path string) (string, error) { return config.ReadSecret("token", path) },
		Logger:  s.log.With("component", "mirror"),
	})
	s.mirrors.Set(targetsOf(s.opts.Config))
	return nil
}

// targetsOf are the servers that a configuration wants written to.
func targetsOf(c config.Config) []mirror.Target {
	var out []mirror.Target
	for _, m := range c.Mirrors {
		t := mirror.Target{ID: m.ID, URL: m.URL, Org: m.Org, Bucket: m.Bucket}
		if m.Token != nil {
			t.TokenFile = m.Token.File
		}
		out = append(out, t)
	}
	return out
}

// mirrorNotices are what is to be mended of the mirrors.
func (s *Server) mirrorNotices() []ops.Own {
	var out []ops.Own
	for _, state := range s.mirrors.States() {
		for _, n := range state.Notices(time.Now()) {
			out = append(out, ops.Own{Title: n.Title, Detail: n.Detail})
		}
	}
	return out
}

// mirrorMetrics are of each mirror. Its counters outlive the program.
func mirrorMetrics() []metric {
	labels := []string{"mirror"}
	of := func(read func(mirror.State) (value float64, ok bool)) func(facts, tell) {
		return func(f facts, tell tell) {
			for _, m := range f.mirrors {
				if v, ok := read(m); ok {
					tell(v, m.ID)
				}
			}
		}
	}
	return []metric{
		gauge("varde_mirror_up", "Whether the last write to a mirror succeeded; absent until there was one.", labels,
			of(func(m mirror.State) (float64, bool) { return meter.Truth(m.Up), m.Tried })),
		gauge("varde_mirror_refused", "Whether a mirror answers and does not take what it is sent.", labels,
			of(func(m mirror.State) (float64, bool) { return meter.Truth(m.Refused), m.Tried })),
		gauge("varde_mirror_behind_entries", "Messages of the journal that a mirror has not taken yet.", labels,
			of(func(m mirror.State) (float64, bool) { return float64(m.Behind), true })),
		counter("varde_mirror_written_points_total", "Points that a mirror has taken.", labels,
			of(func(m mirror.State) (float64, bool) { return float64(m.Written), true })),
		counter("varde_mirror_refused_points_total", "Points that a mirror dropped of batches of which it took the rest.", labels,
			of(func(m mirror.State) (float64, bool) { return float64(m.Dropped), true })),
		counter("varde_mirror_missed_entries_total", "Messages that were gone from the journal before a mirror took them.", labels,
			of(func(m mirror.State) (float64, bool) { return float64(m.Missed), true })),
	}
}
