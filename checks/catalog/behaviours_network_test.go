package catalog_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// to is a question over IPv4.
func to(k checks.Kind, url, port string) ask {
	return ask{
		target: checks.Target{ID: "check", Kind: k, URL: url, Every: 10 * time.Minute, Timeout: checks.MaxTimeout},
		family: checks.IPv4, port: port,
	}
}

func (a ask) over(f checks.Family) ask {
	a.family = f
	return a
}

func (a ask) as(l *checks.Login) ask {
	a.target.Login = l
	return a
}

func (a ask) within(d time.Duration) ask {
	a.target.Timeout = d
	return a
}

func (a ask) expects(e checks.Expect) ask {
	a.target.Expect = e
	return a
}

func (a ask) after(c conversation) ask {
	a.before = c
	return a
}

// at are the kinds at a host where everybody has a connection.
func at(host string) []ask {
	all := []ask{
		to(checks.DNS, "dns://"+host+"/example.net?transport=tcp", ":53"),
		to(checks.HTTPS, "https://"+host, ":443"),
		to(checks.IMAP, "imaps://"+host, ":993"),
		to(checks.POP3, "pop3s://"+host, ":995"),
		loop("smtps://" + host),
		to(checks.SMTP, "smtps://"+host, ":465"),
		to(checks.TCP, "tcp://"+host+":2222", ":2222"),
	}
	return all
}

func overIPv6(all []ask) []ask {
	for i := range all {
		all[i] = all[i].over(checks.IPv6)
	}
	return all
}

// nobody is a world in which no server is asked.
func nobody(*testing.T, *ct.Lab, ask) {}

// under is a network that does something to all streams, and never to names.
func under(e ct.Effect) world {
	return func(_ *testing.T, lab *ct.Lab, _ ask) {
		lab.Rule(func(_, _ netip.AddrPort, network string) ct.Effect {
			if network == "tcp" {
				return e
			}
			return ct.Pass
		})
	}
}

// dead is a network in which one family leads nowhere.
func dead(f checks.Family) world {
	return func(_ *testing.T, lab *ct.Lab, _ ask) { lab.Rule(ct.Dead(f)) }
}

// resolving is a resolver to which something is done.
func resolving(e ct.Effect) world {
	return func(_ *testing.T, lab *ct.Lab, _ ask) {
		lab.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
			if to == ct.Resolver() {
				return e
			}
			return ct.Pass
		})
	}
}

// named is a name that has addresses.
func named(name string, addrs ...string) world {
	return func(_ *testing.T, lab *ct.Lab, _ ask) {
		all := make([]netip.Addr, len(addrs))
		for i, a := range addrs {
			all[i] = netip.MustParseAddr(a)
		}
		lab.Name(name, all...)
	}
}

// networks are what happens before there is a server.
func networks() []behaviour {
	const host, other = ct.LabName, "other.example.net"
	const resolve, connect = checks.Resolve, checks.Connect
	return []behaviour{
		{"the resolver is silent", at(host), resolving(ct.Drop), resolve, checks.DNSTimeout, 3 * time.Second},
		{"the resolver fails (SERVFAIL)", at(host), resolving(ct.Refuse), resolve, checks.DNSError, 0},
		{"no such name (NXDOMAIN)", at(other), nobody, resolve, checks.DNSError, 0},
		{"a name without addresses (NODATA)", at(other), named(other), resolve, checks.DNSError, 0},
		{"a name of IPv6 alone, over IPv4", at(other), named(other, "2001:db8:2::1"), resolve, checks.DNSError, 0},
		{"a name of IPv4 alone, over IPv6", overIPv6(at(other)), named(other, "198.51.100.1"), resolve, checks.DNSError, 0},
		{"an address of IPv4, over IPv6", overIPv6(at("198.51.100.1")), nobody, resolve, checks.DNSError, 0},
		{"a name at a private address", at(other), named(other, "10.0.0.1"), resolve, checks.OwnError, 0},
		{"a name at this machine", at(other), named(other, "127.0.0.1"), resolve, checks.OwnError, 0},
		{"a name at a cloud's metadata", at(other), named(other, "169.254.169.254"), resolve, checks.OwnError, 0},
		{"every packet is lost", at(host), under(ct.Drop), connect, checks.ConnectTimeout, 4 * time.Second},
		{"nobody listens", at(host), nobody, connect, checks.ConnectRefused, 0},
		{"a reset instead of a connection", at(host), under(ct.Reset), connect, checks.ConnectReset, 0},
		{"no route", at(host), under(ct.NoRoute), connect, checks.Unreachable, 0},
		{"IPv4 is dead, over IPv4", at(host), dead(checks.IPv4), connect, checks.ConnectTimeout, 4 * time.Second},
		{"IPv6 is dead, over IPv6", overIPv6(at(host)), dead(checks.IPv6), connect, checks.ConnectTimeout, 4 * time.Second},
		{"IPv6 is dead, over IPv4", at(host), dead(checks.IPv6), connect, checks.ConnectRefused, 0},
	}
}

