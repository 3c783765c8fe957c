// Package varde is the manner that its programs share on a terminal: how they
// read a command line, log, tell what is wrong and which version they are, and
// with what code they end.
//
// An error is one line a fault on stderr. It begins with the name of the
// program, or, when it has its place in a file, with FILE:LINE:COLUMN, so that
// an editor can jump to it.
package varde

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// The exit codes. A command that has a meaning of its own for one of them says
// so in its help.
const (
	ExitOK    = 0
	ExitError = 1
	ExitUsage = 2
)

// Told is an exit code as an error: what there was to say has been said.
type Told int

// Error returns the code.
func (t Told) Error() string { return fmt.Sprintf("exit code %d", int(t)) }

// misuse is an error in how a program was called.
type misuse struct{ error }

// Unwrap returns what was wrong.
func (m misuse) Unwrap() error { return m.error }

// Misuse makes err, which must not be nil, end the program with ExitUsage.
func Misuse(err error) error { return misuse{err} }

// Program is one run of a program.
type Program struct {
	// Name is what it is called by; Description heads its help.
	Name, Description string
	// Vars are what "${name}" stands for in the tags and the help of its commands;
	// "${program}" is Name in the latter.
	Vars map[string]string
	// Stdout and Stderr are where it speaks. Required.
	Stdout, Stderr io.Writer
}

// Flags are those of every command: a program embeds them in its commands.
type Flags struct {
	LogFormat string `help:"How to log, on stderr: text or json." enum:"text,json" default:"text" group:"Logging:"`
	LogLevel  string `help:"The least to log: debug, info, warn or error." enum:"debug,info,warn,error" default:"info" group:"Logging:"`
}

func (f *Flags) logger(w io.Writer) *slog.Logger {
	var options slog.HandlerOptions
	var level slog.Level
	if level.UnmarshalText([]byte(f.LogLevel)) == nil { // the parser takes no other
		options.Level = level
	}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, &options))
	}
	return slog.New(slog.NewTextHandler(w, &options))
}

// Run reads a command line into commands, a pointer to a struct of kong's,
// calls the Run method of the command that was named, and returns the exit
// code. That method gets what it asks for of ctx, values, and, where commands
// embeds Flags, a *slog.Logger.
func (p Program) Run(ctx context.Context, commands any, args []string, values ...any) int {
	// What libraries write to the logger of the whole process is no word of ours:
	// net/http tells there, a line each, what odd frames a server sends.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	helped := false
	parser, err := kong.New(commands,
		kong.Name(p.Name), kong.Description(p.Description), kong.Vars(p.Vars),
		kong.Writers(p.Stdout, p.Stderr), kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: helpWidth}),
	)
	if err != nil {
		return p.fail(err)
	}
	parser.Model.HelpFlag.Help = "Show this help."
	for _, command := range parser.Model.Leaves(false) {
		command.Detail = os.Expand(command.Detail, p.expand)
	}
	called, err := parser.Parse(args)
	if helped {
		return ExitOK
	}
	if err != nil {
		return p.fail(misuse{pointed(p.Name, err)})
	}
	called.BindTo(ctx, (*context.Context)(nil))
	if f, ok := commands.(interface{ logger(io.Writer) *slog.Logger }); ok {
		values = append(values, f.logger(p.Stderr))
	}
	return p.fail(called.Run(values...))
}

// expand is what a word in the help of a command stands for: the parser itself
// expands those in tags only.
func (p Program) expand(name string) string {
	if name == "program" {
		return p.Name
	}
	return p.Vars[name]
}

// helpWidth is the widest help: longer lines are hard to read.
const helpWidth = 100

// pointed adds to an error of the parser where to read on.
func pointed(name string, err error) error {
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			name = node.FullPath()
		}
	}
	return fmt.Errorf("%w (see %s --help)", err, name)
}

// placed is an error that has its place in a file and begins with it.
type placed interface {
	error
	Place() (file string, line, column int)
}

// fail prints an error unless it has been told, one line for each that is
// joined in it, and returns the exit code.
func (p Program) fail(err error) int {
	if err == nil {
		return ExitOK
	}
	if told, ok := errors.AsType[Told](err); ok {
		return int(told)
	}
	prefix := p.Name + ": "
	if _, ok := errors.AsType[placed](err); ok {
		prefix = ""
	}
	for line := range strings.Lines(err.Error()) {
		_, _ = fmt.Fprintf(p.Stderr, "%s%s\n", prefix, strings.TrimSuffix(line, "\n")) // there is nobody else to tell
	}
	if _, ok := errors.AsType[misuse](err); ok {
		return ExitUsage
	}
	return ExitError
}
