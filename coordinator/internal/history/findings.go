package history

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"varde/checks"
)

// Findings are the newest that one probe found for one check.
type Findings struct {
	checks.Findings
	// At is when they were found.
	At time.Time
}

// maxFindings is how many probes' findings are returned at most.
const maxFindings = 1000

// Findings returns the newest findings of a check, of all checks if it is empty, one
// for each probe that is to run it and gave some; an empty list says that all was well.
func (s *Store) Findings(ctx context.Context, check string) ([]Findings, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT check_id, probe, region, at, list FROM finding
		WHERE ?1 = '' OR check_id = ?1 ORDER BY check_id, probe LIMIT ?2`, check, maxFindings)
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	out, config := []Findings{}, s.options.Config()
	for rows.Next() {
		var f Findings
		var at int64
		var list []byte
		if err := rows.Scan(&f.Check, &f.Probe, &f.Region, &at, &list); err != nil {
			return nil, fmt.Errorf("read findings: %w", err)
		}
		if err := json.Unmarshal(list, &f.List); err != nil {
			return nil, fmt.Errorf("read findings of %s: %w", f.Check, err)
		}
		k, asked := config.asks(f.Check, f.Probe)
		f.Service, f.At = k.Service, time.Unix(0, at).UTC()
		if asked {
			out = append(out, f)
		}
	}
	return out, rows.Err()
}
