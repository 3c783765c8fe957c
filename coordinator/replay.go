package main

import (
	"context"
	"log/slog"
	"time"

	"varde"
	"varde/coordinator/internal/replay"
	"varde/coordinator/server"
)

type replayCommand struct {
	configFlag
	Observations string `help:"The recording: JSON lines, plain or compressed with gzip or zstd, or the data folder of a coordinator that does not run." required:"" placeholder:"FILE"`
	Against      string `help:"Another configuration, to be compared with the first on the same recording." placeholder:"FILE"`
	JSON         bool   `help:"Print JSON."`
}

// Help shows examples and what is judged.
func (replayCommand) Help() string {
	return `Judges recorded observations with this configuration as if they arrived now: verdict changes, incidents, availability. Nothing is contacted and no secret is needed. The clock is the largest end of a run so far; verdicts and numbers are final, and each incident says when it would have been told.

A recording is read strictly: every service, region and check must be one of the configuration, and after a line with a fault nothing is judged.

With --against both configurations judge the recording, and what differs stands side by side: alarms, what one finds and the other does not, delays, time in each state, availability.

Examples:

  varde-coordinator replay --config coordinator.yaml --observations october.jsonl.zst
  varde-coordinator replay --config coordinator.yaml --observations october.jsonl.zst --against calmer.yaml
  varde-coordinator replay --observations /var/lib/varde-coordinator --json`
}

// Run judges the recording and prints what it shows.
func (c *replayCommand) Run(ctx context.Context, p *process, logger *slog.Logger) error {
	ctx, release := p.stoppable(ctx)
	defer release()
	progress := varde.NewProgress(p.stderr, p.terminal, "judging "+clean(c.Observations))
	began := p.now()
	outcomes, read, err := server.Replay(ctx, server.ReplayOptions{
		Configs: c.configs(), Observations: c.Observations, Progress: progress.At, Logger: logger,
	})
	progress.End()
	if err != nil {
		return err
	}
	took := p.now().Sub(began)
	logger.Info("recording judged", "observations", read.Observations, "elapsed", took, "observations_s", perSecond(read.Observations, took))
	return c.print(p, outcomes, read)
}

func (c *replayCommand) configs() []string {
	if c.Against == "" {
		return []string{c.Config}
	}
	return []string{c.Config, c.Against}
}

func (c *replayCommand) print(p *process, outcomes []replay.Outcome, read replay.Read) error {
	if c.Against == "" && c.JSON {
		return p.printJSON(outcomes[0].Record())
	}
	if c.Against == "" {
		return replay.WriteText(p.stdout, outcomes[0], read)
	}
	both := replay.Compare(outcomes[0], outcomes[1], [2]string{c.Config, c.Against}, read)
	if c.JSON {
		return p.printJSON(both)
	}
	return replay.WriteComparison(p.stdout, both, read, outcomes[0].World.Regions)
}

func perSecond(n int, took time.Duration) int {
	if took <= 0 {
		return 0
	}
	return int(float64(n) / took.Seconds())
}
