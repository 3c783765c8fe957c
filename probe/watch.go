package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/probe/internal/waterfall"
)

func (c *checkCommand) validateWatch() error {
	switch {
	case !c.Watch && c.Count != 0:
		return errors.New("--count: given without --watch, expected both")
	case !c.Watch:
		return nil
	case c.Every < checks.MinEvery || c.Every > checks.MaxEvery:
		return fmt.Errorf("--every: %s, expected %s to %s", c.Every, checks.MinEvery, checks.MaxEvery)
	case c.Timeout > c.Every:
		return fmt.Errorf("--timeout: %s, expected at most --every (%s)", c.Timeout, c.Every)
	case c.Count < 0:
		return fmt.Errorf("--count: %d, expected 1 or more", c.Count)
	}
	return nil
}

// tally is what became of all attempts at one URL over one family.
type tally struct {
	query   *query
	counts  map[checks.Outcome]int
	elapsed []time.Duration // of those that were up
	refused int             // logins, since the last attempt that was up
}

// refusedMax is how many logins may be refused before we stop: servers lock out
// who goes on.
const refusedMax = 2

// watch goes on asking what groups began, in rounds that begin by the clock and
// not after the answers, until ctx ends, all rounds are done or logins are
// refused. The first round shows which families there are. It ends with the worst
// outcome of all.
func (c *checkCommand) watch(ctx context.Context, p *process, groups [][]*query, logger *slog.Logger) error {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	var tallies []*tally
	for _, group := range groups {
		for _, q := range p.await(ctx, group, logger) {
			t := &tally{query: q, counts: map[checks.Outcome]int{}}
			tallies = append(tallies, t)
			if err := c.tell(ctx, p, t, q.observation); err != nil {
				return unprinted(err)
			}
		}
	}
	for round := 1; round != c.Count; round++ {
		if n := refused(tallies); n >= refusedMax {
			_, _ = fmt.Fprintf(p.stderr, "varde-probe: %d logins were refused, expected a good one: not asked again, or the server may lock the account\n", n)
			break
		}
		select {
		case <-ctx.Done():
			return c.end(p, tallies)
		case <-tick.C:
		}
		if err := c.round(ctx, p, tallies); err != nil {
			return unprinted(err)
		}
	}
	return c.end(p, tallies)
}

// round asks once and prints each answer as it comes.
func (c *checkCommand) round(ctx context.Context, p *process, tallies []*tally) error {
	type answer struct {
		of          *tally
		observation checks.Observation
	}
	answers := make(chan answer)
	for _, t := range tallies {
		go func() {
			q := &query{check: t.query.check, observation: t.query.observation, done: make(chan struct{})}
			q.attempt(ctx)
			answers <- answer{t, q.observation}
		}()
	}
	var errs []error
	for range tallies {
		a := <-answers
		errs = append(errs, c.tell(ctx, p, a.of, a.observation))
	}
	return errors.Join(errs...)
}

// tell counts and prints one attempt, unless it was interrupted, which says
// nothing.
func (c *checkCommand) tell(ctx context.Context, p *process, t *tally, o checks.Observation) error {
	if ctx.Err() != nil && o.Outcome == checks.Unknown {
		return nil
	}
	t.add(o)
	return c.line(p, t.query.url, o)
}

// end prints the sums and returns the exit code.
func (c *checkCommand) end(p *process, tallies []*tally) error {
	worst := checks.Up
	for _, t := range tallies {
		for o := range t.counts {
			worst = worse(worst, o)
		}
	}
	if err := c.sums(p, tallies); err != nil {
		return unprinted(err)
	}
	return told(worst)
}

func (t *tally) add(o checks.Observation) {
	t.counts[o.Outcome]++
	switch {
	case o.Outcome == checks.Up:
		t.elapsed = append(t.elapsed, o.Elapsed)
		t.refused = 0
	case o.Class == checks.AuthRejected:
		t.refused++
	}
}

// refused are the logins that were refused, of the one account that all have.
func refused(tallies []*tally) (n int) {
	for _, t := range tallies {
		n += t.refused
	}
	return n
}

// line prints one attempt.
func (c *checkCommand) line(p *process, url string, o checks.Observation) error {
	if c.JSON {
		line, err := json.Marshal(o)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "%s\n", line)
		return err
	}
	_, err := fmt.Fprint(p.stdout, waterfall.Line(waterfall.Attempt{URL: url, Family: o.Family, At: o.Started, Result: o.Result}, p.style()))
	return err
}

// sums prints what all rounds together have shown.
func (c *checkCommand) sums(p *process, tallies []*tally) error {
	if c.JSON {
		return nil
	}
	var b strings.Builder
	b.WriteString("\n")
	for _, t := range tallies {
		n := t.counts[checks.Up] + t.counts[checks.Down] + t.counts[checks.Unknown]
		fmt.Fprintf(&b, "%s  %s  %d attempts: %d up, %d down, %d unknown", t.query.url, t.query.observation.Family,
			n, t.counts[checks.Up], t.counts[checks.Down], t.counts[checks.Unknown])
		if slices.Sort(t.elapsed); len(t.elapsed) > 0 {
			fmt.Fprintf(&b, "; when up %.1f ms in the middle, %.1f ms at most",
				checks.Milliseconds(t.elapsed[(len(t.elapsed)-1)/2]), checks.Milliseconds(t.elapsed[len(t.elapsed)-1]))
		}
		b.WriteString("\n")
	}
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}
