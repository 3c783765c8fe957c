package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"varde/coordinator/internal/control"
)

// Rebuild begins, unless there is nothing.
func (f *fleet) Rebuild(context.Context) (control.Rebuilding, error) {
	if f.barren {
		return control.Rebuilding{}, errors.New("rebuild history: the journal holds nothing")
	}
	return control.Rebuilding{Running: true, Since: noon.Add(-time.Hour), All: 100}, nil
}

// Rebuilding is done the second time that it is asked.
func (f *fleet) Rebuilding(context.Context) (control.Rebuilding, error) {
	f.polls++
	return control.Rebuilding{Running: f.polls < 2, Done: 50, All: 100}, nil
}

func TestRebuildCommand(t *testing.T) {
	config, data := initialised(t)
	f := serve(t, data)
	code, out, errs := calledWith(t, true, "rebuild", "--config", config)
	if want := "made the history since 2026-11-22 11:00:00 UTC again of 100 messages\n"; code != 0 || out != want || !strings.Contains(errs, "50 %") {
		t.Errorf("exit %d, %q, %q, want %q", code, out, errs, want)
	}
	code, out, _ = calledWith(t, false, "rebuild", "--no-wait", "--config", config)
	if code != 0 || !strings.HasPrefix(out, "the history since 2026-11-22 11:00:00 UTC is made again of 100 messages; ") || f.polls != 2 {
		t.Errorf("without waiting: exit %d, %q, asked %d times", code, out, f.polls)
	}
	f.barren = true
	if code, _, errs := calledWith(t, false, "rebuild", "--config", config); code != 1 || !strings.Contains(errs, "rebuild history: the journal holds nothing") {
		t.Errorf("of nothing: exit %d, %q", code, errs)
	}
}