// secured is a kind whose handshake comes first.
func secured(k checks.Kind) ask {
	switch k {
	case checks.HTTPS:
		return to(k, "https://"+ct.LabName, ":443")
	case checks.IMAP:
		return to(k, "imaps://"+ct.LabName, ":993")
	case checks.POP3:
		return to(k, "pop3s://"+ct.LabName, ":995")
	case checks.SMTP:
		return to(k, "smtps://"+ct.LabName, ":465")
	}
	return to(checks.TCP, "tls://"+ct.LabName+":2222", ":2222")
}

// allSecured are the kinds whose handshake comes first, and those in which it
// follows STARTTLS.
func allSecured() []ask {
	return []ask{
		secured(checks.HTTPS),
		secured(checks.IMAP), askIMAP().after(imapStartTLS + "S: a2 OK go\n"),
		secured(checks.POP3), askPOP3().after(pop3StartTLS + "S: +OK go\n"),
		secured(checks.SMTP), askSubmission().after(smtpStartTLS + "S: 220 go\n"), askMX().after(smtpStartTLS + "S: 220 go\n"),
		secured(checks.TCP),
	}
}

// shows is a server that shows a certificate after a second, and then says no
// more.
func shows(mint func(*ct.Lab) tls.Certificate) world {
	return func(t *testing.T, lab *ct.Lab, a ask) {
		cfg := &tls.Config{Certificates: []tls.Certificate{mint(lab)}}
		then("", ct.Wait(time.Second), ct.Secure(cfg), ct.Silence())(t, lab, a)
	}
}

// minted is a certificate of the lab's authority after a change.
func minted(change func(*x509.Certificate), names ...string) world {
	return shows(func(lab *ct.Lab) tls.Certificate { return lab.CA.Mint(change, names...) })
}

// with is a server whose step needs the lab's own certificate.
func with(step func(*tls.Config) ct.Step) world {
	return func(t *testing.T, lab *ct.Lab, a ask) { plays(step(lab.TLS()), ct.Silence())(t, lab, a) }
}

