// Command varde-coordinator gathers what the probes of a fleet see, judges it
// per region and publishes it.
//
// The package holds commands and signals only; what runs is in coordinator/server.
package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"os/user"
	"sync"
	"syscall"
	"time"

	"varde"
	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/discovery"
)

const description = `Gathers what the probes of a fleet see, judges it per region and publishes it.

Examples:

  varde-coordinator init --domain example.net --host coordinator.example.net
  varde-coordinator validate /etc/varde/coordinator.yaml
  varde-coordinator run
  varde-coordinator probe add --name osl-1 --region eu-north
  varde-coordinator replay --observations october.jsonl.zst`

// commands is the command line.
type commands struct {
	varde.Flags

	Run         runCommand           `cmd:"" help:"Run the coordinator."`
	Init        initCommand          `cmd:"" help:"Write a first configuration and make the fleet's authority."`
	Validate    validateCommand      `cmd:"" help:"Tell every fault of a configuration."`
	Probe       probeCommands        `cmd:"" help:"Add, list and remove probes."`
	Incident    incidentCommands     `cmd:"" help:"List incidents, and add what people know."`
	Evidence    evidenceCommands     `cmd:"" help:"Hand over all that was measured in an incident, or verify what was."`
	Maintenance maintenanceCommands  `cmd:"" help:"Announce work that takes time out of the objective."`
	Watch       watchCommands        `cmd:"" help:"Look more closely at services for a while."`
	Replay      replayCommand        `cmd:"" help:"Judge recorded observations by a configuration, or compare two."`
	Export      exportCommand        `cmd:"" help:"Write observations to a file for other programs."`
	Report      reportCommand        `cmd:"" help:"Write what was measured in a month, to print and send."`
	Rebuild     rebuildCommand       `cmd:"" help:"Make the history again of what the journal holds."`
	Backup      backupCommand        `cmd:"" help:"Write all that the running coordinator is to one file."`
	Restore     restoreCommand       `cmd:"" help:"Make a coordinator of a backup."`
	Status      statusCommand        `cmd:"" help:"Show what the running coordinator says of itself."`
	Version     varde.VersionCommand `cmd:"" help:"Print the version."`
}

// process is the world of one run of the program; tests make their own.
type process struct {
	stdout, stderr io.Writer
	// signals begins to catch those of the process, which end a command that never asks
	// for them; SIGHUP reloads, every other one stops.
	signals func() <-chan os.Signal
	// start makes a coordinator of a configuration.
	start func(path string, c config.Config, logger *slog.Logger) (coordinator, error)
	now   func() time.Time
	// user is who called the program.
	user func() string
	// terminal says whether a writer is one; resolver, network and roots are
	// what a domain is searched with.
	terminal func(io.Writer) bool
	resolver discovery.Resolver
	network  checks.Network
	roots    *x509.CertPool
}

func main() {
	p := &process{
		stdout: os.Stdout, stderr: os.Stderr, signals: caught, start: start, now: time.Now, user: caller,
		terminal: varde.IsTerminal, resolver: &net.Resolver{PreferGo: true}, network: &checks.System{},
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// caught are the signals of the process from now on.
func caught() <-chan os.Signal {
	signals := make(chan os.Signal, 4) // SIGHUP and SIGTERM may come together
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	return signals
}

// caller is the name of whoever called the program, also through sudo.
func caller() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "somebody"
}

// stoppable returns a context that ends with a signal. Release waits for what watches.
func (p *process) stoppable(ctx context.Context) (_ context.Context, release func()) {
	ctx, stop := context.WithCancelCause(ctx)
	signals := p.signals()
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case sig := <-signals:
			stop(fmt.Errorf("stopped by %s", sig))
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		stop(nil)
		watch.Wait()
	}
}

// run runs a command line and returns the exit code.
func (p *process) run(ctx context.Context, args []string) int {
	program := varde.Program{
		Name: "varde-coordinator", Description: description, Stdout: p.stdout, Stderr: p.stderr,
	}
	return program.Run(ctx, &commands{}, args, p)
}
