package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"varde"
	"varde/coordinator/internal/backup"
	"varde/coordinator/internal/graph"
)

type backupCommand struct {
	configFlag
	File  string `arg:"" help:"The file to write, a ZIP."`
	Force bool   `help:"Write over a file that is there."`
}

// Help says what is in the file and what it is good for.
func (backupCommand) Help() string {
	return `Writes all that the running coordinator is to one file: the keys, the roster, incidents, windows, history, evidence and journal, the configuration and the files that it names. It goes on meanwhile.

The file holds the keys of the fleet and the passwords of the test mailboxes. Keep it as safe as the coordinator itself, and not on its machine.

Examples:

  varde-coordinator backup /mnt/backup/varde.zip --force
  varde-coordinator restore --verify /mnt/backup/varde.zip`
}

// Run writes the file whole or not at all, and reads it once more before it is in place.
func (c *backupCommand) Run(ctx context.Context, p *process) error {
	ctx, release := p.stoppable(ctx)
	defer release()
	client, err := c.client()
	if err != nil {
		return err
	}
	var m backup.Manifest
	verify := func(f io.ReaderAt, size int64) error {
		return p.reading(c.File, f, size, func(o backup.Options) (err error) { m, err = backup.Verify(ctx, o); return err })
	}
	got, err := p.download(c.File, c.Force, func(w io.Writer) error { return client.Backup(ctx, w) }, verify)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "wrote %s: %s, %s\nsha256 %x\nIt holds the keys of the fleet: keep it as safe as the coordinator.\n", clean(c.File),
		graph.Count(len(m.Files), "file"), graph.Count(int(got.bytes), "byte"), got.sum.Sum(nil))
	return err
}

// opened hands a file to fn, with progress on a terminal.
func (p *process) opened(path string, fn func(backup.Options) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return p.reading(path, f, info.Size(), fn)
}

// reading hands on a file that is open.
func (p *process) reading(path string, f io.ReaderAt, size int64, fn func(backup.Options) error) error {
	progress := varde.NewProgress(p.stderr, p.terminal, "reading "+clean(path))
	defer progress.End()
	return fn(backup.Options{File: f, Size: size, Progress: progress.At})
}
