// Command varde-probe looks at mail services from where it stands: once, by
// hand (check), or as one probe of a fleet.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"varde"
	"varde/checks"
	"varde/probe/internal/config"
)

const description = `Looks at mail services from where it stands: once, by hand, or as one probe of a fleet.

Examples:

  varde-probe check imaps://mail.example.net
  varde-probe join TOKEN
  varde-probe run`

// commands is the command line.
type commands struct {
	varde.Flags

	Check   checkCommand         `cmd:"" help:"Ask services once from here and show each phase."`
	Join    joinCommand          `cmd:"" help:"Enrol this machine with a token."`
	Run     runCommand           `cmd:"" help:"Run as a probe of the fleet."`
	Status  statusCommand        `cmd:"" help:"Show what the running probe sees."`
	Version varde.VersionCommand `cmd:"" help:"Print the version."`
}

// process is the world of one run of the program; tests make their own.
type process struct {
	stdout, stderr io.Writer
	network        checks.Network
	getenv         func(string) string
	// terminal says whether a writer is one.
	terminal func(io.Writer) bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := &process{
		stdout: os.Stdout, stderr: os.Stderr, network: &checks.System{}, getenv: os.Getenv, terminal: varde.IsTerminal,
	}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs a command line and returns the exit code.
func (p *process) run(ctx context.Context, args []string) int {
	program := varde.Program{
		Name: "varde-probe", Description: description,
		Vars:   map[string]string{"state": config.DefaultState, "config": config.DefaultPath},
		Stdout: p.stdout, Stderr: p.stderr,
	}
	return program.Run(ctx, &commands{}, addressesFirst(args), p)
}
