package recording

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"time"

	"varde/checks"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// Wanted says which observations are exported. What is empty restricts nothing.
type Wanted struct {
	// From and To bound the end of the run, [From, To).
	From, To                      time.Time
	Check, Service, Probe, Region string
}

func (w Wanted) has(o *checks.Observation) bool {
	is := func(wanted, got string) bool { return wanted == "" || wanted == got }
	end := o.End()
	return (w.From.IsZero() || !end.Before(w.From)) && (w.To.IsZero() || end.Before(w.To)) &&
		is(w.Check, o.Check) && is(w.Service, o.Service) && is(w.Probe, o.Probe) && is(w.Region, o.Region)
}

// Export writes observations of a journal that is open as JSON lines, in the order in
// which they arrived and each once, by the coordinator's clock: a recording, as replay
// reads it. What comes while it writes is left out.
func Export(ctx context.Context, j *journal.Journal, want Wanted, w io.Writer) error {
	first, last := j.Bounds()
	if !want.From.IsZero() { // by no clock that is believed anything arrives earlier
		at, err := j.At(ctx, want.From.Add(-wire.MaxClockOffset))
		if err != nil {
			return err
		}
		first = max(first, at)
	}
	out := bufio.NewWriterSize(w, 256<<10)
	lines := json.NewEncoder(out)
	p := newPassage(Journal{}, func(o *checks.Observation) error {
		if !want.has(o) {
			return nil
		}
		return lines.Encode(o)
	})
	err := j.Scan(ctx, first, last, func(e journal.Entry) error { return p.entry(e) })
	if err == nil {
		err = out.Flush()
	}
	return err
}
