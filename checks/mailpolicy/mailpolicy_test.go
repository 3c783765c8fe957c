package mailpolicy_test

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/mailpolicy"
)

const (
	domain = "example.net"
	host   = ct.LabName
)

// world is what a domain publishes and its server shows. The zero value is a
// domain with an MX record, signed, and a server with a good certificate.
type world struct {
	// mx and more are records, the latter made from the presented chain.
	mx   []string
	more func(chain []*x509.Certificate) []string
	// unsigned are the names whose records are not, unverified a resolver that
	// does not care.
	unsigned   []string
	unverified bool
	// failing are names for which the resolver says SERVFAIL.
	failing []string
	// page is what the policy's host says to a request, policyFor whom its
	// certificate is for.
	page      []ct.Step
	policyFor string
	// mint makes the server's certificate, session what it says.
	mint    func(*ct.Lab) tls.Certificate
	session func(*ct.Lab, *tls.Config) []ct.Step
}

// good is a conversation with STARTTLS.
func good(_ *ct.Lab, cfg *tls.Config) []ct.Step {
	return []ct.Step{
		ct.Send("220 hi\r\n"), ct.Expect("EHLO"), ct.Send("250-x\r\n250 STARTTLS\r\n"), ct.Expect("STARTTLS"), ct.Send("220 go\r\n"),
		ct.Secure(cfg), ct.Expect("EHLO"), ct.Send("250 x\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n"),
	}
}

func plaintext(*ct.Lab, *tls.Config) []ct.Step {
	return []ct.Step{ct.Send("220 hi\r\n"), ct.Expect("EHLO"), ct.Send("250 x\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n")}
}

// answer is a page.
func answer(status, contentType, body string) []ct.Step {
	return []ct.Step{
		ct.Skip("GET /.well-known/mta-sts.txt HTTP/1.1", "Host: mta-sts.example.net\r\n"),
		ct.Send("HTTP/1.1 " + status + "\r\nContent-Type: " + contentType + "\r\nConnection: close\r\n\r\n" + body),
	}
}

func policy(body string) []ct.Step { return answer("200 OK", "text/plain; charset=utf-8", body) }

// announcing is the record of a policy beside others.
func announcing([]*x509.Certificate) []string {
	return []string{`_mta-sts.example.net. 300 IN TXT "some other record"`, `_mta-sts.example.net. 300 IN TXT "v=STSv1; id=20260101"`}
}

// chained is the server's certificate with the authority that signed it.
func chained(l *ct.Lab, change func(*x509.Certificate), names ...string) tls.Certificate {
	c := l.CA.Mint(change, names...)
	c.Certificate = append(c.Certificate, authority(l).Raw)
	return c
}

func authority(l *ct.Lab) *x509.Certificate {
	block, _ := pem.Decode(l.CA.PEM())
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		panic(err)
	}
	return c
}

// look has a look at a world.
func look(t *testing.T, w world) (found []string, took time.Duration, failed error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		if w.mint == nil {
			w.mint = func(l *ct.Lab) tls.Certificate { return chained(l, func(*x509.Certificate) {}, host) }
		}
		shown := w.mint(lab)
		w.serve(t, lab, shown)
		target := checks.Target{
			URL: "smtp://" + strings.ToUpper(host) + ".", Every: time.Minute,
			Login:       &checks.Login{User: "probe", Password: checks.Secret{Name: "x"}},
			CA:          &checks.Authority{PEM: ct.NewCA().PEM()},
			MailOptions: checks.MailOptions{Domain: "Example.net.", From: "a@example.net", To: "a@example.net"},
		}
		s, err := mailpolicy.New(target, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		list, err := s.Look(t.Context())
		took, failed = time.Since(start), err
		for _, f := range list {
			found = append(found, f.Code+": "+f.Detail)
		}
	})
	return found, took, failed
}

