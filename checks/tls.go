package checks

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// handshakeClass names what went wrong in a handshake that ended in time.
func handshakeClass(err error) (Class, string) {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificateClass(v, time.Now())
	}
	if h, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return TLSError, "not TLS: " + h.Msg
	}
	if words, ok := alert(err); ok {
		return TLSError, "the server refused the handshake: " + words
	}
	return TLSError, strings.TrimPrefix(err.Error(), "tls: ")
}

// alert returns the words of an alert that the server sent. With TLS 1.3 one
// about the handshake may come after it.
func alert(err error) (words string, ok bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return "", false
	}
	return strings.TrimPrefix(op.Err.Error(), "tls: "), true
}

// certificateClass names the first fault that applies: its dates, its names,
// then who signed it. The order is ours, not that in which verification
// happens to look.
func certificateClass(v *tls.CertificateVerificationError, now time.Time) (Class, string) {
	if len(v.UnverifiedCertificates) == 0 {
		return CertUntrusted, v.Err.Error()
	}
	leaf := v.UnverifiedCertificates[0]
	switch {
	case now.After(leaf.NotAfter):
		return CertExpired, "the certificate expired on " + date(leaf.NotAfter)
	case now.Before(leaf.NotBefore):
		return CertExpired, "the certificate is not valid before " + date(leaf.NotBefore)
	}
	if host, ok := errors.AsType[x509.HostnameError](v.Err); ok {
		return CertName, fmt.Sprintf("the certificate is for %s, not %s", names(leaf), host.Host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](v.Err); ok && invalid.Reason == x509.Expired {
		return CertExpired, "a certificate of its chain has expired"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](v.Err); ok {
		return CertUntrusted, fmt.Sprintf("signed by %q, which is not trusted here", issuer(leaf))
	}
	return CertUntrusted, strings.TrimPrefix(v.Err.Error(), "x509: ")
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// names lists whom a certificate is for, at most three of them.
func names(c *x509.Certificate) string {
	all := allNames(c)
	switch {
	case len(all) == 0:
		return "nobody"
	case len(all) > 3:
		return fmt.Sprintf("%s and %d more", strings.Join(all[:3], ", "), len(all)-3)
	}
	return strings.Join(all, ", ")
}

// allNames are whom a certificate is for.
func allNames(c *x509.Certificate) []string {
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

func issuer(c *x509.Certificate) string {
	return cmp.Or(c.Issuer.CommonName, c.Issuer.String())
}

func subject(c *x509.Certificate) string {
	return cmp.Or(c.Subject.CommonName, c.Subject.String())
}
