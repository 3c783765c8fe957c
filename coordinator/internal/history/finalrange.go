package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// addResults adds the results of a batch that ended in [hour, end).
func (s *Store) addResults(set map[verdict.Series][]verdict.Result, b *wire.Batch, hour, end time.Time) {
	for i := range b.Records {
		if !b.Records[i].IsObservation() {
			continue
		}
		o, ok := Correct(b, b.Records[i].Observation)
		if !ok || o.End().Before(hour) || !o.End().Before(end) {
			continue
		}
		if r, ok := verdict.ResultOf(o); ok && s.knows(seriesOf(o)) {
			set[seriesOf(o)] = append(set[seriesOf(o)], r)
		}
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
