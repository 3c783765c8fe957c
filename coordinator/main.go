// Command varde-coordinator gathers what the probes of a fleet see, judges it
// per region and publishes it.
//
// The package holds commands and signals only; what runs is in coordinator/server.
package main

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
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
  varde-coordinator probe add --name osl-1 --region eu-north`

// commands is the command line.
type commands struct {
	varde.Flags

	Run      runCommand           `cmd:"" help:"Run the coordinator."`
	Init     initCommand          `cmd:"" help:"Write a first configuration and make the fleet's authority."`
	Validate validateCommand      `cmd:"" help:"Tell every fault of a configuration."`
	Probe    probeCommands        `cmd:"" help:"Add, list and remove probes."`
	Status   statusCommand        `cmd:"" help:"Show what the running coordinator says of itself."`
	Version  varde.VersionCommand `cmd:"" help:"Print the version."`
}

// process is the world of one run of the program; tests make their own.
type process struct {
	stdout, stderr io.Writer
	// signals are those of the process; SIGHUP reloads, every other one stops.
	signals <-chan os.Signal
	// start makes a coordinator of a configuration.
	start func(path string, c config.Config, logger *slog.Logger) (coordinator, error)
	now   func() time.Time
	// terminal says whether a writer is one; resolver, network and roots are
	// what a domain is searched with.
	terminal func(io.Writer) bool
	resolver discovery.Resolver
	network  checks.Network
	roots    *x509.CertPool
}

func main() {
	signals := make(chan os.Signal, 4) // SIGHUP and SIGTERM may come together
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	p := &process{
		stdout: os.Stdout, stderr: os.Stderr, signals: signals, start: start, now: time.Now,
		terminal: varde.IsTerminal, resolver: &net.Resolver{PreferGo: true}, network: &checks.System{},
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// run runs a command line and returns the exit code.
func (p *process) run(ctx context.Context, args []string) int {
	program := varde.Program{
		Name: "varde-coordinator", Description: description, Stdout: p.stdout, Stderr: p.stderr,
	}
	return program.Run(ctx, &commands{}, args, p)
}
