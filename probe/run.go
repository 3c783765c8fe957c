package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"varde/probe/agent"
	"varde/probe/internal/config"
)

// runCommand is the agent.
type runCommand struct {
	Config string `help:"The configuration that join wrote." default:"${config}" placeholder:"FILE" type:"path"`
}

// Help shows an example and the signals.
func (runCommand) Help() string {
	return `Runs the checks of the fleet's plan until it is stopped. SIGTERM stops it in good order,
SIGHUP reads the configuration anew and starts again with it.

Example:

  varde-probe run --config /etc/varde/probe.yaml

Exit codes: 0 stopped, 1 failed.`
}

// Run runs agents, one after another as long as SIGHUP asks for a new one.
func (c *runCommand) Run(ctx context.Context, p *process) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	cfg, err := config.Load(c.Config)
	for err == nil {
		var again bool
		if cfg, again, err = c.runOnce(ctx, p, cfg, hangup); !again {
			break
		}
	}
	return err
}

// runOnce runs one agent until ctx ends, or a hang-up brings a configuration
// that can be read: that is returned then. Before that the agent goes on.
func (c *runCommand) runOnce(ctx context.Context, p *process, cfg config.Config, hangup <-chan os.Signal) (next config.Config, again bool, err error) {
	a, err := agent.New(agent.Options{
		State: cfg.State, MeshBind: cfg.Mesh.Bind, MeshAdvertise: cfg.Mesh.Advertise,
		Logger: p.logger, Version: version(), Socket: true,
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
				p.logger.Error("configuration not reloaded, the old one stays in force", "error", err)
				continue
			}
			stop()
			return next, true, <-ended
		}
	}
}
