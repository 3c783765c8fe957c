package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// bench is the program before it is run, in a lab.
type bench struct {
	*ct.Lab
	*process
	out, err bytes.Buffer
	dir      string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Lab: ct.NewLab(), dir: t.TempDir()}
	b.process = &process{
		stdout: &b.out, stderr: &b.err, network: b.Client, getenv: func(string) string { return "" },
		terminal: func(io.Writer) bool { return false },
	}
	b.file(t, "ca", string(b.CA.PEM()))
	b.file(t, "password", ct.LabPassword+"\n")
	return b
}

func (b *bench) file(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// call runs a command line; @name is the path of a file of the bench.
func (b *bench) call(ctx context.Context, line string) int {
	args := strings.Fields(line)
	for i, a := range args {
		if name, ok := strings.CutPrefix(a, "@"); ok {
			args[i] = filepath.Join(b.dir, name)
		}
	}
	return b.run(ctx, args)
}

// serve makes a mailbox server that takes a while to greet and one login.
func (b *bench) serve(t *testing.T, login string) {
	t.Helper()
	b.Play(t, ":993",
		ct.Secure(b.TLS()), ct.Wait(83*time.Millisecond), ct.Send("* OK hi\r\n"), ct.Expect("a1 CAPABILITY"),
		ct.Send("* CAPABILITY IMAP4rev1\r\na1 OK\r\n"), ct.Expect("a2 LOGIN"), ct.Send("a2 "+login+"\r\n"),
		ct.Expect("a3 NOOP"), ct.Send("a3 OK\r\n"), ct.Expect("a4 LOGOUT"), ct.Send("a4 OK\r\n"),
	)
}

func TestCheck(t *testing.T) {
	const withLogin = "check imaps://mail.example.net --ca @ca --user probe --password-file @password "
	for _, tt := range []struct {
		name, line string
		world      func(*testing.T, *bench)
		code       int
		out        []string
		not        string
	}{
		{
			"up over both families", withLogin, func(t *testing.T, b *bench) { b.serve(t, "OK in") }, 0,
			[]string{"imaps://mail.example.net  ipv4  198.51.100.1:993  up in 83 ms\n", "ipv6  [2001:db8:2::1]:993  up in 83 ms\n", "\n  greeting      83.0 ms"},
			"✗",
		},
		{
			"one family asked for", withLogin + "--family ipv6", func(t *testing.T, b *bench) { b.serve(t, "OK in") }, 0,
			[]string{"ipv6  [2001:db8:2::1]:993  up"},
			"ipv4",
		},
		{
			"login refused", withLogin, func(t *testing.T, b *bench) { b.serve(t, "NO "+ct.LabPassword) }, 2,
			[]string{"unknown after 83 ms", "(auth_rejected)", "\n    NO ***\n"},
			ct.LabPassword,
		},
		{
			"down", "check smtps://mail.example.net", func(*testing.T, *bench) {}, 1,
			[]string{"198.51.100.1:465  down after 0.0 ms", "✗ connect: the machine answers, but nothing listens on this port (connect_refused)"},
			"up",
		},
		{
			"down beats unknown", withLogin + "smtps://mail.example.net", func(t *testing.T, b *bench) { b.serve(t, "NO") }, 1,
			[]string{"unknown after", "down after"},
			"",
		},
		{
			"own authority", "check imaps://mail.example.net --family ipv4", func(t *testing.T, b *bench) { b.serve(t, "OK") }, 1,
			[]string{"cert_untrusted"},
			"",
		},
		{
			"time runs out", "check imaps://mail.example.net --ca @ca --family ipv4 --timeout 2s", func(t *testing.T, b *bench) { b.Play(t, ":993", ct.Silence()) }, 1,
			[]string{"down after 2.00 s", "tls_timeout", "no ServerHello within 2s"},
			"",
		},
		{
			"family that the name lacks", "check smtps://four.example.net", func(_ *testing.T, b *bench) { b.Name("four.example.net", netip.MustParseAddr("198.51.100.1")) }, 1,
			[]string{"ipv4"},
			"ipv6",
		},
		{
			"family that the name lacks, asked for", "check smtps://four.example.net --family both", func(_ *testing.T, b *bench) { b.Name("four.example.net", netip.MustParseAddr("198.51.100.1")) }, 1,
			[]string{"ipv4", "four.example.net has no ipv6 address"},
			"",
		},
		{
			"address", "check smtps://[2001:db8:2::1]", func(*testing.T, *bench) {}, 1,
			[]string{"ipv6  [2001:db8:2::1]:465  down"},
			"ipv4",
		},
		{
			"unknown name", "check smtps://nobody.example.net", func(*testing.T, *bench) {}, 1,
			[]string{"nobody.example.net has no ipv4 address", "nobody.example.net has no ipv6 address"},
			"",
		},
		{
			"family that this machine lacks", "check smtps://mail.example.net", func(_ *testing.T, b *bench) {
				b.network = withoutIPv6{b.network}
				b.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
					if to.Addr().Is6() {
						return ct.NoRoute
					}
					return ct.Pass
				})
			}, 1,
			[]string{"ipv4"},
			"ipv6",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				tt.world(t, b)
				if code := b.call(t.Context(), tt.line); code != tt.code {
					t.Errorf("exit code %d, want %d; stderr: %s", code, tt.code, b.err.String())
				}
				for _, want := range tt.out {
					if !strings.Contains(b.out.String(), want) {
						t.Errorf("got\n%s\nwant %q in it", b.out.String(), want)
					}
				}
				if tt.not != "" && strings.Contains(b.out.String()+b.err.String(), tt.not) {
					t.Errorf("got\n%s\nwant no %q in it", b.out.String(), tt.not)
				}
			})
		})
	}
}

