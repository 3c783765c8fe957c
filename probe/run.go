package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"varde/probe/agent"
	"varde/probe/internal/config"
)

// Where a probe keeps things when nothing else is said.
const (
	defaultState  = "/var/lib/varde-probe"
	defaultConfig = "/etc/varde/probe.yaml"
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
	if err != nil {
		return err
	}
	for {
		again, err := p.runOnce(ctx, cfg, hangup)
		if err != nil || !again {
			return err
		}
		next, err := config.Load(c.Config)
		if err != nil {
			p.logger.Error("configuration not reloaded, the old one stays", "error", err)
			continue
		}
		cfg = next
	}
}

// runOnce runs one agent until ctx ends or a hang-up comes.
func (p *process) runOnce(ctx context.Context, cfg config.Config, hangup <-chan os.Signal) (again bool, err error) {
	a, err := agent.New(agent.Options{
		State: cfg.State, MeshBind: cfg.Mesh.Bind, MeshAdvertise: cfg.Mesh.Advertise,
		Logger: p.logger, Version: version(), Socket: true,
	})
	if err != nil {
		return false, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	select {
	case err := <-ended:
		return false, err
	case <-hangup:
		stop()
		return true, <-ended
	}
}
