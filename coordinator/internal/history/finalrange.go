package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// hourSet is what one series observed in one hour.
type hourSet struct {
	results []verdict.Result
	// every is the interval of the last of them.
	every time.Duration
}

// addResults adds the results of a batch that ended in [hour, end).
func addResults(set map[verdict.Series]*hourSet, b *wire.Batch, hour, end time.Time) {
	for i := range b.Records {
		if b.Records[i].Gap != nil {
			continue
		}
		o, ok := correct(b, b.Records[i].Observation)
		if !ok || o.Trigger == checks.Manual || o.End().Before(hour) || !o.End().Before(end) {
			continue
		}
		series := seriesOf(o)
		if set[series] == nil {
			set[series] = new(hourSet)
		}
		r, _ := verdict.ResultOf(o)
		set[series].results = append(set[series].results, r)
		set[series].every = o.Every
	}
}

// finalRange is the time for which verdicts are final; zero when there is none.
func (s *Store) finalRange(ctx context.Context) (first, until time.Time, err error) {
	var f, u int64
	err = s.reads.QueryRowContext(ctx, `SELECT first, until FROM final`).Scan(&f, &u)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, time.Time{}, fmt.Errorf("read final range: %w", err)
	}
	return time.Unix(f, 0).UTC(), time.Unix(u, 0).UTC(), nil
}

// isFinal says whether the hour was judged before.
func (s *Store) isFinal(ctx context.Context, hour time.Time) (bool, error) {
	_, until, err := s.finalRange(ctx)
	return hour.Before(until), err
}

// boundary reads the judges as they stood at the given hour. A series that is not
// among them was idle.
func (s *Store) boundary(ctx context.Context, hour time.Time) (map[verdict.Series]verdict.Judge, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT check_id, region, family, judge FROM boundary JOIN series ON id = series
		WHERE hour = ?`, hour.Unix())
	if err != nil {
		return nil, fmt.Errorf("read judges: %w", err)
	}
	return scanJudges(rows)
}

// scanJudges reads rows of check_id, region, family and judge, and closes them.
func scanJudges(rows *sql.Rows) (map[verdict.Series]verdict.Judge, error) {
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	out := make(map[verdict.Series]verdict.Judge)
	for rows.Next() {
		var series verdict.Series
		var family, text string
		var judge verdict.Judge
		if err := rows.Scan(&series.Check, &series.Region, &family, &text); err != nil {
			return nil, fmt.Errorf("read judges: %w", err)
		}
		if err := series.Family.UnmarshalText([]byte(family)); err != nil {
			return nil, fmt.Errorf("read judges: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &judge); err != nil {
			return nil, fmt.Errorf("read judge of %s: %w", series, err)
		}
		out[series] = judge
	}
	return out, rows.Err()
}
