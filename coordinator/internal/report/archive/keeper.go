package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"varde/coordinator/internal/report"
)

// Source is where reports come from.
type Source interface {
	// Providers are those of whom a report is wanted, the empty id for all together; none
	// where no report is wanted by itself.
	Providers() []string
	// FinalUntil is the end of the time of which verdicts are final, zero if there is
	// none, and Began when the first of it was measured.
	FinalUntil(ctx context.Context) (time.Time, error)
	Began() time.Time
	// Report is what was measured in a month, of one provider or of all.
	Report(ctx context.Context, m report.Month, provider string) (report.Report, error)
}

// Options are the options of a Keeper. All are required.
type Options struct {
	Archive *Archive
	Source  Source
	Logger  *slog.Logger
}

// Keeper writes the report of every month once it is over.
type Keeper struct{ opts Options }

// NewKeeper returns a keeper; nothing happens before Run.
func NewKeeper(o Options) (*Keeper, error) {
	if o.Archive == nil || o.Source == nil || o.Logger == nil {
		return nil, errors.New("new keeper of reports: Archive, Source and Logger are required")
	}
	return &Keeper{o}, nil
}

const (
	// lookEvery is how often it is looked whether a month is over: nobody waits for a
	// report in the first minutes of one.
	lookEvery = 10 * time.Minute
	// writeWithin bounds the writing of one report: every minute of a month is read, of
	// every series, which takes 0.1 s for each.
	writeWithin = 30 * time.Minute
)

// Run looks until ctx ends, and then returns nil. What goes wrong is logged and tried
// again.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := k.look(ctx, time.Now()); err != nil && ctx.Err() == nil {
			k.opts.Logger.Error("report is not written, will try again", "retry_s", lookEvery.Seconds(), "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look writes what is missing of the last month that is over. Older ones are not made up
// for: what was measured then may be kept no longer.
func (k *Keeper) look(ctx context.Context, now time.Time) error {
	m := report.LastWhole(now)
	if !k.opts.Source.Began().Before(m.To()) {
		return nil
	}
	var missing []Name
	for _, provider := range k.opts.Source.Providers() {
		n := Name{m, provider}
		there, err := k.opts.Archive.Has(n)
		if err != nil {
			return err
		}
		if !there {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	until, err := k.opts.Source.FinalUntil(ctx)
	if err != nil || until.Before(m.To()) {
		return err
	}
	var failed []error
	for _, n := range missing {
		if err := k.write(ctx, n); err != nil {
			failed = append(failed, fmt.Errorf("write report %s: %w", n, err))
		}
	}
	return errors.Join(failed...)
}

func (k *Keeper) write(ctx context.Context, n Name) error {
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	r, err := k.opts.Source.Report(ctx, n.Month, n.Provider)
	if err != nil {
		return err
	}
	if err := k.opts.Archive.Keep(n, r); err != nil {
		return err
	}
	k.opts.Logger.Info("report written", "report", n.String(), "headline", r.Headline(), "gaps", len(r.Gaps()))
	return nil
}