func (w world) serve(t *testing.T, lab *ct.Lab, shown tls.Certificate) {
	t.Helper()
	session := w.session
	if session == nil {
		session = good
	}
	lab.Play(t, ":25", session(lab, &tls.Config{Certificates: []tls.Certificate{shown}})...)
	web := lab.Host(netip.MustParseAddr("198.51.100.2"))
	lab.Name("mta-sts.example.net", web.Addrs()...)
	if w.page != nil {
		name := w.policyFor
		if name == "" {
			name = "mta-sts.example.net"
		}
		l, err := web.Listen("tcp", ":443")
		if err != nil {
			t.Fatal(err)
		}
		cfg := &tls.Config{Certificates: []tls.Certificate{lab.CA.Certificate(name)}}
		ct.Serve(t, l, ct.Script(slices.Concat([]ct.Step{ct.Secure(cfg)}, w.page)...))
	}
	resolver := lab.Host(ct.Resolver().Addr())
	ct.ServeNames(t, resolver, w.names(chainOf(shown)))
}

func chainOf(c tls.Certificate) (chain []*x509.Certificate) {
	for _, der := range c.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		chain = append(chain, one)
	}
	return chain
}

// names answers from the records of the world.
func (w world) names(chain []*x509.Certificate) ct.Answering {
	records := []string{
		". 300 IN SOA a.root-servers.net. nstld.example. 1 1 1 1 1", "example.net. 300 IN TXT \"v=spf1 -all\"", host + ". 300 IN A 198.51.100.1",
	}
	if w.mx == nil {
		w.mx = []string{"example.net. 300 IN MX 10 mx2.example.net.", "example.net. 300 IN MX 20 Mail.example.NET."}
	}
	records = append(records, w.mx...)
	if w.more != nil {
		records = append(records, w.more(chain)...)
	}
	plain := ct.Zone(records...)
	signed := ct.Authenticated(plain)
	return func(question []byte, network string, say func([]byte)) {
		asked := name(question)
		switch {
		case slices.Contains(w.failing, asked):
			plain(question, network, func(m []byte) {
				m[3] = m[3]&0xf0 | 2 // SERVFAIL
				say(m)
			})
		case w.unverified || slices.Contains(w.unsigned, asked):
			plain(question, network, say)
		default:
			signed(question, network, say)
		}
	}
}

// name is whom a message asks for, in lower case.
func name(question []byte) string {
	var labels []string
	for rest := question[12:]; rest[0] > 0; rest = rest[1+rest[0]:] {
		labels = append(labels, strings.ToLower(string(rest[1:1+rest[0]])))
	}
	return strings.Join(labels, ".")
}

// want compares findings, which may end in "…" where what follows is random.
func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	fits := func(got, want string) bool {
		start, cut := strings.CutSuffix(want, "…")
		return got == want || cut && strings.HasPrefix(got, start)
	}
	if !slices.EqualFunc(got, want, fits) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMXRecords(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mx      []string
		failing []string
		want    []string
	}{
		{name: "listed"},
		{name: "alone", mx: []string{"example.net. 300 IN MX 0 mail.example.net."}},
		{name: "elsewhere", mx: []string{"example.net. 300 IN MX 0 mx.example.org."}, want: []string{
			"mx_missing: mail for example.net goes to mx.example.org, expected mail.example.net among them",
		}},
		{name: "nowhere", mx: []string{"example.net. 300 IN MX 0 ."}, want: []string{
			"mx_missing: mail for example.net goes to , expected mail.example.net among them",
		}},
		{name: "to itself", mx: []string{"example.net. 300 IN A 198.51.100.1"}, want: []string{
			"mx_missing: mail for example.net goes to example.net, expected mail.example.net among them",
		}},
		{name: "broken", failing: []string{"example.net"}, want: []string{
			"mx_missing: MX of example.net: SERVFAIL for example.net, expected records or the answer that there are none",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, took, err := look(t, world{mx: tt.mx, failing: tt.failing})
			if want(t, got, tt.want...); err != nil || took != 0 {
				t.Errorf("got %v after %s, want an answer at once", err, took)
			}
		})
	}
}

const enforced = "version: STSv1\r\nmode: enforce\r\nmx: *.example.net\r\nmax_age: 86400\r\n"

