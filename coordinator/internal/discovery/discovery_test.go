package discovery_test

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/discovery"
)

var update = flag.Bool("update", false, "write the golden files anew")

const domain = "example.net"

// zone is what the name servers say.
type zone struct {
	srv  map[string][]*net.SRV // by service
	mx   []*net.MX
	fail error
	// broken is a service of which the name servers say nothing.
	broken string
	lag    time.Duration
}

func none(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (z *zone) wait(ctx context.Context, name string) error {
	select {
	case <-time.After(z.lag):
		return z.fail
	case <-ctx.Done():
		return &net.DNSError{Err: "i/o timeout", Name: name, IsTimeout: true}
	}
}

func (z *zone) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if err := z.wait(ctx, name); err != nil {
		return "", nil, err
	}
	if service == z.broken {
		return "", nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	if proto != "tcp" || name != domain+"." || z.srv[service] == nil {
		return "", nil, none(name)
	}
	return name, slices.Clone(z.srv[service]), nil
}

func (z *zone) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	if err := z.wait(ctx, name); err != nil {
		return nil, err
	}
	if name != domain+"." || z.mx == nil {
		return nil, none(name)
	}
	return slices.Clone(z.mx), nil
}

func srv(priority, weight, port uint16, target string) *net.SRV {
	return &net.SRV{Target: target, Port: port, Priority: priority, Weight: weight}
}

// world is a domain, its servers, and what was asked of them.
type world struct {
	*ct.Lab
	zone zone
	lag  time.Duration // of the addresses of a name
	// only4 says that the machine has no way to IPv6.
	only4 bool

	mu    sync.Mutex
	dials []string
	steps []string
}

func newWorld() *world { return &world{Lab: ct.NewLab(), zone: zone{}} }

// here gives names to the lab's server, over IPv4 alone.
func (w *world) here(names ...string) {
	for _, n := range names {
		w.Name(n, netip.MustParseAddr("198.51.100.1"))
	}
}

// view is the network as the search sees it.
type view struct {
	checks.Network
	*world
}

// DialContext notes each stream.
func (w view) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if to, err := netip.ParseAddrPort(address); network == "udp" {
		if err == nil && to.Addr().Is6() && w.only4 {
			return nil, syscall.ENETUNREACH
		}
	} else {
		w.mu.Lock()
		w.dials = append(w.dials, address)
		w.mu.Unlock()
	}
	return w.Network.DialContext(ctx, network, address)
}

func (w view) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	select {
	case <-time.After(w.lag):
		return w.Network.LookupNetIP(ctx, network, host)
	case <-ctx.Done():
		return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
	}
}

func (w *world) search(t *testing.T) (*discovery.Report, error) {
	t.Helper()
	return discovery.Search(t.Context(), discovery.Options{
		Domain: domain, Resolver: &w.zone, Network: view{w.Client, w}, Roots: w.CA.Pool(),
		Progress: func(words string) { w.steps = append(w.steps, words) },
	})
}

func (w *world) tls(names ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{w.CA.Certificate(names...)}}
}

// imaps and smtps speak TLS from the start, submission and smtp begin it.
func (w *world) imaps(t *testing.T, names ...string) {
	w.Play(t, ":993", ct.Secure(w.tls(names...)), ct.Send("* OK hello\r\n"), ct.Expect("a1 CAPABILITY"),
		ct.Send("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na1 OK done\r\n"), ct.Expect("a2 LOGOUT"), ct.Send("* BYE\r\na2 OK bye\r\n"))
}

func (w *world) smtps(t *testing.T, names ...string) {
	w.Play(t, ":465", ct.Secure(w.tls(names...)), ct.Send("220 hello ESMTP\r\n"), ct.Expect("EHLO"),
		ct.Send("250-hello\r\n250 AUTH PLAIN\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n"))
}

func (w *world) starttls(t *testing.T, port string, names ...string) {
	w.Play(t, port, ct.Send("220 hello ESMTP\r\n"), ct.Expect("EHLO"), ct.Send("250-hello\r\n250 STARTTLS\r\n"),
		ct.Expect("STARTTLS"), ct.Send("220 go\r\n"), ct.Secure(w.tls(names...)), ct.Expect("EHLO"),
		ct.Send("250-hello\r\n250 AUTH PLAIN\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n"))
}

