package checktest_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
)

func TestScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := world()
		ca := checktest.NewCA()
		cfg := &tls.Config{Certificates: []tls.Certificate{ca.Certificate("mail.example.net")}}
		checktest.Serve(t, listen(t, server, ":25"), checktest.Script(
			checktest.Wait(time.Second), checktest.Send("220 hello\r\n"), checktest.Expect("starttls"),
			checktest.Send("220 go\r\n"), checktest.Secure(cfg), checktest.Drip("ok\n", time.Second),
		))
		start := time.Now()
		conn, err := client.DialContext(t.Context(), "tcp4", "198.51.100.1:25")
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(conn)
		line, _ := lines.ReadString('\n')
		_, _ = io.WriteString(conn, "STARTTLS\r\n")
		answer, _ := lines.ReadString('\n')
		secured := tls.Client(conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "mail.example.net"})
		rest, err := io.ReadAll(secured)
		if line != "220 hello\r\n" || answer != "220 go\r\n" || string(rest) != "ok\n" || err != nil {
			t.Errorf("got %q, %q, %q, %v", line, answer, rest, err)
		}
		if got := time.Since(start); got != 4*time.Second {
			t.Errorf("took %s, want 4s", got)
		}
	})
}

func TestMintedCertificatesVerifyAtTheBubblesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, other := checktest.NewCA(), checktest.NewCA()
		leaf := ca.Certificate("mail.example.net", "192.0.2.1").Leaf
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), DNSName: "192.0.2.1"}); err != nil {
			t.Errorf("own authority: %v", err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: other.Pool()}); err == nil {
			t.Error("another authority accepts it")
		}
	})
}
