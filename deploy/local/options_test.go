package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"varde"
)

// call runs a command line in a world where fleets are only asked for.
func call(t *testing.T, line string) (o options, code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("COLUMNS", "")
	var out, err bytes.Buffer
	p := &process{stdout: &out, stderr: &err, play: func(_ context.Context, asked options, _ <-chan os.Signal, _ io.Writer) error {
		o = asked
		return nil
	}}
	code = p.run(t.Context(), strings.Fields(line))
	return o, code, out.String(), err.String()
}

func TestOptions(t *testing.T) {
	o, code, _, stderr := call(t, "--for 2m --http 127.0.0.1:0 --break imap@oceania")
	if code != varde.ExitOK || o.For != 2*time.Minute || o.HTTP != "127.0.0.1:0" || o.Ops != "127.0.0.1:8081" ||
		o.breakService != "imap" || o.breakRegion != "oceania" || len(o.targets) != 0 {
		t.Errorf("got %+v, exit code %d, %s", o, code, stderr)
	}
	o, code, _, stderr = call(t, "--break imaps-imap-example-org@us-east https://www.example.org/ imaps://imap.example.org")
	if code != varde.ExitOK || len(o.targets) != 2 || o.breakService != "imaps-imap-example-org" {
		t.Fatalf("got %+v, exit code %d, %s", o, code, stderr)
	}
	for _, target := range o.targets {
		if target.Every != 5*time.Second || target.Service != target.ID {
			t.Errorf("got %+v, want every 5s and a service of its own", target)
		}
	}
}

func TestBadOptions(t *testing.T) {
	const one = " and one of eu-north, us-east, oceania\n"
	for _, x := range []struct{ args, want string }{
		{"--http 8080", "--http: got \"8080\", expected host:port\n"},
		{"--for=-1s", "--for: got -1s, expected a time above zero\n"},
		{"--break imap", `--break: got "imap", expected SERVICE@REGION with one of webmail, imap, smtp` + one},
		{"--break pop@oceania", `--break: got "pop@oceania", expected SERVICE@REGION with one of webmail, imap, smtp` + one},
		{"--break imap@mars", `--break: got "imap@mars", expected SERVICE@REGION with one of webmail, imap, smtp` + one},
		{"--break imap@oceania https://www.example.org/", `--break: got "imap@oceania", expected SERVICE@REGION with one of https-www-example-org` + one},
		{"gopher://example.org", `gopher://example.org: url: scheme "gopher"`},
		{"https://a.example https://a.example", "https://a.example: got it again as https-a-example, expected each once\n"},
		{"--fly", "unknown flag --fly"},
	} {
		_, code, _, stderr := call(t, x.args)
		if code != varde.ExitUsage || !strings.HasPrefix(stderr, "local: "+x.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: got exit code %d and %q, want %d and %q", x.args, code, stderr, varde.ExitUsage, x.want)
		}
	}
}

func TestHelp(t *testing.T) {
	_, code, stdout, _ := call(t, "--help")
	if code != varde.ExitOK || !strings.Contains(stdout, "go run ./deploy/local --break imap@oceania") {
		t.Errorf("got exit code %d and %s, want help with an example", code, stdout)
	}
	for line := range strings.Lines(stdout) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("a terminal of 80 columns breaks %q", line)
		}
	}
}