// web serves pages by "host/path".
func (w *world) web(t *testing.T, pages map[string]string, names ...string) {
	s := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.Host+r.URL.Path]
		switch to, moved := strings.CutPrefix(page, "moved to "); {
		case !ok:
			http.NotFound(out, r)
		case moved:
			http.Redirect(out, r, to, http.StatusFound)
		default:
			fmt.Fprint(out, page)
		}
	})}
	l := tls.NewListener(w.Listen(t, ":443"), w.tls(names...))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}

// written is the whole configuration of a report; it must load.
func written(t *testing.T, r *discovery.Report) (string, config.Config) {
	t.Helper()
	text, err := config.Example{Name: "c1", Data: "/d", Host: "c1", Services: r.SectionServices(), Checks: r.SectionChecks()}.Text()
	if err != nil {
		t.Fatalf("%v in\n%s%s", err, r.SectionServices(), r.SectionChecks())
	}
	c, err := config.Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text, c
}

// golden compares the sections with a file.
func golden(t *testing.T, name string, r *discovery.Report) {
	t.Helper()
	written(t, r)
	path, got := filepath.Join("testdata", name), r.SectionServices()+"\n"+r.SectionChecks()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s: %v, got\n%s\nwant\n%s", path, err, got, want)
	}
}

// urls are those of the checks that are up, or of those that are not.
func urls(r *discovery.Report, up bool) []string {
	var out []string
	for _, s := range r.Services {
		for _, f := range s.Findings {
			if (f.Outcome == checks.Up) == up {
				out = append(out, f.Target.URL)
			}
		}
	}
	return out
}

func TestWhatADomainSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.here(domain, "www.example.net", "mx1.example.net", "webmail.example.net")
		w.zone = zone{
			srv: map[string][]*net.SRV{
				"imaps": {srv(10, 0, 993, "gone.example.net."), srv(0, 1, 993, "Mail.example.net.")}, "imap": {srv(0, 0, 0, ".")},
				"pop3s": {srv(0, 0, 0, ".")}, "pop3": {srv(0, 0, 0, ".")},
				"submissions": {srv(0, 1, 465, "mail.example.net.")}, "submission": {srv(0, 1, 2587, "mail.example.net.")},
			},
			mx: []*net.MX{{Host: "mx2.example.net.", Pref: 20}, {Host: "mx1.example.net.", Pref: 10}},
		}
		w.imaps(t, "mail.example.net")
		w.smtps(t, "mail.example.net")
		w.starttls(t, ":25", "mx1.example.net")
		w.web(t, map[string]string{domain + "/": "moved to https://www.example.net/", "www.example.net/": "hello"}, domain, "www.example.net", "webmail.example.net")
		began := time.Now()
		r, err := w.search(t)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "said.yaml", r)
		if took := time.Since(began); took != 0 {
			t.Errorf("took %s, want no waiting", took)
		}
		if last := w.steps[len(w.steps)-1]; last != "asking 10 endpoints, 10 done" {
			t.Errorf("progress ends with %q", last)
		}
	})
}

// TestUsualNames: where nothing is said, and only as far as it takes.
func TestUsualNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.here("imap.example.net", "smtp.example.net")
		w.imaps(t, "mail.example.net") // and not imap.example.net
		w.smtps(t, "smtp.example.net")
		r, err := w.search(t)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := urls(r, true), []string{"imaps://mail.example.net", "smtps://smtp.example.net"}; !slices.Equal(got, want) {
			t.Errorf("up: got %q, want %q", got, want)
		}
		if n := count(w.dials, "198.51.100.1:465"); n != 1 {
			t.Errorf("465 was dialled %d times in %q, want once: mail.example.net is asked only if smtp.example.net is not up", n, w.dials)
		}
		golden(t, "usual.yaml", r)
	})
}

// TestWhatCannotBeAsked is neither found nor guessed, and said.
func TestWhatCannotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.zone.broken = "imaps"
		w.imaps(t, "mail.example.net")
		w.smtps(t, "mail.example.net")
		r, err := w.search(t)
		if err != nil {
			t.Fatal(err)
		}
		if got := urls(r, true); !slices.Equal(got, []string{"smtps://mail.example.net"}) {
			t.Errorf("up: got %q, want no guess at what may be announced", got)
		}
		for _, want := range []string{
			"not asked: SRV _imaps._tcp.example.net: server misbehaving",
			"IMAP: nothing at SRV _imaps._tcp.example.net (no answer), SRV _imap._tcp.example.net, autoconfig",
		} {
			if !slices.Contains(r.Blanks(), want) {
				t.Errorf("got %q, want %q", r.Blanks(), want)
			}
		}
	})
}

