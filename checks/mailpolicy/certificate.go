package mailpolicy

import (
	"context"
	"crypto/x509"
	"fmt"

	"varde/checks"
)

// presented are the certificates of a server, its own first; none where it
// offers no TLS.
type presented []*x509.Certificate

// certificates asks the server once, when somebody wants to know.
func (l *look) certificates(ctx context.Context) (presented, error) {
	if l.shown != nil {
		return *l.shown, nil
	}
	var chain presented
	r := either(func(f checks.Family) (r checks.Result) {
		chain, r = l.smtp.Certificates(ctx, f)
		return r
	})
	if r.Outcome != checks.Up {
		return nil, fmt.Errorf("certificate of %s: %s", l.host, words(r))
	}
	l.shown = &chain
	return chain, nil
}

// verify says whether the chain leads from an authority to a certificate for one
// of the names.
func (p presented) verify(roots *x509.CertPool, names ...string) (err error) {
	intermediates := x509.NewCertPool()
	for _, c := range p[1:] {
		intermediates.AddCert(c)
	}
	for _, name := range names {
		if _, err = p[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: intermediates}); err == nil {
			return nil
		}
	}
	return err
}
