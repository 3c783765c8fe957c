package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/plan"
	"varde/coordinator/internal/register"
	"varde/coordinator/internal/statuspage"
)

// openWindows opens the register of what people announced.
func (s *Server) openWindows(ctx context.Context) error {
	bucket, err := s.journal.Bucket(ctx, "windows")
	if err != nil {
		return fmt.Errorf("open windows: %w", err)
	}
	s.windows, err = register.OpenWindows(ctx, register.WindowOptions{
		Store:    bucketStore{bucket, register.ErrNotFound, register.ErrConflict},
		Services: func() []string { return idsOf(s.current().Services, func(x config.Service) string { return x.ID }) },
		Regions:  func() []string { return idsOf(s.current().Regions, func(x config.Region) string { return x.ID }) },
		Keep:     s.opts.Config.Retention.Days, Logger: s.log.With("component", "windows"),
	})
	return err
}

func idsOf[T any](list []T, id func(T) string) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = id(x)
	}
	return out
}

// watches are those that are in force at a time.
func (s *Server) watches(at time.Time) []plan.Watch {
	var out []plan.Watch
	for _, w := range s.windows.Active(at) {
		if w.Kind == register.Watch {
			out = append(out, plan.Watch{Services: w.Services, Every: w.Every})
		}
	}
	return out
}

// maintenance is what was announced of a service in [from, to), for the numbers.
func (s *Server) maintenance(service string, from, to time.Time) []availability.Window {
	var out []availability.Window
	for _, w := range s.windows.Maintenance(service, "", from, to) {
		out = append(out, availability.Window{From: w.From, To: w.To, Regions: w.Regions})
	}
	return out
}

// maintained says whether one of some windows is maintenance of a service in a region.
func maintained(active []register.Window, service, region string) bool {
	return slices.ContainsFunc(active, func(w register.Window) bool {
		return w.Kind == register.Maintenance && w.Covers(service, region)
	})
}

// maxAhead is longer than any window that was announced lies ahead.
const maxAhead = 100 * 365 * 24 * time.Hour

// shownFor is how far back the public pages tell of announced work.
const shownFor = 365 * 24 * time.Hour

// publicWork is the maintenance that the public pages tell of, also what was called off.
func (s *Server) publicWork(now time.Time) []statuspage.Work {
	var out []statuspage.Work
	for _, w := range s.windows.Windows(register.Maintenance, now.Add(-shownFor), now.Add(maxAhead)) {
		out = append(out, statuspage.Work{
			ID: w.ID, Title: w.Title, Services: w.Services, Regions: w.Regions, From: w.From, To: w.To, Announced: w.Made, Cancelled: w.Cancelled,
		})
	}
	return out
}

// opsWindows are those that are in force or to come, for the operators' pages.
func (s *Server) opsWindows(now time.Time) []ops.Window {
	return s.announcedIn(now, now.Add(maxAhead))
}

// announcedIn are those of which something lies in [from, to) and that nobody took back.
func (s *Server) announcedIn(from, to time.Time) []ops.Window {
	var out []ops.Window
	for _, w := range s.windows.Windows("", from, to) {
		if !w.Withdrawn() {
			out = append(out, ops.Window{
				ID: w.ID, Kind: string(w.Kind), Services: w.Services, Regions: w.Regions, From: w.From, To: w.To, Title: w.Title, By: w.By,
			})
		}
	}
	return out
}

// Window is a stretch of time that a person announced.
type Window = register.Window

// The kinds of windows.
const (
	Maintenance = register.Maintenance
	Watch       = register.Watch
)

// Announce announces a window and returns it with its id.
func (s *Server) Announce(ctx context.Context, w Window) (Window, error) {
	out, err := announced{s}.AddWindow(ctx, w)
	return out.Window, err
}

// announced is what the commands on windows ask of the coordinator.
type announced struct{ *Server }

var _ control.Windows = announced{}

// ListWindows lists windows for a command.
func (a announced) ListWindows(_ context.Context, kind register.Kind, since time.Time) ([]control.Window, error) {
	out := []control.Window{}
	for _, w := range a.windows.Windows(kind, since, time.Now().Add(maxAhead)) {
		out = append(out, a.shown(w))
	}
	return out, nil
}

// AddWindow announces a window. Who does not say who he is commanded the socket.
func (a announced) AddWindow(ctx context.Context, w register.Window) (control.Window, error) {
	w.By = cmp.Or(w.By, "socket")
	w, err := a.windows.Add(ctx, w)
	if err != nil {
		return control.Window{}, err
	}
	return a.shown(w), nil
}

// CancelWindow takes a window back.
func (a announced) CancelWindow(ctx context.Context, kind register.Kind, id, by string) (control.Window, error) {
	w, err := a.windows.Cancel(ctx, kind, id, cmp.Or(by, "socket"))
	if err != nil {
		return control.Window{}, err
	}
	return a.shown(w), nil
}

// shown is a window as it stands now: of a watch that is not over, also what it makes
// of the checks as they are configured.
func (a announced) shown(w register.Window) control.Window {
	now, c := time.Now(), a.current()
	out := control.Window{Window: w, State: w.State(now), Providers: providersOfServices(c, w.Services)}
	if w.Kind == register.Watch && !w.Withdrawn() && now.Before(w.To) {
		_, out.Checks = a.planInput(c).Watched([]plan.Watch{{Services: w.Services, Every: w.Every}})
	}
	return out
}

// providersOfServices are the names of those whose services are given.
func providersOfServices(c config.Config, services []string) []string {
	var out []string
	for _, s := range c.Services {
		if s.Provider == "" || !slices.Contains(services, s.ID) {
			continue
		}
		name := s.Provider
		for _, p := range c.Providers {
			if p.ID == s.Provider {
				name = p.Name
			}
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
