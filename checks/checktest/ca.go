package checktest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// CA is a certificate authority that lives as long as the test. Mint it inside
// the bubble: a certificate's dates are those of the clock it was made by.
type CA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	above       [][]byte // certificates that a server must show to lead to the root
}

// Lifetimes: everything is valid from an hour ago and longer than any test runs.
const (
	backdated = time.Hour
	lifetime  = 10 * 365 * 24 * time.Hour
)

// NewCA makes an authority with a key of its own.
func NewCA() *CA {
	ca := &CA{key: newKey()}
	template := authority("checktest authority")
	der := must(x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key))
	ca.certificate = must(x509.ParseCertificate(der))
	return ca
}

// Intermediate is an authority that this one vouches for. What it mints holds its
// own certificate too; Alone takes that away.
func (ca *CA) Intermediate() *CA {
	below := &CA{key: newKey()}
	der := must(x509.CreateCertificate(rand.Reader, authority("checktest intermediate"), ca.certificate, below.key.Public(), ca.key))
	below.certificate = must(x509.ParseCertificate(der))
	below.above = append([][]byte{der}, ca.above...)
	return below
}

// Alone is a server's certificate without those that lead from it to a root.
func Alone(c tls.Certificate) tls.Certificate {
	c.Certificate = c.Certificate[:1]
	return c
}

// SelfSigned is a server's certificate that nobody vouches for but itself.
func SelfSigned(names ...string) tls.Certificate {
	key := newKey()
	template := server(names)
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: must(x509.ParseCertificate(der))}
}

// Pool is a pool that holds this authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.certificate)
	return pool
}

// PEM is the authority's certificate.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.certificate.Raw})
}

// Certificate is a server's certificate for the given names and addresses.
func (ca *CA) Certificate(names ...string) tls.Certificate {
	return ca.Mint(func(*x509.Certificate) {}, names...)
}

// Mint is Certificate after change has had its way with the template, e.g. to
// make one that has expired.
func (ca *CA) Mint(change func(*x509.Certificate), names ...string) tls.Certificate {
	key := newKey()
	template := server(names)
	change(template)
	der := must(x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key))
	chain := append([][]byte{der}, ca.above...)
	return tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: must(x509.ParseCertificate(der))}
}

func authority(name string) *x509.Certificate {
	t := template(name)
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return t
}

func server(names []string) *x509.Certificate {
	t := template("checktest server")
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return t
}

func template(name string) *x509.Certificate {
	now := time.Now().UTC()
	return &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdated),
		NotAfter:     now.Add(lifetime),
	}
}

func newKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// must unwraps what only fails when the program is wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("checktest: %v", err))
	}
	return v
}
