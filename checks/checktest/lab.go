package checktest

import (
	"crypto/tls"
	"net"
	"net/netip"

	"varde/checks"
)

// Lab is the smallest world in which a check can be made: one client, one
// server with both families, one authority.
type Lab struct {
	*Internet
	Client, Server *Host
	CA             *CA
}

// LabName is the name of a lab's server.
const LabName = "mail.example.net"

// LabPassword is the password that a lab's Env gives to every login.
const LabPassword = `s3cret "\ pass`

// NewLab returns a lab whose client is 192.0.2.1 and 2001:db8:1::1, and whose
// server is 198.51.100.1 and 2001:db8:2::1.
func NewLab() *Lab {
	n := NewInternet()
	v4, v6 := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:2::1")
	n.Name(LabName, v6, v4)
	return &Lab{
		Internet: n,
		Client:   n.Host(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:1::1")),
		Server:   n.Host(v4, v6),
		CA:       NewCA(),
	}
}

// Env is the world as the lab's client sees it.
func (l *Lab) Env() checks.Env {
	return checks.Env{
		Network:  l.Client,
		Roots:    l.CA.Pool(),
		Password: func(string) (string, error) { return LabPassword, nil },
	}
}

// TLS is what the lab's server shows to those who ask for its name.
func (l *Lab) TLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{l.CA.Certificate(LabName)}}
}

// Listen takes streams at a port of the lab's server, until the test ends.
func (l *Lab) Listen(t TB, address string) net.Listener {
	t.Helper()
	listener, err := l.Server.Listen("tcp", address)
	if err != nil {
		t.Errorf("listen: %v", err)
		return nil
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// Play serves a script at a port of the lab's server, until the test ends.
func (l *Lab) Play(t TB, address string, steps ...Step) {
	t.Helper()
	Serve(t, l.Listen(t, address), Script(steps...))
}
