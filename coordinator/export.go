package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"varde"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/recording"
	"varde/proto/document"
)

type exportCommand struct {
	configFlag
	Output  string `short:"o" help:"The file to write: .jsonl, .jsonl.gz, .jsonl.zst or .parquet. Lines on standard output if not given." placeholder:"FILE"`
	From    string `help:"Runs that ended then or later: 2026-11-24T22:00Z, \"2026-11-24 22:00\" in UTC, or 90m ago." default:"24h" placeholder:"TIME"`
	To      string `help:"Runs that ended before: now, or as --from." default:"now" placeholder:"TIME"`
	Check   string `help:"Only those of a check." placeholder:"ID"`
	Service string `help:"Only those of a service." placeholder:"ID"`
	Region  string `help:"Only those from a region." placeholder:"ID"`
	Probe   string `help:"Only those of a probe." placeholder:"NAME"`
	Force   bool   `help:"Write over a file that is there."`
}

// Help says what is written, and shows examples.
func (exportCommand) Help() string {
	return `Writes the observations that the journal of the running coordinator still holds (retention.journal), each once, in the order in which they came and with times by the coordinator's clock. Lines are JSON objects as replay reads them; a Parquet file has one row each, with a column for every phase, for notebooks and databases.

Examples:

  varde-coordinator export --from 7d -o week.jsonl.zst
  varde-coordinator export --from 2026-11-20T00:00Z --to 2026-11-21T00:00Z --service imap -o imap.parquet
  varde-coordinator export --from 1h --check imap-login | jq .class`
}

// Run writes the observations.
func (c *exportCommand) Run(ctx context.Context, p *process) error {
	ctx, release := p.stoppable(ctx)
	defer release()
	want := recording.Wanted{Check: c.Check, Service: c.Service, Region: c.Region, Probe: c.Probe}
	var err error
	if want.From, err = past(c.From, p.now()); err != nil {
		return varde.Misuse(fmt.Errorf("export: --from: %w", err))
	}
	if want.To, err = past(c.To, p.now()); err != nil {
		return varde.Misuse(fmt.Errorf("export: --to: %w", err))
	}
	if !want.From.Before(want.To) {
		return varde.Misuse(fmt.Errorf("export: --from: got %s, expected a time before --to, %s", utc(want.From), utc(want.To)))
	}
	encode, err := recording.EncoderOf(c.Output)
	if err != nil {
		return varde.Misuse(fmt.Errorf("export: -o: %w", err))
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if since := status.JournalSince; since.After(want.From) {
		fmt.Fprintf(p.stderr, "The journal reaches back to %s: what is older is not among what follows.\n", utc(since))
	}
	fetch := func(w io.Writer) error { return client.Export(ctx, want, w) }
	if c.Output == "" {
		return fetch(p.stdout)
	}
	n := 0
	got, err := p.download(c.Output, c.Force, func(w io.Writer) (err error) { n, err = encode(w, fetch); return err }, nil)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "wrote %s: %s from %s to %s, %s\n", clean(c.Output), graph.Count(n, "observation"), utc(want.From), utc(want.To), graph.Count(int(got.bytes), "byte"))
	return err
}

// past reads a time that is over: as a moment, or how long ago.
func past(text string, now time.Time) (time.Time, error) {
	if d, err := document.ParseDuration(text); err == nil && writable(now.UTC().Add(-d)) {
		return now.UTC().Add(-d), nil
	}
	t, err := moment(text, now)
	if err != nil {
		return t, fmt.Errorf(`got %.100q, expected now, a time such as 2026-11-24T22:00Z or "2026-11-24 22:00" (UTC), or how long ago, such as 90m or 7d`, text)
	}
	return t, nil
}