func count(list []string, want string) int {
	n := 0
	for _, x := range list {
		if x == want {
			n++
		}
	}
	return n
}

const configXML = `<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1"><emailProvider id="example.net">
  <domain>example.net</domain>
  <incomingServer type="imap"><hostname>mail.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
  <incomingServer type="imap"><hostname>mail.example.net</hostname><port>143</port><socketType>plain</socketType></incomingServer>
  <incomingServer type="pop3"><hostname>mail.example.net</hostname><port>110</port><socketType>STARTTLS</socketType></incomingServer>
  <incomingServer type="exchange"><hostname>mail.example.net</hostname></incomingServer>
  <outgoingServer type="smtp"><hostname>127.0.0.1</hostname><port>465</port><socketType>SSL</socketType></outgoingServer>
  <outgoingServer type="smtp"><hostname>inside.example.org</hostname><port>465</port><socketType>SSL</socketType></outgoingServer>
</emailProvider>
<webMail><loginPage url="https://mail.example.net/login"/><loginPage url="https://mail.example.net/?logout"/></webMail>
</clientConfig>`

func TestAutoconfig(t *testing.T) {
	for _, place := range []string{"autoconfig.example.net/mail/config-v1.1.xml", "example.net/.well-known/autoconfig/mail/config-v1.1.xml"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.here("autoconfig.example.net", domain)
			w.Name("inside.example.org", netip.MustParseAddr("10.0.0.1"))
			w.imaps(t, "mail.example.net")
			w.web(t, map[string]string{place: configXML, "mail.example.net/login": "log in"}, "autoconfig.example.net", domain, "mail.example.net")
			r, err := w.search(t)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := urls(r, true), []string{"imaps://mail.example.net", "https://mail.example.net/login"}; !slices.Equal(got[:2], want) {
				t.Errorf("up: got %q, want %q", got, want)
			}
			if got := urls(r, false); !slices.Contains(got, "pop3://mail.example.net") {
				t.Errorf("not up: got %q, want pop3://mail.example.net among them", got)
			}
			for _, want := range []string{
				`imap with socket type "plain", expected SSL or STARTTLS`, `"127.0.0.1" is not the name of a host`, `page "https://mail.example.net/?logout"`,
			} {
				if !strings.Contains(strings.Join(r.Notes, "\n"), want) {
					t.Errorf("notes: got %q, want %q", r.Notes, want)
				}
			}
			if text, _ := written(t, r); !strings.Contains(text, "inside.example.org is at 10.0.0.1, which is not a public address") {
				t.Errorf("got\n%s\nwant the reason why inside.example.org was not followed", text)
			}
			if slices.ContainsFunc(w.dials, func(a string) bool { return strings.HasPrefix(a, "10.") || strings.HasPrefix(a, "127.") }) {
				t.Errorf("dialled %q, want no address inside", w.dials)
			}
		})
	}
}

// TestDocumentsOfOthers: what is no file of ours is refused in words, whatever
// it is, and never followed elsewhere.
func TestDocumentsOfOthers(t *testing.T) {
	for name, x := range map[string]struct{ page, note string }{
		"moved":    {"moved to https://elsewhere.example.org/", "http_status (302 Found, expected 200)"},
		"too long": {"<clientConfig>" + strings.Repeat(" ", 64<<10) + "</clientConfig>", "protocol_error (more than 65536 bytes)"},
		"a page":   {"<!doctype html><html></html>", "expected element type <clientConfig> but have <html>"},
		"entity": {
			`<!DOCTYPE c [<!ENTITY e SYSTEM "file:///etc/passwd">]><clientConfig><emailProvider><incomingServer type="imap"><hostname>&e;</hostname></incomingServer></emailProvider></clientConfig>`,
			"invalid character entity &e;",
		},
		"deep":      {strings.Repeat("<clientConfig>", 4000), "XML syntax error on line 1: unexpected EOF"},
		"talkative": {"<clientConfig><" + strings.Repeat("a", 60_000) + "></b></clientConfig>", "XML syntax error on line 1: element <aaa"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.Name("autoconfig.example.net", w.Server.Addrs()...)
				w.web(t, map[string]string{"autoconfig.example.net/mail/config-v1.1.xml": x.page}, "autoconfig.example.net")
				r, err := w.search(t)
				if err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], x.note) {
					t.Errorf("got %+v, %v, want one note with %q", r, err, x.note)
				}
				if n := len(strings.Join(r.Notes, "")); n > 400 {
					t.Errorf("a note of %d bytes, want a line that a person reads", n)
				}
				if v4, v6 := count(w.dials, "198.51.100.1:443"), count(w.dials, "[2001:db8:2::1]:443"); v4 != 2 || v6 != 1 {
					t.Errorf("443 was dialled %d and %d times, want once for the file and once a family for https://mail.example.net", v4, v6)
				}
			})
		})
	}
}

