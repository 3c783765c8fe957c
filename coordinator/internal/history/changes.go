package history

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"varde/coordinator/internal/verdict"
)

// StoredChange is a change of verdict as it stands in the record.
type StoredChange struct {
	// ID is its number: of two changes of a kind the later one was written later. A
	// number is never given again.
	ID int64
	verdict.Change
}

// ChangesAfter returns the changes of a kind, "told" or "final", that were written
// after the one of the given number, in the order in which they were: at most limit,
// and the oldest of them. It is for whoever must miss none and keeps the number of
// the last one that it worked on, which ToldOptions.Changed cannot promise. A final
// change that was taken back is no longer there, and the hour that was judged anew
// comes again as a whole under new numbers. To ask when there is nothing new costs
// nothing.
func (s *Store) ChangesAfter(ctx context.Context, kind string, after int64, limit int) ([]StoredChange, error) {
	if newest := s.latest[kind]; newest != nil && after >= newest.Load() {
		return nil, nil
	}
	return s.storedChanges(ctx, `verdict.id > ? AND kind = ? ORDER BY verdict.id LIMIT ?`, after, kind, limit)
}

// FinalChanges returns the final changes in [from, to) of all series, by their time
// and then by series. An hour that is not judged yet has none.
func (s *Store) FinalChanges(ctx context.Context, from, to time.Time) ([]verdict.Change, error) {
	stored, err := s.storedChanges(ctx, `kind = 'final' AND at >= ? AND at < ? ORDER BY at, verdict.id`, from.UnixNano(), to.UnixNano())
	if err != nil {
		return nil, err
	}
	out := make([]verdict.Change, len(stored))
	for i, c := range stored {
		out[i] = c.Change
	}
	slices.SortStableFunc(out, func(a, b verdict.Change) int {
		return cmp.Or(a.At.Compare(b.At), a.Series.Compare(b.Series))
	})
	return out, nil
}

// storedChanges reads changes with their series, of which the rest of a query says
// which.
func (s *Store) storedChanges(ctx context.Context, which string, args ...any) ([]StoredChange, error) {
	var out []StoredChange
	query := `SELECT ` + changeColumns + `, verdict.id, check_id, region, family FROM verdict JOIN series ON series.id = series WHERE ` + which
	err := s.eachRow(ctx, query, args, func(rows *sql.Rows) (err error) {
		var c StoredChange
		var series verdict.Series
		var family string
		if c.Change, err = scanChange(rows, &c.ID, &series.Check, &series.Region, &family); err != nil {
			return err
		}
		c.Series = series
		out = append(out, c)
		return out[len(out)-1].Series.Family.UnmarshalText([]byte(family))
	})
	if err != nil {
		return nil, fmt.Errorf("read changes of verdict: %w", err)
	}
	return out, nil
}

// changeColumns are those of a change, as scanChange reads them.
const changeColumns = `at, was, state, since, reason, up, down, unknown, evidence`

// scanChange reads the columns of a change, and those after them into more.
func scanChange(rows *sql.Rows, more ...any) (c verdict.Change, err error) {
	var at, since int64
	var was, state, evidence string
	columns := []any{&at, &was, &state, &since, &c.Reason, &c.Counts.Up, &c.Counts.Down, &c.Counts.Unknown, &evidence}
	if err := rows.Scan(append(columns, more...)...); err != nil {
		return c, err
	}
	if evidence != "" { // else a former version wrote it
		err = json.Unmarshal([]byte(evidence), &c.Evidence)
	}
	c.At, c.Since = time.Unix(0, at).UTC(), time.Unix(0, since).UTC()
	return c, errors.Join(err, c.From.UnmarshalText([]byte(was)), c.To.UnmarshalText([]byte(state)))
}

// eachRow runs a query and hands every row to scan.
func (s *Store) eachRow(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := s.reads.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
