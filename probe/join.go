package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"varde"
	"varde/probe/agent"
	"varde/probe/internal/config"
)

// joinCommand enrols this machine.
type joinCommand struct {
	Token string `arg:"" help:"The word that 'varde-coordinator probe add' printed."`
	State string `help:"The folder for key, certificate and observations, ${default} if not given." default:"${state}" placeholder:"DIR" type:"path"`
}

// Help shows an example and what is written.
func (joinCommand) Help() string {
	return `Makes a key on this machine, gets a certificate for it, and writes a
configuration: ${config}, or probe.yaml in the folder of --state. A token
is good for one machine and once.

Example:

  varde-probe join varde1_CiQ...

Exit codes: 0 joined, 2 not joined; then nothing was changed.`
}

// Run joins and says what to do next. The configuration is written first, so
// that no token is spent where it could not be, and taken back when joining
// fails.
func (c *joinCommand) Run(ctx context.Context, p *process) error {
	path := filepath.Join(c.State, "probe.yaml")
	if c.State == config.DefaultState {
		path = config.DefaultPath
	}
	undo, err := prepare(path, c.State)
	if err != nil {
		return varde.Misuse(err)
	}
	joined, err := agent.Join(ctx, agent.JoinOptions{State: c.State, Token: c.Token})
	if err != nil {
		return varde.Misuse(errors.Join(err, undo()))
	}
	next := "varde-probe run"
	if path != config.DefaultPath {
		next += " --config " + path
	}
	_, err = fmt.Fprintf(p.stdout, "joined as %s in %s; now start it: %s\n", joined.Name, joined.Region, next)
	return err
}

// prepare writes the configuration at path, unless there is one, and returns
// what removes everything that it made.
func prepare(path, state string) (undo func() error, err error) {
	nothing := func() error { return nil }
	if _, err := os.Stat(path); err == nil {
		return nothing, nil
	}
	dir := filepath.Dir(path)
	_, missing := os.Stat(dir)
	if err := os.MkdirAll(dir, dirMode(dir, state)); err != nil {
		return nil, fmt.Errorf("make folder of configuration: %w", err)
	}
	undo = func() error {
		err := os.Remove(path)
		if missing != nil {
			err = errors.Join(err, os.Remove(dir))
		}
		return err
	}
	if err := config.Default(state).Write(path); err != nil {
		if missing != nil {
			err = errors.Join(err, os.Remove(dir))
		}
		return nil, err
	}
	return undo, nil
}

// dirMode keeps the state folder, which holds a key, from everybody else.
func dirMode(dir, state string) os.FileMode {
	if dir == filepath.Clean(state) {
		return 0o700
	}
	return 0o755
}