// withoutIPv6 is the network of a machine whose routing table has no IPv6.
type withoutIPv6 struct{ checks.Network }

// DialContext answers for datagrams as connect(2) does.
func (n withoutIPv6) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "udp" && strings.HasPrefix(address, "[") {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ENETUNREACH}
	}
	return n.Network.DialContext(ctx, network, address)
}

func TestCheckJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.serve(t, "OK in")
		if code := b.call(t.Context(), "check imaps://mail.example.net smtps://mail.example.net --json --ca @ca --user u --password-file @password"); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		lines := strings.Split(strings.TrimSpace(b.out.String()), "\n")
		if len(lines) != 4 {
			t.Fatalf("%d lines, want 4:\n%s", len(lines), b.out.String())
		}
		var got [4]checks.Observation
		for i, line := range lines {
			if err := json.Unmarshal([]byte(line), &got[i]); err != nil {
				t.Fatal(err)
			}
		}
		if o := got[1]; o.Check != "imaps-mail-example-net" || o.Family != checks.IPv6 || o.Outcome != checks.Up || o.Trigger != checks.Manual ||
			o.Elapsed != 83*time.Millisecond || !o.Started.Equal(time.Now().Add(-83*time.Millisecond)) {
			t.Errorf("got %+v", o)
		}
		if o := got[2]; o.Check != "smtps-mail-example-net" || o.Family != checks.IPv4 || o.Class != checks.ConnectRefused {
			t.Errorf("got %+v", o)
		}
	})
}

// TestCheckAsksAllAtOnce has six attempts of 2 s take 2 s.
func TestCheckAsksAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" {
				return ct.Drop
			}
			return ct.Pass
		})
		start := time.Now()
		b.call(t.Context(), "check imaps://mail.example.net smtps://mail.example.net https://mail.example.net --timeout 2s")
		if took := time.Since(start); took != 2*time.Second || strings.Count(b.out.String(), "connect_timeout") != 6 {
			t.Errorf("took %s:\n%s", took, b.out.String())
		}
	})
}

func TestInterruptedCheckClaimsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Play(t, ":993", ct.Silence())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if code := b.call(ctx, "check imaps://mail.example.net"); code != 2 || strings.Contains(b.out.String(), "down") {
			t.Errorf("exit code %d, want 2:\n%s", code, b.out.String())
		}
	})
}

// fullDisk is a stdout that takes nothing.
type fullDisk struct{}

// Write fails as a file on a full disk does.
func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestCheckThatCannotBePrinted has a healthy server be asked in vain: exit code
// 1 would say that it is down.
func TestCheckThatCannotBePrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.serve(t, "OK in")
		b.stdout = fullDisk{}
		code := b.call(t.Context(), "check imaps://mail.example.net --family ipv4 --ca @ca")
		if want := "varde-probe: print: no space left on device\n"; code != 2 || b.err.String() != want {
			t.Errorf("exit code %d, stderr %q, want 2 and %q", code, b.err.String(), want)
		}
	})
}

// TestWatch asks three rounds by the clock, however long the answers take, tells
// each on a line and all of them at the end.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.serve(t, "OK in")
		start := time.Now()
		code := b.call(t.Context(), "check imaps://mail.example.net --family ipv4 --ca @ca --user probe --password-file @password --watch --every 10s --count 3")
		out := b.out.String()
		if took := time.Since(start); code != 0 || took != 20*time.Second+83*time.Millisecond {
			t.Errorf("exit code %d after %s, want 0 after 20.083s: %s", code, took, b.err.String())
		}
		for _, want := range []string{
			"00:00:00  up          83 ms  imaps://mail.example.net  ipv4  ", "00:00:10  up  ", "00:00:20  up  ",
			"\n\nimaps://mail.example.net  ipv4  3 attempts: 3 up, 0 down, 0 unknown; when up 83.0 ms in the middle, 83.0 ms at most\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("got\n%s\nwant %q in it", out, want)
			}
		}
	})
}

