// Command local runs a whole fleet on this machine: one coordinator, six probes
// in three regions, and a small mail provider to watch.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	o, err := parse(os.Args[1:], []string{"webmail", "imap", "smtp"}, os.Stdout, os.Stderr)
	if errors.Is(err, errHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	heal := make(chan os.Signal, 1)
	signal.Notify(heal, syscall.SIGUSR1)
	err = run(ctx, o, heal, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
