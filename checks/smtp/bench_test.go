package smtp_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"log"
	"net"
	stdsmtp "net/smtp"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	server "github.com/emersion/go-smtp"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/smtp"
)

// serverVariable makes this test program the benchmark's server, in a process of
// its own: what it does must not be counted.
const serverVariable = "VARDE_SMTP_BENCH_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		serveBench()
	}
	os.Exit(m.Run())
}

// serveBench says where it listens and with whose certificate, and serves until
// its input ends.
func serveBench() {
	ca := ct.NewCA()
	s := server.NewServer(mailer{})
	s.ErrorLog = log.New(io.Discard, "", 0)
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ca.Certificate("127.0.0.1")}}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		os.Exit(1)
	}
	_, _ = io.WriteString(os.Stdout, l.Addr().String()+" "+base64.StdEncoding.EncodeToString(ca.PEM())+"\n")
	go func() { _ = s.Serve(tls.NewListener(l, s.TLSConfig)) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// startBench starts the server and returns its address and authority.
func startBench(b *testing.B) (address string, roots *x509.CertPool) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
	pem, decodeErr := base64.StdEncoding.DecodeString(encoded)
	roots = x509.NewCertPool()
	if err != nil || decodeErr != nil || !roots.AppendCertsFromPEM(pem) {
		b.Fatalf("the server says %q: %v", line, err)
	}
	return address, roots
}

// bare is what a program does that only wants to log in.
func bare(address string, cfg *tls.Config) error {
	conn, err := tls.Dial("tcp4", address, cfg)
	if err != nil {
		return err
	}
	c, err := stdsmtp.NewClient(conn, "127.0.0.1")
	if err == nil {
		err = c.Auth(stdsmtp.PlainAuth("", "probe", ct.LabPassword, "127.0.0.1"))
	}
	if err != nil {
		_ = conn.Close()
		return err
	}
	return c.Quit()
}

// cost is what one call takes from this process on average.
type cost struct{ cpu, allocs, bytes float64 }

func costOf(b *testing.B, rounds int, do func() error) cost {
	var before, after runtime.MemStats
	var from, until syscall.Rusage
	runtime.ReadMemStats(&before)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &from)
	for range rounds {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &until)
	runtime.ReadMemStats(&after)
	cpu := until.Utime.Nano() + until.Stime.Nano() - from.Utime.Nano() - from.Stime.Nano()
	n := float64(rounds)
	return cost{float64(cpu) / n, float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n}
}

// BenchmarkAttempt puts an attempt with a login beside the standard library's
// client that does the same: TLS, EHLO, AUTH, QUIT.
func BenchmarkAttempt(b *testing.B) {
	address, roots := startBench(b)
	env := checks.Env{Network: &checks.System{}, Roots: roots, Password: func(string) (string, error) { return ct.LabPassword, nil }}
	c, err := smtp.New(checks.Target{
		URL: "smtps://" + address, Every: time.Minute, Login: &checks.Login{User: "probe", Password: login.Password},
	}, env)
	if err != nil {
		b.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
	attempt := func() error {
		if r := c.Attempt(b.Context(), checks.IPv4); r.Outcome != checks.Up {
			return &checks.Failure{Class: r.Class, Detail: r.Detail}
		}
		return nil
	}
	const rounds = 20
	var ours, theirs cost
	for b.Loop() {
		// In turns, so that what else this machine does strikes both.
		ours, theirs = ours.plus(costOf(b, rounds, attempt)), theirs.plus(costOf(b, rounds, func() error { return bare(address, cfg) }))
	}
	n := float64(b.N)
	b.ReportMetric(ours.cpu/n, "cpu-ns/attempt")
	b.ReportMetric(ours.allocs/n, "allocs/attempt")
	b.ReportMetric(ours.cpu/theirs.cpu, "x-cpu")
	b.ReportMetric(ours.allocs/theirs.allocs, "x-allocs")
	b.ReportMetric(ours.bytes/theirs.bytes, "x-bytes")
	if ratio := ours.allocs / theirs.allocs; ratio > 1.3 {
		b.Errorf("%.2f times the allocations of a bare client, expected at most 1.3", ratio)
	}
}

func (c cost) plus(d cost) cost {
	return cost{c.cpu + d.cpu, c.allocs + d.allocs, c.bytes + d.bytes}
}
