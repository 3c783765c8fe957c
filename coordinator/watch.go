package main

import (
	"context"
	"time"

	"varde/coordinator/internal/register"
)

type watchCommands struct {
	Add    watchAddCommand    `cmd:"" help:"Look more closely at some services for a while."`
	List   watchListCommand   `cmd:"" help:"List what is watched, and how."`
	Cancel watchCancelCommand `cmd:"" help:"Take a watch back."`
}

// Help says what a watch does, and shows examples.
func (watchCommands) Help() string {
	return `While a watch lasts, the checks of its services are asked more often, and more probes look at once after a failure. It begins and ends to the second by itself. What a verdict needs stays the same.

No check is asked more often than its floor allows, than its timeout, or than the probes may log in with its account; the list says where that is so.

Examples:

  varde-coordinator watch add --service imap --service webmail \
      --from "2026-11-23 06:00" --to +14h --title "Attack announced"
  varde-coordinator watch list
  varde-coordinator watch cancel w-2026-11-23-1`
}

type watchAddCommand struct {
	announcement
	Every time.Duration `help:"How often each probe asks. A third of each check's own interval if not given." placeholder:"10s"`
}

// Help shows examples.
func (watchAddCommand) Help() string {
	return `A watch lasts at most 31 days and must not be over. Where several are about one check, the shortest interval counts; it is never longer than the check's own.

Examples:

  varde-coordinator watch add --service imap --from now --to +6h --title "Threat by mail"
  varde-coordinator watch add --service imap --every 10s \
      --from "2026-11-23 06:00" --to "2026-11-23 20:00" --title "Attack announced"`
}

// Run announces the watch.
func (c *watchAddCommand) Run(ctx context.Context, p *process) error {
	return c.add(ctx, p, register.Window{Kind: register.Watch, Every: c.Every})
}

type watchListCommand struct{ windowList }

// Help shows an example.
func (watchListCommand) Help() string {
	return `Example:

  varde-coordinator watch list --json`
}

// Run lists watches.
func (c *watchListCommand) Run(ctx context.Context, p *process) error {
	return c.list(ctx, p, register.Watch)
}

type watchCancelCommand struct{ cancellation }

// Help says what is left of it, and shows an example.
func (watchCancelCommand) Help() string {
	return `A watch that has begun ends now; one that has not never begins. Both stay on record.

Example:

  varde-coordinator watch cancel w-2026-11-23-1`
}

// Run takes the watch back.
func (c *watchCancelCommand) Run(ctx context.Context, p *process) error {
	return c.cancel(ctx, p, register.Watch)
}
