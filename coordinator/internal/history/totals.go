package history

import (
	"database/sql"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/history/cell"
)

// parts are the columns of a total that cost something to decode.
type parts uint8

const (
	latencies parts = 1 << iota
	phases
	failures
	everything = latencies | phases | failures
)

// selectTotals reads rows of the table hour or day of one series in [from, to).
func selectTotals(table string) string {
	return `SELECT at, up_ms, down_ms, unknown_ms, covered, minutes, runs_up, latency, phases, failures FROM ` + table +
		` WHERE series = ? AND at >= ? AND at < ? ORDER BY at`
}

// selectPast reads the blocks of one series and unit in [from, to) of a table, with the
// parts that are wanted: a part that is not asked for is not read off the disk.
func selectPast(table string, want parts) string {
	columns := `sums`
	for _, c := range []struct {
		part parts
		name string
	}{{latencies, `latencies`}, {phases, `phases`}} {
		if columns += `, `; want&c.part != 0 {
			columns += c.name
		} else {
			columns += `NULL`
		}
	}
	return `SELECT at, ` + columns + ` FROM ` + table + ` WHERE series = ? AND unit = ? AND at >= ? AND at < ?`
}

// eachTotal calls fn with every row and closes rows.
func eachTotal(rows *sql.Rows, want parts, fn func(at time.Time, t cell.Total)) error {
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var at, up, down, unknown int64
		var covered availability.Coverage
		var completed uint64
		var latency, phase, failure sql.RawBytes
		err := rows.Scan(&at, &up, &down, &unknown, &covered.Covered, &covered.Minutes, &completed, &latency, &phase, &failure)
		if err != nil {
			return err
		}
		t := cell.Total{
			Sums:     availability.Sums{Up: ms(up), Down: ms(down), Unknown: ms(unknown)},
			Coverage: covered, Completed: completed,
		}
		if want&latencies != 0 {
			if t.Latency, err = cell.DecodeSketch(latency); err != nil {
				return err
			}
		}
		if want&phases != 0 {
			if t.Phases, err = cell.DecodePhases(phase); err != nil {
				return err
			}
		}
		if want&failures != 0 {
			if t.Failures, err = cell.DecodeFailures(failure); err != nil {
				return err
			}
		}
		fn(time.Unix(at, 0).UTC(), t)
	}
	return rows.Err()
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
