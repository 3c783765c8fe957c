// Command local runs a whole fleet on this machine: one coordinator, six probes
// in three regions, and a small mail provider to watch.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"varde"
)

// process is the world of one run of the program; tests make their own.
type process struct {
	stdout, stderr io.Writer
	// heal is signalled to end what --break began.
	heal <-chan os.Signal
	// play runs the fleet that was asked for.
	play func(ctx context.Context, o options, heal <-chan os.Signal, out io.Writer) error
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	heal := make(chan os.Signal, 1)
	signal.Notify(heal, syscall.SIGUSR1)
	p := &process{stdout: os.Stdout, stderr: os.Stderr, heal: heal, play: run}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs a command line and returns the exit code.
func (p *process) run(ctx context.Context, args []string) int {
	program := varde.Program{Name: "local", Description: description, Stdout: p.stdout, Stderr: p.stderr}
	return program.Run(ctx, &options{}, args, p)
}