func TestMTASTS(t *testing.T) {
	const at = "https://mta-sts.example.net/.well-known/mta-sts.txt: "
	for _, tt := range []struct {
		name string
		world
		took time.Duration
		want []string
	}{
		{"fits", world{page: policy(enforced)}, 0, nil},
		{"is tested", world{page: policy(strings.Replace(enforced, "enforce", "testing", 1))}, 0, nil},
		{"is being withdrawn", world{page: policy("version: STSv1\nmode: none\nmax_age: 1\n"), session: plaintext}, 0, nil},
		{"names the server", world{page: policy(strings.Replace(enforced, "*.", "MAIL.", 1))}, 0, nil},
		{
			"names others",
			world{page: policy(strings.Replace(enforced, "*.", "mx.", 1))},
			0,
			[]string{`mta_sts_mx_mismatch: the policy of example.net (mode enforce) allows mx "mx.example.net", expected mail.example.net among them`},
		},
		{
			"is no policy",
			world{page: policy("<html>")},
			0,
			[]string{"mta_sts_policy_invalid: " + at + `the line "<html>", expected key: value`},
		},
		{
			"is a page",
			world{page: answer("200 OK", "text/html", enforced)},
			0,
			[]string{"mta_sts_policy_invalid: " + at + `Content-Type "text/html", expected text/plain`},
		},
		{
			"is endless",
			world{page: append(policy(enforced), ct.Flood(strings.Repeat("x", 1000)+"\n"))},
			0,
			[]string{"mta_sts_policy_invalid: " + at + "more than 64 kB, expected a policy"},
		},
		{
			"has an endless header",
			world{page: []ct.Step{ct.Skip("GET"), ct.Send("HTTP/1.1 200 OK\r\n"), ct.Flood("X: " + strings.Repeat("y", 1000) + "\r\n")}},
			0,
			[]string{"mta_sts_policy_unreachable: " + at + "a header of more than 128 kB (protocol_error)"},
		},
		{
			"is elsewhere",
			world{page: answer("301 Moved Permanently", "text/plain", "")},
			0,
			[]string{"mta_sts_policy_unreachable: " + at + "status 301, expected 200 and no redirect (http_status)"},
		},
		{
			"is gone",
			world{page: answer("404 Not Found", "text/plain", "")},
			0,
			[]string{"mta_sts_policy_unreachable: " + at + "status 404, expected 200 and no redirect (http_status)"},
		},
		{
			"is nobody's",
			world{page: policy(enforced), policyFor: "www.example.net"},
			0,
			[]string{"mta_sts_policy_unreachable: " + at + "the certificate is for www.example.net, not mta-sts.example.net (cert_name)"},
		},
		{
			"has no server",
			world{},
			0,
			[]string{"mta_sts_policy_unreachable: " + at + "connection refused (connect_refused)"},
		},
		{
			"does not come",
			world{page: []ct.Step{ct.Silence()}},
			5 * time.Second,
			[]string{"mta_sts_policy_unreachable: " + at + "no answer to the request within 5s (command_timeout)"},
		},
		{
			"comes by the byte",
			world{page: []ct.Step{ct.Drip("HTTP/1.1 200 OK\r\n", time.Second)}},
			5 * time.Second,
			[]string{"mta_sts_policy_unreachable: " + at + "answer to the request not complete within 5s…"},
		},
		{
			"has a server without TLS",
			world{page: policy(enforced), session: plaintext},
			0,
			[]string{"mta_sts_certificate: mail.example.net does not offer STARTTLS, expected it by the policy of example.net (mode enforce)"},
		},
		{
			"has a server with another name",
			world{page: policy(enforced), mint: func(l *ct.Lab) tls.Certificate {
				return l.CA.Certificate("mx.example.org")
			}},
			0,
			[]string{"mta_sts_certificate: mail.example.net: certificate is valid for mx.example.org, not mail.example.net, expected a certificate for it by the policy of example.net (mode enforce)"},
		},
		{
			"has a server that nobody vouches for",
			world{page: policy(enforced), mint: func(*ct.Lab) tls.Certificate {
				return ct.NewCA().Certificate(host)
			}},
			0,
			[]string{"mta_sts_certificate: mail.example.net: signed by an authority that is not trusted here, expected a certificate for it by the policy of example.net (mode enforce)"},
		},
		{
			"is of a domain whose mail goes elsewhere",
			world{page: policy(enforced), mx: []string{"example.net. 300 IN MX 0 mx.example.org."}, session: plaintext},
			0,
			[]string{"mx_missing: mail for example.net goes to mx.example.org, expected mail.example.net among them"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.more = announcing
			got, took, err := look(t, tt.world)
			if want(t, got, tt.want...); err != nil || took != tt.took {
				t.Errorf("got %v after %s, want an answer after %s", err, took, tt.took)
			}
		})
	}
}