// TestOneFamily: what is up over one family alone becomes a check of that one.
func TestOneFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
			if to.Addr().Is6() && to.Port() == 993 {
				return ct.Drop
			}
			return ct.Pass
		})
		w.imaps(t, "mail.example.net")
		began := time.Now()
		r, err := w.search(t)
		if err != nil {
			t.Fatal(err)
		}
		_, c := written(t, r)
		if len(c.Checks) != 1 || !slices.Equal(c.Checks[0].Families, []checks.Family{checks.IPv4}) || c.Checks[0].Every != checks.FloorUnasked {
			t.Errorf("checks: got %+v, want one over ipv4 at the floor", c.Checks)
		}
		if got, want := r.Services[0].Findings[0].Trouble, "over ipv6: connect_timeout (no answer to the connection request within 4s)"; got != want {
			t.Errorf("trouble: got %q, want %q", got, want)
		}
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("took %s, want 4s", took)
		}
	})
}

// TestNoWayThere: a machine without IPv6 says nothing of the service over it.
func TestNoWayThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.only4 = true
		w.imaps(t, "mail.example.net")
		r, err := w.search(t)
		if err != nil {
			t.Fatal(err)
		}
		f := r.Services[0].Findings[0]
		if f.Outcome != checks.Up || len(f.Target.Families) != 0 || f.Trouble != "not tried over ipv6: this machine has no way there" {
			t.Errorf("got %+v, want it up over every family that the name has", f)
		}
	})
}

// TestHostileRecords: what is no name of a public host is refused in words and
// nobody goes there.
func TestHostileRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.Name("rebound.example.org", netip.MustParseAddr("169.254.169.254"))
		w.zone.srv = map[string][]*net.SRV{"imaps": {
			srv(0, 0, 993, "10.0.0.1."), srv(0, 0, 993, "localhost."), srv(0, 0, 993, "x.localhost."), srv(0, 0, 993, "a b.example.net."),
			srv(0, 0, 0, "mail.example.net."), srv(0, 0, 993, "rebound.example.org."), srv(1, 0, 993, "a.b.example.net."), srv(1, 0, 993, "a-b.example.net."),
		}}
		w.zone.mx = []*net.MX{{Host: "127.0.0.1."}}
		r, err := w.search(t)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`SRV _imaps._tcp.example.net: "10.0.0.1." is not the name of a host`, `"localhost."`, `"x.localhost."`, `"a b.example.net."`,
			"port 0, expected 1 to 65535", `MX example.net: "127.0.0.1." is not the name of a host`,
		} {
			if !strings.Contains(strings.Join(r.Notes, "\n"), want) {
				t.Errorf("notes: got %q, want %q", r.Notes, want)
			}
		}
		found := r.Services[0].Findings
		if len(found) != 3 || found[1].Target.ID != "imaps-a-b-example-net" || found[2].Target.ID != "imaps-a-b-example-net-2" {
			t.Fatalf("got %+v, want three endpoints with three ids", found)
		}
		if got, want := found[0].Trouble, "over ipv4: own_error (rebound.example.org is at 169.254.169.254, which is not a public address"; !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		for _, a := range w.dials {
			if !strings.HasPrefix(a, "198.51.100.1:") && !strings.HasPrefix(a, "[2001:db8:2::1]:") {
				t.Errorf("dialled %s, want no address inside", a)
			}
		}
	})
}

