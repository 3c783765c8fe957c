package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"varde/probe/agent"
	"varde/probe/internal/config"
)

// joinCommand enrols this machine.
type joinCommand struct {
	Token string `arg:"" help:"What varde-coordinator probe add printed."`
	State string `help:"The folder to keep key, certificate and observations in." default:"${state}" placeholder:"DIR" type:"path"`
}

// Help shows an example and what is written.
func (joinCommand) Help() string {
	return `Makes a key on this machine, gets a certificate for it, and writes the
configuration probe.yaml beside the state. A token is good for one machine and once.

Example:

  varde-probe join varde1_CiQ...

Exit codes: 0 joined, 2 not joined; then nothing was changed.`
}

// Run joins and says what to do next.
func (c *joinCommand) Run(ctx context.Context, p *process) error {
	joined, err := agent.Join(ctx, agent.JoinOptions{State: c.State, Token: c.Token, Logger: p.logger})
	if err != nil {
		return usageError{err}
	}
	path := filepath.Join(c.State, "probe.yaml")
	if c.State == defaultState {
		path = defaultConfig
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return usageError{err}
		}
	}
	next := "varde-probe run"
	if path != defaultConfig {
		next += " --config " + path
	}
	if _, err := os.Stat(path); err == nil {
		_, err = fmt.Fprintf(p.stdout, "joined as %s in %s; kept %s as it is; now start it: %s\n", joined.Name, joined.Region, path, next)
		return err
	}
	if err := config.Default(c.State).Write(path); err != nil {
		return usageError{fmt.Errorf("joined as %s, but no configuration could be written: %w", joined.Name, err)}
	}
	_, err = fmt.Fprintf(p.stdout, "joined as %s in %s; now start it: %s\n", joined.Name, joined.Region, next)
	return err
}
