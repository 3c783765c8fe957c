// Command local runs a whole fleet on this machine: one coordinator, six probes
// in three regions, and a small mail provider to watch.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	o, err := parse(os.Args[1:], []string{"webmail", "imap", "smtp"}, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, errHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	default:
		fmt.Print(summary{Regions: regions(), Public: o.HTTP, Ops: o.Ops}.welcome())
	}
}
