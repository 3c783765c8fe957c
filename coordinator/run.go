package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/graph"
)

// coordinator is what the run command starts, reloads and stops.
type coordinator interface {
	// Run serves until ctx ends and returns after its last goroutine has.
	Run(ctx context.Context) error
	// Reload puts another configuration in force, or says why it cannot and
	// goes on with the old one.
	Reload(config.Config) error
	// Reloaded is told how each reading after the first went: nil if what was
	// read is in force.
	Reloaded(error)
}

// configFlag is the configuration file of a command.
type configFlag struct {
	Config string `help:"The configuration file, ${default} if not given." default:"/etc/varde/coordinator.yaml" placeholder:"FILE"`
}

type runCommand struct{ configFlag }

// Help shows examples and what signals do.
func (runCommand) Help() string {
	return `SIGTERM and SIGINT stop it cleanly; SIGHUP makes it read its configuration again, and keep the old one when the new one has faults.

Examples:

  varde-coordinator run
  varde-coordinator run --config ./coordinator.yaml --log-format json`
}

// Run runs the coordinator until a signal stops it.
func (c *runCommand) Run(ctx context.Context, p *process, logger *slog.Logger) error {
	signals := p.signals()
	cfg, err := c.load(logger)
	if err != nil {
		return err
	}
	s, err := p.start(c.Config, cfg, logger)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return err
		case sig := <-signals:
			if sig == syscall.SIGHUP {
				c.reload(s, logger)
				continue
			}
			logger.Info("coordinator stops", "signal", sig.String())
			stop()
			return c.wait(ended, signals)
		}
	}
}

// wait waits for the end. A second signal to stop does not: whoever sends two
// means it, and everything acknowledged is on disk.
func (c *runCommand) wait(ended <-chan error, signals <-chan os.Signal) error {
	for {
		select {
		case err := <-ended:
			return err
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return fmt.Errorf("stop: a second %s came before the end", sig)
			}
		}
	}
}

func (c *runCommand) load(logger *slog.Logger) (config.Config, error) {
	cfg, err := config.Load(c.Config)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: `varde-coordinator init` writes one", err)
	}
	if err != nil {
		return config.Config{}, err
	}
	for _, w := range cfg.Warnings() {
		logger.Warn("configuration is doubtful", "file", c.Config, "warning", w)
	}
	return cfg, nil
}

func (c *runCommand) reload(s coordinator, logger *slog.Logger) {
	cfg, err := c.load(logger)
	if err == nil {
		err = s.Reload(cfg)
	}
	s.Reloaded(err)
	if err == nil {
		logger.Info("configuration reloaded", "file", c.Config)
		return
	}
	logger.Error("configuration not reloaded, the old one stays in force", "file", c.Config)
	faults := strings.Split(err.Error(), "\n")
	for _, f := range faults[:min(maxFaults, len(faults))] {
		logger.Error("configuration has a fault", "fault", f)
	}
	if n := len(faults) - maxFaults; n > 0 {
		logger.Error("configuration has more faults, varde-coordinator validate tells them all", "more", n)
	}
}

// maxFaults is how many faults of a configuration are logged: a file of another
// kind has one a line.
const maxFaults = 20

type validateCommand struct {
	File string `arg:"" help:"The configuration file, ${default} if not given." default:"/etc/varde/coordinator.yaml"`
}

// Help shows an example and the exit codes.
func (validateCommand) Help() string {
	return `Each fault is one line with file, line and column, all of them at once. The files that the configuration names are read, nothing is connected to.

Example:

  varde-coordinator validate /etc/varde/coordinator.yaml

Exit codes: 0 valid, 1 not.`
}

// Run loads the file and prints what is doubtful.
func (c *validateCommand) Run(p *process) error {
	cfg, err := config.Load(c.File)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings() {
		if _, err := fmt.Fprintf(p.stderr, "%s: warning: %s\n", c.File, w); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(p.stdout, "%s is valid: %s, %s, %s, %s\n", c.File,
		graph.Count(len(cfg.Regions), "region"), graph.Count(len(cfg.Services), "service"),
		graph.Count(len(cfg.Checks), "check"), graph.Count(len(cfg.Pages), "page"))
	return err
}
