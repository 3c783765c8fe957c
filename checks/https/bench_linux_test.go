package https_test

import (
	"bufio"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/https"
)

// servesEnv makes the test binary the server of the benchmark.
const servesEnv = "VARDE_BENCHMARK_SERVES"

// TestServe is the server of BenchmarkAttempt in a process of its own, so that
// what it costs is not counted: it prints its address and its authority and
// serves until its standard input ends.
func TestServe(t *testing.T) {
	if os.Getenv(servesEnv) == "" {
		t.Skip("run by BenchmarkAttempt")
	}
	ca := ct.NewCA()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("hello\n", 1000))
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{chain(t, ca)}, NextProtos: []string{os.Getenv(servesEnv)}}
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	fmt.Printf("%s\n%s\n", s.URL, ca.PEM())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// chain is a server's certificate as public authorities give them out: signed by
// an intermediate authority, which is shown too.
func chain(t *testing.T, ca *ct.CA) tls.Certificate {
	middle := ca.Mint(func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	leaf := ca.Certificate("127.0.0.1")
	key, ok := leaf.PrivateKey.(crypto.Signer)
	if !ok {
		t.Fatalf("key is a %T, want a signer", leaf.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf.Leaf, middle.Leaf, key.Public(), middle.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, middle.Certificate[0]}, PrivateKey: key}
}

// served starts a server of one protocol; its address and authority are
// returned.
func served(b *testing.B, protocol string) (url string, authority []byte) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestServe$")
	cmd.Env = append(os.Environ(), servesEnv+"="+protocol)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "" {
		if url == "" {
			url = lines.Text()
			continue
		}
		authority = append(authority, lines.Text()+"\n"...)
	}
	if block, _ := pem.Decode(authority); block == nil {
		b.Fatalf("got %q from the server, want its authority", authority)
	}
	return url, authority
}

// BenchmarkAttempt puts one attempt beside a bare client that does the same, by
// turns against the same server. It reports the costs of the attempt as shares
// of the client's.
func BenchmarkAttempt(b *testing.B) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		for i, chains := range []*checks.Chains{nil, new(checks.Chains)} {
			b.Run(protocol+[]string{"/verifies", "/remembers"}[i], func(b *testing.B) {
				url, authority := served(b, protocol)
				roots := x509.NewCertPool()
				roots.AppendCertsFromPEM(authority)
				c, err := https.New(checks.Target{URL: url, Every: time.Minute}, checks.Env{
					Network: &checks.System{}, Roots: roots, Chains: chains,
				})
				if err != nil {
					b.Fatal(err)
				}
				beside(b, c, func() error { return get(url, roots, protocol == "h2") })
			})
		}
	}
}

func beside(b *testing.B, c checks.Check, bare func() error) {
	var ours, theirs cost
	for b.Loop() {
		theirs.run(func() {
			if err := bare(); err != nil {
				b.Fatal(err)
			}
		})
		ours.run(func() {
			if r := c.Attempt(b.Context(), checks.IPv4); r.Outcome != checks.Up {
				b.Fatalf("got %+v, want up", r)
			}
		})
	}
	allocs := float64(ours.allocs) / float64(theirs.allocs)
	b.ReportMetric(float64(ours.cpu)/float64(theirs.cpu), "x-cpu")
	b.ReportMetric(allocs, "x-allocs")
	b.ReportMetric(float64(ours.bytes)/float64(theirs.bytes), "x-bytes")
	b.ReportMetric(float64(theirs.cpu.Microseconds())/float64(b.N), "bare-cpu-us")
	b.ReportMetric(float64(theirs.allocs)/float64(b.N), "bare-allocs")
	if allocs > 1.2 {
		b.Fatalf("%.2f times the allocations of a bare client, want at most 1.2", allocs)
	}
}

// cost is what one side of the benchmark used.
type cost struct {
	cpu           time.Duration
	allocs, bytes uint64
}

func (c *cost) run(do func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpu()
	do()
	c.cpu += cpu() - start
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
	c.bytes += after.TotalAlloc - before.TotalAlloc
}

// cpu is the time that this process has run, on all cores.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// get is what a Go program does that wants one page over one connection.
func get(url string, roots *x509.CertPool, http2 bool) error {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2, DisableKeepAlives: !http2}
	defer t.CloseIdleConnections()
	answer, err := (&http.Client{Transport: t}).Get(url)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	return answer.Body.Close()
}
