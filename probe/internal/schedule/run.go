package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"

	"varde/checks"
)

// do does one run and survives its panic.
func (s *Scheduler) do(ctx context.Context, r Run) {
	defer func() {
		value := recover()
		first := s.done(r, value != nil)
		if value == nil {
			return
		}
		level := slog.LevelDebug
		if first {
			level = slog.LevelError
		}
		s.opt.Logger.Log(ctx, level, "run panicked", "check", r.Target.ID, "family", r.Family.String(),
			"panic", value, "at", panickedAt())
		s.opt.Panicked(r)
	}()
	s.opt.Run(ctx, r)
}

// done counts the end of a run; first is true for the first panic of an entry.
func (s *Scheduler) done(r Run, panicked bool) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Trigger == checks.Scheduled {
		s.stats.Running--
	}
	if !panicked {
		return false
	}
	s.stats.Panics++
	e := s.entries[key{r.Target.ID, r.Family}]
	first = e == nil || !e.panicked
	if e != nil {
		e.panicked = true
	}
	return first
}

// maxFrames is how many functions name the place of a panic.
const maxFrames = 6

// panickedAt is the way to a panic that is being recovered, the innermost
// function first, in one line and without the folders of whoever compiled it.
func panickedAt() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var way []string
	inside := false // of what panicked, and not of what recovers
	for more := true; more && len(way) < maxFrames; {
		var f runtime.Frame
		f, more = frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			inside = true
		case strings.HasSuffix(f.Function, ".(*Scheduler).do"):
			more = false
		case inside && !strings.HasPrefix(f.Function, "runtime."):
			way = append(way, fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line))
		}
	}
	return strings.Join(way, " < ")
}