func TestMTASTSRecord(t *testing.T) {
	for _, tt := range []struct {
		name    string
		records []string
		failing []string
		want    []string
	}{
		{name: "another", records: []string{`_mta-sts.example.net. 300 IN TXT "v=spf1 -all"`}},
		{name: "without an id", records: []string{`_mta-sts.example.net. 300 IN TXT "v=STSv1;"`}, want: []string{
			"mta_sts_record: TXT of _mta-sts.example.net: 0 ids, expected one: v=STSv1; id=ID;",
		}},
		{name: "twice", records: []string{`_mta-sts.example.net. 300 IN TXT "v=STSv1; id=1"`, `_mta-sts.example.net. 300 IN TXT "v=STSv1; " "id=2;"`}, want: []string{
			"mta_sts_record: TXT of _mta-sts.example.net: 2 records of v=STSv1, expected one",
		}},
		{name: "broken", failing: []string{"_mta-sts.example.net"}, want: []string{
			"mta_sts_record: TXT of _mta-sts.example.net: SERVFAIL for _mta-sts.example.net, expected records or the answer that there are none",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, took, err := look(t, world{more: func([]*x509.Certificate) []string { return tt.records }, failing: tt.failing})
			if want(t, got, tt.want...); err != nil || took != 0 {
				t.Errorf("got %v after %s, want an answer at once", err, took)
			}
		})
	}
}