// handshakes are what goes wrong in TLS.
func handshakes() []behaviour {
	const host, phase, wrong = ct.LabName, checks.TLS, checks.TLSError
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }
	early := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }
	fine := func(*x509.Certificate) {}
	fits := func(ca *ct.CA) tls.Certificate { return ca.Certificate(host) }
	alert := func(code uint8) world { return plays(ct.Alert(code), ct.Silence()) }
	stall := func(n int) world {
		return with(func(cfg *tls.Config) ct.Step { return ct.Stall(cfg, n) })
	}
	only := func(version uint16) world {
		return with(func(cfg *tls.Config) ct.Step {
			cfg.MinVersion, cfg.MaxVersion = version, version
			return ct.Secure(cfg)
		})
	}
	all := allSecured()
	return []behaviour{
		{"silent in the handshake", all, plays(ct.Silence()), phase, checks.TLSTimeout, 5 * time.Second},
		{"silent after a byte of the handshake", all, stall(1), phase, checks.TLSTimeout, 5 * time.Second},
		{"silent in its certificate", all, stall(300), phase, checks.TLSTimeout, 5 * time.Second},
		{"a byte of the handshake a second", all, plays(ct.Drip("\x16\x03\x03\x40\x00"+string(make([]byte, 60)), time.Second)), phase, checks.TLSTimeout, 5 * time.Second},
		{"closes in the handshake", all, plays(ct.Wait(time.Second), ct.Hangup()), phase, checks.Closed, time.Second},
		{"half closes in the handshake", all, plays(ct.HalfClose(), ct.Silence()), phase, checks.Closed, 0},
		{"resets in the handshake", all, plays(ct.Wait(time.Second), ct.Break()), phase, checks.Closed, time.Second},
		{"alert: handshake failure", all, alert(40), phase, wrong, 0},
		{"alert: internal error", all, alert(80), phase, wrong, 0},
		{"alert: unrecognised name", all, alert(112), phase, wrong, 0},
		{"garbage of TLS", all, plays(ct.Wait(time.Second), ct.Send("\x16\x03\x03\x00\x04\xff\xff\xff\xff"), ct.Silence()), phase, wrong, time.Second},
		{"endless empty records", all, plays(ct.Wait(time.Second), ct.Flood("\x16\x03\x03\x00\x00")), phase, wrong, time.Second},
		{"a handshake message of 16 MB", all, plays(ct.Wait(time.Second), ct.Send("\x16\x03\x03\x40\x00\x02\xff\xff\xff"), ct.Flood(string(make([]byte, 1<<10)))), phase, wrong, time.Second},
		{"TLS 1.0 alone", all, only(tls.VersionTLS10), phase, wrong, 0},
		{"TLS 1.1 alone", all, only(tls.VersionTLS11), phase, wrong, 0},
		{"expired", all, minted(expired, host), phase, checks.CertExpired, time.Second},
		{"not yet valid", all, minted(early, host), phase, checks.CertExpired, time.Second},
		{"a certificate for another name", all, minted(fine, "www.example.org"), phase, checks.CertName, time.Second},
		{"a certificate for nobody", all, minted(fine), phase, checks.CertName, time.Second},
		{"self-signed", all, shows(func(*ct.Lab) tls.Certificate { return ct.SelfSigned(host) }), phase, checks.CertUntrusted, time.Second},
		{"an authority that nobody trusts", all, shows(func(*ct.Lab) tls.Certificate { return fits(ct.NewCA()) }), phase, checks.CertUntrusted, time.Second},
		{"the intermediate is missing", all, shows(func(l *ct.Lab) tls.Certificate { return ct.Alone(fits(l.CA.Intermediate())) }), phase, checks.CertUntrusted, time.Second},
		{"expired, for another name, of nobody's", all, shows(func(*ct.Lab) tls.Certificate { return ct.NewCA().Mint(expired, "www.example.org") }), phase, checks.CertExpired, time.Second},
		{"NULs and controls in its names", all, minted(func(c *x509.Certificate) { c.Subject.CommonName = "\x00\u202e\x1b[2J" }, "www.example.org"), phase, checks.CertName, time.Second},
		{"the password it once heard in its names", allWithLogin(), shows(knowing), phase, checks.CertName, time.Second},
		{"a thousand names", all, minted(fine, manyNames()...), phase, checks.CertName, time.Second},
	}
}

// allWithLogin are the kinds that log in.
func allWithLogin() []ask {
	return []ask{
		secured(checks.HTTPS).as(login("")), askIMAPS(""), askIMAP().after(imapStartTLS + "S: a2 OK go\n"),
		askPOP3S(""), loop("smtps://" + ct.LabName), askSMTPS(""),
	}
}

// knowing is a certificate that tells what a client has said before.
func knowing(lab *ct.Lab) tls.Certificate {
	return lab.CA.Mint(func(c *x509.Certificate) { c.Subject.CommonName = ct.LabPassword }, "czNjcmV0ICJcIHBhc3M", "www.example.org")
}

// manyNames are whom an odd certificate is for.
func manyNames() []string {
	all := make([]string, 1000)
	for i := range all {
		all[i] = fmt.Sprintf("www%d.example.org", i)
	}
	return all
}
