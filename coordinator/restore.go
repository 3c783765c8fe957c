package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"varde/coordinator/internal/backup"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/graph"
)

type restoreCommand struct {
	File    string `arg:"" help:"The file that backup wrote."`
	Config  string `help:"Where to put the configuration, where it was if not given." placeholder:"FILE"`
	Data    string `help:"The data folder to fill, the one that was copied if not given." placeholder:"DIR"`
	Replace bool   `help:"Move what lies in the data folder aside, into a folder in it."`
	Verify  bool   `help:"Only read the file and say whether it is whole."`
}

// Help says what is done and what is not.
func (restoreCommand) Help() string {
	return `Makes a coordinator of a backup, on this machine or another. No coordinator may run with the data folder, which must be empty: with --replace what is in it is moved aside and not deleted. A configuration or password file that is there is left as it is; with --config those that it names by paths from its own folder go with it.

The file is read and compared first; then all of it is put in place, or nothing. The probes find the coordinator by the addresses in their plan: give the new machine the old name or address. They take its plans, send what it has not got as far as they still hold it, and what nobody holds any more is a stated gap.

Examples:

  varde-coordinator restore /mnt/backup/varde.zip
  varde-coordinator restore varde.zip --data /srv/varde --config /srv/varde.yaml
  varde-coordinator restore --verify varde.zip`
}

// Run restores, or verifies.
func (c *restoreCommand) Run(ctx context.Context, p *process, logger *slog.Logger) error {
	ctx, release := p.stoppable(ctx)
	defer release()
	if c.Verify {
		return c.verify(ctx, p)
	}
	var r backup.Report
	err := p.opened(c.File, func(o backup.Options) (err error) {
		o.Data, o.Config, o.Replace, o.Now, o.Logger = c.Data, c.Config, c.Replace, p.now(), logger
		r, err = backup.Restore(ctx, o)
		return err
	})
	if err != nil {
		return fmt.Errorf("restore: %s: %w", clean(c.File), err)
	}
	return c.report(p, r)
}

func (c *restoreCommand) verify(ctx context.Context, p *process) error {
	var m backup.Manifest
	err := p.opened(c.File, func(o backup.Options) (err error) { m, err = backup.Verify(ctx, o); return err })
	if err != nil {
		return fmt.Errorf("restore: %s: %w", clean(c.File), err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s is whole: %s, %s, written by %s (varde %s) at %s from %s\n", clean(c.File),
		graph.Count(len(m.Files), "file"), graph.Count(int(m.Bytes()), "byte"), clean(m.Coordinator), clean(m.Version), utc(m.Written), clean(m.Data))
	return err
}

// report says what is where, and what comes next.
func (c *restoreCommand) report(p *process, r backup.Report) error {
	lines := []string{fmt.Sprintf("restored %s from %s, as %s was at %s", r.Data, filepath.Base(c.File), r.Manifest.Coordinator, utc(r.Manifest.Written))}
	if r.Aside != "" {
		lines = append(lines, "what lay there is in "+r.Aside)
	}
	for _, f := range r.Written {
		lines = append(lines, "wrote "+f)
	}
	for _, f := range r.Kept {
		lines = append(lines, "left "+f+" as it is; the backup has another one")
	}
	if r.Config != "" {
		lines = append(lines, amiss(r)...)
		lines = append(lines, "next: varde-coordinator run --config "+r.Config)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(p.stdout, clean(l)); err != nil {
			return err
		}
	}
	return nil
}

// amiss says what keeps the configuration, which can be another than the one of the
// backup, from running what was restored.
func amiss(r backup.Report) (lines []string) {
	if _, err := config.Load(r.Config); err != nil {
		return append([]string{"mend the configuration first:"}, strings.Split(err.Error(), "\n")...)
	}
	folder, err := config.DataFolder(r.Config)
	if err == nil && folder != r.Data {
		lines = append(lines, fmt.Sprintf("set data: %s in %s first: it names %s", r.Data, r.Config, folder))
	}
	return lines
}
