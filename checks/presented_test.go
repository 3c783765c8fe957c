package checks_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// TestHandshakeIsKept: what a server showed stands in the result, whether it was
// believed or not.
func TestHandshakeIsKept(t *testing.T) {
	for name, want := range map[string]checks.Class{ct.LabName: "", "other.example.net": checks.CertName} {
		synctest.Test(t, func(t *testing.T) {
			lab := ct.NewLab()
			lab.Play(t, ":993", ct.Secure(lab.TLS()), ct.Silence())
			r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
				if err := r.Dial(ctx, lab.Client, checks.IPv4, checks.Endpoint{Host: ct.LabName, Port: 993}); err != nil {
					return err
				}
				return r.Handshake(ctx, &tls.Config{ServerName: name, RootCAs: lab.Env().Roots})
			})
			if r.Class != want || r.TLS == nil || len(r.TLS.Chain) == 0 {
				t.Fatalf("%s: got %+v, want %q and a chain", name, r, want)
			}
			leaf := r.TLS.Chain[0]
			if !strings.Contains(strings.Join(leaf.Names, " "), ct.LabName) || leaf.Issuer == "" || len(leaf.Key) != 64 || !leaf.NotAfter.After(time.Now()) {
				t.Errorf("%s: leaf %+v", name, leaf)
			}
			if (r.TLS.Version == "1.3") != (want == "") {
				t.Errorf("%s: version %q", name, r.TLS.Version)
			}
		})
	}
}

// TestPresentedIsCleanAndBounded whatever a kind puts into it.
func TestPresentedIsCleanAndBounded(t *testing.T) {
	r := checks.Record(t.Context(), time.Minute, func(_ context.Context, r *checks.Recorder) error {
		r.Hide("correct horse")
		r.Present(func(p *checks.Presented) {
			p.Banner = "hello\x1b[2J correct horse"
			for range 1000 {
				p.Capabilities = append(p.Capabilities, strings.Repeat("x", 1000))
			}
		})
		return nil
	})
	p := r.Presented
	if p.Banner != "hello [2J ***" || len(p.Capabilities) != 64 || len([]rune(p.Capabilities[0])) != checks.DetailMax {
		t.Errorf("got %q and %d capabilities", p.Banner, len(p.Capabilities))
	}
}

// TestPresentedTakesNoRoom while a server goes on saying what is kept.
func TestPresentedTakesNoRoom(t *testing.T) {
	checks.Record(t.Context(), time.Minute, func(_ context.Context, r *checks.Recorder) error {
		for range 1000 {
			r.Present(func(p *checks.Presented) { p.Replies = append(p.Replies, "OK [ALERT]") })
		}
		r.Present(func(p *checks.Presented) {
			if len(p.Replies) != 64 || cap(p.Replies) > 200 {
				t.Errorf("%d replies in room for %d, want 64", len(p.Replies), cap(p.Replies))
			}
		})
		return nil
	})
}

// TestSecretsInACertificate are hidden from who has them, and a chain that is
// remembered stays as it was shown.
func TestSecretsInACertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		cfg := &tls.Config{Certificates: []tls.Certificate{lab.CA.Mint(func(c *x509.Certificate) {
			c.Subject.CommonName = "it was correct horse"
		}, ct.LabName, "correct-horse.example.net")}}
		lab.Play(t, ":993", ct.Secure(cfg), ct.Silence())
		trust := checks.Trust{Name: ct.LabName, Roots: lab.Env().Roots, Chains: new(checks.Chains)}
		for _, tt := range []struct{ secret, subject, name string }{
			{"", "it was correct horse", "correct-horse.example.net"},
			{"correct horse", "it was ***", "***-horse.example.net"},
			{"", "it was correct horse", "correct-horse.example.net"},
		} {
			r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, r *checks.Recorder) error {
				if tt.secret != "" {
					r.Hide(tt.secret)
				}
				if err := r.Dial(ctx, lab.Client, checks.IPv4, checks.Endpoint{Host: ct.LabName, Port: 993}); err != nil {
					return err
				}
				return r.Secure(ctx, trust)
			})
			leaf := r.TLS.Chain[0]
			if leaf.Subject != tt.subject || leaf.Names[1] != tt.name || leaf.Names[0] != ct.LabName {
				t.Errorf("hiding %q: shown %q for %q, want %q for %q", tt.secret, leaf.Subject, leaf.Names, tt.subject, tt.name)
			}
		}
	})
}
