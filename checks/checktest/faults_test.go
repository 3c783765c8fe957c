package checktest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// shake makes a client shake hands with a script and returns what it says.
func shake(t *testing.T, lab *ct.Lab, steps ...ct.Step) error {
	t.Helper()
	l := lab.Listen(t, ":443")
	ct.Serve(t, l, ct.Script(steps...))
	defer l.Close()
	conn, err := lab.Client.DialContext(t.Context(), "tcp4", "198.51.100.1:443")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return tls.Client(conn, &tls.Config{ServerName: ct.LabName, RootCAs: lab.CA.Pool()}).Handshake()
}

func showing(c tls.Certificate) ct.Step {
	return ct.Secure(&tls.Config{Certificates: []tls.Certificate{c}})
}

func TestWaysToFailAHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		below := lab.CA.Intermediate()
		if err := shake(t, lab, showing(below.Intermediate().Certificate(ct.LabName))); err != nil {
			t.Errorf("two intermediates: %v, want none", err)
		}
		err := shake(t, lab, showing(ct.Alone(below.Certificate(ct.LabName))))
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok || !strings.Contains(err.Error(), "unknown authority") {
			t.Errorf("without the intermediate: %v, want an unknown authority", err)
		}
		err = shake(t, lab, showing(ct.SelfSigned(ct.LabName)))
		v, ok := errors.AsType[*tls.CertificateVerificationError](err)
		if !ok || v.UnverifiedCertificates[0].Subject.String() != v.UnverifiedCertificates[0].Issuer.String() {
			t.Errorf("self-signed: %v, want that certificate refused", err)
		}
		const handshakeFailure = 40
		if err = shake(t, lab, ct.Alert(handshakeFailure)); err == nil || !strings.Contains(err.Error(), "remote error: tls: handshake failure") {
			t.Errorf("alert: %v, want the server's", err)
		}
		if err = shake(t, lab, ct.Secure(ct.OldTLS(lab.TLS()))); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("old TLS: %v, want its version refused", err)
		}
		for _, after := range []int{0, 7, 300} {
			start := time.Now()
			if err = shake(t, lab, ct.Stall(lab.TLS(), after)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
				t.Errorf("stalled after %d bytes: %v after %s, want silence", after, err, time.Since(start))
			}
		}
		if err = shake(t, lab, ct.Send("220 hello\r\n"), ct.Silence()); err == nil || !strings.Contains(err.Error(), "does not look like a TLS handshake") {
			t.Errorf("early plaintext: %v", err)
		}
	})
}

// TestHalfClose ends a stream in one direction, below TLS.
func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		heard := make(chan error, 1)
		lab.Play(t, ":443", ct.Secure(lab.TLS()), ct.HalfClose(), func(p *ct.Peer) error {
			heard <- ct.Expect("still there")(p)
			return nil
		})
		conn, err := lab.Client.DialContext(t.Context(), "tcp4", "198.51.100.1:443")
		if err != nil {
			t.Fatal(err)
		}
		secured := tls.Client(conn, &tls.Config{ServerName: ct.LabName, RootCAs: lab.CA.Pool()})
		if _, err := secured.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("read %v, want the end", err)
		}
		if _, err := secured.Write([]byte("still there\n")); err != nil {
			t.Errorf("write: %v", err)
		}
		if err := <-heard; err != nil {
			t.Errorf("the server: %v", err)
		}
	})
}

// TestDeadFamily leaves the other family and the names alone.
func TestDeadFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Listen(t, ":25")
		lab.Name("six.example.net", netip.MustParseAddr("2001:db8:2::1"))
		for _, tt := range []struct {
			dead      checks.Family
			alive     string
			swallowed string
		}{
			{checks.IPv6, "198.51.100.1:25", "[2001:db8:2::1]:25"},
			{checks.IPv4, "[2001:db8:2::1]:25", "198.51.100.1:25"},
		} {
			lab.Rule(ct.Dead(tt.dead))
			d := func(address string) error {
				conn, err := dialWithin(t, lab.Client, address)
				if err == nil {
					_ = conn.Close()
				}
				return err
			}
			if err := d(tt.alive); err != nil {
				t.Errorf("without %s: %s: %v", tt.dead, tt.alive, err)
			}
			if err := d(tt.swallowed); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("without %s: %s: %v, want silence", tt.dead, tt.swallowed, err)
			}
			if addrs, err := lab.Client.LookupNetIP(t.Context(), "ip6", "six.example.net"); len(addrs) != 1 || err != nil {
				t.Errorf("without %s: got %v, %v, want a name of IPv6 alone", tt.dead, addrs, err)
			}
			if _, err := lab.Client.LookupNetIP(t.Context(), "ip4", "six.example.net"); !checks.IsNoAddress(err) {
				t.Errorf("without %s: %v, want no address of IPv4", tt.dead, err)
			}
		}
	})
}

func dialWithin(t *testing.T, h *ct.Host, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return h.DialContext(ctx, "tcp", address)
}
