package imap_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/imap"
)

// serverKey is set in the environment of the process that is the server.
const serverKey = "VARDE_TEST_IMAP_SERVER"

// TestServerOfItsOwn is that process: what it costs must not count. It prints its
// certificate and its address, and ends with its input.
func TestServerOfItsOwn(t *testing.T) {
	if os.Getenv(serverKey) == "" {
		t.Skip("the server of the tests of cost")
	}
	ca := ct.NewCA()
	l, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Certificate("127.0.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%saddress %s\n", ca.PEM(), l.Addr())
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = l.Close()
}

// answer is an honest server that knows one word of each command.
func answer(conn net.Conn) {
	defer conn.Close()
	_, _ = io.WriteString(conn, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n")
	data := map[string]string{
		"CAPABILITY": "* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ IDLE AUTH=PLAIN AUTH=LOGIN\r\n",
		"EXAMINE":    "* FLAGS (\\Answered \\Seen)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 9] ok\r\n",
		"LOGOUT":     "* BYE bye\r\n",
	}
	for in := bufio.NewScanner(conn); in.Scan(); {
		words := strings.Fields(in.Text())
		if len(words) < 2 {
			return
		}
		_, _ = io.WriteString(conn, data[words[1]]+words[0]+" OK done\r\n")
	}
}

// away starts the server and returns its address and its authority.
func away(tb testing.TB) (address, authority string) {
	tb.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerOfItsOwn$")
	cmd.Env = append(os.Environ(), serverKey+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if at, ok := strings.CutPrefix(lines.Text(), "address "); ok {
			return at, authority
		}
		authority += lines.Text() + "\n"
	}
	tb.Fatal("the server has no address")
	return "", ""
}

// cost is what this process spent.
type cost struct {
	cpu    time.Duration
	allocs uint64
}

func (c *cost) add(do func()) {
	before, cpu := spent()
	do()
	after, later := spent()
	c.cpu += later - cpu
	c.allocs += after - before
}

func spent() (allocs uint64, cpu time.Duration) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // of ourselves it cannot fail
	return m.Mallocs, time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// beside returns a function that puts one attempt beside a bare client that says
// the same to the same server. chains is what an agent remembers, or nil.
func beside(tb testing.TB, chains *checks.Chains) (compare func(ours, bare *cost)) {
	tb.Helper()
	address, authority := away(tb)
	target := by("")
	target.URL, target.Every, target.Timeout = "imaps://"+address, time.Minute, time.Minute
	target.CA, target.Expect.Mailbox = &checks.Authority{PEM: []byte(authority)}, "INBOX"
	c, err := imap.New(target, checks.Env{
		Network: &checks.System{}, Chains: chains,
		Password: func(string) (string, error) { return "secret", nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(authority)) {
		tb.Fatalf("no authority in %q", authority)
	}
	return func(ours, bare *cost) {
		bare.add(func() { bareClient(tb, address, &tls.Config{ServerName: "127.0.0.1", RootCAs: roots}) })
		ours.add(func() {
			if r := c.Attempt(tb.Context(), checks.IPv4); r.Outcome != checks.Up || len(r.Phases) != 8 {
				tb.Fatalf("got %+v", r)
			}
		})
	}
}

// bareClient asks what an attempt asks and looks at nothing.
func bareClient(tb testing.TB, address string, cfg *tls.Config) {
	base, err := net.DialTimeout("tcp4", address, time.Minute)
	if err != nil {
		tb.Fatal(err)
	}
	conn := tls.Client(base, cfg)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(conn)
	await(tb, in, "*")
	for i, command := range []string{
		"CAPABILITY", "AUTHENTICATE PLAIN AHByb2JlQGV4YW1wbGUubmV0AHNlY3JldA==", `EXAMINE "INBOX"`, "NOOP", "LOGOUT",
	} {
		tag := fmt.Sprintf("a%d", i+1)
		if _, err := io.WriteString(conn, tag+" "+command+"\r\n"); err != nil {
			tb.Fatal(err)
		}
		await(tb, in, tag)
	}
}

func await(tb testing.TB, in *bufio.Reader, tag string) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			tb.Fatal(err)
		}
		if strings.HasPrefix(line, tag+" OK") {
			return
		}
	}
}

// allocsMax is how many times as often as the bare client an attempt may
// allocate. Unlike time, that is the same on every machine.
const allocsMax = 1.3

func TestAllocationsBesideABareClient(t *testing.T) {
	compare := beside(t, nil)
	compare(new(cost), new(cost)) // what is made once
	var ours, bare cost
	for range 20 {
		compare(&ours, &bare)
	}
	if ratio := float64(ours.allocs) / float64(bare.allocs); ratio > allocsMax {
		t.Errorf("%.2f times the allocations of a bare client, expected at most %.1f", ratio, allocsMax)
	}
}

// BenchmarkAttempt reports what an attempt with TLS, login and mailbox costs
// beside a bare client; the server's part is not counted.
func BenchmarkAttempt(b *testing.B) {
	for name, chains := range map[string]*checks.Chains{"verified": nil, "remembered": new(checks.Chains)} {
		b.Run(name, func(b *testing.B) {
			compare := beside(b, chains)
			compare(new(cost), new(cost)) // what is made once
			var ours, bare cost
			for b.Loop() {
				compare(&ours, &bare)
			}
			b.ReportMetric(float64(ours.cpu)/float64(bare.cpu), "cpu-ratio")
			b.ReportMetric(float64(ours.allocs)/float64(bare.allocs), "allocs-ratio")
			b.ReportMetric(float64(bare.cpu.Microseconds())/float64(b.N), "bare-us")
			b.ReportMetric(float64(ours.allocs)/float64(b.N), "our-allocs")
		})
	}
}
