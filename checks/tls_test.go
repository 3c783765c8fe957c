package checks_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// TestCertificateForEverybody has names by the ten thousand, which would take far
// more room than on the wire.
func TestCertificateForEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		for port, tt := range map[uint16]struct {
			names int
			class checks.Class
		}{993: {1000, ""}, 995: {20000, checks.ProtocolError}} {
			endpoint := checks.Endpoint{Host: ct.LabName, Port: port}
			cfg := &tls.Config{Certificates: []tls.Certificate{lab.CA.Mint(func(c *x509.Certificate) {
				for range tt.names {
					c.DNSNames = append(c.DNSNames, "ab")
				}
			}, ct.LabName)}}
			lab.Play(t, endpoint.String()[len(ct.LabName):], ct.Secure(cfg), ct.Silence())
			r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
				if err := r.Dial(ctx, lab.Client, checks.IPv4, endpoint); err != nil {
					return err
				}
				return r.Secure(ctx, checks.Trust{Name: ct.LabName, Roots: lab.Env().Roots})
			})
			if r.Class != tt.class || r.Elapsed != 0 || r.Class != "" && r.Detail != "more than 64 kB in one handshake" {
				t.Errorf("%d names: got %q in %s: %q, want %q at once", tt.names, r.Class, r.Elapsed, r.Detail, tt.class)
			}
		}
	})
}

// TestPrivateStream speaks with a server that knows no TLS: only where the stream
// says that nobody can listen is that no failure.
func TestPrivateStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		endpoint := checks.Endpoint{Host: ct.LabName, Port: 993}
		lab.Play(t, ":993", ct.Send("* OK ready\r\n"), ct.Silence())
		for network, want := range map[checks.Network]checks.Class{lab.Client: checks.TLSError, inMemory{lab.Client}: ""} {
			r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
				if err := r.Dial(ctx, network, checks.IPv4, endpoint); err != nil {
					return err
				}
				return r.Secure(ctx, checks.Trust{Name: ct.LabName, Roots: lab.Env().Roots})
			})
			if r.Class != want {
				t.Errorf("%T: got %q, want %q", network, r.Class, want)
			}
		}
	})
}

// inMemory is a network of private streams.
type inMemory struct{ checks.Network }

func (n inMemory) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := n.Network.DialContext(ctx, network, address)
	return private{conn}, err
}

type private struct{ net.Conn }

func (private) InMemoryOnly() {}
