package history

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"

	"varde/coordinator/internal/verdict"
)

// Verdict is what is told of one series now.
type Verdict struct {
	verdict.Series
	State verdict.State `json:"state"`
	// Since is when the state began; zero, and left out, while it was never judged.
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason"`
	// Counts are the probes that it rests on. A rostered probe of the region that
	// says nothing counts as unknown.
	verdict.Counts
	// Evidence is what it rests on: what began it, and what each probe says now.
	Evidence verdict.Evidence `json:"-"`
	// Failed of Runs scheduled runs failed lately, of which Intermittent is made;
	// what was told as Down is left out.
	Failed int `json:"-"`
	Runs   int `json:"-"`
}

// Verdicts returns what is told of every configured series that was ever observed,
// in order. It is as new as the newest entry of the journal.
func (s *Store) Verdicts() []Verdict {
	now := time.Now()
	b := s.board
	b.mu.RLock()
	defer b.mu.RUnlock()
	config := s.options.Config()
	out := []Verdict{}
	for series, j := range b.panel.All() {
		rule, ok := b.panel.Rule(series)
		if !ok {
			continue
		}
		c := j.Counts(rule, now)
		c.Unknown = max(c.Unknown, config.probesIn(series.Region)-c.Up-c.Down)
		v := Verdict{Series: series, State: j.State(), Since: j.Since(), Reason: j.Reason(rule, now), Counts: c, Evidence: j.Evidence(rule, now)}
		v.Failed, v.Runs = j.Loss(rule)
		out = append(out, v)
	}
	return out
}

// ToldUntil is the time up to which every told change of verdict is on disk: none that
// is written later was judged before it.
func (s *Store) ToldUntil() time.Time {
	b := s.board
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.changes) > 0 {
		return b.changes[0].At.Add(-1)
	}
	return b.panel.Clock()
}

// FinalUntil is the end of the newest hour that was judged; zero if none was.
func (s *Store) FinalUntil(ctx context.Context) (time.Time, error) {
	_, until, err := s.finalRange(ctx)
	return until, err
}

// Notices returns what operators should look at although it changes no verdict, by
// check. It is as new as the newest entry of the journal.
func (s *Store) Notices() []verdict.Notice {
	b := s.board
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.panel.Notices(time.Now())
}

// Span is a stretch of time in one state, told or final.
type Span struct {
	verdict.Span
	// Final says that the whole set of observations was judged; otherwise it is
	// what was told when they arrived.
	Final bool
}

// Spans returns the states of a series in [from, to) without gap or overlap: final
// ones as far as there are any, then what was told. The last span is open (To is
// zero) if it still holds at to and to is not before now.
func (s *Store) Spans(ctx context.Context, series verdict.Series, from, to time.Time) ([]Span, error) {
	id, _ := s.series.find(series)
	first, until, err := s.finalRange(ctx)
	if err != nil {
		return nil, err
	}
	var out []Span
	for _, part := range []struct {
		kind     string
		from, to time.Time
	}{
		{"told", from, earlier(first, to)},
		{"final", later(from, first), earlier(until, to)},
		{"told", later(from, until), to},
	} {
		if !part.from.Before(part.to) {
			continue
		}
		spans, err := s.spans(ctx, part.kind, id, series, part.from, part.to)
		if err != nil {
			return nil, fmt.Errorf("read verdicts of %s: %w", series, err)
		}
		for _, span := range spans {
			out = appendSpan(out, Span{span, part.kind == "final"})
		}
	}
	if n := len(out); n > 0 && !to.Before(time.Now()) {
		out[n-1].To = time.Time{}
	}
	return out, nil
}

// appendSpan joins a span to the one before it if that is the same state going on.
func appendSpan(out []Span, s Span) []Span {
	if n := len(out); n > 0 && out[n-1].State == s.State {
		out[n-1].To = s.To
		return out
	}
	return append(out, s)
}

// spans reads the states of one kind in [from, to), the last one ending at to.
func (s *Store) spans(ctx context.Context, kind string, id int64, series verdict.Series, from, to time.Time) ([]verdict.Span, error) {
	const columns = `SELECT ` + changeColumns + ` FROM verdict WHERE kind = ? AND series = ? `
	before, err := s.changes(ctx, series, columns+`AND at <= ? ORDER BY at DESC, id DESC LIMIT 1`, kind, id, from.UnixNano())
	if err != nil {
		return nil, err
	}
	inside, err := s.changes(ctx, series, columns+`AND at > ? AND at < ? ORDER BY at, id`, kind, id, from.UnixNano(), to.UnixNano())
	if err != nil {
		return nil, err
	}
	state := verdict.Unknown
	if len(before) == 0 && len(inside) > 0 {
		state = inside[0].From
	}
	spans := verdict.Spans(series, state, from, append(before, inside...))
	spans[len(spans)-1].To = to
	return spans, nil
}

func (s *Store) changes(ctx context.Context, series verdict.Series, query string, args ...any) ([]verdict.Change, error) {
	var out []verdict.Change
	err := s.eachRow(ctx, query, args, func(rows *sql.Rows) error {
		c, err := scanChange(rows)
		c.Series = series
		out = append(out, c)
		return err
	})
	return out, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func compareCounts(a, b FailureCount) int {
	return cmp.Or(a.T.Compare(b.T), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Class, b.Class))
}