// TestInterruptedWatch ends with what it has seen, and claims nothing of the
// attempt that was under way.
func TestInterruptedWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Play(t, ":993", ct.Silence())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(31*time.Second, cancel)
		code := b.call(ctx, "check imaps://mail.example.net --family ipv4 --watch --json")
		if lines := strings.Count(b.out.String(), "\n"); code != 1 || lines != 1 {
			t.Errorf("exit code %d with %d lines, want 1 with 1:\n%s", code, lines, b.out.String())
		}
	})
}

func TestBadUsage(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   `expected one of`,
		"chekc":                              `unexpected argument chekc`,
		"check":                              `expected "<url> ..."`,
		"check gopher://a":                   `gopher://a: url: scheme "gopher", expected one of dns, http, https, imap, imaps, pop3, pop3s, smtp, smtps, submission, tcp, tls`,
		"check imaps://a --count 3":          "--count: given without --watch, expected both",
		"check imaps://a --watch --every 1s": "--every: 1s, expected 5s to 24h0m0s",
		"check imaps://a --watch --every 5s": "--timeout: 10s, expected at most --every (5s)",
		"check imaps://a --mechanism cram --user u --password-file @password": "imaps://a: login.mechanism: \"cram\", expected one of",
		"check imaps://a/b imaps://c:0":                                       "imaps://a/b: url: \"imaps://a/b\", expected nothing after the host\nvarde-probe: imaps://c:0: url: port \"0\", expected 1 to 65535",
		"check imaps://a --user u":                                            "--user and --password-file: one is missing, expected both or none",
		"check imaps://a --timeout 2m":                                        "imaps://a: timeout: 2m0s, expected up to 1m0s",
		"check imaps://a --timeout 0s":                                        "imaps://a: timeout: 0s, expected up to 1m0s",
		"check imaps://a --family ipv5":                                       `--family: "ipv5", expected ipv4, ipv6 or both`,
		"check imaps://a --ca @nothing":                                       "--ca: open ",
		"check imaps://a --ca /dev/zero":                                      "--ca: /dev/zero: more than 1048576 bytes",
		"check imaps://a --user u --password-file /dev/zero":                  "--password-file: /dev/zero: more than 1048576 bytes",
		"check imaps://a --ca @password":                                      "imaps://a: ca: holds no certificate, expected PEM",
		"check https://a --user u --password-file @password":                  "--user: none of these URLs has a login, expected one of imap, pop3 or smtp",
		"check imaps://a --user u --password-file @empty":                     "imaps://a: login.password: 0 bytes long, expected 1 to 1024 and none of them zero",
		"check imaps://a --log-level loud":                                    "--log-level must be one of",
	} {
		b := newBench(t)
		b.file(t, "empty", "\n")
		if code := b.call(t.Context(), line); code != 2 || !strings.Contains(b.err.String(), want) || b.out.Len() > 0 {
			t.Errorf("%q: exit code %d, stderr %q, want 2 and %q", line, code, b.err.String(), want)
		}
	}
}

// TestHelp asks every command for help: it has an example, and a terminal of 80
// columns breaks none of its lines.
func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "")
	for _, command := range []string{"", "check", "join", "run", "status", "version"} {
		b := newBench(t)
		code := b.call(t.Context(), command+" --help")
		if out := b.out.String(); code != 0 || !strings.Contains(out, "\n    "+strings.TrimSpace("varde-probe "+command)) {
			t.Errorf("%s --help: exit code %d, want an example:\n%s", command, code, out)
		}
		for line := range strings.Lines(b.out.String()) {
			if len(line) > len("\n")+80 {
				t.Errorf("%s --help: a terminal of 80 columns breaks %q", command, line)
			}
		}
	}
}

func TestColorOnlyOnATerminalThatWantsIt(t *testing.T) {
	for _, tt := range []struct {
		terminal bool
		noColor  string
		want     bool
	}{{true, "", true}, {false, "", false}, {true, "1", false}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.terminal = func(w io.Writer) bool { return tt.terminal && w == b.stdout }
			b.getenv = func(name string) string { return map[string]string{"NO_COLOR": tt.noColor}[name] }
			b.call(t.Context(), "check smtps://mail.example.net")
			if got := strings.Contains(b.out.String(), "\x1b["); got != tt.want {
				t.Errorf("%+v: coloured %v", tt, got)
			}
		})
	}
}

func TestWaitingIsShownOnATerminalAndTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.terminal = func(w io.Writer) bool { return w == b.stderr }
		b.Play(t, ":993", ct.Silence())
		b.call(t.Context(), "check imaps://mail.example.net --family ipv4")
		if got := b.err.String(); got != "waiting for imaps://mail.example.net over ipv4 …\r\x1b[K" {
			t.Errorf("got %q", got)
		}
	})
}
