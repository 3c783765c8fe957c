// Command varde-coordinator gathers what the probes of a fleet see, judges it
// per region and publishes it.
//
// The package holds commands and signals only; what runs is in coordinator/server.
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
	"time"

	"github.com/alecthomas/kong"

	"varde/coordinator/internal/config"
)

// The exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// commands is the command line.
type commands struct {
	LogFormat string `help:"How to log, on stderr: text or json." enum:"text,json" default:"text"`
	LogLevel  string `help:"The least that is logged: debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`

	Run      runCommand      `cmd:"" help:"Run the coordinator."`
	Init     initCommand     `cmd:"" help:"Write a first configuration, the fleet's authority and the operator token."`
	Validate validateCommand `cmd:"" help:"Tell every fault of a configuration."`
	Probe    probeCommands   `cmd:"" help:"Add, list and remove probes."`
	Status   statusCommand   `cmd:"" help:"Show what the running coordinator says of itself."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// process is the world of one run of the program; tests make their own.
type process struct {
	stdout, stderr io.Writer
	// signals are those of the process; SIGHUP reloads, every other one stops.
	signals <-chan os.Signal
	// start makes a coordinator of a configuration.
	start  func(path string, c config.Config, logger *slog.Logger) (coordinator, error)
	now    func() time.Time
	logger *slog.Logger
}

func main() {
	signals := make(chan os.Signal, 4) // SIGHUP and SIGTERM may come together
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	p := &process{stdout: os.Stdout, stderr: os.Stderr, signals: signals, start: start, now: time.Now}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// run parses the command line, runs its command and returns the exit code.
func (p *process) run(ctx context.Context, args []string) int {
	var c commands
	exited := -1 // set by --help
	parser, err := kong.New(&c,
		kong.Name("varde-coordinator"),
		kong.Description("Gathers what the probes of a fleet see, judges it per region and publishes it."),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		return p.fail(err)
	}
	called, err := parser.Parse(args)
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

// usageError is an error in how a command was called: exit code 2.
type usageError struct{ error }

// fail prints an error, one line for each that is joined in it, and returns
// the exit code. Faults of a configuration begin with the file, so that an
// editor can jump to them.
func (p *process) fail(err error) int {
	if err == nil {
		return exitOK
	}
	prefix := "varde-coordinator: "
	if _, ok := errors.AsType[*config.Problem](err); ok {
		prefix = ""
	}
	for line := range strings.Lines(err.Error()) {
		_, _ = fmt.Fprintf(p.stderr, "%s%s\n", prefix, strings.TrimSuffix(line, "\n"))
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
func (versionCommand) Help() string { return "Example:\n\n  varde-coordinator version" }

// Run prints the version that the program was built from.
func (versionCommand) Run(p *process) error {
	_, err := fmt.Fprintln(p.stdout, "varde-coordinator "+version())
	return err
}

// version is what the go command recorded: a tag, or the commit.
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
