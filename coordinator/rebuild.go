package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"varde"
	"varde/coordinator/internal/graph"
)

type rebuildCommand struct {
	configFlag
	Wait bool `help:"Wait until it is done." default:"true" negatable:""`
}

// Help says what is made again and what stays.
func (rebuildCommand) Help() string {
	return `Has the running coordinator make the graphs and numbers of every whole hour again that its journal still holds, by the configuration in force: after a file of the history was damaged or lost, or to have a changed min_probes counted in the past. What is older is not touched, and neither is what was told, the ledger of mails or the incidents. A file of the history that is not whole is moved aside first.

Verdicts go on meanwhile; graphs and numbers of those hours show a gap until they are made. The command only watches: it may be stopped, and the coordinator too.

Examples:

  varde-coordinator rebuild
  varde-coordinator rebuild --no-wait`
}

// rebuildPoll is how often to ask how far it is.
const rebuildPoll = 500 * time.Millisecond

// Run begins it and watches.
func (c *rebuildCommand) Run(ctx context.Context, p *process) error {
	ctx, release := p.stoppable(ctx)
	defer release()
	client, err := c.client()
	if err != nil {
		return err
	}
	b, err := client.Rebuild(ctx)
	if err != nil {
		return err
	}
	since, all := utc(b.Since), graph.Count(int(b.All), "message")
	if !c.Wait {
		_, err = fmt.Fprintf(p.stdout, "the history since %s is made again of %s; varde-coordinator status says how far it is\n", since, all)
		return err
	}
	progress := varde.NewProgress(p.stderr, p.terminal, "making the history again")
	defer progress.End()
	for b.Running {
		progress.At(int64(b.Done), int64(b.All))
		select {
		case <-ctx.Done():
			progress.End()
			return errors.Join(context.Cause(ctx), errors.New("the coordinator goes on by itself"))
		case <-time.After(rebuildPoll):
		}
		if b, err = client.Rebuilding(ctx); err != nil {
			return err
		}
	}
	progress.End()
	_, err = fmt.Fprintf(p.stdout, "made the history since %s again of %s\n", since, all)
	return err
}