// record is a TLSA record of a certificate.
func record(parts string, c *x509.Certificate) string {
	words := strings.Fields(parts)
	data := c.Raw
	if words[1] == "1" {
		data = c.RawSubjectPublicKeyInfo
	}
	switch words[2] {
	case "1":
		sum := sha256.Sum256(data)
		data = sum[:]
	case "2":
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return "_25._tcp.mail.example.net. 300 IN TLSA " + parts + " " + hex.EncodeToString(data)
}

func TestDANE(t *testing.T) {
	own := func(parts string) func([]*x509.Certificate) []string {
		return func(chain []*x509.Certificate) []string { return []string{record(parts, chain[0])} }
	}
	anchor := func(parts string) func([]*x509.Certificate) []string {
		return func(chain []*x509.Certificate) []string { return []string{record(parts, chain[len(chain)-1])} }
	}
	fixed := func(data ...string) func([]*x509.Certificate) []string {
		return func([]*x509.Certificate) (all []string) {
			for _, d := range data {
				all = append(all, "_25._tcp.mail.example.net. 300 IN TLSA "+d)
			}
			return all
		}
	}
	zeros := strings.Repeat("00", 32)
	expired := func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(time.Minute) }
	mismatch := func(records string) []string {
		return []string{"dane_mismatch: TLSA of _25._tcp.mail.example.net: " + records + " fit no certificate that it presents, expected 3 1 1 …"}
	}
	for _, tt := range []struct {
		name string
		world
		want []string
	}{
		{"key of its own", world{more: own("3 1 1")}, nil},
		{"key of its own by SHA-512", world{more: own("3 1 2")}, nil},
		{"key of its own in full", world{more: own("3 1 0")}, nil},
		{"certificate of its own", world{more: own("3 0 1")}, nil},
		{"certificate of its own in full", world{more: own("3 0 0")}, nil},
		{"of its own, whoever signed it", world{more: own("3 1 1"), mint: func(*ct.Lab) tls.Certificate {
			return ct.NewCA().Mint(expired, "elsewhere.example.org")
		}}, nil},
		{"an authority", world{more: anchor("2 0 1")}, nil},
		{"the key of an authority", world{more: anchor("2 1 1")}, nil},
		{"its own certificate as an authority", world{more: own("2 0 1")}, []string{"dane_mismatch: TLSA of _25._tcp.mail.example.net: 2 0 1 …"}},
		{"an authority and the domain", world{more: anchor("2 0 1"), mint: func(l *ct.Lab) tls.Certificate {
			return chained(l, func(*x509.Certificate) {}, domain)
		}}, nil},
		{"beside an old one and an odd one", world{more: func(chain []*x509.Certificate) []string {
			return append(fixed("3 1 1 "+zeros, "1 1 1 "+zeros)(chain), own("3 1 1")(chain)...)
		}}, nil},
		{"an old one", world{more: fixed("3 1 1 " + zeros)}, mismatch("3 1 1 0000000000000000…")},
		{"two old ones", world{more: fixed("3 1 1 "+zeros, "2 0 2 "+zeros+zeros)}, mismatch("3 1 1 0000000000000000…, 2 0 2 0000000000000000…")},
		{"an authority, expired", world{more: anchor("2 0 1"), mint: func(l *ct.Lab) tls.Certificate { return chained(l, expired, host) }}, []string{"dane_mismatch: TLSA of _25._tcp.mail.example.net: 2 0 1 …"}},
		{"an authority, for another", world{more: anchor("2 0 1"), mint: func(l *ct.Lab) tls.Certificate {
			return chained(l, func(*x509.Certificate) {}, "mx.example.org")
		}}, []string{"dane_mismatch: TLSA of _25._tcp.mail.example.net: 2 0 1 …"}},
		{"without TLS", world{more: own("3 1 1"), session: plaintext}, []string{
			"dane_mismatch: mail.example.net does not offer STARTTLS, expected it by its TLSA records",
		}},
		{"of no use to mail", world{more: fixed("1 1 1 "+zeros, "0 0 1 "+zeros)}, []string{
			`dane_unusable: TLSA of _25._tcp.mail.example.net: 2 records such as "1 1 1 ` + zeros[:58] + `", expected one of usage 2 or 3, selector 0 or 1, matching type 0, 1 or 2`,
		}},
		{"too short", world{more: fixed("3 1 1 0a")}, []string{`dane_unusable: TLSA of _25._tcp.mail.example.net: 1 records such as "3 1 1 0a", expected one…`}},
		{"unknown selector", world{more: fixed("3 7 1 " + zeros)}, []string{"dane_unusable: …"}},
		{"unknown matching type", world{more: fixed("3 1 9 " + zeros)}, []string{"dane_unusable: …"}},
		{"not signed", world{more: own("3 1 1"), unsigned: []string{"_25._tcp.mail.example.net"}}, []string{
			"dane_unauthenticated: TLSA of _25._tcp.mail.example.net: not signed, expected DNSSEC: senders pass over them",
		}},
		{"of a domain that is not signed", world{more: own("3 1 1"), unsigned: []string{"example.net"}}, []string{
			"dane_unauthenticated: MX of example.net: not signed, expected DNSSEC: senders pass over the TLSA records of mail.example.net",
		}},
		{"with a resolver that verifies nothing", world{more: own("3 1 1"), unverified: true}, nil},
		{"an old one, with such a resolver", world{more: fixed("3 1 1 " + zeros), unverified: true}, mismatch("3 1 1 0000000000000000…")},
		{"broken", world{failing: []string{"_25._tcp.mail.example.net"}}, []string{
			"dane_lookup: TLSA of _25._tcp.mail.example.net: SERVFAIL for _25._tcp.mail.example.net, expected records or the answer that there are none: senders keep the mail",
		}},
		{"broken where nobody asks", world{failing: []string{"_25._tcp.mail.example.net"}, unsigned: []string{host}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, took, err := look(t, tt.world)
			if want(t, got, tt.want...); err != nil || took != 0 {
				t.Errorf("got %v after %s, want an answer at once", err, took)
			}
		})
	}
}

