package history

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"

	"varde/checks"
)

// Met is an address at which a server was met.
type Met struct {
	Check, Region string
	Family        checks.Family
	Address       netip.Addr
}

// Met returns the addresses at which servers were met since the given time, each once
// for every check, region and family, in that order.
func (s *Store) Met(ctx context.Context, since time.Time) ([]Met, error) {
	out := []Met{}
	err := s.eachRow(ctx, `SELECT DISTINCT check_id, region, family, address FROM sighting WHERE at >= ?
		ORDER BY check_id, region, family, address LIMIT ?`, []any{since.UnixNano(), maxPresented}, func(rows *sql.Rows) error {
		var m Met
		var family, address string
		if err := rows.Scan(&m.Check, &m.Region, &family, &address); err != nil {
			return err
		}
		var err error
		if m.Address, err = netip.ParseAddr(address); err != nil {
			return nil //nolint:nilerr // a name that was not resolved met nobody
		}
		out = append(out, m)
		return out[len(out)-1].Family.UnmarshalText([]byte(family))
	})
	if err != nil {
		return nil, fmt.Errorf("read whom probes met: %w", err)
	}
	return out, nil
}
