package checks_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
