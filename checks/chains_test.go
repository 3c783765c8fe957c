package checks_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// shake asks a lab's server, which has the certificate, once.
func shake(t *testing.T, lab *ct.Lab, port uint16, trust checks.Trust) checks.Result {
	t.Helper()
	return checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
		if err := r.Dial(ctx, lab.Client, checks.IPv4, checks.Endpoint{Host: ct.LabName, Port: port}); err != nil {
			return err
		}
		return r.Secure(ctx, trust)
	})
}

// remembered says whether the second of two results was told from memory: it
// shares what was made of the certificates.
func remembered(a, b checks.Result) bool { return &a.TLS.Chain[0] == &b.TLS.Chain[0] }

func shows(certificate tls.Certificate) ct.Step {
	return ct.Secure(&tls.Config{Certificates: []tls.Certificate{certificate}})
}

// TestChainsRememberTheSameBytesOnly: everything that verification depends on
// makes another chain of it.
func TestChainsRememberTheSameBytesOnly(t *testing.T) {
	const also = "imap.example.net"
	for _, tt := range []struct {
		name   string
		change func(lab *ct.Lab, trust *checks.Trust, c *tls.Certificate)
		want   bool
	}{
		{"nothing", func(*ct.Lab, *checks.Trust, *tls.Certificate) {}, true},
		{"another name", func(_ *ct.Lab, trust *checks.Trust, _ *tls.Certificate) { trust.Name = also }, false},
		{"other authorities", func(lab *ct.Lab, trust *checks.Trust, _ *tls.Certificate) { trust.Roots = lab.CA.Pool() }, false},
		{"no memory", func(_ *ct.Lab, trust *checks.Trust, _ *tls.Certificate) { trust.Chains = nil }, false},
		{"another memory", func(_ *ct.Lab, trust *checks.Trust, _ *tls.Certificate) { trust.Chains = new(checks.Chains) }, false},
		{"another certificate", func(lab *ct.Lab, _ *checks.Trust, c *tls.Certificate) { *c = lab.CA.Certificate(ct.LabName) }, false},
		{"one more certificate", func(lab *ct.Lab, _ *checks.Trust, c *tls.Certificate) {
			c.Certificate = append(c.Certificate, lab.CA.Certificate("other").Certificate[0])
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				c := lab.CA.Certificate(ct.LabName, also)
				lab.Play(t, ":993", shows(c), ct.Silence())
				trust := checks.Trust{Name: ct.LabName, Roots: lab.Env().Roots, Chains: new(checks.Chains)}
				first := shake(t, lab, 993, trust)
				tt.change(lab, &trust, &c)
				lab.Play(t, ":995", shows(c), ct.Silence())
				second := shake(t, lab, 995, trust)
				if first.Outcome != checks.Up || second.Outcome != checks.Up {
					t.Fatalf("got %+v and %+v, want up", first, second)
				}
				if got := remembered(first, second); got != tt.want {
					t.Errorf("remembered: %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// TestChainsEndWithTheirFirstCertificate, be it the server's or one above it.
func TestChainsEndWithTheirFirstCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		end := time.Now().Add(time.Hour).Truncate(time.Second)
		lab.Play(t, ":993", shows(lab.CA.Mint(func(c *x509.Certificate) { c.NotAfter = end }, ct.LabName)), ct.Silence())
		trust := checks.Trust{Name: ct.LabName, Roots: lab.Env().Roots, Chains: new(checks.Chains)}
		first := shake(t, lab, 993, trust)
		time.Sleep(time.Until(end))
		if r := shake(t, lab, 993, trust); r.Outcome != checks.Up || !remembered(first, r) {
			t.Errorf("at its end: got %+v, want up from memory", r)
		}
		time.Sleep(time.Second)
		for range 2 {
			if r := shake(t, lab, 993, trust); r.Class != checks.CertExpired {
				t.Errorf("after its end: got %+v, want cert_expired", r)
			}
		}
	})
}

// TestChainsProveTheKey: whoever has copied a remembered certificate has not
// its key.
func TestChainsProveTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		real := lab.CA.Certificate(ct.LabName)
		copied := tls.Certificate{Certificate: real.Certificate, PrivateKey: lab.CA.Certificate(ct.LabName).PrivateKey}
		lab.Play(t, ":993", shows(real), ct.Silence())
		lab.Play(t, ":995", shows(copied), ct.Silence())
		trust := checks.Trust{Name: ct.LabName, Roots: lab.Env().Roots, Chains: new(checks.Chains)}
		if r := shake(t, lab, 993, trust); r.Outcome != checks.Up {
			t.Fatalf("got %+v, want up", r)
		}
		if r := shake(t, lab, 995, trust); r.Class != checks.TLSError || r.TLS != nil {
			t.Errorf("got %+v, want tls_error and nothing believed", r)
		}
	})
}

// TestChainsOfOneServerAreFew: the oldest gives way, and one that is longer than
// any honest one is not remembered at all.
func TestChainsOfOneServerAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		trust := checks.Trust{Name: ct.LabName, Roots: lab.Env().Roots, Chains: new(checks.Chains)}
		first := map[uint16]checks.Result{}
		ports := []uint16{1, 2, 3, 4, 5}
		for i, port := range ports {
			lab.Play(t, []string{":1", ":2", ":3", ":4", ":5"}[i], shows(lab.CA.Certificate(ct.LabName)), ct.Silence())
			first[port] = shake(t, lab, port, trust)
		}
		for _, port := range []uint16{5, 4, 3, 2, 1} {
			if got := remembered(first[port], shake(t, lab, port, trust)); got != (port > 1) {
				t.Errorf("chain %d remembered: %v", port, got)
			}
		}
		long := lab.CA.Certificate(ct.LabName)
		for size := 0; size < 16<<10; size += len(long.Certificate[0]) {
			long.Certificate = append(long.Certificate, bytes.Clone(long.Certificate[0]))
		}
		lab.Play(t, ":6", shows(long), ct.Silence())
		if a, b := shake(t, lab, 6, trust), shake(t, lab, 6, trust); a.Outcome != checks.Up || remembered(a, b) {
			t.Errorf("a long chain: got %+v, want up and not remembered", b)
		}
	})
}

// TestRefusedChainsAreNotRemembered and say the same every time.
func TestRefusedChainsAreNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, ":993", ct.Secure(lab.TLS()), ct.Silence())
		trust := checks.Trust{Name: ct.LabName, Roots: ct.NewCA().Pool(), Chains: new(checks.Chains)}
		for range 3 {
			if r := shake(t, lab, 993, trust); r.Class != checks.CertUntrusted || r.FailedPhase != checks.TLS || len(r.TLS.Chain) != 1 {
				t.Errorf("got %+v, want cert_untrusted and what was shown", r)
			}
		}
	})
}