// TestASearchEnds: however many endpoints there are, and however slow each is.
func TestASearchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.lag = 2950 * time.Millisecond // the addresses of each name
		w.Name("autoconfig.example.net", w.Server.Addrs()...)
		w.Play(t, ":443", ct.Silence())
		w.zone.srv = map[string][]*net.SRV{}
		for i := range uint16(100) {
			w.zone.srv["imap"] = append(w.zone.srv["imap"], srv(i, 0, 2000+i, "mail.example.net."))
			w.Play(t, fmt.Sprintf(":%d", 2000+i), ct.Drip("* OK hello\r\n", 350*time.Millisecond), ct.Silence())
		}
		began := time.Now()
		r, err := w.search(t)
		if took := time.Since(began); err != nil || took != discovery.Limit {
			t.Fatalf("%v after %s, want an end after %s", err, took, discovery.Limit)
		}
		found := r.Services[0].Findings
		if len(found) != discovery.MaxEndpoints || len(w.dials) > 2*len(found)+2 {
			t.Fatalf("%d endpoints asked with %d streams, want %d", len(found), len(w.dials), discovery.MaxEndpoints)
		}
		if got, want := found[0].Trouble, "over ipv4 and ipv6: command_timeout ("; found[0].Outcome != checks.Down || !strings.HasPrefix(got, want) {
			t.Errorf("first: got %s, %q, want %q", found[0].Outcome, got, want)
		}
		if got, want := found[19].Trouble, "no answer before the end of the search"; found[19].Outcome != checks.Unknown || got != want {
			t.Errorf("last: got %s, %q, want %q", found[19].Outcome, got, want)
		}
		if want := "left out: pop3s://mail.example.net and what follows"; !strings.Contains(strings.Join(r.Notes, "\n"), want) {
			t.Errorf("notes: got %q, want %q", r.Notes, want)
		}
		if _, c := written(t, r); len(c.Checks)+len(c.Services) != 0 {
			t.Errorf("got %d checks and %d services, want none", len(c.Checks), len(c.Services))
		}
	})
}

func TestNothing(t *testing.T) {
	for name, x := range map[string]struct {
		zone zone
		want []string
		took time.Duration
	}{
		"nothing": {zone{}, []string{
			"IMAP: nothing at SRV _imaps._tcp.example.net, SRV _imap._tcp.example.net, autoconfig, imap.example.net, mail.example.net",
			"Incoming mail: nothing at MX example.net", "Web: nothing at ",
		}, 0},
		"declined": {zone{srv: map[string][]*net.SRV{"imap": {srv(0, 0, 0, ".")}, "imaps": {srv(0, 0, 0, ".")}}, mx: []*net.MX{{Host: "."}}}, []string{
			"IMAP: plainly not offered, says SRV _imaps._tcp.example.net, SRV _imap._tcp.example.net\n",
			"Incoming mail: plainly not offered, says MX example.net\n",
		}, 0},
		"no name server": {zone{fail: &net.DNSError{Err: "server misbehaving"}}, []string{"ask the name servers for example.net: lookup : server misbehaving"}, 0},
		"silence":        {zone{lag: time.Hour}, []string{"ask the name servers for example.net: ", "i/o timeout"}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.Name(ct.LabName) // without addresses
				w.zone = x.zone
				began := time.Now()
				r, err := w.search(t)
				var got string
				switch {
				case err != nil:
					got = err.Error()
				case r.Found() > 0:
					t.Errorf("found %+v, want nothing", r.Services)
				default:
					got = strings.Join(r.Blanks(), "\n") + "\n"
				}
				for _, want := range x.want {
					if !strings.Contains(got, want) {
						t.Errorf("got %s, want %q", got, want)
					}
				}
				if took := time.Since(began); took != x.took {
					t.Errorf("took %s, want %s", took, x.took)
				}
			})
		})
	}
}

func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
			return map[bool]ct.Effect{true: ct.Drop}[to.Port() == 993]
		})
		why := errors.New("stopped by interrupt")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { stop(why) })
		_, err := discovery.Search(ctx, discovery.Options{Domain: domain, Resolver: &w.zone, Network: w.Client})
		if !errors.Is(err, why) {
			t.Errorf("got %v, want %v", err, why)
		}
	})
}

// signs are those of what was found and was not up.
var signs = regexp.MustCompile(`(?m)^#(  - |    [a-z])`)

// TestTakingTheSigns: what was not up is a valid check as soon as a person
// takes the signs of the comment off.
func TestTakingTheSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.zone.mx = []*net.MX{{Host: ct.LabName + "."}}
		w.imaps(t, "mail.example.net")
		r, err := w.search(t)
		if err != nil {
			t.Fatal(err)
		}
		text, before := written(t, r)
		c, err := config.Parse("c.yaml", signs.ReplaceAll([]byte(text), []byte("$1")))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if len(c.Checks) != len(urls(r, true))+len(urls(r, false)) || len(c.Checks) <= len(before.Checks) {
			t.Errorf("got %d checks, want every one that was found", len(c.Checks))
		}
	})
}
