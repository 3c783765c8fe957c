package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"varde"
	"varde/probe/agent"
	"varde/probe/internal/config"
)

// runCommand is the agent.
type runCommand struct {
	Config string `help:"The configuration that join wrote, ${default} if not given." default:"${config}" placeholder:"FILE" type:"path"`
}

// Help shows examples and the signals.
func (runCommand) Help() string {
	return `Runs the checks of the fleet's plan until it is stopped. SIGTERM stops it in good order,
SIGHUP reads the configuration anew and starts again with it.

Examples:

  varde-probe run
  varde-probe run --config ./probe.yaml --log-level debug

Exit codes: 0 stopped, 1 failed.`
}

// Run runs agents, one after another as long as SIGHUP asks for a new one.
func (c *runCommand) Run(ctx context.Context, logger *slog.Logger) error {
	agent.Economize()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	cfg, err := config.Load(c.Config)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: `varde-probe join TOKEN` writes it", err)
	}
	for err == nil {
		var again bool
		if cfg, again, err = c.runOnce(ctx, cfg, hangup, logger); !again {
			break
		}
	}
	return err
}

// runOnce runs one agent until ctx ends, or a hang-up brings a configuration
// that can be read: that is returned then. Before that the agent goes on.
func (c *runCommand) runOnce(ctx context.Context, cfg config.Config, hangup <-chan os.Signal, logger *slog.Logger) (next config.Config, again bool, err error) {
	a, err := agent.New(agent.Options{
		State: cfg.State, MeshBind: cfg.Mesh.Bind, MeshAdvertise: cfg.Mesh.Advertise, PeerBind: cfg.Peer.Bind,
		Logger: logger, ConfigPath: c.Config, Version: varde.Version(), Socket: true,
	})
	if err != nil {
		return cfg, false, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return cfg, false, err
		case <-hangup:
			next, err := config.Load(c.Config)
			if err != nil {
				logger.Error("configuration not reloaded, the old one stays in force", "error", err)
				continue
			}
			stop()
			return next, true, <-ended
		}
	}
}
