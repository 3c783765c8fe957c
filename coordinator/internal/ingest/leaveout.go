package ingest

import (
	"fmt"
	"maps"
	"sync"

	"varde/proto/wire"
)

// believed is the batch without what the certificate of its probe does not vouch
// for. What is left out becomes a gap, so that the probe goes on; it is counted,
// and an operator is told.
func (r *report) believed(b wire.Batch) wire.Batch {
	// A machine that joins again elsewhere may still hold what it saw under its
	// former certificate, and the new one names another place. What a clock may be
	// off does not count.
	joined := r.Joined.Add(b.ClockOffset - MaxOffset)
	asked := r.asked.known(r.opts.Plans)
	for _, x := range []struct {
		cause, words string
		out          func(wire.Record) bool
	}{
		{"before_joining", "from before it joined", func(r wire.Record) bool { return r.At().Before(joined) }},
		{"unknown_check", "of checks that nobody asked it for", func(r wire.Record) bool { return !asked(r.Check()) }},
	} {
		n := 0
		if b.Records, n = leaveOut(b.Records, x.out); n > 0 {
			r.metrics.refusedMany(x.cause, n)
			r.fleet.refused(r.stream, b.Received, fmt.Errorf("it sent %d records %s: they are kept as a gap", n, x.words))
		}
	}
	return b
}

// leaveOut puts gaps in the place of records and returns of how many.
func leaveOut(records []wire.Record, out func(wire.Record) bool) (rest []wire.Record, n int) {
	for _, r := range records {
		if r.Gap != nil || !out(r) {
			rest = append(rest, r)
			continue
		}
		n++
		at := r.At()
		if last := len(rest) - 1; last >= 0 && rest[last].Gap != nil {
			g := *rest[last].Gap
			g.Last, g.To = r.Last(), at
			rest[last].Gap = &g
			continue
		}
		rest = append(rest, wire.Record{Gap: &wire.Gap{First: r.First(), Last: r.Last(), From: at, To: at}})
	}
	return rest, n
}

// asked is the checks of every plan since our start. Each id that is kept makes
// room for itself in the history, so a probe may not invent any.
type asked struct {
	mu     sync.Mutex // protects all following fields
	newest wire.PlanNumber
	checks map[string]bool
}

// known returns whether an id is one of them; each is while there is no plan.
func (a *asked) known(plans Plans) func(check string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := plans.Current()
	if !ok {
		return func(string) bool { return true }
	}
	if p.Number != a.newest {
		next := maps.Clone(a.checks) // readers have the one before
		if next == nil {
			next = map[string]bool{}
		}
		for _, t := range p.Checks {
			next[t.ID] = true
		}
		a.newest, a.checks = p.Number, next
	}
	checks := a.checks
	return func(check string) bool { return checks[check] }
}
