// Command varde-probe looks at mail services from where it stands: once, by
// hand (check), or as one probe of a fleet.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"varde/checks"
	"varde/probe/internal/config"
)

// The exit codes. A command that has its own meaning for 1 says so in its help.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// commands is the command line.
type commands struct {
	LogFormat string `help:"How to log, on stderr: text or json." enum:"text,json" default:"text"`
	LogLevel  string `help:"The least that is logged: debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`

	Check   checkCommand   `cmd:"" help:"Ask services once from here and show each phase."`
	Join    joinCommand    `cmd:"" help:"Enrol this machine with a token."`
	Run     runCommand     `cmd:"" help:"Run as a probe of the fleet."`
	Status  statusCommand  `cmd:"" help:"Show what the running probe sees."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// process is the world of one run of the program; tests make their own.
type process struct {
	stdout, stderr io.Writer
	network        checks.Network
	getenv         func(string) string
	// terminal says whether a writer is one.
	terminal func(io.Writer) bool
	// routed says whether this machine has a way to an address.
	routed func(address string) bool
	logger *slog.Logger
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := &process{
		stdout: os.Stdout, stderr: os.Stderr, network: &checks.System{}, getenv: os.Getenv, terminal: isTerminal, routed: routed,
	}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// exitCode is an error that has been told already.
type exitCode int

// Error returns the code.
func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is an error in how a command was called: exit code 2.
type usageError struct{ error }

// run parses the command line, runs its command and returns the exit code.
func (p *process) run(ctx context.Context, args []string) int {
	var c commands
	exited := -1 // set by --help
	parser, err := kong.New(&c,
		kong.Name("varde-probe"),
		kong.Vars{"state": config.DefaultState, "config": config.DefaultPath},
		kong.Description("Looks at mail services from where it stands."),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		return p.fail(err)
	}
	called, err := parser.Parse(addressesFirst(args))
	if exited >= 0 {
		return exited
	}
	if err != nil {
		return p.fail(usageError{err})
	}
	p.logger = p.newLogger(c.LogFormat, c.LogLevel)
	called.BindTo(ctx, (*context.Context)(nil))
	return p.fail(called.Run(p))
}

// fail prints an error on one line, unless it has been told, and returns its
// exit code.
func (p *process) fail(err error) int {
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	for line := range strings.Lines(err.Error()) {
		_, _ = fmt.Fprintf(p.stderr, "varde-probe: %s\n", strings.TrimSuffix(line, "\n"))
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitError
}

func (p *process) newLogger(format, level string) *slog.Logger {
	var options slog.HandlerOptions
	var l slog.Level
	if l.UnmarshalText([]byte(level)) == nil { // the parser takes no other
		options.Level = l
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(p.stderr, &options))
	}
	return slog.New(slog.NewTextHandler(p.stderr, &options))
}

type versionCommand struct{}

// Help shows an example.
func (versionCommand) Help() string { return "Example:\n\n  varde-probe version" }

// Run prints the version that the program was built from.
func (versionCommand) Run(p *process) error {
	_, err := fmt.Fprintln(p.stdout, "varde-probe "+version())
	return err
}

// version is what the go command recorded: a tag, or the commit and whether
// the tree had changes.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v == "(devel)" {
			v = s.Value
		}
	}
	return v + " " + info.GoVersion
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
