package mailpolicy

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"varde/checks/dns"
)

// The parts of a TLSA record (RFC 6698 section 7, RFC 7671 section 2.1) that
// senders of mail use; the certificate usages 0 and 1 are not for them (RFC 7672
// section 3.1.3).
const (
	usageAnchor = "2" // DANE-TA: an authority of the chain
	usageServer = "3" // DANE-EE: the server's own certificate
	wholeOf     = "0" // the selector of a certificate
	keyOf       = "1" // that of its SubjectPublicKeyInfo
	asItIs      = "0" // the matching type of the data themselves
	sha256Of    = "1"
	sha512Of    = "2"
)

// tlsa is what a record says of a certificate, data in lower-case hex.
type tlsa struct{ usage, selector, matching, data string }

// String is the record as people write it, its data cut.
func (r tlsa) String() string {
	return fmt.Sprintf("%s %s %s %.16s…", r.usage, r.selector, r.matching, r.data)
}

func readTLSA(r dns.Record) tlsa {
	if len(r.Fields) != 4 {
		return tlsa{}
	}
	return tlsa{r.Fields[0], r.Fields[1], r.Fields[2], r.Fields[3]}
}

// usable says whether a sender makes anything of the record.
func (r tlsa) usable() bool {
	lengths := map[string]int{sha256Of: sha256.Size, sha512Of: sha512.Size, asItIs: len(r.data) / 2}
	n, known := lengths[r.matching]
	return known && n > 0 && len(r.data) == hex.EncodedLen(n) &&
		(r.usage == usageAnchor || r.usage == usageServer) && (r.selector == wholeOf || r.selector == keyOf)
}

// describes says whether the record is of the certificate.
func (r tlsa) describes(c *x509.Certificate) bool {
	return r.data == fingerprint(r.selector, r.matching, c)
}

// fingerprint is what a record would have for the certificate.
func fingerprint(selector, matching string, c *x509.Certificate) string {
	data := c.Raw
	if selector == keyOf {
		data = c.RawSubjectPublicKeyInfo
	}
	switch matching {
	case sha256Of:
		sum := sha256.Sum256(data)
		data = sum[:]
	case sha512Of:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return hex.EncodeToString(data)
}

// fits says whether the record vouches for the server (RFC 7672 section 3.1).
// The names and dates of a certificate count only under an authority, for the
// server or for the domain. A server is no authority for itself: senders look for
// one above its certificate.
func (r tlsa) fits(chain presented, names ...string) bool {
	if r.usage == usageServer {
		return r.describes(chain[0])
	}
	for _, anchor := range append(slices.Clone(chain[1:]), r.carried()...) {
		roots := x509.NewCertPool()
		roots.AddCert(anchor)
		if r.describes(anchor) && chain.verify(roots, names...) == nil {
			return true
		}
	}
	return false
}

// carried is the authority that stands in the record itself, if one does.
func (r tlsa) carried() presented {
	raw, err := hex.DecodeString(r.data)
	if err != nil || r.matching != asItIs || r.selector != wholeOf {
		return nil
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil
	}
	return presented{c}
}

// dane holds the server to its TLSA records.
func (l *look) dane(ctx context.Context) error {
	if !l.listed {
		return nil
	}
	a, broken, err := l.records(ctx, "_25._tcp."+l.host, dns.TypeTLSA)
	switch {
	case err != nil:
		return err
	case broken != "":
		return l.unanswered(ctx, broken)
	case len(a.Records) == 0, !l.authenticated(a):
		return nil
	}
	var usable []tlsa
	for _, r := range a.Records {
		if one := readTLSA(r); one.usable() {
			usable = append(usable, one)
		}
	}
	if len(usable) == 0 {
		l.found(DANEUnusable, "TLSA of _25._tcp.%s: %d records such as %.64q, expected one of usage 2 or 3, selector 0 or 1, matching type 0, 1 or 2", l.host, len(a.Records), a.Records[0].Data)
		return nil
	}
	return l.vouched(ctx, usable)
}

// unanswered judges a name server that cannot say whether there are TLSA
// records. Senders ask for them only where the server's address is signed (RFC
// 7672 section 2.2.2), and keep the mail then.
func (l *look) unanswered(ctx context.Context, broken string) error {
	address, unknown, err := l.records(ctx, l.host, dns.TypeA)
	if err == nil && unknown == "" && address.Authenticated {
		l.found(DANELookup, "%s: senders keep the mail", broken)
	}
	return err
}

// authenticated says whether senders take the records for signed. Where this
// probe's own resolver verifies nothing they are compared all the same: that is no
// fault of the domain's, and a record that does not fit is worth knowing.
func (l *look) authenticated(a dns.Answer) bool {
	switch {
	case !l.verifies:
	case !a.Authenticated:
		l.found(DANEUnauthenticated, "TLSA of _25._tcp.%s: not signed, expected DNSSEC: senders pass over them", l.host)
	case !l.signed:
		l.found(DANEUnauthenticated, "MX of %s: not signed, expected DNSSEC: senders pass over the TLSA records of %s", l.domain, l.host)
	}
	return !l.verifies || a.Authenticated && l.signed
}

// vouched wants one of the records to fit what the server presents.
func (l *look) vouched(ctx context.Context, records []tlsa) error {
	chain, err := l.certificates(ctx)
	switch {
	case err != nil:
		return err
	case len(chain) == 0:
		l.found(DANEMismatch, "%s does not offer STARTTLS, expected it by its TLSA records", l.host)
	case !slices.ContainsFunc(records, func(r tlsa) bool { return r.fits(chain, l.host, l.domain) }):
		var have []string
		for _, r := range records {
			have = append(have, r.String())
		}
		l.found(DANEMismatch, "TLSA of _25._tcp.%s: %.120s fit no certificate that it presents, expected 3 1 1 %s", l.host, strings.Join(have, ", "), fingerprint(keyOf, sha256Of, chain[0]))
	}
	return nil
}
