package history

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/coordinator/internal/history/cell"
)

// gathered adds up totals; two that gathered apart are joined to what one would have.
type gathered[G any] interface {
	add(region string, at time.Time, t cell.Total)
	join(o G)
}

// gather reads all targets of a query, some at once. What is added up are integers: the
// order does not show in them.
func gather[G gathered[G]](ctx context.Context, s *Store, q Query, w window, want parts, begin func() G) (G, error) {
	parts := make([]G, atOnce)
	targets, err := s.targets(q)
	if err != nil {
		return parts[0], err
	}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for k := range parts {
		part := begin()
		parts[k] = part
		g.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(targets)); i = next.Add(1) - 1 {
				t := targets[i]
				if err := s.read(ctx, t, w, want, func(at time.Time, total cell.Total) { part.add(t.Region, at, total) }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	for _, part := range parts[1:] {
		parts[0].join(part)
	}
	return parts[0], err
}

// atOnce is how many targets of a query are read at once: half of the connections, so that
// two queries do not wait for one another.
const atOnce = readers / 2
