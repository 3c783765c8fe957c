package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"varde"
	"varde/checks"
	ct "varde/checks/checktest"
)

// records are what name servers say of a domain that takes mail and has no more.
type records struct{ host string }

func (records) LookupSRV(_ context.Context, _, _, name string) (string, []*net.SRV, error) {
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (r records) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if r.host == "" {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return []*net.MX{{Host: r.host}}, nil
}

// initialise runs init --domain in a lab whose server takes mail.
func initialise(t *testing.T, change func(*process, *ct.Lab), args ...string) (code int, stdout, stderr, dir string) {
	t.Helper()
	lab := ct.NewLab()
	lab.Play(t, ":25", ct.Send("220 hello ESMTP\r\n"), ct.Expect("EHLO"), ct.Send("250-hello\r\n250 STARTTLS\r\n"), ct.Expect("STARTTLS"),
		ct.Send("220 go\r\n"), ct.Secure(lab.TLS()), ct.Expect("EHLO"), ct.Send("250 hello\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n"))
	var out, errs bytes.Buffer
	p := &process{
		stdout: &out, stderr: &errs, now: time.Now, terminal: func(io.Writer) bool { return false },
		resolver: records{ct.LabName + "."}, network: lab.Client, roots: lab.CA.Pool(), signals: unsent,
	}
	change(p, lab)
	dir = t.TempDir()
	code = p.run(t.Context(), append([]string{"init", "--config", filepath.Join(dir, "c.yaml"), "--data", filepath.Join(dir, "data"), "--host", "c1"}, args...))
	return code, out.String(), errs.String(), dir
}

func TestInitStartsFromADomain(t *testing.T) {
	code, out, errs, dir := initialise(t, func(p *process, _ *ct.Lab) {
		p.terminal = func(w io.Writer) bool { return w == p.stderr }
	}, "--domain", "Example.net.")
	file := filepath.Join(dir, "c.yaml")
	if code != varde.ExitOK || !strings.Contains(out, "\nup    smtp://mail.example.net        MX example.net\n") ||
		!strings.Contains(out, "down  https://mail.example.net       over ipv4 and ipv6: connect_refused (connection refused)\n") ||
		!strings.Contains(out, "\nWebmail: nothing at autoconfig, webmail.example.net\n") || !strings.HasSuffix(out, "--name NAME --region REGION\n") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if lines := strings.Split(errs, "\r\x1b[K"); len(lines) < 4 || lines[1] != "asking what example.net says of itself …" || lines[len(lines)-1] != "" {
		t.Errorf("got %q, want one line that is taken back", lines)
	}
	code, out, errs = call(t, "validate", file)
	if want := file + " is valid: 3 regions, 1 service, 1 check, 1 page\n"; code != varde.ExitOK || out != want ||
		strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, file+": warning: controls: got 0") {
		t.Errorf("validate: exit %d, %q, %q, want %q and that there are no controls", code, out, errs, want)
	}
	// Equal answers give equal bytes.
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, again := initialise(t, func(*process, *ct.Lab) {}, "--domain", "example.net")
	second, err := os.ReadFile(filepath.Join(again, "c.yaml"))
	if err != nil || string(second) != strings.ReplaceAll(string(first), dir, again) {
		t.Errorf("%v, got another file the second time", err)
	}
}

func TestInitWithoutAFindingWritesNothing(t *testing.T) {
	interrupt := make(chan os.Signal, 1)
	interrupt <- syscall.SIGINT
	for name, x := range map[string]struct {
		change func(*process, *ct.Lab)
		domain string
		code   int
		err    string
	}{
		"nothing there": {func(p *process, _ *ct.Lab) { p.resolver = records{} }, "example.org", varde.ExitError, "init: found nothing at example.org\n"},
		"no domain":     {func(*process, *ct.Lab) {}, "192.0.2.1", varde.ExitUsage, `init: --domain: got "192.0.2.1", expected the name of a domain such as example.net`},
		"interrupted": {func(p *process, l *ct.Lab) {
			p.signals, p.network = func() <-chan os.Signal { return interrupt }, silent{l.Client}
		}, "example.net", varde.ExitError, "init: stopped by interrupt\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs, dir := initialise(t, x.change, "--domain", x.domain)
			if code != x.code || out != "" || !strings.HasPrefix(errs, "varde-coordinator: "+x.err) {
				t.Errorf("exit %d, %q, %q, want %d and %q", code, out, errs, x.code, x.err)
			}
			if got := tree(t, dir); strings.Contains(got, "yaml") || strings.Contains(got, "token") {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}

// silent is a network on which no stream opens before its context ends.
type silent struct{ checks.Network }

func (silent) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