// TestAuthorityInTheRecord: the server need not send an authority that stands in
// the record in full.
func TestAuthorityInTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		w := world{more: func([]*x509.Certificate) []string { return []string{record("2 0 0", authority(lab))} }}
		w.serve(t, lab, lab.CA.Certificate(host))
		s, err := mailpolicy.New(checks.Target{URL: "smtp://" + host, Every: time.Minute, MailOptions: checks.MailOptions{Domain: domain}}, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Look(t.Context()); err != nil || len(got) > 0 {
			t.Errorf("got %v, %v, want that all is well", got, err)
		}
	})
}

// TestOneConnectionForBoth: the server is asked once for everybody who wants to
// know its certificate, and by nobody where nobody does.
func TestOneConnectionForBoth(t *testing.T) {
	both := func(chain []*x509.Certificate) []string { return append(announcing(chain), record("3 1 1", chain[0])) }
	for _, tt := range []struct {
		more func([]*x509.Certificate) []string
		want int
	}{{both, 1}, {func([]*x509.Certificate) []string { return nil }, 0}} {
		asked := 0
		count := func(l *ct.Lab, cfg *tls.Config) []ct.Step {
			return append([]ct.Step{func(*ct.Peer) error { asked++; return nil }}, good(l, cfg)...)
		}
		got, _, err := look(t, world{more: tt.more, page: policy(enforced), session: count})
		if err != nil || len(got) > 0 || asked != tt.want {
			t.Errorf("got %v, %v, asked %d times, want %d", got, err, asked, tt.want)
		}
	}
}

func TestWhatCannotBeLookedAtIsAnError(t *testing.T) {
	const at = "look at what example.net publishes: "
	own := func(chain []*x509.Certificate) []string { return []string{record("3 1 1", chain[0])} }
	silent := func(*ct.Lab, *tls.Config) []ct.Step { return []ct.Step{ct.Silence()} }
	for _, tt := range []struct {
		name string
		world
		took time.Duration
		want string
	}{
		{"the resolver fails at everything", world{failing: []string{"", "example.net"}}, 0, at + "MX of example.net: dns_error: SERVFAIL for example.net"},
		{"the server is silent", world{more: own, session: silent}, 16 * time.Second, at + "certificate of mail.example.net: no greeting within 8s (greeting_timeout)"},
		{"the server refuses us", world{more: own, session: func(*ct.Lab, *tls.Config) []ct.Step {
			return []ct.Step{ct.Send("554 5.7.1 listed\r\n")}
		}}, 0, at + "certificate of mail.example.net: 554 5.7.1 listed (policy)"},
		{"everything is slow", world{
			more: func(chain []*x509.Certificate) []string { return append(own(chain), announcing(chain)...) },
			page: []ct.Step{ct.Silence()}, session: silent,
		}, 20 * time.Second, at + "certificate of mail.example.net: no greeting within 8s (greeting_timeout)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, took, err := look(t, tt.world)
			if err == nil || err.Error() != tt.want || got != nil || took != tt.took {
				t.Errorf("got %q, %v after %s, want %q after %s", got, err, took, tt.want, tt.took)
			}
		})
	}
}

func TestLookEndsWhenItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		s, err := mailpolicy.New(checks.Target{URL: "smtp://" + host, Every: time.Minute, MailOptions: checks.MailOptions{Domain: domain}}, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		got, err := s.Look(ctx)
		if took := time.Since(start); err == nil || got != nil || took != 3*time.Second {
			t.Errorf("got %v, %v after %s, want an error after 3s", got, err, took)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct{ url, domain, want string }{
		{"smtp://" + host, "", "domain: not given, expected whose mail the server takes"},
		{"smtp://192.0.2.25", domain, "domain: given for the address 192.0.2.25, expected the name of a mail exchanger in url"},
		{"https://" + host, domain, `url: scheme "https", expected one of smtp, smtps, submission`},
	} {
		_, err := mailpolicy.New(checks.Target{URL: tt.url, Every: time.Minute, MailOptions: checks.MailOptions{Domain: tt.domain}}, checks.Env{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.url, err, tt.want)
		}
	}
}
