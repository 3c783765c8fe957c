package varde

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"
)

// script is a program for these tests; what its command returns is given.
type script struct {
	Flags

	Play    playCommand    `cmd:"" help:"Play."`
	Version VersionCommand `cmd:"" help:"Print the version."`
}

type playCommand struct {
	Count int `help:"How often, ${often} if not given." default:"1"`
}

func (playCommand) Run(ctx context.Context, logger *slog.Logger, end func(context.Context) error) error {
	logger.Info("played", "count", 1)
	logger.Debug("played for ourselves")
	return end(ctx)
}

func play(t *testing.T, line string, end func(context.Context) error) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("COLUMNS", "")
	var out, err bytes.Buffer
	p := Program{Name: "varde-script", Description: "Plays.", Vars: map[string]string{"often": "once"}, Stdout: &out, Stderr: &err}
	code = p.Run(t.Context(), &script{}, strings.Fields(line), end)
	return code, out.String(), err.String()
}

// fault is an error with its place in a file.
type fault struct{ line int }

func (f fault) Error() string             { return fmt.Sprintf("c.yaml:%d:1: wrong", f.line) }
func (f fault) Place() (string, int, int) { return "c.yaml", f.line, 1 }

func TestExits(t *testing.T) {
	for name, x := range map[string]struct {
		end    error
		code   int
		stderr string
	}{
		"well":             {nil, ExitOK, ""},
		"error":            {errors.New("listen: in use"), ExitError, "varde-script: listen: in use\n"},
		"several errors":   {errors.Join(errors.New("a"), errors.New("b")), ExitError, "varde-script: a\nvarde-script: b\n"},
		"misuse":           {Misuse(errors.New("--family: ipv5")), ExitUsage, "varde-script: --family: ipv5\n"},
		"told":             {fmt.Errorf("wrapped: %w", Told(7)), 7, ""},
		"faults of a file": {errors.Join(fault{2}, fault{3}), ExitError, "c.yaml:2:1: wrong\nc.yaml:3:1: wrong\n"},
		"faults and usage": {Misuse(fault{2}), ExitUsage, "c.yaml:2:1: wrong\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := play(t, "--log-level warn play", func(ctx context.Context) error {
				if ctx == nil {
					t.Error("got no context")
				}
				return x.end
			})
			if code != x.code || stdout != "" || stderr != x.stderr {
				t.Errorf("got exit code %d, %q and %q, want %d and %q", code, stdout, stderr, x.code, x.stderr)
			}
		})
	}
}

// TestBadLines: what is wrong with a command line is told on one line, which
// names where to read on, and nothing is run.
func TestBadLines(t *testing.T) {
	for line, want := range map[string]string{
		"":                 `expected one of "play", "version" (see varde-script --help)`,
		"plya":             `unexpected argument plya, did you mean "play"? (see varde-script --help)`,
		"play --often":     `unknown flag --often (see varde-script play --help)`,
		"play --count=two": `--count: expected a valid 64 bit int but got "two" (see varde-script play --help)`,
	} {
		code, stdout, stderr := play(t, line, func(context.Context) error {
			t.Errorf("%q was run", line)
			return nil
		})
		if want = "varde-script: " + want + "\n"; code != ExitUsage || stdout != "" || stderr != want {
			t.Errorf("%q: got exit code %d, %q and %q, want %d and %q", line, code, stdout, stderr, ExitUsage, want)
		}
	}
}

func TestLogs(t *testing.T) {
	for flags, want := range map[string][]string{
		"":                                   {"level=INFO msg=played count=1\n"},
		"--log-level=debug":                  {"level=INFO msg=played count=1\n", "level=DEBUG"},
		"--log-level=warn":                   nil,
		"--log-format=json --log-level=info": {`"level":"INFO","msg":"played","count":1}` + "\n"},
	} {
		_, _, stderr := play(t, "play "+flags, func(context.Context) error { return nil })
		for _, w := range want {
			if !strings.Contains(stderr, w) {
				t.Errorf("%q: got %q, want %q in it", flags, stderr, w)
			}
		}
		if strings.Count(stderr, "\n") != len(want) {
			t.Errorf("%q: got %q, want %d lines", flags, stderr, len(want))
		}
	}
}

// TestOthersDoNotLog: what a library writes to the logger of the process, a hostile
// server may have said.
func TestOthersDoNotLog(t *testing.T) {
	var others bytes.Buffer
	before := log.Writer()
	log.SetOutput(&others)
	t.Cleanup(func() { log.SetOutput(before) })
	code, _, stderr := play(t, "play", func(context.Context) error {
		log.Print("odd frame")
		slog.Info("odd frame")
		return nil
	})
	if code != 0 || others.Len() > 0 || strings.Contains(stderr, "odd") {
		t.Errorf("exit code %d, logged %q and %q, want nothing of others", code, others.String(), stderr)
	}
}

func TestHelp(t *testing.T) {
	for line, want := range map[string][]string{
		"--help":         {"Plays.", "Show this help.", "Print the version."},
		"play --help":    {"Play.", "How often, once if not given.", "\nLogging:\n"},
		"version --help": {"\n    varde-script version\n"},
	} {
		code, stdout, stderr := play(t, line, nil)
		for _, w := range want {
			if !strings.Contains(stdout, w) {
				t.Errorf("%q: got\n%s\nwant %q in it", line, stdout, w)
			}
		}
		if code != ExitOK || stderr != "" {
			t.Errorf("%q: got exit code %d and %q", line, code, stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	setting := func(kv ...string) (s []debug.BuildSetting) {
		for i := 0; i < len(kv); i += 2 {
			s = append(s, debug.BuildSetting{Key: kv[i], Value: kv[i+1]})
		}
		return s
	}
	const commit = "2bffca7f429ec9df6a301a3e19c4671c78f98263"
	for want, info := range map[string]debug.BuildInfo{
		"v0.1.0":                   {Main: debug.Module{Version: "v0.1.0"}, Settings: setting("vcs.revision", commit, "vcs.modified", "false")},
		"v0.1.0+dirty":             {Main: debug.Module{Version: "v0.1.0+dirty"}, Settings: setting("vcs.modified", "true")},
		"devel":                    {Main: debug.Module{Version: "(devel)"}},
		"devel-2bffca7f429e":       {Main: debug.Module{Version: "(devel)"}, Settings: setting("vcs.revision", commit, "vcs.modified", "false")},
		"devel-2bffca7f429e+dirty": {Settings: setting("vcs.revision", commit, "vcs.modified", "true")},
	} {
		if got := version(&info); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	code, stdout, _ := play(t, "version", nil)
	if words := strings.Fields(stdout); code != ExitOK || len(words) != 3 || words[0] != "varde-script" || words[1] != Version() {
		t.Errorf("got exit code %d and %q, want name, version and compiler", code, stdout)
	}
}
